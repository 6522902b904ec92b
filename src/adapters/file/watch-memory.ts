/** What a folder watch remembers: of each file how far it was handed over. Survives the end of the process at any moment. */

import path from 'node:path';
import { makeFolder, removeTemporaries, replaceFile } from './durable-file.ts';
import { LineLog } from './line-log.ts';

/** What whoever takes a file needs to go on with it when it grows: plain JSON, of its own making. */
export type GrowthState = Readonly<Record<string, unknown>>;

export interface KnownFile {
  /** Path below the watched folder, with slashes. */
  name: string;
  tenant: string;
  /** What the file system said of it when it was handed over. */
  state: string;
  /** Size at that time. */
  bytes: number;
  /** SHA-256 of all of it; null once it grows. */
  sha256: string | null;
  /** Id as a growing file; null until it grows. */
  growingId: string | null;
  /** SHA-256 of its first bytes, 4 KiB at most, and of the last ones before `bytes`. */
  head: string;
  headBytes: number;
  tail: string;
  /** Null where it cannot go on: it was refused, or its rows do not end where the file does. */
  growth: GrowthState | null;
}

const FILE = 'watch.ndjson';
/** Lines beyond those that count at which the file is written anew when it is opened. */
const SUPERSEDED_LINES = 1_000;

export class WatchMemory {
  readonly #log: LineLog;
  readonly #files = new Map<string, KnownFile>();
  /** By tenant and SHA-256, whatever its name is now. */
  readonly #contents = new Map<string, KnownFile>();

  private constructor(folder: string) {
    this.#log = new LineLog(path.join(folder, FILE), () => undefined);
  }

  /** Reads what was remembered in a folder, which belongs to one watch at a time. */
  static async open(folder: string): Promise<WatchMemory> {
    await makeFolder(folder);
    await removeTemporaries(folder);
    const memory = new WatchMemory(folder);
    let lines = 0;
    const file = path.join(folder, FILE);
    const reading = new LineLog(file, (line) => {
      lines += 1;
      const known = parseLine(line);
      if (known !== null) memory.#note(known);
    });
    await reading.refresh();
    await reading.close();
    const kept = new Set([...memory.#contents.values(), ...memory.#files.values()]);
    if (lines > kept.size * 2 + SUPERSEDED_LINES) {
      await replaceFile(file, [Buffer.from([...kept].map((known) => `${JSON.stringify(known)}\n`).join(''))]);
    }
    await memory.#log.refresh();
    return memory;
  }

  file(name: string): KnownFile | null {
    return this.#files.get(name) ?? null;
  }

  /** A finished file of that content that was handed over, under any name. */
  content(tenant: string, sha256: string): KnownFile | null {
    return this.#contents.get(contentKey(tenant, sha256)) ?? null;
  }

  /** Durable when it resolves. */
  async remember(known: KnownFile): Promise<void> {
    await this.#log.append([JSON.stringify(known)]);
    this.#note(known);
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  #note(known: KnownFile): void {
    this.#files.set(known.name, known);
    if (known.sha256 !== null) this.#contents.set(contentKey(known.tenant, known.sha256), known);
  }
}

function contentKey(tenant: string, sha256: string): string {
  return `${sha256} ${tenant}`;
}

/** Null for a line that a failing disk left behind: the file is handed over once more then. */
function parseLine(line: string): KnownFile | null {
  try {
    const known = JSON.parse(line) as KnownFile;
    return typeof known.name === 'string' && typeof known.tenant === 'string' ? known : null;
  } catch {
    return null;
  }
}

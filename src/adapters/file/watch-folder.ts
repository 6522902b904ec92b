/**
 * Watches a folder for exports, by looking at it again and again: no notification of a file system tells
 * when a copy is complete, and network folders send none.
 *
 * A file is handed over when its size and times have not changed for `settleMs`; names that begin with a dot
 * or end in `.tmp`, `.part`, `.partial` or `~` wait until they are renamed. It is known by its SHA-256: the same
 * content under another name, or handed over before a restart, is not handed over again. A deleted file changes
 * nothing. Links are not followed.
 *
 * A known file that has changed is one of two:
 *
 * - It has *grown* where it is longer, could go on (`growth` of whoever took it), and begins with what was handed
 *   over: all of that, by SHA-256, the first time; later, as a file that is known to grow, its first 4 KiB and
 *   the 4 KiB before the offset. Then only what it has more is handed over. Changes in the middle of a growing
 *   file are not noticed.
 * - It was *replaced* in every other case, and is another file, which is handed over whole.
 *
 * A new file that never settles, and was never seen to shrink for `growingAfterMs`, is a growing one from its start.
 *
 * Everything is handed over at least once: what was handed over is remembered after whoever took it is done.
 */

import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RelaywatchError } from '../../core/outcome.ts';
import { expectUnchanged, hashRange, type OpenExport, openExport, readAt } from './open-export.ts';
import { type GrowthState, type KnownFile, WatchMemory } from './watch-memory.ts';

export type { GrowthState } from './watch-memory.ts';

export interface WatchedFile {
  path: string;
  /** Path below the watched folder, with slashes. */
  name: string;
  tenant: string;
  sha256: string;
  bytes: number;
}

export interface WatchedGrowth {
  path: string;
  name: string;
  tenant: string;
  /** SHA-256 of the name and the first 4 KiB: the same however long the file gets. */
  id: string;
  /** What the last call returned; null for a growing file that is new. */
  from: GrowthState | null;
  bytes: number;
}

export interface WatchOptions {
  path: string;
  /** Where the watch remembers what it handed over; nobody else uses it. */
  stateFolder: string;
  /** Tenant of a file, by its name below the folder; null where it belongs to none. */
  tenantOf: (name: string) => string | null;
  /** Takes a finished file. Resolves, when nothing of it can be lost any more, to what growth needs, or null. */
  onFile: (file: WatchedFile) => Promise<GrowthState | null>;
  /** Takes what a growing file has more; resolves as `onFile` does. */
  onGrowth: (growth: WatchedGrowth) => Promise<GrowthState | null>;
  /**
   * A growing file has rested for `quietMs`: all of it was handed over before, bit by bit, and is a finished file for
   * now, for whoever keeps such. Under another name, as logs get when they are rotated, it is not handed over again.
   */
  onQuiet?: (file: WatchedFile) => Promise<void>;
  /** A file or folder that cannot be used: once, until that changes. */
  onProblem: (name: string, problem: string) => void;
  signal: AbortSignal;
  settleMs?: number;
  growingAfterMs?: number;
  quietMs?: number;
  /** Pause between two looks. */
  pollMs?: number;
  /** A clock that only goes forward, milliseconds. */
  now?: () => number;
}

export interface FolderWatch {
  /** One look at the folder; hands over what is ready. Rejects with what `onFile` and `onGrowth` reject with. */
  look(): Promise<void>;
  close(): Promise<void>;
}

const SETTLE_MS = 5_000;
const GROWING_AFTER_MS = 600_000;
const QUIET_MS = 3_600_000;
const POLL_MS = 1_000;
/** What tells files apart that grow. */
const MARK_BYTES = 4_096;
const UNFINISHED = /(^\.|~$|\.(tmp|part|partial)$)/i;

/** Watches until `signal` aborts; what is being handed over then is waited for. */
export async function watchFolder(options: WatchOptions): Promise<void> {
  const watch = await openWatch(options);
  const { signal, pollMs = POLL_MS } = options;
  try {
    while (!signal.aborted) {
      await watch.look();
      await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await watch.close();
  }
}

/** For `watchFolder`, and for whoever decides when to look. */
export async function openWatch(options: WatchOptions): Promise<FolderWatch> {
  const status = await stat(options.path).catch(() => null);
  if (status === null || !status.isDirectory()) {
    throw new RelaywatchError({
      code: 'watched_folder',
      message: `${options.path} is no folder that can be watched`,
      hint: 'make the folder, or give its right name, and let this user read it',
    });
  }
  return new Watch(options, await WatchMemory.open(options.stateFolder));
}

/** What was seen of a file since it last changed. */
interface Sighting {
  state: string;
  bytes: number;
  /** When it was first seen in this state. */
  sinceMs: number;
  /** Since when it was only seen to grow. */
  growingSinceMs: number;
  /** Nothing is to be done until it changes. */
  isDone: boolean;
}

class Watch implements FolderWatch {
  readonly #options: WatchOptions;
  readonly #memory: WatchMemory;
  readonly #now: () => number;
  #sightings = new Map<string, Sighting>();
  readonly #problems = new Map<string, string>();

  constructor(options: WatchOptions, memory: WatchMemory) {
    this.#options = options;
    this.#memory = memory;
    this.#now = options.now ?? (() => performance.now());
  }

  close(): Promise<void> {
    return this.#memory.close();
  }

  async look(): Promise<void> {
    const { signal } = this.#options;
    const seen = new Map<string, Sighting>();
    const ready: string[] = [];
    for (const name of await this.#names()) {
      const sighting = this.#sight(name);
      if (sighting === null) continue;
      seen.set(name, sighting);
      if (sighting.isDone ? this.#isQuiet(name, sighting) : this.#isReady(name, sighting)) ready.push(name);
    }
    this.#sightings = seen;
    for (const name of this.#problems.keys())
      if (!seen.has(name) && name !== '' && !name.includes('\ufffd')) this.#problems.delete(name);
    for (const name of ready.sort()) {
      signal.throwIfAborted();
      await this.#handOver(name, seen.get(name) as Sighting);
    }
  }

  /** Names of the files below the folder. */
  async #names(): Promise<string[]> {
    const names: string[] = [];
    const waiting = [''];
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
      try {
        for (const entry of await readdir(path.join(this.#options.path, folder), { withFileTypes: true })) {
          const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
          if (UNFINISHED.test(entry.name)) continue;
          if (entry.isDirectory()) waiting.push(name);
          else if (entry.isFile()) names.push(name);
        }
        if (folder === '') this.#problems.delete('');
      } catch (error) {
        this.#problem(folder, `it cannot be read: ${(error as NodeJS.ErrnoException).code ?? error}`);
      }
    }
    return names;
  }

  /** What can be seen of a file; null where it is gone or no file any more. */
  #sight(name: string): Sighting | null {
    let status: ReturnType<typeof lstatSync>;
    try {
      status = lstatSync(path.join(this.#options.path, name));
    } catch {
      // Node gives names that are no UTF-8 with a mark of replacement: no file has that name.
      if (name.includes('\ufffd')) this.#problem(name, 'its name is no UTF-8: rename it');
      return null;
    }
    if (!status.isFile()) return null;
    const bytes = Number(status.size);
    const state = `${status.ino} ${bytes} ${status.mtimeMs} ${status.ctimeMs}`;
    const before = this.#sightings.get(name);
    if (before?.state === state) return before;
    const nowMs = this.#now();
    const growingSinceMs = before !== undefined && bytes >= before.bytes ? before.growingSinceMs : nowMs;
    return { state, bytes, sinceMs: nowMs, growingSinceMs, isDone: this.#memory.file(name)?.state === state };
  }

  #isReady(name: string, { sinceMs, growingSinceMs, bytes }: Sighting): boolean {
    const nowMs = this.#now();
    if (nowMs - sinceMs >= (this.#options.settleMs ?? SETTLE_MS)) return true;
    const known = this.#memory.file(name);
    // Whole rows only are taken of a growing file: no need to wait.
    if (known !== null && known.growingId !== null && bytes > known.bytes) return true;
    return nowMs - growingSinceMs >= (this.#options.growingAfterMs ?? GROWING_AFTER_MS);
  }

  /** Whether a growing file has rested long enough. */
  #isQuiet(name: string, { sinceMs }: Sighting): boolean {
    if (this.#now() - sinceMs < (this.#options.quietMs ?? QUIET_MS)) return false;
    const known = this.#memory.file(name);
    return known !== null && known.growingId !== null && known.sha256 === null;
  }

  async #handOver(name: string, sighting: Sighting): Promise<void> {
    const tenant = this.#options.tenantOf(name);
    if (tenant === null) {
      this.#problem(name, 'it belongs to no tenant');
      return;
    }
    let file: OpenExport;
    try {
      file = await openExport(path.join(this.#options.path, name), true);
    } catch (error) {
      const { code, message } = error as RelaywatchError;
      if (code !== 'not_found') this.#problem(name, message);
      return;
    }
    try {
      this.#problems.delete(name);
      sighting.isDone = await this.#take(name, tenant, file, sighting);
    } catch (error) {
      const { code } = error as { code?: string };
      // Changed or gone: the next look begins with it anew.
      if (code === 'file_changed' || code === 'not_found') sighting.sinceMs = this.#now();
      else if (code === 'not_readable' || code === 'not_a_file') this.#problem(name, (error as Error).message);
      else throw error;
    } finally {
      await file.handle.close();
    }
  }

  /** Hands over what is new in a file; false where it has to be looked at again although it does not change. */
  async #take(name: string, tenant: string, file: OpenExport, sighting: Sighting): Promise<boolean> {
    const { signal } = this.#options;
    const known = this.#memory.file(name);
    if (known !== null && sighting.isDone) {
      const sha256 = await hashRange(file, known.bytes, signal);
      // What came since would be in no file: it is handed over first.
      if (file.bytes > known.bytes) return false;
      await this.#options.onQuiet?.({ path: file.path, name, tenant, sha256, bytes: file.bytes });
      await this.#memory.remember({ ...known, sha256 });
      return true;
    }
    if (known !== null && (await this.#hasGrown(known, tenant, file))) {
      // Of the same length it was only touched.
      if (file.bytes === known.bytes) await this.#memory.remember({ ...known, state: sighting.state });
      else await this.#grow({ ...known, state: sighting.state }, file);
      return true;
    }
    const isSettled = this.#now() - sighting.sinceMs >= (this.#options.settleMs ?? SETTLE_MS);
    if (!isSettled) {
      const waits = this.#now() - sighting.growingSinceMs < (this.#options.growingAfterMs ?? GROWING_AFTER_MS);
      // It was taken for a growing file, and is another one that is being copied.
      if (waits) return false;
      const start = { name, tenant, state: sighting.state, bytes: 0, sha256: null, growingId: null, growth: null };
      await this.#grow({ ...start, ...marks(file, 0), tail: '' }, file);
      return true;
    }
    const sha256 = await hashRange(file, file.bytes, signal);
    await expectUnchanged(file);
    const same = this.#memory.content(tenant, sha256);
    const growth =
      same !== null
        ? same.growth
        : await this.#options.onFile({ path: file.path, name, tenant, sha256, bytes: file.bytes });
    const { state } = sighting;
    await this.#memory.remember({
      name,
      tenant,
      state,
      bytes: file.bytes,
      sha256,
      growingId: null,
      ...marks(file, file.bytes),
      growth,
    });
    return true;
  }

  async #hasGrown(known: KnownFile, tenant: string, file: OpenExport): Promise<boolean> {
    if (known.tenant !== tenant || file.bytes < known.bytes) return false;
    if (known.growingId === null && (known.growth === null || file.bytes === known.bytes)) return false;
    const { head, tail } = marks(file, known.bytes, known.headBytes);
    if (head !== known.head || tail !== known.tail) return false;
    return known.sha256 === null || (await hashRange(file, known.bytes, this.#options.signal)) === known.sha256;
  }

  async #grow(known: KnownFile, file: OpenExport): Promise<void> {
    const { name, tenant } = known;
    const { head, headBytes, tail } = marks(file, file.bytes, known.bytes === 0 ? undefined : known.headBytes);
    const id = known.growingId ?? createHash('sha256').update(`${name}\0${head}`).digest('hex');
    const from = known.growth;
    const growth = await this.#options.onGrowth({ path: file.path, name, tenant, id, from, bytes: file.bytes });
    const grown = { ...known, bytes: file.bytes, sha256: null, growingId: id, head, headBytes, tail, growth };
    await this.#memory.remember(grown);
  }

  #problem(name: string, problem: string): void {
    if (this.#problems.get(name) === problem) return;
    this.#problems.set(name, problem);
    this.#options.onProblem(name, problem);
  }
}

/** SHA-256 of the first bytes of a file and of the last ones before `bytes`. */
function marks(
  file: OpenExport,
  bytes: number,
  headBytes = Math.min(MARK_BYTES, Math.max(bytes, Math.min(file.bytes, MARK_BYTES))),
): { head: string; headBytes: number; tail: string } {
  const from = Math.max(0, bytes - MARK_BYTES);
  const digest = (offset: number, length: number) =>
    createHash('sha256')
      .update(readAt(file, offset, length))
      .digest('hex');
  return { head: digest(0, headBytes), headBytes, tail: digest(from, bytes - from) };
}

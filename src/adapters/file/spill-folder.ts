/** Spilled records as files of a temporary folder, one per run. */

import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SpillStore } from '../../core/ports.ts';

/** Bytes that wait in memory before all runs are written. */
const BUFFERED_BYTES = 8 * 1_048_576;

export class SpillFolder implements SpillStore {
  readonly #parent: string;
  #folder: string | null = null;
  readonly #waiting = new Map<string, Uint8Array[]>();
  #waitingBytes = 0;
  /** Nothing stays behind when the process is ended in between. */
  readonly #onExit = (): void => this.#removeFolder();

  /** The folder itself is made when the first records are spilled. */
  constructor(parent: string = tmpdir()) {
    this.#parent = parent;
  }

  append(run: string, records: Uint32Array): void {
    const bytes = new Uint8Array(records.buffer, records.byteOffset, records.byteLength).slice();
    const waiting = this.#waiting.get(run);
    if (waiting === undefined) this.#waiting.set(run, [bytes]);
    else waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= BUFFERED_BYTES) this.#write();
  }

  read(run: string): Uint32Array {
    this.#write();
    if (this.#folder === null || !existsSync(join(this.#folder, run))) return new Uint32Array(0);
    const bytes = readFileSync(join(this.#folder, run));
    const words = new Uint32Array(bytes.length / 4);
    new Uint8Array(words.buffer).set(bytes);
    return words;
  }

  remove(run: string): void {
    if (this.#folder !== null) rmSync(join(this.#folder, run), { force: true });
  }

  /** Removes the folder and all that is in it. */
  dispose(): void {
    process.off('exit', this.#onExit);
    this.#removeFolder();
  }

  #removeFolder(): void {
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = null;
  }

  #write(): void {
    if (this.#waitingBytes === 0) return;
    if (this.#folder === null) {
      process.on('exit', this.#onExit);
      this.#folder = mkdtempSync(join(this.#parent, 'relaywatch-'));
    }
    const folder = this.#folder;
    for (const [run, parts] of this.#waiting) appendFileSync(join(folder, run), Buffer.concat(parts));
    this.#waiting.clear();
    this.#waitingBytes = 0;
  }
}

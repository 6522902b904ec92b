/** A file of lines that only grows. What a crash left half written at its end is taken away when it is opened. */

import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from './durable-file.ts';

const CHUNK_BYTES = 262_144;
const LINE_FEED = 0x0a;

export class LineLog {
  readonly #file: string;
  readonly #onLine: (line: string) => void;
  #handle: FileHandle | null = null;
  /** Up to here lines were read or written. */
  #position = 0;

  /** `onLine` gets every line once, those that are appended too. */
  constructor(file: string, onLine: (line: string) => void) {
    this.#file = file;
    this.#onLine = onLine;
  }

  /** Reads the lines that are new in the file. Nobody else may be writing to it. */
  async refresh(): Promise<void> {
    const handle = await this.#opened();
    const { size } = await handle.stat();
    if (size < this.#position) this.#position = 0;
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let rest: Buffer[] = [];
    for (let at = this.#position; at < size; ) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      let start = 0;
      for (;;) {
        const end = chunk.subarray(0, bytesRead).indexOf(LINE_FEED, start);
        if (end < 0) break;
        const line = Buffer.concat([...rest, chunk.subarray(start, end)]);
        rest = [];
        this.#position += line.length + 1;
        this.#onLine(line.toString('utf8'));
        start = end + 1;
      }
      rest.push(Buffer.from(chunk.subarray(start, bytesRead)));
    }
    if (this.#position < size) {
      await handle.truncate(this.#position);
      await handle.sync();
    }
  }

  /** The lines are on the disk when it resolves. They must not hold line feeds. */
  async append(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const handle = await this.#opened();
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    try {
      await handle.appendFile(bytes);
      await handle.datasync();
    } catch (error) {
      // Half a line must not become the start of the next one.
      await handle.truncate(this.#position).catch(() => undefined);
      throw error;
    }
    this.#position += bytes.length;
    for (const line of lines) this.#onLine(line);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = null;
  }

  async #opened(): Promise<FileHandle> {
    if (this.#handle === null) {
      this.#handle = await open(this.#file, 'a+', 0o600);
      await syncFolder(path.dirname(this.#file));
    }
    return this.#handle;
  }
}

/**
 * The log of the embedded mode: envelopes in a folder, in one partition. What `send` has resolved for is on
 * the disk; envelopes that are sent at the same time are brought there together. The folder belongs to one
 * process at a time: whoever opens it holds its lock (`lockFolder`).
 */

import { type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Envelope } from '../../core/envelope.ts';
import { encodeEnvelope } from '../../core/envelope-codec.ts';
import type { EnvelopeSink, EnvelopeSource } from '../../core/envelope-log.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { folderProblem, makeFolder, removeTemporaries, replaceFile, syncFolder } from './durable-file.ts';
import { encodeEntry, findEnd, SegmentReader, segmentBase, segmentName } from './journal-segment.ts';
import { type JournalFiles, type JournalOptions, JournalSource, type SegmentPlace } from './journal-source.ts';

export type { JournalOptions } from './journal-source.ts';

export interface Journal {
  readonly sink: EnvelopeSink;
  /** One partition, 0. Every run is a new generation, also of those before the process was started. */
  readonly source: EnvelopeSource;
  /** Offset of the oldest entry, and the offset that the next one gets. */
  readonly start: number;
  readonly end: number;
  /** Removes the segments that hold nothing from `beforeOffset` on. */
  trim(beforeOffset: number): Promise<void>;
  /** Waits for what is being written. A run of the source has to be ended before. */
  close(): Promise<void>;
}

const SEGMENT_BYTES = 67_108_864;
/** Bytes brought to the disk at once, when many wait. */
const COMMIT_BYTES = 8_388_608;
const GENERATION = 'generation';

/** Opens a journal, or makes an empty one. Throws a RelaywatchError where the folder cannot be used. */
export async function openJournal(folder: string, options: JournalOptions = {}): Promise<Journal> {
  try {
    await makeFolder(folder);
    await removeTemporaries(folder);
    const bases = (await readdir(folder)).flatMap((name) => segmentBase(name) ?? []).sort((a, b) => a - b);
    if (bases.length === 0) bases.push(0);
    const newest = bases[bases.length - 1];
    const file = path.join(folder, segmentName(newest));
    const handle = await open(file, 'a+', 0o600);
    try {
      const reader = await SegmentReader.open(file, newest);
      const { entries, position } = await findEnd(reader).finally(() => reader.close());
      await handle.truncate(position);
      await handle.sync();
      await syncFolder(folder);
      return new FileJournal(folder, options, bases, { handle, end: newest + entries, bytes: position });
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    throw folderProblem(folder, error);
  }
}

interface Waiting {
  entries: Buffer[];
  bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

class FileJournal implements Journal, JournalFiles {
  readonly sink: EnvelopeSink;
  readonly source: EnvelopeSource;
  end: number;
  durableBytes: number;
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #now: () => number;
  #bases: number[];
  #handle: FileHandle;
  #queue: Waiting[] = [];
  #writing: Promise<void> | null = null;
  #closed = false;
  /** Why nothing can be written any more. */
  #failure: RelaywatchError | null = null;
  readonly #wakers = new Set<() => void>();

  constructor(
    folder: string,
    options: JournalOptions,
    bases: number[],
    newest: { handle: FileHandle; end: number; bytes: number },
  ) {
    this.#folder = folder;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#now = options.now ?? Date.now;
    this.#bases = bases;
    this.#handle = newest.handle;
    this.end = newest.end;
    this.durableBytes = newest.bytes;
    this.sink = { send: (envelopes, signal) => this.#send(envelopes, signal), close: async () => {} };
    this.source = new JournalSource(this, options);
  }

  get start(): number {
    return this.#bases[0];
  }

  segmentOf(offset: number): SegmentPlace {
    let place = this.#bases.length - 1;
    while (place > 0 && this.#bases[place] > offset) place -= 1;
    const base = this.#bases[place];
    return { base, end: this.#bases[place + 1] ?? null, file: path.join(this.#folder, segmentName(base)) };
  }

  wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wakers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done);
      this.#wakers.add(done);
    });
  }

  async nextGeneration(atLeast: number): Promise<number> {
    const file = path.join(this.#folder, GENERATION);
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '0';
      throw folderProblem(this.#folder, error);
    });
    const generation = Math.max(Number(text) + 1, atLeast);
    if (!Number.isSafeInteger(generation)) {
      throw new RelaywatchError({
        code: 'journal_damaged',
        message: `${file} holds no number`,
        hint: 'write a number into it that is greater than the generation in the checkpoint, or begin with an empty state folder',
      });
    }
    await replaceFile(file, [Buffer.from(`${generation}\n`)]);
    return generation;
  }

  async trim(beforeOffset: number): Promise<void> {
    const kept = this.#bases.findLastIndex((base) => base <= beforeOffset);
    const removed = this.#bases.slice(0, Math.max(0, kept));
    if (removed.length === 0) return;
    this.#bases = this.#bases.slice(kept);
    try {
      // Oldest first: what is left after a crash has no hole.
      for (const base of removed) await rm(path.join(this.#folder, segmentName(base)), { force: true });
      await syncFolder(this.#folder);
    } catch (error) {
      throw folderProblem(this.#folder, error);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing;
    await this.#handle.close();
  }

  async #send(envelopes: readonly Envelope[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
    if (this.#closed) throw new Error('the journal is closed');
    if (envelopes.length === 0) return;
    const appendedMs = this.#now();
    const entries = envelopes.map((envelope) => encodeEntry(encodeEnvelope(envelope), appendedMs));
    const bytes = entries.reduce((sum, entry) => sum + entry.length, 0);
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ entries, bytes, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** Brings to the disk what waits, together, until nothing waits. Never rejects. */
  async #write(): Promise<void> {
    // Those who send in the same turn of the event loop share the first commit too.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      let bytes = 0;
      const taken = this.#queue.findIndex((one, index) => {
        bytes += one.bytes;
        return index > 0 && bytes > COMMIT_BYTES;
      });
      const group = this.#queue.splice(0, taken < 0 ? this.#queue.length : taken);
      try {
        if (this.#failure !== null) throw this.#failure;
        await this.#commit(group.flatMap(({ entries }) => entries));
        for (const { resolve } of group) resolve();
      } catch (error) {
        const problem = folderProblem(this.#folder, error);
        for (const { reject } of group) reject(problem);
      }
    }
    this.#writing = null;
  }

  async #commit(entries: readonly Buffer[]): Promise<void> {
    if (this.durableBytes >= this.#segmentBytes) await this.#beginSegment();
    const bytes = entries.reduce((sum, entry) => sum + entry.length, 0);
    try {
      await this.#handle.appendFile(Buffer.concat(entries));
      await this.#handle.datasync();
    } catch (error) {
      await this.#undo(error);
      throw error;
    }
    this.durableBytes += bytes;
    this.end += entries.length;
    for (const wake of [...this.#wakers]) wake();
  }

  /** Takes back what was written of a commit that failed; where even that fails, nothing more is written. */
  async #undo(cause: unknown): Promise<void> {
    try {
      // After a failed fsync nobody knows what is on the disk (PostgreSQL wiki, "Fsync Errors").
      if ((cause as NodeJS.ErrnoException).syscall !== 'write') throw cause;
      await this.#handle.truncate(this.durableBytes);
      await this.#handle.sync();
    } catch (error) {
      this.#failure = folderProblem(this.#folder, error);
    }
  }

  async #beginSegment(): Promise<void> {
    const file = path.join(this.#folder, segmentName(this.end));
    const handle = await open(file, 'ax+', 0o600);
    try {
      await syncFolder(this.#folder);
    } catch (error) {
      await handle.close();
      await rm(file, { force: true });
      throw error;
    }
    await this.#handle.close();
    this.#handle = handle;
    this.#bases.push(this.end);
    this.durableBytes = 0;
  }
}

/** Reads a journal for a handler: one partition, entries in order, damage told. */

import { Fenced } from '../../core/checkpoint.ts';
import { decodeEnvelope } from '../../core/envelope-codec.ts';
import type { EnvelopeSource, LogEntry, PartitionHandler } from '../../core/envelope-log.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { type FoundEntry, SegmentReader } from './journal-segment.ts';

export interface JournalOptions {
  /** A segment is closed once it has so many bytes. */
  segmentBytes?: number;
  /** How long nothing arrives before `idle` is called, milliseconds. */
  idleMs?: number;
  /** The most entries handed over at once. */
  batchEntries?: number;
  now?: () => number;
}

/** A segment; `end` is null for the newest one, which grows. */
export interface SegmentPlace {
  base: number;
  end: number | null;
  file: string;
}

/** What the source sees of the files. */
export interface JournalFiles {
  readonly start: number;
  readonly end: number;
  /** Bytes of the newest segment that are on the disk. */
  readonly durableBytes: number;
  /** The segment that holds an offset. */
  segmentOf(offset: number): SegmentPlace;
  /** Resolves when an entry is appended, after that time, or when `signal` aborts. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** A generation greater than all before, and no less than `atLeast`. */
  nextGeneration(atLeast: number): Promise<number>;
}

const PARTITION = 0;
/** Bytes handed over at once; one entry more than that at most. */
const BATCH_BYTES = 4_194_304;
/** So many generations in a row that were too old, and the next one is too. */
const FENCED_GENERATIONS = 3;
/** Workers that read from Kafka take the clock's milliseconds times this: ours are to pass those of the past. */
const GENERATIONS_PER_MS = 1_024;

export class JournalSource implements EnvelopeSource {
  lastProgressMs: number;
  readonly #files: JournalFiles;
  readonly #now: () => number;
  readonly #idleMs: number;
  readonly #batchEntries: number;
  /** The segment that is being read, and where in it the entry of an offset begins. */
  #reader: SegmentReader | null = null;
  #place = { offset: 0, position: 0 };
  /** Generations in a row that were too old for what is stored. */
  #fenced = 0;

  constructor(files: JournalFiles, options: JournalOptions) {
    this.#files = files;
    this.#now = options.now ?? Date.now;
    this.#idleMs = options.idleMs ?? 1_000;
    this.#batchEntries = options.batchEntries ?? 100;
    this.lastProgressMs = this.#now();
  }

  async run(handler: PartitionHandler, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // The first one goes on from the last. Where what is stored is of another pipeline only the clock tells more.
      const atLeast = this.#fenced === 0 ? 1 : this.#now() * GENERATIONS_PER_MS;
      const generation = await this.#files.nextGeneration(atLeast);
      try {
        await this.#consume(handler, generation, signal);
        await handler.revoked(PARTITION);
      } catch (error) {
        await handler.revoked(PARTITION).catch(() => {});
        // Somebody else was here with this state; a newer generation of ours takes it back.
        if (!(error instanceof Fenced)) throw error;
        this.#fenced++;
        if (this.#fenced >= FENCED_GENERATIONS) throw tooOld(error, generation);
        await this.#files.wait(this.#idleMs, signal);
      } finally {
        await this.#reader?.close();
        this.#reader = null;
      }
    }
  }

  async #consume(handler: PartitionHandler, generation: number, signal: AbortSignal): Promise<void> {
    const files = this.#files;
    let position = (await handler.assigned(PARTITION, generation)) ?? files.start;
    while (!signal.aborted) {
      this.lastProgressMs = this.#now();
      if (position < files.start || position > files.end) {
        const found = files.start;
        await handler.gap(PARTITION, position, found);
        position = found;
      } else if (position < files.end) {
        const entries = await this.#read(position).catch((error: NodeJS.ErrnoException) => {
          // The segment was removed just now: the next turn tells the gap.
          if (error.code === 'ENOENT' && position < files.start) return null;
          throw error;
        });
        if (entries === null) continue;
        if (entries.length === 0) {
          const found = files.segmentOf(position).end ?? files.end;
          await handler.gap(PARTITION, position, found);
          position = found;
        } else {
          position += entries.length;
          await handler.entries(PARTITION, generation, entries, files.end);
        }
      } else {
        await files.wait(this.#idleMs, signal);
        if (position !== files.end || signal.aborted) continue;
        await handler.idle(PARTITION, generation);
        // All that there is was taken in and written.
        this.#fenced = 0;
      }
    }
  }

  /** Entries from an offset on; none where the rest of its segment cannot be told apart any more. */
  async #read(from: number): Promise<LogEntry[]> {
    const segment = this.#files.segmentOf(from);
    // Taken before the file is looked at: what is appended meanwhile belongs to the next batch.
    const last = segment.end ?? this.#files.end;
    const durableBytes = segment.end === null ? this.#files.durableBytes : null;
    if (this.#reader?.base !== segment.base || this.#place.offset !== from) {
      await this.#reader?.close();
      this.#reader = await SegmentReader.open(segment.file, segment.base);
      this.#place = { offset: segment.base, position: 0 };
    }
    const reader = this.#reader;
    const end = durableBytes ?? (await reader.size());
    while (this.#place.offset < from) {
      const next = await reader.skip(this.#place.position, end);
      if (next === null) return [];
      this.#place = { offset: this.#place.offset + 1, position: next };
    }
    const entries: LogEntry[] = [];
    let bytes = 0;
    while (this.#place.offset < last && entries.length < this.#batchEntries && bytes < BATCH_BYTES) {
      const found = await reader.entryAt(this.#place.position, end);
      if (found === null) break;
      entries.push(logEntry(this.#place.offset, found));
      bytes += found.bytes.length;
      this.#place = { offset: this.#place.offset + 1, position: found.next };
    }
    return entries;
  }
}

function tooOld(cause: Fenced, generation: number): RelaywatchError {
  return new RelaywatchError({
    code: 'newer_generation',
    message: `${cause.message}: ${FENCED_GENERATIONS} generations in a row were too old for what is stored, the last one was ${generation}`,
    hint:
      'stop any other worker that writes to the same outputs or has the same state. If there is none, a worker whose ' +
      'clock was ahead wrote there: correct the clock of this machine, or give the pipeline outputs and a state of its own',
    cause,
  });
}

function logEntry(offset: number, { parts, bytes }: FoundEntry): LogEntry {
  if (parts === null) {
    const problem = 'the entry was damaged on the disk: its checksum does not match';
    return { offset, appendedMs: 0, envelope: null, problem, bytes };
  }
  const { header, body, appendedMs } = parts;
  try {
    return { offset, appendedMs, envelope: decodeEnvelope(header, body), problem: null, bytes: body };
  } catch (error) {
    if (!(error instanceof RelaywatchError) || error.code === 'envelope_newer') throw error;
    return { offset, appendedMs, envelope: null, problem: error.message, bytes: body };
  }
}

/** The seam between ingest and detection: a partitioned, ordered log of envelopes. */

import type { Envelope } from './envelope.ts';

export interface EnvelopeSink {
  /**
   * Appends envelopes in order, each to the partition of its tenant. Resolves when all are durable;
   * waits as long as the log can be expected back. Rejects when `signal` aborts or for what a person has to mend.
   */
  send(envelopes: readonly Envelope[], signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** An entry of a partition; offsets grow but need not be dense. */
export interface LogEntry {
  offset: number;
  /** Wall time at which the log took it, milliseconds. */
  appendedMs: number;
  /** Null where the entry cannot be read as an envelope; then `problem` says why. */
  envelope: Envelope | null;
  problem: string | null;
  /** The entry as it is stored: of an envelope the payload compressed with zstd, or nothing. */
  bytes: Uint8Array;
  /** What the log keeps beside the bytes; absent where it keeps nothing. */
  message?: LogMessage;
}

/** Key and headers of a message, as Kafka has them. */
export interface LogMessage {
  key: Uint8Array | null;
  headers: Readonly<Record<string, Uint8Array | readonly Uint8Array[]>>;
}

/** What consumes partitions. Calls for one partition never overlap. */
export interface PartitionHandler {
  /**
   * The partition is ours from now on, in this generation of the group. Resolves to the offset at which
   * to begin, or null for the oldest entry that the log still has.
   */
  assigned(partition: number, generation: number): Promise<number | null>;
  /** Entries in order. Resolves to the offset up to which all is done (the next one to read after a restart), or null. */
  entries(partition: number, generation: number, entries: readonly LogEntry[], end: number): Promise<number | null>;
  /** The log no longer has `[expected, found)`: entries are lost. */
  gap(partition: number, expected: number, found: number): Promise<void>;
  /** Nothing arrived for a while, or everything there is was handed over. Resolves as `entries` does. */
  idle(partition: number, generation: number): Promise<number | null>;
  /**
   * The partition belongs to another member, who may have begun with it already, or is given up; state of it is
   * forgotten, nothing is written.
   */
  revoked(partition: number): Promise<void>;
}

export interface EnvelopeSource {
  /** Consumes until `signal` aborts (resolves, after the calls under way ended) or nothing helps any more (rejects). */
  run(handler: PartitionHandler, signal: AbortSignal): Promise<void>;
  /** Wall time of the last sign of life from the log, milliseconds; for liveness. */
  readonly lastProgressMs: number;
}

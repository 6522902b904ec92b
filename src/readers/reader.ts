/**
 * The contract of every reader: bytes in, records out, each record as byte ranges of its fields.
 *
 * A reader gets UTF-8 (decoding happens before it) in pushes of any size and calls the handler once
 * per record, in order. Nothing a reader hands out outlives the call.
 */

import type { DeadLetter } from '../core/ports.ts';

/** One record. Valid only during the handler's call: copy what must stay. */
export interface RecordView {
  /** UTF-8; quotes removed and doubled quotes undone inside the ranges. */
  bytes: Uint8Array;
  /** Field i is `bytes[starts[i] .. ends[i])`. */
  starts: Int32Array;
  ends: Int32Array;
  /** Number of fields. */
  count: number;
  /** First byte of the record in the file, as stored (before decoding), and its length there. */
  offset: number;
  length: number;
  /** Physical line of the first byte, from 1. */
  line: number;
}

export interface RecordHandler {
  record(view: RecordView): void;
  /** A record that the grammar refuses. The reader goes on with the next physical line. */
  reject(letter: DeadLetter): void;
}

/** A reader of one file. `push` may modify the bytes it is given. */
export interface RecordReader {
  /** Bytes `[start, end)` of `bytes`, the next of the stream. */
  push(bytes: Uint8Array, start: number, end: number): void | Promise<void>;
  /** No more bytes: what is left is the last record, or a cut one. */
  finish(): void | Promise<void>;
}

/** Bound on one record: the largest real rows carry 1,000 recipients or tens of KB of custom data. */
export const MAX_RECORD_BYTES = 1_048_576;
/** Bound on the number of fields of a record. */
export const MAX_FIELDS = 512;

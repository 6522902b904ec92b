/** The seams of the core: who gives it rows and texts, and who takes what it finds. */

import type { DeadLetterCode, DropReason } from './outcome.ts';
import type { RecordScratch } from './record.ts';

/** Takes observations of pairs; the scratch record is copied and may be reused at once. */
export interface PairSink {
  add(observation: RecordScratch): void;
}

/** Counts what did not become an observation. Rows are pairs; an unreadable record counts as one. */
export interface RowCounter {
  drop(reason: DropReason): void;
  deadLetter(letter: DeadLetter): void;
}

/** A row that could not be used. `offset` and `length` count decompressed bytes as stored. */
export interface DeadLetter {
  code: DeadLetterCode;
  /** What is wrong with this row, for a person. Never contains control characters. */
  reason: string;
  offset: number;
  length: number;
  /** Physical line of the record's first byte, from 1. */
  line: number;
}

/** The strings of one pair, read again from its export. Empty where the row has none. */
export interface PairText {
  messageTraceId: string;
  messageId: string;
  /** P1 sender, lower case, empty for a null sender. */
  sender: string;
  /** The outside sender whose mail `sender` forwards, where its address was rewritten (SRS). */
  rewrittenSender?: string;
  recipient: string;
  subject: string;
  file: number;
  offset: number;
  length: number;
}

/** Reads the strings of a row by position. The recipient's hash picks the pair where a record has several. */
export interface TextSource {
  read(file: number, offset: number, recipientLo: number, recipientHi: number): PairText;
}

/** Keeps records outside memory, in named runs that are appended to and read back whole. */
export interface SpillStore {
  append(run: string, records: Uint32Array): void;
  /** All records of a run, in the order in which they were appended; empty for one that does not exist. */
  read(run: string): Uint32Array;
  remove(run: string): void;
}

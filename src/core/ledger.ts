/**
 * The ledger: for every file what was read and what became of it. Always
 * `read = accepted + duplicate + updated + folded + all drops + all dead letters`.
 */

import type { DeadLetterCode, DropReason, RefusalCode } from './outcome.ts';

/** Counts of rows; a row is a pair, and an unreadable record counts as one. */
export interface RowCounts {
  read: number;
  /** Pairs seen for the first time. */
  accepted: number;
  /** Observations of a known pair that say nothing new. */
  duplicate: number;
  /** Observations of a known pair with another status. */
  updated: number;
  /** Event rows of a pair beyond its first. */
  folded: number;
  dropped: Partial<Record<DropReason, number>>;
  dead_lettered: Partial<Record<DeadLetterCode, number>>;
}

export interface FileLedger {
  path: string;
  /** Lower-case hex; null where the file could not be read. */
  sha256: string | null;
  bytes: number;
  format: string | null;
  encoding: string | null;
  delimiter: string | null;
  date_order: string | null;
  /** Physical records, the header not counted. */
  records: number;
  rows: RowCounts;
  /** First and last accepted event time, RFC 3339; null without one. */
  first: string | null;
  last: string | null;
  refused: { code: RefusalCode; message: string } | null;
  warnings: string[];
}

export interface Ledger {
  files: FileLedger[];
  totals: { files: number; refused: number; records: number; rows: RowCounts };
}

export function emptyRowCounts(): RowCounts {
  return { read: 0, accepted: 0, duplicate: 0, updated: 0, folded: 0, dropped: {}, dead_lettered: {} };
}

/**
 * Envelopes: what lies in the log between ingest workers and detectors. An envelope carries raw rows of
 * one export, cut at row boundaries, or the end of an export with what reading it found.
 */

import type { DateOrder } from './event-time.ts';
import type { FileLedger } from './ledger.ts';
import type { DeadLetter } from './ports.ts';

/** Envelopes of a newer schema are refused: an older worker must not guess. */
export const ENVELOPE_SCHEMA = 1;
/** Bounds of one envelope: rows, and bytes before compression. */
export const ENVELOPE_ROWS = 500;
export const ENVELOPE_BYTES = 262_144;
/**
 * The largest payload: an envelope that was almost full when a record of the greatest length came. A record
 * has at most 1 MiB of text, which UTF-16 doubles.
 */
export const LARGEST_PAYLOAD_BYTES = ENVELOPE_BYTES + 2 * 1_048_576;

/** How the rows of a file are read; everything that a reader needs besides the bytes. */
export interface EnvelopeLayout {
  /** Id of the trace format. */
  format: string;
  encoding: string;
  shape: 'csv' | 'json' | 'xml';
  /** Byte between the fields; 0 in JSON and XML. */
  delimiter: number;
  /** Columns as the file names them. */
  columns: readonly string[];
  dateOrder: DateOrder | null;
}

/** The export that rows come from. */
export interface EnvelopeFile {
  /** SHA-256 of a finished file, or of the path and the first 4 KiB of a growing one: lower-case hex. */
  id: string;
  /** File name without folders, for people. */
  name: string;
}

export interface RowsHeader {
  kind: 'rows';
  schema: number;
  /** Key of the tenant: the partition key of the log. */
  tenant: string;
  file: EnvelopeFile;
  layout: EnvelopeLayout;
  /** Stored, decompressed offset of the payload's first byte, and its physical line. */
  offset: number;
  line: number;
  /** Physical records in the payload. */
  records: number;
  /** JSON objects around the first record, as in `{"value":[`: where a reader stands that begins here. Absent for 0. */
  wrappers?: number;
  /**
   * The payload is one refused record, or the start of a very long one, and this is what reading the whole
   * export said of it. Only where reading the payload alone would not say the same.
   */
  refusal?: DeadLetter;
}

/** Follows the last rows of an export: its line of the ledger, without the counts that identity makes. */
export interface FileEndHeader {
  kind: 'file_end';
  schema: number;
  tenant: string;
  file: EnvelopeFile;
  /** `rows` counts what the reader itself found (nothing for files that were sent); `path` is the file's name. */
  ledger: Omit<FileLedger, 'rows' | 'first' | 'last'>;
}

export type EnvelopeHeader = RowsHeader | FileEndHeader;

/** `payload` is raw bytes of the export, in its encoding; empty for `file_end`. */
export interface Envelope {
  header: EnvelopeHeader;
  payload: Uint8Array;
}

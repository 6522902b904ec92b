/**
 * The plain JavaScript CSV reader: fields as byte ranges of the pushed bytes themselves, no strings and
 * no copies, except for a record that two pushes share. The default reader, and the readable
 * specification of the others.
 */

import { type CsvReaderOptions, type CsvScanner, createCsvScanner, type ScannedRecord } from './csv-scanner.ts';
import type { RecordHandler } from './reader.ts';

const QUOTE = 0x22;

/** Reads CSV; see csv-scanner.ts for what it accepts. It modifies the pushed bytes where quotes are doubled. */
export function createCsvByteReader(options: CsvReaderOptions, handler: RecordHandler): CsvScanner {
  return createCsvScanner(options, {
    record(record) {
      if (record.doubledField >= 0) undoDoubledQuotes(record);
      handler.record(record);
    },
    reject: (letter) => handler.reject(letter),
  });
}

/** Moves the text after each doubled quote one byte forward, inside the record's own bytes. */
function undoDoubledQuotes(record: ScannedRecord): void {
  const { bytes, starts, ends, count } = record;
  ends[record.doubledField] = undoFrom(bytes, record.doubledAt, ends[record.doubledField]);
  for (let field = record.doubledField + 1; field < count; field += 1) {
    const start = starts[field];
    if (bytes[start - 1] !== QUOTE) continue;
    const first = bytes.indexOf(QUOTE, start);
    if (first >= 0 && first < ends[field]) ends[field] = undoFrom(bytes, first, ends[field]);
  }
}

/** Undoes the doubled quotes of a field from the first of them on; where the field ends then. */
function undoFrom(bytes: Uint8Array, first: number, end: number): number {
  let to = first;
  for (let from = first; from < end; from += 1, to += 1) {
    const byte = bytes[from];
    if (byte === QUOTE) from += 1;
    bytes[to] = byte;
  }
  return to;
}

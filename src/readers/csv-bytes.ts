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
      if (record.hasDoubledQuotes) undoDoubledQuotes(record);
      handler.record(record);
    },
    reject: (letter) => handler.reject(letter),
  });
}

/** Moves the text after each doubled quote one byte forward, inside the record's own bytes. */
function undoDoubledQuotes(record: ScannedRecord): void {
  const { bytes, starts, ends, count } = record;
  for (let field = 0; field < count; field += 1) {
    const start = starts[field];
    if (start === record.start || bytes[start - 1] !== QUOTE) continue;
    let from = bytes.indexOf(QUOTE, start);
    if (from < 0 || from >= ends[field]) continue;
    let to = from;
    for (; from < ends[field]; from += 1, to += 1) {
      if (bytes[from] === QUOTE) from += 1;
      bytes[to] = bytes[from];
    }
    ends[field] = to;
  }
}

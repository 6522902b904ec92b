/** From the chunks of a file, as stored, to its records: decoding and the reader behind one `push`. */

import { createCsvByteReader } from '../../readers/csv-bytes.ts';
import { createDecoder } from '../../readers/encoding.ts';
import type { RecordHandler, RecordReader } from '../../readers/reader.ts';
import type { FileLayout } from './layout.ts';

export type ReaderName = 'auto' | 'js' | 'fast-csv';

/** Where reading begins: the first record, or any other. */
export interface RecordStart {
  /** Stored offset of the first byte pushed. */
  pushedOffset: number;
  /** Stored offset and physical line of the record to begin with. */
  offset: number;
  line: number;
}

export interface StoredRecordReader {
  /** The next chunk of the file; it may be modified. */
  push(chunk: Uint8Array): void | Promise<void>;
  finish(): void | Promise<void>;
}

/** Reads records from the chunks of a file that begin at `start.pushedOffset`. */
export function createStoredRecordReader(
  layout: FileLayout,
  _readerName: ReaderName,
  start: RecordStart,
  handler: RecordHandler,
): StoredRecordReader {
  const decoder = createDecoder(layout.encoding, { skipBytes: start.offset - start.pushedOffset });
  const options = {
    delimiter: layout.delimiter,
    columns: layout.columns.length,
    startOffset: start.offset,
    startLine: start.line,
    storedLength: decoder.storedLength,
  };
  const reader: RecordReader = createCsvByteReader(options, handler);
  const pushDecoded = (bytes: Uint8Array): void | Promise<void> =>
    bytes.length === 0 ? undefined : reader.push(bytes, 0, bytes.length);
  return {
    push: (chunk) => pushDecoded(decoder.decode(chunk)),
    finish() {
      const pushed = pushDecoded(decoder.flush());
      return pushed === undefined ? reader.finish() : pushed.then(() => reader.finish());
    },
  };
}

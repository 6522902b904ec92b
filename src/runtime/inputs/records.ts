/** From the chunks of a file, as stored, to its records: decoding and the reader behind one `push`. */

import { canonicalColumn } from '../../formats/format.ts';
import { createCsvByteReader } from '../../readers/csv-bytes.ts';
import type { CsvReaderOptions } from '../../readers/csv-scanner.ts';
import { createDecoder } from '../../readers/encoding.ts';
import { createJsonReader } from '../../readers/json.ts';
import type { RecordHandler, RecordReader } from '../../readers/reader.ts';
import { createXmlReader } from '../../readers/xml.ts';
import type { FileLayout } from './layout.ts';
import { Utf8Mender } from './utf8.ts';

export type ReaderName = 'auto' | 'js' | 'fast-csv';

export type CsvReaderFactory = (options: CsvReaderOptions, handler: RecordHandler) => RecordReader;

/** The CSV reader of that name; fast-csv is loaded when it is asked for. */
export async function loadCsvReader(name: ReaderName): Promise<CsvReaderFactory> {
  return name === 'fast-csv'
    ? (await import('../../readers/csv-fast-csv.ts')).createFastCsvReader
    : createCsvByteReader;
}

/** Where reading begins: the first record, or any other. */
export interface RecordStart {
  /** Stored offset of the first byte pushed. */
  pushedOffset: number;
  /** Stored offset and physical line of the record to begin with. */
  offset: number;
  line: number;
  /** JSON objects around that record; 0 by default. */
  wrappers?: number;
}

/** Reading from the start of a file. */
export function recordStart(layout: FileLayout): RecordStart {
  return { pushedOffset: 0, offset: layout.dataOffset, line: layout.dataLine };
}

export interface StoredRecordReader {
  /** The next chunk of the file; it may be modified. */
  push(chunk: Uint8Array): void | Promise<void>;
  finish(): void | Promise<void>;
  /** Bytes that are no UTF-8 in a UTF-8 file, read as question marks. */
  readonly replacedBytes: number;
  /** JSON objects around the record that was handed out last. */
  readonly wrappers: number;
}

/** Reads records from the chunks of a file that begin at `start.pushedOffset`. */
export function createStoredRecordReader(
  layout: FileLayout,
  createCsvReader: CsvReaderFactory,
  start: RecordStart,
  handler: RecordHandler,
): StoredRecordReader {
  const decoder = createDecoder(layout.encoding, { skipBytes: start.offset - start.pushedOffset });
  const place = { startOffset: start.offset, startLine: start.line, storedLength: decoder.storedLength };
  const named = { ...place, columns: layout.header, canonicalColumn };
  const json =
    layout.shape === 'json' ? createJsonReader({ ...named, startWrappers: start.wrappers ?? 0 }, handler) : null;
  const xml = layout.shape === 'xml' ? createXmlReader(named, handler) : null;
  const reader: RecordReader =
    json ?? xml ?? createCsvReader({ ...place, delimiter: layout.delimiter, columns: layout.columns.length }, handler);
  const pushDecoded = (bytes: Uint8Array): void | Promise<void> =>
    bytes.length === 0 ? undefined : reader.push(bytes, 0, bytes.length);
  const mender = layout.encoding === 'utf-8' ? new Utf8Mender() : null;
  return {
    push(chunk) {
      const decoded = decoder.decode(chunk);
      return mender === null ? pushDecoded(decoded) : inOrder(mender.mend(decoded), pushDecoded);
    },
    finish() {
      const last = mender === null ? decoder.flush() : mender.finish();
      const pushed = pushDecoded(last);
      return pushed === undefined ? reader.finish() : pushed.then(() => reader.finish());
    },
    get replacedBytes() {
      return mender?.replaced ?? 0;
    },
    get wrappers() {
      return json?.wrappers ?? 0;
    },
  };
}

/** Pushes one part after the other; a promise only where a push gives one. */
function inOrder(
  parts: readonly Uint8Array[],
  push: (bytes: Uint8Array) => void | Promise<void>,
): void | Promise<void> {
  for (let i = 0; i < parts.length; i++) {
    const pushed = push(parts[i]);
    if (pushed !== undefined) return pushed.then(() => inOrder(parts.slice(i + 1), push));
  }
}

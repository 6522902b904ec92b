/** Strings of single rows, read again from the exports by position. */

import { AddressReader } from '../../core/address.ts';
import { KeyedHash } from '../../core/hash.ts';
import type { PairText, TextSource } from '../../core/ports.ts';
import { readRowText } from '../../formats/row-text.ts';
import { createCsvByteReader } from '../../readers/csv-bytes.ts';
import { MAX_RECORD_BYTES, type RecordView } from '../../readers/reader.ts';
import type { FileLayout } from './layout.ts';
import { createStoredRecordReader } from './records.ts';

/** Most records are shorter; twice as much for the two bytes of UTF-16. */
const FIRST_READ_BYTES = 4096;

/** Bytes of exports by file number and offset. */
export interface StoredBytes {
  /** One past the last offset of a file. */
  size(file: number): number;
  /** Fills `bytes` from `offset` on as far as the file goes; returns how many were read. */
  read(file: number, offset: number, bytes: Uint8Array): number;
}

/** Reads single rows; `layoutOf` and `positions` use the same file numbers. */
export function createTextSource(
  hashKey: string,
  layoutOf: (file: number) => FileLayout | null,
  positions: StoredBytes,
): TextSource {
  // Its own, so that a read in the middle of an extraction disturbs nothing.
  const addresses = new AddressReader(new KeyedHash(hashKey));
  return {
    read(file, offset, recipientLo, recipientHi): PairText {
      const layout = layoutOf(file);
      if (layout === null) throw new RangeError(`file ${file} has no rows`);
      const size = positions.size(file);
      for (let bytes = FIRST_READ_BYTES; ; bytes *= 4) {
        const chunk = new Uint8Array(Math.min(bytes, size - offset));
        const isWhole = offset + positions.read(file, offset, chunk) >= size;
        let text: PairText | null = null;
        // What begins here is a record, even one with a member called `value`, as if something were around it.
        const start = { pushedOffset: offset, offset, line: 1, wrappers: 1 };
        const reader = createStoredRecordReader(layout, createCsvByteReader, start, {
          record(view: RecordView) {
            if (text !== null || view.offset !== offset) return;
            const texts = readRowText(view, layout.match.roles, addresses, recipientLo, recipientHi);
            text = { ...texts, file, offset, length: view.length };
          },
          reject() {},
        });
        reader.push(chunk);
        if (text === null && isWhole) reader.finish();
        if (text !== null) return text;
        if (isWhole || bytes > MAX_RECORD_BYTES * 4) {
          throw new RangeError(`no record at byte ${offset} of file ${file}: the export changed while it was read`);
        }
      }
    },
  };
}

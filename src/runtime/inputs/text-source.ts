/** Strings of single rows, read again from the exports by position. */

import type { PositionReader } from '../../adapters/file/export-files.ts';
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

/** Reads from the files of a run; `layouts` and the position reader use the same file numbers. */
export function createTextSource(
  hashKey: string,
  layouts: readonly (FileLayout | null)[],
  positions: PositionReader,
): TextSource {
  // Its own, so that a read in the middle of an extraction disturbs nothing.
  const addresses = new AddressReader(new KeyedHash(hashKey));
  return {
    read(file, offset, recipientLo, recipientHi): PairText {
      const layout = layouts[file];
      if (layout === null || layout === undefined) throw new RangeError(`file ${file} has no rows`);
      const size = positions.size(file);
      for (let bytes = FIRST_READ_BYTES; ; bytes *= 4) {
        const chunk = new Uint8Array(Math.min(bytes, size - offset));
        const isWhole = offset + positions.read(file, offset, chunk) >= size;
        let text: PairText | null = null;
        const start = { pushedOffset: offset, offset, line: 1 };
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

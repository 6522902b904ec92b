/** The contract suite of the CSV readers: each must read the same records from the same bytes, however they are cut. */

import { describe, expect, it } from 'vitest';
import { MAX_FIELDS, MAX_RECORD_BYTES } from '../../src/readers/reader.ts';
import {
  COMMA,
  type CreateCsvReader,
  CSV_CASES,
  everyByte,
  plainOptions,
  type ReadResult,
  readCsv,
} from './csv-reading.ts';

/** Everything that is in no record and no refused line must be line ends and blanks: nothing is lost. */
export function unaccountedText(document: Uint8Array, result: ReadResult): string {
  const ranges = [...result.records, ...result.letters].sort((left, right) => left.offset - right.offset);
  let rest = '';
  let at = 0;
  for (const { offset, length } of ranges) {
    if (offset < at) throw new Error(`byte ${offset} is in two records`);
    rest += Buffer.from(document.subarray(at, offset)).toString('latin1');
    at = offset + length;
  }
  rest += Buffer.from(document.subarray(at)).toString('latin1');
  return rest.replaceAll(/[\r\n ]/g, '');
}

export function describeCsvReader(name: string, create: CreateCsvReader): void {
  describe(`${name}: the contract of CSV readers`, () => {
    for (const { name: title, text, columns, delimiter = COMMA, rows, refused = [] } of CSV_CASES) {
      it(title, async () => {
        const document = Buffer.from(text);
        const options = plainOptions(columns, delimiter);
        const result = await readCsv(create, document, options);
        expect(result.records.map((record) => record.fields)).toEqual(rows);
        expect(result.letters.map((letter) => [letter.code, letter.line])).toEqual(refused);
        expect(unaccountedText(document, result)).toBe('');

        expect(await readCsv(create, document, options, everyByte(document))).toEqual(result);
        for (const cut of everyByte(document)) {
          expect(await readCsv(create, document, options, [cut]), `cut before byte ${cut}`).toEqual(result);
        }
      });

      it(`${title}: every record can be read again from its place`, async () => {
        const document = Buffer.from(text);
        const options = plainOptions(columns, delimiter);
        const { records } = await readCsv(create, document, { ...options, startOffset: 100, startLine: 7 });
        for (const record of records) {
          const start = record.offset - 100;
          const again = await readCsv(
            create,
            Buffer.concat([document.subarray(start, start + record.length), Buffer.from('\r\n')]),
            options,
          );
          expect(again.letters).toEqual([]);
          expect(again.records.map(({ fields }) => fields)).toEqual([record.fields]);
          expect(record.line).toBe(
            7 + text.slice(0, Buffer.from(document.subarray(0, start)).toString().length).split('\n').length - 1,
          );
        }
      });
    }

    it('reads records of any length without a header', async () => {
      const { records, letters } = await readCsv(create, Buffer.from('a,b,c\n"d"\n,\n'), plainOptions(null));
      expect(records.map((record) => record.fields)).toEqual([['a', 'b', 'c'], ['d'], ['', '']]);
      expect(letters).toEqual([]);
    });

    it('refuses more fields than it has room for', async () => {
      const row = (fields: number): string => `${','.repeat(fields - 1)}\n`;
      const document = Buffer.from(`${row(MAX_FIELDS)}${row(MAX_FIELDS + 1)}a\n`);
      const { records, letters } = await readCsv(create, document, plainOptions(null));
      expect(records.map((record) => record.fields.length)).toEqual([MAX_FIELDS, 1]);
      expect(letters.map(({ code, line }) => [code, line])).toEqual([['malformed_record', 2]]);
    });

    it('refuses what is longer than the bound, whatever the pushes', async () => {
      const longest = `${'x'.repeat(MAX_RECORD_BYTES - 2)},y`;
      const folds = MAX_RECORD_BYTES / 64;
      const folded = `a,"${`${'x'.repeat(63)}\n`.repeat(folds)}"`;
      const document = Buffer.from(`${longest}\n${longest}z\r\nb,c\n${folded}\nd,e\n${longest}z`);
      const whole = await readCsv(create, document, plainOptions(2));
      expect(whole.records.map(({ fields, length, line }) => [fields[1], length, line])).toEqual([
        ['y', MAX_RECORD_BYTES, 1],
        ['c', 3, 3],
        ['e', 3, 5 + folds],
      ]);
      const [first, second, ...others] = whole.letters;
      expect(first).toMatchObject({ code: 'too_long', line: 2, length: MAX_RECORD_BYTES + 1 });
      expect(second).toMatchObject({ code: 'too_long', line: 4, length: 66 });
      expect(others.length).toBe(folds + 1);
      expect(others.at(-1)).toMatchObject({ code: 'too_long', length: MAX_RECORD_BYTES + 1 });
      const cuts = Array.from({ length: Math.floor(document.length / 99_991) }, (_, index) => (index + 1) * 99_991);
      expect(await readCsv(create, document, plainOptions(2), cuts)).toEqual(whole);
    });

    it('counts the CR of a line end towards the bound', async () => {
      const record = (bytes: number): string => `${'x'.repeat(bytes - 2)},y\r\n`;
      const document = Buffer.from(`${record(MAX_RECORD_BYTES - 1)}${record(MAX_RECORD_BYTES)}`);
      const { records, letters } = await readCsv(create, document, plainOptions(2));
      expect(records.map(({ length }) => length)).toEqual([MAX_RECORD_BYTES - 1]);
      expect(letters.map(({ code, length }) => [code, length])).toEqual([['too_long', MAX_RECORD_BYTES]]);
    });

    it('hands out bytes that are not UTF-8 as they are', async () => {
      const document = Buffer.from([0x61, 0xff, 0x2c, 0x22, 0xc3, 0x22, 0x22, 0xa9, 0x22, 0x0a]);
      let fields: number[][] = [];
      const reader = create(plainOptions(2), {
        record({ bytes, starts, ends, count }) {
          fields = Array.from({ length: count }, (_, field) => [...bytes.subarray(starts[field], ends[field])]);
        },
        reject: (letter) => expect.fail(letter.reason),
      });
      await reader.push(document, 0, document.length);
      await reader.finish();
      expect(fields).toEqual([
        [0x61, 0xff],
        [0xc3, 0x22, 0xa9],
      ]);
    });
  });
}

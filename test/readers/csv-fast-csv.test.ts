import fc from 'fast-check';
import { parse, parseString } from 'fast-csv';
import { describe, expect, it } from 'vitest';
import { createCsvByteReader } from '../../src/readers/csv-bytes.ts';
import { createFastCsvReader } from '../../src/readers/csv-fast-csv.ts';
import { describeCsvReader } from './csv-contract.ts';
import { cutPoints, soupDocument, tableDocument } from './csv-documents.ts';
import { COMMA, CSV_CASES, collectRecords, everyByte, plainOptions, readCsv } from './csv-reading.ts';

describeCsvReader('fast-csv reader', createFastCsvReader);

describe('fast-csv reader against the byte reader', () => {
  it('reads the same records from well-formed documents', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    await fc.assert(
      fc.asyncProperty(tableDocument(), cutPoints(), async ({ text, columns, delimiter }, cuts) => {
        const document = Buffer.from(text);
        const options = plainOptions(columns, delimiter);
        const theirs = await readCsv(createFastCsvReader, document, options, cuts(document));
        expect(theirs, `seed ${seed}`).toEqual(await readCsv(createCsvByteReader, document, options));
      }),
      { seed, numRuns: 500 },
    );
  });

  it('reads the same records from any document', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    await fc.assert(
      fc.asyncProperty(soupDocument(), cutPoints(), async ({ text, columns }, cuts) => {
        const document = Buffer.from(text);
        const options = plainOptions(columns);
        const theirs = await readCsv(createFastCsvReader, document, options, cuts(document));
        expect(theirs, `seed ${seed}`).toEqual(await readCsv(createCsvByteReader, document, options));
      }),
      { seed, numRuns: 500 },
    );
  });

  it('reads the same records from any bytes', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    const byte = fc.oneof(
      fc.constantFrom(0x22, 0x2c, 0x0a, 0x0d, 0x20, 0xa0, 0x09, 0x0b),
      fc.integer({ min: 0, max: 255 }),
    );
    const cells = fc.array(fc.array(byte, { maxLength: 6 }), { minLength: 2, maxLength: 8, size: 'max' });
    await fc.assert(
      fc.asyncProperty(cells, cutPoints(), async (parts, cuts) => {
        const document = Buffer.from(parts.flatMap((part, index) => [...part, index % 2 === 0 ? 0x2c : 0x0a]));
        const bytesOf = async (create: typeof createFastCsvReader, places: number[]): Promise<string[]> => {
          const fields: string[] = [];
          const handler = collectRecords().handler;
          const reader = create(plainOptions(2), {
            record(view) {
              for (let field = 0; field < view.count; field += 1) {
                fields.push(Buffer.from(view.bytes.subarray(view.starts[field], view.ends[field])).toString('hex'));
              }
              fields.push(`${view.offset} ${view.length} ${view.line}`);
              handler.record(view);
            },
            reject: (letter) => void fields.push(JSON.stringify(letter)),
          });
          const edges = [0, ...places, document.length];
          for (let piece = 0; piece + 1 < edges.length; piece += 1) {
            const bytes = Uint8Array.from(document.subarray(edges[piece], edges[piece + 1]));
            await reader.push(bytes, 0, bytes.length);
          }
          await reader.finish();
          return fields;
        };
        const theirs = await bytesOf(createFastCsvReader, cuts(document));
        expect(theirs, `seed ${seed}`).toEqual(await bytesOf(createCsvByteReader, []));
      }),
      { seed, numRuns: 500 },
    );
  });

  // Alone it fails on quotes that are not closed and on text behind them, loses U+FEFF at the start of any chunk,
  // ends a record at a lone CR, and leaves out blanks before a quote and in cells of nothing else.
  const harmless = CSV_CASES.filter(
    ({ text, refused = [] }) => refused.length === 0 && !/\ufeff|\r(?!\n)|(?:^|[,\n]) +(?:["\n,]|$)/.test(text),
  );

  it.each(harmless)('reads what fast-csv reads alone, cut before every byte: $name', async (one) => {
    const { text, columns, delimiter = COMMA, rows } = one;
    const document = Buffer.from(text);
    const alone = (cut: number): Promise<string[][]> =>
      new Promise((resolve, reject) => {
        const found: string[][] = [];
        const stream = parse<string[], string[]>({ headers: false, delimiter: String.fromCharCode(delimiter) });
        stream
          .on('data', (row: string[]) => void found.push(row))
          .on('error', reject)
          .on('end', () => resolve(found.filter((row) => row.length === columns)));
        stream.write(document.subarray(0, cut));
        stream.end(document.subarray(cut));
      });
    for (const cut of [0, ...everyByte(document)]) {
      const theirs = await alone(cut);
      expect(theirs, `cut before byte ${cut}`).toEqual(rows);
      const ours = await readCsv(createCsvByteReader, document, plainOptions(columns, delimiter), [cut]);
      expect(ours.records.map(({ fields }) => fields)).toEqual(theirs);
    }
  });

  it('agrees with what fast-csv makes of plain documents by itself', async () => {
    const text = '"a, ""b""",c\r\nd"e,\r\n,"x\r\ny"\r\n😀,\u00e4\r\n';
    const alone = await new Promise<string[][]>((resolve, reject) => {
      const rows: string[][] = [];
      parseString<string[], string[]>(text, { headers: false })
        .on('data', (row: string[]) => void rows.push(row))
        .on('error', reject)
        .on('end', () => resolve(rows));
    });
    const { records } = await readCsv(createFastCsvReader, Buffer.from(text), plainOptions(2));
    expect(records.map((record) => record.fields)).toEqual(alone);
    expect(alone.length).toBe(4);
  });
});

describe('fast-csv reader', () => {
  it('waits until the records of a push are handed out', async () => {
    const { records, handler } = collectRecords();
    const reader = createFastCsvReader(plainOptions(2), handler);
    const bytes = Buffer.from('some text,"more ""text"""\n'.repeat(5_000));
    await reader.push(bytes, 0, bytes.length);
    expect(records.length).toBe(5_000);
    await reader.push(bytes, 0, bytes.length);
    expect(records.length).toBe(10_000);
    await reader.finish();
    expect(records.length).toBe(10_000);
  });

  it('passes on what the handler throws', async () => {
    const reader = createFastCsvReader(plainOptions(2), {
      record() {
        throw new Error('enough');
      },
      reject: () => undefined,
    });
    await expect(reader.push(Buffer.from('a,b\n'), 0, 4)).rejects.toThrow('enough');
  });

  it('needs linear time where fast-csv alone needs quadratic time', async () => {
    const lines = Array.from({ length: 5_000 }, () => 'a,b,"c, c",d\n');
    lines[10] = 'a,b,"c, c,d\n';
    const { records, letters } = await readCsv(createFastCsvReader, Buffer.from(lines.join('')), plainOptions(4));
    expect(records.length).toBe(4_999);
    expect(letters.map(({ code, line }) => [code, line])).toEqual([['malformed_record', 11]]);
  });
});

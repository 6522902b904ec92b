import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCsvByteReader } from '../../src/readers/csv-bytes.ts';
import { describeCsvReader, unaccountedText } from './csv-contract.ts';
import { cutPoints, soupDocument, tableDocument } from './csv-documents.ts';
import { COMMA, CSV_CASES, everyByte, plainOptions, readCsv } from './csv-reading.ts';

describeCsvReader('byte reader', createCsvByteReader);

describe('byte reader, random documents', () => {
  it('reads back what was written, cut anywhere', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    await fc.assert(
      fc.asyncProperty(tableDocument(), cutPoints(), async ({ text, rows, columns, delimiter }, cuts) => {
        const document = Buffer.from(text);
        const result = await readCsv(createCsvByteReader, document, plainOptions(columns, delimiter), cuts(document));
        expect(result.letters, `seed ${seed}`).toEqual([]);
        expect(result.records.map((record) => record.fields)).toEqual(rows);
        expect(unaccountedText(document, result)).toBe('');
      }),
      { seed, numRuns: 1_000 },
    );
  });

  it('reads the same however it is cut, loses nothing, and reads every record again from its place', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    await fc.assert(
      fc.asyncProperty(soupDocument(), cutPoints(), async ({ text, columns }, cuts) => {
        const document = Buffer.from(text);
        const options = plainOptions(columns);
        const whole = await readCsv(createCsvByteReader, document, options);
        expect(await readCsv(createCsvByteReader, document, options, everyByte(document)), `seed ${seed}`).toEqual(
          whole,
        );
        expect(await readCsv(createCsvByteReader, document, options, cuts(document))).toEqual(whole);
        expect(unaccountedText(document, whole)).toBe('');
        for (const { offset, length, fields } of whole.records) {
          const again = await readCsv(createCsvByteReader, document.subarray(offset, offset + length), options);
          expect(again.records.map((record) => record.fields)).toEqual([fields]);
        }
      }),
      { seed, numRuns: 1_500 },
    );
  });
});

const PYTHON = `
import csv, io, json, sys
documents = json.load(sys.stdin)
json.dump([list(csv.reader(io.StringIO(d["text"], newline=""), delimiter=d["delimiter"])) for d in documents], sys.stdout)
`;

/** Rows of each document as Python's csv module reads them. */
function readWithPython(documents: readonly { text: string; delimiter: number }[]): string[][][] {
  const input = JSON.stringify(
    documents.map(({ text, delimiter }) => ({ text, delimiter: String.fromCharCode(delimiter) })),
  );
  const { status, stdout, stderr } = spawnSync('python3', ['-c', PYTHON], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython) console.warn('SKIPPED: the comparison with the csv module needs python3, which is not installed');

describe.skipIf(!hasPython)('byte reader against the csv module of Python', () => {
  const seed = Math.floor(Math.random() * 1e9);

  it(`reads the same rows from well-formed documents (seed ${seed})`, async () => {
    const documents = fc.sample(tableDocument(), { seed, numRuns: 1_500 });
    const expected = readWithPython(documents);
    for (const [index, { text, columns, delimiter }] of documents.entries()) {
      const { records } = await readCsv(createCsvByteReader, Buffer.from(text), plainOptions(columns, delimiter));
      const rows = records.map((record) => record.fields);
      expect(rows, `seed ${seed}: ${JSON.stringify(text)}`).toEqual(expected[index].filter((row) => row.length > 0));
    }
  });

  it('reads the same rows from the nasty documents, cut before every byte', async () => {
    // Outside quotes Python ends a record at a lone CR, which is text here, and gives rows for blank lines.
    const cases = CSV_CASES.filter(({ name, refused = [] }) => refused.length === 0 && !name.includes('lone CR'));
    const documents = cases.map(({ text, delimiter = COMMA }) => ({ text, delimiter }));
    const expected = readWithPython(documents);
    for (const [index, { name, text, columns, delimiter = COMMA }] of cases.entries()) {
      const document = Buffer.from(text);
      const theirs = expected[index].filter((row) => row.length === columns && (columns > 1 || row[0] !== undefined));
      for (const cut of [0, ...everyByte(document)]) {
        const { records } = await readCsv(createCsvByteReader, document, plainOptions(columns, delimiter), [cut]);
        expect(
          records.map((record) => record.fields),
          `${name}, cut before byte ${cut}`,
        ).toEqual(theirs);
      }
    }
    expect(cases.length).toBeGreaterThan(20);
  });

  it(`reads every record that it accepts as Python reads that record alone (seed ${seed})`, async () => {
    const documents = fc.sample(soupDocument(), { seed, numRuns: 1_500 });
    const slices: { text: string; delimiter: number }[] = [];
    const fields: string[][] = [];
    let clean = 0;
    const expectedWhole = readWithPython(documents.map(({ text }) => ({ text, delimiter: COMMA })));
    for (const [index, { text, columns }] of documents.entries()) {
      const document = Buffer.from(text);
      const { records, letters } = await readCsv(createCsvByteReader, document, plainOptions(columns));
      for (const record of records) {
        slices.push({
          text: document.subarray(record.offset, record.offset + record.length).toString(),
          delimiter: COMMA,
        });
        fields.push(record.fields);
      }
      if (letters.length > 0) continue;
      clean += 1;
      const rows = expectedWhole[index].filter((row) => row.length > 1 || row.join('').trim() !== '');
      expect(
        records.map((record) => record.fields),
        `seed ${seed}: ${JSON.stringify(text)}`,
      ).toEqual(rows);
    }
    expect(readWithPython(slices)).toEqual(fields.map((row) => [row]));
    expect(slices.length).toBeGreaterThan(1_000);
    expect(clean).toBeGreaterThan(50);
  });
});

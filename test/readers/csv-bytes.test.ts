import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCsvByteReader } from '../../src/readers/csv-bytes.ts';
import type { CsvScanner } from '../../src/readers/csv-scanner.ts';
import { MAX_RECORD_BYTES } from '../../src/readers/reader.ts';
import { describeCsvReader, unaccountedText } from './csv-contract.ts';
import { cutPoints, soupDocument, tableDocument } from './csv-documents.ts';
import { COMMA, collectRecords, everyByte, plainOptions, type ReadResult, readCsv } from './csv-reading.ts';

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

/** Reads a document in pushes of `pushBytes`, and counts the bytes that were read again. */
function rescan(document: Uint8Array, columns: number, pushBytes: number): ReadResult & { rescanned: number } {
  const { records, letters, handler } = collectRecords();
  const reader: CsvScanner = createCsvByteReader(plainOptions(columns), handler);
  for (let at = 0; at < document.length; at += pushBytes) {
    const piece = Uint8Array.from(document.subarray(at, at + pushBytes));
    reader.push(piece, 0, piece.length);
  }
  reader.finish();
  return { records, letters, rescanned: reader.rescannedBytes };
}

describe('byte reader, work that hostile files cause', () => {
  const row = 'a,b,"c, c",d\n';

  it('loses one row to a stray quote and reads nothing else again', () => {
    const lines = Array.from({ length: 20_000 }, () => row);
    lines[10] = 'a,b,"c, c,d\n';
    for (const pushBytes of [65_536, 1 << 20]) {
      const { records, letters, rescanned } = rescan(Buffer.from(lines.join('')), 4, pushBytes);
      expect(records.length).toBe(19_999);
      expect(letters.map(({ code, line }) => [code, line])).toEqual([['malformed_record', 11]]);
      expect(rescanned).toBeLessThan(100);
    }
  });

  it('reads at most the longest record again where no other quote follows', () => {
    const document = Buffer.from(`a,"b\n${'a line of text,b\n'.repeat(100_000)}`);
    for (const pushBytes of [4_096, 65_536, 1 << 20]) {
      const { records, letters, rescanned } = rescan(document, 2, pushBytes);
      expect(records.length).toBe(100_000);
      expect(letters.map(({ code, line }) => [code, line])).toEqual([['too_long', 1]]);
      expect(rescanned).toBeLessThanOrEqual(MAX_RECORD_BYTES);
    }
  });

  const hostile: { name: string; line: string; columns: number }[] = [
    { name: 'a stray opening quote in every line', line: 'a,b,"c,d\n', columns: 4 },
    { name: 'a stray closing quote in every line', line: 'a,b,c",d\n', columns: 4 },
    { name: 'a line that opens a quote from outside and from inside', line: 'a","\n', columns: 30 },
    { name: 'the same with much text between', line: `a",${'x'.repeat(500)},"\n`, columns: 30 },
    { name: 'quotes alone', line: '"\n', columns: 30 },
    { name: 'doubled quotes alone', line: '""\n', columns: 30 },
    { name: 'three quotes', line: '"""\n', columns: 30 },
    { name: 'an opening quote before doubled ones', line: ',"""""\n', columns: 30 },
  ];
  for (const { name, line, columns } of hostile) {
    it(`stays linear: ${name}`, () => {
      const document = Buffer.from(line.repeat(Math.ceil(300_000 / line.length)));
      const { records, letters, rescanned } = rescan(document, columns, 10_000);
      expect(unaccountedText(document, { records, letters })).toBe('');
      expect(rescanned).toBeLessThanOrEqual(columns * document.length);
    });
  }

  it('stays linear with random lines of quotes', () => {
    const seed = Math.floor(Math.random() * 1e9);
    const line = fc.array(fc.constantFrom('"', '"', '""', ',', 'a', '\n', '\n", '), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 3 }), fc.integer({ min: 2, max: 9 }), (lines, columns) => {
        const period = `${lines.map((parts) => parts.join('')).join('\n')}\n`;
        const document = Buffer.from(period.repeat(Math.ceil(5_000 / period.length)));
        const { rescanned } = rescan(document, columns, 1_000);
        expect(rescanned, `seed ${seed}`).toBeLessThanOrEqual(columns * document.length);
      }),
      { seed, numRuns: 300 },
    );
  });
});

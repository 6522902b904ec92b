import fc from 'fast-check';
import { parseString } from 'fast-csv';
import { describe, expect, test } from 'vitest';
import { harmlessCell, traceCsv, traceCsvHeader } from '../../src/reports/trace-csv.ts';
import { traceRow } from './trace-rows.ts';

const SEED = Number(process.env.RELAYWATCH_SEED ?? Math.floor(Math.random() * 2 ** 31));

function cellsOf(csv: string, delimiter = ','): Promise<string[][]> {
  return new Promise((resolve, reject) => {
    const rows: string[][] = [];
    parseString<string[], string[]>(csv, { headers: false, delimiter, quote: delimiter === ',' ? '"' : null })
      .on('error', reject)
      .on('data', (row: string[]) => rows.push(row))
      .on('end', () => resolve(rows));
  });
}

describe('cells for a spreadsheet', () => {
  test.each([
    ['=1+1', "'=1+1"],
    ['+49 30 1234', "'+49 30 1234"],
    ['-5', "'-5"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['  =cmd', "'  =cmd"],
    ['\t=cmd', "'\t'=cmd"],
    ['"=cmd"', '\'"=cmd"'],
    ['\u200b\ufeff=cmd', "'\u200b\ufeff=cmd"],
    ['\uff1dcmd', "'\uff1dcmd"],
    ['Offer;=HYPERLINK("http://x")', 'Offer;\'=HYPERLINK("http://x")'],
    ['a\r\n=1', "a\r\n'=1"],
    ['a; "@x', 'a; "\'@x'],
    ['a\u0000b\u001bc', 'a\ufffdb\ufffdc'],
    ['Hello, - world = fine', 'Hello, - world = fine'],
    ['ann+tag@contoso.com', 'ann+tag@contoso.com'],
    ['<a=b@c>', '<a=b@c>'],
    ['', ''],
    ["O'Neill", "O'Neill"],
  ])('%j becomes %j', (cell, harmless) => {
    expect(harmlessCell(cell)).toBe(harmless);
  });

  const text = fc.string({
    unit: fc.constantFrom('=', '+', '-', '@', '\uff1d', ';', '\t', '\r', '\n', '"', "'", ' ', '\u200b', 'a', ',', '|'),
    maxLength: 12,
  });

  test(`begin with no formula, whatever separates cells (RELAYWATCH_SEED=${SEED})`, () => {
    fc.assert(
      fc.property(text, (cell) => {
        for (const part of harmlessCell(cell).split(/[;\t\r\n]/)) {
          expect(part).not.toMatch(/^[\s"\u200b]*[=+\-@\uff1d]/);
        }
        // Nothing is lost.
        expect(harmlessCell(cell).replaceAll("'", '')).toBe(cell.replaceAll("'", ''));
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  test('take linear time', () => {
    const started = performance.now();
    for (const unit of ['\t', ';', '; ', '"', '= ']) harmlessCell(unit.repeat(500_000));
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('rows', () => {
  test('are read again as they were, with the names of the header', async () => {
    const subject = 'Größe "groß",\r\nzweite; Zeile';
    const csv = (await traceCsvHeader(true)) + (await traceCsv([traceRow({ subject })], null, true));
    expect(csv).toMatch(/^"event_time","direction",[^\r\n]*\r\n/);
    const [header, cells] = await cellsOf(csv);
    expect(cells).toHaveLength(header.length);
    const row = Object.fromEntries(header.map((name, i) => [name, cells[i]]));
    expect(row).toMatchObject({ subject, status: 'filtered_as_spam', statuses_seen: 'delivered filtered_as_spam' });
    expect(row).toMatchObject({ sender_domain_status: 'srs_rewritten', rewritten_from: 'bob@fabrikam.example' });
  });

  test('for Excel begin with a byte order mark and hold no formula; raw ones are as they were', async () => {
    const rows = [traceRow({ subject: '=1+1' })];
    expect(await traceCsvHeader(false)).toMatch(/^\ufeff"event_time"/);
    expect(await traceCsv(rows, null, false)).toContain(`"'=1+1"`);
    expect(await traceCsv(rows, null, true)).toContain('"=1+1"');
    expect(await traceCsv([], null, false)).toBe('');
  });
});

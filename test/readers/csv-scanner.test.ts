/** What the scanner reads is tested through the readers that stand on it; here is what it costs. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCsvScanner } from '../../src/readers/csv-scanner.ts';
import { MAX_RECORD_BYTES } from '../../src/readers/reader.ts';
import { unaccountedText } from './csv-contract.ts';
import { collectRecords, plainOptions, type ReadResult } from './csv-reading.ts';

/** Reads a document in pushes of `pushBytes`, and counts the bytes that were read again. */
function rescan(document: Uint8Array, columns: number, pushBytes: number): ReadResult & { rescanned: number } {
  const { records, letters, handler } = collectRecords();
  const scanner = createCsvScanner(plainOptions(columns), handler);
  for (let at = 0; at < document.length; at += pushBytes) {
    const piece = Uint8Array.from(document.subarray(at, at + pushBytes));
    scanner.push(piece, 0, piece.length);
  }
  scanner.finish();
  return { records, letters, rescanned: scanner.rescannedBytes };
}

describe('CSV scanner, work that hostile files cause', () => {
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

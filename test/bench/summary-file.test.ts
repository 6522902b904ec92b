import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseString } from 'fast-csv';
import { afterAll, describe, expect, it } from 'vitest';
import { writeSummaryFile } from '../../bench/scan/summary-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'relaywatch-summary-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function records(text: string): Promise<string[][]> {
  return new Promise((resolve, reject) => {
    const rows: string[][] = [];
    parseString(text)
      .on('error', reject)
      .on('data', (row: string[]) => rows.push(row))
      .on('end', () => resolve(rows));
  });
}

describe('the file of the speed benchmark', () => {
  it('has the rows asked for, in the shape that the speed goals are stated for', async () => {
    const path = join(folder, 'summary.csv');
    const facts = writeSummaryFile(path, 20_000, 'test');
    const bytes = readFileSync(path);
    expect(facts.bytes).toBe(bytes.length);
    expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
    expect(bytes.length / facts.rows).toBeGreaterThan(335);
    expect(bytes.length / facts.rows).toBeLessThan(357);
    expect(facts.quotedSubjects / facts.rows).toBeCloseTo(0.28, 1);
    expect(facts.foldedSubjects / facts.rows).toBeCloseTo(0.015, 2);
    expect(facts.beyondAscii / facts.rows).toBeCloseTo(0.15, 1);
    const [header, ...rows] = await records(bytes.toString('utf8'));
    expect(header).toHaveLength(11);
    expect(rows).toHaveLength(20_000);
    expect(rows.every((row) => row.length === 11)).toBe(true);
    const pairs = rows.reduce((sum, row) => sum + row[2].split(';').length, 0);
    expect(pairs).toBe(facts.pairs);
    expect(rows.filter((row) => row[3].includes('\r\n')).length).toBe(facts.foldedSubjects);
  });

  it('is the same for the same seed', () => {
    const digest = (name: string, seed: string) => {
      const path = join(folder, name);
      writeSummaryFile(path, 2000, seed);
      return createHash('sha256').update(readFileSync(path)).digest('hex');
    };
    expect(digest('a', 'x')).toBe(digest('b', 'x'));
    expect(digest('c', 'y')).not.toBe(digest('a', 'x'));
  });
});

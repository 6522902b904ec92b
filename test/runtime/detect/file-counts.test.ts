import { describe, expect, it } from 'vitest';
import type { FileEndHeader, RowsHeader } from '../../../src/core/envelope.ts';
import type { FileLedger, RowCounts } from '../../../src/core/ledger.ts';
import { type EnvelopeCounts, FileCounts, type FileCountsState } from '../../../src/runtime/detect/file-counts.ts';

const ROW_BYTES = 100;

/** Rows `[from, to)` of a file whose rows have 100 bytes each. */
function rows(id: string, from: number, to: number): RowsHeader {
  return {
    kind: 'rows',
    schema: 1,
    tenant: 'contoso',
    file: { id, name: `${id}.csv` },
    layout: { format: 'message-trace', encoding: 'utf-8', shape: 'csv', delimiter: 44, columns: [], dateOrder: 'mdy' },
    offset: from * ROW_BYTES,
    line: from + 2,
    records: to - from,
  };
}

function counts({ records }: RowsHeader, more: Partial<EnvelopeCounts> = {}): EnvelopeCounts {
  const none = {
    duplicate: 0,
    updated: 0,
    folded: 0,
    dropped: new Map(),
    dead: new Map(),
    firstMs: null,
    lastMs: null,
  };
  return { bytes: records * ROW_BYTES, read: records, accepted: records, ...none, ...more };
}

function end(id: string, records: number): FileEndHeader {
  const layout = { format: 'message-trace', encoding: 'utf-8', delimiter: ',', date_order: 'mdy' };
  const file = { path: `${id}.csv`, sha256: id, bytes: records * ROW_BYTES, records, refused: null, warnings: [] };
  return {
    kind: 'file_end',
    schema: 1,
    tenant: 'contoso',
    file: { id, name: `${id}.csv` },
    ledger: { ...file, ...layout },
  };
}

function ledgerOf(files: FileCounts, id: string): FileLedger | undefined {
  return files.save().find((file) => file.id === id)?.ledger;
}

function rowsOf(files: FileCounts, id: string): RowCounts {
  return ledgerOf(files, id)?.rows as RowCounts;
}

/** Through JSON, as a checkpoint has it. */
function restarted(files: FileCounts): FileCounts {
  const next = new FileCounts('contoso');
  next.load(JSON.parse(JSON.stringify(files.save())) as FileCountsState);
  return next;
}

describe('the ledger of a detector', () => {
  it('exchanges rows with other exports where events show that a row of theirs was no update', () => {
    const files = new FileCounts('contoso');
    const [first, second] = [rows('a', 0, 10), rows('b', 0, 10)];
    files.add(first, counts(first, { accepted: 7, updated: 3 }));
    files.add(second, counts(second, { accepted: 0, folded: 9, duplicate: 3, updated: -2 }));
    expect(rowsOf(files, 'a')).toMatchObject({ read: 10, accepted: 7, updated: 1, duplicate: 2 });
    expect(rowsOf(files, 'b')).toMatchObject({ read: 10, folded: 9, updated: 0, duplicate: 1 });
  });

  it('counts an envelope once, however often the log has it', () => {
    let files = new FileCounts('contoso');
    const envelopes = [rows('a', 0, 500), rows('a', 500, 1000), rows('a', 1000, 1200)];
    for (const header of envelopes) expect(files.add(header, counts(header))).toBe(true);
    files = restarted(files);
    // The producer was not answered, and sends its batch again.
    for (const header of envelopes.slice(1)) {
      expect(files.add(header, counts(header, { accepted: 0, duplicate: header.records }))).toBe(false);
    }
    expect(rowsOf(files, 'a')).toMatchObject({ read: 1200, accepted: 1200, duplicate: 0 });
    expect(ledgerOf(files, 'a')?.records).toBe(1200);
  });

  it('leaves the line of a file that is submitted again as it was', () => {
    const files = new FileCounts('contoso');
    const header = rows('a', 0, 300);
    files.add(header, counts(header, { accepted: 290, dropped: new Map([['internal', 10]]) }));
    files.end(end('a', 300));
    files.writes(0, 1);
    const before = structuredClone(ledgerOf(files, 'a'));
    const again = counts(header, { accepted: 0, duplicate: 290, dropped: new Map([['internal', 10]]) });
    expect(files.add(header, again)).toBe(false);
    expect(files.writes(0, 2)).toEqual([]);
    files.end(end('a', 300));
    expect(ledgerOf(files, 'a')).toEqual(before);
  });

  it('misses nothing of envelopes that are cut in another way when they are sent again', () => {
    const files = new FileCounts('contoso');
    for (const header of [rows('a', 0, 4), rows('a', 4, 5)]) files.add(header, counts(header));
    const longer = rows('a', 0, 7);
    expect(files.add(longer, counts(longer, { accepted: 2, duplicate: 5 }))).toBe(true);
    expect(rowsOf(files, 'a')).toMatchObject({ read: 12, accepted: 7, duplicate: 5 });
    const within = rows('a', 3, 6);
    expect(files.add(within, counts(within, { accepted: 0, duplicate: 3 }))).toBe(false);
  });

  it('counts what was lost in the log when it comes after all', () => {
    const files = new FileCounts('contoso');
    for (const header of [rows('a', 0, 500), rows('a', 1000, 1200)]) files.add(header, counts(header));
    const found = [rows('a', 0, 500), rows('a', 500, 1000), rows('a', 1000, 1200)];
    expect(found.map((header) => files.add(header, counts(header)))).toEqual([false, true, false]);
    expect(rowsOf(files, 'a').read).toBe(1200);
  });

  it('knows a refused record whose bytes are not all in the envelope', () => {
    const files = new FileCounts('contoso');
    const refusal = { code: 'too_long', reason: 'too long', offset: 0, length: 5_000_000, line: 2 } as const;
    const header = { ...rows('a', 0, 1), refusal };
    expect(files.add(header, counts(header))).toBe(true);
    expect(files.add(header, counts(header))).toBe(false);
    expect(files.save()[0].counted).toEqual([[0, 5_000_000]]);
  });

  it('stays small where an export comes in pieces, and closes the smallest hole first', () => {
    const files = new FileCounts('contoso');
    const pieces = Array.from({ length: 2_000 }, (_, piece) => rows('a', piece * 100, piece * 100 + 50));
    const far = rows('a', 1_000_000, 1_000_001);
    for (const header of [far, ...pieces]) expect(files.add(header, counts(header))).toBe(true);
    expect(JSON.stringify(files.save()).length).toBeLessThan(1_000);
    const between = rows('a', 500_000, 500_001);
    expect(files.add(between, counts(between))).toBe(true);
  });

  it('goes on from the state of a version that did not remember envelopes', () => {
    const files = new FileCounts('contoso');
    const header = rows('a', 0, 500);
    files.add(header, counts(header));
    const state = files.save().map(({ counted: _counted, ...file }) => file);
    const next = new FileCounts('contoso');
    next.load(JSON.parse(JSON.stringify(state)) as FileCountsState);
    const second = rows('a', 500, 600);
    expect([next.add(second, counts(second)), next.add(second, counts(second))]).toEqual([true, false]);
    expect(rowsOf(next, 'a').read).toBe(600);
  });

  it('forgets the exports that were silent for the longest, not one that has grown for days', () => {
    const files = new FileCounts('contoso');
    const grows = (from: number) => {
      const header = rows('grows', from, from + 1);
      files.add(header, counts(header));
      files.end(end('grows', from + 1));
      files.writes(0, 1);
    };
    for (let number = 0; number < 3_000; number++) {
      if (number % 500 === 0) grows(number);
      files.end(end(`file-${number}`, 0));
      files.writes(0, 1);
    }
    expect(files.save().length).toBeLessThanOrEqual(1_001);
    expect(ledgerOf(files, 'file-0')).toBeUndefined();
    expect(rowsOf(files, 'grows').read).toBe(6);
  });
});

import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../../src/core/calendar.ts';
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
  next.load([], JSON.parse(JSON.stringify(files.save())) as FileCountsState);
  return next;
}

describe('the ledger of a detector', () => {
  it('exchanges rows with other exports where events show that a row of theirs was no update', () => {
    const files = new FileCounts('contoso');
    const [first, second] = [rows('a', 0, 10), rows('b', 0, 10)];
    files.add(first, counts(first, { accepted: 7, updated: 3 }), 0);
    files.add(second, counts(second, { accepted: 0, folded: 9, duplicate: 3, updated: -2 }), 0);
    expect(rowsOf(files, 'a')).toMatchObject({ read: 10, accepted: 7, updated: 1, duplicate: 2 });
    expect(rowsOf(files, 'b')).toMatchObject({ read: 10, folded: 9, updated: 0, duplicate: 1 });
  });

  it('counts an envelope once, however often the log has it', () => {
    let files = new FileCounts('contoso');
    const envelopes = [rows('a', 0, 500), rows('a', 500, 1000), rows('a', 1000, 1200)];
    for (const header of envelopes) expect(files.add(header, counts(header), 0)).toBe(true);
    files = restarted(files);
    // The producer was not answered, and sends its batch again.
    for (const header of envelopes.slice(1)) {
      expect(files.add(header, counts(header, { accepted: 0, duplicate: header.records }), 0)).toBe(false);
    }
    expect(rowsOf(files, 'a')).toMatchObject({ read: 1200, accepted: 1200, duplicate: 0 });
    expect(ledgerOf(files, 'a')?.records).toBe(1200);
  });

  it('leaves the line of a file that is submitted again as it was', () => {
    const files = new FileCounts('contoso');
    const header = rows('a', 0, 300);
    files.add(header, counts(header, { accepted: 290, dropped: new Map([['internal', 10]]) }), 0);
    files.end(end('a', 300), 0);
    files.writes(0, 1);
    const before = structuredClone(ledgerOf(files, 'a'));
    const again = counts(header, { accepted: 0, duplicate: 290, dropped: new Map([['internal', 10]]) });
    expect(files.add(header, again, 0)).toBe(false);
    expect(files.writes(0, 2)).toEqual([]);
    files.end(end('a', 300), 0);
    expect(ledgerOf(files, 'a')).toEqual(before);
  });

  it('misses nothing of envelopes that are cut in another way when they are sent again', () => {
    const files = new FileCounts('contoso');
    for (const header of [rows('a', 0, 4), rows('a', 4, 5)]) files.add(header, counts(header), 0);
    const longer = rows('a', 0, 7);
    expect(files.add(longer, counts(longer, { accepted: 2, duplicate: 5 }), 0)).toBe(true);
    expect(rowsOf(files, 'a')).toMatchObject({ read: 12, accepted: 7, duplicate: 5 });
    const within = rows('a', 3, 6);
    expect(files.add(within, counts(within, { accepted: 0, duplicate: 3 }), 0)).toBe(false);
  });

  it('counts what was lost in the log when it comes after all', () => {
    const files = new FileCounts('contoso');
    for (const header of [rows('a', 0, 500), rows('a', 1000, 1200)]) files.add(header, counts(header), 0);
    const found = [rows('a', 0, 500), rows('a', 500, 1000), rows('a', 1000, 1200)];
    expect(found.map((header) => files.add(header, counts(header), 0))).toEqual([false, true, false]);
    expect(rowsOf(files, 'a').read).toBe(1200);
  });

  it('knows a refused record whose bytes are not all in the envelope', () => {
    const files = new FileCounts('contoso');
    const refusal = { code: 'too_long', reason: 'too long', offset: 0, length: 5_000_000, line: 2 } as const;
    const header = { ...rows('a', 0, 1), refusal };
    expect(files.add(header, counts(header), 0)).toBe(true);
    expect(files.add(header, counts(header), 0)).toBe(false);
    expect(files.save()[0].counted).toEqual([[0, 5_000_000]]);
  });

  it('stays small where an export comes in pieces, and closes the smallest hole first', () => {
    const files = new FileCounts('contoso');
    const pieces = Array.from({ length: 2_000 }, (_, piece) => rows('a', piece * 100, piece * 100 + 50));
    const far = rows('a', 1_000_000, 1_000_001);
    for (const header of [far, ...pieces]) expect(files.add(header, counts(header), 0)).toBe(true);
    expect(JSON.stringify(files.save()).length).toBeLessThan(1_000);
    const between = rows('a', 500_000, 500_001);
    expect(files.add(between, counts(between), 0)).toBe(true);
  });

  it('goes on from the state of a version that did not remember envelopes', () => {
    const files = new FileCounts('contoso');
    const header = rows('a', 0, 500);
    files.add(header, counts(header), 0);
    const state = files.save().map(({ counted: _counted, ...file }) => file);
    const next = new FileCounts('contoso');
    next.load([], JSON.parse(JSON.stringify(state)) as FileCountsState);
    const second = rows('a', 500, 600);
    expect([next.add(second, counts(second), 0), next.add(second, counts(second), 0)]).toEqual([true, false]);
    expect(rowsOf(next, 'a').read).toBe(600);
  });

  it('forgets the exports that were silent for the longest, not one that has grown for days', () => {
    const files = new FileCounts('contoso');
    const grows = (from: number) => {
      const header = rows('grows', from, from + 1);
      files.add(header, counts(header), 0);
      files.end(end('grows', from + 1), 0);
      files.writes(0, 1);
    };
    for (let number = 0; number < 3_000; number++) {
      if (number % 500 === 0) grows(number);
      files.end(end(`file-${number}`, 0), 0);
      files.writes(0, 1);
    }
    expect(files.save().length).toBeLessThanOrEqual(1_001);
    expect(ledgerOf(files, 'file-0')).toBeUndefined();
    expect(rowsOf(files, 'grows').read).toBe(6);
  });

  it('forgets what was silent for weeks, and takes over what was saved before and since', () => {
    let files = new FileCounts('contoso');
    const take = (id: string, atMs: number) => {
      const header = rows(id, 0, 10);
      files.add(header, counts(header), atMs);
      files.end(end(id, 10), atMs);
      files.writes(atMs, 1);
    };
    for (let day = 0; day < 100; day++) take(`day-${day}`, day * DAY_MS);
    const saved = JSON.parse(JSON.stringify(files.save())) as FileCountsState;
    expect(files.changes()).toEqual([]);
    for (let day = 100; day < 103; day++) take(`day-${day}`, day * DAY_MS);
    take('day-99', 103 * DAY_MS);
    const changes = JSON.parse(JSON.stringify(files.changes())) as FileCountsState;
    expect(changes.map(({ id }) => id)).toEqual(['day-100', 'day-101', 'day-102', 'day-99']);
    files = new FileCounts('contoso');
    files.load(saved, changes);
    files.forget();
    expect(files.writes(103 * DAY_MS, 2)).toEqual([]);
    const ids = files.save().map(({ id }) => id);
    expect([ids[0], ids.at(-1), ids.length]).toEqual(['day-68', 'day-99', 35]);
    expect(rowsOf(files, 'day-102').read).toBe(10);
  });

  it('stays small where exports begin and none ends', () => {
    const files = new FileCounts('contoso');
    for (let number = 0; number < 12_000; number++) {
      const header = rows(`file-${number}`, 0, 1);
      files.add(header, counts(header), number);
      if (number % 100 === 0) files.writes(number, number);
    }
    expect(files.save().length).toBeLessThanOrEqual(5_100);
    expect(rowsOf(files, 'file-11999').read).toBe(1);
  });

  it('says which export has no end, and does not wait for it', () => {
    let files = new FileCounts('contoso');
    const half = rows('half', 0, 10);
    files.add(half, counts(half), 0);
    expect(files.isBetweenFiles).toBe(false);
    const other = rows('other', 0, 10);
    files.add(other, counts(other), 2 * HOUR_MS);
    files.end(end('other', 10), 2 * HOUR_MS);
    expect(files.isBetweenFiles).toBe(true);
    const stream = { ...half, file: { id: 'stream', name: 'events/0' } };
    files.add({ ...stream, layout: { ...half.layout, format: 'email-events' } }, counts(half), 0);
    expect(files.findings(DAY_MS - 1)).toEqual([]);
    const [finding, ...others] = files.findings(DAY_MS);
    expect(others).toEqual([]);
    expect(finding.document).toMatchObject({
      message: expect.stringContaining('half.csv of contoso has no end'),
      relaywatch: { finding: { code: 'export_unfinished', state: 'open' } },
    });
    files = restarted(files);
    expect(files.findings(2 * DAY_MS)).toEqual([]);
    files.end(end('half', 10), 2 * DAY_MS);
    expect(files.findings(2 * DAY_MS)).toEqual([
      {
        ...finding,
        sequence: 2 * DAY_MS,
        document: expect.objectContaining({ message: expect.stringContaining('ended') }),
      },
    ]);
    expect(files.findings(2 * DAY_MS)).toEqual([]);
  });
});

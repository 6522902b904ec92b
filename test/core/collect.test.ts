import { describe, expect, it } from 'vitest';
import type { SortedBlock } from '../../src/core/order.ts';
import { FLAGS, MESSAGE_LO, RECIPIENT_LO, RECORD_DOUBLES, RECORD_WORDS, STATUS_MASK } from '../../src/core/record.ts';
import { collectRows, DAY_MS, MemorySpill, MONDAY, ordinary, type Row, relay, shuffled } from './pairs.ts';

/** Everything that the walk would see, and the counts of files. */
function collected(rows: readonly Row[], memoryBytes: number, spill = new MemorySpill()) {
  const { collector, counts } = collectRows(rows, memoryBytes, spill);
  let merged = 0;
  collector.merge(() => {
    merged++;
  });
  const seen: string[] = [];
  const starts: number[] = [];
  collector.visitBlocks((block: SortedBlock) => {
    starts.push(block.doubles[0]);
    for (let index = 0; index < block.count; index++) {
      const base = index * RECORD_WORDS;
      const { words } = block;
      seen.push(
        `${block.doubles[index * RECORD_DOUBLES]} ${words[base + MESSAGE_LO]} ${words[base + RECIPIENT_LO]} ${words[base + FLAGS] & STATUS_MASK}`,
      );
    }
  });
  expect(merged).toBe(seen.length);
  return { seen, starts, counts: { ...counts } };
}

describe('collecting', () => {
  const original = [...ordinary(MONDAY, 5, 20), ...relay({ start: MONDAY + DAY_MS, count: 500, everyMs: 0 })];
  const rows = shuffled(
    [...original, ...original.slice(0, 900).map((row) => ({ ...row, status: 'failed' as const, file: 1 }))],
    7,
  );

  it('gives the same pairs, order and counts when it spills, from the first record or in the middle', () => {
    const inMemory = collected(rows, Number.POSITIVE_INFINITY);
    expect(inMemory.seen).toHaveLength(original.length);
    const bytes = rows.length * 72;
    for (const memoryBytes of [1, bytes / 4]) {
      const spill = new MemorySpill();
      const spilled = collected(rows, memoryBytes, spill);
      expect(spill.appends).toBeGreaterThan(64);
      expect(spilled.seen).toEqual(inMemory.seen);
      expect(spilled.counts).toEqual(inMemory.counts);
      expect(spill.runs.size).toBe(0);
    }
  });

  it('does not touch the store while there is room', () => {
    const spill = new MemorySpill();
    collected(rows, Number.POSITIVE_INFINITY, spill);
    expect(spill.appends).toBe(0);
  });

  it('gives blocks in order of time that never share an event time', () => {
    const spilled = collected(rows, 1);
    const times = spilled.seen.map((entry) => Number(entry.split(' ')[0]));
    expect(times).toEqual([...times].sort((left, right) => left - right));
    expect(new Set(spilled.starts).size).toBe(spilled.starts.length);
  });

  it('of nothing is nothing', () => {
    expect(collected([], 1).seen).toEqual([]);
  });
});

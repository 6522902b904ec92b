import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HashTable } from '../../src/core/hash-table.ts';

/** The hash 0, 0 marks an empty slot and is taken as 0, 1. */
function keyOf(lo: number, hi: number): string {
  return lo === 0 && hi === 0 ? '0.1' : `${lo}.${hi}`;
}

const SEED = Math.floor(Math.random() * 1e9);

describe('hash table', () => {
  it('answers as a Map would, keys that share a slot included', () => {
    const word = fc.constantFrom(0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xffffffff);
    const step = fc.record({ lo: word, hi: word, value: fc.integer({ min: -5, max: 5 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 40 }), (steps, capacity) => {
        const table = new HashTable(capacity);
        const map = new Map<string, number>();
        for (const { lo, hi, value } of steps) {
          table.set(lo, hi, value);
          map.set(keyOf(lo, hi), value);
          expect(table.size).toBe(map.size);
          expect(table.get(lo, hi)).toBe(map.get(keyOf(lo, hi)));
        }
        for (const [key, value] of map) {
          const [lo, hi] = key.split('.').map(Number);
          expect(table.get(lo, hi)).toBe(value);
        }
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('takes words with or without their sign', () => {
    const table = new HashTable();
    table.set(-1, -2, 7);
    expect(table.get(0xffffffff, 0xfffffffe)).toBe(7);
  });

  it('gives a slot to a key, with no number where it is new', () => {
    const table = new HashTable(1);
    for (let key = 0; key < 5000; key++) {
      const slot = table.slotOf(key, key * 7);
      expect(table.valueAt(slot)).toBeNaN();
      table.setValueAt(slot, key);
    }
    expect(table.size).toBe(5000);
    for (let key = 0; key < 5000; key++) {
      expect(table.valueAt(table.slotOf(key, key * 7))).toBe(key);
      expect(table.get(key, key * 7)).toBe(key);
    }
    expect(table.size).toBe(5000);
  });

  it('forgets what is too small once it has grown, and nothing else', () => {
    const table = new HashTable();
    for (let key = 0; key < 100_000; key++) {
      table.set(key, key * 7, key);
      // As a walk does with times: everything older than a thousand steps may go.
      if (key % 1000 === 0) table.forgetBelow(key - 1000);
      expect(table.size).toBeLessThan(10_000);
    }
    for (let key = 99_000; key < 100_000; key++) expect(table.get(key, key * 7)).toBe(key);
    expect(table.get(5, 35)).toBeUndefined();
  });

  it('grows to any size', () => {
    const table = new HashTable(1);
    for (let key = 0; key < 50_000; key++) table.set(key, key * 7, key * 0.5);
    expect(table.size).toBe(50_000);
    for (let key = 0; key < 50_000; key += 997) expect(table.get(key, key * 7)).toBe(key * 0.5);
    expect(table.get(50_000, 350_000)).toBeUndefined();
  });
});

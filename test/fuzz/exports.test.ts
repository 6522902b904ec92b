import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { traceFormats } from '../../src/config/registry.ts';
import { damagedExport, readFixtures } from './exports.ts';
import { checkDamagedExport } from './reading.ts';

/** `npm run fuzz -- --cases N` runs more. `RELAYWATCH_SEED=N` repeats a run. */
const CASES = 2_500;
/** Most take a millisecond; a machine that is busy may need a hundred times as much. */
const SLOW_MS = 5_000;
const SEED = Number(process.env.RELAYWATCH_SEED ?? Math.floor(Math.random() * 2 ** 31));

const fixtures = readFixtures();

describe(`damaged exports of seed ${SEED}`, () => {
  it('are read or refused: nothing crashes, hangs or is lost', () => {
    const read = new Map<string | null, number>();
    let pairs = 0;
    let deadLetters = 0;
    fc.assert(
      fc.property(damagedExport(fixtures), (damaged) => {
        const began = performance.now();
        const result = checkDamagedExport(damaged);
        const tookMs = performance.now() - began;
        if (tookMs > SLOW_MS) throw new Error(`${damaged.fixture} took ${tookMs} ms`);
        read.set(result.format, (read.get(result.format) ?? 0) + 1);
        pairs += result.pairs;
        deadLetters += result.deadLetters;
      }),
      { seed: SEED, numRuns: CASES },
    );
    // Every format was read, many files were, and records of them were used and refused.
    expect([...read.keys()]).toEqual(expect.arrayContaining(traceFormats.map(({ id }) => id)));
    expect(read.get(null) ?? 0).toBeLessThan(CASES * 0.7);
    expect(pairs).toBeGreaterThan(CASES);
    expect(deadLetters).toBeGreaterThan(CASES / 2);
  });
});

it('fixtures of every format are damaged', () => {
  expect(fixtures.length).toBeGreaterThan(60);
  for (const { id } of traceFormats)
    expect(
      fixtures.some(({ name }) => name.startsWith(`${id}/`)),
      id,
    ).toBe(true);
});

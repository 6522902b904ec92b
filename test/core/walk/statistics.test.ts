import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countForScore, SCORE_95, scanScore } from '../../../src/core/walk/statistics.ts';

const SEED = Math.floor(Math.random() * 1e9);

describe('scan score', () => {
  it('has the values checked against exact tails of the negative binomial', () => {
    expect(scanScore(40, 6, 1 / 5)).toBeCloseTo(5.0, 2);
    expect(scanScore(30, 0.5, 1 / 0.3)).toBeCloseTo(5.04, 2);
    expect(scanScore(250, 100, 1 / 10)).toBeCloseTo(3.29, 2);
  });

  it('is 0 up to the expectation, and never less', () => {
    expect(scanScore(0, 0, 1)).toBe(0);
    expect(scanScore(6, 6, 0.2)).toBe(0);
    expect(scanScore(3, 6, 0.2)).toBe(0);
    expect(scanScore(7, 6, 0.2)).toBeGreaterThan(0);
    expect(Number.isFinite(scanScore(1, 0, 0))).toBe(true);
  });

  it('rises with the count and falls with expectation and variance', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 1e-6, max: 1e5, noNaN: true }),
        fc.double({ min: 0.01, max: 50, noNaN: true }),
        (count, mean, inverseSize) => {
          const score = scanScore(count, mean, inverseSize);
          const rounding = 1e-3;
          expect(scanScore(count + 1, mean, inverseSize)).toBeGreaterThanOrEqual(score - rounding);
          expect(scanScore(count, mean * 1.5, inverseSize)).toBeLessThanOrEqual(score + rounding);
          expect(scanScore(count, mean, inverseSize * 1.5)).toBeLessThanOrEqual(score + rounding);
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('is inverted: the count is the smallest that reaches the score', () => {
    expect(countForScore(SCORE_95, 0.4, 4)).toBeGreaterThan(1);
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 8, noNaN: true }),
        fc.double({ min: 1e-6, max: 1e5, noNaN: true }),
        fc.double({ min: 0.01, max: 20, noNaN: true }),
        (score, mean, inverseSize) => {
          const count = countForScore(score, mean, inverseSize);
          if (count >= 1e12) return;
          expect(Number.isInteger(count)).toBe(true);
          expect(scanScore(count, mean, inverseSize)).toBeGreaterThanOrEqual(score);
          if (count - 1 > mean) expect(scanScore(count - 1, mean, inverseSize)).toBeLessThan(score);
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });
});

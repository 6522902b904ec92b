/** Summaries of trials, with 95 % bootstrap intervals. */

import { Random } from '../traffic/random.ts';

export interface Interval {
  value: number;
  low: number;
  high: number;
}

/** The value below which a share of the sorted numbers lies (the nearest rank, so it is one of them). */
export function quantile(numbers: readonly number[], share: number): number {
  if (numbers.length === 0) return Number.NaN;
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

export function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? Number.NaN : numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** The statistic of the trials, and the middle 95 % of it over resampled sets of trials. */
export function bootstrap<T>(
  trials: readonly T[],
  statistic: (sample: readonly T[]) => number,
  resamples = 1000,
): Interval {
  const value = statistic(trials);
  if (trials.length === 0) return { value, low: Number.NaN, high: Number.NaN };
  const random = new Random(`bootstrap/${trials.length}`);
  const values: number[] = [];
  for (let resample = 0; resample < resamples; resample++) {
    const sample = Array.from({ length: trials.length }, () => random.pick(trials));
    const one = statistic(sample);
    if (!Number.isNaN(one)) values.push(one);
  }
  return { value, low: quantile(values, 0.025), high: quantile(values, 0.975) };
}

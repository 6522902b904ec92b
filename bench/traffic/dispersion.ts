/**
 * Measures over-dispersion: how much more the counts of a series vary around their seasonal mean than
 * a Poisson stream would, as extra squared coefficient of variation (phi), per window. The yardstick
 * is real mail, so a generated world can be held against it.
 */

import { DAY_MS, HOUR_MS, MINUTE_MS } from './message.ts';

export const WINDOWS = [
  { name: '15 min', ms: 15 * MINUTE_MS },
  { name: '1 h', ms: HOUR_MS },
  { name: '6 h', ms: 6 * HOUR_MS },
  { name: '24 h', ms: DAY_MS },
  { name: '7 d', ms: 7 * DAY_MS },
] as const;

/** Counts in 15-minute steps from a Monday 00:00 UTC. */
export class Series {
  readonly steps: Float64Array;
  total = 0;

  constructor(days: number) {
    this.steps = new Float64Array(days * 96);
  }

  add(offsetMs: number, count: number): void {
    const step = Math.floor(offsetMs / (15 * MINUTE_MS));
    if (step < 0 || step >= this.steps.length) return;
    this.steps[step] += count;
    this.total += count;
  }
}

/** Share of a week's rows in each hour of the week, times 168; hours are smoothed a little towards 1. */
export function weeklySeason(series: Series): Float64Array {
  const season = new Float64Array(168).fill(0);
  series.steps.forEach((count, step) => {
    season[Math.floor(step / 4) % 168] += count;
  });
  const total = series.total + 168;
  for (let hour = 0; hour < 168; hour++) season[hour] = ((season[hour] + 1) * 168) / total;
  return season;
}

/** Sums that make phi; those of several keys of a class are added up. */
export interface DispersionSums {
  weighted: Float64Array;
  weights: Float64Array;
}

export function emptySums(): DispersionSums {
  return { weighted: new Float64Array(WINDOWS.length), weights: new Float64Array(WINDOWS.length) };
}

/**
 * Adds a series: from day 28 on, each aligned window against the level of the 28 days before it
 * times the season. Counts are winsorised at eight standard deviations, and windows in which
 * little was to be expected count little, because they say little about phi.
 */
export function addDispersion(
  sums: DispersionSums,
  series: Series,
  season: Float64Array,
  typical: readonly number[],
): void {
  const days = series.steps.length / 96;
  const byDay = new Float64Array(days);
  const seasonByDay = new Float64Array(days);
  for (let step = 0; step < series.steps.length; step++) byDay[Math.floor(step / 96)] += series.steps[step];
  for (let day = 0; day < days; day++) {
    for (let hour = 0; hour < 24; hour++) seasonByDay[day] += season[((day % 7) * 24 + hour) % 168] / 24;
  }
  const level = (day: number): number => {
    let count = 0;
    let exposure = 0;
    for (let before = Math.max(0, day - 28); before < day; before++) {
      count += byDay[before];
      exposure += seasonByDay[before];
    }
    return exposure === 0 ? 0 : count / exposure;
  };
  const levels = Float64Array.from({ length: days }, (_, day) => level(day));
  WINDOWS.forEach((window, index) => {
    const width = window.ms / (15 * MINUTE_MS);
    const phi = typical[Math.min(index, typical.length - 1)];
    for (let start = 28 * 96; start + width <= series.steps.length; start += width) {
      let observed = 0;
      let expected = 0;
      const daily = levels[Math.floor(start / 96)];
      for (let step = start; step < start + width; step++) {
        observed += series.steps[step];
        expected += (daily * season[Math.floor(step / 4) % 168]) / 96;
      }
      if (expected < 1e-6) continue;
      // At least 5, or a sparse series would be cut below its first row.
      const most = Math.max(5, expected + 8 * Math.sqrt(expected + phi * expected * expected));
      const excess = Math.min(observed, most) - expected;
      const weight = ((phi * expected) / (1 + phi * expected)) ** 2;
      sums.weighted[index] += (weight * (excess * excess - expected)) / (expected * expected);
      sums.weights[index] += weight;
    }
  });
}

export function phiOf(sums: DispersionSums): number[] {
  return WINDOWS.map((_, index) =>
    sums.weights[index] === 0 ? Number.NaN : sums.weighted[index] / sums.weights[index],
  );
}

/** One row of a mail stream: who sent, how much it counts, and of which domain where it is not ours. */
export interface DispersionRow {
  offsetMs: number;
  count: number;
  mailbox: string;
  unregisteredDomain: string;
}

export interface DispersionTable {
  total: number[];
  unregistered: number[];
  domain: number[];
  mailbox: number[];
}

/** Typical values of a class, that weigh the windows and bound outliers: the defaults of the detector. */
const TYPICAL = {
  total: [0.6, 0.35, 0.25, 0.2],
  unregistered: [3, 1.5, 0.8, 0.5],
  domain: [8, 4, 2, 1.2],
  mailbox: [12, 5, 2, 1.2],
};

/** The four series of the table; of domains and mailboxes the pooled value of the `heaviest`. */
export function measureDispersion(rows: readonly DispersionRow[], days: number, heaviest = 20): DispersionTable {
  const total = new Series(days);
  const unregistered = new Series(days);
  const domains = new Map<string, Series>();
  const mailboxes = new Map<string, Series>();
  const addTo = (map: Map<string, Series>, key: string, row: DispersionRow): void => {
    let series = map.get(key);
    if (series === undefined) {
      series = new Series(days);
      map.set(key, series);
    }
    series.add(row.offsetMs, row.count);
  };
  for (const row of rows) {
    total.add(row.offsetMs, row.count);
    if (row.unregisteredDomain !== '') {
      unregistered.add(row.offsetMs, row.count);
      addTo(domains, row.unregisteredDomain, row);
    }
    if (row.mailbox !== '') addTo(mailboxes, row.mailbox, row);
  }
  const season = weeklySeason(total);
  const pooled = (all: Series[], typical: readonly number[]): number[] => {
    const sums = emptySums();
    const sorted = all.sort((a, b) => b.total - a.total).slice(0, heaviest);
    for (const series of sorted) addDispersion(sums, series, season, typical);
    return phiOf(sums);
  };
  return {
    total: pooled([total], TYPICAL.total),
    unregistered: pooled([unregistered], TYPICAL.unregistered),
    domain: pooled([...domains.values()], TYPICAL.domain),
    mailbox: pooled([...mailboxes.values()], TYPICAL.mailbox),
  };
}

/**
 * The extra variance (phi) of the keys of a series that have enough mail to show their own: how far
 * their counts in aligned windows lie from the forecast of the day, shrunk to the series' default.
 */

import type { PerWindow } from '../series-settings.ts';
import type { DayClock } from './day-clock.ts';

export const QUARTERS_PER_DAY = 96;
/** Quarters of an hour in each window. */
const WINDOW_QUARTERS = [1, 4, 24, 96] as const;
const FIRST_DAY = 5;
const HEAVY_FROM = 20;
const HEAVY_UNTIL = 10;
const PRIOR_WEIGHT = 20;
const PHI_FLOOR = 0.1;
/** Counts are taken up to so many standard deviations above their forecast. */
const WINSOR_DEVIATIONS = 8;
const MOST_IN_QUARTER = 65_535;
const LEAST_ENTRIES = 16;
/** Sums of weighted excess variance (P) and of weights (G), per window. */
const SUMS = 8;

/** What the heavy keys of a day contribute once it is sealed. */
interface WalkedDay {
  day: number;
  entries: Int32Array;
  sums: Float64Array;
}

export interface VariancesState {
  keys: number[];
  isHeavy: Uint8Array;
  levels: Float64Array;
  sums: Float64Array;
  quarters: Uint16Array;
  walked: WalkedDay[];
}

export class Variances {
  readonly #phi0: PerWindow;
  readonly #clock: DayClock;
  /** Keys that are, or were, heavy; the place in the list is their entry in the columns below. */
  #keys: number[] = [];
  /** Entry plus 1 by key; 0 for a key that never was heavy. */
  #entries: Int32Array = new Int32Array(64);
  #capacity = LEAST_ENTRIES;
  #isHeavy: Uint8Array = new Uint8Array(this.#capacity);
  /** Expected count per day, as forecast for today. */
  #levels: Float64Array = new Float64Array(this.#capacity);
  #sums: Float64Array = new Float64Array(this.#capacity * SUMS);
  /** Counts of each quarter of an hour; what is more than 65,535 is as far above any forecast. */
  #quarters: Uint16Array = new Uint16Array(this.#capacity * QUARTERS_PER_DAY);
  #walked: WalkedDay[] = [];

  constructor(phi0: PerWindow, clock: DayClock) {
    this.#phi0 = phi0;
    this.#clock = clock;
  }

  /** The days that were walked are shared with the state: they never change. */
  save(): VariancesState {
    const entries = this.#keys.length;
    return {
      keys: this.#keys.slice(),
      isHeavy: this.#isHeavy.slice(0, entries),
      levels: this.#levels.slice(0, entries),
      sums: this.#sums.slice(0, entries * SUMS),
      quarters: this.#quarters.slice(0, entries * QUARTERS_PER_DAY),
      walked: this.#walked.slice(),
    };
  }

  load(state: Readonly<VariancesState>): void {
    this.#keys = [];
    this.#entries.fill(0);
    for (const key of state.keys) this.#enter(key);
    this.#capacity = Math.max(LEAST_ENTRIES, state.keys.length);
    this.#isHeavy = grown(state.isHeavy, new Uint8Array(this.#capacity));
    this.#levels = grown(state.levels, new Float64Array(this.#capacity));
    this.#sums = grown(state.sums, new Float64Array(this.#capacity * SUMS));
    this.#quarters = grown(state.quarters, new Uint16Array(this.#capacity * QUARTERS_PER_DAY));
    this.#walked = state.walked.slice();
  }

  /** A key whose decayed count is `level` may be heavy from the next day on. */
  consider(key: number, level: number): void {
    if (level < HEAVY_FROM || this.#entry(key) >= 0) return;
    this.#enter(key);
    if (this.#keys.length > this.#capacity) this.#grow();
  }

  /** Begins a day: `levelOf` is a key's decayed count, `forecastOf` its expected count per day. */
  beginDay(levelOf: (key: number) => number, forecastOf: (key: number) => number): void {
    for (let entry = 0; entry < this.#keys.length; entry++) {
      const key = this.#keys[entry];
      this.#isHeavy[entry] = levelOf(key) >= (this.#isHeavy[entry] === 1 ? HEAVY_UNTIL : HEAVY_FROM) ? 1 : 0;
      this.#levels[entry] = forecastOf(key);
    }
    this.#quarters.fill(0);
  }

  count(key: number, quarter: number, amount: number): void {
    const entry = this.#entry(key);
    if (entry < 0) return;
    const place = entry * QUARTERS_PER_DAY + quarter;
    if (this.#quarters[place] < MOST_IN_QUARTER) this.#quarters[place] += amount;
  }

  phi(key: number, window: number): number {
    const entry = this.#entry(key);
    if (entry < 0 || this.#isHeavy[entry] === 0) return this.#phi0[window];
    return this.#phiOf(entry, window);
  }

  /** Compares the day with its forecast. `quarterHours` is the season summed over each quarter, in hours. */
  endDay(day: number, quarterHours: Float64Array): void {
    if (this.#clock.tenantDay < FIRST_DAY) return;
    const hours = hoursOfWindows(quarterHours);
    let heavy = 0;
    for (let entry = 0; entry < this.#keys.length; entry++) heavy += this.#isHeavy[entry];
    const entries = new Int32Array(heavy);
    const sums = new Float64Array(heavy * SUMS);
    let index = 0;
    for (let entry = 0; entry < this.#keys.length; entry++) {
      if (this.#isHeavy[entry] === 0) continue;
      entries[index] = entry;
      this.#compare(entry, hours, sums, index * SUMS);
      index++;
    }
    this.#walked.push({ day, entries, sums });
  }

  /** Learns a sealed day, but for the keys of which it teaches nothing. */
  seal(day: number, decay: number, abused: ReadonlySet<number> | undefined): void {
    const walked = this.#walked[0];
    if (walked === undefined || walked.day !== day) return;
    this.#walked.shift();
    for (let index = 0; index < walked.entries.length; index++) {
      if (abused?.has(this.#keys[walked.entries[index]])) continue;
      const base = walked.entries[index] * SUMS;
      for (let sum = 0; sum < SUMS; sum++) {
        this.#sums[base + sum] = this.#sums[base + sum] * decay + walked.sums[index * SUMS + sum];
      }
    }
  }

  /**
   * Adds the aligned windows of an entry to its sums, from `target` on: excess variance of each length of
   * window, and the weights four further on. `hours` is the season summed over each window.
   */
  #compare(entry: number, hours: Float64Array, sums: Float64Array, target: number): void {
    const quarters = this.#quarters;
    const perHour = this.#levels[entry] / 24;
    const begin = entry * QUARTERS_PER_DAY;
    const end = begin + QUARTERS_PER_DAY;
    let place = 0;
    for (let window = 0; window < 4; window++) {
      const length = WINDOW_QUARTERS[window];
      const phi0 = this.#phi0[window];
      let excess = 0;
      let weights = 0;
      let mean = Number.NaN;
      let weight = 0;
      for (let first = begin; first < end; first += length) {
        let count = 0;
        for (let quarter = first; quarter < first + length; quarter++) count += quarters[quarter];
        const forecast = Math.max(1e-6, perHour * hours[place++]);
        // The quarters of an hour have one forecast.
        if (forecast !== mean) {
          mean = forecast;
          const spread = phi0 * mean;
          const share = spread / (1 + spread);
          weight = share * share;
        }
        const deviation = (count > mean ? this.#winsorised(entry, window, count, mean) : count) - mean;
        excess += (weight * (deviation * deviation - mean)) / (mean * mean);
        weights += weight;
      }
      sums[target + window] = excess;
      sums[target + 4 + window] = weights;
    }
  }

  #winsorised(entry: number, window: number, count: number, mean: number): number {
    const phi = this.#phiOf(entry, window);
    return Math.min(count, mean + WINSOR_DEVIATIONS * Math.sqrt(mean + phi * mean * mean));
  }

  #phiOf(entry: number, window: number): number {
    const phi0 = this.#phi0[window];
    const sum = entry * SUMS + window;
    const phi = (PRIOR_WEIGHT * phi0 + this.#sums[sum]) / (PRIOR_WEIGHT + this.#sums[sum + 4]);
    return Math.min(4 * phi0, Math.max(PHI_FLOOR, phi));
  }

  /** The entry of a key, -1 where it has none. */
  #entry(key: number): number {
    return key < this.#entries.length ? this.#entries[key] - 1 : -1;
  }

  #enter(key: number): void {
    if (key >= this.#entries.length) {
      this.#entries = grown(this.#entries, new Int32Array(Math.max(key + 1, this.#entries.length * 2)));
    }
    this.#keys.push(key);
    this.#entries[key] = this.#keys.length;
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#isHeavy = grown(this.#isHeavy, new Uint8Array(this.#capacity));
    this.#levels = grown(this.#levels, new Float64Array(this.#capacity));
    this.#sums = grown(this.#sums, new Float64Array(this.#capacity * SUMS));
    this.#quarters = grown(this.#quarters, new Uint16Array(this.#capacity * QUARTERS_PER_DAY));
  }
}

/** The season summed over each aligned window of a day, in hours: all of the first length, then of the next. */
function hoursOfWindows(quarterHours: Float64Array): Float64Array {
  const sums: number[] = [];
  for (const length of WINDOW_QUARTERS) {
    for (let first = 0; first < QUARTERS_PER_DAY; first += length) {
      let hours = 0;
      for (let quarter = first; quarter < first + length; quarter++) hours += quarterHours[quarter];
      sums.push(hours);
    }
  }
  return new Float64Array(sums);
}

/** Copies a column into a longer one. */
export function grown<Column extends Uint8Array | Uint16Array | Int32Array | Float64Array>(
  from: Column,
  to: Column,
): Column {
  to.set(from);
  return to;
}

/**
 * One series: exact counts per key over the four trailing windows, what each key normally does, and
 * the scan test. The row log adds and expires rows; the day clock seals days.
 */

import { DAY_MS } from '../calendar.ts';
import type { SeriesSettings } from '../series-settings.ts';
import { type DayClock, WINDOW_MS } from './day-clock.ts';
import { type PeakRecords, RecordBook } from './record-book.ts';
import { scanScore } from './statistics.ts';

const QUARTERS_PER_DAY = 96;
/** Quarters of an hour in each window. */
const WINDOW_QUARTERS = [1, 4, 24, 96] as const;
const FIRST_PHI_DAY = 5;
const HEAVY_FROM = 20;
const HEAVY_UNTIL = 10;
const PHI_PRIOR_WEIGHT = 20;
const PHI_FLOOR = 0.1;

/** The expectation of a key in a window: a negative binomial with this mean and 1/size. */
export interface Expectation {
  mean: number;
  inverseSize: number;
}

/** A count that the scan test calls too high. */
export interface Finding extends Expectation {
  window: number;
  observed: number;
  score: number;
}

/** Learned variance of a key with enough mail to show its own. */
interface Variance {
  /** Sums of weighted excess variance (P) and of weights (G) per window. */
  excess: Float64Array;
  weight: Float64Array;
  heavy: boolean;
  /** Expected count per day, as forecast for today. */
  levelToday: number;
  quarters: Int32Array;
  /** What earlier days contributed, until they are sealed. */
  pending: { day: number; excess: Float64Array; weight: Float64Array }[];
}

interface WalkedDay {
  day: number;
  keys: Int32Array;
  counts: Int32Array;
}

export class KeyedSeries {
  readonly settings: SeriesSettings;
  readonly records: PeakRecords | null;
  readonly #clock: DayClock;
  readonly #book: RecordBook | null;
  readonly #priorCount: number;
  readonly #priorExposure: number;
  readonly #alwaysHeavy: boolean;
  #capacity = 64;
  #counts = new Int32Array(this.#capacity * 4);
  #dayCounts = new Int32Array(this.#capacity);
  #dayPeaks = new Int32Array(this.#capacity * 4);
  /** A: decayed sum of the counts of sealed days, as of `#levelDay`. */
  #levels = new Float64Array(this.#capacity);
  #levelDay = new Int32Array(this.#capacity);
  #today: number[] = [];
  #walked: WalkedDay[] = [];
  readonly #variances = new Map<number, Variance>();

  constructor(settings: SeriesSettings, clock: DayClock) {
    this.settings = settings;
    this.#clock = clock;
    this.#book = settings.recordFloor ? new RecordBook(settings.floors) : null;
    this.records = this.#book;
    this.#priorExposure = Math.max(0.5 / settings.priorPerDay, 0.25);
    this.#priorCount = this.#priorExposure * settings.priorPerDay;
    this.#alwaysHeavy = settings.key === 'tenant';
    if (this.#alwaysHeavy) this.#variances.set(0, emptyVariance());
  }

  /** The count of a key in a window. */
  count(key: number, window: number): number {
    return key < this.#capacity ? this.#counts[key * 4 + window] : 0;
  }

  /** A row enters all windows. */
  add(key: number, amount: number, timeMs: number): void {
    if (key >= this.#capacity) this.#grow(key);
    const base = key * 4;
    for (let window = 0; window < 4; window++) {
      this.#counts[base + window] += amount;
      if (this.#counts[base + window] > this.#dayPeaks[base + window]) {
        this.#dayPeaks[base + window] = this.#counts[base + window];
      }
    }
    if (this.#dayCounts[key] === 0) this.#today.push(key);
    this.#dayCounts[key] += amount;
    const variance = this.#variances.get(key);
    if (variance?.heavy) {
      const quarter = Math.floor((timeMs - this.#clock.day * DAY_MS) / WINDOW_MS[0]);
      variance.quarters[quarter] += amount;
    }
  }

  /** A row leaves a window. */
  expire(key: number, window: number, amount: number): void {
    this.#counts[key * 4 + window] -= amount;
  }

  /** The floor that a count must reach: the series', raised by records. */
  floor(key: number, window: number): number {
    const floor = this.settings.floors[window];
    if (this.#book === null) return floor;
    return Math.max(floor, this.#book.floor(key, window));
  }

  /** Expected count per day. */
  level(key: number): number {
    return (this.#priorCount + this.#level(key)) / (this.#priorExposure + this.#clock.exposure);
  }

  expectation(key: number, window: number, timeMs: number): Expectation {
    const known = this.#priorCount + this.#level(key);
    const perHour = known / (this.#priorExposure + this.#clock.exposure) / 24;
    const mean = perHour * this.#clock.seasonHours(timeMs - WINDOW_MS[window], timeMs);
    const uncertainty = 1 / known + this.#phi(key, 3) / (this.#clock.days + 0.5);
    return { mean, inverseSize: this.#phi(key, window) + uncertainty };
  }

  /** The scan test of a key: the window with the largest score, the shortest where scores are equal. */
  test(key: number, timeMs: number): Finding | null {
    let best: Finding | null = null;
    for (let window = 0; window < 4; window++) {
      const observed = this.count(key, window);
      if (observed < this.settings.floors[window] || observed < this.floor(key, window)) continue;
      const expectation = this.expectation(key, window, timeMs);
      const score = scanScore(observed, expectation.mean, expectation.inverseSize);
      if (score < this.settings.zCritical || (best !== null && score <= best.score)) continue;
      best = { ...expectation, window, observed, score };
    }
    return best;
  }

  /** Whether a window of 1, 6 or 24 hours is still unusual: the condition of an incident that goes on. */
  isActive(key: number, timeMs: number): boolean {
    for (let window = 1; window < 4; window++) {
      const observed = this.count(key, window);
      if (observed * 2 < this.floor(key, window)) continue;
      const { mean, inverseSize } = this.expectation(key, window, timeMs);
      if (scanScore(observed, mean, inverseSize) >= 2.5) return true;
    }
    return false;
  }

  /** Marks today as a day of an incident of this key: its peak counts only up to three times the record. */
  markIncident(key: number): void {
    this.#book?.markIncident(key);
  }

  /** Ends the day that was walked last; its rows stay open until `seal`. */
  endDay(day: number): void {
    for (const [key, variance] of this.#variances) {
      if (variance.heavy && this.#clock.tenantDay >= FIRST_PHI_DAY) this.#learnVariance(key, variance, day);
    }
    this.#book?.endDay(day, this.#today, this.#dayPeaks);
    const keys = Int32Array.from(this.#today);
    const counts = keys.map((key) => this.#dayCounts[key]);
    this.#walked.push({ day, keys, counts });
    for (const key of this.#today) this.#dayCounts[key] = 0;
    this.#today = [];
    this.#dayPeaks.fill(0);
  }

  /** Learns a sealed day. Levels of the clock are those before it. */
  seal(day: number, exposure: number): void {
    const walked = this.#walked[0];
    if (walked === undefined || walked.day !== day)
      throw new Error(`series ${this.settings.name}: day ${day} was not walked`);
    this.#walked.shift();
    const learned = this.#clock.learnedDays;
    for (let index = 0; index < walked.keys.length; index++) {
      const key = walked.keys[index];
      let count = walked.counts[index];
      if (this.#clock.days >= 5) {
        const expected = this.level(key) * exposure;
        const cap = 4 * expected + 3 * Math.sqrt(expected) + 10;
        if (count > cap) count = cap;
      }
      this.#levels[key] = this.#level(key) * this.#clock.decay(1) + count;
      this.#levelDay[key] = learned + 1;
      if (this.#levels[key] >= HEAVY_FROM && !this.#variances.has(key)) this.#variances.set(key, emptyVariance());
    }
    for (const variance of this.#variances.values()) sealVariance(variance, day, this.#clock.decay(1));
    this.#book?.seal(day);
  }

  /** Begins a day, after the days that it seals were sealed. */
  beginDay(day: number): void {
    for (const [key, variance] of this.#variances) {
      const level = this.#level(key);
      variance.heavy = this.#alwaysHeavy || level >= (variance.heavy ? HEAVY_UNTIL : HEAVY_FROM);
      variance.levelToday = this.level(key);
      variance.quarters.fill(0);
    }
    // A window that began yesterday still holds rows: today's peaks begin with them.
    this.#book?.beginDay(day);
  }

  #level(key: number): number {
    if (key >= this.#capacity || this.#levels[key] === 0) return 0;
    return this.#levels[key] * this.#clock.decay(this.#clock.learnedDays - this.#levelDay[key]);
  }

  #phi(key: number, window: number): number {
    const phi0 = this.settings.phi0[window];
    const variance = this.#variances.get(key);
    if (variance === undefined || !variance.heavy) return phi0;
    return clampedPhi(phi0, variance.excess[window], variance.weight[window]);
  }

  #learnVariance(key: number, variance: Variance, day: number): void {
    const dayMs = day * DAY_MS;
    const contribution = { day, excess: new Float64Array(4), weight: new Float64Array(4) };
    for (let window = 0; window < 4; window++) {
      const quarters = WINDOW_QUARTERS[window];
      const phi0 = this.settings.phi0[window];
      const phi = this.#phi(key, window);
      for (let first = 0; first < QUARTERS_PER_DAY; first += quarters) {
        let count = 0;
        for (let quarter = first; quarter < first + quarters; quarter++) count += variance.quarters[quarter];
        const fromMs = dayMs + first * WINDOW_MS[0];
        const forecast = (variance.levelToday / 24) * this.#clock.seasonHours(fromMs, fromMs + WINDOW_MS[window]);
        const mean = forecast < 1e-6 ? 1e-6 : forecast;
        const cap = mean + 8 * Math.sqrt(mean + phi * mean * mean);
        const deviation = Math.min(count, cap) - mean;
        const share = (phi0 * mean) / (1 + phi0 * mean);
        const weight = share * share;
        contribution.excess[window] += (weight * (deviation * deviation - mean)) / (mean * mean);
        contribution.weight[window] += weight;
      }
    }
    variance.pending.push(contribution);
  }

  #grow(key: number): void {
    let capacity = this.#capacity;
    while (capacity <= key) capacity *= 2;
    this.#counts = grown(this.#counts, new Int32Array(capacity * 4));
    this.#dayCounts = grown(this.#dayCounts, new Int32Array(capacity));
    this.#dayPeaks = grown(this.#dayPeaks, new Int32Array(capacity * 4));
    this.#levels = grown(this.#levels, new Float64Array(capacity));
    this.#levelDay = grown(this.#levelDay, new Int32Array(capacity));
    this.#capacity = capacity;
  }
}

function grown<Column extends Int32Array | Float64Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

function emptyVariance(): Variance {
  return {
    excess: new Float64Array(4),
    weight: new Float64Array(4),
    heavy: false,
    levelToday: 0,
    quarters: new Int32Array(QUARTERS_PER_DAY),
    pending: [],
  };
}

function sealVariance(variance: Variance, day: number, decay: number): void {
  const contribution = variance.pending[0];
  if (contribution === undefined || contribution.day !== day) return;
  variance.pending.shift();
  for (let window = 0; window < 4; window++) {
    variance.excess[window] = variance.excess[window] * decay + contribution.excess[window];
    variance.weight[window] = variance.weight[window] * decay + contribution.weight[window];
  }
}

function clampedPhi(phi0: number, excess: number, weight: number): number {
  const phi = (PHI_PRIOR_WEIGHT * phi0 + excess) / (PHI_PRIOR_WEIGHT + weight);
  return Math.min(4 * phi0, Math.max(PHI_FLOOR, phi));
}

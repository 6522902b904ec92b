/**
 * The ramp test of a series of the whole tenant: a negative binomial CUSUM over steps of six hours, for
 * mail that grows over days and never stands out in a single window. It keeps the likelihood of twice, five
 * and twenty times the expected mail against the expected; where that goes back to zero the ramp begins
 * (Höhle and Paul, Count data regression charts for the monitoring of surveillance time series, 2008).
 */

import { DAY_MS, HOUR_MS } from '../calendar.ts';
import type { RampStep } from '../explanation.ts';
import type { RampSettings } from '../series-settings.ts';
import type { DayClock } from './day-clock.ts';
import type { KeyedSeries } from './keyed-series.ts';

const STEP_MS = 6 * HOUR_MS;
const STEP_WINDOW = 2;
/** So many days are learned before anything adds up. */
const FIRST_DAY = 7;
/** Rates that are tried, as multiples of the expectation. */
const RATIOS = [2, 5, 20] as const;
/** What adds up for longer than this is what the baseline learns anyway. */
const MOST_MS = 14 * DAY_MS;
/** Less than this many times the expectation is no ramp, however long it lasts. */
const LEAST_RATIO = 1.6;
/** The sum never grows above so many thresholds, so that it comes down again after an attack. */
const MOST_THRESHOLDS = 3;

/** What a rate adds up to since its sum was last zero, the current step left out. */
interface RampSum {
  nats: number;
  count: number;
  mean: number;
  /** Start of the step in which the sum left zero, and the first row from there on. */
  sinceMs: number;
  firstRowMs: number;
}

/** A sum that has reached its threshold. */
export interface RampFinding {
  nats: number;
  /** Count and expectation since the sum was zero. */
  observed: number;
  mean: number;
  sinceMs: number;
  firstRowMs: number;
}

export interface RampTestState {
  stepMs: number;
  count: number;
  firstRowMs: number;
  isExplained: boolean;
  sums: RampSum[];
}

export class RampTest {
  readonly #settings: RampSettings;
  readonly #series: KeyedSeries;
  readonly #clock: DayClock;
  /** Start of the current step; NaN before the first. */
  #stepMs = Number.NaN;
  /** Of the current step. */
  #count = 0;
  #firstRowMs = 0;
  #isExplained = false;
  #mean = 0;
  /** Per ratio: what a row adds, and what the step takes away. */
  #gains: number[] = [];
  #costs: number[] = [];
  #sums: RampSum[] = RATIOS.map(() => zero());
  /** Steps since all sums were zero, for explanations; no part of the state. */
  #path: RampStep[] = [];

  constructor(settings: RampSettings, series: KeyedSeries, clock: DayClock) {
    this.#settings = settings;
    this.#series = series;
    this.#clock = clock;
  }

  save(): RampTestState {
    return {
      stepMs: this.#stepMs,
      count: this.#count,
      firstRowMs: this.#firstRowMs,
      isExplained: this.#isExplained,
      sums: this.#sums.map((sum) => ({ ...sum })),
    };
  }

  /** The clock and the series are loaded already. */
  load(state: Readonly<RampTestState>): void {
    this.#stepMs = state.stepMs;
    this.#count = state.count;
    this.#firstRowMs = state.firstRowMs;
    this.#isExplained = state.isExplained;
    this.#sums = state.sums.map((sum) => ({ ...sum }));
    if (!Number.isNaN(state.stepMs)) this.#prepareStep();
  }

  /** Ends the day that was walked, before the clock learns: its quiet steps count too. */
  endDay(day: number, isOpen: boolean): void {
    if (!Number.isNaN(this.#stepMs)) this.#advance((day + 1) * DAY_MS, isOpen);
    this.#stepMs = Number.NaN;
  }

  /** Begins a day, after the clock has learned. Days without rows are skipped: nothing is known of them. */
  beginDay(day: number): void {
    this.#stepMs = day * DAY_MS;
    this.#prepareStep();
  }

  /** Whether a time of the day is after the current step. */
  isBehind(timeMs: number): boolean {
    return timeMs >= this.#stepMs + STEP_MS;
  }

  /** Moves on to the step of a time of the day; `isOpen`: an incident of the series is open. */
  moveTo(timeMs: number, isOpen: boolean): void {
    this.#advance(timeMs, isOpen);
  }

  add(amount: number, timeMs: number): void {
    if (this.#count === 0) this.#firstRowMs = timeMs;
    this.#count += amount;
  }

  /** The rate whose sum is the highest of those that have reached the threshold and the floor. */
  test(timeMs: number): RampFinding | null {
    if (this.#clock.tenantDay < FIRST_DAY) return null;
    let best: RampFinding | null = null;
    this.#sums.forEach((sum, index) => {
      const nats = sum.nats + this.#count * this.#gains[index] - this.#costs[index];
      if (nats < this.#settings.threshold || sum.count + this.#count < this.#settings.floor) return;
      if (best !== null && nats <= best.nats) return;
      const observed = sum.count + this.#count;
      const mean = sum.mean + (this.#mean * (timeMs - this.#stepMs)) / STEP_MS;
      if (observed < LEAST_RATIO * mean) return;
      const hasBefore = sum.nats > 0;
      best = {
        nats,
        observed,
        mean,
        sinceMs: hasBefore ? sum.sinceMs : this.#stepMs,
        firstRowMs: hasBefore && sum.count > 0 ? sum.firstRowMs : this.#firstRowMs,
      };
    });
    return best;
  }

  /** The steps since all sums were zero, the current one as far as it is. */
  get path(): RampStep[] {
    const nats = this.#sums.map((sum, index) => sum.nats + this.#count * this.#gains[index] - this.#costs[index]);
    return [...this.#path, { startMs: this.#stepMs, count: this.#count, expected: this.#mean, nats }];
  }

  /** A benign label explains what the series counts now: the step adds nothing, and the sums begin anew. */
  explain(): void {
    this.#isExplained = true;
    this.reset();
  }

  reset(): void {
    this.#path = [];
    this.#sums = RATIOS.map(() => zero());
  }

  /** Ends the steps that end by `untilMs`. */
  #advance(untilMs: number, isOpen: boolean): void {
    while (this.#stepMs + STEP_MS <= untilMs) {
      if (this.#clock.tenantDay >= FIRST_DAY && !this.#isExplained) this.#endStep(isOpen);
      this.#stepMs += STEP_MS;
      this.#count = 0;
      this.#isExplained = false;
      if (this.#stepMs % DAY_MS !== 0) this.#prepareStep();
    }
  }

  #endStep(isOpen: boolean): void {
    const { threshold } = this.#settings;
    this.#sums.forEach((sum, index) => {
      const nats = sum.nats + this.#count * this.#gains[index] - this.#costs[index];
      // An open incident has told already what the sum would tell.
      const isStale = sum.nats > 0 && this.#stepMs - sum.sinceMs >= MOST_MS;
      if (nats <= 0 || isStale || (isOpen && nats >= threshold)) {
        this.#sums[index] = zero();
        return;
      }
      if (sum.nats === 0) sum.sinceMs = this.#stepMs;
      if (sum.count === 0) sum.firstRowMs = this.#firstRowMs;
      sum.nats = Math.min(nats, MOST_THRESHOLDS * threshold);
      sum.count += this.#count;
      sum.mean += this.#mean;
    });
    const nats = this.#sums.map((sum) => sum.nats);
    if (nats.every((sum) => sum === 0)) this.#path = [];
    else this.#path.push({ startMs: this.#stepMs, count: this.#count, expected: this.#mean, nats });
  }

  #prepareStep(): void {
    const { mean, inverseSize } = this.#series.expectation(0, STEP_WINDOW, this.#stepMs + STEP_MS);
    const size = 1 / inverseSize;
    this.#mean = mean;
    this.#gains = RATIOS.map((ratio) => Math.log((ratio * (size + mean)) / (size + ratio * mean)));
    this.#costs = RATIOS.map((ratio) => size * Math.log((size + ratio * mean) / (size + mean)));
  }
}

function zero(): RampSum {
  return { nats: 0, count: 0, mean: 0, sinceMs: 0, firstRowMs: 0 };
}

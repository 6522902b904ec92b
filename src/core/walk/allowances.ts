/**
 * What a benign verdict allows: half as much again as the incident had at its peak, in each window, for its
 * campaign keys, for 100 days. More than that is told again, and so is mail of other domains through the
 * same connector or address.
 */

import { dayOf } from '../calendar.ts';
import { type CampaignKey, keyId } from './campaign.ts';
import { WINDOW_MS } from './day-clock.ts';

const FACTOR = 1.5;
const DAYS = 100;

/** The largest counts of rows in the four trailing windows; rows come in order of time. */
export interface PeaksState {
  times: number[];
  weights: number[];
  firsts: number[];
  pairs: number[];
  weighted: number[];
}

export class Peaks {
  #times: number[] = [];
  #weights: number[] = [];
  readonly #firsts = [0, 0, 0, 0];
  readonly #counts = [0, 0, 0, 0];
  readonly #weightCounts = [0, 0, 0, 0];
  readonly pairs = [0, 0, 0, 0];
  readonly weighted = [0, 0, 0, 0];

  add(timeMs: number, weight: number): void {
    this.#times.push(timeMs);
    this.#weights.push(weight);
    for (let window = 0; window < 4; window++) {
      this.#counts[window]++;
      this.#weightCounts[window] += weight;
      let first = this.#firsts[window];
      while (this.#times[first] <= timeMs - WINDOW_MS[window]) {
        this.#counts[window]--;
        this.#weightCounts[window] -= this.#weights[first];
        first++;
      }
      this.#firsts[window] = first;
      this.pairs[window] = Math.max(this.pairs[window], this.#counts[window]);
      this.weighted[window] = Math.max(this.weighted[window], this.#weightCounts[window]);
    }
    this.#forget();
  }

  /** Rows that have left the longest window are dropped, many at a time. */
  #forget(): void {
    const oldest = this.#firsts[3];
    if (oldest < 1024 || oldest * 2 < this.#times.length) return;
    this.#times = this.#times.slice(oldest);
    this.#weights = this.#weights.slice(oldest);
    for (let window = 0; window < 4; window++) this.#firsts[window] -= oldest;
  }

  save(): PeaksState {
    return {
      times: this.#times.slice(this.#firsts[3]),
      weights: this.#weights.slice(this.#firsts[3]),
      firsts: this.#firsts.map((first) => first - this.#firsts[3]),
      pairs: this.pairs.slice(),
      weighted: this.weighted.slice(),
    };
  }

  static load(state: Readonly<PeaksState>): Peaks {
    const peaks = new Peaks();
    peaks.#times = state.times.slice();
    peaks.#weights = state.weights.slice();
    for (let window = 0; window < 4; window++) {
      const first = state.firsts[window];
      peaks.#firsts[window] = first;
      peaks.#counts[window] = peaks.#times.length - first;
      for (let index = first; index < peaks.#weights.length; index++)
        peaks.#weightCounts[window] += peaks.#weights[index];
      peaks.pairs[window] = state.pairs[window];
      peaks.weighted[window] = state.weighted[window];
    }
    return peaks;
  }
}

/** What one labelled incident allows. */
export interface Allowance {
  /** Campaign keys by their id. */
  keys: Set<string>;
  /** Sender domains of the incident: of a connector or an address only their mail is allowed. */
  domains: Set<number>;
  /** First and last UTC day on which it holds. */
  fromDay: number;
  untilDay: number;
  pairs: number[];
  weighted: number[];
}

export function allowanceOf(
  keys: Iterable<CampaignKey>,
  domains: Iterable<number>,
  lastActiveMs: number,
  peaks: Peaks,
): Allowance {
  const fromDay = dayOf(lastActiveMs) + 1;
  return {
    keys: new Set([...keys].map(keyId)),
    domains: new Set(domains),
    fromDay,
    untilDay: fromDay + DAYS - 1,
    pairs: peaks.pairs.map((peak) => peak * FACTOR),
    weighted: peaks.weighted.map((peak) => peak * FACTOR),
  };
}

/** The allowances of a tenant. */
export class Allowances {
  #all: Allowance[] = [];

  save(): Allowance[] {
    return structuredClone(this.#all);
  }

  load(state: readonly Allowance[]): void {
    this.#all = structuredClone([...state]);
  }

  add(allowance: Allowance): void {
    this.#all.push(allowance);
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /** Those that hold for a campaign key at a time. */
  of(key: CampaignKey, timeMs: number): Allowance[] {
    if (this.#all.length === 0) return [];
    const day = dayOf(timeMs);
    this.#all = this.#all.filter((allowance) => allowance.untilDay >= day);
    const id = keyId(key);
    return this.#all.filter((allowance) => allowance.fromDay <= day && allowance.keys.has(id));
  }
}

/** The day after which a labelled incident takes no more hits, if it is still open then. */
export function lastDayOfLabelled(labelledMs: number, detectedMs: number): number {
  return dayOf(Math.max(labelledMs, detectedMs));
}

/**
 * Drives one series as the walk does, and works out the same numbers again from the list of its rows:
 * counts by recounting, levels and variances by the formulas, from the first day on for every day.
 */

import { DAY_MS, dayOf, HOUR_MS, hourSlotsOf } from '../../../src/core/calendar.ts';
import type { SeriesSettings } from '../../../src/core/series-settings.ts';
import { DayClock, WINDOW_MS } from '../../../src/core/walk/day-clock.ts';
import { KeyedSeries } from '../../../src/core/walk/keyed-series.ts';
import { Season } from '../../../src/core/walk/season.ts';

export interface Event {
  timeMs: number;
  key: number;
  amount: number;
}

/** A series that is fed by events in order of time. */
export class SeriesDriver {
  readonly clock: DayClock;
  readonly series: KeyedSeries;
  readonly #events: Event[] = [];
  readonly #expired = [0, 0, 0, 0];

  constructor(settings: SeriesSettings, timeZone = 'UTC') {
    this.clock = new DayClock(hourSlotsOf(timeZone));
    this.series = new KeyedSeries(settings, this.clock);
  }

  /** Moves to a time without a row. */
  advance(timeMs: number): void {
    const day = dayOf(timeMs);
    if (day !== this.clock.day) {
      if (this.clock.day !== Number.NEGATIVE_INFINITY) this.series.endDay(this.clock.day);
      this.clock.enter(day, timeMs, (sealed, exposure) => this.series.seal(sealed, exposure));
      this.#expire(day * DAY_MS);
      this.series.beginDay(day);
    }
    this.#expire(timeMs);
  }

  add(event: Event): void {
    this.advance(event.timeMs);
    this.#events.push(event);
    this.clock.count(event.timeMs, event.amount);
    this.series.add(event.key, event.amount, event.timeMs);
  }

  #expire(timeMs: number): void {
    for (let window = 0; window < 4; window++) {
      let index = this.#expired[window];
      while (index < this.#events.length && this.#events[index].timeMs <= timeMs - WINDOW_MS[window]) {
        this.series.expire(this.#events[index].key, window, this.#events[index].amount);
        index++;
      }
      this.#expired[window] = index;
    }
  }
}

/** 0.5^(1/21), by the definition. */
const q = 0.5 ** (1 / 21);

interface State {
  season: Float64Array;
  B: number;
  N: number;
  /** Of the key: A, whether it is heavy today, P and G by window. */
  A: number;
  heavy: boolean;
  P: number[];
  G: number[];
}

/** What `detection.md` 4.2 says of one key, from the list of all events of the tenant. */
export class Recount {
  readonly #settings: SeriesSettings;
  readonly #events: readonly Event[];
  readonly #key: number;
  readonly #days: number[];
  readonly #slotsOf: (day: number) => Uint8Array;
  readonly #firstHourMs: number;
  readonly #states = new Map<number, State>();

  constructor(settings: SeriesSettings, events: readonly Event[], key: number, timeZone = 'UTC') {
    this.#settings = settings;
    this.#events = events;
    this.#key = key;
    this.#days = [...new Set(events.map((event) => dayOf(event.timeMs)))].sort((a, b) => a - b);
    const slotsOf = hourSlotsOf(timeZone);
    const slots = new Map<number, Uint8Array>();
    this.#slotsOf = (day) => slots.get(day) ?? slots.set(day, slotsOf(day)).get(day)!;
    this.#firstHourMs = Math.floor(events[0].timeMs / HOUR_MS) * HOUR_MS;
  }

  /** Rows of the key in (t − W, t]. */
  count(window: number, timeMs: number): number {
    return this.#sum(timeMs - WINDOW_MS[window] + 1, timeMs + 1, (event) => event.key === this.#key);
  }

  lambda(day: number): number {
    const { A, B } = this.#state(day);
    return (this.#a0 + A) / (this.#b0 + B);
  }

  mu(window: number, timeMs: number): number {
    const day = dayOf(timeMs);
    return this.#expected(day, timeMs - WINDOW_MS[window], timeMs);
  }

  phi(day: number, window: number): number {
    const { heavy, P, G } = this.#state(day);
    const phi0 = this.#settings.phi0[window];
    if (!heavy) return phi0;
    return Math.min(4 * phi0, Math.max(0.1, (20 * phi0 + P[window]) / (20 + G[window])));
  }

  inverseSize(window: number, timeMs: number): number {
    const day = dayOf(timeMs);
    const { A, N } = this.#state(day);
    return this.phi(day, window) + 1 / (this.#a0 + A) + this.phi(day, 3) / (N + 0.5);
  }

  get #b0(): number {
    return Math.max(0.5 / this.#settings.priorPerDay, 0.25);
  }

  get #a0(): number {
    return this.#b0 * this.#settings.priorPerDay;
  }

  #sum(fromMs: number, toMs: number, accept: (event: Event) => boolean): number {
    let first = 0;
    for (let end = this.#events.length; first < end; ) {
      const middle = (first + end) >>> 1;
      if (this.#events[middle].timeMs < fromMs) first = middle + 1;
      else end = middle;
    }
    let sum = 0;
    for (let index = first; index < this.#events.length && this.#events[index].timeMs < toMs; index++) {
      if (accept(this.#events[index])) sum += this.#events[index].amount;
    }
    return sum;
  }

  /** λ/24 × the season over (from, to], hour by hour, cut at the tenant's first hour. */
  #expected(day: number, fromMs: number, toMs: number): number {
    const { season } = this.#state(day);
    let hours = 0;
    for (let hourMs = Math.floor(fromMs / HOUR_MS) * HOUR_MS; hourMs < toMs; hourMs += HOUR_MS) {
      const from = Math.max(hourMs, fromMs, this.#firstHourMs);
      const to = Math.min(hourMs + HOUR_MS, toMs);
      if (to <= from) continue;
      const hourDay = dayOf(hourMs);
      hours += ((to - from) / HOUR_MS) * season[this.#slotsOf(hourDay)[(hourMs - hourDay * DAY_MS) / HOUR_MS]];
    }
    return (this.lambda(day) / 24) * hours;
  }

  /** Mean season of a day over its hours from the tenant's first on, as a share of a whole day. */
  #exposure(day: number): number {
    const slots = this.#slotsOf(day);
    const { season } = this.#state(day);
    let sum = 0;
    for (let hour = 0; hour < 24; hour++) {
      if (day * DAY_MS + hour * HOUR_MS >= this.#firstHourMs) sum += season[slots[hour]];
    }
    return sum / 24;
  }

  /** What is known at the start of a day: the days up to two before it, and nothing of days without rows. */
  #state(day: number): State {
    const known = this.#states.get(day);
    if (known !== undefined) return known;
    const season = new Season();
    let B = 0;
    let N = 0;
    let A = 0;
    let P = [0, 0, 0, 0];
    let G = [0, 0, 0, 0];
    for (const sealed of this.#days.filter((candidate) => candidate <= day - 2)) {
      const before = this.#state(sealed);
      const sd = this.#exposure(sealed);
      const start = sealed * DAY_MS;
      let x = this.#sum(start, start + DAY_MS, (event) => event.key === this.#key);
      const e = ((this.#a0 + A) / (this.#b0 + B)) * sd;
      if (N >= 5) x = Math.min(x, 4 * e + 3 * Math.sqrt(e) + 10);
      A = A * q + x;
      B = B * q + sd;
      N = N * q + Math.min(1, sd);
      if (before.heavy && sealed - this.#days[0] >= 5) {
        for (let window = 0; window < 4; window++) {
          const [excess, weight] = this.#variance(sealed, window);
          P = P.with(window, P[window] * q + excess);
          G = G.with(window, G[window] * q + weight);
        }
      }
      const hours = Float64Array.from({ length: 24 }, (_, hour) =>
        this.#sum(start + hour * HOUR_MS, start + (hour + 1) * HOUR_MS, () => true),
      );
      const firstHour = Math.max(0, (this.#firstHourMs - start) / HOUR_MS);
      season.learn(hours, this.#slotsOf(sealed), firstHour);
    }
    const previous = this.#days.filter((candidate) => candidate < day).at(-1);
    const wasHeavy = previous !== undefined && this.#state(previous).heavy;
    const heavy = this.#settings.key === 'tenant' || A >= (wasHeavy ? 10 : 20);
    const state = { season: season.profile, B, N, A, heavy, P, G };
    this.#states.set(day, state);
    return state;
  }

  /** Σ g ((X − μ)² − μ)/μ² and Σ g over the aligned windows of a day, against that day's own forecast. */
  #variance(day: number, window: number): [number, number] {
    const phi0 = this.#settings.phi0[window];
    const phi = this.phi(day, window);
    let excess = 0;
    let weights = 0;
    for (let fromMs = day * DAY_MS; fromMs < (day + 1) * DAY_MS; fromMs += WINDOW_MS[window]) {
      const toMs = fromMs + WINDOW_MS[window];
      const mu = Math.max(1e-6, this.#expected(day, fromMs, toMs));
      const x = Math.min(
        this.#sum(fromMs, toMs, (event) => event.key === this.#key),
        mu + 8 * Math.sqrt(mu + phi * mu * mu),
      );
      const g = ((phi0 * mu) / (1 + phi0 * mu)) ** 2;
      excess += (g * ((x - mu) ** 2 - mu)) / mu ** 2;
      weights += g;
    }
    return [excess, weights];
  }
}

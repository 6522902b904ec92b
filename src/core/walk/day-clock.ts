/**
 * What all series of a tenant share: the day, the season over the hours around it, and how much has
 * been learned. Expectation of a window = level per day / 24 × the season summed over its hours.
 */

import { DAY_MS, dayOf, HOUR_MS, type HourSlots } from '../calendar.ts';
import { Season, type SeasonState } from './season.ts';

/** Half-life of levels 21 days: 0.5^(1/21). */
export const LEVEL_DECAY = 0.9675317785238916;

export const WINDOW_MS = [15 * 60_000, HOUR_MS, 6 * HOUR_MS, DAY_MS] as const;
export const WINDOW_NAMES = ['15m', '1h', '6h', '24h'] as const;

/** A day as it was walked, to be learned when it is sealed. */
interface WalkedDay {
  day: number;
  /** Mean season of the day, over the hours from the tenant's first row on, as a share of a whole day. */
  exposure: number;
  /** Weighted external rows by UTC hour. */
  hours: Float64Array;
  slots: Uint8Array;
  firstHour: number;
}

export interface DayClockState {
  season: SeasonState;
  walked: WalkedDay[];
  today: WalkedDay | null;
  firstHourMs: number;
  exposure: number;
  days: number;
  learnedDays: number;
}

export class DayClock {
  readonly #slotsOf: HourSlots;
  readonly #season = new Season();
  /** Season summed over the hours from 00:00 of the day before to the end of the day. */
  readonly #cumulative = new Float64Array(49);
  readonly #quarterHours = new Float64Array(96);
  readonly #decayPowers: number[] = [1];
  #walked: WalkedDay[] = [];
  #today: WalkedDay | null = null;
  #firstHourMs = 0;
  #exposure = 0;
  #days = 0;
  #learnedDays = 0;
  /** Season summed over the windows that end at `#windowsEndMs`, in hours. */
  readonly #windowHours = new Float64Array(WINDOW_MS.length);
  #windowsEndMs = Number.NaN;

  constructor(slotsOf: HourSlots) {
    this.#slotsOf = slotsOf;
  }

  save(): DayClockState {
    return structuredClone({
      season: this.#season.save(),
      walked: this.#walked,
      today: this.#today,
      firstHourMs: this.#firstHourMs,
      exposure: this.#exposure,
      days: this.#days,
      learnedDays: this.#learnedDays,
    });
  }

  load(saved: Readonly<DayClockState>): void {
    const state = structuredClone(saved);
    this.#season.load(state.season);
    this.#walked = state.walked;
    this.#today = state.today;
    this.#firstHourMs = state.firstHourMs;
    this.#exposure = state.exposure;
    this.#days = state.days;
    this.#learnedDays = state.learnedDays;
    if (state.today !== null) this.#lookAhead(state.today);
  }

  get day(): number {
    return this.#today === null ? Number.NEGATIVE_INFINITY : this.#today.day;
  }

  /** Days since the tenant's first row; its own day is 0. */
  get tenantDay(): number {
    return this.day - dayOf(this.#firstHourMs);
  }

  /** The tenant's first row, cut to the hour. */
  get firstHourMs(): number {
    return this.#firstHourMs;
  }

  /** B: decayed sum of the exposures of learned days. */
  get exposure(): number {
    return this.#exposure;
  }

  /** N: decayed number of learned days. */
  get days(): number {
    return this.#days;
  }

  /** Number of days learned, without decay: what lazy decay counts by. */
  get learnedDays(): number {
    return this.#learnedDays;
  }

  /** Season summed over each quarter of an hour of the day, in hours. */
  get quarterHours(): Float64Array {
    return this.#quarterHours;
  }

  /** LEVEL_DECAY to the power of a number of learned days, by repeated multiplication. */
  decay(days: number): number {
    while (this.#decayPowers.length <= days) {
      this.#decayPowers.push(this.#decayPowers[this.#decayPowers.length - 1] * LEVEL_DECAY);
    }
    return this.#decayPowers[days];
  }

  /**
   * Moves to the day of a row. `beforeLearning` is called for each day that this seals, oldest first,
   * with the exposure of that day, while the levels are still those before it.
   */
  enter(day: number, firstRowMs: number, beforeLearning: (day: number, exposure: number) => void): void {
    if (this.#today === null) this.#firstHourMs = Math.floor(firstRowMs / HOUR_MS) * HOUR_MS;
    else this.#walked.push(this.#today);
    const open: WalkedDay[] = [];
    for (const walked of this.#walked) {
      if (walked.day > day - 2) {
        open.push(walked);
        continue;
      }
      beforeLearning(walked.day, walked.exposure);
      this.#exposure = this.#exposure * LEVEL_DECAY + walked.exposure;
      this.#days = this.#days * LEVEL_DECAY + Math.min(1, walked.exposure);
      this.#learnedDays++;
      this.#season.learn(walked.hours, walked.slots, walked.firstHour);
    }
    this.#walked = open;
    const dayMs = day * DAY_MS;
    const firstHour = dayMs >= this.#firstHourMs ? 0 : (this.#firstHourMs - dayMs) / HOUR_MS;
    this.#today = { day, exposure: 0, hours: new Float64Array(24), slots: this.#slotsOf(day), firstHour };
    this.#lookAhead(this.#today);
    this.#today.exposure = (this.#cumulative[48] - this.#cumulative[24 + firstHour]) / 24;
  }

  /** Works out the season over the hours around a day. */
  #lookAhead({ day, slots }: WalkedDay): void {
    this.#windowsEndMs = Number.NaN;
    const profile = this.#season.profile;
    const slotsBefore = this.#slotsOf(day - 1);
    for (let hour = 0; hour < 48; hour++) {
      const slot = hour < 24 ? slotsBefore[hour] : slots[hour - 24];
      this.#cumulative[hour + 1] = this.#cumulative[hour] + profile[slot];
    }
    for (let quarter = 0; quarter < 96; quarter++) {
      this.#quarterHours[quarter] = profile[slots[Math.floor(quarter / 4)]] / 4;
    }
  }

  /** Counts a weighted external row for the season. */
  count(timeMs: number, weight: number): void {
    const today = this.#today as WalkedDay;
    today.hours[Math.floor((timeMs - today.day * DAY_MS) / HOUR_MS)] += weight;
  }

  /** Season summed over the hours in (fromMs, toMs], in hours; windows are cut at the tenant's first hour. */
  seasonHours(fromMs: number, toMs: number): number {
    return this.#seasonAt(toMs) - this.#seasonAt(fromMs < this.#firstHourMs ? this.#firstHourMs : fromMs);
  }

  /** Season summed over the window that ends at a time, in hours: worked out once for all series. */
  windowHours(window: number, timeMs: number): number {
    if (timeMs !== this.#windowsEndMs) {
      this.#windowsEndMs = timeMs;
      for (let each = 0; each < WINDOW_MS.length; each++) {
        this.#windowHours[each] = this.seasonHours(timeMs - WINDOW_MS[each], timeMs);
      }
    }
    return this.#windowHours[window];
  }

  #seasonAt(timeMs: number): number {
    const hours = (timeMs - (this.day - 1) * DAY_MS) / HOUR_MS;
    const hour = Math.min(47, Math.max(0, Math.floor(hours)));
    return this.#cumulative[hour] + (hours - hour) * (this.#cumulative[hour + 1] - this.#cumulative[hour]);
  }
}

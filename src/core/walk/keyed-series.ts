/**
 * One series: exact counts per key over the four trailing windows, what each key normally does, and
 * the scan test. The row log adds and expires rows; the day clock seals days.
 */

import { DAY_MS } from '../calendar.ts';
import type { SeriesSettings } from '../series-settings.ts';
import { type DayClock, WINDOW_MS } from './day-clock.ts';
import { type PeakRecords, RecordBook, type RecordBookState } from './record-book.ts';
import { scanScore } from './statistics.ts';
import { grown, Variances, type VariancesState } from './variances.ts';

/** Days of a tenant in which nothing can be new. */
export const YOUNG_DAYS = 7;

const LEAST_CAPACITY = 64;

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

interface WalkedDay {
  day: number;
  keys: Int32Array;
  counts: Int32Array;
}

export interface KeyedSeriesState {
  slots: Int32Array;
  freeSlots: number[];
  counts: Int32Array;
  dayCounts: Int32Array;
  dayPeaks: Int32Array;
  levels: Float64Array;
  levelDay: Int32Array;
  today: number[];
  walked: WalkedDay[];
  variances: VariancesState;
  records: RecordBookState | null;
  abused: Map<number, Set<number>>;
}

export class KeyedSeries {
  readonly settings: SeriesSettings;
  readonly records: PeakRecords | null;
  readonly #clock: DayClock;
  readonly #book: RecordBook | null;
  readonly #priorCount: number;
  readonly #priorExposure: number;
  #capacity = LEAST_CAPACITY;
  /** Keys that ever had a slot are below it. */
  #keyCount = 0;
  /** Slot by key of what is counted now; 0 where a key has no row in a window, as most have most of the time. */
  #slots: Int32Array = new Int32Array(this.#capacity);
  #freeSlots: number[] = [];
  /** Slots in use or free again; slot 0 stays empty. */
  #slotCount = 1;
  #counts: Int32Array = new Int32Array(64 * 4);
  #dayCounts: Int32Array = new Int32Array(64);
  #dayPeaks: Int32Array = new Int32Array(64 * 4);
  /** A: decayed sum of the counts of sealed days, as of `#levelDay`. */
  #levels: Float64Array = new Float64Array(this.#capacity);
  #levelDay: Int32Array = new Int32Array(this.#capacity);
  #today: number[] = [];
  #walked: WalkedDay[] = [];
  readonly #variances: Variances;
  /** Keys of days that teach nothing, by day: an incident labelled as abuse was active. */
  readonly #abused = new Map<number, Set<number>>();

  constructor(settings: SeriesSettings, clock: DayClock) {
    this.settings = settings;
    this.#clock = clock;
    this.#book = settings.recordFloor ? new RecordBook(settings.floors) : null;
    this.records = this.#book;
    this.#priorExposure = Math.max(0.5 / settings.priorPerDay, 0.25);
    this.#priorCount = this.#priorExposure * settings.priorPerDay;
    this.#variances = new Variances(settings.phi0, clock);
    // The only key of a tenant's series shows its own variance from the first day on.
    if (settings.key === 'tenant') this.#variances.consider(0, Number.POSITIVE_INFINITY);
  }

  /** The days that were walked are shared with the state: they never change. */
  save(): KeyedSeriesState {
    return {
      slots: this.#slots.slice(0, this.#keyCount),
      freeSlots: this.#freeSlots.slice(),
      counts: this.#counts.slice(0, this.#slotCount * 4),
      dayCounts: this.#dayCounts.slice(0, this.#slotCount),
      dayPeaks: this.#dayPeaks.slice(0, this.#slotCount * 4),
      levels: this.#levels.slice(0, this.#keyCount),
      levelDay: this.#levelDay.slice(0, this.#keyCount),
      today: this.#today.slice(),
      walked: this.#walked.slice(),
      variances: this.#variances.save(),
      records: this.#book?.save() ?? null,
      abused: structuredClone(this.#abused),
    };
  }

  load(state: Readonly<KeyedSeriesState>): void {
    this.#keyCount = state.slots.length;
    this.#capacity = Math.max(LEAST_CAPACITY, this.#keyCount);
    this.#slots = grown(state.slots, new Int32Array(this.#capacity));
    this.#freeSlots = state.freeSlots.slice();
    this.#slotCount = state.dayCounts.length;
    this.#counts = state.counts.slice();
    this.#dayCounts = state.dayCounts.slice();
    this.#dayPeaks = state.dayPeaks.slice();
    this.#levels = grown(state.levels, new Float64Array(this.#capacity));
    this.#levelDay = grown(state.levelDay, new Int32Array(this.#capacity));
    this.#today = state.today.slice();
    this.#walked = state.walked.slice();
    this.#variances.load(state.variances);
    if (state.records !== null) this.#book?.load(state.records);
    this.#abused.clear();
    for (const [day, keys] of state.abused) this.#abused.set(day, new Set(keys));
  }

  /** The count of a key in a window. */
  count(key: number, window: number): number {
    return key < this.#capacity ? this.#counts[this.#slots[key] * 4 + window] : 0;
  }

  /** A row enters all windows. */
  add(key: number, amount: number, timeMs: number): void {
    if (key >= this.#capacity) this.#grow(key);
    let slot = this.#slots[key];
    if (slot === 0) slot = this.#takeSlot(key);
    const counts = this.#counts;
    const peaks = this.#dayPeaks;
    for (let index = slot * 4; index < slot * 4 + 4; index++) {
      const count = counts[index] + amount;
      counts[index] = count;
      if (count > peaks[index]) peaks[index] = count;
    }
    if (this.#dayCounts[slot] === 0) this.#today.push(key);
    this.#dayCounts[slot] += amount;
    this.#variances.count(key, Math.floor((timeMs - this.#clock.day * DAY_MS) / WINDOW_MS[0]), amount);
  }

  /** A row leaves a window. */
  expire(key: number, window: number, amount: number): void {
    const slot = this.#slots[key];
    const count = this.#counts[slot * 4 + window] - amount;
    this.#counts[slot * 4 + window] = count;
    // The longest window is the last to forget a row.
    if (count === 0 && window === 3 && this.#dayCounts[slot] === 0) this.#freeSlot(key);
  }

  /** The floor that a count must reach: the series', raised by records. */
  floor(key: number, window: number): number {
    const floor = this.settings.floors[window];
    if (this.#book === null) return floor;
    return Math.max(floor, this.#book.floor(key, window));
  }

  /** A count is a hit from this score on, now. */
  get zCritical(): number {
    return this.#clock.tenantDay < YOUNG_DAYS ? this.settings.youngZCritical : this.settings.zCritical;
  }

  /** Whether a sealed day had rows of the key. */
  hasLearned(key: number): boolean {
    return key < this.#capacity && this.#levels[key] > 0;
  }

  /** Expected count per day. */
  level(key: number): number {
    return (this.#priorCount + this.#level(key)) / (this.#priorExposure + this.#clock.exposure);
  }

  expectation(key: number, window: number, timeMs: number): Expectation {
    const known = this.#priorCount + this.#level(key);
    const perHour = known / (this.#priorExposure + this.#clock.exposure) / 24;
    const mean = perHour * this.#clock.windowHours(window, timeMs);
    const uncertainty = 1 / known + this.#variances.phi(key, 3) / (this.#clock.days + 0.5);
    return { mean, inverseSize: this.#variances.phi(key, window) + uncertainty };
  }

  /** The scan test of a key: the window with the largest score, the shortest where scores are equal. */
  test(key: number, timeMs: number): Finding | null {
    if (this.#clock.tenantDay < this.settings.testedFromDay) return null;
    return this.testAbove(key, timeMs, null);
  }

  /** The same with floors that are raised to what is allowed in each window. */
  testAbove(key: number, timeMs: number, allowed: readonly number[] | null): Finding | null {
    let best: Finding | null = null;
    const critical = this.zCritical;
    for (let window = 0; window < 4; window++) {
      const observed = this.count(key, window);
      if (observed < this.settings.floors[window] || observed < this.floor(key, window)) continue;
      if (allowed !== null && observed < allowed[window]) continue;
      const { mean, inverseSize } = this.expectation(key, window, timeMs);
      const score = scanScore(observed, mean, inverseSize);
      if (score < critical || (best !== null && score <= best.score)) continue;
      best = { mean, inverseSize, window, observed, score };
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

  /** Of a key, this day teaches nothing: it was abused. */
  teachNothing(key: number, day: number): void {
    const keys = this.#abused.get(day);
    if (keys === undefined) this.#abused.set(day, new Set([key]));
    else keys.add(key);
  }

  /** Whether a day that is not sealed yet teaches nothing of a key. */
  isAbused(key: number, day: number): boolean {
    return this.#abused.get(day)?.has(key) ?? false;
  }

  /** Ends the day that was walked last; its rows stay open until `seal`. */
  endDay(day: number): void {
    this.#variances.endDay(day, this.#clock.quarterHours);
    this.#book?.endDay(day, this.#today, this.#slots, this.#dayPeaks, this.#abused.get(day));
    const keys = new Int32Array(this.#today);
    const counts = new Int32Array(keys.length);
    for (let index = 0; index < keys.length; index++) {
      const slot = this.#slots[keys[index]];
      counts[index] = this.#dayCounts[slot];
      this.#dayCounts[slot] = 0;
      if (this.#counts[slot * 4 + 3] === 0) this.#freeSlot(keys[index]);
    }
    this.#walked.push({ day, keys, counts });
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
    const abused = this.#abused.get(day);
    for (let index = 0; index < walked.keys.length; index++) {
      const key = walked.keys[index];
      let count = walked.counts[index];
      const expected = this.level(key) * exposure;
      // What was expected moves the level nowhere.
      if (abused?.has(key)) count = expected;
      else if (this.#clock.days >= 5) {
        const cap = 4 * expected + 3 * Math.sqrt(expected) + 10;
        if (count > cap) count = cap;
      }
      this.#levels[key] = this.#level(key) * this.#clock.decay(1) + count;
      this.#levelDay[key] = learned + 1;
      this.#variances.consider(key, this.#levels[key]);
    }
    this.#variances.seal(day, this.#clock.decay(1), abused);
    this.#book?.seal(day);
    this.#abused.delete(day);
  }

  /** Begins a day, after the days that it seals were sealed. */
  beginDay(day: number): void {
    const isTenant = this.settings.key === 'tenant';
    this.#variances.beginDay(
      (key) => (isTenant ? Number.POSITIVE_INFINITY : this.#level(key)),
      (key) => this.level(key),
    );
    // A window that began yesterday still holds rows: today's peaks begin with them.
    this.#book?.beginDay(day);
  }

  #level(key: number): number {
    if (key >= this.#capacity || this.#levels[key] === 0) return 0;
    return this.#levels[key] * this.#clock.decay(this.#clock.learnedDays - this.#levelDay[key]);
  }

  #takeSlot(key: number): number {
    const slot = this.#freeSlots.pop() ?? this.#slotCount++;
    if (slot >= this.#dayCounts.length) {
      this.#counts = grown(this.#counts, new Int32Array(slot * 8));
      this.#dayCounts = grown(this.#dayCounts, new Int32Array(slot * 2));
      this.#dayPeaks = grown(this.#dayPeaks, new Int32Array(slot * 8));
    }
    this.#slots[key] = slot;
    if (key >= this.#keyCount) this.#keyCount = key + 1;
    return slot;
  }

  /** The slot of a key is empty; its peaks are those of the day. */
  #freeSlot(key: number): void {
    const slot = this.#slots[key];
    this.#dayPeaks.fill(0, slot * 4, slot * 4 + 4);
    this.#slots[key] = 0;
    this.#freeSlots.push(slot);
  }

  #grow(key: number): void {
    let capacity = this.#capacity;
    while (capacity <= key) capacity *= 2;
    this.#slots = grown(this.#slots, new Int32Array(capacity));
    this.#levels = grown(this.#levels, new Float64Array(capacity));
    this.#levelDay = grown(this.#levelDay, new Int32Array(capacity));
    this.#capacity = capacity;
  }
}

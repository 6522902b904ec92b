/**
 * When sources of mail fell silent and came back. A server that was cut off sends what it kept in its
 * queue as soon as it can: the flush is known by the gap before it, and by its size.
 */

import { dayOf, HOUR_MS } from '../calendar.ts';
import type { DayClock } from './day-clock.ts';
import { KeyCounts } from './key-counts.ts';
import { grown } from './variances.ts';

/** A silence is a gap where so many rows were expected in it. */
const GAP_ROWS = 5;
/** A flush is over an hour after the source came back. */
const FLUSH_MS = HOUR_MS;
const LEAST_CAPACITY = 64;

/** A source sends again: since when, and how many rows were missing in the gap before. */
interface Return {
  readonly backMs: number;
  readonly missed: number;
}

interface WalkedDay {
  day: number;
  counts: Map<number, number>;
}

export interface SourceActivityState {
  levels: Float64Array;
  levelDay: Int32Array;
  lastMs: Float64Array;
  back: Map<number, Return>;
  today: Map<number, number>;
  walked: WalkedDay[];
}

export class SourceActivity {
  readonly #clock: DayClock;
  #capacity = LEAST_CAPACITY;
  /** Keys that ever had a row are below it. */
  #keyCount = 0;
  /** Decayed rows of sealed days, as of `#levelDay`. */
  #levels: Float64Array = new Float64Array(this.#capacity);
  #levelDay: Int32Array = new Int32Array(this.#capacity);
  #lastMs: Float64Array = new Float64Array(this.#capacity);
  /** Sources that came back from a gap, today or yesterday. */
  readonly #back = new Map<number, Return>();
  readonly #today = new KeyCounts();
  #walked: WalkedDay[] = [];

  constructor(clock: DayClock) {
    this.#clock = clock;
  }

  /** The days that were walked are shared with the state: they never change. */
  save(): SourceActivityState {
    return {
      levels: this.#levels.slice(0, this.#keyCount),
      levelDay: this.#levelDay.slice(0, this.#keyCount),
      lastMs: this.#lastMs.slice(0, this.#keyCount),
      back: new Map(this.#back),
      today: this.#today.toMap(),
      walked: this.#walked.slice(),
    };
  }

  load(state: Readonly<SourceActivityState>): void {
    this.#keyCount = state.levels.length;
    this.#capacity = Math.max(LEAST_CAPACITY, this.#keyCount);
    this.#levels = grown(state.levels, new Float64Array(this.#capacity));
    this.#levelDay = grown(state.levelDay, new Int32Array(this.#capacity));
    this.#lastMs = grown(state.lastMs, new Float64Array(this.#capacity));
    this.#back.clear();
    for (const [key, back] of state.back) this.#back.set(key, back);
    this.#today.clear();
    for (const [key, count] of state.today) this.#today.add(key, count);
    this.#walked = state.walked.slice();
  }

  /** A row of the source leaves at this time. */
  add(key: number, timeMs: number): void {
    if (key >= this.#capacity) this.#grow(key);
    if (key >= this.#keyCount) this.#keyCount = key + 1;
    const lastMs = this.#lastMs[key];
    this.#lastMs[key] = timeMs;
    this.#today.add(key, 1);
    // Within ten minutes no source that we know misses five rows of its own; most rows end here.
    if (timeMs - lastMs < HOUR_MS / 6 || lastMs === 0) return;
    const missed = this.#expectedBetween(key, lastMs, timeMs);
    if (missed < GAP_ROWS) return;
    this.#back.set(key, { backMs: timeMs, missed });
  }

  /** Rows that were missing in the gap from which the source came back within the hour before; 0 where it did not. */
  flushOf(key: number, timeMs: number): number {
    const back = this.#back.get(key);
    return back === undefined || back.backMs < timeMs - FLUSH_MS ? 0 : back.missed;
  }

  endDay(day: number): void {
    for (const [key, { backMs }] of this.#back) if (dayOf(backMs) < day) this.#back.delete(key);
    this.#walked.push({ day, counts: this.#today.toMap() });
    this.#today.clear();
  }

  /** Learns a sealed day; the clock has not learned it yet. */
  seal(day: number): void {
    if (this.#walked[0]?.day !== day) return;
    const [{ counts }] = this.#walked;
    this.#walked.shift();
    for (const [key, count] of counts) {
      this.#levels[key] = this.#level(key) * this.#clock.decay(1) + count;
      this.#levelDay[key] = this.#clock.learnedDays + 1;
    }
  }

  /** The season of the days before yesterday is taken to be that of yesterday. */
  #expectedBetween(key: number, fromMs: number, toMs: number): number {
    if (this.#clock.exposure === 0) return 0;
    const perHour = this.#level(key) / this.#clock.exposure / 24;
    return perHour * this.#clock.seasonHours(fromMs, toMs);
  }

  #level(key: number): number {
    return this.#levels[key] === 0
      ? 0
      : this.#levels[key] * this.#clock.decay(this.#clock.learnedDays - this.#levelDay[key]);
  }

  #grow(key: number): void {
    while (this.#capacity <= key) this.#capacity *= 2;
    this.#levels = grown(this.#levels, new Float64Array(this.#capacity));
    this.#levelDay = grown(this.#levelDay, new Int32Array(this.#capacity));
    this.#lastMs = grown(this.#lastMs, new Float64Array(this.#capacity));
  }
}

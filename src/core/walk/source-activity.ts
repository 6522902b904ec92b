/**
 * When sources of mail fell silent and came back. A server that was cut off sends what it kept in its
 * queue as soon as it can: the flush is known by the gap before it, and by its size.
 */

import { HOUR_MS } from '../calendar.ts';
import type { DayClock } from './day-clock.ts';
import { KeyCounts } from './key-counts.ts';
import { grown } from './variances.ts';

/** A silence is a gap where so many rows were expected in it. */
const GAP_ROWS = 5;
/** A flush is over an hour after the source came back. */
const FLUSH_MS = HOUR_MS;

interface WalkedDay {
  day: number;
  counts: Map<number, number>;
}

export interface SourceActivityState {
  levels: Float64Array;
  levelDay: Int32Array;
  lastMs: Float64Array;
  backMs: Float64Array;
  missed: Float64Array;
  today: Map<number, number>;
  walked: WalkedDay[];
}

export class SourceActivity {
  readonly #clock: DayClock;
  #capacity = 64;
  /** Decayed rows of sealed days, as of `#levelDay`. */
  #levels: Float64Array = new Float64Array(this.#capacity);
  #levelDay: Int32Array = new Int32Array(this.#capacity);
  #lastMs: Float64Array = new Float64Array(this.#capacity);
  /** When the source came back from its last gap, and how many rows were missing in it. */
  #backMs: Float64Array = new Float64Array(this.#capacity);
  #missed: Float64Array = new Float64Array(this.#capacity);
  readonly #today = new KeyCounts();
  #walked: WalkedDay[] = [];

  constructor(clock: DayClock) {
    this.#clock = clock;
  }

  /** The days that were walked are shared with the state: they never change. */
  save(): SourceActivityState {
    return {
      levels: this.#levels.slice(),
      levelDay: this.#levelDay.slice(),
      lastMs: this.#lastMs.slice(),
      backMs: this.#backMs.slice(),
      missed: this.#missed.slice(),
      today: this.#today.toMap(),
      walked: this.#walked.slice(),
    };
  }

  load(state: Readonly<SourceActivityState>): void {
    this.#capacity = state.levels.length;
    this.#levels = state.levels.slice();
    this.#levelDay = state.levelDay.slice();
    this.#lastMs = state.lastMs.slice();
    this.#backMs = state.backMs.slice();
    this.#missed = state.missed.slice();
    this.#today.clear();
    for (const [key, count] of state.today) this.#today.add(key, count);
    this.#walked = state.walked.slice();
  }

  /** A row of the source leaves at this time. */
  add(key: number, timeMs: number): void {
    if (key >= this.#capacity) this.#grow(key);
    const lastMs = this.#lastMs[key];
    this.#lastMs[key] = timeMs;
    this.#today.add(key, 1);
    // Within ten minutes no source that we know misses five rows of its own; most rows end here.
    if (timeMs - lastMs < HOUR_MS / 6 || lastMs === 0) return;
    const missed = this.#expectedBetween(key, lastMs, timeMs);
    if (missed < GAP_ROWS) return;
    this.#backMs[key] = timeMs;
    this.#missed[key] = missed;
  }

  /** Rows that were missing in the gap from which the source came back within the hour before; 0 where it did not. */
  flushOf(key: number, timeMs: number): number {
    if (key >= this.#capacity || this.#backMs[key] < timeMs - FLUSH_MS) return 0;
    return this.#missed[key];
  }

  endDay(day: number): void {
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
    this.#backMs = grown(this.#backMs, new Float64Array(this.#capacity));
    this.#missed = grown(this.#missed, new Float64Array(this.#capacity));
  }
}

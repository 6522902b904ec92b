/**
 * The records of a series: the largest counts that its keys reached in each window over the last 60
 * sealed days. A count that a key, or two other keys of its class, have reached before is no news.
 */

import type { PerWindow } from '../series-settings.ts';

const KEPT_DAYS = 60;
/** Only keys that are known for so many sealed days set records. */
const KNOWN_DAYS = 7;
const RECORD_FACTOR = 1.2;
/** On a day of an incident a peak counts up to this many times the record before it. */
const INCIDENT_FACTOR = 3;
/** The third-largest record of the other keys counts for a key. */
const CLASS_RANK = 3;

/** What may be asked of the records. */
export interface PeakRecords {
  /** The key's own record in a window, 0 where it has none. */
  own(key: number, window: number): number;
  /** Sealed days since the key was first seen. */
  knownDays(key: number): number;
}

interface DayPeaks {
  day: number;
  key: number;
  peaks: number[];
}

export interface RecordBookState {
  firstDay: Map<number, number>;
  incidentKeys: Set<number>;
  walked: DayPeaks[];
  sealed: DayPeaks[];
  own: Map<number, number[]>;
  largest: { key: number; peak: number }[][];
  lastSealedDay: number;
}

export class RecordBook implements PeakRecords {
  readonly #floors: PerWindow;
  #firstDay = new Map<number, number>();
  #incidentKeys = new Set<number>();
  #walked: DayPeaks[] = [];
  #sealed: DayPeaks[] = [];
  #own = new Map<number, number[]>();
  /** The largest records per window, descending. */
  #largest: { key: number; peak: number }[][] = [[], [], [], []];
  #lastSealedDay = Number.NEGATIVE_INFINITY;

  constructor(floors: PerWindow) {
    this.#floors = floors;
  }

  /** Peaks and records are shared with the state: they are replaced, never changed. */
  save(): RecordBookState {
    return {
      firstDay: new Map(this.#firstDay),
      incidentKeys: new Set(this.#incidentKeys),
      walked: this.#walked.slice(),
      sealed: this.#sealed.slice(),
      own: this.#own,
      largest: this.#largest,
      lastSealedDay: this.#lastSealedDay,
    };
  }

  load(state: Readonly<RecordBookState>): void {
    this.#firstDay = new Map(state.firstDay);
    this.#incidentKeys = new Set(state.incidentKeys);
    this.#walked = state.walked.slice();
    this.#sealed = state.sealed.slice();
    this.#own = state.own;
    this.#largest = state.largest;
    this.#lastSealedDay = state.lastSealedDay;
  }

  own(key: number, window: number): number {
    return this.#own.get(key)?.[window] ?? 0;
  }

  knownDays(key: number): number {
    const first = this.#firstDay.get(key);
    return first === undefined ? 0 : Math.max(0, this.#lastSealedDay - first + 1);
  }

  floor(key: number, window: number): number {
    const largest = this.#largest[window];
    let rank = 0;
    let ofClass = 0;
    for (const entry of largest) {
      if (entry.key === key) continue;
      rank++;
      if (rank === CLASS_RANK) {
        ofClass = entry.peak;
        break;
      }
    }
    return RECORD_FACTOR * Math.max(this.own(key, window), ofClass);
  }

  markIncident(key: number): void {
    this.#incidentKeys.add(key);
  }

  /** Takes the peaks of the day; `peaks` has four counts per slot of a key. Those of abused keys are no records. */
  endDay(
    day: number,
    keys: readonly number[],
    slots: Int32Array,
    peaks: Int32Array,
    abused: ReadonlySet<number> | undefined,
  ): void {
    for (const key of keys) {
      if (!this.#firstDay.has(key)) this.#firstDay.set(key, day);
      const first = slots[key] * 4;
      if (abused?.has(key) || !this.#matters(peaks, first)) continue;
      const kept = Array.from(peaks.subarray(first, first + 4));
      if (this.#incidentKeys.has(key)) {
        for (let window = 0; window < 4; window++) {
          const highest = INCIDENT_FACTOR * Math.max(this.own(key, window), this.#floors[window]);
          kept[window] = Math.min(kept[window], highest);
        }
      }
      if (this.#matters(kept, 0)) this.#walked.push({ day, key, peaks: kept });
    }
    this.#incidentKeys = new Set();
  }

  /** Smaller peaks never raise a floor, so they need not be kept. */
  #matters(peaks: ArrayLike<number>, first: number): boolean {
    for (let window = 0; window < 4; window++) {
      if (peaks[first + window] * RECORD_FACTOR > this.#floors[window]) return true;
    }
    return false;
  }

  seal(day: number): void {
    while (this.#walked.length > 0 && this.#walked[0].day <= day) this.#sealed.push(this.#walked.shift() as DayPeaks);
  }

  /** Works out the records that hold for a day. */
  beginDay(day: number): void {
    const lastSealed = day - 2;
    this.#lastSealedDay = lastSealed;
    this.#sealed = this.#sealed.filter((entry) => entry.day > lastSealed - KEPT_DAYS);
    this.#own = new Map();
    for (const entry of this.#sealed) {
      if ((this.#firstDay.get(entry.key) as number) > lastSealed - KNOWN_DAYS) continue;
      const own = this.#own.get(entry.key) ?? [0, 0, 0, 0];
      for (let window = 0; window < 4; window++) own[window] = Math.max(own[window], entry.peaks[window]);
      this.#own.set(entry.key, own);
    }
    this.#largest = [0, 1, 2, 3].map((window) => {
      const entries = [...this.#own].map(([key, peaks]) => ({ key, peak: peaks[window] }));
      return entries.sort((left, right) => right.peak - left.peak).slice(0, CLASS_RANK + 1);
    });
  }
}

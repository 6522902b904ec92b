/** Members of incidents: what raised them, and how it counts now. */

import type { MailboxCeiling } from '../series-settings.ts';
import { WINDOW_NAMES } from './day-clock.ts';
import type { MemberCounts } from './hit-facts.ts';
import type { KeyedSeries } from './keyed-series.ts';
import { scanScore } from './statistics.ts';

const WINDOWS = [0, 1, 2, 3] as const;

/** A key of a series. */
export class SeriesMember implements MemberCounts {
  readonly id: string;
  readonly #series: KeyedSeries;
  readonly #key: number;

  constructor(id: string, series: KeyedSeries, key: number) {
    this.id = id;
    this.#series = series;
    this.#key = key;
  }

  get zCritical(): number {
    return this.#series.zCritical;
  }

  counts(): number[] {
    return WINDOWS.map((window) => this.#series.count(this.#key, window));
  }

  floor(window: number): number {
    return this.#series.floor(this.#key, window);
  }

  score(window: number, count: number, timeMs: number): number {
    const { mean, inverseSize } = this.#series.expectation(this.#key, window, timeMs);
    return scanScore(count, mean, inverseSize);
  }

  exceeds(allowed: readonly number[], timeMs: number): boolean {
    return this.#series.testAbove(this.#key, timeMs, allowed) !== null;
  }

  isActive(timeMs: number): boolean {
    return this.#series.isActive(this.#key, timeMs);
  }
}

/** A mailbox against our ceilings: fixed floors, no expectation. */
export class CeilingMember implements MemberCounts {
  readonly id: string;
  readonly zCritical = 0;
  readonly #series: KeyedSeries;
  readonly #key: number;
  readonly #ceilings: readonly MailboxCeiling[];

  constructor(id: string, series: KeyedSeries, key: number, ceilings: readonly MailboxCeiling[]) {
    this.id = id;
    this.#series = series;
    this.#key = key;
    this.#ceilings = ceilings;
  }

  counts(): number[] {
    return WINDOWS.map((window) => this.#series.count(this.#key, window));
  }

  floor(window: number): number {
    const ceiling = this.#ceilings.find((candidate) => candidate.window === WINDOW_NAMES[window]);
    return ceiling?.recipients ?? Number.POSITIVE_INFINITY;
  }

  score(): null {
    return null;
  }

  exceeds(allowed: readonly number[]): boolean {
    return WINDOWS.some(
      (window) => this.#series.count(this.#key, window) >= Math.max(this.floor(window), allowed[window]),
    );
  }

  /** Only another alarm keeps its incident going. */
  isActive(): boolean {
    return false;
  }
}

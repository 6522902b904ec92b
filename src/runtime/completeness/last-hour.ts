/** Counts of the last hour of wall time, by minutes. */

import { MINUTE_MS } from '../../core/calendar.ts';

const MINUTES = 60;

export class LastHour {
  readonly #counts = new Float64Array(MINUTES);
  #minute = 0;

  add(atMs: number, count: number): void {
    this.#forgetBefore(atMs);
    this.#counts[this.#minute % MINUTES] += count;
  }

  total(nowMs: number): number {
    this.#forgetBefore(nowMs);
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  #forgetBefore(nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute - this.#minute >= MINUTES) this.#counts.fill(0);
    else for (let next = this.#minute + 1; next <= minute; next++) this.#counts[next % MINUTES] = 0;
    this.#minute = Math.max(this.#minute, minute);
  }
}

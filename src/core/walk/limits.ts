/**
 * What is limited whatever is usual: recipients of a mailbox by our own ceilings, recipients of mailboxes and
 * of the tenant by Microsoft's limits of a trailing 24 hours.
 */

import { DAY_MS, HOUR_MS, MINUTE_MS } from '../calendar.ts';
import type { CeilingSettings, ServiceLimit } from '../series-settings.ts';
import type { Counters } from './counters.ts';
import { WINDOW_NAMES } from './day-clock.ts';
import type { Hit, LimitHit } from './hit-facts.ts';
import type { LimitNumbers } from './incident.ts';
import { LOG_BITS, LOG_MAILBOX, ROW_LIMITED, ROW_MAILBOX, ROW_ONMICROSOFT, type RowLog } from './row-log.ts';

/** Microsoft's limits count a trailing 24 hours. */
export const LIMIT_WINDOW = 3;

export class Limits {
  readonly #settings: CeilingSettings;
  readonly #counters: Counters;
  readonly #log: RowLog;
  /** Sequence number of the first row inside each window. */
  readonly #windowFirst: readonly number[];
  /** Our ceilings on a mailbox, by index of their window. */
  readonly #ceilings: readonly { window: number; recipients: number }[];
  /** External recipients of the last 24 hours that count against the tenant's limit. */
  limitedRecipients = 0;
  /** Those whose sender is of an onmicrosoft.com domain. */
  onMicrosoftRecipients = 0;

  constructor(settings: CeilingSettings, counters: Counters, log: RowLog, windowFirst: readonly number[]) {
    this.#settings = settings;
    this.#counters = counters;
    this.#log = log;
    this.#windowFirst = windowFirst;
    this.#ceilings = settings.mailbox.map(({ window, recipients }) => ({
      window: WINDOW_NAMES.indexOf(window),
      recipients,
    }));
  }

  /** Counts a row by its bits. */
  add(bits: number): void {
    if ((bits & ROW_LIMITED) !== 0) this.limitedRecipients++;
    if ((bits & ROW_ONMICROSOFT) !== 0) this.onMicrosoftRecipients++;
  }

  /** A row leaves the 24 hours. */
  expire(bits: number): void {
    if ((bits & ROW_LIMITED) !== 0) this.limitedRecipients--;
    if ((bits & ROW_ONMICROSOFT) !== 0) this.onMicrosoftRecipients--;
  }

  /** Adds the hits of mailboxes that the batch brought above one of our own ceilings. */
  testCeilings(hits: Hit[]): void {
    const counter = this.#counters.recipients;
    const { touched } = counter;
    for (let index = 0; index < touched.size; index++) {
      const key = touched.keys[index];
      let best: { window: number; observed: number; share: number } | null = null;
      for (const { window, recipients } of this.#ceilings) {
        const observed = counter.series.count(key, window);
        if (observed < recipients) continue;
        const limit = this.#ceiling(key, window, recipients);
        if (observed < limit || (best !== null && observed / limit <= best.share)) continue;
        best = { window, observed, share: observed / limit };
      }
      if (best === null) continue;
      hits.push({
        member: this.#counters.member(`ceiling|${key}`),
        series: 'ceiling',
        family: 'bulk',
        statistic: 'ceiling',
        window: best.window,
        windowName: WINDOW_NAMES[best.window],
        startMs: null,
        observed: best.observed,
        mean: null,
        inverseSize: 0,
        score: best.share,
        counted: best.observed,
        expected: 0,
        rows: { bits: ROW_MAILBOX, keyWord: LOG_MAILBOX, key, weighted: false },
        campaignBits: ROW_MAILBOX,
      });
    }
  }

  #ceiling(key: number, window: number, recipients: number): number {
    const { records } = this.#counters.recipients.series;
    if (records === null || records.knownDays(key) < 7) return recipients;
    return Math.max(recipients, this.#settings.recordFactor * records.own(key, window));
  }

  /** Microsoft's limits, where the batch counted against them; the counts are those before it. */
  test(limitedBefore: number, onMicrosoftBefore: number): LimitHit[] {
    const hits: LimitHit[] = [];
    for (const limit of this.#settings.limits) {
      const lowest = limit.marks[0] * limit.budget;
      if (limit.scope === 'mailbox') {
        const counter = this.#counters.recipients;
        const { touched } = counter;
        for (let index = 0; index < touched.size; index++) {
          const key = touched.keys[index];
          const used = counter.series.count(key, LIMIT_WINDOW);
          if (used >= lowest) hits.push({ ...limitHit(limit, used), mailbox: key, bits: ROW_MAILBOX });
        }
        continue;
      }
      const isTenant = limit.scope === 'tenant';
      const used = isTenant ? this.limitedRecipients : this.onMicrosoftRecipients;
      if (used >= lowest && used > (isTenant ? limitedBefore : onMicrosoftBefore)) {
        hits.push({ ...limitHit(limit, used), mailbox: 0, bits: isTenant ? ROW_LIMITED : ROW_ONMICROSOFT });
      }
    }
    return hits;
  }

  /** The tenant's external recipients of the last 24 h against its limit; null where it has none. */
  ofTenant(timeMs: number): LimitNumbers | null {
    const limit = tenantLimitOf(this.#settings);
    if (limit === undefined) return null;
    const used = this.limitedRecipients;
    const forecastMs = this.forecast({ used, budget: limit.budget }, timeMs, ROW_LIMITED, 0);
    return { name: limit.name, used, budget: limit.budget, forecastMs };
  }

  /**
   * The first minute within 24 h at which the rows still in the window plus the last hour's rate
   * reach the budget; null where none does.
   */
  forecast(limit: { used: number; budget: number }, timeMs: number, bits: number, mailbox: number): number | null {
    if (limit.used >= limit.budget) return timeMs;
    const log = this.#log;
    const counts = (sequence: number) => {
      const row = log.base(sequence);
      return (log.words[row + LOG_BITS] & bits) !== 0 && (mailbox === 0 || log.words[row + LOG_MAILBOX] === mailbox);
    };
    let lastHour = 0;
    for (let sequence = this.#windowFirst[1]; sequence < log.next; sequence++) if (counts(sequence)) lastHour++;
    let leaving = this.#windowFirst[LIMIT_WINDOW];
    let remaining = limit.used;
    for (let minute = 1; minute <= 24 * 60; minute++) {
      const atMs = (Math.floor(timeMs / MINUTE_MS) + minute) * MINUTE_MS;
      while (leaving < log.next && log.time(leaving) <= atMs - DAY_MS) {
        if (counts(leaving)) remaining--;
        leaving++;
      }
      if (remaining + (lastHour * (atMs - timeMs)) / HOUR_MS >= limit.budget) return atMs;
    }
    return null;
  }
}

/** The limit on the whole tenant. */
export function tenantLimitOf(settings: CeilingSettings): ServiceLimit | undefined {
  return settings.limits.find((candidate) => candidate.scope === 'tenant');
}

function limitHit(limit: ServiceLimit, used: number): Omit<LimitHit, 'mailbox' | 'bits'> {
  return { name: limit.name, used, budget: limit.budget, marks: limit.marks };
}

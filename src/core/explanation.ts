/** Why an incident was raised, in numbers: what `explain` shows of the moment of its detection. */

import type { SeriesName, Statistic } from './incident-document.ts';
import type { SeriesRows } from './series-settings.ts';

/** A trailing window of the count that fired, at detection. */
export interface WindowNumbers {
  /** `15m`, `1h`, `6h`, `24h`. */
  readonly window: string;
  readonly count: number;
  /** The least count that can be a hit: the series' floor, raised by records. */
  readonly floor: number;
  /** Null for a ceiling, which has no expectation. */
  readonly expected: number | null;
  readonly expectedP95: number | null;
  /** Squared coefficient of variation that the expectation is given, uncertainty included. */
  readonly variance: number | null;
  readonly score: number | null;
  /** One less would not have been a hit in this window; null where there is no expectation. */
  readonly needed: number | null;
}

/** A step of six hours of the ramp test since its sum was zero. */
export interface RampStep {
  readonly startMs: number;
  readonly count: number;
  readonly expected: number;
  /** Sums at the end of the step for twice, five and twenty times the expectation, in nats. */
  readonly nats: readonly number[];
}

export type SeverityMark = 'large' | 'refused' | 'new_source';

export interface Explanation {
  readonly series: SeriesName;
  readonly statistic: Statistic;
  readonly rows: SeriesRows;
  /** What the count is kept by: the text of the key, of a mailbox its hash; empty for the tenant. */
  readonly key: string;
  /** The walk's number of the key; 0 for the tenant. */
  readonly keyNumber: number;
  readonly keyKind: 'tenant' | 'domain' | 'connector' | 'source' | 'mailbox';
  readonly unit: 'weight' | 'pairs';
  readonly atMs: number;
  /** The score from which on a count is a hit; of a ramp its threshold in nats. */
  readonly critical: number;
  /** Expected count per day, before the season. */
  readonly levelPerDay: number | null;
  /** Days of the tenant that the baseline has learned, decayed. */
  readonly learnedDays: number;
  readonly windows: readonly WindowNumbers[];
  /** Expected count in each of the 24 hours up to the hour of detection, oldest first. */
  readonly expectedByHour: readonly number[];
  /** Null where the series has no ramp test, or nothing adds up. */
  readonly ramp: readonly RampStep[] | null;
}

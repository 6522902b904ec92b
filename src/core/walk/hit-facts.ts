/** What a test found, and what the walk knows of it beyond its rows: from this its type is told. */

import { DAY_MS } from '../calendar.ts';
import type { Family, SeriesName, Statistic } from '../incident-document.ts';
import type { Attribution, AttributionContext, CampaignKeyKind, HitRows } from './campaign.ts';
import type { HitFacts } from './incident-type.ts';
import type { KeyedSeries } from './keyed-series.ts';
import { scanScore } from './statistics.ts';

/** A count whose score is below is usual: the same as that of an incident that goes on. */
const UNUSUAL_SCORE = 2.5;
/** A usual day is above its expectation by no more than a quarter and two standard deviations of chance. */
const USUAL_FACTOR = 1.25;
const USUAL_DEVIATIONS = 2;
/** Fewer recipients of a mailbox are never unusual by themselves. */
const UNUSUAL_RECIPIENTS = 10;
const DAY_WINDOW = 3;
/** A connector is new for so long, and one that was changed too. */
const NEW_CONNECTOR_MS = DAY_MS;

/** What a member of an incident counts: a key of a series, or a mailbox against our ceilings. */
export interface MemberCounts {
  readonly id: string;
  /** Counts of the four windows. */
  counts(): number[];
  floor(window: number): number;
  /** Score of a count in a window; null where the member has no expectation. */
  score(window: number, count: number, timeMs: number): number | null;
  readonly zCritical: number;
  /** Whether it would hit if so much were allowed in each window. */
  exceeds(allowed: readonly number[], timeMs: number): boolean;
  /** Whether a window of 1, 6 or 24 hours is still unusual. */
  isActive(timeMs: number): boolean;
}

/** What a test found in a batch. */
export interface Hit {
  member: MemberCounts;
  series: SeriesName;
  family: 'unregistered' | 'bulk';
  statistic: Statistic;
  /** The window that fired; of a ramp the longest, in which its rows are looked at. */
  window: number;
  /** Name of the window, or the hours since the ramp began. */
  windowName: string;
  /** Of a ramp its first row; null for a window. */
  startMs: number | null;
  observed: number;
  /** Null mean: a ceiling, without an expectation. */
  mean: number | null;
  inverseSize: number;
  score: number;
  /** Count and expectation of `window`. */
  counted: number;
  expected: number;
  rows: Omit<HitRows, 'firstSequence'>;
  /** Bits of the rows that its campaign counts: those of the whole series. */
  campaignBits: number;
}

/** A limit of Microsoft's that nears. */
export interface LimitHit {
  name: string;
  /** Mailbox key, 0 for the tenant. */
  mailbox: number;
  bits: number;
  used: number;
  budget: number;
  marks: readonly number[];
}

/** What the types of hits are told from. */
export interface FactsContext extends AttributionContext {
  tenantFirstMs(): number;
  sourceFirstSeenMs(key: number): number;
  connectorFirstSeenMs(key: number): number;
  domainFirstSeenMs(key: number): number;
  /** When the lists of Exchange say that a connector was made or changed last; null where they do not. */
  connectorChangedMs(key: number): number | null;
  /** Rows that were missing while a source was silent, from which it came back within the hour before; 0 where it did not. */
  flushOf(source: number, timeMs: number): number;
  /** A series of the whole tenant. */
  tenantSeries(name: SeriesName): KeyedSeries | null;
  /** Whether strangers mean something: recipients were learned for some weeks. */
  knowsRecipients(): boolean;
}

/** Whether a connector is new, or was changed, shortly before an onset. */
export function isNewConnector(context: FactsContext, key: number, onsetMs: number): boolean {
  const changedMs = context.connectorChangedMs(key);
  if (changedMs !== null && changedMs > onsetMs - NEW_CONNECTOR_MS) return true;
  return isOldEnough(context, onsetMs) && context.connectorFirstSeenMs(key) > onsetMs - NEW_CONNECTOR_MS;
}

/** New sources mean something after a week of the tenant's rows. */
export function isOldEnough(context: FactsContext, onsetMs: number): boolean {
  return onsetMs - context.tenantFirstMs() >= 7 * DAY_MS;
}

export function factsOf(
  context: FactsContext,
  hit: Hit,
  family: Family,
  attribution: Attribution,
  keyKind: CampaignKeyKind,
  onsetMs: number,
  timeMs: number,
): HitFacts {
  const isUsual = (series: KeyedSeries | null, key: number) => {
    if (series === null) return true;
    const { mean } = series.expectation(key, DAY_WINDOW, timeMs);
    return series.count(key, DAY_WINDOW) <= USUAL_FACTOR * mean + USUAL_DEVIATIONS * Math.sqrt(mean);
  };
  const series = { connector: context.connectors, source: context.sources, domain: context.domains };
  return {
    family,
    series: hit.series,
    statistic: hit.statistic,
    keyKind,
    traits: attribution.traits,
    excess: attribution.excess,
    onsetMs,
    timeMs,
    observed: hit.observed,
    knowsRecipients: context.knowsRecipients(),
    firstSeenMs: (kind, key) =>
      kind === 'connector'
        ? context.connectorFirstSeenMs(key)
        : kind === 'source'
          ? context.sourceFirstSeenMs(key)
          : context.domainFirstSeenMs(key),
    isNewConnector: (key) => isNewConnector(context, key, onsetMs),
    flushOf: (source) => context.flushOf(source, timeMs),
    get isUsualDay() {
      return isUsual(context.tenantSeries(hit.series), 0);
    },
    isUsualDayOf: (kind, key) => isUsual(kind === 'mailbox' ? context.mailboxes : series[kind], key),
    unusualOf: (mailbox) => {
      const count = context.mailboxes.count(mailbox, hit.window);
      if (count < UNUSUAL_RECIPIENTS) return 0;
      const { mean, inverseSize } = context.mailboxes.expectation(mailbox, hit.window, timeMs);
      return scanScore(count, mean, inverseSize) < UNUSUAL_SCORE ? 0 : count - mean;
    },
    recordOf: (mailbox) => context.mailboxes.records?.own(mailbox, hit.window) ?? 0,
  };
}

/** The numbers behind a hit, worked out when somebody asks why an incident was opened. */

import { HOUR_MS } from '../calendar.ts';
import type { Explanation } from '../explanation.ts';
import type { Counters } from './counters.ts';
import { type DayClock, WINDOW_NAMES } from './day-clock.ts';
import type { Hit } from './hit-facts.ts';
import type { KeyedSeries } from './keyed-series.ts';
import { LOG_CONNECTOR, LOG_DOMAIN, LOG_SOURCE } from './row-log.ts';
import { countForScore, SCORE_95, scanScore } from './statistics.ts';
import type { TenantKeys } from './tenant-keys.ts';

export function explainHit(
  hit: Hit,
  timeMs: number,
  counters: Counters,
  keys: TenantKeys,
  clock: DayClock,
): Explanation {
  const [name, keyText] = hit.member.id.split('|');
  const key = Number(keyText);
  const { series, ramp, keyWord } = counters.named(name) ?? counters.recipients;
  const isCeiling = hit.statistic === 'ceiling';
  const counts = hit.member.counts();
  const critical = hit.statistic === 'cusum' ? (series.settings.ramp?.threshold ?? 0) : hit.member.zCritical;
  const keyKind = keyKindOf(keyWord);
  return {
    series: hit.series,
    statistic: hit.statistic,
    rows: series.settings.rows,
    key: keyKind === 'tenant' ? '' : keys.text(keyKind, key),
    keyNumber: keyKind === 'tenant' ? 0 : key,
    keyKind,
    unit: series.settings.unit,
    atMs: timeMs,
    critical,
    levelPerDay: isCeiling ? null : series.level(key),
    learnedDays: clock.days,
    windows: counts.map((count, window) => {
      const floor = hit.member.floor(window);
      const numbers = { window: WINDOW_NAMES[window], count, floor };
      if (isCeiling)
        return { ...numbers, expected: null, expectedP95: null, variance: null, score: null, needed: null };
      const { mean, inverseSize } = series.expectation(key, window, timeMs);
      return {
        ...numbers,
        expected: mean,
        expectedP95: countForScore(SCORE_95, mean, inverseSize),
        variance: inverseSize,
        score: scanScore(count, mean, inverseSize),
        needed: Math.max(Math.ceil(floor), countForScore(hit.member.zCritical, mean, inverseSize)),
      };
    }),
    expectedByHour: isCeiling ? [] : expectedByHour(series, key, timeMs, clock),
    ramp: ramp?.path ?? null,
  };
}

function keyKindOf(keyWord: number | null): 'tenant' | 'domain' | 'connector' | 'source' | 'mailbox' {
  switch (keyWord) {
    case null:
      return 'tenant';
    case LOG_DOMAIN:
      return 'domain';
    case LOG_CONNECTOR:
      return 'connector';
    case LOG_SOURCE:
      return 'source';
    default:
      return 'mailbox';
  }
}

function expectedByHour(series: KeyedSeries, key: number, timeMs: number, clock: DayClock): number[] {
  const perHour = series.level(key) / 24;
  const endMs = (Math.floor(timeMs / HOUR_MS) + 1) * HOUR_MS;
  return Array.from({ length: 24 }, (_, hour) => {
    const fromMs = endMs - (24 - hour) * HOUR_MS;
    return perHour * clock.seasonHours(fromMs, fromMs + HOUR_MS);
  });
}

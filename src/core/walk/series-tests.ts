/** Tests of the counts that a batch has changed: which are more than chance makes of what is expected. */

import { HOUR_MS } from '../calendar.ts';
import type { Counter, Counters } from './counters.ts';
import { WINDOW_NAMES } from './day-clock.ts';
import type { Hit } from './hit-facts.ts';
import type { Finding } from './keyed-series.ts';

/** A ramp is told in the longest window. */
const RAMP_WINDOW = 3;

/** What a test found, without whose it is. */
type HitNumbers = Omit<Hit, 'member' | 'series' | 'family' | 'rows' | 'campaignBits'>;

export function testSeries(counters: Counters, timeMs: number): Hit[] {
  const hits: Hit[] = [];
  for (const counter of counters.all) {
    const { series, touched } = counter;
    for (let index = 0; index < touched.size; index++) {
      const key = touched.keys[index];
      const finding = series.test(key, timeMs);
      const hit = finding === null ? testRamp(counter, timeMs) : windowHit(finding);
      if (hit === null) continue;
      series.markIncident(key);
      hits.push({
        ...hit,
        member: counters.seriesMember(counter, key),
        series: series.settings.name,
        family: series.settings.family,
        rows: { bits: counter.bits, keyWord: counter.keyWord, key, weighted: counter.weighted },
        campaignBits: counter.campaignBits,
      });
    }
  }
  return hits;
}

function testRamp({ ramp, series }: Counter, timeMs: number): HitNumbers | null {
  const finding = ramp?.test(timeMs) ?? null;
  if (finding === null) return null;
  const { mean, inverseSize } = series.expectation(0, RAMP_WINDOW, timeMs);
  return {
    statistic: 'cusum',
    window: RAMP_WINDOW,
    windowName: `${Math.max(1, Math.ceil((timeMs - finding.sinceMs) / HOUR_MS))}h`,
    startMs: finding.firstRowMs,
    observed: finding.observed,
    mean: finding.mean,
    inverseSize,
    score: finding.nats,
    counted: series.count(0, RAMP_WINDOW),
    expected: mean,
  };
}

function windowHit(finding: Finding): HitNumbers {
  const { window, observed, mean, inverseSize, score } = finding;
  return {
    statistic: 'scan',
    window,
    windowName: WINDOW_NAMES[window],
    startMs: null,
    observed,
    mean,
    inverseSize,
    score,
    counted: observed,
    expected: mean,
  };
}

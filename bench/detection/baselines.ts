/**
 * Detectors of others on the same rows, each with one parameter: a fixed threshold, median and MAD by hour
 * of the week, and EARS-C2. Each looks at the recipients of one key: all unregistered mail, or a mailbox.
 */

import { DAY_MS, HOUR_MS } from '../traffic/message.ts';
import { median } from './statistics.ts';

export interface Baseline {
  id: string;
  /** What the parameter is. */
  title: string;
  parameters: readonly number[];
  /** Whether the row at `times[index]` is in alarm. */
  create(
    times: readonly number[],
    firstMs: number,
    parameter: number,
  ): (index: number, hour: number, day: number) => boolean;
}

/** Nothing below these counts is an alarm to seasonal baselines: z-scores of tiny numbers mean nothing. */
const LEAST_IN_HOUR = 20;
const LEAST_IN_DAY = 40;

/** Number of times in (from, to]. */
function countBetween(times: readonly number[], fromMs: number, toMs: number): number {
  return firstAfter(times, toMs) - firstAfter(times, fromMs);
}

/** Index of the first time after this one. */
function firstAfter(times: readonly number[], timeMs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] > timeMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

function deviation(numbers: readonly number[], centre: number): number {
  return Math.max(1, median(numbers.map((number) => Math.abs(number - centre))));
}

export const BASELINES: readonly Baseline[] = [
  {
    id: 'fixed',
    title: 'fixed threshold, times 30 an hour or 120 a day',
    parameters: [0.5, 1, 2, 4, 8],
    create: (_times, _firstMs, times) => (_index, hour, day) => hour >= 30 * times || day >= 120 * times,
  },
  {
    id: 'seasonal',
    title: 'median of the same time of the week over 6 weeks plus so many MAD, 1 h and 24 h',
    parameters: [4, 8, 16, 32],
    create: (times, firstMs, factor) => (index, hour, day) => {
      if (hour < LEAST_IN_HOUR && day < LEAST_IN_DAY) return false;
      const timeMs = times[index];
      for (const [width, count, least] of [
        [HOUR_MS, hour, LEAST_IN_HOUR],
        [DAY_MS, day, LEAST_IN_DAY],
      ]) {
        if (count < least) continue;
        const before: number[] = [];
        for (let week = 1; week <= 6; week++) {
          const endMs = timeMs - week * 7 * DAY_MS;
          if (endMs - width >= firstMs) before.push(countBetween(times, endMs - width, endMs));
        }
        // A season cannot be told from fewer than three weeks.
        if (before.length < 3) continue;
        const centre = median(before);
        if (count > centre + factor * deviation(before, centre)) return true;
      }
      return false;
    },
  },
  {
    id: 'ears',
    title: 'EARS-C2: mean plus so many standard deviations of the same hour over 7 days, 2 days back',
    parameters: [4, 8, 16, 32],
    create: (times, firstMs, factor) => (index, hour) => {
      if (hour < LEAST_IN_HOUR) return false;
      const timeMs = times[index];
      const before: number[] = [];
      for (let day = 3; day <= 9; day++) {
        const endMs = timeMs - day * DAY_MS;
        if (endMs - HOUR_MS >= firstMs) before.push(countBetween(times, endMs - HOUR_MS, endMs));
      }
      if (before.length < 7) return false;
      const centre = before.reduce((sum, count) => sum + count, 0) / before.length;
      const variance =
        before.reduce((sum, count) => sum + (count - centre) * (count - centre), 0) / (before.length - 1);
      return hour > centre + factor * Math.max(1, Math.sqrt(variance));
    },
  },
];

/** An alarm: rows in alarm that are less than a day apart. */
export interface Alarm {
  startMs: number;
  endMs: number;
}

/** Alarms less than a day apart are one. */
export function mergedAlarms(times: readonly number[]): Alarm[] {
  const alarms: Alarm[] = [];
  for (const timeMs of times) {
    const last = alarms.at(-1);
    if (last !== undefined && timeMs - last.endMs < DAY_MS) last.endMs = timeMs;
    else alarms.push({ startMs: timeMs, endMs: timeMs });
  }
  return alarms;
}

/** Times of the rows in alarm from `fromMs` on, less a day, so that an alarm that was on before is seen. */
export function alarmTimes(
  baseline: Baseline,
  parameter: number,
  times: readonly number[],
  firstMs: number,
  fromMs: number,
): number[] {
  const isHigh = baseline.create(times, firstMs, parameter);
  const alarms: number[] = [];
  let hourFirst = 0;
  let dayFirst = 0;
  for (let index = 0; index < times.length; index++) {
    const timeMs = times[index];
    while (times[hourFirst] <= timeMs - HOUR_MS) hourFirst++;
    while (times[dayFirst] <= timeMs - DAY_MS) dayFirst++;
    if (timeMs < fromMs - DAY_MS) continue;
    if (isHigh(index, index + 1 - hourFirst, index + 1 - dayFirst)) alarms.push(timeMs);
  }
  return alarms;
}

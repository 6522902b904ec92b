/**
 * How the rate of mail moves: a weekly profile, and over-dispersion on top of it.
 *
 * Real mail is no Poisson stream around its weekly profile: its counts vary more in every window
 * from 15 minutes to a week, and a day's variance is not that of 96 independent quarters. So rates
 * are multiplied by gamma factors of several time scales, each constant over its block.
 */

import type { Random } from './random.ts';

export const QUARTERS_PER_DAY = 96;

/** Squared coefficients of variation of the factor of each time scale. */
export interface Dispersion {
  week: number;
  day: number;
  sixHours: number;
  hour: number;
  quarter: number;
}

const WEEKDAY_HOURS = [
  0.05, 0.03, 0.02, 0.02, 0.04, 0.1, 0.35, 0.9, 1.9, 2.4, 2.3, 2.1, 1.4, 1.9, 2.2, 2.1, 1.8, 1.3, 0.7, 0.45, 0.35, 0.25,
  0.15, 0.1,
];
const WEEKEND_HOURS = [
  0.06, 0.04, 0.03, 0.02, 0.02, 0.03, 0.06, 0.1, 0.16, 0.22, 0.27, 0.28, 0.24, 0.22, 0.22, 0.22, 0.22, 0.22, 0.22, 0.22,
  0.2, 0.18, 0.13, 0.09,
];
/** Monday to Sunday. */
const WEEKDAY_WEIGHTS = [1.05, 1.1, 1.05, 1.02, 0.85, 1, 1];

/** A tenant's rate by hour of the week (Monday 00:00 first), mean 1; people differ, so do tenants. */
export function weeklyProfile(random: Random): Float64Array {
  const profile = new Float64Array(168);
  const weekend = random.between(0.4, 1.6);
  const night = random.between(0.5, 2);
  let total = 0;
  for (let hour = 0; hour < 168; hour++) {
    const weekday = Math.floor(hour / 24);
    const hourOfDay = hour % 24;
    const isWeekend = weekday >= 5;
    let rate = (isWeekend ? WEEKEND_HOURS[hourOfDay] * weekend : WEEKDAY_HOURS[hourOfDay]) * WEEKDAY_WEIGHTS[weekday];
    if (hourOfDay < 6 || hourOfDay >= 21) rate *= night;
    rate *= random.logNormal(0.12);
    profile[hour] = rate;
    total += rate;
  }
  for (let hour = 0; hour < 168; hour++) profile[hour] *= 168 / total;
  return profile;
}

/** Factors of one stream over the days of a world; ask for the days in order. */
export class Modulation {
  private readonly random: Random;
  private readonly dispersion: Dispersion;
  private weekFactor = 1;
  private weekNumber = -1;

  constructor(random: Random, dispersion: Dispersion) {
    this.random = random;
    this.dispersion = dispersion;
  }

  /** Writes the factor of each quarter of day number `day` (Monday is day 0 of a week). */
  fill(day: number, quarters: Float64Array): void {
    const { random, dispersion } = this;
    const week = Math.floor(day / 7);
    if (week !== this.weekNumber) {
      this.weekNumber = week;
      this.weekFactor = random.factor(dispersion.week);
    }
    const dayFactor = this.weekFactor * random.factor(dispersion.day);
    for (let block = 0; block < 4; block++) {
      const blockFactor = dayFactor * random.factor(dispersion.sixHours);
      for (let hour = 0; hour < 6; hour++) {
        const hourFactor = blockFactor * random.factor(dispersion.hour);
        for (let quarter = 0; quarter < 4; quarter++) {
          quarters[block * 24 + hour * 4 + quarter] = hourFactor * random.factor(dispersion.quarter);
        }
      }
    }
  }
}

/** The rate over one day: a total, and times drawn from it. */
export class DayRate {
  private readonly cumulative = new Float64Array(QUARTERS_PER_DAY + 1);

  /** `quarters[i]` is the rate in quarter i relative to the mean quarter. */
  set(quarters: Float64Array): void {
    let sum = 0;
    for (let quarter = 0; quarter < QUARTERS_PER_DAY; quarter++) {
      sum += quarters[quarter];
      this.cumulative[quarter + 1] = sum;
    }
  }

  /** The day's rate relative to a mean day. */
  get total(): number {
    return this.cumulative[QUARTERS_PER_DAY] / QUARTERS_PER_DAY;
  }

  /** A time of the day, in milliseconds from its start, drawn by rate. */
  drawMs(random: Random): number {
    const target = random.uniform() * this.cumulative[QUARTERS_PER_DAY];
    let low = 0;
    let high = QUARTERS_PER_DAY - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.cumulative[middle + 1] > target) high = middle;
      else low = middle + 1;
    }
    return (low + random.uniform()) * 900_000;
  }
}

/**
 * The season: how much of a tenant's external mail falls into each hour of the week, scaled to mean
 * 1. One per tenant, learned from the weighted external mail of sealed days, shrunk to the hours of
 * weekdays and weekends, and those to a prior of office hours.
 */

import { HOURS_PER_WEEK } from '../calendar.ts';

/** Half-life 42 days: 0.5^(1/42). */
const DAILY_DECAY = 0.98363193244419;
/** An hour counts up to four times its mean: from the second day on that of all its weekdays, later its own. */
const CLASS_CAP_FROM_DAY = 2;
const CAP_FROM_DAY = 14;
const CLASS_PRIOR_WEIGHT = 40;
const SLOT_PRIOR_WEIGHT = 60;
const SLOT_FLOOR = 0.02;

export interface SeasonState {
  counts: Float64Array;
  weights: Float64Array;
  days: number;
}

export class Season {
  readonly #counts = new Float64Array(HOURS_PER_WEEK);
  readonly #weights = new Float64Array(HOURS_PER_WEEK);
  #days = 0;
  #profile: Float64Array = PRIOR;

  /** Expected share of each hour of the week, mean 1. */
  get profile(): Float64Array {
    return this.#profile;
  }

  save(): SeasonState {
    return { counts: this.#counts.slice(), weights: this.#weights.slice(), days: this.#days };
  }

  load(state: Readonly<SeasonState>): void {
    this.#counts.set(state.counts);
    this.#weights.set(state.weights);
    this.#days = state.days;
    this.#profile = state.days === 0 ? PRIOR : this.#estimate();
  }

  /**
   * Learns a sealed day. `counts` are the weighted external rows of its 24 UTC hours, `slots` their
   * hours of the week; hours before `firstHour` were before the tenant's first row.
   */
  learn(counts: Float64Array, slots: Uint8Array, firstHour: number): void {
    for (let slot = 0; slot < HOURS_PER_WEEK; slot++) {
      this.#counts[slot] *= DAILY_DECAY;
      this.#weights[slot] *= DAILY_DECAY;
    }
    this.#days++;
    for (let hour = firstHour; hour < 24; hour++) {
      const slot = slots[hour];
      let count = counts[hour];
      if (this.#days >= CLASS_CAP_FROM_DAY && this.#weights[slot] > 0) {
        const mean = this.#days < CAP_FROM_DAY ? this.#classMean(slot) : this.#counts[slot] / this.#weights[slot];
        const cap = 4 * (mean < 0.5 ? 0.5 : mean) + 15;
        if (count > cap) count = cap;
      }
      this.#counts[slot] += count;
      this.#weights[slot] += 1;
    }
    this.#profile = this.#estimate();
  }

  #estimate(): Float64Array {
    let total = 0;
    let exposure = 0;
    for (let slot = 0; slot < HOURS_PER_WEEK; slot++) {
      total += this.#counts[slot];
      exposure += this.#weights[slot] * PRIOR[slot];
    }
    if (total === 0 || exposure === 0) return PRIOR;
    const mean = total / exposure;
    const profile = new Float64Array(HOURS_PER_WEEK);
    for (let hour = 0; hour < 24; hour++) {
      const weekday = this.#classShare(hour, 0, 5, mean);
      const weekend = this.#classShare(hour, 5, 7, mean);
      for (let day = 0; day < 7; day++) {
        const slot = day * 24 + hour;
        const share = day < 5 ? weekday : weekend;
        const value =
          (this.#counts[slot] + SLOT_PRIOR_WEIGHT * share) / (mean * this.#weights[slot] + SLOT_PRIOR_WEIGHT);
        profile[slot] = value < SLOT_FLOOR ? SLOT_FLOOR : value;
      }
    }
    return scaledToMeanOne(profile);
  }

  /** Mean of an hour over the weekdays, or over the days of the weekend. */
  #classMean(slot: number): number {
    const hour = slot % 24;
    const [first, end] = slot < 5 * 24 ? [0, 5] : [5, 7];
    let count = 0;
    let weight = 0;
    for (let day = first; day < end; day++) {
      count += this.#counts[day * 24 + hour];
      weight += this.#weights[day * 24 + hour];
    }
    return weight === 0 ? 0 : count / weight;
  }

  #classShare(hour: number, firstDay: number, endDay: number, mean: number): number {
    let count = 0;
    let weight = 0;
    let prior = 0;
    for (let day = firstDay; day < endDay; day++) {
      const slot = day * 24 + hour;
      count += this.#counts[slot];
      weight += this.#weights[slot];
      prior += PRIOR[slot];
    }
    prior /= endDay - firstDay;
    return (count + CLASS_PRIOR_WEIGHT * prior) / (mean * weight + CLASS_PRIOR_WEIGHT);
  }
}

function scaledToMeanOne(profile: Float64Array): Float64Array {
  let sum = 0;
  for (const value of profile) sum += value;
  const factor = HOURS_PER_WEEK / sum;
  for (let slot = 0; slot < HOURS_PER_WEEK; slot++) profile[slot] *= factor;
  return profile;
}

/** Office hours before anything is known: busy from 7 to 18 on weekdays, quiet at night and at weekends. */
const PRIOR = priorProfile();

function priorProfile(): Float64Array {
  const profile = new Float64Array(HOURS_PER_WEEK);
  for (let slot = 0; slot < HOURS_PER_WEEK; slot++) {
    const day = Math.floor(slot / 24);
    const hour = slot % 24;
    if (day >= 5) profile[slot] = 0.15;
    else if (hour === 7 || hour === 18) profile[slot] = 1.2;
    else if (hour === 6 || hour === 19) profile[slot] = 0.6;
    else if (hour > 7 && hour < 18) profile[slot] = 2.2;
    else profile[slot] = 0.25;
  }
  return scaledToMeanOne(profile);
}

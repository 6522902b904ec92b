import { describe, expect, it } from 'vitest';
import { dayOf, hourSlotsOf } from '../../../src/core/calendar.ts';
import { Season } from '../../../src/core/walk/season.ts';
import { MONDAY } from '../pairs.ts';

const FIRST_DAY = dayOf(MONDAY);
const MONDAY_9 = 9;
const MONDAY_3 = 3;
const SATURDAY_9 = 5 * 24 + 9;
const mean = (profile: Float64Array) => profile.reduce((sum, value) => sum + value, 0) / profile.length;

/** Learns days whose hours have the counts that `countOf` gives for a slot. */
function learned(days: number, countOf: (slot: number, day: number) => number, zone = 'UTC', firstDay = FIRST_DAY) {
  const season = new Season();
  const slotsOf = hourSlotsOf(zone);
  for (let day = firstDay; day < firstDay + days; day++) {
    const slots = slotsOf(day);
    season.learn(
      Float64Array.from(slots, (slot) => countOf(slot, day - firstDay)),
      slots,
      0,
    );
  }
  return season.profile;
}

const officeHours = (slot: number) => (slot < 120 && slot % 24 >= 8 && slot % 24 < 17 ? 100 : 1);

describe('season', () => {
  it('is a prior of office hours before anything is known', () => {
    const { profile } = new Season();
    expect(mean(profile)).toBeCloseTo(1, 12);
    expect(profile[MONDAY_9] / profile[MONDAY_3]).toBeCloseTo(2.2 / 0.25, 10);
    expect(profile[18] / profile[19]).toBeCloseTo(1.2 / 0.6, 10);
    expect(profile[6]).toBeCloseTo(profile[19], 12);
    expect(profile[7]).toBeCloseTo(profile[18], 12);
    expect(profile[17]).toBeCloseTo(profile[8], 12);
    expect(profile[SATURDAY_9]).toBeCloseTo((profile[MONDAY_3] * 0.15) / 0.25, 10);
  });

  it('learns the hours of the week and keeps a mean of 1', () => {
    const night = (slot: number) => (slot % 24 < 6 ? 50 : 1);
    const profile = learned(42, night);
    expect(mean(profile)).toBeCloseTo(1, 12);
    expect(profile[MONDAY_3]).toBeGreaterThan(2);
    expect(profile[MONDAY_9]).toBeLessThan(0.5);
    expect(Math.min(...profile)).toBeGreaterThan(0);
  });

  it('is the formula: counts shrunk to their class, the class to the prior', () => {
    // One day: no decay has done anything yet, so the sums are the day itself.
    const season = new Season();
    const slots = hourSlotsOf('UTC')(FIRST_DAY);
    const counts = Float64Array.from({ length: 24 }, (_, hour) => hour * 2);
    const prior = new Season().profile;
    season.learn(counts, slots, 4);
    let sum = 0;
    let exposure = 0;
    for (let hour = 4; hour < 24; hour++) {
      sum += counts[hour];
      exposure += prior[hour];
    }
    const m = sum / exposure;
    const expected = Float64Array.from({ length: 168 }, (_, slot) => {
      const hour = slot % 24;
      const weekday = slot < 120;
      const seen = weekday && hour >= 4;
      const classShare = ((seen ? counts[hour] : 0) + 40 * prior[slot]) / (m * (seen ? 1 : 0) + 40);
      const own = slot < 24 && hour >= 4;
      return Math.max(0.02, ((own ? counts[hour] : 0) + 60 * classShare) / (m * (own ? 1 : 0) + 60));
    });
    const scale = 168 / expected.reduce((total, value) => total + value, 0);
    for (let slot = 0; slot < 168; slot++) expect(season.profile[slot]).toBeCloseTo(expected[slot] * scale, 10);
  });

  it('forgets with a half-life of 42 days', () => {
    const moved = learned(84, (slot, day) => (day < 42 ? officeHours(slot) : officeHours((slot + 12) % 168)));
    expect(moved[MONDAY_9 + 12]).toBeGreaterThan(moved[MONDAY_9]);
  });

  it('does not learn an attack hour in full once it knows the tenant', () => {
    const quiet = learned(28, () => 4);
    const attacked = learned(28, (slot, day) => (day === 24 && slot % 24 === 3 ? 5000 : 4));
    const slot = 3 * 24 + 3;
    // The 25th day is a Thursday; a cap of 4 × 4 + 15 lets 31 of 5,000 through.
    expect(attacked[slot]).toBeLessThan(quiet[slot] * 2);
    expect(attacked[slot]).toBeGreaterThan(quiet[slot]);
  });

  it('learns in the zone of the tenant, across a change of its clocks', () => {
    // Berlin went from UTC+1 to UTC+2 on 29 March 2026: office mail at 09:00 local all the time.
    const first = dayOf(Date.UTC(2026, 2, 2));
    const local = learned(56, officeHours, 'Europe/Berlin', first);
    const steady = learned(56, officeHours, 'UTC', first);
    for (const slot of [MONDAY_9, 16, 17, MONDAY_3, SATURDAY_9]) expect(local[slot]).toBeCloseTo(steady[slot], 1);
  });

  it('learns nothing from hours before the tenant began', () => {
    const season = new Season();
    const slots = hourSlotsOf('UTC')(FIRST_DAY);
    season.learn(new Float64Array(24).fill(10), slots, 20);
    const { profile } = season;
    const prior = new Season().profile;
    // Morning hours saw no day: among themselves they keep the proportions of the prior.
    expect(profile[MONDAY_9] / profile[MONDAY_3]).toBeCloseTo(prior[MONDAY_9] / prior[MONDAY_3], 10);
  });
});

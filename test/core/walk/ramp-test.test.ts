import { describe, expect, it } from 'vitest';
import { DAY_MS, dayOf, HOUR_MS, hourSlotsOf, MINUTE_MS } from '../../../src/core/calendar.ts';
import type { SeriesSettings } from '../../../src/core/series-settings.ts';
import { DayClock, WINDOW_MS } from '../../../src/core/walk/day-clock.ts';
import { KeyedSeries } from '../../../src/core/walk/keyed-series.ts';
import { type RampFinding, RampTest } from '../../../src/core/walk/ramp-test.ts';
import { MONDAY } from '../pairs.ts';

const RAMP = { threshold: 16, floor: 15 };
const SETTINGS: SeriesSettings = {
  id: 'relayed',
  name: 'relayed',
  family: 'unregistered',
  key: 'tenant',
  unit: 'weight',
  rows: 'unregistered_not_forwarded',
  phi0: [3, 1.5, 0.8, 0.5],
  priorPerDay: 5,
  floors: [11, 15, 22, 30],
  zCritical: 5,
  youngZCritical: 5,
  recordFloor: false,
  testedFromDay: 0,
  ramp: RAMP,
};

/** A series with a ramp test, driven as the walk does. */
class Driver {
  readonly clock = new DayClock(hourSlotsOf('UTC'));
  readonly series = new KeyedSeries(SETTINGS, this.clock);
  readonly ramp = new RampTest(RAMP, this.series, this.clock);
  isOpen = false;
  first: { timeMs: number; finding: RampFinding; isUnusualNow: boolean } | null = null;
  readonly #times: number[] = [];
  readonly #expired = [0, 0, 0, 0];

  add(timeMs: number): void {
    const day = dayOf(timeMs);
    if (day !== this.clock.day) {
      if (this.clock.day !== Number.NEGATIVE_INFINITY) {
        this.ramp.endDay(this.clock.day, this.isOpen);
        this.series.endDay(this.clock.day);
      }
      this.clock.enter(day, timeMs, (sealed, exposure) => this.series.seal(sealed, exposure));
      this.series.beginDay(day);
      this.ramp.beginDay(day);
    }
    this.ramp.moveTo(timeMs, this.isOpen);
    this.#expired.forEach((first, window) => {
      let index = first;
      for (; this.#times[index] <= timeMs - WINDOW_MS[window]; index++) this.series.expire(0, window, 1);
      this.#expired[window] = index;
    });
    this.#times.push(timeMs);
    this.clock.count(timeMs, 1);
    this.series.add(0, 1, timeMs);
    this.ramp.add(1, timeMs);
    const finding = this.ramp.test(timeMs);
    if (finding !== null) this.first ??= { timeMs, finding, isUnusualNow: this.series.test(0, timeMs) !== null };
  }

  /** `perDay` rows at an even pace over some days. */
  days(fromDay: number, days: number, perDay: number): this {
    for (let index = 0; index < perDay * days; index++) {
      this.add(MONDAY + fromDay * DAY_MS + Math.floor(((index + 0.5) * DAY_MS) / perDay));
    }
    return this;
  }
}

const usual = (days: number) => new Driver().days(0, days, 4);

describe('the ramp test', () => {
  it('finds four times the usual mail that never stands out in a window, within two days', () => {
    const driver = usual(21).days(21, 3, 20);
    expect(driver.first).not.toBeNull();
    const { timeMs, finding, isUnusualNow } = driver.first as NonNullable<Driver['first']>;
    expect(timeMs - (MONDAY + 21 * DAY_MS)).toBeLessThan(2 * DAY_MS);
    expect(finding.nats).toBeGreaterThanOrEqual(RAMP.threshold);
    expect(finding.observed).toBeGreaterThan(3 * finding.mean);
    expect(isUnusualNow).toBe(false);
  });

  it('says since when: the step in which the sum left zero, and its first row', () => {
    const start = MONDAY + 21 * DAY_MS;
    const { finding } = usual(21).days(21, 3, 20).first as NonNullable<Driver['first']>;
    // The sum may have left zero by chance shortly before.
    expect(finding.sinceMs).toBeGreaterThanOrEqual(start - 2 * DAY_MS);
    expect(finding.sinceMs).toBeLessThanOrEqual(start + DAY_MS);
    expect(finding.sinceMs % (6 * HOUR_MS)).toBe(0);
    expect(finding.firstRowMs).toBeGreaterThanOrEqual(finding.sinceMs);
    expect(finding.firstRowMs).toBeLessThan(finding.sinceMs + DAY_MS);
  });

  it('is quiet for the usual mail', () => {
    expect(usual(60).first).toBeNull();
  });

  it('says nothing before the seventh day of a tenant, and keeps nothing of the days before', () => {
    const early = new Driver().days(0, 7, 30);
    expect(early.first).toBeNull();
    expect(Math.max(...early.ramp.save().sums.map((sum) => sum.nats))).toBe(0);
  });

  it('needs the floor', () => {
    // Before anything is learned of it, little mail is already unusual: less than the floor is never told.
    const driver = new Driver().days(0, 1, 1).days(20, 1, 1);
    for (let row = 0; row < RAMP.floor - 2; row++) driver.add(MONDAY + 21 * DAY_MS + row * MINUTE_MS);
    expect(driver.first).toBeNull();
  });

  it('begins anew when its incident closes', () => {
    const driver = usual(21).days(21, 3, 20);
    driver.ramp.reset();
    expect(driver.ramp.test(MONDAY + 24 * DAY_MS - 1)).toBeNull();
    expect(driver.ramp.save().sums.map((sum) => [sum.nats, sum.count])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  it('begins anew at the end of a step while an incident is open', () => {
    const driver = usual(21);
    driver.isOpen = true;
    driver.days(21, 3, 20);
    // Told in a step, and not carried into the next one.
    expect(Math.max(...driver.ramp.save().sums.map((sum) => sum.nats))).toBeLessThan(RAMP.threshold);
  });

  it('leaves a step out that a benign verdict explains', () => {
    const driver = usual(21).days(21, 1, 20);
    driver.ramp.explain();
    driver.add(MONDAY + 22 * DAY_MS);
    expect(driver.ramp.save().sums.every((sum) => sum.nats === 0 && sum.count === 0)).toBe(true);
  });

  it('neither adds nor takes away on days without rows', () => {
    const before = usual(21).days(21, 1, 14);
    const after = usual(21).days(21, 1, 14);
    before.add(MONDAY + 22 * DAY_MS + HOUR_MS);
    after.add(MONDAY + 32 * DAY_MS + HOUR_MS);
    const nats = (driver: Driver) => Math.max(...driver.ramp.save().sums.map((sum) => sum.nats));
    expect(nats(before)).toBeGreaterThan(0);
    expect(nats(after)).toBeCloseTo(nats(before), 6);
  });

  it('can be saved in the middle of a step', () => {
    const whole = usual(21).days(21, 3, 20);
    const cut = usual(21).days(21, 1, 20);
    cut.add(MONDAY + 22 * DAY_MS + 7 * HOUR_MS);
    const state = structuredClone(cut.ramp.save());
    const other = new RampTest(RAMP, cut.series, cut.clock);
    other.load(state);
    expect(other.save()).toEqual(cut.ramp.save());
    expect(other.test(MONDAY + 22 * DAY_MS + 7 * HOUR_MS)).toEqual(cut.ramp.test(MONDAY + 22 * DAY_MS + 7 * HOUR_MS));
    expect(whole.first).not.toBeNull();
  });
});

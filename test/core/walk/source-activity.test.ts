import { describe, expect, it } from 'vitest';
import { DAY_MS, dayOf, HOUR_MS, hourSlotsOf, MINUTE_MS } from '../../../src/core/calendar.ts';
import { DayClock } from '../../../src/core/walk/day-clock.ts';
import { SourceActivity } from '../../../src/core/walk/source-activity.ts';
import { MONDAY } from '../pairs.ts';

/** A source with `perDay` rows at an even pace, until `untilMs`. */
class Driver {
  readonly clock = new DayClock(hourSlotsOf('UTC'));
  readonly activity = new SourceActivity(this.clock);

  add(key: number, timeMs: number): void {
    const day = dayOf(timeMs);
    if (day !== this.clock.day) {
      if (this.clock.day !== Number.NEGATIVE_INFINITY) this.activity.endDay(this.clock.day);
      this.clock.enter(day, timeMs, (sealed) => this.activity.seal(sealed));
    }
    this.clock.count(timeMs, 1);
    this.activity.add(key, timeMs);
  }

  until(untilMs: number, perDay: number): this {
    for (let timeMs = MONDAY + 1; timeMs < untilMs; timeMs += DAY_MS / perDay) this.add(1, timeMs);
    return this;
  }
}

/** A Tuesday, at noon, after two weeks. */
const NOON = MONDAY + 15 * DAY_MS + 12 * HOUR_MS;

describe('the activity of a source', () => {
  it('knows a silence in which mail was expected, and how much is missing', () => {
    const driver = new Driver().until(NOON - 6 * HOUR_MS, 96);
    driver.add(1, NOON);
    // Four an hour, for six hours, by the season that was learned.
    expect(driver.activity.flushOf(1, NOON)).toBeGreaterThan(15);
    expect(driver.activity.flushOf(1, NOON)).toBeLessThan(60);
    expect(driver.activity.flushOf(1, NOON + HOUR_MS)).toBeGreaterThan(15);
  });

  it('forgets it an hour after the source came back', () => {
    const driver = new Driver().until(NOON - 6 * HOUR_MS, 96);
    driver.add(1, NOON);
    driver.add(1, NOON + 10 * MINUTE_MS);
    expect(driver.activity.flushOf(1, NOON + HOUR_MS + 1)).toBe(0);
  });

  it('is no silence where fewer than five rows were expected', () => {
    const short = new Driver().until(NOON - 20 * MINUTE_MS, 96);
    short.add(1, NOON);
    expect(short.activity.flushOf(1, NOON)).toBe(0);
    const rare = new Driver().until(NOON - 6 * HOUR_MS, 4);
    rare.add(1, NOON);
    expect(rare.activity.flushOf(1, NOON)).toBe(0);
  });

  it('knows nothing of a source that is new, or of another one', () => {
    const driver = new Driver().until(NOON - 6 * HOUR_MS, 96);
    driver.add(2, NOON);
    expect(driver.activity.flushOf(1, NOON)).toBe(0);
    expect(driver.activity.flushOf(2, NOON)).toBe(0);
    expect(driver.activity.flushOf(5000, NOON)).toBe(0);
  });

  it('can be saved in the middle of a flush', () => {
    const driver = new Driver().until(NOON - 6 * HOUR_MS, 96);
    driver.add(1, NOON);
    const other = new SourceActivity(driver.clock);
    other.load(structuredClone(driver.activity.save()));
    expect(other.flushOf(1, NOON)).toBe(driver.activity.flushOf(1, NOON));
    expect(other.save()).toEqual(driver.activity.save());
  });
});

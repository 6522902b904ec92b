import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectionSettings } from '../../../src/config/detection.ts';
import { dayOf } from '../../../src/core/calendar.ts';
import type { SeriesSettings } from '../../../src/core/series-settings.ts';
import { scanScore } from '../../../src/core/walk/statistics.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, MONDAY, randomOf } from '../pairs.ts';
import { type Event, Recount, SeriesDriver } from './series-driver.ts';

const SEED = Math.floor(Math.random() * 1e9);
const settingsOf = (name: string) =>
  detectionSettings(null).series.find((series) => series.id === name) as SeriesSettings;
const TENANT_SETTINGS = settingsOf('relayed');
const KEY_SETTINGS: SeriesSettings = { ...settingsOf('mailbox'), recordFloor: false };
const START = MONDAY + 13 * HOUR_MS + 20 * MINUTE_MS;

/**
 * Rows of 45 days that begin in the afternoon, without the days 11, 12 and 30: a busy key, a key that
 * is busy for two weeks only, a rare one, one that bursts on one day, one that begins late, one that
 * is heavy for some weeks, and some that burst on one day each.
 */
function history(seed: number): Event[] {
  const random = randomOf(seed);
  const events: Event[] = [];
  for (let day = 0; day < 45; day++) {
    if (day === 11 || day === 12 || day === 30) continue;
    const add = (key: number, perDay: number) => {
      const rows = Math.floor(perDay * (0.4 + 1.2 * random()));
      for (let row = 0; row < rows; row++) {
        const hour = random() < 0.7 ? 8 + 10 * random() : 24 * random();
        const timeMs = MONDAY + day * DAY_MS + Math.floor(hour * HOUR_MS);
        if (timeMs >= START) events.push({ timeMs, key, amount: 1 + Math.floor(random() * 2) });
      }
    };
    add(1, 30);
    if (day < 14) add(2, 12);
    if (day % 5 === 0) add(3, 2);
    if (day === 20) add(4, 600);
    if (day > 25) add(5, 40);
    // About when days begin to be winsorised.
    if (day >= 5 && day <= 9) add(10 + day, 300);
    // Enough to be heavy, for three weeks.
    if (day === 2) {
      for (let row = 0; row < 26; row++) {
        events.push({ timeMs: MONDAY + day * DAY_MS + (6 + row / 2) * HOUR_MS, key: 9, amount: 1 });
      }
    }
  }
  events.push({ timeMs: START, key: 1, amount: 1 });
  return events.sort((left, right) => left.timeMs - right.timeMs || left.key - right.key);
}

function compare(settings: SeriesSettings, events: readonly Event[], keys: readonly number[], zone: string): number {
  const driver = new SeriesDriver(settings, zone);
  const recounts = keys.map((key) => new Recount(settings, events, key, zone));
  let compared = 0;
  events.forEach((event, index) => {
    driver.add(event);
    if (events[index + 1]?.timeMs === event.timeMs) return;
    const isLastOfDay = index + 1 === events.length || dayOf(events[index + 1].timeMs) !== dayOf(event.timeMs);
    if (index % 97 !== 0 && !isLastOfDay) return;
    keys.forEach((key, place) => {
      const recount = recounts[place];
      const said = `seed ${SEED}, key ${key}, day ${dayOf(event.timeMs) - dayOf(MONDAY)}`;
      expect(driver.series.level(key) / recount.lambda(dayOf(event.timeMs)), said).toBeCloseTo(1, 9);
      for (let window = 0; window < 4; window++) {
        const { mean, inverseSize } = driver.series.expectation(key, window, event.timeMs);
        expect(mean / recount.mu(window, event.timeMs), `${said}, mean ${window}`).toBeCloseTo(1, 9);
        expect(inverseSize / recount.inverseSize(window, event.timeMs), `${said}, 1/r ${window}`).toBeCloseTo(1, 9);
        compared++;
      }
    });
  });
  return compared;
}

describe('levels and variances', () => {
  it('of keys are those of the formulas, from the first day on, over gap days and changes of weight', () => {
    expect(compare(KEY_SETTINGS, history(SEED), [1, 2, 3, 4, 5, 9, 15, 16, 17, 18, 19, 20], 'UTC')).toBeGreaterThan(
      1000,
    );
  });

  it('of the tenant are those of the formulas, in another zone over a change of its clocks', () => {
    const shift = Date.UTC(2026, 2, 2) - MONDAY;
    const events = history(SEED + 1).map((event) => ({ ...event, key: 0, timeMs: event.timeMs + shift }));
    expect(compare(TENANT_SETTINGS, events, [0], 'Europe/Berlin')).toBeGreaterThan(200);
  });

  it('begin with the prior, cut at the hour of the first row', () => {
    const driver = new SeriesDriver(KEY_SETTINGS);
    driver.add({ timeMs: START, key: 1, amount: 1 });
    expect(driver.series.level(1)).toBe(5);
    const { mean, inverseSize } = driver.series.expectation(1, 3, START);
    // 20 minutes of a Monday's 13:00, season 2.2 before scaling.
    const prior = (5 * (10 * 2.2 + 2 * 1.2 + 2 * 0.6 + 10 * 0.25) + 48 * 0.15) / 168;
    expect(mean).toBeCloseTo(((5 / 24) * (2.2 / prior)) / 3, 12);
    expect(inverseSize).toBeCloseTo(1.2 + 1 / 1.25 + 1.2 / 0.5, 12);
  });

  it('do not know a day before the second day after it', () => {
    const driver = new SeriesDriver(KEY_SETTINGS);
    const levels: number[] = [];
    for (let day = 0; day < 4; day++) {
      driver.advance(MONDAY + day * DAY_MS + 1);
      levels.push(driver.series.level(1));
      if (day === 0) {
        for (let row = 0; row < 40; row++) driver.add({ timeMs: MONDAY + 2 + row, key: 1, amount: 1 });
      }
    }
    expect(levels[0]).toBe(5);
    expect(levels[1]).toBe(5);
    expect(levels[2]).toBeGreaterThan(10);
  });
});

describe('windows', () => {
  it('count the rows in (t − W, t]', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            step: fc.oneof(
              fc.constantFrom(0, 1, 15 * MINUTE_MS - 1, 15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS, 3 * DAY_MS),
              fc.integer({ min: 0, max: 2 * HOUR_MS }),
            ),
            key: fc.integer({ min: 1, max: 3 }),
            amount: fc.integer({ min: 1, max: 5 }),
          }),
          { minLength: 1, maxLength: 60 },
        ),
        (steps) => {
          const driver = new SeriesDriver(KEY_SETTINGS);
          const events: Event[] = [];
          let timeMs = START;
          for (const { step, key, amount } of steps) {
            timeMs += step;
            events.push({ timeMs, key, amount });
            driver.add({ timeMs, key, amount });
            for (let asked = 1; asked <= 3; asked++) {
              const recount = new Recount(KEY_SETTINGS, events, asked);
              for (let window = 0; window < 4; window++) {
                expect(driver.series.count(asked, window)).toBe(recount.count(window, timeMs));
              }
            }
          }
        },
      ),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('forget a row when they are as old as they are long, and not a millisecond before', () => {
    for (const [window, lengthMs] of [15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS].entries()) {
      const driver = new SeriesDriver(KEY_SETTINGS);
      driver.add({ timeMs: START, key: 1, amount: 3 });
      driver.advance(START + lengthMs - 1);
      expect(driver.series.count(1, window)).toBe(3);
      driver.advance(START + lengthMs);
      expect(driver.series.count(1, window)).toBe(0);
    }
  });
});

describe('scan test', () => {
  const burst = (count: number, everyMs: number, settings = TENANT_SETTINGS) => {
    const driver = new SeriesDriver(settings);
    // A week of little mail first.
    for (let hour = 0; hour < 24 * 7; hour += 6) driver.add({ timeMs: MONDAY + hour * HOUR_MS, key: 0, amount: 1 });
    const start = MONDAY + 8 * DAY_MS + 3 * HOUR_MS;
    for (let row = 0; row < count; row++) driver.add({ timeMs: start + row * everyMs, key: 0, amount: 1 });
    return driver.series.test(0, start + (count - 1) * everyMs);
  };

  it('needs the floor, exactly', () => {
    expect(burst(10, 1000)).toBeNull();
    expect(burst(11, 1000)).toMatchObject({ window: 0, observed: 11 });
  });

  it('takes the window with the largest score, and says what it compared with', () => {
    const finding = burst(40, 6 * MINUTE_MS);
    expect(finding?.window).toBeGreaterThan(0);
    expect(finding?.score).toBe(scanScore(finding!.observed, finding!.mean, finding!.inverseSize));
    expect(finding?.score).toBeGreaterThanOrEqual(5);
  });

  it('asks for the score of the series, too', () => {
    expect(burst(11, 1000, { ...TENANT_SETTINGS, zCritical: 40 })).toBeNull();
  });
});

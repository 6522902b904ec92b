import { describe, expect, it } from 'vitest';
import { dayOf, formatTime, hourSlotsOf } from '../../src/core/calendar.ts';
import { MONDAY } from './pairs.ts';

const FIRST_DAY = dayOf(MONDAY);

describe('days', () => {
  it('are UTC days since 1970, and times are written to the millisecond', () => {
    expect(dayOf(0)).toBe(0);
    expect(dayOf(-1)).toBe(-1);
    expect(dayOf(86_399_999)).toBe(0);
    expect(dayOf(86_400_000)).toBe(1);
    expect(formatTime(Date.UTC(2026, 8, 5, 18, 2, 13, 490))).toBe('2026-09-05T18:02:13.490Z');
  });
});

describe('hours of the week', () => {
  it('begin on Monday', () => {
    const slots = hourSlotsOf('UTC')(FIRST_DAY);
    expect([...slots]).toEqual(Array.from({ length: 24 }, (_, hour) => hour));
    expect(hourSlotsOf('UTC')(FIRST_DAY + 6)[23]).toBe(167);
    expect(hourSlotsOf('UTC')(-1)[0]).toBe(48);
  });

  it('follow the zone and its daylight saving time', () => {
    const berlin = hourSlotsOf('Europe/Berlin');
    expect(berlin(FIRST_DAY)[0]).toBe(1);
    expect(berlin(FIRST_DAY)[23]).toBe(24);
    const change = dayOf(Date.UTC(2026, 2, 29));
    // 00:00 UTC is 01:00 on Sunday, 01:00 UTC is 03:00.
    expect([...berlin(change).slice(0, 3)]).toEqual([145, 147, 148]);
    const back = dayOf(Date.UTC(2026, 9, 25));
    expect([...berlin(back).slice(0, 3)]).toEqual([146, 146, 147]);
    const newYork = hourSlotsOf('America/New_York');
    expect(newYork(FIRST_DAY)[0]).toBe(6 * 24 + 19);
    expect(newYork(FIRST_DAY + 1)[5]).toBe(24);
  });

  it('put a zone of half hours where its UTC hour begins', () => {
    const kolkata = hourSlotsOf('Asia/Kolkata');
    expect(kolkata(FIRST_DAY)[0]).toBe(5);
    expect(kolkata(FIRST_DAY)[18]).toBe(23);
    expect(kolkata(FIRST_DAY)[19]).toBe(24);
  });

  it('refuse a zone that does not exist', () => {
    expect(() => hourSlotsOf('Europe/Atlantis')).toThrow(RangeError);
  });
});

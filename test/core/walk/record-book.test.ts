import { describe, expect, it } from 'vitest';
import { RecordBook } from '../../../src/core/walk/record-book.ts';

const FLOORS = [50, 60, 100, 150] as const;

/** Peaks of a day: the same count in every window, per key. */
type Day = Record<number, number>;

/** Walks days (`null` is a day without a row) and gives the book as it is at the start of the day after them. */
function walked(days: readonly (Day | null)[], incidents: readonly [day: number, key: number][] = []): RecordBook {
  const book = new RecordBook(FLOORS);
  const open: number[] = [];
  const enter = (day: number) => {
    while (open.length > 0 && open[0] <= day - 2) book.seal(open.shift() as number);
    book.beginDay(day);
  };
  days.forEach((peaks, day) => {
    if (peaks === null) return;
    enter(day);
    for (const [incidentDay, key] of incidents) if (incidentDay === day) book.markIncident(key);
    const counts = new Int32Array(80);
    for (const [key, peak] of Object.entries(peaks)) counts.fill(peak, Number(key) * 4, Number(key) * 4 + 4);
    const slots = Int32Array.from({ length: 20 }, (_, key) => key);
    book.endDay(day, Object.keys(peaks).map(Number), slots, counts, undefined);
    open.push(day);
  });
  enter(days.length);
  return book;
}

const repeated = (day: Day, times: number): Day[] => Array.from({ length: times }, () => day);

describe('records', () => {
  it('raise the floor of a key to 1.2 times its own', () => {
    const book = walked([...repeated({ 1: 10 }, 8), { 1: 200 }, { 1: 10 }, { 1: 10 }]);
    for (let window = 0; window < 4; window++) {
      expect(book.own(1, window)).toBe(200);
      expect(book.floor(1, window)).toBe(240);
    }
    expect(book.floor(2, 0)).toBe(0);
  });

  it('count from the second day after them', () => {
    const week = repeated({ 1: 10 }, 10);
    expect(walked([...week, { 1: 200 }]).floor(1, 0)).toBe(0);
    expect(walked([...week, { 1: 200 }, { 1: 10 }]).floor(1, 0)).toBe(240);
  });

  it('are those of keys that are known for a week, so that a new key cannot set its own', () => {
    expect(walked([{ 1: 400 }, ...repeated({ 1: 10 }, 6)]).floor(1, 0)).toBe(0);
    expect(walked([{ 1: 400 }, ...repeated({ 1: 10 }, 8)]).floor(1, 0)).toBe(480);
  });

  it('of three other keys raise the floor of a key to 1.2 times the third-largest', () => {
    const first = { 1: 10, 2: 10, 3: 10, 4: 10 };
    const book = walked([...repeated(first, 9), { 1: 500, 2: 400, 3: 300, 4: 10 }, first, first]);
    expect(book.floor(9, 0)).toBe(360);
    expect(book.floor(4, 0)).toBe(360);
    // Of the others: 400, 300 and a small one that is not kept.
    expect(book.floor(1, 0)).toBe(600);
    const two = walked([...repeated(first, 9), { 1: 500, 2: 400 }, first, first]);
    expect(two.floor(9, 0)).toBe(0);
  });

  it('leave a key itself out of the other three', () => {
    const first = { 1: 10, 2: 10, 3: 10, 4: 10 };
    const book = walked([...repeated(first, 9), { 1: 500, 2: 400, 3: 300, 4: 200 }, first, first]);
    expect(book.floor(3, 0)).toBe(360);
    expect(book.floor(4, 0)).toBe(360);
    expect(book.floor(2, 0)).toBe(480);
  });

  it('hold for 60 days', () => {
    const days = [...repeated({ 1: 10 }, 9), { 1: 200 }];
    // On day d the days d − 61 to d − 2 are the last 60 sealed ones.
    expect(walked([...days, ...repeated({ 1: 10 }, 60)]).floor(1, 0)).toBe(240);
    expect(walked([...days, ...repeated({ 1: 10 }, 61)]).floor(1, 0)).toBe(0);
  });

  it('of the day of an incident count up to three times the record before it', () => {
    const days = [...repeated({ 1: 10 }, 8), { 1: 80 }, ...repeated({ 1: 10 }, 2), { 1: 5000 }, { 1: 10 }, { 1: 10 }];
    expect(walked(days).own(1, 0)).toBe(5000);
    expect(walked(days, [[11, 1]]).own(1, 0)).toBe(240);
  });

  it('of the day of an incident of a key without a record count up to three times the floor', () => {
    const days = [...repeated({ 1: 10 }, 9), { 1: 5000 }, { 1: 10 }, { 1: 10 }];
    const book = walked(days, [[9, 1]]);
    FLOORS.forEach((floor, window) => {
      expect(book.own(1, window)).toBe(floor * 3);
    });
  });

  it('grow with an incident that comes back, so that a weekly newsletter ends its alarm', () => {
    const days: Day[] = repeated({ 1: 10 }, 10);
    const incidents: [number, number][] = [];
    const alarms: number[] = [];
    for (let week = 0; week < 6; week++) {
      const { length } = days;
      const alarm = 1000 >= Math.max(FLOORS[0], walked(days, incidents).floor(1, 0));
      if (alarm) {
        alarms.push(week);
        incidents.push([length, 1]);
      }
      days.push({ 1: 1000 }, ...repeated({ 1: 10 }, 6));
    }
    // 150, 450, 1,000 (less than three times 450): the next 1,000 is no news.
    expect(alarms).toEqual([0, 1, 2]);
  });

  it('skip days without a row', () => {
    const book = walked([...repeated({ 1: 10 }, 9), null, null, { 1: 200 }, null, null]);
    expect(book.floor(1, 0)).toBe(240);
  });

  it('say for how long a key is known', () => {
    expect(walked([{ 1: 10 }]).knownDays(1)).toBe(0);
    expect(walked([{ 1: 10 }, { 2: 10 }]).knownDays(1)).toBe(1);
    expect(walked([{ 1: 10 }, ...repeated({ 2: 10 }, 7)]).knownDays(1)).toBe(7);
    expect(walked([{ 1: 10 }]).knownDays(5)).toBe(0);
  });
});

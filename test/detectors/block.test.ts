import { describe, expect, it } from 'vitest';
import {
  REFUSAL_ADDRESS_BLOCKED,
  REFUSAL_DEFERRED,
  REFUSAL_ELSEWHERE,
  REFUSAL_THRESHOLD_EXCEEDED,
  REFUSAL_UNREGISTERED_BLOCKED,
} from '../../src/core/record.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, MONDAY, ordinary, type Row, scanRows } from '../core/pairs.ts';

const QUIET = ordinary(MONDAY, 20);
const START = MONDAY + 9 * DAY_MS + 14 * HOUR_MS;

/** Mail of people here that is refused, a few minutes apart. */
const refused = (refusal: number, count: number, start = START): Row[] =>
  Array.from({ length: count }, (_, index) => ({
    time: start + index * 5 * MINUTE_MS,
    sender: `user${index % 7}@contoso.com`,
    recipient: `friend${index}@partner.example`,
    status: 'failed',
    refusal,
  }));
const blocks = (rows: readonly Row[]) =>
  scanRows([...QUIET, ...rows]).filter(({ relaywatch }) => relaywatch.incident.family === 'blocked');

describe('block', () => {
  it.each([
    ['5.7.750', REFUSAL_UNREGISTERED_BLOCKED],
    ['5.7.705', REFUSAL_THRESHOLD_EXCEEDED],
    ['5.7.708', REFUSAL_ADDRESS_BLOCKED],
  ])('is an incident with the first %s, critical, without numbers', (_, refusal) => {
    const [{ event, relaywatch }, ...others] = blocks(refused(refusal, 1));
    expect(others).toEqual([]);
    expect(event).toMatchObject({ action: 'blocked', severity: 99, start: new Date(START).toISOString() });
    expect(relaywatch.incident).toMatchObject({
      series: ['block'],
      detected_at: new Date(START).toISOString(),
      observed: null,
      expected: null,
      statistic: null,
      score: null,
      recipients: 1,
      escalations: [],
    });
  });

  it('is one incident however much is refused, and one for each code', () => {
    const [one, ...others] = blocks(refused(REFUSAL_UNREGISTERED_BLOCKED, 30));
    expect(others).toEqual([]);
    expect(one.relaywatch.incident.recipients).toBe(30);
    const both = blocks([
      ...refused(REFUSAL_UNREGISTERED_BLOCKED, 5),
      ...refused(REFUSAL_THRESHOLD_EXCEEDED, 7, START + 1),
    ]);
    expect(both.map(({ relaywatch }) => relaywatch.incident.recipients)).toEqual([5, 7]);
    expect(new Set(both.map(({ event }) => event.id)).size).toBe(2);
  });

  it('is none where another server says the same, or where mail is only deferred', () => {
    expect(blocks([...refused(REFUSAL_ELSEWHERE, 50), ...refused(REFUSAL_DEFERRED, 50, START + 1)])).toEqual([]);
  });

  it('is none for mail that was not refused, nor for mail inside', () => {
    expect(blocks(refused(0, 50))).toEqual([]);
    const inside = refused(REFUSAL_UNREGISTERED_BLOCKED, 5).map((row) => ({ ...row, recipient: 'user1@contoso.com' }));
    expect(blocks(inside)).toEqual([]);
  });

  it('ends 24 hours after the last refusal, and comes back within seven days as the same incident', () => {
    const again = blocks([
      ...refused(REFUSAL_UNREGISTERED_BLOCKED, 5),
      ...refused(REFUSAL_UNREGISTERED_BLOCKED, 5, START + 4 * DAY_MS),
    ]);
    expect(again).toHaveLength(1);
    expect(again[0].relaywatch.incident).toMatchObject({ reopened_count: 1, recipients: 10, state: 'closed' });
    expect(again[0].relaywatch.incident.escalations.map(({ at }) => at)).toEqual([
      new Date(START + 4 * DAY_MS).toISOString(),
    ]);
    const later = blocks([
      ...refused(REFUSAL_UNREGISTERED_BLOCKED, 1),
      ...refused(REFUSAL_UNREGISTERED_BLOCKED, 1, START + 9 * DAY_MS),
    ]);
    expect(later).toHaveLength(2);
  });

  it('counts the refusals that came at the same time as one batch, in any order', () => {
    const rows = [
      ...refused(REFUSAL_THRESHOLD_EXCEEDED, 3),
      ...refused(REFUSAL_UNREGISTERED_BLOCKED, 3).map((row, index) => ({
        ...row,
        recipient: `x${index}@partner.example`,
      })),
    ];
    expect(blocks(rows)).toEqual(blocks([...rows].reverse()));
    expect(blocks(rows).map(({ relaywatch }) => relaywatch.incident.recipients)).toEqual([3, 3]);
  });
});

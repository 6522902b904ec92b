import { describe, expect, it } from 'vitest';
import type { Feedback } from '../../../src/core/feedback.ts';
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  MONDAY,
  ordinary,
  type Row,
  randomOf,
  relay,
  SECOND_MS,
  scanWhole,
  shuffled,
} from '../pairs.ts';

const SEED = Math.floor(Math.random() * 1e9);

/** A tenant with everything that needs an order: ties, equal times, rotation, mailboxes, bounces, copies, conflicts. */
function busyTenant(seed: number): Row[] {
  const random = randomOf(seed);
  const start = MONDAY + 9 * DAY_MS + Math.floor(random() * DAY_MS);
  const rows: Row[] = [
    ...ordinary(MONDAY, 13),
    ...relay({ start, count: 80, everyMs: 20 * SECOND_MS }, (index) => `d${index % 12}.example`),
    // The same times from a second and third source: equal counts everywhere.
    ...relay({
      start,
      count: 80,
      everyMs: 20 * SECOND_MS,
      fromIp: '203.0.113.9',
      connector: 'Partner',
      subject: 'Hello',
    }).map((row, index) => ({ ...row, recipient: `z${index}@victim.example` })),
    ...relay({
      start: start + 2 * HOUR_MS,
      count: 40,
      everyMs: 0,
      fromIp: '2001:db8::1',
      connector: undefined,
      sender: '<>',
    }),
    ...relay({ start: start + 2 * HOUR_MS, count: 40, everyMs: 0, fromIp: '2001:db8::2', connector: undefined }),
    ...['anna', 'bert'].flatMap((name) =>
      relay({
        start: start + HOUR_MS,
        count: 70,
        everyMs: 10 * SECOND_MS,
        fromIp: undefined,
        connector: undefined,
        sender: `${name}@contoso.com`,
      }).map((row, index) => ({ ...row, recipient: `${name}.${index}@victim.example` })),
    ),
    ...relay({ start: start + 2 * DAY_MS, count: 60, everyMs: MINUTE_MS, connector: 'Partner' }, () => 'd1.example'),
  ];
  const copies = rows.filter(() => random() < 0.2).map((row) => ({ ...row, rank: 2 }));
  const failed = rows.filter(() => random() < 0.1).map((row) => ({ ...row, status: 'failed' as const }));
  const late = rows
    .filter(() => random() < 0.1)
    .map((row) => ({
      ...row,
      time: (row.time as number) + MINUTE_MS,
      traceId: `${row.time}/${row.sender}/${row.recipient}/`,
      subject: 'A subject',
    }));
  return [...rows, ...copies, ...failed, ...late];
}

const written = (rows: readonly Row[], internFirst: readonly string[] = [], feedback: Partial<Feedback> = {}): string =>
  scanWhole(rows, { internFirst, licenses: 1, feedback })
    .incidents.map((document) => JSON.stringify(document))
    .join('\n');

describe('the same rows', () => {
  for (let round = 0; round < 4; round++) {
    const seed = SEED + round;
    it(`in any order give the same bytes (seed ${seed})`, () => {
      const rows = busyTenant(seed);
      const expected = written(rows);
      expect(expected.split('\n').length).toBeGreaterThan(2);
      for (let order = 1; order <= 5; order++) expect(written(shuffled(rows, seed + order))).toBe(expected);
      expect(written([...rows].reverse())).toBe(expected);
    });
  }

  it('give the same bytes with the names numbered in another order', () => {
    const rows = busyTenant(SEED);
    const names = [
      ...Array.from({ length: 12 }, (_, index) => `d${index}.example`),
      'victim.example',
      'contoso.com',
      'fabrikam.example',
      '203.0.113.9',
      '198.51.100.25',
      '2001:db8::1',
      '2001:db8::2',
      'Partner',
      'Inbound from DC1',
    ];
    const expected = written(rows);
    for (let order = 0; order < 5; order++) expect(written(rows, shuffled(names, SEED + order))).toBe(expected);
  });

  it('give the same bytes however often they come', () => {
    const rows = busyTenant(SEED);
    expect(written([...rows, ...rows, ...rows.slice(0, 100)])).toBe(written(rows));
  });

  it('give the same bytes where two exports name another sender of the same pairs', () => {
    const sent = (sender: string, rank: number): Row[] =>
      relay({
        start: MONDAY + 9 * DAY_MS,
        count: 100,
        everyMs: 10 * SECOND_MS,
        fromIp: undefined,
        connector: undefined,
      }).map((row, index) => ({ ...row, sender, rank, traceId: `message ${index}` }));
    const better = sent('anna@contoso.com', 1);
    const worse = sent('bert@contoso.com', 2);
    const expected = written([...better, ...worse]);
    expect(expected).toContain('anna@contoso.com');
    expect(expected).not.toContain('bert@contoso.com');
    expect(written([...worse, ...better])).toBe(expected);
    expect(written(shuffled([...worse, ...better], SEED))).toBe(expected);
  });

  it('give the same bytes under verdicts and an allow-list, with refusals and what is new every day', () => {
    const server = { fromIp: '192.0.2.25', connector: 'From DC2' };
    const start = MONDAY + 15 * DAY_MS;
    const rows = [
      ...busyTenant(SEED),
      ...ordinary(MONDAY + 13 * DAY_MS, 17),
      ...relay({ start: MONDAY, count: 200, everyMs: 3 * HOUR_MS, ...server }, (index) => `shop${index % 3}.example`),
      ...relay({ start, count: 200, everyMs: 20 * SECOND_MS, ...server }, () => 'ads.example'),
      ...relay({ start: start + 5 * DAY_MS, count: 60, everyMs: 0 }, (index) => `n${index % 9}.example`),
      ...relay({ start: start + 6 * DAY_MS, count: 9, everyMs: 0, sender: 'anna@contoso.com' }).map((row, index) => ({
        ...row,
        status: 'failed' as const,
        refusal: index % 6,
      })),
      ...relay(
        { start: start + 7 * DAY_MS, count: 300, everyMs: 5 * SECOND_MS, ...server },
        (index) => `d${index % 12}.example`,
      ),
    ];
    const incidents = scanWhole(rows, { licenses: 1 }).incidents.map(({ event }) => event.id);
    expect(incidents.length).toBeGreaterThan(4);
    const label = { by: 'ann', atMs: MONDAY + 16 * DAY_MS, note: '' };
    const entry = { mailbox: null, connector: null, owner: 'ann', reason: 'ours', expiresMs: start + 8 * DAY_MS };
    const feedback: Partial<Feedback> = {
      labels: incidents.map((incident, index) => ({
        ...label,
        incident,
        verdict: index % 2 === 0 ? 'abuse' : 'benign',
      })),
      allow: [
        { ...entry, domain: 'ads.example', address: null },
        { ...entry, domain: null, address: '192.0.2.0/24' },
      ],
    };
    const expected = written(rows, [], feedback);
    expect(expected).not.toBe(written(rows));
    for (let order = 1; order <= 4; order++) {
      expect(written(shuffled(rows, SEED + order), [], feedback), `seed ${SEED}`).toBe(expected);
    }
    expect(written([...rows.slice(0, 500), ...rows, ...rows.slice(-500)], [], feedback), `seed ${SEED}`).toBe(expected);
  });
});

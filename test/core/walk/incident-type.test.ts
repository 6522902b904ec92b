/** Types by what an incident's rows have in common: for each one that has the marks, and one that just has not. */

import { describe, expect, it } from 'vitest';
import type { Connector } from '../../../src/core/connectors.ts';
import type { IncidentDocument } from '../../../src/core/incident-document.ts';
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  MONDAY,
  ordinary,
  type Row,
  randomOf,
  relay,
  type ScanOptions,
  SECOND_MS,
  scanRows,
} from '../pairs.ts';

const QUIET = ordinary(MONDAY, 31);
const START = MONDAY + 29 * DAY_MS + 10 * HOUR_MS;
const NO_SOURCE = { fromIp: undefined, connector: undefined };
const SERVER = { fromIp: '192.0.2.25', connector: 'Inbound from DC1' };

/** Mail of an application behind the known server, every so many minutes of some days. */
function application(everyMs: number, fromMs = MONDAY, untilMs = MONDAY + 31 * DAY_MS, name = 'app'): Row[] {
  const rows: Row[] = [];
  for (let time = fromMs; time < untilMs; time += everyMs) {
    const number = Math.floor(time / everyMs);
    rows.push({
      ...SERVER,
      time,
      sender: `${name}@shop${number % 3}.example`,
      recipient: `client${(number * 7) % 50}@clients.example`,
    });
  }
  return rows;
}

const forwarded = (time: number, recipient: string, index = 0): Row[] => {
  const messageId = `${time}.${index}@outside.example`;
  const sender = `writer${index}@outside.example`;
  return [
    { time, sender, recipient: 'anna@contoso.com', messageId, direction: 'inbound' },
    { time: time + 2000, sender, recipient, messageId, traceId: `out ${messageId}` },
  ];
};

/** Types and severities of what is detected on the day of the attack or later. */
function found(rows: readonly Row[], options: ScanOptions = {}): [type: string, severity: number][] {
  return documents(rows, options).map(({ event }) => [event.action, event.severity]);
}
const documents = (rows: readonly Row[], options: ScanOptions = {}): IncidentDocument[] =>
  scanRows(rows, { ...options, reportSince: MONDAY + 28 * DAY_MS });
const types = (rows: readonly Row[], options: ScanOptions = {}) => found(rows, options).map(([type]) => type);

describe('unregistered mail', () => {
  const attack = (fields: Partial<Row> & { count?: number } = {}, domainOf?: (index: number) => string) =>
    relay({ start: START, count: 200, everyMs: 20 * SECOND_MS, ...fields }, domainOf);

  it('through a connector that nobody saw before is rogue_connector', () => {
    expect(types([...QUIET, ...attack()])).toEqual(['rogue_connector']);
  });

  it('through a connector that was there for two days is relay', () => {
    const before = relay({ start: START - 2 * DAY_MS, count: 2, everyMs: HOUR_MS });
    expect(types([...QUIET, ...before, ...attack()])).toEqual(['relay']);
  });

  it('through a known connector that the lists say was changed an hour before is rogue_connector', () => {
    const connector = (changedMs: number): Connector => ({
      name: SERVER.connector,
      direction: 'inbound',
      isEnabled: true,
      type: 'OnPremises',
      senderAddresses: [],
      senderDomains: [],
      createdMs: MONDAY - 100 * DAY_MS,
      changedMs,
    });
    const rows = [...QUIET, ...application(3 * HOUR_MS), ...attack(SERVER)];
    const withList = (changedMs: number) => types(rows, { feedback: { connectors: [connector(changedMs)] } });
    expect(withList(START - HOUR_MS)).toEqual(['rogue_connector']);
    expect(withList(START - 5 * DAY_MS)).toEqual(['relay']);
    expect(types(rows)).toEqual(['relay']);
  });

  it('of a fresh domain for every few mails is domain_rotation, of five domains it is not', () => {
    const known = [...QUIET, ...application(3 * HOUR_MS)];
    expect(types([...known, ...attack(SERVER, (index) => `d${Math.floor(index / 5)}.example`)])).toEqual([
      'domain_rotation',
    ]);
    expect(types([...known, ...attack(SERVER, (index) => `d${index % 5}.example`)])).toEqual(['relay']);
  });

  it('without anything in common is unknown, medium', () => {
    // Few enough of each domain that none stands out by itself.
    const scattered = attack({ ...NO_SOURCE, count: 90 }, (index) => `d${index % 5}.example`).map((row, index) => ({
      ...row,
      fromIp: `203.0.${index % 200}.7`,
    }));
    expect(found([...QUIET, ...scattered])).toEqual([['unknown', 47]]);
  });

  it('that is forwarded by one mailbox to one person is forwarding, low; to many it is an attack', () => {
    const toOne = Array.from({ length: 200 }, (_, index) =>
      forwarded(START + index * 20_000, 'me@home.example', index),
    );
    const [type, severity] = found([...QUIET, ...toOne.flat()])[0];
    expect([type, severity <= 47]).toEqual(['forwarding', true]);
    const toMany = Array.from({ length: 200 }, (_, index) =>
      forwarded(START + index * 20_000, `person${index}@victim.example`, index),
    );
    expect(found([...QUIET, ...toMany.flat()])[0][0]).not.toMatch(/^forwarding/);
  });

  it('that goes round between a mailbox and one person is forwarding_loop, low', () => {
    const loop = Array.from({ length: 200 }, (_, index) => forwarded(START + index * 20_000, 'me@home.example'));
    const [type, severity] = found([...QUIET, ...loop.flat()])[0];
    expect([type, severity <= 47]).toEqual(['forwarding_loop', true]);
    const refused = loop.flat().map((row) => ({ ...row, status: 'failed' as const }));
    expect(found([...QUIET, ...refused])[0][0]).not.toMatch(/^forwarding/);
  });

  it('of a server that was cut off for a night is queue_flush, low', () => {
    const steady = application(10 * MINUTE_MS);
    const night = { from: START - 10 * HOUR_MS, until: START };
    const kept = steady.filter((row) => (row.time as number) >= night.from && (row.time as number) < night.until);
    const flushed = steady
      .filter((row) => !kept.includes(row))
      .concat(kept.map((row, index) => ({ ...row, time: START + index * 15_000 })));
    const told = found([...QUIET, ...flushed]);
    expect(told.length).toBeLessThanOrEqual(1);
    for (const [type, severity] of told) expect([type, severity]).toEqual(['queue_flush', 21]);
    // Four times as much as was missing is no queue.
    const more = [0, 1, 2, 3].flatMap((part) =>
      kept.map((row, index) => ({
        ...row,
        time: START + index * 15_000 + part,
        recipient: `${part}.${index}@victim.example`,
      })),
    );
    expect(
      Math.max(...found([...QUIET, ...steady.filter((row) => !kept.includes(row)), ...more]).map(([, one]) => one)),
    ).toBe(73);
  });
});

describe('mail of the tenant', () => {
  const mailbox = (name: string, count: number, everyMs = 12 * SECOND_MS, fields: Partial<Row> = {}): Row[] =>
    relay({ start: START, count, everyMs, ...NO_SOURCE, ...fields, sender: `${name}@contoso.com` }).map(
      (row, index) => ({
        ...row,
        recipient: `${name}.${index}@victim.example`,
      }),
    );

  it('of one mailbox to strangers is compromised_mailbox, high', () => {
    expect(found([...QUIET, ...mailbox('user3', 300)])).toEqual([['compromised_mailbox', 73]]);
  });

  it('of one mailbox to people who are known here is bulk_sender, medium', () => {
    const friends = mailbox('user3', 300).map((row, index) => ({
      ...row,
      recipient: `friend${index % 50}@partner.example`,
    }));
    expect(found([...QUIET, ...friends])).toEqual([['bulk_sender', 47]]);
    const refused = friends.map((row, index) => (index % 8 === 0 ? { ...row, status: 'failed' as const } : row));
    expect(found([...QUIET, ...refused])).toEqual([['compromised_mailbox', 73]]);
  });

  it('of a mailbox that never sent anything is unknown', () => {
    expect(types([...QUIET, ...mailbox('merge', 300)])).toEqual(['unknown']);
  });

  it('of ten mailboxes, each far above its own usual mail, is distributed_mailboxes; of two it is one each', () => {
    const several = (count: number) =>
      Array.from({ length: count }, (_, index) => mailbox(`user${index}`, 60, 2 * MINUTE_MS)).flat();
    expect(found([...QUIET, ...several(10)])).toContainEqual(['distributed_mailboxes', 73]);
    expect(types([...QUIET, ...several(2)])).not.toContain('distributed_mailboxes');
  });

  it('without sender, to people who wrote here, is backscatter, low; to others it is not', () => {
    const bounces = relay({ start: START, count: 1500, everyMs: 5 * SECOND_MS, sender: '<>', ...SERVER });
    const letters = bounces.map((row, index) => ({
      time: START - 3 * DAY_MS + index * 20_000,
      sender: row.recipient,
      recipient: 'anna@contoso.com',
      direction: 'inbound' as const,
    }));
    const told = found([...QUIET, ...application(3 * HOUR_MS), ...letters, ...bounces]);
    expect(told.length).toBeGreaterThan(0);
    for (const [type, severity] of told) expect([type, severity <= 47]).toEqual(['backscatter', true]);
    expect(types([...QUIET, ...application(3 * HOUR_MS), ...bounces])).not.toContain('backscatter');
  });
});

describe('a tenant that changes', () => {
  /** Mail of many mailboxes, by a factor of the usual on each day, at some hours. */
  const world = (factor: (day: number) => number, hour: (day: number) => number = () => 8): Row[] => {
    const random = randomOf(11);
    const rows: Row[] = [];
    for (let day = 0; day < 45; day++) {
      const count = Math.round((day % 7 < 5 ? 300 : 60) * factor(day) * (0.9 + 0.2 * random()));
      for (let index = 0; index < count; index++) {
        rows.push({
          time: MONDAY + day * DAY_MS + Math.floor((hour(day) + 9 * random()) * HOUR_MS),
          sender: `user${Math.floor(random() * 80)}@contoso.com`,
          recipient: `friend${Math.floor(random() * 900)}@partner.example`,
        });
      }
    }
    return rows;
  };

  it('grows without anybody new: nothing, or growth, low', () => {
    for (const [type, severity] of found(world((day) => (day < 28 ? 1 : 1 + 0.15 * (day - 27))))) {
      expect([type, severity]).toEqual(['growth', 21]);
    }
  });

  it('works at other hours: nothing, or profile_shift, low', () => {
    for (const [type, severity] of found(
      world(
        () => 1,
        (day) => (day < 28 ? 8 : 0),
      ),
    )) {
      expect([type, severity]).toEqual(['profile_shift', 21]);
    }
  });

  it('sends five times as much in a day: neither', () => {
    for (const type of types(world((day) => (day === 37 ? 6 : 1)))) {
      expect(['growth', 'profile_shift']).not.toContain(type);
    }
  });
});

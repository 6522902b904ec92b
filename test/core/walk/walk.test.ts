import { describe, expect, it } from 'vitest';
import type { IncidentDocument } from '../../../src/core/incident-document.ts';
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  MONDAY,
  ordinary,
  type Row,
  relay,
  SECOND_MS,
  scanRows,
  scanWhole,
} from '../pairs.ts';

/** Two weeks of ordinary mail, and an attack on the Wednesday of the second. */
const QUIET = ordinary(MONDAY, 14);
const START = MONDAY + 9 * DAY_MS + 14 * HOUR_MS;
const NO_SOURCE = { fromIp: undefined, connector: undefined };
const incidentOf = (document: IncidentDocument) => document.relaywatch.incident;
const time = (timeMs: number) => new Date(timeMs).toISOString();
const only = (documents: IncidentDocument[]): IncidentDocument => {
  expect(documents.map((document) => document.message)).toHaveLength(1);
  return documents[0];
};
/** Mail of a mailbox here, a recipient each. */
const mailbox = (name: string, start: number, count: number, everyMs: number): Row[] =>
  relay({ start, count, everyMs, ...NO_SOURCE, sender: `${name}@contoso.com` }).map((row, index) => ({
    ...row,
    recipient: `${name}.${index}@victim.example`,
  }));

describe('a relay', () => {
  const document = only(scanRows([...QUIET, ...relay({ start: START, count: 300, everyMs: 20 * SECOND_MS })]));
  const incident = incidentOf(document);

  it('is one incident of its connector, found by its eighth recipient', () => {
    // The connector was never seen before.
    expect(document.event.action).toBe('rogue_connector');
    // What is new here, domain, source and connector, needs eight rows; what was always here eleven.
    expect(incident).toMatchObject({
      family: 'unregistered',
      observed: 8,
      window: '15m',
      statistic: 'scan',
      recipients: 300,
      messages: 300,
      recipients_at_detection: 8,
      detected_at: time(START + 7 * 20 * SECOND_MS),
    });
    expect(incident.series[0]).toBe('relayed');
    expect(incident.series).toContain('unregistered_source');
    expect(incident.series).toContain('unregistered_domain');
    expect(document.event.start).toBe(time(START));
    expect(document.event.end).toBe(time(START + 299 * 20 * SECOND_MS));
  });

  it('names who it was', () => {
    expect(incident.contributors.connectors).toEqual([{ key: 'Inbound from DC1', recipients: 300, share: 1 }]);
    expect(incident.contributors.sources).toEqual([{ key: '198.51.100.25', recipients: 300, share: 1 }]);
    expect(incident.contributors.domains).toEqual([{ key: 'fabrikam.example', recipients: 300, share: 1 }]);
    expect(incident.contributors.mailboxes).toEqual([]);
    expect(document.source).toEqual({ ip: '198.51.100.25' });
  });

  it('is high, since the source is new to a tenant that is known for a week, but critical only with two marks', () => {
    expect(document.event.severity).toBe(73);
    const refused = relay({ start: START, count: 300, everyMs: 20 * SECOND_MS, status: 'failed' });
    expect(only(scanRows([...QUIET, ...refused])).event.severity).toBe(99);
  });

  it('escalates when it has doubled, not with every row', () => {
    const observed = incident.escalations.map((escalation) => escalation.observed);
    expect(observed.length).toBeGreaterThanOrEqual(3);
    expect(observed.length).toBeLessThanOrEqual(Math.log2(300));
    expect(observed[0]).toBeGreaterThanOrEqual(16);
    for (let index = 1; index < observed.length; index++) {
      expect(observed[index]).toBeGreaterThan(observed[index - 1]);
    }
  });

  it('is found at the same row with no connector column, then by its source, then by its domain', () => {
    for (const [fields, key] of [
      [{ connector: undefined }, '198.51.100.25'],
      [NO_SOURCE, 'fabrikam.example'],
    ] as const) {
      const found = only(
        scanRows([...QUIET, ...relay({ start: START, count: 100, everyMs: 20 * SECOND_MS, ...fields })]),
      );
      expect(found.event.action).toBe('relay');
      expect(incidentOf(found).detected_at).toBe(incident.detected_at);
      expect(JSON.stringify(incidentOf(found).contributors)).toContain(key);
    }
  });

  it('is found on the first day of a tenant', () => {
    const first = only(scanRows(relay({ start: START, count: 100, everyMs: 20 * SECOND_MS })));
    expect(incidentOf(first).recipients_at_detection).toBeLessThanOrEqual(15);
    expect(first.event.action).toBe('relay');
  });

  it('counts every recipient once, however many a message has', () => {
    const rows = relay({ start: START, count: 300, everyMs: 20 * SECOND_MS }).map((row, index) => ({
      ...row,
      time: START + Math.floor(index / 20) * 20 * SECOND_MS,
      traceId: `message ${Math.floor(index / 20)}`,
    }));
    const found = incidentOf(only(scanRows([...QUIET, ...rows])));
    expect(found.recipients).toBe(300);
    expect(found.messages).toBe(15);
    // Five of each message weigh: 8 of them are reached in the second message.
    expect(found.detected_at).toBe(time(START + 20 * SECOND_MS));
    expect(found.recipients_at_detection).toBe(40);
  });

  it('of 500 recipients a message is found in the first', () => {
    const rows = relay({ start: START, count: 500, everyMs: 1 }).map((row) => ({
      ...row,
      time: START,
      traceId: 'one',
    }));
    const found = incidentOf(only(scanRows([...QUIET, ...rows])));
    expect(found.series).toContain('unregistered_recipients');
    expect(found.detected_at).toBe(time(START));
  });

  it('from a subdomain that the list does not cover, or from somebody else on onmicrosoft.com, is unregistered', () => {
    for (const sender of ['news@mail.contoso.com', 'a@fabrikam.onmicrosoft.com', 'postmaster@fabrikam.example']) {
      const found = only(scanRows([...QUIET, ...relay({ start: START, count: 50, everyMs: 20 * SECOND_MS, sender })]));
      expect(incidentOf(found).family).toBe('unregistered');
      expect(incidentOf(found).contributors.domains[0].key).toBe(sender.slice(sender.indexOf('@') + 1));
    }
  });

  it('within the tenant, or from its own domains, is none', () => {
    const inside = relay({ start: START, count: 300, everyMs: 20 * SECOND_MS }).map((row, index) => ({
      ...row,
      recipient: `user${index}@contoso.com`,
    }));
    expect(scanRows([...QUIET, ...inside])).toEqual([]);
    const system = relay({ start: START, count: 300, everyMs: 20 * SECOND_MS, sender: 'postmaster@contoso.com' });
    expect(scanRows([...QUIET, ...system])).toEqual([]);
  });

  it('through two connectors at the same time is two incidents', () => {
    const documents = scanRows([
      ...QUIET,
      ...relay({ start: START, count: 300, everyMs: 20 * SECOND_MS }),
      ...relay({
        start: START + 27 * SECOND_MS,
        count: 300,
        everyMs: 20 * SECOND_MS,
        connector: 'Partner',
        fromIp: '203.0.113.9',
        sender: 'x@tailspin.example',
      }),
    ]);
    expect(documents.map((entry) => incidentOf(entry).contributors.connectors)).toEqual([
      [{ key: 'Inbound from DC1', recipients: 300, share: 1 }],
      [{ key: 'Partner', recipients: 300, share: 1 }],
    ]);
  });

  it('that takes a new domain for every five mails is one incident, domain_rotation', () => {
    const rows = relay({ start: START, count: 500, everyMs: 18 * SECOND_MS }, (index) => `d${index % 100}.example`);
    const found = only(scanRows([...QUIET, ...rows]));
    expect(found.event.action).toBe('domain_rotation');
    expect(incidentOf(found).recipients).toBe(500);
    expect(incidentOf(found).contributors.domains).toHaveLength(5);
  });

  it('does not count group rows, expanded', () => {
    const rows = relay({ start: START, count: 300, everyMs: 20 * SECOND_MS, status: 'expanded' });
    const scanned = scanWhole([...QUIET, ...rows]);
    expect(scanned.incidents).toEqual([]);
    expect(scanned.walk.seen.pairs).toBe(QUIET.length);
  });
});

describe('the end of an incident', () => {
  const rows = [...QUIET, ...relay({ start: START, count: 100, everyMs: 20 * SECOND_MS })];
  const lastRow = START + 99 * 20 * SECOND_MS;

  it('comes 24 hours after its last activity', () => {
    const before = [...QUIET.filter((row) => (row.time as number) < START), ...rows.slice(QUIET.length)];
    const state = (now: number) => incidentOf(only(scanRows(before, { now }))).state;
    expect(state(lastRow)).toBe('open');
    expect(state(lastRow + DAY_MS - 1)).toBe('open');
    expect(state(lastRow + DAY_MS)).toBe('closed');
  });

  it('does not come while rows of the campaign keep a window unusual', () => {
    // One recipient in 20 minutes is nothing by itself, but the 24 hours still hold the burst.
    const on = relay({ start: lastRow + HOUR_MS, count: 60, everyMs: 20 * MINUTE_MS });
    const before = rows.filter((row) => (row.time as number) <= lastRow);
    const found = only(scanRows([...before, ...on], { now: lastRow + 25 * HOUR_MS }));
    expect(incidentOf(found).state).toBe('open');
    expect(incidentOf(found).recipients).toBe(160);
  });

  it('is the last active row: later rows of the campaign are not counted', () => {
    const trickle = relay({ start: lastRow + 30 * HOUR_MS, count: 3, everyMs: 12 * HOUR_MS });
    const found = only(scanRows([...rows, ...trickle]));
    expect(incidentOf(found).state).toBe('closed');
    expect(incidentOf(found).recipients).toBe(100);
    expect(found.event.end).toBe(time(lastRow));
  });
});

describe('forwarding', () => {
  /** Outside mail to a mailbox here, which passes it on, every half an hour of some days. */
  const forwarding = (firstDay: number, days: number, everyMs: number, recipient = 'me@home.example'): Row[] => {
    const rows: Row[] = [];
    const start = MONDAY + firstDay * DAY_MS;
    for (let timeMs = start; timeMs < start + days * DAY_MS; timeMs += everyMs) {
      const messageId = `${timeMs}@outside.example`;
      const sender = `writer${timeMs % 7}@outside.example`;
      rows.push({ time: timeMs, sender, recipient: 'anna@contoso.com', messageId, direction: 'inbound' });
      rows.push({ time: timeMs + 2000, sender, recipient, messageId, traceId: `out ${timeMs}` });
    }
    return rows;
  };

  it('that is known raises nothing when it grows tenfold', () => {
    const rows = [...forwarding(0, 10, HOUR_MS), ...forwarding(10, 1, 6 * MINUTE_MS)];
    expect(scanRows(rows).filter((document) => incidentOf(document).series.includes('relayed'))).toEqual([]);
  });

  it('to a recipient it never went to is counted, and told from a relay by its key', () => {
    const rows = [...forwarding(0, 10, HOUR_MS), ...forwarding(10, 1, 6 * MINUTE_MS, 'new@home.example')];
    const found = scanRows(rows);
    expect(found.length).toBe(1);
    expect(incidentOf(found[0]).series[0]).toBe('relayed');
    expect(incidentOf(found[0]).contributors.mailboxes[0]).toMatchObject({ key: 'anna@contoso.com', share: 1 });
  });

  it('does not cover a relay that sends a blind copy to the mailbox', () => {
    const attack = relay({ start: MONDAY + 10 * DAY_MS, count: 100, everyMs: 20 * SECOND_MS }).flatMap((row) => {
      const messageId = `${row.time}@attack.example`;
      return [
        { ...row, messageId },
        { ...row, recipient: 'anna@contoso.com', messageId, traceId: `in ${row.time}` },
      ];
    });
    const found = only(scanRows([...forwarding(0, 11, HOUR_MS), ...attack]));
    expect(found.event.action).toBe('rogue_connector');
    expect(incidentOf(found).recipients_at_detection).toBeLessThanOrEqual(15);
  });
});

describe('null senders', () => {
  const bounces = relay({ start: START, count: 200, everyMs: 20 * SECOND_MS, sender: '<>' });

  it('through one source are bulk, not unregistered mail', () => {
    const found = only(scanRows([...QUIET, ...bounces]));
    expect(incidentOf(found)).toMatchObject({ family: 'bulk', series: ['unregistered_source'], recipients: 200 });
    expect(incidentOf(found).contributors.domains).toEqual([]);
    expect(incidentOf(found).contributors.mailboxes).toEqual([]);
  });

  it('that answer people who wrote here in the week before are not counted', () => {
    const letters = bounces.map((row, index) => ({
      time: START - 6 * DAY_MS + index * MINUTE_MS,
      sender: row.recipient,
      recipient: 'anna@contoso.com',
    }));
    expect(scanRows([...QUIET, ...letters, ...bounces])).toEqual([]);
    const old = letters.map((row) => ({ ...row, time: row.time - 2 * DAY_MS }));
    expect(scanRows([...QUIET, ...old, ...bounces])).toHaveLength(1);
  });
});

describe('a mailbox', () => {
  it('that sends 300 an hour is found within 50 recipients', () => {
    const found = only(scanRows([...QUIET, ...mailbox('user3', START, 600, 12 * SECOND_MS)]));
    expect(found.event.action).toBe('compromised_mailbox');
    expect(incidentOf(found)).toMatchObject({ family: 'bulk', observed: 50, recipients_at_detection: 50 });
    expect(incidentOf(found).series[0]).toBe('mailbox');
    expect(found.email).toEqual({ from: { address: ['user3@contoso.com'] } });
  });

  it('that sends one message to 500 people is found by recipients', () => {
    const rows = mailbox('boss', START, 500, 1).map((row) => ({ ...row, time: START, traceId: 'blind copy' }));
    const found = incidentOf(only(scanRows([...QUIET, ...rows])));
    expect(found.series).toContain('mailbox_recipients');
    expect(found).toMatchObject({ observed: 500, messages: 1, recipients: 500 });
  });

  it('that has a record is judged by it, and by the ceiling of 400 an hour', () => {
    /** One newsletter a week, to `size` people at once. */
    const newsletters = (weeks: number, size: number) =>
      Array.from({ length: weeks }, (_, week) =>
        mailbox('news', MONDAY + (1 + week * 7) * DAY_MS + 10 * HOUR_MS, size, SECOND_MS).map((row) => ({
          ...row,
          traceId: `issue ${week} ${Math.floor((row.time as number) / (100 * SECOND_MS))}`,
        })),
      ).flat();
    const quiet = [...ordinary(MONDAY, 63), ...mailbox('news', MONDAY, 63, DAY_MS)];
    const small = scanRows([...quiet, ...newsletters(8, 200)]);
    expect(small.map((document) => document['@timestamp'].slice(0, 10))).not.toContain('2026-02-24');
    expect(
      scanRows([...quiet, ...newsletters(8, 390)]).every((entry) => !incidentOf(entry).series.includes('ceiling')),
    ).toBe(true);
    const large = scanRows([...quiet, ...newsletters(1, 400)]);
    expect(large).toHaveLength(1);
    expect(incidentOf(large[0]).series).toContain('ceiling');
  });

  it('of an SRS address is the mailbox that forwards', () => {
    const rows = mailbox('user3', START, 200, 12 * SECOND_MS).map((row) => ({
      ...row,
      sender: 'user3+SRS=abcde=fg=outside.example=writer@contoso.com',
    }));
    const found = only(scanRows([...QUIET, ...rows]));
    expect(incidentOf(found).contributors.mailboxes[0].key).toBe('user3@contoso.com');
  });
});

describe('limits of Microsoft', () => {
  const limits = (rows: readonly Row[], licenses?: number) =>
    scanRows(rows, { licenses }).filter((document) => document.event.action === 'limit');

  it('of the tenant raise one incident, low, medium and high', () => {
    const rows = [...QUIET, ...mailbox('user1', START, 9_700, SECOND_MS)];
    const [document] = limits(rows, 1).filter((entry) => incidentOf(entry).limit?.name.startsWith('tenant'));
    const incident = incidentOf(document);
    expect(incident).toMatchObject({ observed: 5000, statistic: 'ceiling', score: 0.5, window: '24h' });
    expect(incident.escalations.map(({ observed, severity }) => [observed, severity])).toEqual([
      [8000, 47],
      [9500, 73],
    ]);
    expect(document.event.severity).toBe(73);
    expect(incident.limit).toMatchObject({ used: 9500, budget: 10_000, share: 0.95 });
    // One a second: 500 more take 500 seconds, the ninth whole minute.
    const lastMs = Date.parse(incident.escalations[1].at);
    expect(incident.limit?.forecast_at).toBe(time((Math.floor(lastMs / MINUTE_MS) + 9) * MINUTE_MS));
    expect(limits(rows).some((entry) => incidentOf(entry).limit?.name.startsWith('tenant'))).toBe(false);
  });

  it('of a mailbox rise at 80 and 95 % of 10,000', () => {
    const [document] = limits([...QUIET, ...mailbox('user1', START, 9_600, SECOND_MS)]);
    expect(incidentOf(document)).toMatchObject({ observed: 8000, score: 0.8 });
    expect(incidentOf(document).escalations.map((escalation) => escalation.observed)).toEqual([9500]);
    expect(document.message).toContain('user1@contoso.com used 9,500 of 10,000');
  });

  it('of onmicrosoft.com senders are reached at 100, by all of them together', () => {
    const rows = [0, 1].flatMap((index) =>
      relay({
        start: START + index,
        count: 50,
        everyMs: 10 * MINUTE_MS,
        ...NO_SOURCE,
        sender: `user${index}@contoso.onmicrosoft.com`,
        subject: `${index}`,
      }).map((row, place) => ({ ...row, recipient: `p${index}.${place}@victim.example` })),
    );
    expect(limits([...QUIET, ...rows.slice(0, -1)])).toEqual([]);
    const [document] = limits([...QUIET, ...rows]);
    expect(incidentOf(document)).toMatchObject({ observed: 100, score: 1, series: ['ceiling'] });
    expect(document.event.severity).toBe(73);
  });

  it('leave null and system senders out', () => {
    const rows = relay({ start: START, count: 6000, everyMs: SECOND_MS, sender: 'postmaster@contoso.com' });
    expect(limits([...QUIET, ...rows], 1)).toEqual([]);
  });
});

describe('time', () => {
  it('goes on over days without a row', () => {
    const gap = 9 * DAY_MS;
    const later = ordinary(MONDAY + 14 * DAY_MS + gap, 5);
    const start = MONDAY + 14 * DAY_MS + gap + 30 * HOUR_MS;
    const found = only(scanRows([...QUIET, ...later, ...relay({ start, count: 100, everyMs: 20 * SECOND_MS })]));
    expect(incidentOf(found).recipients_at_detection).toBeLessThanOrEqual(11);
  });

  it('before 1970 or at the very first row is only time', () => {
    const early = relay({ start: Date.UTC(1969, 11, 31, 23, 50), count: 100, everyMs: 20 * SECOND_MS });
    expect(scanRows(early)).toHaveLength(1);
  });

  it('without rows finds nothing and has seen nothing', () => {
    const scanned = scanWhole([]);
    expect(scanned.incidents).toEqual([]);
    expect(scanned.walk.seen).toMatchObject({ firstMs: null, lastMs: null, days: 0, pairs: 0 });
  });

  it('of a window is half open: a row of 15 minutes ago does not help', () => {
    const burst = (gapMs: number) => [
      ...QUIET,
      ...relay({ start: START, count: 1, everyMs: 1 }),
      ...relay({ start: START + gapMs, count: 7, everyMs: 1 }).map((row, index) => ({
        ...row,
        recipient: `other${index}@victim.example`,
        time: START + gapMs,
      })),
    ];
    expect(scanRows(burst(15 * MINUTE_MS - 1))).toHaveLength(1);
    expect(scanRows(burst(15 * MINUTE_MS))).toHaveLength(0);
  });
});

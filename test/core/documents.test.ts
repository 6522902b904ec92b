import { describe, expect, it } from 'vitest';
import {
  DAY_MS,
  HOUR_MS,
  MONDAY,
  ordinary,
  type Row,
  relay,
  SECOND_MS,
  scanRows,
  scanWhole,
  shuffled,
} from './pairs.ts';

const QUIET = ordinary(MONDAY, 14);
const START = MONDAY + 9 * DAY_MS + 14 * HOUR_MS;
/** 400 recipients from eight domains: 100, 80, 60, and 32 of each other. */
const DOMAINS = [100, 80, 60, 32, 32, 32, 32, 32].flatMap((count, index) => Array(count).fill(`d${index}.example`));
const domainOf = (index: number): string => DOMAINS[(index * 37) % DOMAINS.length];
const attack = relay({ start: START, count: 400, everyMs: 20 * SECOND_MS }, domainOf);
const bulk = (start: number): Row[] =>
  relay({
    start,
    count: 100,
    everyMs: 10 * SECOND_MS,
    fromIp: undefined,
    connector: undefined,
    sender: 'anna@contoso.com',
    subject: undefined,
  });

describe('the id of an incident', () => {
  const idOf = (rows: readonly Row[], tenant?: string) => scanRows(rows, { tenant })[0].event.id;

  it('is made of tenant, family, campaign key and day: it holds when the incident grows', () => {
    const id = idOf([...QUIET, ...attack]);
    expect(id).toMatch(/^rw-[0-9a-f]{16}$/);
    expect(idOf([...QUIET, ...attack.slice(0, 50)])).toBe(id);
    expect(idOf([...QUIET, ...attack, ...relay({ start: START + 20 * HOUR_MS, count: 9, everyMs: 1000 })])).toBe(id);
    const earlier = attack.map((row) => ({ ...row, time: (row.time as number) - 3 * HOUR_MS }));
    expect(idOf([...QUIET, ...earlier])).toBe(id);
  });

  it('is another for another tenant, day, or connector', () => {
    const ids = [
      idOf([...QUIET, ...attack]),
      idOf([...QUIET, ...attack], 'fabrikam'),
      idOf([...QUIET, ...attack.map((row) => ({ ...row, time: (row.time as number) + DAY_MS }))]),
      idOf([...QUIET, ...attack.map((row) => ({ ...row, connector: 'Partner' }))]),
    ];
    expect(new Set(ids).size).toBe(4);
  });

  it('is given out over all incidents, whichever are shown', () => {
    const rows = [...QUIET, ...bulk(START - 2 * DAY_MS), ...attack];
    const all = scanRows(rows);
    expect(all).toHaveLength(2);
    expect(scanRows(rows, { reportSince: START })).toEqual([all[1]]);
    expect(scanRows(rows, { reportSince: all[1]['@timestamp'].slice(0, -1) })).toEqual([all[1]]);
  });
});

describe('contributors', () => {
  const [{ relaywatch, related }] = scanRows([...QUIET, ...attack]);
  const { contributors, recipients } = relaywatch.incident;

  it('are the five largest, equal ones in the order of their names', () => {
    expect(recipients).toBe(400);
    expect(contributors.domains).toEqual([
      { key: 'd0.example', recipients: 100, share: 0.25 },
      { key: 'd1.example', recipients: 80, share: 0.2 },
      { key: 'd2.example', recipients: 60, share: 0.15 },
      { key: 'd3.example', recipients: 32, share: 0.08 },
      { key: 'd4.example', recipients: 32, share: 0.08 },
    ]);
    expect(contributors.subjects).toEqual([{ key: 'You won', recipients: 400, share: 1 }]);
    expect(related).toEqual({ ip: ['198.51.100.25'], user: [] });
  });

  it('have shares that add up to one where there are at most five', () => {
    const rows = relay({ start: START, count: 300, everyMs: 20 * SECOND_MS }, (index) => `d${index % 3}.example`);
    const [document] = scanRows([...QUIET, ...rows]);
    const { domains } = document.relaywatch.incident.contributors;
    expect(domains.reduce((sum, domain) => sum + domain.recipients, 0)).toBe(300);
    expect(domains.reduce((sum, domain) => sum + domain.share, 0)).toBeCloseTo(1, 2);
  });

  it('name sources of IPv6 by their /64', () => {
    const rows = attack.map((row, index) => ({ ...row, fromIp: `2001:db8:0:7::${(index % 9) + 1}` }));
    const [document] = scanRows([...QUIET, ...rows]);
    expect(document.relaywatch.incident.contributors.sources).toEqual([
      { key: '2001:db8:0:7::/64', recipients: 400, share: 1 },
    ]);
    expect(document.source).toEqual({ ip: '2001:db8:0:7::' });
  });
});

describe('evidence', () => {
  it('is capped, in order of time, and spread over the top contributors', () => {
    const [document] = scanRows([...QUIET, ...attack], { evidenceRows: 10 });
    const { evidence } = document.relaywatch.incident;
    expect(evidence).toHaveLength(10);
    expect(evidence.map((row) => row.at)).toEqual(evidence.map((row) => row.at).sort());
    const domains = evidence.map((row) => row.sender.slice('promo@'.length));
    expect(new Set(domains).size).toBe(5);
    expect(domains.filter((domain) => domain === 'd0.example')).toHaveLength(2);
    expect(evidence[0]).toMatchObject({ subject: 'You won', status: 'delivered' });
  });

  it('holds every row of a small incident, and none where none is wanted', () => {
    const rows = [...QUIET, ...attack.slice(0, 20)];
    expect(scanRows(rows, { evidenceRows: 100 })[0].relaywatch.incident.evidence).toHaveLength(20);
    expect(scanRows(rows, { evidenceRows: 0 })[0].relaywatch.incident.evidence).toEqual([]);
  });

  it('comes with the place of each row', () => {
    const rows = [...QUIET, ...attack];
    const { incidents, evidence } = scanWhole(rows, { evidenceRows: 10 });
    expect(evidence.map((pointer) => [pointer.incident, pointer.message_trace_id, pointer.recipient])).toEqual(
      incidents[0].relaywatch.incident.evidence.map((row) => [
        incidents[0].event.id,
        row.message_trace_id,
        row.recipient,
      ]),
    );
    for (const pointer of evidence) expect(rows[pointer.offset].recipient).toBe(pointer.recipient);
  });

  it('shows rows as they were merged', () => {
    const again = attack.map((row) => ({ ...row, status: 'failed' as const, time: (row.time as number) + 5000 }));
    const withIds = (rows: readonly Row[]) => rows.map((row, index) => ({ ...row, traceId: `m${index}` }));
    const rows = [...withIds(attack), ...withIds(again)];
    const [document] = scanRows([...QUIET, ...shuffled(rows, 3)]);
    for (const row of document.relaywatch.incident.evidence) expect(row.status).toBe('failed');
    expect(document.event.start).toBe(new Date(START).toISOString());
  });
});

describe('documents', () => {
  it('come in the order of detection', () => {
    const documents = scanRows([...QUIET, ...attack, ...bulk(START - 2 * DAY_MS), ...bulk(START + 30 * HOUR_MS)]);
    const order = documents.map((document) => `${document['@timestamp']} ${document.event.id}`);
    expect(order).toEqual([...order].sort());
    expect(order.length).toBeGreaterThan(1);
  });

  it('say it in a sentence', () => {
    const [document] = scanRows([...QUIET, ...attack]);
    expect(document.message).toBe(
      '8 unregistered domains, d0.example first, sent to 400 recipients through connector "Inbound from DC1" (198.51.100.25) since 14:00; 8 were enough to tell at 14:02.',
    );
    const [single] = scanRows([...QUIET, ...bulk(START)]);
    expect(single.message).toBe(
      'anna@contoso.com sent to 100 recipients since 14:00; 50 were enough to tell at 14:08.',
    );
  });

  it('keep numbers in their ranges', () => {
    for (const document of scanRows([...QUIET, ...attack, ...bulk(START + HOUR_MS)], { licenses: 1 })) {
      const { incident } = document.relaywatch;
      expect(document.event.risk_score).toBeGreaterThanOrEqual(1);
      expect(document.event.risk_score).toBeLessThanOrEqual(100);
      expect(incident.recipients).toBeGreaterThanOrEqual(incident.recipients_at_detection);
      expect(incident.recipients).toBeGreaterThanOrEqual(incident.messages);
      expect(Date.parse(document.event.start)).toBeLessThanOrEqual(Date.parse(incident.detected_at));
      expect(Date.parse(document.event.end)).toBeGreaterThanOrEqual(Date.parse(incident.detected_at));
      expect(incident.limit?.budget).toBe(10_000);
    }
  });
});

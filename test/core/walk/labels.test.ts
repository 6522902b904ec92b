import { describe, expect, it } from 'vitest';
import type { Label, Verdict } from '../../../src/core/feedback.ts';
import type { IncidentDocument } from '../../../src/core/incident-document.ts';
import { DAY_MS, HOUR_MS, MONDAY, ordinary, type Row, relay, SECOND_MS, scanRows } from '../pairs.ts';

const QUIET = ordinary(MONDAY, 75);
const NO_SOURCE = { fromIp: undefined, connector: undefined };
const at = (day: number, hour = 10) => MONDAY + day * DAY_MS + hour * HOUR_MS;

/** An issue of a newsletter: always to the same readers. */
const newsletter = (day: number, readers: number): Row[] =>
  relay({ ...NO_SOURCE, start: at(day), count: readers, everyMs: 6 * SECOND_MS, sender: 'news@contoso.com' }).map(
    (row, index) => ({ ...row, recipient: `reader${index}@readers.example` }),
  );
const attack = (day: number, count = 200, fields: Partial<Row> = {}) =>
  relay({ start: at(day), count, everyMs: 20 * SECOND_MS, ...fields });

const labelOf = (incident: IncidentDocument, verdict: Verdict, day: number): Label => ({
  incident: incident.event.id,
  verdict,
  by: 'ann',
  atMs: at(day, 12),
  note: '',
});
/** The incidents of the rows, the first of which was given a verdict at noon of a day. */
function scanLabelled(rows: readonly Row[], verdict: Verdict, day: number): IncidentDocument[] {
  const [first] = scanRows(rows.filter((row) => (row.time as number) <= at(day, 12)));
  return scanRows(rows, { feedback: { labels: [labelOf(first, verdict, day)] } });
}
const days = (incidents: readonly IncidentDocument[]) =>
  incidents.map(({ relaywatch }) => Math.floor((Date.parse(relaywatch.incident.detected_at) - MONDAY) / DAY_MS));

describe('a benign verdict', () => {
  const issues = (sizes: Record<number, number>) => [
    ...QUIET,
    ...Object.entries(sizes).flatMap(([day, size]) => newsletter(Number(day), size)),
  ];

  it('makes the next issues of a newsletter quiet, for a hundred days', () => {
    const rows = issues({ 23: 300, 51: 300, 65: 330 });
    expect(days(scanRows(rows))).toContain(51);
    expect(days(scanLabelled(rows, 'benign', 24))).toEqual([23]);
  });

  it('does not cover three times as much', () => {
    expect(days(scanLabelled(issues({ 23: 300, 51: 300, 65: 900 }), 'benign', 24))).toEqual([23, 65]);
  });

  it('does not cover other mailboxes', () => {
    const other = newsletter(51, 300).map((row) => ({ ...row, sender: 'user3@contoso.com' }));
    const found = scanLabelled([...issues({ 23: 300 }), ...other], 'benign', 24);
    expect(days(found)).toEqual([23, 51]);
    expect(found[1].relaywatch.incident.contributors.mailboxes[0].key).toBe('user3@contoso.com');
  });

  it('of another incident changes nothing', () => {
    const rows = issues({ 23: 300, 51: 300 });
    const label: Label = { incident: 'rw-0000000000000000', verdict: 'benign', by: 'ann', atMs: at(24), note: '' };
    expect(scanRows(rows, { feedback: { labels: [label] } })).toEqual(scanRows(rows));
  });

  it('of a connector serves the domains that it was given for', () => {
    const partner = { sender: 'list@partner.example' };
    const same = scanLabelled([...QUIET, ...attack(23, 200, partner), ...attack(51, 200, partner)], 'benign', 24);
    expect(days(same)).toEqual([23]);
    const other = scanLabelled([...QUIET, ...attack(23, 200, partner), ...attack(51)], 'benign', 24);
    expect(days(other)).toEqual([23, 51]);
    expect(other[1].event.severity).toBeGreaterThanOrEqual(73);
    expect(other[1].relaywatch.incident.recipients_at_detection).toBeLessThanOrEqual(30);
  });

  it('holds from the day after the mail, whenever it was given', () => {
    const rows = issues({ 23: 300, 51: 300 });
    const [first] = scanRows(rows);
    const label = labelOf(first, 'benign', 70);
    expect(days(scanRows(rows, { feedback: { labels: [label] } }))[0]).toBe(23);
  });
});

describe('a verdict of abuse', () => {
  const again = (firstCount: number) => [...QUIET, ...attack(23, firstCount), ...attack(60)];
  const early = (incidents: readonly IncidentDocument[]) =>
    incidents.at(-1)?.relaywatch.incident.recipients_at_detection as number;

  it('teaches nothing: the same attack a month later is found as early as if there had been none', () => {
    const alone = early(scanRows([...QUIET, ...attack(60, 200)]));
    const labelled = scanLabelled(again(1000), 'abuse', 24);
    expect(days(labelled)).toEqual([23, 60]);
    // Its connector and domain are not new any more, so what is new does not help; the expectation is as before.
    expect(early(labelled)).toBeLessThanOrEqual(Math.max(alone, 15));
  });

  const mailbox = (day: number, count: number, list: string) =>
    attack(day, count, { ...NO_SOURCE, sender: 'user3@contoso.com' }).map((row) => ({
      ...row,
      recipient: `${list}.${row.recipient}`,
    }));

  it('teaches no mailbox a record', () => {
    const rows = [...QUIET, ...mailbox(23, 700, 'first'), ...mailbox(60, 300, 'second')];
    const alone = early(scanRows([...QUIET, ...mailbox(60, 300, 'second')]));
    expect(early(scanLabelled(rows, 'abuse', 24))).toBe(alone);
    expect(early(scanRows(rows))).toBeGreaterThan(alone);
  });

  it('makes nobody known: who got spam once is a stranger still', () => {
    const rows = [...QUIET, ...mailbox(23, 700, 'list'), ...mailbox(60, 300, 'list')];
    const alone = early(scanRows([...QUIET, ...mailbox(60, 300, 'list')]));
    expect(early(scanLabelled(rows, 'abuse', 24))).toBe(alone);
  });
});

describe('a labelled incident', () => {
  it.each<Verdict>(['benign', 'abuse'])('takes no hits from the day after its verdict on (%s)', (verdict) => {
    const on = relay({ start: at(24, 20), count: 600, everyMs: 30 * SECOND_MS });
    const unlabelled = scanRows([...QUIET, ...attack(23, 60), ...on]);
    expect(unlabelled).toHaveLength(1);
    const labelled = scanLabelled([...QUIET, ...attack(23, 60), ...on], verdict, 23);
    expect(labelled.length).toBeGreaterThanOrEqual(2);
    expect(labelled[0].event.end < new Date(at(24, 0)).toISOString()).toBe(true);
    expect(labelled[0].relaywatch.incident.state).toBe('closed');
    expect(labelled[0].relaywatch.incident.reopened_count).toBe(0);
    expect(labelled[1].event.id).not.toBe(labelled[0].event.id);
  });

  it('is not reopened', () => {
    const rows = [...QUIET, ...attack(23), ...attack(27)];
    expect(scanRows(rows)).toHaveLength(1);
    expect(days(scanLabelled(rows, 'abuse', 24))).toEqual([23, 27]);
  });
});

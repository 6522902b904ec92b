import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, MONDAY, type Row, randomOf, scanRows } from '../core/pairs.ts';

/** `days` of mail of eighty mailboxes, to people who are the same every week. */
function office(days: number): Row[] {
  const random = randomOf(3);
  const rows: Row[] = [];
  for (let day = 0; day < days; day++) {
    for (let index = day % 7 < 5 ? 200 : 40; index > 0; index--) {
      rows.push({
        time: MONDAY + day * DAY_MS + Math.floor((8 + 9 * random()) * HOUR_MS),
        sender: `user${Math.floor(random() * 80)}@contoso.com`,
        recipient: `friend${Math.floor(random() * 400)}@partner.example`,
      });
    }
  }
  return rows;
}

/** Everybody writes at once, one after the other: no mailbox stands out. */
const together = (day: number, count: number, recipientOf: (index: number) => string): Row[] =>
  Array.from({ length: count }, (_, index) => ({
    time: MONDAY + day * DAY_MS + 10 * HOUR_MS + index * 9000,
    sender: `user${index % 80}@contoso.com`,
    recipient: recipientOf(index),
  }));
const stranger = (index: number) => `person${index}@victim.example`;
const friend = (index: number) => `friend${index % 400}@partner.example`;
const raised = (rows: readonly Row[]) =>
  scanRows(rows).filter(({ relaywatch }) => relaywatch.incident.series.includes('tenant_external'));

describe('tenant_external', () => {
  it('fires where all mailboxes together send far more than on other days', () => {
    const [{ relaywatch }, ...others] = raised([...office(16), ...together(15, 800, friend)]);
    expect(others).toEqual([]);
    expect(relaywatch.incident).toMatchObject({ family: 'bulk', statistic: 'scan' });
    expect(relaywatch.incident.contributors.mailboxes[0].share).toBeLessThan(0.2);
  });

  it('does not fire on the usual mail, nor on half as much again', () => {
    expect(raised(office(30))).toEqual([]);
    expect(raised([...office(16), ...together(15, 60, friend)])).toEqual([]);
  });

  it('needs less where they all write to strangers, from three weeks on', () => {
    const detected = (day: number, to: (index: number) => string) =>
      raised([...office(day + 1), ...together(day, 800, to)])[0]?.relaywatch.incident.observed ?? 0;
    expect(detected(29, stranger)).toBeLessThanOrEqual(90);
    expect(detected(29, friend)).toBeGreaterThanOrEqual(100);
    expect(detected(15, stranger)).toBeGreaterThanOrEqual(100);
  });

  it('says nothing in the first days of a tenant, whose usual mail is not known', () => {
    expect(raised([...office(3), ...together(2, 250, friend)])).toEqual([]);
  });
});

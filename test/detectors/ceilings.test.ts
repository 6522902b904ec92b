import { describe, expect, it } from 'vitest';
import { incidentsOf, outside, seriesOf } from './cases.ts';

const sender = 'ann@contoso.com';
/** One message each to `perMessage` recipients. */
const messages = (count: number, perMessage: number, from = sender) =>
  Array.from({ length: count }, (_, index) => ({
    sender: from,
    minute: index,
    recipients: outside(perMessage, `m${index}`),
  }));

describe('ceiling', () => {
  it('is reached by 400 recipients of a mailbox in an hour, and joins its incident', async () => {
    const incidents = await incidentsOf(messages(4, 100));
    expect(incidents.map((incident) => incident.relaywatch.incident.family)).toEqual(['bulk']);
    expect(seriesOf(incidents)).toContain('ceiling');
  });

  it('is not reached by 396', async () => {
    expect(seriesOf(await incidentsOf(messages(4, 99)))).not.toContain('ceiling');
  });

  it('counts the onmicrosoft.com senders of the tenant together: 100 in a day', async () => {
    const from = 'ann@contoso.onmicrosoft.com';
    const limited = (count: number) =>
      incidentsOf([...messages(1, count, from), { sender: 'bob@contoso.com' }], null, 'contoso');
    const [limit] = (await limited(100)).filter((incident) => incident.relaywatch.incident.family === 'limit');
    expect(limit.relaywatch.incident.limit).toMatchObject({
      name: 'onmicrosoft_external_recipients_24h',
      used: 100,
      budget: 100,
    });
    expect((await limited(99)).filter((incident) => incident.relaywatch.incident.family === 'limit')).toEqual([]);
  });

  it('watches the limit of the tenant where the licenses are known', async () => {
    // One license: 10,000 recipients in 24 hours, half of them reached by 50 mailboxes.
    const sent = Array.from({ length: 50 }, (_, index) => ({
      sender: `user${index}@contoso.com`,
      minute: index * 20,
      recipients: outside(100, `u${index}`),
    }));
    const limits = async (licenses: number | null, count: number) =>
      (await incidentsOf(sent.slice(0, count), licenses)).filter((one) => one.relaywatch.incident.family === 'limit');
    const [limit, ...others] = await limits(1, 50);
    expect(others).toEqual([]);
    expect(limit.event.severity).toBe(21);
    expect(limit.relaywatch.incident.limit).toMatchObject({
      name: 'tenant_external_recipients_24h',
      used: 5_000,
      budget: 10_000,
    });
    expect(await limits(1, 49)).toEqual([]);
    expect(await limits(null, 50)).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { incidentsOf, mails, seriesOf } from './cases.ts';

describe('unregistered_source', () => {
  it('joins at the 15th mail of a server, whatever the domains', async () => {
    const sent = mails(15, (index) => ({ sender: `promo@d${index}.example`, source: '192.0.2.9' }));
    const incidents = await incidentsOf(sent);
    expect(incidents.length).toBe(1);
    expect(seriesOf(incidents)).toEqual(['relayed', 'unregistered_source']);
    expect(incidents[0].relaywatch.incident.contributors.sources[0]).toMatchObject({ key: '192.0.2.9', share: 1 });
  });

  it('counts a connector with many servers behind it', async () => {
    const sent = mails(15, (index) => ({
      sender: `promo@d${index}.example`,
      source: `192.0.2.${index + 1}`,
      connector: 'Inbound from DC1',
    }));
    expect(seriesOf(await incidentsOf(sent))).toContain('unregistered_source');
  });

  it('counts an IPv6 network as one server', async () => {
    const sent = mails(15, (index) => ({ sender: `promo@d${index}.example`, source: `2001:db8:0:1::${index + 1}` }));
    expect(seriesOf(await incidentsOf(sent))).toContain('unregistered_source');
  });

  it('does not fire on 14 mails each of three servers', async () => {
    const sent = mails(42, (index) => ({ sender: `promo@d${index}.example`, source: `192.0.2.${(index % 3) + 1}` }));
    expect(seriesOf(await incidentsOf(sent))).toEqual(['relayed']);
  });
});

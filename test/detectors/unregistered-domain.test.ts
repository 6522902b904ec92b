import { describe, expect, it } from 'vitest';
import { incidentsOf, mails, seriesOf } from './cases.ts';

const server = (index: number) => ({ source: `192.0.2.${index + 1}` });

describe('unregistered_domain', () => {
  it('joins at the 15th mail of a domain, whatever the servers', async () => {
    const incidents = await incidentsOf(mails(15, server));
    expect(incidents.length).toBe(1);
    expect(seriesOf(incidents)).toEqual(['relayed', 'unregistered_domain']);
    expect(incidents[0].relaywatch.incident.contributors.domains[0]).toMatchObject({
      key: 'tailspin.example',
      share: 1,
    });
  });

  it('does not fire on 14 mails each of three domains', async () => {
    const sent = mails(42, (index) => ({ ...server(index), sender: `promo@d${index % 3}.example` }));
    expect(seriesOf(await incidentsOf(sent))).toEqual(['relayed']);
  });
});

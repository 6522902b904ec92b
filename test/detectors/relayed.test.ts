import { describe, expect, it } from 'vitest';
import { incidentsOf, mails, seriesOf } from './cases.ts';

/** Every mail from another domain and another server: no single one stands out. */
const rotated = (count: number) =>
  mails(count, (index) => ({ sender: `promo@d${index}.example`, source: `192.0.2.${index + 1}` }));

describe('relayed', () => {
  it('fires at the 11th unregistered mail in 15 minutes, whoever sends it', async () => {
    const [incident, ...others] = await incidentsOf(rotated(11));
    expect(others).toEqual([]);
    expect(incident.relaywatch.incident).toMatchObject({
      family: 'unregistered',
      series: ['relayed'],
      observed: 11,
      window: '15m',
      recipients: 11,
    });
  });

  it('does not fire at the 10th', async () => {
    expect(await incidentsOf(rotated(10))).toEqual([]);
  });

  it('does not fire on mail of accepted domains, or to them', async () => {
    const registered = mails(40, (index) => ({ sender: `user${index}@contoso.com` }));
    const inbound = mails(40, (index) => ({ recipients: [`user${index}@contoso.com`] }));
    expect(await incidentsOf([...registered, ...inbound])).toEqual([]);
  });

  it('fires on a sub-domain that the list does not cover', async () => {
    const sent = mails(12, (index) => ({ sender: `x@s${index}.contoso.com` }));
    expect(seriesOf(await incidentsOf(sent))).toEqual(['relayed']);
  });
});

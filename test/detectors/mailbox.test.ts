import { describe, expect, it } from 'vitest';
import { incidentsOf, mails, outside, seriesOf } from './cases.ts';

const sender = 'ann@contoso.com';

describe('mailbox', () => {
  it('fires at the 50th outside recipient in 15 minutes', async () => {
    const [incident, ...others] = await incidentsOf(mails(50, () => ({ sender })));
    expect(others).toEqual([]);
    expect(incident.relaywatch.incident).toMatchObject({
      family: 'bulk',
      series: ['mailbox'],
      observed: 50,
      window: '15m',
    });
    expect(incident.relaywatch.incident.contributors.mailboxes[0]).toMatchObject({ key: sender, share: 1 });
  });

  it('does not fire at the 49th, nor on mail inside', async () => {
    const inside = mails(300, (index) => ({ sender, recipients: [`user${index}@contoso.com`] }));
    expect(await incidentsOf([...mails(49, () => ({ sender })), ...inside])).toEqual([]);
  });

  it('counts five recipients of a message at most: an announcement is no attack', async () => {
    const sent = mails(9, (index) => ({ sender, recipients: outside(15, `m${index}`) }));
    expect(seriesOf(await incidentsOf(sent))).toEqual([]);
  });
});

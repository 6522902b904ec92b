import { describe, expect, it } from 'vitest';
import { incidentsOf, outside, seriesOf } from './cases.ts';

const sender = 'ann@contoso.com';

describe('mailbox_recipients', () => {
  it('fires on one message to 150 outside recipients', async () => {
    const [incident, ...others] = await incidentsOf([{ sender, recipients: outside(150, 'r') }]);
    expect(others).toEqual([]);
    expect(incident.relaywatch.incident).toMatchObject({
      family: 'bulk',
      series: ['mailbox_recipients'],
      observed: 150,
    });
  });

  it('does not fire on one to 149', async () => {
    expect(seriesOf(await incidentsOf([{ sender, recipients: outside(149, 'r') }]))).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { incidentsOf, outside, seriesOf } from './cases.ts';

describe('unregistered_recipients', () => {
  it('fires on one message to 100 recipients, which weighs only five', async () => {
    const [incident, ...others] = await incidentsOf([{ recipients: outside(100, 'r') }]);
    expect(others).toEqual([]);
    expect(incident.relaywatch.incident).toMatchObject({
      series: ['unregistered_recipients'],
      observed: 100,
      messages: 1,
    });
  });

  it('does not fire on one to 99', async () => {
    expect(seriesOf(await incidentsOf([{ recipients: outside(99, 'r') }]))).toEqual([]);
  });
});

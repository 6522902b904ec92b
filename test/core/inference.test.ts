import { describe, expect, it } from 'vitest';
import { DomainInference } from '../../src/core/inference.ts';
import { MONDAY, Pairs, type Row, shuffled } from './pairs.ts';

function inferred(rows: readonly Row[]): string[] {
  const pairs = new Pairs();
  const inference = new DomainInference();
  for (const row of rows) inference.add(pairs.record(row).words, 0);
  return inference.domains(pairs.ids.domain).map((domain) => domain.name);
}
const times = (count: number, row: Partial<Row>): Row[] =>
  Array.from({ length: count }, (_, index) => ({
    time: MONDAY + index,
    sender: 'x@outside.example',
    recipient: `y${index}@elsewhere.example`,
    traceId: `${JSON.stringify(row)} ${index}`,
    ...row,
  }));
const SENT = { sender: 'anna@contoso.com', toIp: '203.0.113.1' };
const RECEIVED = { recipient: 'anna@contoso.com', fromIp: '203.0.113.1', toIp: '' };

describe('inferred accepted domains', () => {
  it('are those that three messages leave from', () => {
    expect(inferred(times(3, SENT))).toEqual(['contoso.com']);
    expect(inferred(times(2, SENT))).toEqual([]);
    expect(inferred(times(5, { ...SENT, traceId: 'one message' }))).toEqual([]);
  });

  it('are those that three delivered pairs arrive at', () => {
    expect(inferred(times(3, RECEIVED))).toEqual(['contoso.com']);
    expect(inferred(times(2, RECEIVED))).toEqual([]);
    expect(inferred(times(3, { recipient: 'anna@contoso.com', direction: 'inbound' }))).toEqual(['contoso.com']);
    for (const status of ['failed', 'pending', 'expanded', 'quarantined'] as const) {
      expect(inferred(times(5, { ...RECEIVED, status }))).toEqual([]);
    }
  });

  it('are never those of relayed, failed or bounced mail', () => {
    expect(inferred(times(9, { sender: 'a@fabrikam.example', fromIp: '10.0.0.1', toIp: '203.0.113.1' }))).toEqual([]);
    expect(inferred(times(9, { ...SENT, status: 'failed' }))).toEqual([]);
    // A forward in the same cell as the mailbox: came in, and was sent on.
    const sentOn = { fromIp: '198.51.100.1', toIp: '203.0.113.9', direction: 'inbound' } as const;
    const forwarded = { ...sentOn, recipient: 'anna@mymail.example' };
    expect(inferred(times(9, forwarded))).toEqual([]);
    expect(inferred(times(9, { ...SENT, sender: '<>' }))).toEqual([]);
    expect(inferred(times(9, { ...SENT, sender: 'postmaster@fabrikam.example' }))).toEqual([]);
  });

  it('need both columns', () => {
    expect(inferred(times(9, { sender: 'anna@contoso.com' }))).toEqual([]);
    expect(inferred(times(9, { recipient: 'anna@contoso.com', fromIp: '203.0.113.1' }))).toEqual([]);
  });

  it('are ordered by name, whatever the order of rows', () => {
    const rows = [
      ...times(3, SENT),
      ...times(3, { ...SENT, sender: 'x@alpha.example' }),
      ...times(4, { ...RECEIVED, recipient: 'x@zeta.example' }),
    ];
    const expected = ['alpha.example', 'contoso.com', 'zeta.example'];
    for (let seed = 0; seed < 5; seed++) expect(inferred(shuffled(rows, seed))).toEqual(expected);
  });
});

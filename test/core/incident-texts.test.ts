import { describe, expect, it } from 'vitest';
import { evidenceText } from '../../src/core/incident-texts.ts';
import { REFUSAL_UNREGISTERED_BLOCKED } from '../../src/core/record.ts';
import { DAY_MS, HOUR_MS, MONDAY, ordinary, type Row, relay, SECOND_MS, scanRows, shuffled } from './pairs.ts';

const START = MONDAY + 20 * DAY_MS + 14 * HOUR_MS;
const QUIET = ordinary(MONDAY, 25);
const attack = (fields: Partial<Parameters<typeof relay>[0]> = {}): Row[] =>
  relay({ start: START, count: 400, everyMs: 20 * SECOND_MS, ...fields }, (index) => `d${index % 3}.example`);
const reasons = (rows: readonly Row[], licenses?: number): string[] =>
  scanRows([...QUIET, ...rows], { licenses }).map(({ event }) => event.reason);

describe('the reason of an incident', () => {
  it('has the count, the evidence, and what the rows have in common', () => {
    expect(reasons(attack())).toEqual([
      '8 recipients in 15 min, almost none expected (95 % up to 1); evidence over 10^9 to 1; since 14:00: 400 recipients, all through connector "Inbound from DC1", all to new recipients',
    ]);
  });

  it('is the same in any order of the rows', () => {
    const rows = attack().map((row, index) => ({ ...row, connector: index % 2 === 0 ? 'A' : 'B' }));
    const [reason] = reasons(rows, 10);
    expect(scanRows(shuffled([...QUIET, ...rows], 7), { licenses: 10 })[0].event.reason).toBe(reason);
  });

  it('counts where only a part of the rows has it in common', () => {
    const rows = attack().map((row, index) => ({
      ...row,
      connector: index % 4 === 0 ? undefined : 'Inbound from DC1',
      status: index % 5 === 0 ? ('failed' as const) : ('delivered' as const),
      recipient: index % 2 === 0 ? `friend${index % 50}@partner.example` : row.recipient,
    }));
    expect(reasons(rows)[0]).toMatch(
      /; since 14:0\d: 300 recipients, all through connector "Inbound from DC1", 200 to new recipients, 60 failed or filtered as spam$/,
    );
  });

  it('leaves out what says nothing', () => {
    const rows = attack({ connector: undefined, fromIp: undefined }).map((row, index) => ({
      ...row,
      recipient: `friend${index % 50}@partner.example`,
    }));
    expect(reasons(rows)[0]).toMatch(/; since 14:0\d: \d+ recipients$/);
    // One in fifty.
    const failed = rows.map((row, index) => ({ ...row, status: index % 50 === 0 ? ('failed' as const) : row.status }));
    expect(reasons(failed)[0]).toMatch(/; since 14:0\d: \d+ recipients$/);
  });

  it('names the address where there is no connector', () => {
    expect(reasons(attack({ connector: undefined }))[0]).toContain('all from 198.51.100.25, ');
  });

  it('says nothing of new recipients in a young tenant', () => {
    const rows = attack({ start: MONDAY + 9 * DAY_MS + 14 * HOUR_MS });
    expect(scanRows([...ordinary(MONDAY, 12), ...rows])[0].event.reason).not.toContain('new recipients');
  });

  it('has the share of the limit where the licenses are known', () => {
    expect(reasons(attack({ count: 900, everyMs: SECOND_MS }), 1)[0]).toMatch(/; [5-9] % of the 24-h limit$/);
    expect(reasons(attack({ count: 20 }), 1000)[0]).not.toContain('limit');
  });

  it('stays short whatever a connector is called', () => {
    const [reason] = reasons(attack({ connector: 'x'.repeat(5_000) }));
    expect(reason).toContain(`"${'x'.repeat(99)}…"`);
    expect(reason.length).toBeLessThan(400);
  });

  it('of a limit is its share alone, of a block what Microsoft answers', () => {
    const ofMailbox = relay({
      start: START,
      count: 8_200,
      everyMs: 100,
      sender: 'news@contoso.com',
      connector: undefined,
      fromIp: undefined,
    });
    expect(reasons(ofMailbox)).toContain('8,000 recipients in 24 h, 80 % of 10,000');
    const blocked = attack({ count: 1 }).map((row) => ({
      ...row,
      status: 'failed' as const,
      refusal: REFUSAL_UNREGISTERED_BLOCKED,
    }));
    expect(reasons(blocked)).toEqual([
      'Microsoft answers 550 5.7.750: the tenant may not send from unregistered domains',
    ]);
  });
});

describe('evidence', () => {
  const numbers = { observed: 20, expected: 3, expectedP95: 7, window: '1h' };

  it.each([
    ['scan', 5, 'evidence 10^5 to 1'],
    ['scan', 6, 'evidence 10^7 to 1'],
    ['scan', 6.8, 'evidence over 10^9 to 1'],
    ['cusum', 16, 'evidence 10^6 to 1'],
    ['cusum', 22, 'evidence 10^9 to 1'],
    ['cusum', 24, 'evidence over 10^9 to 1'],
    ['ceiling', 1.2, null],
  ] as const)('of a %s with %d', (statistic, score, text) => {
    expect(evidenceText({ ...numbers, statistic, score })).toBe(text);
  });
});

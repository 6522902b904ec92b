import { describe, expect, it } from 'vitest';
import type { Explanation } from '../../src/core/explanation.ts';
import { incidentPage } from '../../src/reports/incident-page.ts';
import { relayIncident } from './incidents.ts';

const AT = Date.UTC(2026, 8, 5, 18, 14, 7);

function explanation(fields: Partial<Explanation> = {}): Explanation {
  const window = (name: string, count: number, floor: number, expected: number, score: number) => ({
    window: name,
    count,
    floor,
    expected,
    expectedP95: Math.ceil(expected * 3) + 1,
    variance: 0.5,
    score,
    needed: floor,
  });
  return {
    series: 'relayed',
    statistic: 'scan',
    rows: 'unregistered_not_forwarded',
    key: '',
    keyNumber: 0,
    keyKind: 'tenant',
    unit: 'weight',
    atMs: AT,
    critical: 5,
    levelPerDay: 6.53481,
    learnedDays: 15.14,
    windows: [
      window('15m', 12, 11, 0.00423, 5.3149),
      window('1h', 12, 15, 0.41234, 4.1),
      window('6h', 12, 22, 1.73, 2),
      window('24h', 1_012, 30, 1_006.4, 0.1),
    ],
    expectedByHour: Array.from({ length: 24 }, (_, hour) => hour * hour * 2.345),
    ramp: null,
    ...fields,
  };
}

const page = (fields: Partial<Explanation> = {}, document = relayIncident()) =>
  incidentPage(document, explanation(fields), ['refused'], 'Unregistered mail that nobody here forwarded');

describe('the page of an incident', () => {
  it('has the numbers of every window, the hours, and the marks of its severity', () => {
    expect(page()).toMatchInlineSnapshot(`
      "rw-0000000000000001: relay, high (73)
      2 unregistered domains, fabrikam.example first, sent to 3,106 recipients through
      connector "Inbound from DC1".

      Why it was raised
        At 2026-09-05 18:14 UTC by relayed: unregistered mail that nobody here
        forwarded. For the whole tenant it counts recipients of mail with unregistered
        senders that nobody here forwarded, at most five of a message. Usual are 6.53
        a day, learned from about 15 days. A count is a hit when it is at least the
        floor and its score, the distance from what is expected, is 5 or more.

        window  recipients  expected  95 % up to  floor  hit from  score
        15 min          12    < 0.01           2     11        11   5.31  hit
        1 h             12      0.41           3     15        15   4.10
        6 h             12      1.73           7     22        22   2.00
        24 h         1,012     1,006       3,021     30        30   0.10

      What would not have raised it
        Up to 10 in 15 min, 14 in 1 h, 21 in 6 h, 29 in 24 h, as far as this count
        goes: other detectors count the same mail by other keys.

      Expected in each of the 24 hours up to then (UTC)
        19 h     0  20 h  2.35  21 h  9.38  22 h  21.1  23 h  37.5  00 h  58.6
        01 h  84.4  02 h   115  03 h   150  04 h   190  05 h   235  06 h   284
        07 h   338  08 h   396  09 h   460  10 h   528  11 h   600  12 h   678
        13 h   760  14 h   847  15 h   938  16 h 1,034  17 h 1,135  18 h 1,241

      Why it is high (73)
        An incident of type relay starts at high; each of these is a step more,
        critical only with two of them:
        no   it has reached a tenth of what the tenant may reach in 24 hours (2,000
             recipients where licenses are not given)
        yes  at least 30 % of its mail failed or was filtered as spam
        no   the connector or server of most of it was first seen less than 24 hours
             before it began
      "
    `);
  });

  it('fits 80 columns', () => {
    const steps = Array.from({ length: 5 }, (_, step) => ({
      startMs: AT - step * 21_600_000,
      count: 12_345,
      expected: 10_000.5,
      nats: [1.5, 123.456, 0],
    }));
    const long = { key: 'promo.fabrikam.example', keyKind: 'domain', ramp: steps } as const;
    for (const line of page(long).split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('of a ramp has its steps, the latest sixty', () => {
    const ramp = Array.from({ length: 70 }, (_, step) => ({
      startMs: AT - (70 - step) * 21_600_000,
      count: step,
      expected: 0.004,
      nats: [step / 10, 0, step],
    }));
    const text = page({ statistic: 'cusum', critical: 16, ramp });
    expect(text.replace(/\n */g, ' ')).toContain('a sum of 16 is a hit (evidence of 10^6 to 1, in nats).');
    expect(text).toContain('no single window had to be');
    expect(text).not.toMatch(/ hit$/m);
    const lines = text.split('\n').filter((line) => /^ {2}2026-.*< 0\.01/.test(line));
    expect(lines).toHaveLength(60);
    expect(lines.at(-1)).toMatch(/^ {2}2026-09-05 12:14 +69 +< 0\.01 +6\.90 +0\.00 +69\.00$/);
  });

  it('of a ceiling has no expectation', () => {
    const windows = [400, 800, Number.POSITIVE_INFINITY].map((floor, index) => ({
      window: ['1h', '24h', '6h'][index],
      count: 412,
      floor,
      expected: null,
      expectedP95: null,
      variance: null,
      score: null,
      needed: null,
    }));
    const whole = page({
      series: 'ceiling',
      statistic: 'ceiling',
      keyKind: 'mailbox',
      key: 'ann@contoso.com',
      unit: 'pairs',
      rows: 'accepted_mailbox',
      levelPerDay: null,
      expectedByHour: [],
      windows,
    });
    const text = whole.replace(/\n */g, ' ');
    expect(text).toContain('For the mailbox ann@contoso.com it counts recipients outside. It is a fixed limit');
    expect(whole).toMatch(/1 h +412 +400\n {2}24 h +412 +800\n {2}6 h +412 +none\n/);
    expect(text).toContain('Up to 399 in 1 h, 799 in 24 h, as far');
    expect(text).not.toMatch(/expected|NaN|Infinity|null/);
  });

  it.each([
    ['limit', 'It follows how much of the limit is used.'],
    ['blocked', 'A tenant that Microsoft blocks is always critical.'],
    ['forwarding', 'starts at low; each of these is a step more, never above medium:'],
    ['relay', 'starts at high; each of these is a step more, critical only with two'],
  ] as const)('tells the severity of %s', (type, expected) => {
    const text = incidentPage(relayIncident({ type }), null, [], '').replace(/\n */g, ' ');
    expect(text).toContain(expected);
    expect(text).toContain('At 2026-09-05 18:14 UTC: 12 recipients in 15 min, 0.4 expected (95 % up to 3).');
  });

  it('tells a tenant of which nothing is learned', () => {
    expect(page({ learnedDays: 0.2 })).toContain('which is general: nothing is');
    expect(page({ learnedDays: 0.9 })).toContain('learned from about a day');
  });

  it('shows control characters of an attacker as marks', () => {
    const hostile = { ...relayIncident(), message: 'from \u001b[2Jconnector \u202e' };
    const text = page({ keyKind: 'connector', key: 'a\u001b]0;x\u0007\nb' }, hostile);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u202e]/);
    expect(text).toMatch(/For the connector a.*b it counts/s);
  });
});

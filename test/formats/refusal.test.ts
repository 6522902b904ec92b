import { describe, expect, it } from 'vitest';
import {
  REFUSAL_ADDRESS_BLOCKED,
  REFUSAL_DEFERRED,
  REFUSAL_ELSEWHERE,
  REFUSAL_NONE,
  REFUSAL_THRESHOLD_EXCEEDED,
  REFUSAL_UNREGISTERED_BLOCKED,
} from '../../src/core/record.ts';
import { Replies, refusalOf } from '../../src/formats/refusal.ts';

const EOP = 'contoso-com.mail.protection.outlook.com';
const UNREGISTERED = '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains.';
const THRESHOLD = '550 5.7.705 Access denied, tenant has exceeded threshold';

/** As Exchange Online writes what a server said. */
function online(text: string, server: string): string {
  return `[{LED=${text}};{MSG=};{FQDN=${server}};{IP=52.101.40.2};{LRT=9/5/2026 6:10:14 PM}]`;
}

/** As Exchange Server does. */
function onPremises(text: string, server: string): string {
  return `[{LRT=9/5/2026 6:10:14 PM};{LED=${text}};{FQDN=${server}};{IP=52.101.40.2}]`;
}

describe('what a reply tells', () => {
  it.each([
    [UNREGISTERED, REFUSAL_UNREGISTERED_BLOCKED],
    [
      '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domain',
      REFUSAL_UNREGISTERED_BLOCKED,
    ],
    [
      `${UNREGISTERED} AS(7230) [AM7EUR03FT024.eop-EUR03.prod.protection.outlook.com 2026-09-05T18:10:14Z]`,
      REFUSAL_UNREGISTERED_BLOCKED,
    ],
    ['550-5.7.750 Service unavailable', REFUSAL_UNREGISTERED_BLOCKED],
    ['5.7.750', REFUSAL_UNREGISTERED_BLOCKED],
    ["Remote Server returned '550 5.7.750 Service unavailable'", REFUSAL_UNREGISTERED_BLOCKED],
    ['451 4.4.0 Primary target IP address responded with: "550 5.7.705 Access denied"', REFUSAL_THRESHOLD_EXCEEDED],
    [
      '550 5.4.300 Message expired -> 550 5.7.705 Access denied, tenant has exceeded threshold',
      REFUSAL_THRESHOLD_EXCEEDED,
    ],
    [THRESHOLD, REFUSAL_THRESHOLD_EXCEEDED],
    ['550 5.7.705 Service unavailable. Access denied, tenant has exceeded threshold', REFUSAL_THRESHOLD_EXCEEDED],
    [
      '550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. AS(7230)',
      REFUSAL_ADDRESS_BLOCKED,
    ],
    ['451 4.7.500 Server busy. Please try again later from [192.0.2.25].', REFUSAL_DEFERRED],
    ['451 4.7.699 Try again later', REFUSAL_DEFERRED],
    ['451 4.7.700 Try again later', REFUSAL_NONE],
    ['451 4.7.849 Try again later', REFUSAL_NONE],
    ['451 4.7.850 Try again later', REFUSAL_DEFERRED],
    ['451 4.7.899 Try again later', REFUSAL_DEFERRED],
    ['550 5.7.703 Your message could not be delivered: blocked by your organization', REFUSAL_NONE],
    ['550 5.7.64 TenantAttribution; Relay Access Denied', REFUSAL_NONE],
    ['550 5.7.7500 no such code', REFUSAL_NONE],
    ['550 15.7.750 no such code', REFUSAL_NONE],
    ['421 connection from 4.5.7.750 refused', REFUSAL_NONE],
    ['250 2.1.5 Recipient OK', REFUSAL_NONE],
    ['', REFUSAL_NONE],
  ])('%s', (text, refusal) => {
    expect(refusalOf(text)).toBe(refusal);
    expect(refusalOf(online(text, EOP))).toBe(refusal);
    expect(refusalOf(onPremises(text, ''))).toBe(refusal);
    expect(refusalOf(`Reason: ${online(text, '')}`)).toBe(refusal);
  });

  it.each([
    [EOP, true],
    ['CONTOSO-COM.MAIL.PROTECTION.OUTLOOK.COM.', true],
    [`${EOP} [52.101.40.2]`, true],
    ['BN8PR03MB1234.namprd03.prod.outlook.com', true],
    ['contoso-de.mail.protection.partner.outlook.cn', true],
    ['contoso-com.mail.protection.office365.us', true],
    ['contoso-com.x-v1.mx.microsoft', true],
    ['mx1.partner.example', false],
    ['outlook.com.partner.example', false],
    ['notoutlook.com', false],
    ['192.0.2.7', false],
  ])('from %s', (server, isMicrosoft) => {
    const block = isMicrosoft ? REFUSAL_UNREGISTERED_BLOCKED : REFUSAL_ELSEWHERE;
    expect(refusalOf(online(UNREGISTERED, server))).toBe(block);
    expect(refusalOf(onPremises(UNREGISTERED, server))).toBe(block);
    expect(refusalOf(UNREGISTERED, server)).toBe(block);
    expect(refusalOf(`${UNREGISTERED} [LastAttemptedServerName=${server}] [LastAttemptedIP=52.101.40.2:25]`)).toBe(
      block,
    );
    expect(refusalOf(online('451 4.7.500 Server busy', server))).toBe(isMicrosoft ? REFUSAL_DEFERRED : REFUSAL_NONE);
  });

  it('reads pairs in any order', () => {
    const pairs = [`{LED=${THRESHOLD}}`, '{MSG=}', `{FQDN=${EOP}}`, '{IP=52.101.40.2}', '{LRT=9/5/2026}'];
    for (let turn = 0; turn < pairs.length; turn++) {
      pairs.push(pairs.shift() as string);
      expect(refusalOf(`[${pairs.join(';')}]`)).toBe(REFUSAL_THRESHOLD_EXCEEDED);
      expect(refusalOf(`[${pairs.join(';').replace(EOP, 'mx.partner.example')}]`)).toBe(REFUSAL_ELSEWHERE);
    }
  });

  it('takes the name of its own servers for no other server', () => {
    expect(refusalOf(UNREGISTERED, 'BN8PR03MB1234')).toBe(REFUSAL_UNREGISTERED_BLOCKED);
    expect(refusalOf(online(UNREGISTERED, ''), 'mx.partner.example')).toBe(REFUSAL_UNREGISTERED_BLOCKED);
  });

  it('reads short texts that were cut', () => {
    for (const end of [60, 30, 17])
      expect(refusalOf(`[{LED=${UNREGISTERED}`.slice(0, end))).toBe(REFUSAL_UNREGISTERED_BLOCKED);
  });
});

describe('a server that wants to pass for Microsoft', () => {
  const evil = 'mx.evil.example';

  it.each([
    ['names another', '550 5.7.750 go away {FQDN=contoso-com.mail.protection.outlook.com}'],
    ['ends its text', `550 5.7.750 go away};{MSG=};{FQDN=${EOP}`],
    ['ends the reply', `550 5.7.750 go away};{MSG=};{FQDN=${EOP}};{IP=52.101.40.2};{LRT=9/5/2026}]`],
    ['begins another reply', `550 5.1.1 no};{FQDN=}];[{LED=550 5.7.750 go away};{FQDN=${EOP}`],
    ['leaves the name empty', '550 5.7.750 go away};{MSG=};{FQDN=};{IP=};{LRT=}]'],
    ['quotes a server attempted', `550 5.7.750 go away [LastAttemptedServerName=${EOP}]`],
  ])('%s', (_, text) => {
    expect(refusalOf(online(text, evil))).toBe(REFUSAL_ELSEWHERE);
    expect(refusalOf(onPremises(text, evil))).toBe(REFUSAL_ELSEWHERE);
    expect(refusalOf(text, evil)).toBe(REFUSAL_ELSEWHERE);
    const replies = new Replies(`${online(text, evil)};${online('550 5.7.705 no', evil)}`, 2, '');
    expect(Math.max(replies.refusal(0), replies.refusal(1))).toBe(REFUSAL_ELSEWHERE);
  });

  it('cannot push its own name out of a text that is cut', () => {
    const text = `550 5.7.750 go away};{MSG=};{FQDN=${EOP}};{IP=52.101.40.2};{LRT=9/5/2026}]`;
    for (const length of [600, 1_000, 2_000, 5_000, 100_000]) {
      const reply = online(`${text}${'x'.repeat(length)}`, evil);
      for (const cut of [length / 2, length, length + 50]) {
        expect(refusalOf(reply.slice(0, cut))).toBe(REFUSAL_ELSEWHERE);
        expect(refusalOf(`${reply.slice(0, cut)}}]`)).toBe(REFUSAL_ELSEWHERE);
      }
    }
  });

  it('takes no time', () => {
    const begun = performance.now();
    for (const part of [
      '{FQDN=',
      '[',
      ']',
      '}',
      ' ',
      ';[',
      '5.7.',
      '[LastAttemptedServerName=',
      '{LED=2',
      '{LED= [ [',
    ]) {
      const text = part.repeat(1_000_000 / part.length);
      expect(refusalOf(text)).toBe(REFUSAL_NONE);
      const replies = new Replies(`[${text}`, 1000, '');
      for (let recipient = 0; recipient < 1000; recipient++) replies.isSuccess(recipient);
      expect(replies.refusal(999)).toBe(REFUSAL_NONE);
    }
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});

describe('replies of an event row', () => {
  it('are those of its recipients, in their order', () => {
    const rows = [
      [online('550 5.1.10 not found', ''), online(UNREGISTERED, EOP)].join(';'),
      [onPremises('550 5.1.10 not found', ''), onPremises(UNREGISTERED, EOP)].join('; '),
      `{LED=550 5.1.10 not found};{FQDN=};{LED=${UNREGISTERED}};{FQDN=${EOP}}`,
      `550 5.1.10 not found;${UNREGISTERED}`,
    ];
    for (const row of rows) {
      const replies = new Replies(row, 2, '');
      expect([replies.refusal(0), replies.refusal(1)], row).toEqual([REFUSAL_NONE, REFUSAL_UNREGISTERED_BLOCKED]);
      expect([replies.isFailure(0), replies.isSuccess(0)], row).toEqual([true, false]);
    }
  });

  it('are one for all where their number is another', () => {
    const replies = new Replies(online(UNREGISTERED, EOP), 3, '');
    for (const recipient of [0, 1, 2]) expect(replies.refusal(recipient)).toBe(REFUSAL_UNREGISTERED_BLOCKED);
  });

  it('may refuse nothing', () => {
    const replies = new Replies('[{LED=250 2.1.5 RESOLVER.GRP.Expanded; distribution list expanded};{FQDN=}]', 1, '');
    expect([replies.isSuccess(0), replies.isExpansion(0), replies.isFailure(0)]).toEqual([true, true, false]);
    const dropped = new Replies('250 2.0.0 Dropped', 1, '');
    expect([dropped.isSuccess(0), dropped.isExpansion(0)]).toEqual([true, false]);
  });
});

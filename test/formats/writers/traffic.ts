/** A tenant's traffic with everything that some format can tell: header senders, replies of servers, groups. */

import { addAttack } from '../../../bench/traffic/attack.ts';
import { DAY_MS, HOUR_MS } from '../../../bench/traffic/message.ts';
import { Random } from '../../../bench/traffic/random.ts';
import { generateBackground } from '../../../bench/traffic/world.ts';
import type { ServerReply, WrittenField, WrittenMessage, WrittenRecipient } from './message.ts';

/** Days after the 12th tell the order of day and month. */
const START_MS = Date.UTC(2026, 0, 12);
const SERVER = { ip: '192.0.2.25', connector: 'Inbound from DC1' };

const REFUSED: readonly ServerReply[] = [
  { text: '550 5.1.1 User unknown', server: 'mx1.partner.example', refusal: 'none' },
  { text: '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found', server: '', refusal: 'none' },
  {
    text: '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains. AS(7230)',
    server: 'contoso-com.mail.protection.outlook.com',
    refusal: 'unregistered_blocked',
  },
  {
    text: '550 5.7.705 Access denied, tenant has exceeded threshold',
    server: '',
    refusal: 'threshold_exceeded',
  },
  {
    text: '550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. AS(7230)',
    server: 'fabrikam-com.mail.protection.outlook.com',
    refusal: 'address_blocked',
  },
  { text: '550 5.7.705 We know your kind', server: 'mx.grumpy.example', refusal: 'elsewhere' },
];
const DEFERRED: readonly ServerReply[] = [
  {
    text: '451 4.7.500 Server busy. Please try again later from [192.0.2.25]. (AS77712345)',
    server: 'contoso-com.mail.protection.outlook.com',
    refusal: 'deferred',
  },
  { text: '451 4.4.0 Primary target IP address responded late', server: 'mx1.partner.example', refusal: 'none' },
];

export interface WrittenTraffic {
  acceptedDomains: string[];
  messages: WrittenMessage[];
}

/** A few days with an attack at the end, on whole seconds. The same seed gives the same traffic. */
export function writtenTraffic(seed: string): WrittenTraffic {
  const random = new Random(`${seed}/written`);
  const days = 6;
  const background = generateBackground({
    seed,
    startMs: START_MS,
    days,
    rowsPerDay: 40,
    hybrid: [{ ...SERVER, applicationRowsPerDay: 3, foreignRowsPerDay: 1 }],
  });
  addAttack(background, {
    kind: 'relay',
    id: 'attack',
    startMs: START_MS + (days - 1) * DAY_MS + 14 * HOUR_MS,
    hours: 2,
    recipientsPerHour: 120,
    domains: { count: random.integer(1, 3) },
    source: SERVER,
    recipientsPerMessage: random.integer(1, 3),
  });
  const messages = background.traffic.messages.map((message): WrittenMessage => {
    const isNull = message.sender === '<>' || message.sender === '';
    const other = random.chance(0.1) ? 'ann@news.example' : message.sender;
    return {
      ...message,
      timeMs: Math.floor(message.timeMs / 1000) * 1000,
      headerSender: isNull ? 'postmaster@contoso.example' : other,
      recipients: message.recipients.map((recipient): WrittenRecipient => {
        const status = recipient.status === 'GettingStatus' ? 'Pending' : recipient.status;
        const outside = recipient.toIp !== '';
        const reply =
          status === 'Failed' && outside ? random.pick(REFUSED) : status === 'Pending' ? random.pick(DEFERRED) : null;
        return { ...recipient, status, reply };
      }),
    };
  });
  return { acceptedDomains: background.traffic.acceptedDomains, messages };
}

/** The traffic without what a format cannot tell. */
export function without(messages: readonly WrittenMessage[], lacks: readonly WrittenField[]): WrittenMessage[] {
  const less = new Set(lacks);
  return messages.map((message) => ({
    ...message,
    subject: less.has('subject') ? '' : message.subject,
    fromIp: less.has('source') ? '' : message.fromIp,
    connector: less.has('connector') ? '' : message.connector,
    headerSender: less.has('header_sender') ? message.sender : message.headerSender,
    recipients: message.recipients
      .filter(({ status }) => status !== 'Expanded' || !less.has('groups'))
      .map((recipient) => {
        let { status } = recipient;
        if (less.has('pending') && status === 'Pending') status = 'Delivered';
        if (less.has('verdicts') && status === 'FilteredAsSpam') status = 'Delivered';
        if (less.has('verdicts') && status === 'Quarantined') status = 'Failed';
        return { ...recipient, status, reply: less.has('refusal') || status === 'Delivered' ? null : recipient.reply };
      }),
  }));
}

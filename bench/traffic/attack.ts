/** Attacks on top of a tenant's ordinary mail, and the truth about them. */

import { type AttackTruth, HOUR_MS, sortByTime, type TrafficMessage, type TrafficRecipient } from './message.ts';
import { externalIp, personName } from './names.ts';
import { Random } from './random.ts';
import type { Background } from './world.ts';

export interface RelayAttack {
  kind: 'relay';
  id: string;
  startMs: number;
  hours: number;
  recipientsPerHour: number;
  /** 1 by default. */
  recipientsPerMessage?: number;
  /**
   * Sender domains: `{count: 1}` one, `{count: 40}` forty at random, `{messagesPerDomain: 5}` a
   * fresh one after every five messages, or the names themselves.
   */
  domains: { count: number } | { messagesPerDomain: number } | string[];
  /** The server the mail comes from: one of the tenant's own, or a new one. */
  source: { ip: string; connector: string };
  /** Subjects to draw from; where there are as many as named domains, each domain has its own. */
  subjects?: string[];
  /** Share of failed recipients; drawn from 3 to 30 % by default. */
  failedShare?: number;
  /** A mailbox here that gets a blind copy of every message (and passes it on if it forwards). */
  bccMailbox?: string;
}

export interface MailboxAttack {
  kind: 'mailbox';
  id: string;
  startMs: number;
  hours: number;
  recipientsPerHour: number;
  recipientsPerMessage?: number;
  /** Address of the mailbox; a random one by default. */
  mailbox?: string;
  subjects?: string[];
  failedShare?: number;
}

export type Attack = RelayAttack | MailboxAttack;

const SUBJECTS = [
  'Your parcel is waiting',
  'Invoice overdue, last notice',
  'You won',
  'Unusual sign-in to your account',
  'Payment advice',
  'Re: outstanding balance',
];

/**
 * Times of arrival: on average `perHour`, burstier than Poisson. The rate changes every five
 * minutes by a gamma factor (squared variation 0.5), and messages come in small batches. At least one.
 */
function arrivals(random: Random, startMs: number, hours: number, perHour: number): number[] {
  const times: number[] = [];
  const blocks = Math.max(1, Math.ceil(hours * 12));
  const blockMs = (hours * HOUR_MS) / blocks;
  const batchMean = Math.min(3, Math.max(1, perHour / 60));
  for (let block = 0; block < blocks; block++) {
    const mean = (perHour * blockMs) / HOUR_MS;
    for (let batch = random.poisson((mean / batchMean) * random.factor(0.5)); batch > 0; batch--) {
      let timeMs = startMs + block * blockMs + random.uniform() * blockMs;
      for (let message = random.geometric(batchMean); message > 0; message--) {
        times.push(Math.floor(timeMs));
        timeMs += random.exponential(2000);
      }
    }
  }
  if (times.length === 0) times.push(Math.floor(startMs + random.uniform() * hours * HOUR_MS));
  times.sort((a, b) => a - b);
  return times;
}

/** Domains like those of spam runs: under `.example` or `.test`, never one that the tenant knows. */
function spamDomain(random: Random): string {
  const heads = ['secure', 'parcel', 'invoice', 'account', 'bonus', 'cloud', 'mail', 'pay', 'prize', 'verify'];
  const tails = ['center', 'desk', 'direct', 'express', 'info', 'notice', 'online', 'portal', 'service', 'track'];
  return `${random.pick(heads)}-${random.pick(tails)}${random.integer(1, 9999)}.${random.pick(['example', 'test'])}`;
}

function victims(random: Random, count: number, failedShare: number): TrafficRecipient[] {
  const recipients: TrafficRecipient[] = [];
  for (let index = 0; index < count; index++) {
    const host = random.integer(0, 700);
    const u = random.uniform();
    recipients.push({
      address: `${personName(random)}${random.integer(1, 9999)}@victims${host}.example`,
      status: u < failedShare ? 'Failed' : u < failedShare * 1.6 ? 'FilteredAsSpam' : 'Delivered',
      toIp: externalIp(500 + host),
    });
  }
  return recipients;
}

/** Adds an attack to the messages of a background, in place, and returns what is true about it. */
export function addAttack(background: Background, attack: Attack): AttackTruth {
  const { traffic } = background;
  const random = new Random(`${traffic.seed}/attack/${attack.id}`);
  const perMessage = attack.recipientsPerMessage ?? 1;
  const failedShare = attack.failedShare ?? random.between(0.03, 0.3);
  const subjects = attack.subjects ?? random.sample(SUBJECTS, random.integer(1, 3));
  const domains: string[] = [];
  let mailbox = '';
  if (attack.kind === 'mailbox') {
    mailbox = attack.mailbox ?? random.pick(background.mailboxes).address;
  } else if (Array.isArray(attack.domains)) {
    domains.push(...attack.domains);
  } else if ('count' in attack.domains) {
    for (let index = attack.domains.count; index > 0; index--) domains.push(spamDomain(random));
  }
  const truth: AttackTruth = {
    id: attack.id,
    kind: attack.kind,
    startMs: 0,
    endMs: 0,
    source: attack.kind === 'relay' ? attack.source.ip : '',
    connector: attack.kind === 'relay' ? attack.source.connector : '',
    mailbox,
    domains,
    pairs: [],
  };
  const added: TrafficMessage[] = [];
  const times = arrivals(random, attack.startMs, attack.hours, attack.recipientsPerHour / perMessage);
  times.forEach((timeMs, index) => {
    let sender = mailbox;
    let title = '';
    if (attack.kind === 'relay') {
      if (!Array.isArray(attack.domains) && 'messagesPerDomain' in attack.domains) {
        if (index % attack.domains.messagesPerDomain === 0) domains.push(spamDomain(random));
        sender = `${personName(random)}@${domains[domains.length - 1]}`;
      } else {
        const which = random.integer(0, domains.length - 1);
        sender = `${random.pick(['info', 'billing', 'noreply', 'support', personName(random)])}@${domains[which]}`;
        if (Array.isArray(attack.domains) && subjects.length === domains.length) title = subjects[which];
      }
    }
    const recipients = victims(random, perMessage, failedShare);
    const traceId = random.guid();
    for (const recipient of recipients) truth.pairs.push({ timeMs, traceId, recipient: recipient.address });
    const message: TrafficMessage = {
      traceId,
      messageId: `<${random.word().toString(16)}${random.word().toString(16)}@${sender.slice(sender.lastIndexOf('@') + 1)}>`,
      timeMs,
      sender,
      recipients,
      subject: title === '' ? random.pick(subjects) : title,
      sizeBytes: Math.round(6000 * random.logNormal(0.4)),
      fromIp: truth.source,
      connector: truth.connector,
      direction: 'originating',
    };
    added.push(message);
    if (attack.kind === 'relay' && attack.bccMailbox !== undefined) {
      const copy = background.mailboxes.find((candidate) => candidate.address === attack.bccMailbox);
      recipients.push({ address: attack.bccMailbox, status: 'Delivered', toIp: '' });
      for (const target of copy?.forwardsTo ?? []) {
        added.push({
          ...message,
          traceId: random.guid(),
          timeMs: timeMs + random.integer(300, 9000),
          recipients: [{ address: target, status: 'Delivered', toIp: externalIp(3) }],
        });
      }
    }
  });
  truth.startMs = times[0];
  truth.endMs = times[times.length - 1];
  for (const message of added) traffic.messages.push(message);
  sortByTime(traffic.messages);
  traffic.attacks.push(truth);
  return truth;
}

/** Attacks on top of a tenant's ordinary mail, and the truth about them. */

import { type AttackTruth, HOUR_MS, sortByTime, type TrafficMessage, type TrafficRecipient } from './message.ts';
import { externalDomain, externalIp, FREEMAIL_DOMAINS, personName } from './names.ts';
import { Random } from './random.ts';
import type { Background } from './world.ts';

interface AttackVolume {
  id: string;
  startMs: number;
  hours: number;
  recipientsPerHour: number;
  /** Recipients in each hour instead, for attacks that change their pace; `hours` is then its length. */
  hourlyRecipients?: readonly number[];
  /** 1 by default. */
  recipientsPerMessage?: number;
  /** Exactly so many messages, spread over the hours, instead of a number by chance. */
  messages?: number;
  /** Subjects to draw from. */
  subjects?: string[];
  /** Share of failed recipients; drawn from 3 to 30 % by default. */
  failedShare?: number;
  /** Share of the recipients at free mail providers and companies that others here write to as well; 0 by default. */
  knownDomainShare?: number;
}

export interface RelayAttack extends AttackVolume {
  kind: 'relay';
  /**
   * Sender domains: `{count: 1}` one, `{count: 40}` forty at random, `{messagesPerDomain: 5}` a
   * fresh one after every five messages, or the names themselves. Where there are as many subjects as
   * named domains, each domain has its own.
   */
  domains: { count: number } | { messagesPerDomain: number } | string[];
  /** The server the mail comes from: one of the tenant's own, or a new one. */
  source: { ip: string; connector: string };
  /** A fresh IP after every so many messages; the connector stays. */
  messagesPerSource?: number;
  /** A mailbox here that gets a blind copy of every message (and passes it on if it forwards). */
  bccMailbox?: string;
}

export interface MailboxAttack extends AttackVolume {
  kind: 'mailbox';
  /** Address of the mailbox; a random one by default. */
  mailbox?: string;
  /** Several mailboxes that send in turn; `recipientsPerHour` is that of all together. */
  mailboxes?: readonly string[];
}

export type Attack = RelayAttack | MailboxAttack;

/** What an attack has to know about the tenant that it happens in. */
export interface AttackedTenant {
  /** Seeds the attack, together with its id. */
  seed: string;
  mailboxes: Background['mailboxes'];
}

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
function arrivals(
  random: Random,
  startMs: number,
  hours: number,
  perHour: number | ((hour: number) => number),
): number[] {
  const times: number[] = [];
  const blocks = Math.max(1, Math.ceil(hours * 12));
  const blockMs = (hours * HOUR_MS) / blocks;
  for (let block = 0; block < blocks; block++) {
    const rate = typeof perHour === 'number' ? perHour : perHour(Math.floor(block / 12));
    const batchMean = Math.min(3, Math.max(1, rate / 60));
    const mean = (rate * blockMs) / HOUR_MS;
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

/** So many times, uniform over the hours. */
function exactArrivals(random: Random, startMs: number, hours: number, count: number): number[] {
  const times = Array.from({ length: count }, () => Math.floor(startMs + random.uniform() * hours * HOUR_MS));
  return times.sort((a, b) => a - b);
}

/** Domains like those of spam runs: under `.example` or `.test`, never one that the tenant knows. */
function spamDomain(random: Random): string {
  const heads = ['secure', 'parcel', 'invoice', 'account', 'bonus', 'cloud', 'mail', 'pay', 'prize', 'verify'];
  const tails = ['center', 'desk', 'direct', 'express', 'info', 'notice', 'online', 'portal', 'service', 'track'];
  return `${random.pick(heads)}-${random.pick(tails)}${random.integer(1, 9999)}.${random.pick(['example', 'test'])}`;
}

function victims(random: Random, count: number, failedShare: number, knownDomainShare: number): TrafficRecipient[] {
  const recipients: TrafficRecipient[] = [];
  for (let index = 0; index < count; index++) {
    if (knownDomainShare > 0 && random.chance(knownDomainShare)) {
      const domain = random.chance(0.6) ? random.pick(FREEMAIL_DOMAINS) : externalDomain(random.integer(0, 120));
      const status = random.chance(failedShare) ? 'Failed' : 'Delivered';
      recipients.push({
        address: `${personName(random)}${random.integer(1, 9999)}@${domain}`,
        status,
        toIp: externalIp(3),
      });
      continue;
    }
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

/** The messages of an attack in order of time, and what is true about it. */
export function makeAttack(tenant: AttackedTenant, attack: Attack): { truth: AttackTruth; messages: TrafficMessage[] } {
  const random = new Random(`${tenant.seed}/attack/${attack.id}`);
  const perMessage = attack.recipientsPerMessage ?? 1;
  const failedShare = attack.failedShare ?? random.between(0.03, 0.3);
  const subjects = attack.subjects ?? random.sample(SUBJECTS, random.integer(1, 3));
  const domains: string[] = [];
  const mailboxes: string[] = [];
  if (attack.kind === 'mailbox') {
    mailboxes.push(...(attack.mailboxes ?? [attack.mailbox ?? random.pick(tenant.mailboxes).address]));
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
    sources: attack.kind === 'relay' ? [attack.source.ip] : [],
    connector: attack.kind === 'relay' ? attack.source.connector : '',
    mailboxes,
    domains,
    pairs: [],
  };
  const messages: TrafficMessage[] = [];
  const { hourlyRecipients } = attack;
  const times =
    attack.messages !== undefined
      ? exactArrivals(random, attack.startMs, attack.hours, attack.messages)
      : arrivals(
          random,
          attack.startMs,
          attack.hours,
          hourlyRecipients === undefined
            ? attack.recipientsPerHour / perMessage
            : (hour) => (hourlyRecipients[hour] ?? 0) / perMessage,
        );
  times.forEach((timeMs, index) => {
    let sender = mailboxes.length === 0 ? '' : mailboxes[index % mailboxes.length];
    let title = '';
    if (attack.kind === 'relay') {
      const perSource = attack.messagesPerSource ?? 0;
      if (perSource > 0 && index > 0 && index % perSource === 0)
        truth.sources.push(externalIp(40_000 + random.integer(0, 20_000)));
      if (!Array.isArray(attack.domains) && 'messagesPerDomain' in attack.domains) {
        if (index % attack.domains.messagesPerDomain === 0) domains.push(spamDomain(random));
        sender = `${personName(random)}@${domains[domains.length - 1]}`;
      } else {
        const which = random.integer(0, domains.length - 1);
        sender = `${random.pick(['info', 'billing', 'noreply', 'support', personName(random)])}@${domains[which]}`;
        if (Array.isArray(attack.domains) && subjects.length === domains.length) title = subjects[which];
      }
    }
    const recipients = victims(random, perMessage, failedShare, attack.knownDomainShare ?? 0);
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
      fromIp: truth.sources.length === 0 ? '' : truth.sources[truth.sources.length - 1],
      connector: truth.connector,
      direction: 'originating',
    };
    messages.push(message);
    if (attack.kind === 'relay' && attack.bccMailbox !== undefined) {
      const copy = tenant.mailboxes.find((candidate) => candidate.address === attack.bccMailbox);
      recipients.push({ address: attack.bccMailbox, status: 'Delivered', toIp: '' });
      for (const target of copy?.forwardsTo ?? []) {
        messages.push({
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
  sortByTime(messages);
  return { truth, messages };
}

/** Adds an attack to the messages of a background, in place, and returns what is true about it. */
export function addAttack(background: Background, attack: Attack): AttackTruth {
  const { traffic } = background;
  const { truth, messages } = makeAttack({ seed: traffic.seed, mailboxes: background.mailboxes }, attack);
  for (const message of messages) traffic.messages.push(message);
  sortByTime(traffic.messages);
  traffic.attacks.push(truth);
  return truth;
}

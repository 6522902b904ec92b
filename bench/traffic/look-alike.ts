/** Mail that looks like abuse and is none: newsletters, mail merges, a forwarding loop, bounces of forged mail. */

import { HOUR_MS, MINUTE_MS, type TrafficMessage, type TrafficRecipient } from './message.ts';
import { externalDomain, externalIp, FREEMAIL_DOMAINS, personName, subject } from './names.ts';
import { Random } from './random.ts';

function reader(random: Random): TrafficRecipient {
  const host = random.integer(0, 250);
  const free = random.chance(0.5);
  return {
    address: `${personName(random)}${random.integer(1, 999)}@${free ? random.pick(FREEMAIL_DOMAINS) : externalDomain(host)}`,
    status: random.chance(0.985) ? 'Delivered' : 'Failed',
    toIp: externalIp(free ? 900 : host),
  };
}

function messageOf(
  random: Random,
  fields: Pick<TrafficMessage, 'timeMs' | 'sender' | 'recipients' | 'subject' | 'direction'> & Partial<TrafficMessage>,
): TrafficMessage {
  return {
    traceId: random.guid(),
    messageId: `<${random.word().toString(36)}${random.word().toString(36)}@mail.example>`,
    sizeBytes: Math.round(9000 * random.logNormal(0.6)),
    fromIp: '',
    connector: '',
    ...fields,
    timeMs: Math.floor(fields.timeMs),
  };
}

/** One issue to a list of readers that is always the same: each gets a message of his own. */
export function massMailing(options: {
  seed: string;
  sender: string;
  recipients: number;
  startMs: number;
  minutes: number;
  subject: string;
}): TrafficMessage[] {
  const list = new Random(`${options.seed}/readers`);
  const random = new Random(`${options.seed}/issue/${options.startMs}`);
  return Array.from({ length: options.recipients }, () =>
    messageOf(random, {
      timeMs: options.startMs + random.uniform() * options.minutes * MINUTE_MS,
      sender: options.sender,
      recipients: [{ ...reader(list) }],
      subject: options.subject,
      direction: 'originating',
    }),
  );
}

/**
 * Two mailboxes forward to each other: one of the tenant and one outside. Each mail that comes in goes round
 * until a server counts too many hops (Exchange gives up after some dozens).
 */
export function forwardingLoop(options: {
  seed: string;
  mailbox: string;
  startMs: number;
  mails: number;
  hops: number;
}): TrafficMessage[] {
  const random = new Random(`${options.seed}/loop`);
  const messages: TrafficMessage[] = [];
  const outside = `${options.mailbox.slice(0, options.mailbox.indexOf('@'))}@${random.pick(FREEMAIL_DOMAINS)}`;
  for (let mail = 0; mail < options.mails; mail++) {
    const host = random.integer(0, 60);
    const sender = `${personName(random)}@${externalDomain(host)}`;
    const title = subject(random);
    const messageId = `<${random.word().toString(36)}.${random.word().toString(36)}@${externalDomain(host)}>`;
    let timeMs = options.startMs + random.exponential(10 * MINUTE_MS);
    for (let hop = 0; hop < options.hops; hop++) {
      const common = { sender, subject: title, messageId };
      messages.push(
        messageOf(random, {
          ...common,
          timeMs,
          fromIp: hop === 0 ? externalIp(host) : externalIp(900),
          recipients: [{ address: options.mailbox, status: 'Delivered', toIp: '' }],
          direction: 'inbound',
        }),
        messageOf(random, {
          ...common,
          timeMs: timeMs + random.between(500, 6000),
          recipients: [{ address: outside, status: 'Delivered', toIp: externalIp(900) }],
          direction: 'originating',
        }),
      );
      timeMs += random.between(10_000, 60_000);
    }
  }
  return messages;
}

/**
 * A spammer forges senders and writes to addresses that do not exist here; a server of ours accepts
 * everything and sends non-delivery reports to the forged senders, who know nothing of it.
 */
export function backscatter(options: {
  seed: string;
  domain: string;
  source: { ip: string; connector: string };
  startMs: number;
  hours: number;
  reports: number;
  /** Share of the forged mails whose way in is in the trace. */
  visibleShare: number;
}): TrafficMessage[] {
  const random = new Random(`${options.seed}/backscatter`);
  const messages: TrafficMessage[] = [];
  for (let index = 0; index < options.reports; index++) {
    const forged = reader(random);
    const timeMs = options.startMs + random.uniform() * options.hours * HOUR_MS;
    if (random.chance(options.visibleShare)) {
      messages.push(
        messageOf(random, {
          timeMs,
          sender: forged.address,
          recipients: [
            {
              address: `${personName(random)}${random.integer(100, 999)}@${options.domain}`,
              status: 'Delivered',
              toIp: options.source.ip,
            },
          ],
          subject: subject(random),
          fromIp: externalIp(random.integer(300, 390)),
          direction: 'inbound',
        }),
      );
    }
    messages.push(
      messageOf(random, {
        timeMs: timeMs + 1000 + random.exponential(20_000),
        sender: '<>',
        recipients: [{ ...forged, status: random.chance(0.6) ? 'Delivered' : 'Failed' }],
        subject: `Undeliverable: ${subject(random)}`,
        fromIp: options.source.ip,
        connector: options.source.connector,
        direction: 'originating',
      }),
    );
  }
  return messages;
}

/** A company that was bought: its server sends in its own name, which nobody has registered here yet. */
export function boughtCompany(options: {
  seed: string;
  domain: string;
  source: { ip: string; connector: string };
  startMs: number;
  days: number;
  rowsPerDay: number;
  people: number;
}): TrafficMessage[] {
  const random = new Random(`${options.seed}/bought`);
  const people = Array.from({ length: options.people }, () => `${personName(random)}@${options.domain}`);
  const contacts = Array.from({ length: options.people * 6 }, () => reader(random));
  const messages: TrafficMessage[] = [];
  for (let day = 0; day < options.days; day++) {
    const dayMs = options.startMs + day * 24 * HOUR_MS;
    const weekend = (Math.floor(dayMs / (24 * HOUR_MS)) + 3) % 7 >= 5;
    const mean = options.rowsPerDay * (weekend ? 0.1 : 1.3) * random.factor(0.1);
    for (let count = random.poisson(mean); count > 0; count--) {
      const hour = random.chance(0.9) ? 8 + 9 * random.uniform() : 24 * random.uniform();
      messages.push(
        messageOf(random, {
          timeMs: dayMs + hour * HOUR_MS,
          sender: random.pick(people),
          recipients: [{ ...random.pick(contacts) }],
          subject: subject(random),
          fromIp: options.source.ip,
          connector: options.source.connector,
          direction: 'originating',
        }),
      );
    }
  }
  return messages;
}

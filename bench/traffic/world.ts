/**
 * A tenant's ordinary mail, as wild as real mail: people who write in sessions, a few who write most,
 * a weekly rhythm with extra variance at every time scale, outside newsletters, company-wide
 * announcements, round mails, mailing lists that catch fire, bounces, out-of-office replies, mailboxes that forward outside mail on, and
 * on-premises servers that send through the tenant. No attack: `attack.ts` adds those.
 */

import {
  type AttackTruth,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  sortByTime,
  type Traffic,
  type TrafficMessage,
  type TrafficRecipient,
} from './message.ts';
import { externalDomain, externalIp, FIRST_NAMES, FREEMAIL_DOMAINS, LAST_NAMES, personName, subject } from './names.ts';
import { Random, WeightedChoice } from './random.ts';
import { DayRate, type Dispersion, Modulation, QUARTERS_PER_DAY, weeklyProfile } from './season.ts';

export interface Newsletter {
  /** Local part of the mailbox that sends it. */
  sender: string;
  recipients: number;
  /** First issue, counted in days from the start. */
  firstDay: number;
  everyDays: number;
  /** Local hour of the first message. */
  hour: number;
  /** The issue leaves over so many minutes. */
  minutes: number;
  /** Recipients of one message (Bcc). */
  recipientsPerMessage: number;
  subject: string;
}

export interface HybridServer {
  ip: string;
  connector: string;
  /** Rows a day in the name of an accepted domain (scanners, ERP, monitoring). */
  applicationRowsPerDay: number;
  /** Rows a day in the name of domains that are not accepted here. */
  foreignRowsPerDay: number;
}

export interface WorldOptions {
  seed: string;
  /** Midnight UTC of the first day. */
  startMs: number;
  days: number;
  /** Mean number of trace rows a day, roughly. */
  rowsPerDay: number;
  tenant?: string;
  acceptedDomains?: string[];
  /** Mailboxes that pass outside mail on; drawn from 3 to 24 by default. */
  forwardingMailboxes?: number;
  hybrid?: HybridServer[];
  newsletters?: Newsletter[];
  /** Company-wide internal announcements a week; 1 by default. */
  announcementsPerWeek?: number;
  /** Days (from the start) on which hardly anybody works. */
  holidays?: number[];
  /** Relative growth of all rates in 30 days; 0 by default. */
  growthPerMonth?: number;
  /** Hours to add to UTC for the tenant's local time; drawn from -8, 0, 1, 2 by default. */
  utcOffsetHours?: number;
  /** Multiplies the extra variance of every rate: 1 is about as wild as real mail (check-dispersion.ts). */
  wildness?: number;
}

interface Mailbox {
  address: string;
  /** Share of the tenant's writing. */
  weight: number;
  contacts: Contact[];
  weekFactor: number;
  forward: Forward | null;
  /** Out of office from this day to that (days from the start), or -1. */
  absentFrom: number;
  absentTo: number;
  answered: Set<string>;
}

interface Forward {
  targets: Contact[];
  /** `rule`: a message of its own (inbox rule); `mailbox`: the same message gets one more recipient. */
  how: 'rule' | 'mailbox';
  /** Share of the incoming mail that is passed on. */
  share: number;
}

interface Contact {
  address: string;
  ip: string;
}

interface OutsideDomain {
  name: string;
  ip: string;
  people: string[];
  /** Mailboxes here that it writes to, the most usual first. */
  mailboxes: Mailbox[];
  weight: number;
  weekFactor: number;
}

interface BulkSender {
  domain: string;
  ip: string;
  subscribers: Mailbox[];
  issuesPerDay: number;
  localHour: number;
}

/** Extra variance that all of a tenant's mail shares, and that of each of its streams. */
const COMMON: Dispersion = { week: 0.03, day: 0.04, sixHours: 0.03, hour: 0.05, quarter: 0.06 };
const STREAM: Dispersion = { week: 0.02, day: 0.03, sixHours: 0.03, hour: 0.06, quarter: 0.1 };
const MAILBOX_WEEK = 0.12;
const MAILBOX_DAY = 0.25;
const DOMAIN_WEEK = 0.1;
const DOMAIN_DAY = 0.2;

const MESSAGES_PER_SESSION = 1.5;
const MEAN_RECIPIENTS = 2;
const MESSAGES_PER_CONVERSATION = 1.5;

function scaled(dispersion: Dispersion, by: number): Dispersion {
  return {
    week: dispersion.week * by,
    day: dispersion.day * by,
    sixHours: dispersion.sixHours * by,
    hour: dispersion.hour * by,
    quarter: dispersion.quarter * by,
  };
}

class World {
  readonly options: WorldOptions;
  readonly random: Random;
  private messages: TrafficMessage[] = [];
  readonly tenant: string;
  readonly acceptedDomains: string[];
  readonly utcOffsetMs: number;
  readonly mailboxes: Mailbox[] = [];
  readonly outside: OutsideDomain[] = [];
  readonly bulkSenders: BulkSender[] = [];
  private readonly wildness: number;
  private readonly profile: Float64Array;
  private readonly outsideProfile: Float64Array;
  private readonly mailboxByWeight: WeightedChoice;
  private freshDomains = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.tenant = options.tenant ?? 'contoso';
    this.acceptedDomains = options.acceptedDomains ?? [`${this.tenant}.example`, `${this.tenant}-shop.example`];
    this.wildness = options.wildness ?? 1;
    const setup = this.random.fork('setup');
    this.utcOffsetMs = (options.utcOffsetHours ?? setup.pick([-8, 0, 1, 2])) * HOUR_MS;
    this.profile = weeklyProfile(setup);
    this.outsideProfile = weeklyProfile(setup);
    this.makeMailboxes(setup.fork('mailboxes'));
    this.makeOutside(setup.fork('outside'));
    this.makeContacts(setup.fork('contacts'));
    this.makeForwards(setup.fork('forwards'));
    this.mailboxByWeight = new WeightedChoice(this.mailboxes.map((mailbox) => mailbox.weight));
  }

  private makeMailboxes(random: Random): void {
    const count = Math.max(6, Math.min(4000, Math.round(this.options.rowsPerDay / 3)));
    const taken = new Set<string>();
    const weights: number[] = [];
    // Nobody writes in the name of the initial domain, from which only 100 outside recipients a day are allowed.
    const ownDomains = this.acceptedDomains.filter((domain) => !domain.endsWith('.onmicrosoft.com'));
    for (let index = 0; index < count; index++) {
      let name = personName(random);
      while (taken.has(name)) name = `${random.pick(FIRST_NAMES)}.${random.pick(LAST_NAMES)}${random.integer(2, 99)}`;
      taken.add(name);
      const domain = random.chance(0.85) ? ownDomains[0] : random.pick(ownDomains);
      weights.push(random.logNormal(1.2));
      // One absence a year, two weeks at most.
      const absent = random.chance(this.options.days / 365) ? random.integer(0, this.options.days) : -1;
      this.mailboxes.push({
        address: `${name}@${domain}`,
        weight: 0,
        contacts: [],
        weekFactor: 1,
        forward: null,
        absentFrom: absent,
        absentTo: absent < 0 ? -1 : absent + random.integer(0, 13),
        answered: new Set(),
      });
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let index = 0; index < count; index++) this.mailboxes[index].weight = weights[index] / total;
  }

  private makeOutside(random: Random): void {
    const { rowsPerDay } = this.options;
    const count = Math.round(20 + 4 * Math.sqrt(rowsPerDay) + rowsPerDay / 20);
    const names = [...FREEMAIL_DOMAINS];
    while (names.length < count) names.push(externalDomain(names.length - FREEMAIL_DOMAINS.length));
    let total = 0;
    for (let index = 0; index < count; index++) {
      const weight = random.logNormal(0.6) / (index + 3);
      total += weight;
      const people: string[] = [];
      const size = index < FREEMAIL_DOMAINS.length ? 40 + Math.round(rowsPerDay / 10) : random.integer(1, 8);
      for (let person = 0; person < size; person++) people.push(`${personName(random)}@${names[index]}`);
      this.outside.push({
        name: names[index],
        ip: externalIp(index),
        people,
        mailboxes: random.sample(this.mailboxes, index < FREEMAIL_DOMAINS.length ? 400 : random.integer(1, 6)),
        weight,
        weekFactor: 1,
      });
    }
    for (const domain of this.outside) domain.weight /= total;
    const bulkCount = Math.min(12, Math.round(3 + Math.sqrt(rowsPerDay) / 2));
    for (let index = 0; index < bulkCount; index++) {
      const share = Math.min(0.35, 0.02 + random.exponential(0.05));
      this.bulkSenders.push({
        domain: `news.${externalDomain(random.integer(0, 200))}`,
        ip: externalIp(count + index),
        subscribers: random.sample(this.mailboxes, Math.max(1, Math.round(share * this.mailboxes.length))),
        issuesPerDay: random.pick([1 / 7, 2 / 7, 5 / 7, 1, 1 / 30]),
        localHour: random.between(5, 18),
      });
    }
  }

  private makeContacts(random: Random): void {
    const byWeight = new WeightedChoice(this.outside.map((domain) => domain.weight));
    for (const mailbox of this.mailboxes) {
      const size = 4 + Math.round(random.exponential(12));
      for (let index = 0; index < size; index++) {
        const domain = this.outside[byWeight.draw(random)];
        mailbox.contacts.push({ address: random.pick(domain.people), ip: domain.ip });
      }
    }
  }

  private makeForwards(random: Random): void {
    const wanted = this.options.forwardingMailboxes ?? random.integer(3, 24);
    for (const mailbox of random.sample(this.mailboxes, Math.min(wanted, Math.ceil(this.mailboxes.length / 2)))) {
      const targets: Contact[] = [];
      const name = mailbox.address.slice(0, mailbox.address.indexOf('@'));
      for (let index = random.chance(0.9) ? 1 : 2; index > 0; index--) {
        const domain = random.chance(0.6) ? this.outside[random.integer(0, 2)] : random.pick(this.outside);
        targets.push({ address: `${name}${index === 1 ? '' : '.private'}@${domain.name}`, ip: domain.ip });
      }
      mailbox.forward = {
        targets,
        how: random.chance(0.7) ? 'rule' : 'mailbox',
        share: random.chance(0.7) ? 1 : random.between(0.2, 0.9),
      };
    }
  }

  /** The messages of one day after the other, each day sorted; the last day is cut at midnight. */
  *days(): Generator<TrafficMessage[]> {
    const { options } = this;
    const wild = this.wildness;
    const common = new Modulation(this.random.fork('common'), scaled(COMMON, wild));
    const office = new Modulation(this.random.fork('office'), scaled(STREAM, wild));
    const outside = new Modulation(this.random.fork('outside'), scaled(STREAM, wild));
    const commonQuarters = new Float64Array(QUARTERS_PER_DAY);
    const officeQuarters = new Float64Array(QUARTERS_PER_DAY);
    const outsideQuarters = new Float64Array(QUARTERS_PER_DAY);
    const officeRate = new DayRate();
    const outsideRate = new DayRate();
    const holidays = new Set(options.holidays ?? []);
    const random = this.random.fork('mail');
    for (let day = 0; day < options.days; day++) {
      const dayMs = options.startMs + day * DAY_MS;
      // Monday is day 0 of a week; 1970-01-01 was a Thursday.
      const calendarDay = Math.floor(dayMs / DAY_MS) + 3;
      common.fill(calendarDay, commonQuarters);
      office.fill(calendarDay, officeQuarters);
      outside.fill(calendarDay, outsideQuarters);
      const growth = 1 + ((options.growthPerMonth ?? 0) * day) / 30;
      for (let quarter = 0; quarter < QUARTERS_PER_DAY; quarter++) {
        const local = calendarDay * DAY_MS + quarter * 15 * MINUTE_MS + this.utcOffsetMs;
        const hourOfWeek = Math.floor(local / HOUR_MS) % 168;
        const holiday = holidays.has(day);
        const factor = commonQuarters[quarter] * growth;
        officeQuarters[quarter] *= factor * this.profile[hourOfWeek] * (holiday ? 0.15 : 1);
        outsideQuarters[quarter] *= factor * this.outsideProfile[hourOfWeek] * (holiday ? 0.5 : 1);
      }
      officeRate.set(officeQuarters);
      outsideRate.set(outsideQuarters);
      if (calendarDay % 7 === 0 || day === 0) this.newWeek(random);
      this.writeOffice(random, day, dayMs, officeRate);
      this.writeConversations(random, day, dayMs, outsideRate);
      this.writeBulk(random, day, dayMs, calendarDay, growth);
      this.writeAnnouncements(random, dayMs, officeRate);
      this.writeRoundMails(random, dayMs, officeRate);
      this.writeListStorms(random, day, dayMs, outsideRate);
      this.writeNewsletters(random, day, dayMs);
      for (const server of options.hybrid ?? []) this.writeHybrid(random, dayMs, server, officeRate);
      // Conversations run on into later days, and a local morning may lie on the day before: one day's lag.
      if (day > 0) yield this.takeBefore(dayMs);
    }
    if (options.days > 0) yield this.takeBefore(options.startMs + options.days * DAY_MS);
  }

  /** Takes out what was written before a time, in order. */
  private takeBefore(timeMs: number): TrafficMessage[] {
    const taken: TrafficMessage[] = [];
    const kept: TrafficMessage[] = [];
    for (const message of this.messages) (message.timeMs < timeMs ? taken : kept).push(message);
    this.messages = kept;
    sortByTime(taken);
    return taken;
  }

  private newWeek(random: Random): void {
    for (const mailbox of this.mailboxes) mailbox.weekFactor = random.factor(MAILBOX_WEEK);
    for (const domain of this.outside) domain.weekFactor = random.factor(DOMAIN_WEEK);
  }

  private add(
    random: Random,
    fields: {
      timeMs: number;
      sender: string;
      recipients: TrafficRecipient[];
      subject: string;
      direction: TrafficMessage['direction'];
      fromIp?: string;
      connector?: string;
      messageId?: string;
      sizeBytes?: number;
    },
  ): TrafficMessage {
    const at = fields.sender.lastIndexOf('@');
    const host = at < 0 ? `mail.${this.acceptedDomains[0]}` : fields.sender.slice(at + 1);
    const message: TrafficMessage = {
      traceId: random.guid(),
      messageId: fields.messageId ?? `<${random.word().toString(36)}.${random.word().toString(36)}@${host}>`,
      timeMs: Math.floor(fields.timeMs),
      sender: fields.sender,
      recipients: fields.recipients,
      subject: fields.subject,
      sizeBytes: fields.sizeBytes ?? Math.round(2500 + 18_000 * random.logNormal(1.6)),
      fromIp: fields.fromIp ?? '',
      connector: fields.connector ?? '',
      direction: fields.direction,
    };
    this.messages.push(message);
    return message;
  }

  /** Number of recipients of a message: mostly one, sometimes a round of colleagues. */
  private recipientCount(random: Random): number {
    const u = random.uniform();
    if (u < 0.74) return 1;
    if (u < 0.86) return 2;
    if (u < 0.945) return random.integer(3, 5);
    const most = 8 + Math.round(this.options.rowsPerDay / 5);
    if (u < 0.994) return Math.min(most, random.integer(6, 15));
    return Math.min(most, random.integer(16, 60));
  }

  private internalRecipient(random: Random, address: string): TrafficRecipient {
    return { address, status: random.chance(0.998) ? 'Delivered' : 'Failed', toIp: '' };
  }

  private outsideContact(random: Random, mailbox: Mailbox): Contact {
    if (random.chance(0.85)) {
      const u = random.uniform();
      return mailbox.contacts[Math.floor(u * u * mailbox.contacts.length)];
    }
    const domain = random.pick(this.outside);
    return { address: `${personName(random)}@${domain.name}`, ip: domain.ip };
  }

  /** People here write: to each other and to the outside. */
  private writeOffice(random: Random, day: number, dayMs: number, rate: DayRate): void {
    const sessionsPerDay = (0.42 * this.options.rowsPerDay) / (MESSAGES_PER_SESSION * MEAN_RECIPIENTS);
    const todayTotal = sessionsPerDay * rate.total;
    const domain = this.acceptedDomains[0];
    for (const mailbox of this.mailboxes) {
      if (day >= mailbox.absentFrom && day <= mailbox.absentTo) continue;
      const mean = todayTotal * mailbox.weight * mailbox.weekFactor * random.factor(MAILBOX_DAY);
      for (let session = random.poisson(mean); session > 0; session--) {
        let timeMs = dayMs + rate.drawMs(random);
        for (let message = random.geometric(MESSAGES_PER_SESSION); message > 0; message--) {
          const count = this.recipientCount(random);
          const inside = random.chance(0.5);
          const mixed = !inside && count > 1 && random.chance(0.3);
          const recipients: TrafficRecipient[] = [];
          const taken = new Set<string>();
          for (let index = 0; index < count; index++) {
            if (inside || (mixed && index % 2 === 1)) {
              const other = this.mailboxes[this.mailboxByWeight.draw(random)];
              if (other === mailbox || taken.has(other.address)) continue;
              taken.add(other.address);
              recipients.push(this.internalRecipient(random, other.address));
            } else {
              const contact = this.outsideContact(random, mailbox);
              if (taken.has(contact.address)) continue;
              taken.add(contact.address);
              const failed = random.chance(0.012);
              recipients.push({ address: contact.address, status: failed ? 'Failed' : 'Delivered', toIp: contact.ip });
              if (failed) this.writeBounce(random, timeMs, mailbox, contact, domain);
            }
          }
          if (recipients.length > 0) {
            const sent = this.add(random, {
              timeMs,
              sender: mailbox.address,
              recipients,
              subject: subject(random),
              direction: 'originating',
            });
            this.forwardInternal(random, sent);
          }
          timeMs += random.exponential(6 * MINUTE_MS);
        }
      }
    }
  }

  /** A true non-delivery report comes back to the mailbox that wrote. */
  private writeBounce(random: Random, timeMs: number, mailbox: Mailbox, contact: Contact, domain: string): void {
    const ours = random.chance(0.5);
    this.add(random, {
      timeMs: timeMs + random.exponential(20_000),
      sender: ours ? `MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@${domain}` : '<>',
      recipients: [{ address: mailbox.address, status: 'Delivered', toIp: '' }],
      subject: `Undeliverable: ${subject(random)}`,
      direction: ours ? 'originating' : 'inbound',
      fromIp: ours ? '' : contact.ip,
    });
  }

  /** Outside people write to mailboxes here. */
  private writeConversations(random: Random, day: number, dayMs: number, rate: DayRate): void {
    const sessionsPerDay = (0.36 * this.options.rowsPerDay) / (MESSAGES_PER_CONVERSATION * 1.2);
    const todayTotal = sessionsPerDay * rate.total;
    for (const domain of this.outside) {
      const mean = todayTotal * 0.95 * domain.weight * domain.weekFactor * random.factor(DOMAIN_DAY);
      for (let session = random.poisson(mean); session > 0; session--) {
        this.writeConversation(random, day, dayMs + rate.drawMs(random), domain.people, domain.ip, domain.mailboxes);
      }
    }
    for (let fresh = random.poisson(todayTotal * 0.05); fresh > 0; fresh--) {
      const index = this.outside.length + this.bulkSenders.length + this.freshDomains++;
      const sender = `${personName(random)}@${externalDomain(index)}`;
      this.writeConversation(random, day, dayMs + rate.drawMs(random), [sender], externalIp(index), this.mailboxes);
    }
  }

  private writeConversation(
    random: Random,
    day: number,
    startMs: number,
    people: string[],
    ip: string,
    mailboxes: Mailbox[],
  ): void {
    const sender = random.pick(people);
    const u = random.uniform();
    const receivers = [mailboxes[Math.floor(u * u * mailboxes.length)]];
    if (random.chance(0.12)) {
      for (const other of random.sample(mailboxes, random.integer(1, 3))) {
        if (!receivers.includes(other)) receivers.push(other);
      }
    }
    let timeMs = startMs;
    for (let message = random.geometric(MESSAGES_PER_CONVERSATION); message > 0; message--) {
      this.receive(random, { day, timeMs, sender, ip, receivers, subject: subject(random), personal: true });
      timeMs += random.exponential(25 * MINUTE_MS);
    }
  }

  /** Mail from the outside arrives; mailboxes that forward pass it on. */
  private receive(
    random: Random,
    mail: {
      day: number;
      timeMs: number;
      sender: string;
      ip: string;
      receivers: Mailbox[];
      subject: string;
      personal: boolean;
    },
  ): void {
    const u = random.uniform();
    const status = u < 0.94 ? 'Delivered' : u < 0.975 ? 'FilteredAsSpam' : u < 0.99 ? 'Failed' : 'Quarantined';
    const message = this.add(random, {
      timeMs: mail.timeMs,
      sender: mail.sender,
      recipients: mail.receivers.map((mailbox) => ({ address: mailbox.address, status, toIp: '' })),
      subject: mail.subject,
      direction: 'inbound',
      fromIp: mail.ip,
    });
    if (status !== 'Delivered') return;
    for (const mailbox of mail.receivers) {
      this.forward(random, message, mailbox);
      const absent = mail.day >= mailbox.absentFrom && mail.day <= mailbox.absentTo;
      if (absent && mail.personal && !mailbox.answered.has(mail.sender)) {
        mailbox.answered.add(mail.sender);
        this.add(random, {
          timeMs: mail.timeMs + 1000 + random.exponential(4000),
          sender: '<>',
          recipients: [{ address: mail.sender, status: 'Delivered', toIp: mail.ip }],
          subject: `Automatic reply: ${mail.subject}`,
          direction: 'originating',
        });
      }
    }
  }

  private forward(random: Random, message: TrafficMessage, mailbox: Mailbox): void {
    const { forward } = mailbox;
    if (forward === null || !random.chance(forward.share)) return;
    for (const target of forward.targets) {
      const recipient: TrafficRecipient = {
        address: target.address,
        status: random.chance(0.985) ? 'Delivered' : 'Failed',
        toIp: target.ip,
      };
      if (forward.how === 'mailbox') {
        if (!message.recipients.some((other) => other.address === target.address)) message.recipients.push(recipient);
      } else {
        this.add(random, {
          timeMs: message.timeMs + random.between(300, 9000),
          sender: message.sender,
          recipients: [recipient],
          subject: message.subject,
          direction: 'originating',
          fromIp: message.fromIp,
          messageId: message.messageId,
          sizeBytes: message.sizeBytes + 1200,
        });
      }
    }
  }

  private forwardInternal(random: Random, message: TrafficMessage): void {
    if (this.forwarding === undefined) {
      this.forwarding = new Map();
      for (const mailbox of this.mailboxes) {
        if (mailbox.forward !== null) this.forwarding.set(mailbox.address, mailbox);
      }
    }
    for (const recipient of message.recipients.slice()) {
      const mailbox = this.forwarding.get(recipient.address);
      if (mailbox !== undefined && recipient.status === 'Delivered') this.forward(random, message, mailbox);
    }
  }
  private forwarding: Map<string, Mailbox> | undefined;

  /** Outside newsletters: one message per subscriber, within minutes, often with a bounce address of its own. */
  private writeBulk(random: Random, day: number, dayMs: number, calendarDay: number, growth: number): void {
    for (const sender of this.bulkSenders) {
      const weekend = calendarDay % 7 >= 5;
      if (!random.chance(Math.min(1, sender.issuesPerDay * growth) * (weekend ? 0.4 : 1))) continue;
      const title = subject(random);
      const startMs = dayMs + sender.localHour * HOUR_MS - this.utcOffsetMs + random.exponential(20 * MINUTE_MS);
      const verp = random.chance(0.6);
      for (const mailbox of sender.subscribers) {
        if (!random.chance(0.9)) continue;
        const local = verp ? `bounce+${random.word().toString(36)}` : 'news';
        this.receive(random, {
          day,
          timeMs: startMs + random.exponential(12 * MINUTE_MS),
          sender: `${local}@${sender.domain}`,
          ip: sender.ip,
          receivers: [mailbox],
          subject: title,
          personal: false,
        });
      }
    }
  }

  /** A message to everybody: a row for the group, and one for each mailbox. */
  private writeAnnouncements(random: Random, dayMs: number, rate: DayRate): void {
    const mean = ((this.options.announcementsPerWeek ?? 1) / 7) * Math.min(1.5, rate.total);
    for (let count = random.poisson(mean); count > 0; count--) {
      const everybody = random.chance(0.5);
      const members = everybody ? this.mailboxes : random.sample(this.mailboxes, this.mailboxes.length >> 2);
      const group = `${everybody ? 'all-staff' : 'team'}@${this.acceptedDomains[0]}`;
      const message = this.add(random, {
        timeMs: dayMs + rate.drawMs(random),
        sender: this.mailboxes[this.mailboxByWeight.draw(random)].address,
        recipients: [
          { address: group, status: 'Expanded', toIp: '' },
          ...members.map((mailbox) => this.internalRecipient(random, mailbox.address)),
        ],
        subject: `Announcement: ${subject(random)}`,
        direction: 'originating',
      });
      this.forwardInternal(random, message);
    }
  }

  /** Now and then somebody writes to many outside people at once: as one message, a few, or a mail merge. */
  private writeRoundMails(random: Random, dayMs: number, rate: DayRate): void {
    const perMonth = 0.7 * Math.sqrt(this.options.rowsPerDay / 300);
    for (let count = random.poisson((perMonth / 30) * Math.min(1.5, rate.total)); count > 0; count--) {
      const mailbox = this.mailboxes[this.mailboxByWeight.draw(random)];
      const size = Math.round(25 + random.exponential(60));
      const u = random.uniform();
      const perMessage = u < 0.6 ? size : u < 0.85 ? Math.ceil(size / 3) : 1;
      const title = subject(random);
      let timeMs = dayMs + rate.drawMs(random);
      for (let sent = 0; sent < size; sent += perMessage) {
        const taken = new Set<string>();
        const recipients: TrafficRecipient[] = [];
        for (let index = 0; index < perMessage; index++) {
          const contact = this.outsideContact(random, mailbox);
          if (taken.has(contact.address)) continue;
          taken.add(contact.address);
          recipients.push({
            address: contact.address,
            status: random.chance(0.98) ? 'Delivered' : 'Failed',
            toIp: contact.ip,
          });
        }
        this.add(random, { timeMs, sender: mailbox.address, recipients, subject: title, direction: 'originating' });
        timeMs += random.exponential(perMessage === 1 ? 20_000 : 2 * MINUTE_MS);
      }
    }
  }

  /** An outside mailing list catches fire: many people of many domains write to its members here. */
  private writeListStorms(random: Random, day: number, dayMs: number, rate: DayRate): void {
    const perMonth = 0.5 * Math.sqrt(this.options.rowsPerDay / 300);
    for (let count = random.poisson((perMonth / 30) * Math.min(1.5, rate.total)); count > 0; count--) {
      const members = random.sample(this.mailboxes, random.integer(1, Math.min(20, this.mailboxes.length)));
      const title = `RE: ${subject(random)}`;
      const startMs = dayMs + rate.drawMs(random);
      for (let message = 5 + Math.round(random.exponential(30)); message > 0; message--) {
        const domain = random.pick(this.outside);
        this.receive(random, {
          day,
          timeMs: startMs + random.exponential(40 * MINUTE_MS),
          sender: random.pick(domain.people),
          ip: domain.ip,
          receivers: members,
          subject: title,
          personal: false,
        });
      }
    }
  }

  private writeNewsletters(random: Random, day: number, dayMs: number): void {
    for (const newsletter of this.options.newsletters ?? []) {
      if (day < newsletter.firstDay || (day - newsletter.firstDay) % newsletter.everyDays !== 0) continue;
      const startMs = dayMs + newsletter.hour * HOUR_MS - this.utcOffsetMs + random.exponential(3 * MINUTE_MS);
      const readers = new Random(`${this.options.seed}/readers/${newsletter.sender}`);
      const total = Math.max(1, Math.ceil(newsletter.recipients / newsletter.recipientsPerMessage));
      for (let index = 0; index < total; index++) {
        const recipients: TrafficRecipient[] = [];
        const taken = new Set<string>();
        const wanted = Math.min(
          newsletter.recipientsPerMessage,
          newsletter.recipients - index * newsletter.recipientsPerMessage,
        );
        while (recipients.length < wanted) {
          const domain = readers.pick(this.outside);
          const address = `${personName(readers)}${readers.integer(1, 99)}@${domain.name}`;
          if (taken.has(address)) continue;
          taken.add(address);
          recipients.push({ address, status: random.chance(0.98) ? 'Delivered' : 'Failed', toIp: domain.ip });
        }
        this.add(random, {
          timeMs: startMs + (index / total) * newsletter.minutes * MINUTE_MS + random.exponential(2000),
          sender: `${newsletter.sender}@${this.acceptedDomains[0]}`,
          recipients,
          subject: newsletter.subject,
          direction: 'originating',
        });
      }
    }
  }

  /** An on-premises server: applications of ours, now and then mail in a foreign name, and bounces. */
  private writeHybrid(random: Random, dayMs: number, server: HybridServer, rate: DayRate): void {
    const domain = this.acceptedDomains[0];
    const set = new Random(`${this.options.seed}/hybrid/${server.ip}`);
    const applications = ['erp', 'scanner', 'monitoring', 'noreply', 'tickets', 'backup'];
    const foreign = [set.integer(20, 60), set.integer(61, 120), set.integer(121, 200)].map(
      (index) => `${set.pick(['alerts', 'service', 'noreply'])}@cloud.${externalDomain(index)}`,
    );
    const partners = [1, 2, 3, 4, 5, 6].map(() => {
      const partner = set.pick(this.outside);
      return { address: set.pick(partner.people), ip: partner.ip };
    });
    const batches = random.poisson(
      (server.applicationRowsPerDay / 2.5) * (0.3 + 0.7 * rate.total) * random.factor(0.2),
    );
    for (let batch = batches; batch > 0; batch--) {
      // Half of it follows the office, half comes from jobs around the clock.
      let timeMs = dayMs + (random.chance(0.5) ? rate.drawMs(random) : random.uniform() * DAY_MS);
      const sender = `${random.pick(applications)}@${domain}`;
      const outward = random.chance(0.35);
      for (let message = random.geometric(2.5); message > 0; message--) {
        const contact = random.chance(0.7)
          ? random.pick(partners)
          : this.outsideContact(random, random.pick(this.mailboxes));
        const mailbox = random.pick(this.mailboxes);
        const sent = this.add(random, {
          timeMs,
          sender,
          recipients: outward
            ? [{ address: contact.address, status: random.chance(0.985) ? 'Delivered' : 'Failed', toIp: contact.ip }]
            : [this.internalRecipient(random, mailbox.address)],
          subject: subject(random),
          direction: outward ? 'originating' : 'inbound',
          fromIp: server.ip,
          connector: server.connector,
        });
        this.forwardInternal(random, sent);
        timeMs += random.exponential(3 * MINUTE_MS);
      }
    }
    for (let batch = random.poisson((server.foreignRowsPerDay / 1.8) * random.factor(0.3)); batch > 0; batch--) {
      let timeMs = dayMs + (random.chance(0.5) ? rate.drawMs(random) : random.uniform() * DAY_MS);
      const u = random.uniform();
      const bounce = random.chance(0.25);
      const sender = bounce ? '<>' : foreign[Math.floor(u * u * foreign.length)];
      for (let message = bounce ? 1 : random.geometric(2); message > 0; message--) {
        const contact = bounce ? this.outsideContact(random, random.pick(this.mailboxes)) : random.pick(partners);
        this.add(random, {
          timeMs,
          sender,
          recipients: [
            { address: contact.address, status: random.chance(0.95) ? 'Delivered' : 'Failed', toIp: contact.ip },
          ],
          subject: bounce ? `Undeliverable: ${subject(random)}` : subject(random),
          direction: 'originating',
          fromIp: server.ip,
          connector: server.connector,
        });
        timeMs += random.exponential(4 * MINUTE_MS);
      }
    }
  }
}

/** What an attack needs to know of the world it happens in. */
export interface Background {
  traffic: Traffic;
  mailboxes: { address: string; forwardsTo: string[] }[];
  hybrid: HybridServer[];
}

/** A tenant's ordinary mail, day by day, for tenants too large to be held whole. */
export interface BackgroundStream {
  tenant: string;
  acceptedDomains: string[];
  mailboxes: Background['mailboxes'];
  hybrid: HybridServer[];
  /** Sorted messages of one day after the other. */
  days: Generator<TrafficMessage[]>;
}

/** The messages of all days are those of `generateBackground`. */
export function streamBackground(options: WorldOptions): BackgroundStream {
  const world = new World(options);
  return {
    tenant: world.tenant,
    acceptedDomains: world.acceptedDomains,
    mailboxes: world.mailboxes.map((mailbox) => ({
      address: mailbox.address,
      forwardsTo: mailbox.forward?.targets.map((target) => target.address) ?? [],
    })),
    hybrid: options.hybrid ?? [],
    days: world.days(),
  };
}

/** The tenant's ordinary mail. The same options give the same messages, byte for byte. */
export function generateBackground(options: WorldOptions): Background {
  const { tenant, acceptedDomains, mailboxes, hybrid, days } = streamBackground(options);
  const messages: TrafficMessage[] = [];
  for (const day of days) for (const message of day) messages.push(message);
  const attacks: AttackTruth[] = [];
  const { seed, startMs } = options;
  return {
    traffic: { seed, tenant, acceptedDomains, startMs, days: options.days, messages, attacks },
    mailboxes,
    hybrid,
  };
}

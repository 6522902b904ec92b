/**
 * Writes a large Enhanced summary for the speed benchmark, streaming: the shape of a tenant of tens of
 * thousands of messages a day over thirty days. On average 346 bytes a row, 28 % of the subjects quoted (commas,
 * doubled quotes, CRLF inside 1.5 % of the rows), 15 % of the rows with characters beyond ASCII, UTF-8 with a
 * byte order mark. Most rows come in or go out; some are forwards, an on-premises server
 * relays a little, and three attacks give the detector something to find. Rows are in order of time within
 * an hour's span, as the service writes them: not sorted.
 */

import { closeSync, openSync, writeSync } from 'node:fs';
import { ENHANCED_SUMMARY_HEADER } from '../traffic/enhanced-summary-export.ts';
import { sortableTime } from '../traffic/export-text.ts';
import { DAY_MS, HOUR_MS } from '../traffic/message.ts';
import { externalDomain, externalIp, personName } from '../traffic/names.ts';
import { Random, WeightedChoice } from '../traffic/random.ts';
import { weeklyProfile } from '../traffic/season.ts';

export const SUMMARY_DAYS = 30;
export const SUMMARY_START_MS = Date.UTC(2026, 2, 2);
export const SUMMARY_DOMAINS = ['contoso.example', 'contoso-shop.example'];

export interface SummaryFacts {
  rows: number;
  pairs: number;
  bytes: number;
  quotedSubjects: number;
  foldedSubjects: number;
  beyondAscii: number;
}

const SERVER = { ip: '192.0.2.25', connector: 'Inbound from DC1' };
// biome-ignore format: a word list reads better in lines
const WORDS = [
  'quarterly', 'figures', 'for', 'the', 'northern', 'region', 'updated', 'delivery', 'schedule', 'and', 'notes', 'from', 'meeting', 'with',
  'supplier', 'about', 'contract', 'renewal', 'please', 'review', 'before', 'Friday', 'order', 'confirmation', 'shipment', 'delayed',
];
const WIDE_WORDS = ['März', 'Größe', 'réunion', 'été', 'señal', '見積書', 'Łódź', 'naïve', '🙂', 'Überblick'];

function subjectOf(random: Random, facts: SummaryFacts): string {
  const quoted = random.chance(0.28);
  const folded = quoted && random.chance(0.015 / 0.28);
  const wide = random.chance(0.15);
  const words: string[] = [];
  for (let count = random.integer(8, 18); count > 0; count--) words.push(random.pick(WORDS));
  if (wide) words[random.integer(0, words.length - 1)] = random.pick(WIDE_WORDS);
  if (wide) facts.beyondAscii++;
  let text = words.join(' ');
  if (!quoted) return text;
  facts.quotedSubjects++;
  const at = text.indexOf(' ');
  if (folded) {
    facts.foldedSubjects++;
    text = `${text.slice(0, at)}\r\n${text.slice(at)}`;
  } else if (random.chance(0.3)) {
    text = `""${text.slice(0, at)}""${text.slice(at)}`;
  } else {
    text = `${text.slice(0, at)},${text.slice(at)}`;
  }
  return `"${text}"`;
}

/** Writes the file and says what is in it. The same rows and seed give the same bytes. */
export function writeSummaryFile(path: string, rows: number, seed = 'bench'): SummaryFacts {
  const random = new Random(`${seed}/summary`);
  const facts: SummaryFacts = { rows: 0, pairs: 0, bytes: 0, quotedSubjects: 0, foldedSubjects: 0, beyondAscii: 0 };
  const perDay = rows / SUMMARY_DAYS;
  const mailboxCount = Math.max(50, Math.round(perDay / 8));
  const mailboxes = Array.from(
    { length: mailboxCount },
    (_, index) => `${personName(random)}${index}@${SUMMARY_DOMAINS[index % 9 === 8 ? 1 : 0]}`,
  );
  const mailboxWeights = new WeightedChoice(mailboxes.map(() => random.logNormal(1.1)));
  const domainCount = Math.min(6000, Math.max(100, Math.round(Math.sqrt(perDay) * 23)));
  const domains = Array.from({ length: domainCount }, (_, index) => externalDomain(index));
  const domainWeights = new WeightedChoice(domains.map((_, index) => 1 / (index + 5)));
  const forwarders = mailboxes.slice(0, 24);
  const profile = weeklyProfile(random.fork('profile'));
  const file = openSync(path, 'w');
  let pending: string[] = [];
  const flush = (): void => {
    if (pending.length === 0) return;
    const bytes = Buffer.from(pending.join(''), 'utf8');
    writeSync(file, bytes);
    facts.bytes += bytes.length;
    pending = [];
  };
  const outside = (): string => `${personName(random)}@${domains[domainWeights.draw(random)]}`;
  const inside = (): string => mailboxes[mailboxWeights.draw(random)];
  const row = (
    timeMs: number,
    sender: string,
    recipients: string,
    count: number,
    messageId: string,
    ip: string,
    direction: 1 | 2,
    connector: string,
  ): void => {
    const title = subjectOf(random, facts);
    pending.push(
      `${sortableTime(timeMs)}${random.integer(1000, 9999)}Z,${sender},"${recipients}",${title},${random.integer(2000, 90_000)},` +
        `${messageId},${random.guid()},${ip},${direction},${connector},Normal\r\n`,
    );
    facts.rows++;
    facts.pairs += count;
    if (pending.length >= 4096) flush();
  };
  const messageId = (sender: string): string =>
    `<${random.word().toString(16)}${random.word().toString(16)}${random.word().toString(16)}@mail.${sender.slice(sender.lastIndexOf('@') + 1)}>`;
  const several = (pick: () => string, event: string): { cell: string; count: number } => {
    const count = random.chance(0.8) ? 1 : random.integer(2, 4);
    const chosen = new Set<string>();
    while (chosen.size < count) chosen.add(pick());
    return { cell: [...chosen].map((address) => `${address}##Receive, ${event}`).join(';'), count };
  };

  pending.push(`\ufeff${ENHANCED_SUMMARY_HEADER}\r\n`);
  // Attacks take rows from the same total, so that the file has exactly as many as asked for.
  const attackRows = Math.min(Math.round(rows * 0.005), 9000);
  const attackHour = (21 * 24 + 13) | 0;
  const hours = SUMMARY_DAYS * 24;
  let total = 0;
  const share = Array.from({ length: hours }, (_, hour) => {
    const weight = profile[hour % 168] * random.factor(0.1);
    total += weight;
    return weight;
  });
  let due = 0;
  for (let hour = 0; hour < hours; hour++) {
    const hourMs = SUMMARY_START_MS + hour * HOUR_MS;
    due += ((rows - attackRows) * share[hour]) / total;
    const until = hour === hours - 1 ? rows : Math.floor(due) + (hour > attackHour + 2 ? attackRows : 0);
    const attacked = hour >= attackHour && hour < attackHour + 3 ? Math.round(attackRows / 3) : 0;
    for (let index = 0; index < attacked; index++) {
      const kind = index % 3;
      const sender = kind === 2 ? mailboxes[3] : `promo@prize-desk${kind === 1 ? index % 50 : ''}.example`;
      const to = several(outside, random.chance(0.2) ? 'Fail' : 'Send');
      const timeMs = hourMs + Math.floor((index / attacked) * HOUR_MS);
      const relayed = kind !== 2;
      row(
        timeMs,
        sender,
        to.cell,
        to.count,
        messageId(sender),
        relayed ? SERVER.ip : '',
        2,
        relayed ? SERVER.connector : '',
      );
    }
    while (facts.rows < until) {
      const timeMs = hourMs + random.integer(0, HOUR_MS - 1);
      const u = random.uniform();
      if (u < 0.47) {
        const sender = outside();
        const to = several(inside, 'Deliver');
        row(timeMs, sender, to.cell, to.count, messageId(sender), externalIp(random.integer(0, 3000)), 1, '');
      } else if (u < 0.72) {
        const sender = inside();
        const to = several(inside, 'Deliver');
        row(timeMs, sender, to.cell, to.count, messageId(sender), '', 2, '');
      } else if (u < 0.96) {
        const sender = inside();
        const to = several(outside, random.chance(0.015) ? 'Fail' : 'Send');
        row(timeMs, sender, to.cell, to.count, messageId(sender), '', 2, '');
      } else if (u < 0.985) {
        const sender = outside();
        const id = messageId(sender);
        const ip = externalIp(random.integer(0, 3000));
        const forwarder = random.integer(0, forwarders.length - 1);
        row(timeMs, sender, `${forwarders[forwarder]}##Receive, Deliver`, 1, id, ip, 1, '');
        if (facts.rows < until) {
          row(timeMs + 2000, sender, `private${forwarder}@freemail.example.com##Receive, Send`, 1, id, ip, 2, '');
        }
      } else {
        const application = random.chance(0.99) ? `erp@${SUMMARY_DOMAINS[0]}` : `alerts@cloud.${domains[40]}`;
        const to = random.chance(0.5) ? several(inside, 'Deliver') : several(outside, 'Send');
        row(timeMs, application, to.cell, to.count, messageId(application), SERVER.ip, 2, SERVER.connector);
      }
    }
  }
  flush();
  closeSync(file);
  return facts;
}

export const SUMMARY_END_MS = SUMMARY_START_MS + SUMMARY_DAYS * DAY_MS;

/**
 * Small generated tenants for property tests: what their exports may say about each pair (observations),
 * and export files that say it in any order, any split, any overlap and any dress.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { addAttack } from '../../bench/traffic/attack.ts';
import { enhancedSummaryCsv } from '../../bench/traffic/enhanced-summary-export.ts';
import { type ExportEncoding, encodeExport } from '../../bench/traffic/export-text.ts';
import { DAY_MS, HOUR_MS, type Traffic, type TrafficMessage } from '../../bench/traffic/message.ts';
import {
  type DateStyle,
  messageTraceCsv,
  messageTraceJson,
  messageTraceNdjson,
} from '../../bench/traffic/message-trace-export.ts';
import { Random } from '../../bench/traffic/random.ts';
import { generateBackground } from '../../bench/traffic/world.ts';
import type { DeadLetterCode } from '../../src/core/outcome.ts';
import type { DateOrder, ScanOptions } from '../../src/runtime/scan.ts';

export type Shape = 'trace-v1' | 'trace-v2' | 'json' | 'ndjson' | 'summary';

export interface TenantKind {
  name: string;
  /** Shapes of the files; a tenant with `summary` and others is seen through both formats. */
  shapes: readonly Shape[];
  /** Accepted domains are given, not inferred. */
  listed: boolean;
  dates?: readonly DateStyle[];
  dateOrder?: DateOrder;
  organization?: string;
  timeZone?: string;
  /** Rows before are dropped; hours after the start. */
  sinceHours?: number;
  attack: 'relay' | 'rotation' | 'mailbox' | 'batches';
}

/** One row that an export may hold: a message with some or all of its recipients. */
export interface Observation {
  shape: 'trace' | 'summary';
  message: TrafficMessage;
  /** What becomes of the row where it cannot be used. */
  deadLetter?: DeadLetterCode;
}

export interface SmallTenant {
  kind: TenantKind;
  traffic: Traffic;
  /** Distinct rows. */
  observations: Observation[];
  options: Omit<ScanOptions, 'paths' | 'reader'>;
}

const START_MS = Date.UTC(2026, 0, 5);
export const NOW_MS = Date.UTC(2026, 5, 1);
const SERVER = { ip: '192.0.2.25', connector: 'Inbound from DC1' };
const SUBJECTS = ['Größe der Möbel', 'Café, déjà vu', '請求書 2026', 'Zażółć "gęślą" jaźń', 'Lines\r\nin a subject'];

/** A tenant of a few days with one attack; the same seed gives the same tenant. */
export function smallTenant(kind: TenantKind, seed: string): SmallTenant {
  const random = new Random(`${seed}/${kind.name}`);
  const days = random.integer(3, 8);
  const background = generateBackground({
    seed: `${seed}/${kind.name}/mail`,
    startMs: START_MS,
    days,
    rowsPerDay: random.integer(15, 35),
    hybrid: [{ ...SERVER, applicationRowsPerDay: 3, foreignRowsPerDay: 1 }],
  });
  const startMs = START_MS + (days - 1) * DAY_MS + random.integer(0, 20) * HOUR_MS;
  const source = random.chance(0.5) ? SERVER : { ip: '2001:db8::7', connector: 'Relay, old; "spare"' };
  const size = { id: 'attack', startMs, hours: 1, recipientsPerHour: random.integer(80, 160) };
  if (kind.attack === 'mailbox') addAttack(background, { ...size, kind: 'mailbox', recipientsPerHour: 250 });
  else if (kind.attack === 'relay') addAttack(background, { ...size, kind: 'relay', domains: { count: 2 }, source });
  else if (kind.attack === 'rotation') {
    addAttack(background, { ...size, kind: 'relay', domains: { messagesPerDomain: 3 }, source });
  } else {
    addAttack(background, { ...size, kind: 'relay', domains: { count: 1 }, source, recipientsPerMessage: 20 });
  }
  const { traffic } = background;
  const wholeSeconds = kind.dates?.some((style) => style !== 'iso') === true;
  for (const message of traffic.messages) {
    // Culture dates have no fraction of a second.
    if (wholeSeconds) message.timeMs -= message.timeMs % 1000;
    if (random.chance(0.15)) message.subject = random.pick(SUBJECTS);
  }
  return {
    kind,
    traffic,
    observations: observe(kind, traffic, random),
    options: {
      tenant: {
        key: 'default',
        acceptedDomains: kind.listed ? traffic.acceptedDomains.map((name) => ({ name, matchSubDomains: false })) : null,
        licenses: null,
        timeZone: kind.timeZone ?? 'UTC',
      },
      range: {
        sinceMs: kind.sinceHours === undefined ? null : START_MS + kind.sinceHours * HOUR_MS,
        untilMs: null,
        reportSinceMs: null,
        nowMs: NOW_MS,
      },
      format: null,
      dateOrder: kind.dateOrder ?? null,
      evidenceRows: 10,
      memoryMiB: 1024,
    },
  };
}

/**
 * The rows that exports of these messages may hold: the final ones, and for some of them others that were
 * exported earlier, by other means or by other people, and say something else about the same pair.
 */
function observe(kind: TenantKind, traffic: Traffic, random: Random): Observation[] {
  const seen = { trace: kind.shapes.some((shape) => shape !== 'summary'), summary: kind.shapes.includes('summary') };
  const observations: Observation[] = [];
  for (const message of traffic.messages) {
    const both = seen.trace && seen.summary;
    const which = both ? random.pick(['trace', 'summary', 'both']) : seen.trace ? 'trace' : 'summary';
    const versions = [message, ...otherVersions(message, random)];
    if (which !== 'summary') {
      for (const version of versions) observations.push(...onePerRecipient(version));
    }
    if (which !== 'trace') {
      observations.push({ shape: 'summary', message });
      for (const version of versions.slice(1))
        observations.push({ shape: 'summary', message: someRecipients(version, random) });
    }
  }
  return [
    ...observations,
    ...unusable(traffic.messages[traffic.messages.length - 1], seen.trace ? 'trace' : 'summary'),
  ];
}

function onePerRecipient(message: TrafficMessage): Observation[] {
  return message.recipients.map((recipient) => ({ shape: 'trace', message: { ...message, recipients: [recipient] } }));
}

function someRecipients(message: TrafficMessage, random: Random): TrafficMessage {
  return { ...message, recipients: random.sample(message.recipients, random.integer(1, message.recipients.length)) };
}

function otherVersions(message: TrafficMessage, random: Random): TrafficMessage[] {
  const versions: TrafficMessage[] = [];
  const withStatus = (status: 'GettingStatus' | 'Pending'): TrafficMessage => ({
    ...message,
    recipients: message.recipients.map((one) => (one.status === 'Expanded' ? one : { ...one, status })),
  });
  if (random.chance(0.1)) versions.push(withStatus('GettingStatus'));
  if (random.chance(0.05)) versions.push(withStatus('Pending'));
  // Windows PowerShell without -Encoding: what is not ASCII becomes `?`.
  const ascii = message.subject.replace(/[^\x00-\x7f]/g, '?');
  if (ascii !== message.subject && random.chance(0.7)) versions.push({ ...message, subject: ascii });
  if (random.chance(0.03)) versions.push({ ...message, subject: '' });
  if (random.chance(0.03)) versions.push({ ...message, subject: `AW: ${message.subject}` });
  if (random.chance(0.03)) versions.push({ ...message, timeMs: message.timeMs + random.integer(1, 600) * 1000 });
  if (random.chance(0.03)) versions.push({ ...message, fromIp: '', connector: '' });
  if (random.chance(0.03)) versions.push({ ...message, fromIp: '198.51.100.99', connector: 'Another way in' });
  if (random.chance(0.03)) versions.push({ ...message, messageId: `<other.${message.messageId.slice(1)}` });
  if (random.chance(0.03) && message.sender !== '<>') versions.push({ ...message, sender: `other.${message.sender}` });
  // A recipient twice in one message, the second time in vain.
  if (random.chance(0.03)) {
    versions.push({ ...message, recipients: [...message.recipients, { ...message.recipients[0], status: 'Failed' }] });
  }
  // The same in other spellings.
  if (random.chance(0.05)) {
    versions.push({
      ...message,
      traceId: message.traceId.replaceAll('-', '').toUpperCase(),
      messageId: message.messageId.replace(/^<|>$/g, ''),
      sender: message.sender === '<>' ? '' : message.sender.toUpperCase(),
      recipients: message.recipients.map((one) => ({ ...one, address: `<${one.address.toUpperCase()}>` })),
      fromIp: message.fromIp === '2001:db8::7' ? '2001:0DB8:0:0:0:0:0:7' : message.fromIp,
    });
  }
  // Without a network message id it is another message, the same in every copy.
  if (random.chance(0.02)) versions.push({ ...message, traceId: '' });
  return versions;
}

/** Rows that become dead letters. */
function unusable(message: TrafficMessage, shape: Observation['shape']): Observation[] {
  const [recipient] = message.recipients;
  const one = { ...message, recipients: [recipient] };
  return [
    { shape, deadLetter: 'future_time', message: { ...one, timeMs: NOW_MS + 40 * DAY_MS } },
    { shape, deadLetter: 'past_time', message: { ...one, timeMs: Date.UTC(1999, 11, 31) } },
    { shape, deadLetter: 'bad_sender', message: { ...one, sender: 'Format Table ...' } },
    { shape, deadLetter: 'bad_recipient', message: { ...one, recipients: [{ ...recipient, address: 'nobody' }] } },
    { shape, deadLetter: 'no_identity', message: { ...one, traceId: '', messageId: '' } },
  ];
}

/** How a set of observations becomes files. */
export interface Arrangement {
  /** Draws the order of rows, their places and the dress of files. */
  seed: number;
  files: number;
  /** Copies of each row besides the first, on average. */
  repeats: number;
  /** Most rows are in one file. */
  skewed: boolean;
  /** A folder is handed over, else the files by name, in any order. */
  folder: boolean;
}

export interface Arranged {
  paths: string[];
  /** What was written, copy by copy. */
  written: Observation[];
}

const ENCODINGS: readonly ExportEncoding[] = ['utf8', 'utf8-bom', 'utf16le', 'utf16le-bom', 'utf16be-bom'];
const NAMES = ['a', 'Z', 'export 1', 'ä', 'trace-2026', '10', '9', 'deep/er', 'x.y', 'Größe', '-dash', "o'clock"];

/** Every row once, in order of time, in one file per format. */
export function writePlain(tenant: SmallTenant, folder: string): Arranged {
  const { kind, observations } = tenant;
  for (const shape of ['trace', 'summary'] as const) {
    const messages = observations.filter((one) => one.shape === shape).map((one) => one.message);
    if (messages.length === 0) continue;
    const fileShape = kind.shapes.find((one) => (one === 'summary') === (shape === 'summary')) as Shape;
    writeExport(path.join(folder, `plain-${shape}`), fileShape, messages, tenant, new Random('plain'), 'utf8');
  }
  return { paths: [folder], written: observations };
}

export function writeArranged(tenant: SmallTenant, arrangement: Arrangement, folder: string): Arranged {
  const random = new Random(`arrangement/${arrangement.seed}`);
  const written: Observation[] = [];
  for (const observation of tenant.observations) {
    written.push(observation);
    // Few, and in the fullest file: a file with mostly unusable rows is refused whole.
    const copies = observation.deadLetter === undefined ? random.poisson(arrangement.repeats) : random.integer(0, 1);
    for (let copy = 0; copy < copies; copy++) written.push(observation);
  }
  const names = random.shuffle(NAMES);
  const paths: string[] = [];
  for (const shape of ['trace', 'summary'] as const) {
    const rows = random.shuffle(written.filter((one) => one.shape === shape));
    if (rows.length === 0) continue;
    const fileShapes = tenant.kind.shapes.filter((one) => (one === 'summary') === (shape === 'summary'));
    const parts: Observation[][] = Array.from({ length: arrangement.files }, () => []);
    for (const row of rows) {
      if (row.deadLetter !== undefined) continue;
      parts[arrangement.skewed && random.chance(0.97) ? 0 : random.integer(0, parts.length - 1)].push(row);
    }
    const fullest = parts.reduce((most, part) => (part.length > most.length ? part : most));
    for (const row of rows) {
      if (row.deadLetter !== undefined) fullest.splice(random.integer(0, fullest.length), 0, row);
    }
    for (const part of parts) {
      const name = path.join(folder, names.pop() as string);
      const messages = part.map((one) => one.message);
      paths.push(writeExport(name, random.pick(fileShapes), messages, tenant, random, random.pick(ENCODINGS)));
    }
  }
  return { paths: arrangement.folder ? [folder] : random.shuffle(paths), written };
}

function writeExport(
  name: string,
  shape: Shape,
  messages: readonly TrafficMessage[],
  tenant: SmallTenant,
  random: Random,
  encoding: ExportEncoding,
): string {
  const file = `${name}.${shape === 'json' || shape === 'ndjson' ? shape : 'csv'}`;
  mkdirSync(path.dirname(file), { recursive: true });
  const text = exportText(shape, messages, tenant.kind, random);
  writeFileSync(file, encodeExport(text, encoding));
  return file;
}

function exportText(shape: Shape, messages: readonly TrafficMessage[], kind: TenantKind, random: Random): string {
  const dates = random.pick<DateStyle>(kind.dates ?? ['iso']);
  const jsonStyle = random.pick(['ps5', 'ps7'] as const);
  switch (shape) {
    case 'summary':
      return enhancedSummaryCsv(messages);
    case 'json':
      return messages.length === 0 ? '[]' : messageTraceJson(messages, jsonStyle);
    case 'ndjson':
      return messageTraceNdjson(messages, jsonStyle);
    default:
      return messageTraceCsv(messages, {
        version: shape === 'trace-v1' ? 1 : 2,
        dates,
        delimiter: random.pick([',', ';', '\t'] as const),
        quotes: random.pick(['always', 'as-needed'] as const),
        typeLine: random.chance(0.3),
        organization: kind.organization,
      });
  }
}

/** What the ledger has to count of the rows written, apart from `updated` and `duplicate` of each other. */
export function expectedCounts(
  written: readonly Observation[],
  sinceMs: number | null,
): { read: number; dropped: number; deadLettered: Partial<Record<DeadLetterCode, number>> } {
  const counts = { read: 0, dropped: 0, deadLettered: {} as Partial<Record<DeadLetterCode, number>> };
  for (const { message, deadLetter } of written) {
    counts.read += message.recipients.length;
    if (deadLetter !== undefined) counts.deadLettered[deadLetter] = (counts.deadLettered[deadLetter] ?? 0) + 1;
    else if (sinceMs !== null && message.timeMs < sinceMs) counts.dropped += message.recipients.length;
  }
  return counts;
}

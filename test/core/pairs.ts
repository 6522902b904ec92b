/**
 * Pairs for tests of the core: readable rows become records in memory, and the product's own
 * identity, order, walk and documents take it from there. No format, no file.
 */

import { detectionSettings } from '../../src/config/detection.ts';
import { AcceptedDomains, expandAcceptedDomains } from '../../src/core/accepted-domains.ts';
import { AddressReader } from '../../src/core/address.ts';
import { DAY_MS, HOUR_MS, hourSlotsOf, MINUTE_MS, SECOND_MS } from '../../src/core/calendar.ts';
import { PairCollector } from '../../src/core/collect.ts';
import { Dictionary } from '../../src/core/dictionary.ts';
import { type DescribedIncidents, describeIncidents, IncidentDescriber } from '../../src/core/documents.ts';
import { type Feedback, NO_FEEDBACK } from '../../src/core/feedback.ts';
import { KeyedHash } from '../../src/core/hash.ts';
import { ChosenTexts, ObservationCounts, PairTable } from '../../src/core/identity.ts';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { visitDays } from '../../src/core/order.ts';
import type { PairText, SpillStore, TextSource } from '../../src/core/ports.ts';
import {
  CONNECTOR,
  createRecordScratch,
  DIRECTION_INBOUND,
  DIRECTION_NONE,
  DIRECTION_OUTBOUND,
  DIRECTION_SHIFT,
  FLAGS,
  HAS_IP_COLUMNS,
  MESSAGE_HI,
  MESSAGE_ID_HI,
  MESSAGE_ID_LO,
  MESSAGE_LO,
  RANK_CONNECTOR_SHIFT,
  RANK_MESSAGE_ID_SHIFT,
  RANK_SENDER_SHIFT,
  RANK_SOURCE_SHIFT,
  RANK_SUBJECT_SHIFT,
  RECIPIENT_DOMAIN,
  RECIPIENT_HI,
  RECIPIENT_LO,
  REFUSAL_SHIFT,
  type RecordScratch,
  SENDER_DOMAIN,
  SENDER_HI,
  SENDER_KIND_SHIFT,
  SENDER_LO,
  SENDER_NULL,
  SENT_ON,
  SOURCE,
  STATUSES,
  STATUSES_SEEN_SHIFT,
  type Status,
  SUBJECT,
  writePosition,
} from '../../src/core/record.ts';
import type { DetectionSettings } from '../../src/core/series-settings.ts';
import { TenantModel } from '../../src/core/tenant.ts';
import { Walk } from '../../src/core/walk/walk.ts';

/** One observation of a pair. What is left out is an ordinary row: delivered, with a message of its own. */
export interface Row {
  /** Milliseconds, or `YYYY-MM-DDThh:mm[:ss[.mmm]]` in UTC. */
  time: number | string;
  /** Empty or `<>` for the null sender. */
  sender: string;
  recipient: string;
  fromIp?: string;
  toIp?: string;
  connector?: string;
  messageId?: string;
  traceId?: string;
  subject?: string;
  status?: Status;
  /** Kind of refusal, `REFUSAL_…`. */
  refusal?: number;
  direction?: 'inbound' | 'outbound';
  /** Rank of the format: 1 is the best. */
  rank?: number;
  file?: number;
}

export interface ScanOptions {
  tenant?: string;
  accepted?: readonly string[];
  licenses?: number;
  feedback?: Partial<Feedback>;
  timeZone?: string;
  evidenceRows?: number;
  /** Milliseconds or text as in rows; the latest event time by default. */
  now?: number | string;
  /** Names that get their dictionary ids before the first row. */
  internFirst?: readonly string[];
  reportSince?: number | string;
}

export const TENANT = 'contoso';
export const ACCEPTED = ['contoso.com'];
/** A Monday, 00:00 UTC. */
export const MONDAY = Date.UTC(2026, 0, 5);

export { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS };

export function timeOf(time: number | string): number {
  if (typeof time === 'number') return time;
  const timeMs = Date.parse(`${time}Z`);
  if (Number.isNaN(timeMs)) throw new Error(`no time: ${time}`);
  return timeMs;
}

const ENCODER = new TextEncoder();

/** The dictionaries and texts of a set of rows, and the records made with them. */
export class Pairs implements TextSource {
  readonly hash: KeyedHash;
  readonly domains: Dictionary;
  readonly sources: Dictionary;
  readonly connectors: Dictionary;
  readonly ids: { domain(id: number): string; source(id: number): string; connector(id: number): string };
  readonly #addresses: AddressReader;
  readonly #rows: Row[] = [];
  readonly #scratch = createRecordScratch();
  readonly #room = new Uint8Array(4096);

  constructor(tenant: string = TENANT) {
    this.hash = new KeyedHash(tenant);
    this.#addresses = new AddressReader(this.hash);
    this.domains = new Dictionary(this.hash);
    this.sources = new Dictionary(this.hash);
    this.connectors = new Dictionary(this.hash);
    this.ids = {
      domain: (id) => this.domains.text(id),
      source: (id) => this.sources.text(id),
      connector: (id) => this.connectors.text(id),
    };
  }

  /** The record of a row; valid until the next call. */
  record(row: Row): RecordScratch {
    const { words, doubles } = this.#scratch;
    const place = this.#rows.push(row) - 1;
    const rank = row.rank ?? 1;
    doubles[0] = timeOf(row.time);
    this.hash.text(traceIdOf(row, place));
    words[MESSAGE_LO] = this.hash.lo;
    words[MESSAGE_HI] = this.hash.hi;
    let flags = 0;
    words[MESSAGE_ID_LO] = 0;
    words[MESSAGE_ID_HI] = 0;
    const messageId = row.messageId ?? `${traceIdOf(row, place)}@mail.example`;
    if (messageId !== '') {
      this.hash.text(messageId);
      words[MESSAGE_ID_LO] = this.hash.lo;
      words[MESSAGE_ID_HI] = this.hash.hi;
      flags |= rank << RANK_MESSAGE_ID_SHIFT;
    }
    const addresses = this.#addresses;
    if (!addresses.sender(this.#room, 0, ENCODER.encodeInto(row.sender, this.#room).written)) {
      throw new Error(`no address: ${row.sender}`);
    }
    words[SENDER_LO] = addresses.lo;
    words[SENDER_HI] = addresses.hi;
    words[SENDER_DOMAIN] = this.domains.intern(addresses.bytes, addresses.domainStart, addresses.end);
    flags |= addresses.kind << SENDER_KIND_SHIFT;
    if (addresses.kind !== SENDER_NULL) flags |= rank << RANK_SENDER_SHIFT;
    if (!addresses.recipient(this.#room, 0, ENCODER.encodeInto(row.recipient, this.#room).written)) {
      throw new Error(`no address: ${row.recipient}`);
    }
    words[RECIPIENT_LO] = addresses.lo;
    words[RECIPIENT_HI] = addresses.hi;
    words[RECIPIENT_DOMAIN] = this.domains.intern(addresses.bytes, addresses.domainStart, addresses.end);
    words[SUBJECT] = 0;
    if (row.subject !== undefined && row.subject !== '') {
      this.hash.text(row.subject);
      words[SUBJECT] = this.hash.lo === 0 ? 1 : this.hash.lo;
      flags |= rank << RANK_SUBJECT_SHIFT;
    }
    words[SOURCE] = row.fromIp === undefined ? 0 : this.sources.internText(row.fromIp);
    if (words[SOURCE] !== 0) flags |= rank << RANK_SOURCE_SHIFT;
    words[CONNECTOR] = row.connector === undefined ? 0 : this.connectors.internText(row.connector);
    if (words[CONNECTOR] !== 0) flags |= rank << RANK_CONNECTOR_SHIFT;
    words[CONNECTOR] |= (row.refusal ?? 0) << REFUSAL_SHIFT;
    const direction =
      row.direction === undefined
        ? DIRECTION_NONE
        : row.direction === 'inbound'
          ? DIRECTION_INBOUND
          : DIRECTION_OUTBOUND;
    const status = STATUSES.indexOf(row.status ?? 'delivered');
    flags |= status | (1 << (STATUSES_SEEN_SHIFT + status)) | (direction << DIRECTION_SHIFT);
    if (row.toIp !== undefined) flags |= HAS_IP_COLUMNS | (row.toIp === '' ? 0 : SENT_ON);
    words[FLAGS] = flags;
    writePosition(words, 0, row.file ?? 0, place);
    return this.#scratch;
  }

  read(file: number, offset: number): PairText {
    const row = this.#rows[offset];
    return {
      messageTraceId: traceIdOf(row, offset),
      messageId: row.messageId ?? '',
      sender: row.sender === '<>' ? '' : row.sender.toLowerCase(),
      recipient: row.recipient.toLowerCase(),
      subject: row.subject ?? '',
      file,
      offset,
      length: 1,
    };
  }
}

/** A row without a trace id is a message of its own, told by what stands in it. */
function traceIdOf(row: Row, _place: number): string {
  return row.traceId ?? `${timeOf(row.time)}/${row.sender}/${row.recipient}/${row.messageId ?? ''}`;
}

/** Keeps spilled records in memory. */
export class MemorySpill implements SpillStore {
  readonly runs = new Map<string, Uint32Array[]>();
  appends = 0;

  append(run: string, records: Uint32Array): void {
    this.appends++;
    const parts = this.runs.get(run) ?? [];
    parts.push(records.slice());
    this.runs.set(run, parts);
  }

  read(run: string): Uint32Array {
    const parts = this.runs.get(run) ?? [];
    const records = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      records.set(part, at);
      at += part.length;
    }
    return records;
  }

  remove(run: string): void {
    this.runs.delete(run);
  }
}

export interface Scanned extends DescribedIncidents {
  walk: Walk;
  counts: ObservationCounts;
}

export function tenantModelOf(pairs: Pairs, tenant: string, accepted: readonly string[]): TenantModel {
  const list = accepted.map((name) => ({ name, matchSubDomains: false }));
  return new TenantModel(new AcceptedDomains(expandAcceptedDomains(list, [], tenant)), pairs.ids);
}

/** Scans rows as the product does and returns everything that came of it. */
export function scanWhole(rows: readonly Row[], options: ScanOptions = {}, settings?: DetectionSettings): Scanned {
  const tenant = options.tenant ?? TENANT;
  const pairs = new Pairs(tenant);
  for (const name of options.internFirst ?? []) {
    pairs.domains.internText(name);
    pairs.sources.internText(name);
    pairs.connectors.internText(name);
  }
  const counts = new ObservationCounts();
  const chosen = new ChosenTexts();
  const table = new PairTable(counts, chosen, pairs.ids, pairs);
  for (const row of rows) table.add(pairs.record(row));
  table.seal();
  const documents = { tenantKey: tenant, organization: null, evidenceRows: options.evidenceRows ?? 10 };
  const walk: Walk = new Walk(
    settings ?? detectionSettings(options.licenses ?? null, { ...NO_FEEDBACK, ...options.feedback }),
    tenantModelOf(pairs, tenant, options.accepted ?? ACCEPTED),
    hourSlotsOf(options.timeZone ?? 'UTC'),
    pairs.ids,
    { tenantKey: tenant, idOf: (incident) => describer.nextId(incident) },
  );
  const describer = new IncidentDescriber(walk, pairs, chosen, documents);
  visitDays(table, (block) => walk.block(block));
  walk.finish(options.now === undefined ? (walk.seen.lastMs ?? 0) : timeOf(options.now));
  const described = describeIncidents(
    walk,
    pairs,
    chosen,
    documents,
    options.reportSince === undefined ? null : timeOf(options.reportSince),
  );
  return { ...described, walk, counts };
}

/** The incident documents of rows. */
export function scanRows(rows: readonly Row[], options: ScanOptions = {}): IncidentDocument[] {
  return scanWhole(rows, options).incidents;
}

/** Collects rows within a bound of memory and returns the walked blocks' pairs, in walk order. */
export function collectRows(rows: readonly Row[], memoryBytes: number, spill: SpillStore = new MemorySpill()) {
  const pairs = new Pairs();
  const counts = new ObservationCounts();
  const chosen = new ChosenTexts();
  const collector = new PairCollector({ counts, chosen, ids: pairs.ids, texts: pairs, memoryBytes, spill });
  for (const row of rows) collector.add(pairs.record(row));
  return { collector, counts, chosen, pairs };
}

/** A random order that a seed repeats. */
export function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const random = randomOf(seed);
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other], result[last]];
  }
  return result;
}

/** Numbers from 0 to 1, the same for the same seed (the generator is Tommy Ettinger's mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Rows that a relay sends: one recipient each, `everyMs` apart. */
export function relay(
  fields: Partial<Row> & { start: number; count: number; everyMs: number },
  domainOf: (index: number) => string = () => 'fabrikam.example',
): Row[] {
  const { start, count, everyMs, ...row } = fields;
  return Array.from({ length: count }, (_, index) => ({
    fromIp: '198.51.100.25',
    connector: 'Inbound from DC1',
    subject: 'You won',
    ...row,
    time: start + index * everyMs,
    sender: row.sender ?? `promo@${domainOf(index)}`,
    recipient: `person${index}@victim.example`,
  }));
}

/** An ordinary tenant: a few messages an hour from mailboxes here, day and night, from `start` for some days. */
export function ordinary(start: number, days: number, perHour = 2): Row[] {
  const rows: Row[] = [];
  for (let hour = 0; hour < days * 24; hour++) {
    for (let index = 0; index < perHour; index++) {
      rows.push({
        time: start + hour * HOUR_MS + (index * HOUR_MS) / perHour + 1,
        sender: `user${(hour + index * 7) % 20}@contoso.com`,
        recipient: `friend${(hour * 3 + index) % 50}@partner.example`,
      });
    }
  }
  return rows;
}

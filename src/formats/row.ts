/**
 * Rows of an export to observations of pairs. One extractor per file: it takes the records that a
 * reader finds, fills one scratch record for each pair and hands it on. Nothing becomes a string and
 * nothing is allocated unless a row is refused, or has text that is not ASCII in an address.
 */

import ipaddr from 'ipaddr.js';
import type { AddressReader } from '../core/address.ts';
import { Dictionary } from '../core/dictionary.ts';
import { type DateOrder, parseEventTime } from '../core/event-time.ts';
import { findEither } from '../core/find-bytes.ts';
import type { KeyedHash } from '../core/hash.ts';
import { Ipv4Ids } from '../core/ipv4-ids.ts';
import type { DeadLetterCode, DropReason } from '../core/outcome.ts';
import type { PairSink, RowCounter } from '../core/ports.ts';
import {
  CONNECTOR,
  CONNECTOR_ID_MASK,
  createRecordScratch,
  DIRECTION_INBOUND,
  DIRECTION_NONE,
  DIRECTION_OUTBOUND,
  DIRECTION_SHIFT,
  EVENT_ROW,
  EVENT_STATUS_SHIFT,
  FLAGS,
  HAS_IP_COLUMNS,
  HEADER_SENDER_DIFFERS,
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
  RECIPIENT_FOR_BOUNCES,
  RECIPIENT_HI,
  RECIPIENT_LO,
  REFUSAL_NONE,
  REFUSAL_SHIFT,
  SENDER_DOMAIN,
  SENDER_HI,
  SENDER_KIND_SHIFT,
  SENDER_LO,
  SENDER_NULL,
  SENT_ON,
  SOURCE,
  STATUS_EXPANDED,
  STATUS_MASK,
  STATUSES_SEEN_SHIFT,
  SUBJECT,
  writePosition,
} from '../core/record.ts';
import type { RecordView } from '../readers/reader.ts';
import {
  EVENTS_SENT_ON,
  excerpt,
  RecipientReader,
  recipientPart,
  statusOfDelivery,
  statusOfWord,
  trimBlanks,
  trimMessageId,
  trimMessageTraceId,
  trimmed,
} from './cells.ts';
import {
  countRecipients,
  isForBounces,
  isInternalHop,
  isSubmitted,
  repliesOf,
  senderColumn,
  statusOfEventRow,
  textOf,
} from './event-row.ts';
import { EVENT_ARRIVES, EVENT_REPLACES, EVENT_REPLIES, EVENT_SENDS, EVENT_STATUS, meaningOfEvent } from './events.ts';
import { canonicalColumn, type FormatMatch, type RoleColumns } from './format.ts';
import { hasSemicolon, isList, isTypeName, listPart, splitList } from './recipient-list.ts';
import { refusalOf } from './refusal.ts';

const SEMICOLON = 0x3b;
const COMMA = 0x2c;
const HOUR_MS = 3_600_000;
/** Rows before it are dead letters: Exchange Online is younger, so such a time is a broken one. */
export const EARLIEST_MS = Date.UTC(2000, 0, 1);
/** How far an event time may lie after the present: clocks and zones differ, years do not. */
export const FUTURE_TOLERANCE_MS = 24 * HOUR_MS;
/** Organisations kept of one run: more than one is an error already. */
const MAX_ORGANIZATIONS = 8;
const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** IPv6 texts kept with their canonical form. */
const MAX_SOURCE_SPELLINGS = 16_384;
const UNKNOWN_SOURCE = -1;
const BACKSLASH = 0x5c;
/** Before the columns in a tracking log, which begins again where the service does. */
const LOG_FIELDS = /^#Fields:/i;
const NOT_JOINED =
  'its list of recipients is the name of a type: Export-Csv writes no lists, so join them first, ' +
  "with Select-Object *, @{n='RecipientList';e={$_.Recipients -join ';'}} -ExcludeProperty Recipients";

/** What the rows of a run share: all ids and hashes come from here. */
export interface RowContext {
  hash: KeyedHash;
  addresses: AddressReader;
  domains: Dictionary;
  sources: Dictionary;
  connectors: Dictionary;
  /** GUIDs and names of the tenant found in the rows, lower case. */
  organizations: { ids: string[]; names: string[] };
  /** Whether rows of that organisation, by GUID or name in lower case, belong to this tenant; all do without it. */
  admits?: (organization: string) => boolean;
  sinceMs: number | null;
  untilMs: number | null;
  nowMs: number;
}

export interface RowFile {
  match: FormatMatch;
  /** Canonical column names, to know the header again where exports were joined to one file. */
  header: readonly string[];
  dateOrder: DateOrder | null;
  /** The file's number in the run. */
  number: number;
}

export class RowExtractor {
  /** Observations handed to the sink. */
  rows = 0;
  readonly #context: RowContext;
  readonly #file: RowFile;
  readonly #roles: RoleColumns;
  readonly #sink: PairSink;
  readonly #counter: RowCounter;
  readonly #scratch = createRecordScratch();
  readonly #ipv4Ids = new Ipv4Ids();
  readonly #recipientReader = new RecipientReader();
  /** Id of the domain of the recipient before: often that of this one. */
  #recipientDomain = 0;
  readonly #earliestMs: number;
  readonly #latestMs: number;
  readonly #sinceMs: number;
  readonly #untilMs: number;
  readonly #rank: number;
  readonly #formatFlags: number;
  readonly #hasServersOwn: boolean;
  /** The word of the connector and the traits, of the pairs of the record at hand. */
  #connector = 0;
  /** Columns of which a row of the format has one; empty where the file cannot tell. */
  readonly #proof: readonly number[];
  /** First and last event time of the observations: doubles that are written without an allocation. */
  readonly #times = Float64Array.of(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
  /** The organisation of the row before: nearly always that of this one. */
  #organization = new Uint8Array(0);
  #isForeign = false;
  /** Ids of canonical addresses by the id of their spelling, for what is no IPv4 address. */
  #sourceIds: Int32Array = new Int32Array(0);
  #spellings: Dictionary | null = null;

  constructor(context: RowContext, file: RowFile, sink: PairSink, counter: RowCounter) {
    this.#context = context;
    this.#file = file;
    this.#roles = file.match.roles;
    this.#sink = sink;
    this.#counter = counter;
    this.#earliestMs = EARLIEST_MS;
    this.#latestMs = context.nowMs + FUTURE_TOLERANCE_MS;
    this.#sinceMs = context.sinceMs ?? Number.NEGATIVE_INFINITY;
    this.#untilMs = context.untilMs ?? Number.POSITIVE_INFINITY;
    const { rank, proof = [], hasServersOwnConnectors = false } = file.match.format;
    this.#rank = rank;
    this.#hasServersOwn = hasServersOwnConnectors;
    const proofColumns = proof.map((role) => this.#roles[role]);
    this.#proof = proofColumns.includes(-1) ? [] : proofColumns;
    this.#formatFlags = this.#roles.from_ip >= 0 && this.#roles.to_ip >= 0 ? HAS_IP_COLUMNS : 0;
  }

  /** Earliest event time of the observations; null without one. */
  get firstMs(): number | null {
    return this.rows === 0 ? null : this.#times[0];
  }

  get lastMs(): number | null {
    return this.rows === 0 ? null : this.#times[1];
  }

  /** Takes one record: every pair in it becomes an observation, a drop or a dead letter. */
  record(view: RecordView): void {
    const { bytes, starts, ends } = view;
    const roles = this.#roles;
    const context = this.#context;
    const { words, doubles } = this.#scratch;

    const time = roles.event_time;
    if (!parseEventTime(bytes, starts[time], ends[time], this.#file.dateOrder, doubles, 0)) {
      this.#refuseTime(view);
      return;
    }
    const eventMs = doubles[0];
    if (eventMs > this.#latestMs || eventMs < this.#earliestMs) {
      const what = excerpt(bytes, starts[time], ends[time]);
      if (eventMs > this.#latestMs)
        this.#refuse(view, 'future_time', `"${what}" is more than 24 hours after the present`);
      else this.#refuse(view, 'past_time', `"${what}" is before the year 2000`);
      return;
    }
    if (eventMs < this.#sinceMs || eventMs >= this.#untilMs) {
      this.#dropAll(view, 'out_of_range');
      return;
    }

    let event = 0;
    if (roles.event >= 0) {
      const meaning = meaningOfEvent(bytes, starts[roles.event], ends[roles.event]);
      if (typeof meaning === 'string') {
        this.#dropAll(view, meaning);
        return;
      }
      event = meaning;
    }
    if (this.#proof.length > 0 && this.#proof.every((column) => starts[column] === ends[column])) {
      const { id, title } = this.#file.match.format;
      if (namesOtherTable(view, roles.table, id)) this.#dropAll(view, 'other_table');
      else this.#refuse(view, 'malformed_record', `its fields are those of no row of ${title}`);
      return;
    }
    let flags = this.#formatFlags;
    const sender = senderColumn(view, roles);
    const addresses = context.addresses;
    if (!addresses.sender(bytes, starts[sender], ends[sender])) {
      this.#refuse(view, 'bad_sender', `sender "${excerpt(bytes, starts[sender], ends[sender])}" is no address`);
      return;
    }
    words[SENDER_LO] = addresses.lo;
    words[SENDER_HI] = addresses.hi;
    words[SENDER_DOMAIN] = context.domains.intern(addresses.bytes, addresses.domainStart, addresses.end);
    flags |= addresses.kind << SENDER_KIND_SHIFT;
    if (addresses.kind !== SENDER_NULL) {
      flags |= (sender === roles.sender ? this.#rank : this.#rank + 1) << RANK_SENDER_SHIFT;
    }
    let traits = 0;
    const headerSender = roles.header_sender;
    if (headerSender >= 0 && ends[headerSender] > starts[headerSender] && sender !== headerSender) {
      if (this.#isOtherDomain(bytes, starts[headerSender], ends[headerSender])) traits |= HEADER_SENDER_DIFFERS;
    }

    if (this.#readMessageId(view)) flags |= this.#rank << RANK_MESSAGE_ID_SHIFT;
    // Events of a message happen at different times.
    if (!this.#readMessage(view, roles.event >= 0 ? 0 : Math.floor(eventMs / 1000))) {
      this.#refuse(view, 'no_identity', 'neither a message trace id nor a Message-ID');
      return;
    }

    words[SUBJECT] = 0;
    const subject = roles.subject;
    if (subject >= 0 && ends[subject] > starts[subject]) {
      context.hash.bytes(bytes, starts[subject], ends[subject]);
      words[SUBJECT] = context.hash.lo === 0 ? 1 : context.hash.lo;
      flags |= this.#rank << RANK_SUBJECT_SHIFT;
    }

    words[SOURCE] = 0;
    const fromIp = roles.from_ip;
    if (fromIp >= 0 && ends[fromIp] > starts[fromIp]) {
      const source = this.#readSource(bytes, starts[fromIp], ends[fromIp]);
      words[SOURCE] = source;
      if (source !== 0) flags |= this.#rank << RANK_SOURCE_SHIFT;
    }
    const fromIpV6 = roles.from_ip_v6;
    if (fromIpV6 >= 0 && words[SOURCE] === 0 && ends[fromIpV6] > starts[fromIpV6]) {
      const source = this.#readSource(bytes, starts[fromIpV6], ends[fromIpV6]);
      words[SOURCE] = source;
      if (source !== 0) flags |= this.#rank << RANK_SOURCE_SHIFT;
    }
    if (event !== 0 && words[SOURCE] === 0 && isSubmitted(view, roles, event)) {
      const source = this.#readSource(bytes, starts[roles.client_ip], ends[roles.client_ip]);
      words[SOURCE] = source;
      if (source !== 0) flags |= this.#rank << RANK_SOURCE_SHIFT;
    }
    const toIp = roles.to_ip;
    if (toIp >= 0 && ends[toIp] > starts[toIp]) {
      trimBlanks(bytes, starts[toIp], ends[toIp]);
      // Kibana writes a dash for a field that is not there.
      if (trimmed.end - trimmed.start > 1) flags |= SENT_ON;
    }

    this.#connector = traits;
    const connector = roles.connector;
    if (connector >= 0 && ends[connector] > starts[connector]) {
      trimBlanks(bytes, starts[connector], ends[connector]);
      const rank = event === 0 || (event & EVENT_ARRIVES) !== 0 ? this.#rank : this.#rank + 1;
      if (this.#hasServersOwn && bytes.subarray(trimmed.start, trimmed.end).includes(BACKSLASH))
        trimmed.end = trimmed.start;
      const id = context.connectors.intern(bytes, trimmed.start, trimmed.end);
      if (id !== 0 && id <= CONNECTOR_ID_MASK) {
        this.#connector |= id;
        flags |= rank << RANK_CONNECTOR_SHIFT;
      }
    }
    const reason = roles.reason;
    if (reason >= 0 && ends[reason] > starts[reason]) {
      this.#connector |= refusalOf(textOf(bytes, starts[reason], ends[reason])) << REFUSAL_SHIFT;
    }
    if (roles.direction >= 0) {
      flags |= directionOf(bytes, starts[roles.direction], ends[roles.direction]) << DIRECTION_SHIFT;
    }
    if (roles.organization >= 0) {
      this.#noteOrganization(bytes, starts[roles.organization], ends[roles.organization]);
      if (this.#isForeign) {
        this.#refuse(view, 'other_tenant', 'the row is of another organization');
        return;
      }
    }

    writePosition(words, 0, this.#file.number, view.offset);
    if (roles.event >= 0) {
      this.#event(view, flags, event);
      return;
    }
    if (roles.recipient_status >= 0) {
      this.#recipients(view, flags);
      return;
    }
    let status = 0;
    if (roles.status >= 0) {
      status = statusOfWord(bytes, starts[roles.status], ends[roles.status]);
      if (status < 0) {
        const word = excerpt(bytes, starts[roles.status], ends[roles.status]);
        this.#refuse(view, 'bad_status', `status "${word}" is none of Exchange`);
        return;
      }
    } else if (roles.delivery_location >= 0 || roles.delivery_action >= 0) {
      const told = statusOfDelivery(view, roles.delivery_location, roles.delivery_action);
      if (told < 0) {
        this.#refuse(view, 'bad_status', 'the delivery location and action are none of Defender');
        return;
      }
      status = told & STATUS_MASK;
      if ((told & EVENTS_SENT_ON) !== 0) flags |= SENT_ON;
    }
    const start = starts[roles.recipient];
    const end = ends[roles.recipient];
    const mark = findEither(context.hash.viewOf(bytes), bytes, start, end, SEMICOLON, COMMA);
    if (mark < end && isList(bytes, start, end)) this.#list(view, flags, status);
    else this.#pair(view, start, end, flags, status);
  }

  /** Every address of a cell that somebody joined several in. */
  #list(view: RecordView, flags: number, status: number): void {
    const { bytes } = view;
    const start = view.starts[this.#roles.recipient];
    const end = view.ends[this.#roles.recipient];
    const bySemicolon = hasSemicolon(bytes, start, end);
    let found = false;
    for (let from = start; from < end; ) {
      splitList(bytes, from, end, bySemicolon);
      const { start: first, end: last } = listPart;
      from = listPart.next;
      if (first === last) continue;
      this.#pair(view, first, last, flags, status);
      found = true;
    }
    if (!found) this.#refuse(view, 'bad_recipient', 'no recipient');
  }

  /** Every recipient of a `recipient_status` cell. */
  #recipients(view: RecordView, flags: number): void {
    const { bytes } = view;
    const words = this.#context.hash.viewOf(bytes);
    const cell = this.#roles.recipient_status;
    const end = view.ends[cell];
    let found = false;
    for (let from = view.starts[cell]; from < end; ) {
      this.#recipientReader.read(words, bytes, from, end);
      const { start, end: addressEnd, eventsStart, eventsEnd } = recipientPart;
      from = recipientPart.next;
      if (start === addressEnd && eventsStart === eventsEnd) continue;
      found = true;
      const told = this.#recipientReader.status;
      const sentOn = (told & EVENTS_SENT_ON) === 0 ? 0 : SENT_ON;
      this.#pair(view, start, addressEnd, flags | sentOn, told & STATUS_MASK);
    }
    if (!found) this.#refuse(view, 'bad_recipient', 'no recipient');
  }

  /** Every recipient of an event row. */
  #event(view: RecordView, flags: number, event: number): void {
    const { bytes, starts, ends } = view;
    const column = this.#roles.recipient;
    const end = ends[column];
    if (isTypeName(bytes, starts[column], end)) {
      this.#refuse(view, 'bad_recipient', NOT_JOINED);
      return;
    }
    const bySemicolon = hasSemicolon(bytes, starts[column], end);
    const replies = (event & EVENT_REPLIES) === 0 ? null : repliesOf(view, this.#roles, bySemicolon);
    const sent = (event & EVENT_SENDS) !== 0 && !isInternalHop(view, this.#roles);
    const base = this.#connector;
    const usedBefore = this.rows;
    let number = 0;
    for (let from = starts[column]; from < end; ) {
      splitList(bytes, from, end, bySemicolon);
      // A copy: what the observation is given to may read lists, too.
      const { start: partStart, end: partEnd, next } = listPart;
      from = next;
      if (partStart === partEnd) continue;
      const status = statusOfEventRow(event, sent, replies, number);
      const refusal = replies === null ? REFUSAL_NONE : replies.refusal(number);
      this.#connector = base | (refusal << REFUSAL_SHIFT);
      this.#eventPair(view, partStart, partEnd, sent ? flags | SENT_ON : flags, status);
      number++;
    }
    this.#connector = base;
    if ((event & EVENT_REPLACES) !== 0) number += this.#replaced(view, flags, number);
    if (number > 0 || this.rows > usedBefore) return;
    if ((event & (EVENT_STATUS | EVENT_ARRIVES)) === 0) this.#counter.drop('event_without_recipient');
    else this.#refuse(view, 'bad_recipient', 'no recipient');
  }

  /** The groups and aliases that the recipients of an event row take the place of; returns how many. */
  #replaced(view: RecordView, flags: number, recipients: number): number {
    const column = this.#roles.related_recipient;
    if (column < 0) return 0;
    const { words } = this.#scratch;
    const [lo, hi] = recipients === 1 ? [words[RECIPIENT_LO], words[RECIPIENT_HI]] : [0, 0];
    const { bytes, starts, ends } = view;
    const bySemicolon = hasSemicolon(bytes, starts[column], ends[column]);
    let number = 0;
    for (let from = starts[column]; from < ends[column]; ) {
      splitList(bytes, from, ends[column], bySemicolon);
      const { start, end, next } = listPart;
      from = next;
      const { addresses } = this.#context;
      if (start === end || !addresses.recipient(bytes, start, end)) continue;
      if (addresses.lo === lo && addresses.hi === hi) continue;
      this.#eventPair(view, start, end, flags, STATUS_EXPANDED);
      number++;
    }
    return number;
  }

  #eventPair(view: RecordView, start: number, end: number, flags: number, status: number): void {
    const connector = this.#connector;
    this.#connector = connector | EVENT_ROW | (status << EVENT_STATUS_SHIFT);
    this.#pairOf(view, start, end, flags | status);
    this.#connector = connector;
  }

  #pair(view: RecordView, start: number, end: number, flags: number, status: number): void {
    this.#pairOf(view, start, end, flags | status | (1 << (STATUSES_SEEN_SHIFT + status)));
  }

  #pairOf(view: RecordView, start: number, end: number, flags: number): void {
    const context = this.#context;
    const addresses = context.addresses;
    if (!addresses.recipient(view.bytes, start, end)) {
      this.#refuse(view, 'bad_recipient', `recipient "${excerpt(view.bytes, start, end)}" is no address`);
      return;
    }
    const { words, doubles } = this.#scratch;
    words[RECIPIENT_LO] = addresses.lo;
    words[RECIPIENT_HI] = addresses.hi;
    const { bytes, domainStart, end: domainEnd } = addresses;
    this.#recipientDomain = context.domains.internLikely(bytes, domainStart, domainEnd, this.#recipientDomain);
    words[RECIPIENT_DOMAIN] = this.#recipientDomain;
    words[FLAGS] = flags;
    words[CONNECTOR] = isForBounces(bytes, addresses.start) ? this.#connector | RECIPIENT_FOR_BOUNCES : this.#connector;
    this.rows++;
    const times = this.#times;
    if (doubles[0] < times[0]) times[0] = doubles[0];
    if (doubles[0] > times[1]) times[1] = doubles[0];
    this.#sink.add(this.#scratch);
  }

  /** Whether the header sender in a cell has another domain than the envelope sender, which was read last. */
  #isOtherDomain(bytes: Uint8Array, start: number, end: number): boolean {
    const { addresses, hash } = this.#context;
    if (addresses.domainStart === addresses.end) return false;
    hash.bytes(addresses.bytes, addresses.domainStart, addresses.end);
    const { lo, hi } = hash;
    // Some exports have the domain alone.
    if (!addresses.sender(bytes, start, end) || addresses.start === addresses.end) return false;
    const domainStart = addresses.domainStart === addresses.end ? addresses.start : addresses.domainStart;
    hash.bytes(addresses.bytes, domainStart, addresses.end);
    return hash.lo !== lo || hash.hi !== hi;
  }

  /** The hash of the Message-ID, without its angle brackets; false where the row has none. */
  #readMessageId(view: RecordView): boolean {
    const { words } = this.#scratch;
    const column = this.#roles.message_id;
    words[MESSAGE_ID_LO] = 0;
    words[MESSAGE_ID_HI] = 0;
    if (column < 0) return false;
    trimMessageId(view.bytes, view.starts[column], view.ends[column]);
    if (trimmed.start === trimmed.end) return false;
    const hash = this.#context.hash;
    hash.bytes(view.bytes, trimmed.start, trimmed.end);
    words[MESSAGE_ID_LO] = hash.lo;
    words[MESSAGE_ID_HI] = hash.hi;
    return true;
  }

  /** The message's key: its network message id, else Message-ID, sender and second (0 of an event) together. */
  #readMessage(view: RecordView, second: number): boolean {
    const { words } = this.#scratch;
    const hash = this.#context.hash;
    const column = this.#roles.message_trace_id;
    if (column >= 0) {
      trimMessageTraceId(view.bytes, view.starts[column], view.ends[column]);
      if (trimmed.start < trimmed.end) {
        hash.lowerCaseWithoutDashes(view.bytes, trimmed.start, trimmed.end);
        words[MESSAGE_LO] = hash.lo;
        words[MESSAGE_HI] = hash.hi;
        return true;
      }
    }
    if (words[MESSAGE_ID_LO] === 0 && words[MESSAGE_ID_HI] === 0) return false;
    hash.words(
      words[MESSAGE_ID_LO],
      words[MESSAGE_ID_HI],
      words[SENDER_LO],
      words[SENDER_HI],
      second % 4294967296,
      Math.floor(second / 4294967296),
    );
    words[MESSAGE_LO] = hash.lo;
    words[MESSAGE_HI] = hash.hi;
    return true;
  }

  /** Id of an IP address in its canonical text; 0 for what is no address. */
  #readSource(bytes: Uint8Array, start: number, end: number): number {
    trimBlanks(bytes, start, end);
    const from = trimmed.start;
    const to = trimmed.end;
    const ipv4 = ipv4Of(bytes, from, to);
    if (ipv4 >= 0) {
      const known = this.#ipv4Ids.get(ipv4);
      if (known !== 0) return known;
      const id = this.#context.sources.intern(bytes, from, to);
      this.#ipv4Ids.set(ipv4, id);
      return id;
    }
    if (to - from < 2 || to - from > 80) return 0;
    if (this.#spellings === null || this.#spellings.size >= MAX_SOURCE_SPELLINGS) {
      this.#spellings = new Dictionary(this.#context.hash);
      this.#sourceIds = new Int32Array(MAX_SOURCE_SPELLINGS + 1).fill(UNKNOWN_SOURCE);
    }
    const spelling = this.#spellings.intern(bytes, from, to);
    if (this.#sourceIds[spelling] === UNKNOWN_SOURCE) {
      this.#sourceIds[spelling] = this.#context.sources.internText(canonicalIp(this.#spellings.text(spelling)));
    }
    return this.#sourceIds[spelling];
  }

  #noteOrganization(bytes: Uint8Array, start: number, end: number): void {
    const last = this.#organization;
    if (end - start === last.length) {
      let i = 0;
      while (i < last.length && bytes[start + i] === last[i]) i++;
      if (i === last.length) return;
    }
    this.#organization = new Uint8Array(bytes.subarray(start, end));
    const name = new TextDecoder().decode(this.#organization).trim().toLowerCase();
    this.#isForeign = name !== '' && this.#context.admits?.(name) === false;
    if (this.#isForeign) return;
    const { ids, names } = this.#context.organizations;
    const list = GUID.test(name) ? ids : names;
    if (name !== '' && list.length < MAX_ORGANIZATIONS && !list.includes(name)) list.push(name);
  }

  /** Drops the rows of a record: with three recipients it is three of them. */
  #dropAll(view: RecordView, reason: DropReason): void {
    for (let i = Math.max(countRecipients(view, this.#roles), 1); i > 0; i--) this.#counter.drop(reason);
  }

  /** A time that cannot be read is a broken row, unless the row is the header of a joined file. */
  #refuseTime(view: RecordView): void {
    if (isRepeatedHeader(view, this.#file.header)) {
      this.#counter.drop('repeated_header');
      return;
    }
    const column = this.#roles.event_time;
    const text = excerpt(view.bytes, view.starts[column], view.ends[column]);
    this.#refuse(view, 'bad_time', text === '' ? 'no event time' : `event time "${text}" cannot be read`);
  }

  #refuse(view: RecordView, code: DeadLetterCode, reason: string): void {
    this.#counter.deadLetter({ code, reason, offset: view.offset, length: view.length, line: view.line });
  }
}

/** Whether the record says that it is of a table with another name than the format has. */
function namesOtherTable({ bytes, starts, ends }: RecordView, column: number, format: string): boolean {
  if (column < 0 || starts[column] === ends[column]) return false;
  const name = canonicalColumn(new TextDecoder().decode(bytes.subarray(starts[column], ends[column])));
  return !name.endsWith(canonicalColumn(format));
}

function isRepeatedHeader(view: RecordView, header: readonly string[]): boolean {
  if (view.count !== header.length) return false;
  const decoder = new TextDecoder();
  for (let i = 0; i < view.count; i++) {
    if (view.ends[i] - view.starts[i] > 200) return false;
    const name = decoder.decode(view.bytes.subarray(view.starts[i], view.ends[i])).replace(LOG_FIELDS, '');
    if (canonicalColumn(name) !== header[i]) return false;
  }
  return true;
}

/** `1` or Inbound/Incoming, `2` or Outbound/Originating (Microsoft, Enhanced summary: directionality). */
function directionOf(bytes: Uint8Array, start: number, end: number): number {
  trimBlanks(bytes, start, end);
  if (trimmed.start === trimmed.end) return DIRECTION_NONE;
  const first = bytes[trimmed.start];
  const letter = first | 0x20;
  if (trimmed.end - trimmed.start === 1) {
    return first === 0x31 ? DIRECTION_INBOUND : first === 0x32 ? DIRECTION_OUTBOUND : DIRECTION_NONE;
  }
  const second = bytes[trimmed.start + 1] | 0x20;
  if (letter === 0x69 && second === 0x6e && (bytes[trimmed.start + 2] | 0x20) !== 0x74) return DIRECTION_INBOUND;
  return letter === 0x6f ? DIRECTION_OUTBOUND : DIRECTION_NONE;
}

/** The 32 bits of four numbers of 0 to 255 without leading zeros, canonical as it stands; -1 for other text. */
function ipv4Of(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 7 || end - start > 15) return -1;
  let address = 0;
  let dots = 0;
  let digits = 0;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i] - 0x30;
    if (digit >= 0 && digit <= 9) {
      if (digits === 1 && value === 0) return -1;
      value = value * 10 + digit;
      if (++digits > 3 || value > 255) return -1;
    } else {
      if (bytes[i] !== 0x2e || digits === 0) return -1;
      address = (address << 8) | value;
      dots++;
      digits = 0;
      value = 0;
    }
  }
  return dots === 3 && digits > 0 ? ((address << 8) | value) >>> 0 : -1;
}

/** RFC 5952 text of an IPv6 address without its zone, the IPv4 address of a mapped one; empty for other text. */
function canonicalIp(text: string): string {
  const plain = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  if (!plain.includes(':') || !ipaddr.IPv6.isValid(plain)) return '';
  const address = ipaddr.IPv6.parse(plain);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

/** Messages of generated or real traffic as pair records in memory, without files and formats. */

import { AcceptedDomains, expandAcceptedDomains } from '../../src/core/accepted-domains.ts';
import { AddressReader } from '../../src/core/address.ts';
import { hourSlotsOf } from '../../src/core/calendar.ts';
import { Dictionary } from '../../src/core/dictionary.ts';
import { KeyedHash } from '../../src/core/hash.ts';

import type { RecordSource } from '../../src/core/order.ts';
import type { PairText, TextSource } from '../../src/core/ports.ts';
import {
  CONNECTOR,
  createRecordScratch,
  DIRECTION_INBOUND,
  DIRECTION_OUTBOUND,
  DIRECTION_SHIFT,
  FLAGS,
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
  RECORD_BYTES,
  RECORD_DOUBLES,
  RECORD_WORDS,
  type RecordScratch,
  SENDER_DOMAIN,
  SENDER_HI,
  SENDER_KIND_SHIFT,
  SENDER_LO,
  SENDER_NULL,
  SOURCE,
  STATUSES,
  STATUSES_SEEN_SHIFT,
  SUBJECT,
  writePosition,
} from '../../src/core/record.ts';
import type { DetectionSettings } from '../../src/core/series-settings.ts';
import { type IdTexts, TenantModel } from '../../src/core/tenant.ts';
import { Walk } from '../../src/core/walk/walk.ts';
import type { RecipientStatus, TrafficMessage } from '../traffic/message.ts';

const STATUS_OF: Record<RecipientStatus, (typeof STATUSES)[number]> = {
  Delivered: 'delivered',
  Failed: 'failed',
  FilteredAsSpam: 'filtered_as_spam',
  Quarantined: 'quarantined',
  Expanded: 'expanded',
  Pending: 'pending',
  GettingStatus: 'getting_status',
};
/** All records come from one made-up format that has every column. */
const RANK = 1;

const ENCODER = new TextEncoder();

/** Pair records of some messages, in no order. */
export class EncodedRows implements RecordSource {
  #words: Uint32Array;
  #doubles: Float64Array;
  #count = 0;

  constructor(room = 256) {
    const buffer = new ArrayBuffer(room * RECORD_BYTES);
    this.#words = new Uint32Array(buffer);
    this.#doubles = new Float64Array(buffer);
  }

  get size(): number {
    return this.#count;
  }

  add({ words }: RecordScratch): void {
    if ((this.#count + 1) * RECORD_WORDS > this.#words.length) this.#grow();
    this.#words.set(words.subarray(0, RECORD_WORDS), this.#count++ * RECORD_WORDS);
  }

  timeOf(index: number): number {
    return this.#doubles[index * RECORD_DOUBLES];
  }

  copyTo(index: number, target: Uint32Array, base: number): void {
    target.set(this.#words.subarray(index * RECORD_WORDS, (index + 1) * RECORD_WORDS), base);
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#doubles = new Float64Array(words.buffer);
  }
}

/** The texts behind the records. Of old rows only the addresses stay: they name mailboxes in later incidents. */
class RowTexts implements TextSource {
  readonly #messages: (TrafficMessage | null)[] = [];
  readonly #senders: string[] = [];
  readonly #recipients: string[] = [];
  #forgotten = 0;

  get size(): number {
    return this.#messages.length;
  }

  /** The position under which the pair is found again. */
  add(message: TrafficMessage, recipient: string): number {
    this.#senders.push(message.sender === '<>' ? '' : message.sender);
    this.#recipients.push(recipient);
    return this.#messages.push(message) - 1;
  }

  /** Takes the pairs from this position on back. */
  truncate(size: number): void {
    this.#messages.length = size;
    this.#senders.length = size;
    this.#recipients.length = size;
  }

  forgetBefore(position: number): void {
    for (; this.#forgotten < position; this.#forgotten++) this.#messages[this.#forgotten] = null;
  }

  read(file: number, offset: number): PairText {
    const message = this.#messages[offset];
    return {
      messageTraceId: message?.traceId.replaceAll('-', '') ?? '',
      messageId: message?.messageId.slice(1, -1) ?? '',
      sender: this.#senders[offset],
      recipient: this.#recipients[offset],
      subject: message?.subject ?? '',
      file,
      offset,
      length: 1,
    };
  }
}

export interface WalkedTenant {
  tenant: string;
  acceptedDomains: readonly string[];
  startMs: number;
}

/** Messages of a tenant as pair records, with everything that is needed to walk them. */
export class RowEncoder {
  readonly texts = new RowTexts();
  readonly idTexts: IdTexts;
  readonly #accepted: AcceptedDomains;
  readonly #hash: KeyedHash;
  readonly #addresses: AddressReader;
  readonly #domains: Dictionary;
  readonly #sources: Dictionary;
  readonly #connectors: Dictionary;
  readonly #scratch = createRecordScratch();
  readonly #room = new Uint8Array(4096);

  constructor({ tenant, acceptedDomains }: WalkedTenant) {
    this.#hash = new KeyedHash(tenant);
    this.#addresses = new AddressReader(this.#hash);
    this.#domains = new Dictionary(this.#hash);
    this.#sources = new Dictionary(this.#hash);
    this.#connectors = new Dictionary(this.#hash);
    this.idTexts = {
      domain: (id) => this.#domains.text(id),
      source: (id) => this.#sources.text(id),
      connector: (id) => this.#connectors.text(id),
    };
    this.#accepted = new AcceptedDomains(
      expandAcceptedDomains(
        acceptedDomains.map((name) => ({ name, matchSubDomains: false })),
        [],
        tenant,
      ),
    );
  }

  createWalk(settings: DetectionSettings): Walk {
    return new Walk(settings, new TenantModel(this.#accepted, this.idTexts), hourSlotsOf('UTC'), this.idTexts);
  }

  encode(messages: readonly TrafficMessage[]): EncodedRows {
    const rows = new EncodedRows(messages.length + 16);
    for (const message of messages) this.#encodeMessage(message, rows);
    return rows;
  }

  #encodeMessage(message: TrafficMessage, rows: EncodedRows): void {
    const hash = this.#hash;
    const addresses = this.#addresses;
    const { words, doubles } = this.#scratch;
    const room = this.#room;
    words.fill(0);
    doubles[0] = message.timeMs;
    hash.text(message.traceId.replaceAll('-', ''));
    words[MESSAGE_LO] = hash.lo;
    words[MESSAGE_HI] = hash.hi;
    hash.text(message.messageId.slice(1, -1));
    words[MESSAGE_ID_LO] = hash.lo;
    words[MESSAGE_ID_HI] = hash.hi;
    if (!addresses.sender(room, 0, ENCODER.encodeInto(message.sender, room).written)) {
      throw new Error(`${message.sender} is no address`);
    }
    words[SENDER_LO] = addresses.lo;
    words[SENDER_HI] = addresses.hi;
    words[SENDER_DOMAIN] = this.#domains.intern(addresses.bytes, addresses.domainStart, addresses.end);
    let flags = addresses.kind << SENDER_KIND_SHIFT;
    if (addresses.kind !== SENDER_NULL) flags |= RANK << RANK_SENDER_SHIFT;
    flags |= RANK << RANK_MESSAGE_ID_SHIFT;
    if (message.subject !== '') {
      hash.text(message.subject);
      words[SUBJECT] = hash.lo === 0 ? 1 : hash.lo;
      flags |= RANK << RANK_SUBJECT_SHIFT;
    }
    words[SOURCE] = message.fromIp === '' ? 0 : this.#sources.internText(message.fromIp);
    if (message.fromIp !== '') flags |= RANK << RANK_SOURCE_SHIFT;
    words[CONNECTOR] = message.connector === '' ? 0 : this.#connectors.internText(message.connector);
    if (message.connector !== '') flags |= RANK << RANK_CONNECTOR_SHIFT;
    flags |= (message.direction === 'inbound' ? DIRECTION_INBOUND : DIRECTION_OUTBOUND) << DIRECTION_SHIFT;
    for (const recipient of message.recipients) {
      if (!addresses.recipient(room, 0, ENCODER.encodeInto(recipient.address, room).written)) {
        throw new Error(`${recipient.address} is no address`);
      }
      words[RECIPIENT_LO] = addresses.lo;
      words[RECIPIENT_HI] = addresses.hi;
      words[RECIPIENT_DOMAIN] = this.#domains.intern(addresses.bytes, addresses.domainStart, addresses.end);
      const status = STATUSES.indexOf(STATUS_OF[recipient.status]);
      words[FLAGS] = flags | status | (1 << (STATUSES_SEEN_SHIFT + status));
      writePosition(words, 0, 0, this.texts.add(message, recipient.address));
      rows.add(this.#scratch);
    }
  }
}

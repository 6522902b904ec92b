/**
 * The pair record: one observation of a pair (one message and one recipient) as 18 words of 32
 * bits, 72 bytes. Records lie one after the other in `Uint32Array`s; the event time is read
 * through a `Float64Array` over the same buffer. Strings stay in the export and are read again by
 * position when an incident shows them, so memory does not depend on addresses or subjects.
 */

export const RECORD_WORDS = 18;
export const RECORD_BYTES = RECORD_WORDS * 4;
/** Doubles in a record: the event time is double number 0. */
export const RECORD_DOUBLES = RECORD_WORDS / 2;

/* Words 0 and 1: event time, milliseconds since 1970 UTC, a double. */
/** Network message id, or what stands for it (64-bit keyed hash, low word then high word). */
export const MESSAGE_LO = 2;
export const MESSAGE_HI = 3;
/** Recipient address, lower case. */
export const RECIPIENT_LO = 4;
export const RECIPIENT_HI = 5;
/** Message-ID header; both words 0 where the row has none. */
export const MESSAGE_ID_LO = 6;
export const MESSAGE_ID_HI = 7;
/** P1 sender address, lower case, an SRS address reduced to its forwarding mailbox; 0, 0 for a null sender. */
export const SENDER_LO = 8;
export const SENDER_HI = 9;
/** Ids in the domain dictionary; 0 where there is no domain. */
export const SENDER_DOMAIN = 10;
export const RECIPIENT_DOMAIN = 11;
/** Id in the source dictionary (FromIP / original client ip, canonical text); 0 where empty. */
export const SOURCE = 12;
/** Id in the connector dictionary in the low 23 bits, 0 where empty; traits of the pair above, see below. */
export const CONNECTOR = 13;
/** Subject (32-bit keyed hash); 0 where empty. */
export const SUBJECT = 14;
/** Bit field, see below. */
export const FLAGS = 15;
/** Position: offset of the record in its file (stored bytes, 44 bits) and the file's number (20 bits). */
export const POSITION_LO = 16;
export const POSITION_HI = 17;

/** Statuses in merging order: the highest seen wins. */
export const STATUSES = [
  'unknown',
  'getting_status',
  'pending',
  'expanded',
  'delivered',
  'filtered_as_spam',
  'quarantined',
  'failed',
] as const;
export type Status = (typeof STATUSES)[number];
export const STATUS_UNKNOWN = 0;
export const STATUS_PENDING = 2;
export const STATUS_EXPANDED = 3;
export const STATUS_DELIVERED = 4;
export const STATUS_FILTERED_AS_SPAM = 5;
export const STATUS_FAILED = 7;

/* FLAGS: bits 0-2 status, 3-10 statuses seen (a bit each; of observations that are no event rows), 11-12 direction, 13 the format has both
 * FromIP and ToIP, 14 sent on to a server outside (ToIP, or Send without Deliver), 15-16 sender kind, 17-31 format rank of five fields, 3 bits each. */
export const STATUS_MASK = 0x7;
export const STATUSES_SEEN_SHIFT = 3;
export const DIRECTION_SHIFT = 11;
export const DIRECTION_NONE = 0;
export const DIRECTION_INBOUND = 1;
export const DIRECTION_OUTBOUND = 2;
export const HAS_IP_COLUMNS = 1 << 13;
export const SENT_ON = 1 << 14;
export const SENDER_KIND_SHIFT = 15;
export const SENDER_ADDRESS = 0;
export const SENDER_NULL = 1;
/** A name of Exchange or of a mail system (postmaster, mailer-daemon, MicrosoftExchange329e…, journal). */
export const SENDER_SYSTEM = 2;
export const SENDER_SRS = 3;
/** Bits of the rank of each field: 0 the field is empty, 1 the best format, 7 the worst. */
export const RANK_SENDER_SHIFT = 17;
export const RANK_MESSAGE_ID_SHIFT = 20;
export const RANK_SUBJECT_SHIFT = 23;
export const RANK_SOURCE_SHIFT = 26;
export const RANK_CONNECTOR_SHIFT = 29;

/* CONNECTOR: bits 0-22 the id, 23-25 the gravest refusal, 26 header sender of another domain, 27 address for bounces,
 * 28 event row, 29-31 the highest status of the event rows. */
export const CONNECTOR_ID_MASK = 0x7f_ffff;
export const REFUSAL_SHIFT = 23;
export const REFUSAL_MASK = 7;
/** Refusals by what they tell, the gravest last: of a pair seen twice the higher one counts. */
export const REFUSAL_NONE = 0;
/** 4.7.500-699 and 4.7.850-899: deferred, as Exchange Online does when a connector relays too much. */
export const REFUSAL_DEFERRED = 1;
/** A code of the blocks below, answered by a server that is not Microsoft's: its own opinion of the mail. */
export const REFUSAL_ELSEWHERE = 2;
/** 5.7.708: no traffic is accepted from the address of the tenant. */
export const REFUSAL_ADDRESS_BLOCKED = 3;
/** 5.7.705: the tenant has exceeded its threshold. */
export const REFUSAL_THRESHOLD_EXCEEDED = 4;
/** 5.7.750: the tenant may not send from unregistered domains. */
export const REFUSAL_UNREGISTERED_BLOCKED = 5;
/** The header sender (P2) has another domain than the envelope sender (P1). */
export const HEADER_SENDER_DIFFERS = 1 << 26;
/** The recipient is an address for bounces of mail that a mailbox here forwarded (`bounces+SRS=`). */
export const RECIPIENT_FOR_BOUNCES = 1 << 27;
/**
 * One event of the pair, of a format with a row for each event: all of them together are one observation. Its status
 * is the highest that an event gave, so it stands here and not among the statuses seen.
 */
export const EVENT_ROW = 1 << 28;
export const EVENT_STATUS_SHIFT = 29;

const FILE_SHIFT = 12;
const HIGH_OFFSET_MASK = 0xfff;
/** The largest offset that a position holds. */
export const LARGEST_OFFSET = 0xfff_ffff_ffff;
const TWO_32 = 4294967296;
export const MAX_FILES = 1 << 20;

/** A single record and the two views over it: what a format fills and a store copies. */
export interface RecordScratch {
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
}

export function createRecordScratch(): RecordScratch {
  const buffer = new ArrayBuffer(RECORD_BYTES);
  return { words: new Uint32Array(buffer), doubles: new Float64Array(buffer) };
}

/** Statuses of the observations of a pair, from its FLAGS and CONNECTOR: a bit each. Its event rows are one observation. */
export function observedStatuses(flags: number, connector: number): number {
  const seen = (flags >>> STATUSES_SEEN_SHIFT) & 0xff;
  return (connector & EVENT_ROW) === 0 ? seen : seen | (1 << (connector >>> EVENT_STATUS_SHIFT));
}

/** Writes the position of a record whose first word is `words[base]`. */
export function writePosition(words: Uint32Array, base: number, file: number, offset: number): void {
  // Not `%`: the remainder of doubles is a call, and this runs for every record.
  const high = Math.floor(offset / TWO_32);
  words[base + POSITION_LO] = offset - high * TWO_32;
  words[base + POSITION_HI] = (file << FILE_SHIFT) | high;
}

/** The number of the file of a position's high word. */
export function positionFile(positionHi: number): number {
  return positionHi >>> FILE_SHIFT;
}

/** The offset in the file of a position's two words. */
export function positionOffset(positionLo: number, positionHi: number): number {
  return (positionHi & HIGH_OFFSET_MASK) * TWO_32 + positionLo;
}

export function fileOf(words: Uint32Array, base: number): number {
  return positionFile(words[base + POSITION_HI]);
}

export function offsetOf(words: Uint32Array, base: number): number {
  return positionOffset(words[base + POSITION_LO], words[base + POSITION_HI]);
}

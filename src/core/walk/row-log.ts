/**
 * The rows that series count, in walk order, from 00:00 of the day before on: what windows forget,
 * what a hit is attributed from and what an incident shows. A ring of fixed-size records; a row is
 * named by its sequence number, which never repeats.
 */

import { REFUSAL_MASK } from '../record.ts';

/** 72 bytes a row: words 0 and 1 are the event time, a double. */
const LOG_WORDS = 18;
const LOG_DOUBLES = LOG_WORDS / 2;
const LEAST_CAPACITY = 1 << 6;

/** Which counts the row belongs to and what is known of it (the bits below), its weight, status and refusal. */
export const LOG_BITS = 2;
/** How many rows back the last row of the same source stands; 0 where there is none. */
const LOG_SOURCE_LINK = 3;
/** Keys of the domain, connector, source and mailbox series; 0 where the row has none. */
export const LOG_DOMAIN = 4;
export const LOG_CONNECTOR = 5;
export const LOG_SOURCE = 6;
/** The P1 mailbox of an accepted domain, or of a forward the mailbox here that forwarded. */
export const LOG_MAILBOX = 7;
export const LOG_MESSAGE_LO = 8;
export const LOG_MESSAGE_HI = 9;
export const LOG_RECIPIENT_LO = 10;
export const LOG_RECIPIENT_HI = 11;
export const LOG_SUBJECT = 12;
export const LOG_POSITION_LO = 13;
export const LOG_POSITION_HI = 14;
/** The same for the last row of the same domain, or of the same mailbox where the row has no domain. */
const LOG_SENDER_LINK = 15;

/** P1 sender, 0, 0 for a null sender. */
export const LOG_SENDER_LO = 16;
export const LOG_SENDER_HI = 17;

/* Bits of what series count, the lowest: they choose among the counters by a table. */
/** Unregistered sender, not a recognised forward. */
export const ROW_RELAYED = 1;
/** Unregistered sender. */
export const ROW_UNREGISTERED = 2;
/** Null sender, not a true NDR: counts for its source. */
export const ROW_NULL_SENDER = 4;
/** P1 sender is a mailbox of an accepted domain. */
export const ROW_MAILBOX = 8;
/** Mail of whatever sender to an external recipient. */
export const ROW_EXTERNAL = 16;
/** Of a mailbox here, to somebody to whom nobody here wrote on a sealed day. */
export const ROW_MAILBOX_TO_STRANGER = 32;
/** Relayed, and its sender domain, source or connector appeared in the last 14 days, but not in the tenant's first week. */
export const ROW_NEW = 64;

/** Counts against Microsoft's external recipient limit (no null and no system sender). */
export const ROW_LIMITED = 128;
/** Sent from the tenant's own onmicrosoft.com domain. */
export const ROW_ONMICROSOFT = 256;
/** The message reached a mailbox here at the same time or in the ten minutes before. */
export const ROW_FORWARD = 512;
/** A forward that the mailbox is known for. */
export const ROW_RECOGNISED_FORWARD = 1024;
/** Failed or filtered as spam. */
export const ROW_REFUSED = 2048;
/** One of the first five external recipients of its message: it weighs 1, else 0. */
export const ROW_WEIGHED = 4096;
const STATUS_SHIFT = 13;
const STATUS_BITS = 7;
const REFUSAL_LOG_SHIFT = 16;
/** Null sender, to somebody who wrote here in the seven days before. */
export const ROW_TRUE_NDR = 1 << 19;
/** The sender's domain, or the mailbox, sent on a sealed day. */
export const ROW_KNOWN_SENDER = 1 << 20;
/** Nobody here wrote to the recipient on a sealed day. */
export const ROW_STRANGER = 1 << 21;
/** Header and envelope sender have different domains. */
export const ROW_HEADER_DIFFERS = 1 << 22;

export function statusBits(status: number): number {
  return status << STATUS_SHIFT;
}

export function statusOf(words: Uint32Array, base: number): number {
  return (words[base + LOG_BITS] >>> STATUS_SHIFT) & STATUS_BITS;
}

/** Bits of the gravest refusal (`REFUSAL_…` of the record). */
export function refusalBits(refusal: number): number {
  return refusal << REFUSAL_LOG_SHIFT;
}

export function refusalOf(bits: number): number {
  return (bits >>> REFUSAL_LOG_SHIFT) & REFUSAL_MASK;
}

export function weightOf(words: Uint32Array, base: number): number {
  return (words[base + LOG_BITS] & ROW_WEIGHED) === 0 ? 0 : 1;
}

export interface RowLogState {
  words: Uint32Array;
  first: number;
  next: number;
}

export class RowLog {
  #words: Uint32Array;
  #doubles: Float64Array;
  #capacity: number;
  #first = 0;
  #next = 0;
  /** Sequence number plus 1 of the last row of a source, domain or mailbox, by its key. */
  #lastOfSource: Float64Array = new Float64Array(64);
  #lastOfDomain: Float64Array = new Float64Array(64);
  #lastOfMailbox: Float64Array = new Float64Array(64);

  constructor(capacity = 1 << 12) {
    this.#capacity = capacity;
    this.#words = new Uint32Array(capacity * LOG_WORDS);
    this.#doubles = new Float64Array(this.#words.buffer);
  }

  save(): RowLogState {
    const capacity = roomFor(this.#next - this.#first);
    return { words: this.#copyOf(capacity), first: this.#first, next: this.#next };
  }

  load(state: Readonly<RowLogState>): void {
    this.#words = state.words.slice();
    this.#doubles = new Float64Array(this.#words.buffer);
    this.#capacity = state.words.length / LOG_WORDS;
    this.#first = state.first;
    this.#next = state.next;
    this.#lastOfSource.fill(0);
    this.#lastOfDomain.fill(0);
    this.#lastOfMailbox.fill(0);
    for (let sequence = this.#first; sequence < this.#next; sequence++) this.link(sequence);
  }

  /** Sequence number of the oldest row kept. */
  get first(): number {
    return this.#first;
  }

  /** Sequence number that the next row will get. */
  get next(): number {
    return this.#next;
  }

  /** The words of all rows; `base(sequence)` says where a row begins. Changes when rows are appended. */
  get words(): Uint32Array {
    return this.#words;
  }

  base(sequence: number): number {
    return (sequence & (this.#capacity - 1)) * LOG_WORDS;
  }

  time(sequence: number): number {
    return this.#doubles[(sequence & (this.#capacity - 1)) * LOG_DOUBLES];
  }

  /** Appends an empty row of this time and returns its sequence number. */
  append(timeMs: number): number {
    if (this.#next - this.#first === this.#capacity) this.#resize(this.#capacity * 2);
    const sequence = this.#next++;
    const base = this.base(sequence);
    for (let word = 2; word < LOG_WORDS; word++) this.#words[base + word] = 0;
    this.#doubles[base / 2] = timeMs;
    return sequence;
  }

  /** Links a row, now that its keys are known, to those before it. */
  link(sequence: number): void {
    const words = this.#words;
    const base = this.base(sequence);
    const source = words[base + LOG_SOURCE];
    if (source !== 0) {
      if (source >= this.#lastOfSource.length) this.#lastOfSource = longer(this.#lastOfSource, source);
      words[base + LOG_SOURCE_LINK] = this.#distance(this.#lastOfSource[source], sequence);
      this.#lastOfSource[source] = sequence + 1;
    }
    const domain = words[base + LOG_DOMAIN];
    const mailbox = words[base + LOG_MAILBOX];
    if (domain !== 0) {
      if (domain >= this.#lastOfDomain.length) this.#lastOfDomain = longer(this.#lastOfDomain, domain);
      words[base + LOG_SENDER_LINK] = this.#distance(this.#lastOfDomain[domain], sequence);
      this.#lastOfDomain[domain] = sequence + 1;
    } else if (mailbox !== 0) {
      if (mailbox >= this.#lastOfMailbox.length) this.#lastOfMailbox = longer(this.#lastOfMailbox, mailbox);
      words[base + LOG_SENDER_LINK] = this.#distance(this.#lastOfMailbox[mailbox], sequence);
      this.#lastOfMailbox[mailbox] = sequence + 1;
    }
  }

  /** Rows that were forgotten are not linked to. */
  #distance(last: number, sequence: number): number {
    return last > this.#first ? sequence + 1 - last : 0;
  }

  /**
   * Sequence number of the last row that may have this key in this word, -1 where none has; from there
   * `before` leads to the others. Rows of a source, a domain or a sending mailbox are linked, so that
   * finding them does not cost a look at all other rows; rows of a connector, or of all (null), are not.
   */
  last(keyWord: number | null, key: number): number {
    if (keyWord === LOG_SOURCE) return lastOf(this.#lastOfSource, key);
    if (keyWord === LOG_DOMAIN) return lastOf(this.#lastOfDomain, key);
    if (keyWord === LOG_MAILBOX) return lastOf(this.#lastOfMailbox, key);
    return this.#next - 1;
  }

  /** The row before a kept row in the sequence that `last` begins; -1 where there is none. */
  before(sequence: number, keyWord: number | null): number {
    if (keyWord === null || keyWord === LOG_CONNECTOR) return sequence - 1;
    const link = this.#words[this.base(sequence) + (keyWord === LOG_SOURCE ? LOG_SOURCE_LINK : LOG_SENDER_LINK)];
    return link === 0 ? -1 : sequence - link;
  }

  /** Forgets rows before this time; after a large day the ring is made smaller again. */
  forgetBefore(timeMs: number): void {
    while (this.#first < this.#next && this.time(this.#first) < timeMs) this.#first++;
    const capacity = roomFor(this.#next - this.#first) * 2;
    if (capacity * 2 <= this.#capacity) this.#resize(capacity);
  }

  /** Sequence number of the first kept row after this time. */
  firstAfter(timeMs: number): number {
    let low = this.#first;
    let high = this.#next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.time(middle) > timeMs) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #resize(capacity: number): void {
    this.#words = this.#copyOf(capacity);
    this.#doubles = new Float64Array(this.#words.buffer);
    this.#capacity = capacity;
  }

  /** The rows in a ring of another capacity, a power of two that holds them. */
  #copyOf(capacity: number): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(capacity * LOG_WORDS);
    for (let sequence = this.#first; sequence < this.#next; sequence++) {
      const from = this.base(sequence);
      words.set(this.#words.subarray(from, from + LOG_WORDS), (sequence & (capacity - 1)) * LOG_WORDS);
    }
    return words;
  }
}

/** The smallest capacity that holds so many rows. */
function roomFor(rows: number): number {
  let capacity = LEAST_CAPACITY;
  while (capacity < rows) capacity *= 2;
  return capacity;
}

function lastOf(lasts: Float64Array, key: number): number {
  return key < lasts.length ? lasts[key] - 1 : -1;
}

/** A copy with room for a key. */
function longer(lasts: Float64Array, key: number): Float64Array {
  const copy = new Float64Array(Math.max(key + 1, lasts.length * 2));
  copy.set(lasts);
  return copy;
}

/**
 * The rows that series count, in walk order, from 00:00 of the day before on: what windows forget,
 * what a hit is attributed from and what an incident shows. A ring of fixed-size records; a row is
 * named by its sequence number, which never repeats.
 */

/** 64 bytes a row: words 0 and 1 are the event time, a double. */
const LOG_WORDS = 16;
const LOG_DOUBLES = LOG_WORDS / 2;

export const LOG_BITS = 2;
export const LOG_WEIGHT = 3;
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
export const LOG_STATUS = 15;

/* Bits of LOG_BITS: which counts the row belongs to, and what is known of it. */
/** Unregistered sender, not a recognised forward. */
export const ROW_RELAYED = 1;
/** Unregistered sender. */
export const ROW_UNREGISTERED = 2;
/** Null sender, not a true NDR: counts for its source. */
export const ROW_NULL_SENDER = 4;
/** P1 sender is a mailbox of an accepted domain. */
export const ROW_MAILBOX = 8;
/** Counts against Microsoft's external recipient limit (no null and no system sender). */
export const ROW_LIMITED = 16;
/** Sent from the tenant's own onmicrosoft.com domain. */
export const ROW_ONMICROSOFT = 32;
/** The message reached a mailbox here at the same time or in the ten minutes before. */
export const ROW_FORWARD = 64;
/** A forward that the mailbox is known for. */
export const ROW_RECOGNISED_FORWARD = 128;
/** Failed or filtered as spam. */
export const ROW_REFUSED = 256;

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

  constructor(capacity = 1 << 12) {
    this.#capacity = capacity;
    this.#words = new Uint32Array(capacity * LOG_WORDS);
    this.#doubles = new Float64Array(this.#words.buffer);
  }

  save(): RowLogState {
    return { words: this.#words.slice(), first: this.#first, next: this.#next };
  }

  load(state: Readonly<RowLogState>): void {
    this.#words = state.words.slice();
    this.#doubles = new Float64Array(this.#words.buffer);
    this.#capacity = state.words.length / LOG_WORDS;
    this.#first = state.first;
    this.#next = state.next;
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
    if (this.#next - this.#first === this.#capacity) this.#grow();
    const sequence = this.#next++;
    const base = this.base(sequence);
    for (let word = 2; word < LOG_WORDS; word++) this.#words[base + word] = 0;
    this.#doubles[base / 2] = timeMs;
    return sequence;
  }

  /** Forgets rows before this time. */
  forgetBefore(timeMs: number): void {
    while (this.#first < this.#next && this.time(this.#first) < timeMs) this.#first++;
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

  #grow(): void {
    const capacity = this.#capacity * 2;
    const words = new Uint32Array(capacity * LOG_WORDS);
    for (let sequence = this.#first; sequence < this.#next; sequence++) {
      const from = this.base(sequence);
      words.set(this.#words.subarray(from, from + LOG_WORDS), (sequence & (capacity - 1)) * LOG_WORDS);
    }
    this.#words = words;
    this.#doubles = new Float64Array(words.buffer);
    this.#capacity = capacity;
  }
}

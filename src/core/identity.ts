/**
 * Identity: one record per pair, whatever the number, order or overlap of the exports it came from.
 * Every rule of merging is commutative, associative and idempotent: earliest event time, highest
 * status, and every other field by the rank of its format, then the smallest non-empty value.
 */

import type { PairSink, PairText, TextSource } from './ports.ts';
import {
  CONNECTOR,
  DIRECTION_SHIFT,
  FLAGS,
  fileOf,
  HAS_IP_COLUMNS,
  MESSAGE_HI,
  MESSAGE_ID_HI,
  MESSAGE_ID_LO,
  MESSAGE_LO,
  offsetOf,
  RANK_CONNECTOR_SHIFT,
  RANK_MESSAGE_ID_SHIFT,
  RANK_SENDER_SHIFT,
  RANK_SOURCE_SHIFT,
  RANK_SUBJECT_SHIFT,
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
  SENT_ON,
  SOURCE,
  STATUS_MASK,
  STATUSES_SEEN_SHIFT,
  SUBJECT,
} from './record.ts';
import { release } from './release.ts';

const SEGMENT_SHIFT = 15;
const SEGMENT_RECORDS = 1 << SEGMENT_SHIFT;
const SEGMENT_MASK = SEGMENT_RECORDS - 1;
const STATUSES_SEEN_BITS = 0xff;

/** How the rows of each file were counted; the index is the file's number. */
export class ObservationCounts {
  readonly accepted: number[] = [];
  readonly duplicate: number[] = [];
  readonly updated: number[] = [];

  count(kind: 'accepted' | 'duplicate' | 'updated', file: number): void {
    const counts = this[kind];
    while (counts.length <= file) counts.push(0);
    counts[file]++;
  }
}

/** The text of a dictionary's id, to choose the smaller of two values. */
export interface MergeTexts {
  source(id: number): string;
  connector(id: number): string;
}

type TextField = 'sender' | 'subject' | 'messageId';

export type ChosenTextsState = [pair: string, texts: Partial<Record<TextField, string>>][];

/**
 * Texts that a merged pair shows although the record at its position says otherwise: only pairs
 * whose observations disagree are in here.
 */
export class ChosenTexts {
  readonly #texts = new Map<string, Partial<Record<TextField, string>>>();

  get(key: string): Partial<Record<TextField, string>> | undefined {
    return this.#texts.get(key);
  }

  set(key: string, field: TextField, text: string): void {
    const texts = this.#texts.get(key);
    if (texts === undefined) this.#texts.set(key, { [field]: text });
    else texts[field] = text;
  }

  save(): ChosenTextsState {
    return [...this.#texts];
  }

  load(state: ChosenTextsState): void {
    for (const [key, texts] of state) this.#texts.set(key, { ...texts });
  }

  static key(words: Uint32Array, base: number): string {
    return `${words[base + MESSAGE_LO]}.${words[base + MESSAGE_HI]}.${words[base + RECIPIENT_LO]}.${words[base + RECIPIENT_HI]}`;
  }

  static keyOf(pair: { messageLo: number; messageHi: number; recipientLo: number; recipientHi: number }): string {
    return `${pair.messageLo}.${pair.messageHi}.${pair.recipientLo}.${pair.recipientHi}`;
  }
}

/** Merges observations into one record per pair, in memory. */
export class PairTable implements PairSink {
  readonly #words: Uint32Array[] = [];
  readonly #doubles: Float64Array[] = [];
  /** Two words a slot: the record's number plus 1, and a word of its message's hash, so that most probes touch no record. */
  #slots = new Uint32Array(2 << 12);
  #count = 0;
  readonly #counts: ObservationCounts;
  readonly #chosen: ChosenTexts;
  readonly #ids: MergeTexts;
  readonly #texts: TextSource;

  constructor(counts: ObservationCounts, chosen: ChosenTexts, ids: MergeTexts, texts: TextSource) {
    this.#counts = counts;
    this.#chosen = chosen;
    this.#ids = ids;
    this.#texts = texts;
  }

  /** Number of pairs. */
  get size(): number {
    return this.#count;
  }

  get bytesUsed(): number {
    return this.#words.length * SEGMENT_RECORDS * RECORD_BYTES + this.#slots.byteLength;
  }

  add(observation: RecordScratch): void {
    this.addAt(observation.words, observation.doubles, 0, 0);
  }

  /**
   * Adds the record at `words[base]`, whose event time is `doubles[doubleBase]`. A record that was
   * merged and counted before (`isCounted`) is not counted again.
   */
  addAt(words: Uint32Array, doubles: Float64Array, base: number, doubleBase: number, isCounted = false): void {
    const messageLo = words[base + MESSAGE_LO];
    const messageHi = words[base + MESSAGE_HI];
    const recipientLo = words[base + RECIPIENT_LO];
    const recipientHi = words[base + RECIPIENT_HI];
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    let slot = slotOf(messageLo, recipientLo, mask);
    for (;;) {
      const entry = slots[slot * 2];
      if (entry === 0) break;
      if (slots[slot * 2 + 1] !== messageHi) {
        slot = (slot + 1) & mask;
        continue;
      }
      const known = this.#words[(entry - 1) >>> SEGMENT_SHIFT];
      const knownBase = ((entry - 1) & SEGMENT_MASK) * RECORD_WORDS;
      if (
        known[knownBase + MESSAGE_LO] === messageLo &&
        known[knownBase + RECIPIENT_LO] === recipientLo &&
        known[knownBase + RECIPIENT_HI] === recipientHi
      ) {
        this.#merge(entry - 1, words, doubles, base, doubleBase);
        return;
      }
      slot = (slot + 1) & mask;
    }
    this.#append(words, doubles, base, doubleBase);
    slots[slot * 2] = this.#count;
    slots[slot * 2 + 1] = messageHi;
    if (!isCounted) this.#counts.count('accepted', fileOf(words, base));
    if (this.#count * 4 > (mask + 1) * 3) this.#grow();
  }

  /** Index of the record of the same pair; -1 where there is none. */
  find(words: Uint32Array, base: number): number {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    let slot = slotOf(words[base + MESSAGE_LO], words[base + RECIPIENT_LO], mask);
    for (;;) {
      const entry = slots[slot * 2];
      if (entry === 0) return -1;
      if (slots[slot * 2 + 1] === words[base + MESSAGE_HI]) {
        const known = this.#words[(entry - 1) >>> SEGMENT_SHIFT];
        const knownBase = ((entry - 1) & SEGMENT_MASK) * RECORD_WORDS;
        if (
          known[knownBase + MESSAGE_LO] === words[base + MESSAGE_LO] &&
          known[knownBase + RECIPIENT_LO] === words[base + RECIPIENT_LO] &&
          known[knownBase + RECIPIENT_HI] === words[base + RECIPIENT_HI]
        ) {
          return entry - 1;
        }
      }
      slot = (slot + 1) & mask;
    }
  }

  /** Calls `visit` with every merged record, in no particular order. */
  forEach(visit: (words: Uint32Array, doubles: Float64Array, base: number, doubleBase: number) => void): void {
    for (let index = 0; index < this.#count; index++) {
      const segment = index >>> SEGMENT_SHIFT;
      const within = index & SEGMENT_MASK;
      visit(this.#words[segment], this.#doubles[segment], within * RECORD_WORDS, within * RECORD_DOUBLES);
    }
  }

  timeOf(index: number): number {
    return this.#doubles[index >>> SEGMENT_SHIFT][(index & SEGMENT_MASK) * RECORD_DOUBLES];
  }

  /** Copies record `index` to `target[base]`. */
  copyTo(index: number, target: Uint32Array, base: number): void {
    const source = this.#words[index >>> SEGMENT_SHIFT];
    const sourceBase = (index & SEGMENT_MASK) * RECORD_WORDS;
    for (let word = 0; word < RECORD_WORDS; word++) target[base + word] = source[sourceBase + word];
  }

  /** Forgets the index by which pairs are found, once all observations are in; `add` must not be called again. */
  seal(): void {
    release(this.#slots);
    this.#slots = new Uint32Array(0);
  }

  #append(words: Uint32Array, doubles: Float64Array, base: number, doubleBase: number): void {
    const segment = this.#count >>> SEGMENT_SHIFT;
    if (segment === this.#words.length) {
      const buffer = new ArrayBuffer(SEGMENT_RECORDS * RECORD_BYTES);
      this.#words.push(new Uint32Array(buffer));
      this.#doubles.push(new Float64Array(buffer));
    }
    const target = this.#words[segment];
    const within = this.#count & SEGMENT_MASK;
    const targetBase = within * RECORD_WORDS;
    for (let word = 2; word < RECORD_WORDS; word++) target[targetBase + word] = words[base + word];
    this.#doubles[segment][within * RECORD_DOUBLES] = doubles[doubleBase];
    this.#count++;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length / 2 - 1;
    for (let index = 0; index < this.#count; index++) {
      const words = this.#words[index >>> SEGMENT_SHIFT];
      const base = (index & SEGMENT_MASK) * RECORD_WORDS;
      let slot = slotOf(words[base + MESSAGE_LO], words[base + RECIPIENT_LO], mask);
      while (slots[slot * 2] !== 0) slot = (slot + 1) & mask;
      slots[slot * 2] = index + 1;
      slots[slot * 2 + 1] = words[base + MESSAGE_HI];
    }
    release(this.#slots);
    this.#slots = slots;
  }

  #merge(index: number, words: Uint32Array, doubles: Float64Array, base: number, doubleBase: number): void {
    const segment = index >>> SEGMENT_SHIFT;
    const known = this.#words[segment];
    const knownBase = (index & SEGMENT_MASK) * RECORD_WORDS;
    const knownDouble = (index & SEGMENT_MASK) * RECORD_DOUBLES;
    if (doubles[doubleBase] < this.#doubles[segment][knownDouble]) {
      this.#doubles[segment][knownDouble] = doubles[doubleBase];
    }
    const knownFlags = known[knownBase + FLAGS];
    const flags = words[base + FLAGS];
    const seen = (knownFlags >>> STATUSES_SEEN_SHIFT) & STATUSES_SEEN_BITS;
    const seenNow = (flags >>> STATUSES_SEEN_SHIFT) & STATUSES_SEEN_BITS;
    this.#counts.count((seen | seenNow) === seen ? 'duplicate' : 'updated', fileOf(words, base));
    let merged = knownFlags | (flags & (HAS_IP_COLUMNS | SENT_ON | (STATUSES_SEEN_BITS << STATUSES_SEEN_SHIFT)));
    const status = flags & STATUS_MASK;
    if (status > (merged & STATUS_MASK)) merged = (merged & ~STATUS_MASK) | status;
    const direction = (flags >>> DIRECTION_SHIFT) & 3;
    const knownDirection = (merged >>> DIRECTION_SHIFT) & 3;
    if (direction !== 0 && (knownDirection === 0 || direction < knownDirection)) {
      merged = (merged & ~(3 << DIRECTION_SHIFT)) | (direction << DIRECTION_SHIFT);
    }
    known[knownBase + FLAGS] = merged;

    if (this.#wins('sender', RANK_SENDER_SHIFT, SENDER_LO, SENDER_HI, known, knownBase, words, base)) {
      known[knownBase + SENDER_LO] = words[base + SENDER_LO];
      known[knownBase + SENDER_HI] = words[base + SENDER_HI];
      known[knownBase + SENDER_DOMAIN] = words[base + SENDER_DOMAIN];
      takeBits(known, knownBase, flags, 3 << SENDER_KIND_SHIFT);
      takeBits(known, knownBase, flags, 7 << RANK_SENDER_SHIFT);
    }
    if (this.#wins('messageId', RANK_MESSAGE_ID_SHIFT, MESSAGE_ID_LO, MESSAGE_ID_HI, known, knownBase, words, base)) {
      known[knownBase + MESSAGE_ID_LO] = words[base + MESSAGE_ID_LO];
      known[knownBase + MESSAGE_ID_HI] = words[base + MESSAGE_ID_HI];
      takeBits(known, knownBase, flags, 7 << RANK_MESSAGE_ID_SHIFT);
    }
    if (this.#wins('subject', RANK_SUBJECT_SHIFT, SUBJECT, SUBJECT, known, knownBase, words, base)) {
      known[knownBase + SUBJECT] = words[base + SUBJECT];
      takeBits(known, knownBase, flags, 7 << RANK_SUBJECT_SHIFT);
    }
    takeId(known, knownBase, words, base, SOURCE, RANK_SOURCE_SHIFT, this.#ids.source);
    takeId(known, knownBase, words, base, CONNECTOR, RANK_CONNECTOR_SHIFT, this.#ids.connector);
  }

  /**
   * Whether the new observation's text replaces the known one. The texts are read again from their
   * exports only where both have one, of equal rank, and they differ.
   */
  #wins(
    field: TextField,
    rankShift: number,
    lo: number,
    hi: number,
    known: Uint32Array,
    knownBase: number,
    words: Uint32Array,
    base: number,
  ): boolean {
    const rank = (words[base + FLAGS] >>> rankShift) & 7;
    const knownRank = (known[knownBase + FLAGS] >>> rankShift) & 7;
    if (rank === 0 || (knownRank !== 0 && rank > knownRank)) return false;
    if (known[knownBase + lo] === words[base + lo] && known[knownBase + hi] === words[base + hi]) {
      return rank !== knownRank;
    }
    const text = readText(this.#texts, words, base)[field];
    const key = ChosenTexts.key(known, knownBase);
    if (rank === knownRank) {
      const knownText = this.#chosen.get(key)?.[field] ?? readText(this.#texts, known, knownBase)[field];
      if (text >= knownText) return false;
    }
    this.#chosen.set(key, field, text);
    return true;
  }
}

function slotOf(messageLo: number, recipientLo: number, mask: number): number {
  return (Math.imul(messageLo, 0x9e3779b1) ^ recipientLo ^ (messageLo >>> 15)) & mask;
}

function readText(texts: TextSource, words: Uint32Array, base: number): PairText {
  return texts.read(fileOf(words, base), offsetOf(words, base), words[base + RECIPIENT_LO], words[base + RECIPIENT_HI]);
}

function takeBits(known: Uint32Array, knownBase: number, flags: number, mask: number): void {
  known[knownBase + FLAGS] = (known[knownBase + FLAGS] & ~mask) | (flags & mask);
}

function takeId(
  known: Uint32Array,
  knownBase: number,
  words: Uint32Array,
  base: number,
  word: number,
  rankShift: number,
  textOf: (id: number) => string,
): void {
  const rank = (words[base + FLAGS] >>> rankShift) & 7;
  const knownRank = (known[knownBase + FLAGS] >>> rankShift) & 7;
  if (rank === 0 || (knownRank !== 0 && rank > knownRank)) return;
  const id = words[base + word];
  const knownId = known[knownBase + word];
  if (rank === knownRank && (id === knownId || textOf(id) >= textOf(knownId))) return;
  known[knownBase + word] = id;
  takeBits(known, knownBase, words[base + FLAGS], 7 << rankShift);
}

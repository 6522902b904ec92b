/**
 * Identity: one record per pair, whatever the number, order or overlap of the exports it came from.
 * Every rule of merging is commutative, associative and idempotent: earliest event time, highest
 * status, and every other field by the rank of its format, then the smallest non-empty value.
 */

import type { PairSink, PairText, TextSource } from './ports.ts';
import {
  CONNECTOR,
  CONNECTOR_ID_MASK,
  DIRECTION_SHIFT,
  EVENT_ROW,
  EVENT_STATUS_SHIFT,
  FLAGS,
  fileOf,
  HAS_IP_COLUMNS,
  MESSAGE_HI,
  MESSAGE_ID_HI,
  MESSAGE_ID_LO,
  MESSAGE_LO,
  observedStatuses,
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
  REFUSAL_MASK,
  REFUSAL_SHIFT,
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

/** What becomes of a row that is used. */
export type ObservationKind = 'accepted' | 'duplicate' | 'updated' | 'folded';

/** How the rows of each file were counted; the index is the file's number. */
export class ObservationCounts {
  readonly accepted: number[] = [];
  readonly duplicate: number[] = [];
  readonly updated: number[] = [];
  readonly folded: number[] = [];
  #duplicates = 0;
  #updates = 0;

  count(kind: ObservationKind, file: number): void {
    this.#add(kind, file, 1);
    if (kind === 'duplicate') this.#duplicates++;
    else if (kind === 'updated') this.#updates++;
  }

  /** Takes back a row that turned out to be counted otherwise. */
  uncount(kind: 'accepted', file: number): void {
    this[kind][file]--;
  }

  /**
   * A row of the file changed how many statuses the observations of its pair have: so many duplicates are updates
   * now, or less than none. Which rows these are is all one, so those of other files are taken where the file has
   * none left; where no file has, a count goes below zero and somebody else owes it.
   */
  shift(file: number, updates: number): void {
    for (let more = updates; more > 0; more--) this.#move('duplicate', 'updated', file, this.#duplicates);
    for (let less = updates; less < 0; less++) this.#move('updated', 'duplicate', file, this.#updates);
    this.#updates += updates;
    this.#duplicates -= updates;
  }

  /** The counts of a file, which begin again. */
  take(file: number): Record<ObservationKind, number> {
    const taken = { accepted: 0, duplicate: 0, updated: 0, folded: 0 };
    for (const kind of OBSERVATION_KINDS) {
      taken[kind] = this[kind][file] ?? 0;
      if (taken[kind] !== 0) this[kind][file] = 0;
    }
    this.#duplicates -= taken.duplicate;
    this.#updates -= taken.updated;
    return taken;
  }

  /** All counts begin again. */
  clear(): void {
    for (const kind of OBSERVATION_KINDS) this[kind].length = 0;
    this.#duplicates = 0;
    this.#updates = 0;
  }

  #move(from: 'duplicate' | 'updated', to: 'duplicate' | 'updated', file: number, available: number): void {
    let donor = file;
    if ((this[from][file] ?? 0) <= 0 && available > 0) donor = this[from].findIndex((count) => count > 0);
    if (donor < 0) donor = file;
    this.#add(from, donor, -1);
    this.#add(to, donor, 1);
  }

  #add(kind: ObservationKind, file: number, count: number): void {
    const counts = this[kind];
    while (counts.length <= file) counts.push(0);
    counts[file] += count;
  }
}

const OBSERVATION_KINDS: readonly ObservationKind[] = ['accepted', 'duplicate', 'updated', 'folded'];

/** Number of statuses in a set with a bit for each. */
export function countStatuses(statuses: number): number {
  let count = 0;
  for (let rest = statuses; rest !== 0; rest &= rest - 1) count++;
  return count;
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

  get size(): number {
    return this.#texts.size;
  }

  /** Forgets the choices of pairs that `isKept` does not accept, by key. */
  keep(isKept: (key: string) => boolean): void {
    for (const key of this.#texts.keys()) if (!isKept(key)) this.#texts.delete(key);
  }

  /** The choices of pairs that `isKept` accepts, by key. */
  save(isKept: (key: string) => boolean): ChosenTextsState {
    return [...this.#texts].filter(([key]) => isKept(key));
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

/** Observations that are taken in before their pairs are looked up: 2 MiB of indexes, and few enough records to move. */
const WINDOW = 1 << 18;
/** Lookups are made in groups by the top bits of the hash, each in a stretch of the slots that fits into the cache. */
const GROUP_SHIFT = 32 - 11;
const GROUPS = 1 << 11;
/** Fewer are looked up as they came. */
const FEW_WAITING = 64;
const FIRST_SLOT_SHIFT = 32 - 12;

/**
 * Merges observations into one record per pair, in memory.
 *
 * Finding a pair is a jump to one of many millions of bytes. So observations are written down as they come,
 * and looked up a window at a time in the order of their hashes, which walks through the slots instead.
 * An observation of a known pair is merged into its record then, and leaves a gap that the last record fills.
 */
export class PairTable implements PairSink {
  readonly #words: Uint32Array[] = [];
  readonly #doubles: Float64Array[] = [];
  /** Records of each segment that will not be asked for again. */
  readonly #forgotten: number[] = [];
  /** Two words a slot: the record's number plus 1, and the hash, so that most probes touch no record. */
  #slots = new Uint32Array(2 << (32 - FIRST_SLOT_SHIFT));
  /** A hash belongs at slot `hash >>> #slotShift`: in twice as many slots the order stays what it was. */
  #slotShift = FIRST_SLOT_SHIFT;
  /** Records, those of the window included, which are the last ones. */
  #count = 0;
  #waiting = 0;
  readonly #waitingHashes = new Uint32Array(WINDOW);
  readonly #waitingOfGroup = new Uint32Array(GROUPS);
  readonly #byGroup = new Uint32Array(WINDOW);
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
    this.#settle();
    return this.#count;
  }

  get bytesUsed(): number {
    const window = this.#waitingHashes.byteLength + this.#byGroup.byteLength;
    return this.#words.length * SEGMENT_RECORDS * RECORD_BYTES + this.#slots.byteLength + window;
  }

  add(observation: RecordScratch): void {
    this.addAt(observation.words, observation.doubles, 0, 0);
  }

  /**
   * Adds the record at `words[base]`, whose event time is `doubles[doubleBase]`. A record that was
   * merged and counted before (`isCounted`), and so is the first of its pair, is not counted again.
   */
  addAt(words: Uint32Array, doubles: Float64Array, base: number, doubleBase: number, isCounted = false): void {
    const hash = hashOf(words, base);
    this.#waitingHashes[this.#waiting++] = hash;
    this.#waitingOfGroup[hash >>> GROUP_SHIFT]++;
    this.#append(words, doubles, base, doubleBase);
    if (!isCounted) this.#counts.count('accepted', fileOf(words, base));
    if (this.#waiting === WINDOW) this.#settle();
  }

  /** Calls `visit` with the key of every pair, as `ChosenTexts` has it. */
  forEachKey(visit: (key: string) => void): void {
    this.forEach((words, _doubles, base) => {
      visit(ChosenTexts.key(words, base));
    });
  }

  /** Index of the record of the same pair; -1 where there is none. */
  find(words: Uint32Array, base: number): number {
    this.#settle();
    const slot = this.#slotOf(hashOf(words, base), words, base);
    return this.#slots[slot * 2] - 1;
  }

  /** Calls `visit` with every merged record, in no particular order. */
  forEach(visit: (words: Uint32Array, doubles: Float64Array, base: number, doubleBase: number) => void): void {
    this.#settle();
    for (let index = 0; index < this.#count; index++) {
      const segment = index >>> SEGMENT_SHIFT;
      const within = index & SEGMENT_MASK;
      visit(this.#words[segment], this.#doubles[segment], within * RECORD_WORDS, within * RECORD_DOUBLES);
    }
  }

  timeOf(index: number): number {
    if (this.#waiting > 0) this.#settle();
    return this.#doubles[index >>> SEGMENT_SHIFT][(index & SEGMENT_MASK) * RECORD_DOUBLES];
  }

  /** Copies record `index` to `target[base]`. */
  copyTo(index: number, target: Uint32Array, base: number): void {
    if (this.#waiting > 0) this.#settle();
    this.#copy(index, target, base);
  }

  #copy(index: number, target: Uint32Array, base: number): void {
    const source = this.#words[index >>> SEGMENT_SHIFT];
    const sourceBase = (index & SEGMENT_MASK) * RECORD_WORDS;
    for (let word = 0; word < RECORD_WORDS; word++) target[base + word] = source[sourceBase + word];
  }

  /** Gives a segment's memory back with the last of its records; see `RecordSource`. */
  forget(index: number): void {
    const segment = index >>> SEGMENT_SHIFT;
    if (++this.#forgotten[segment] === SEGMENT_RECORDS) release(this.#words[segment]);
  }

  /** Forgets the index by which pairs are found, once all observations are in; `add` must not be called again. */
  seal(): void {
    this.#settle();
    release(this.#slots, this.#waitingHashes, this.#byGroup);
    this.#slots = new Uint32Array(0);
  }

  /** Looks up the pairs of the window. */
  #settle(): void {
    const waiting = this.#waiting;
    if (waiting === 0) return;
    const first = this.#count - waiting;
    while (this.#count * 4 > (this.#slots.length / 2) * 3) this.#grow();
    this.#groupWaiting();
    let merged = 0;
    for (let i = 0; i < waiting; i++) {
      const number = this.#byGroup[i];
      const index = first + number;
      const known = this.#findOrEnter(this.#waitingHashes[number], index);
      if (known === index) continue;
      const segment = index >>> SEGMENT_SHIFT;
      const within = index & SEGMENT_MASK;
      const words = this.#words[segment];
      this.#counts.uncount('accepted', fileOf(words, within * RECORD_WORDS));
      this.#merge(known, words, this.#doubles[segment], within * RECORD_WORDS, within * RECORD_DOUBLES);
      this.#byGroup[merged++] = number;
    }
    this.#closeGaps(first, this.#byGroup.subarray(0, merged).sort());
    this.#waiting = 0;
  }

  /** Orders the numbers of the window by group, and those of a group as they came. */
  #groupWaiting(): void {
    const next = this.#waitingOfGroup;
    if (this.#waiting < FEW_WAITING) {
      for (let number = 0; number < this.#waiting; number++) {
        next[this.#waitingHashes[number] >>> GROUP_SHIFT] = 0;
        this.#byGroup[number] = number;
      }
      return;
    }
    let start = 0;
    for (let group = 0; group < GROUPS; group++) {
      const count = next[group];
      next[group] = start;
      start += count;
    }
    const hashes = this.#waitingHashes;
    for (let number = 0; number < this.#waiting; number++) {
      this.#byGroup[next[hashes[number] >>> GROUP_SHIFT]++] = number;
    }
    next.fill(0);
  }

  /** The number of the record of the same pair as record `index`; `index` itself where it is the first. */
  #findOrEnter(hash: number, index: number): number {
    const slots = this.#slots;
    const slot = this.#slotOf(hash, this.#words[index >>> SEGMENT_SHIFT], (index & SEGMENT_MASK) * RECORD_WORDS);
    if (slots[slot * 2] !== 0) return slots[slot * 2] - 1;
    slots[slot * 2] = index + 1;
    slots[slot * 2 + 1] = hash;
    return index;
  }

  /** The slot of the pair at `words[base]`, or the empty one where it belongs. */
  #slotOf(hash: number, words: Uint32Array, base: number): number {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    let slot = hash >>> this.#slotShift;
    for (let entry = slots[slot * 2]; entry !== 0; entry = slots[slot * 2]) {
      if (slots[slot * 2 + 1] === hash) {
        const known = this.#words[(entry - 1) >>> SEGMENT_SHIFT];
        if (isSamePair(known, ((entry - 1) & SEGMENT_MASK) * RECORD_WORDS, words, base)) return slot;
      }
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  /** Moves the last records to the places of those of the window that were merged; `merged` are their numbers, ascending. */
  #closeGaps(first: number, merged: Uint32Array): void {
    for (let i = merged.length - 1; i >= 0; i--) {
      this.#count--;
      // Gaps above this one are closed, so the last record is in use, or is the gap itself.
      const last = this.#count - first;
      if (last === merged[i]) continue;
      this.#move(this.#count, first + merged[i], this.#waitingHashes[last]);
      this.#waitingHashes[merged[i]] = this.#waitingHashes[last];
    }
  }

  #move(from: number, to: number, hash: number): void {
    const target = to >>> SEGMENT_SHIFT;
    this.#copy(from, this.#words[target], (to & SEGMENT_MASK) * RECORD_WORDS);
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    let slot = hash >>> this.#slotShift;
    while (slots[slot * 2] !== from + 1) slot = (slot + 1) & mask;
    slots[slot * 2] = to + 1;
  }

  #append(words: Uint32Array, doubles: Float64Array, base: number, doubleBase: number): void {
    const segment = this.#count >>> SEGMENT_SHIFT;
    if (segment === this.#words.length) {
      const buffer = new ArrayBuffer(SEGMENT_RECORDS * RECORD_BYTES);
      this.#words.push(new Uint32Array(buffer));
      this.#doubles.push(new Float64Array(buffer));
      this.#forgotten.push(0);
    }
    const target = this.#words[segment];
    const within = this.#count & SEGMENT_MASK;
    const targetBase = within * RECORD_WORDS;
    for (let word = 2; word < RECORD_WORDS; word++) target[targetBase + word] = words[base + word];
    this.#doubles[segment][within * RECORD_DOUBLES] = doubles[doubleBase];
    this.#count++;
  }

  #grow(): void {
    const old = this.#slots;
    const slots = new Uint32Array(old.length * 2);
    const mask = slots.length / 2 - 1;
    this.#slotShift--;
    for (let i = 0; i < old.length; i += 2) {
      if (old[i] === 0) continue;
      let slot = old[i + 1] >>> this.#slotShift;
      while (slots[slot * 2] !== 0) slot = (slot + 1) & mask;
      slots[slot * 2] = old[i];
      slots[slot * 2 + 1] = old[i + 1];
    }
    release(old);
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
    const knownWord = known[knownBase + CONNECTOR];
    const word = words[base + CONNECTOR];
    let merged = knownFlags | (flags & (HAS_IP_COLUMNS | SENT_ON | (STATUSES_SEEN_BITS << STATUSES_SEEN_SHIFT)));
    const status = flags & STATUS_MASK;
    if (status > (merged & STATUS_MASK)) merged = (merged & ~STATUS_MASK) | status;
    const direction = (flags >>> DIRECTION_SHIFT) & 3;
    const knownDirection = (merged >>> DIRECTION_SHIFT) & 3;
    if (direction !== 0 && (knownDirection === 0 || direction < knownDirection)) {
      merged = (merged & ~(3 << DIRECTION_SHIFT)) | (direction << DIRECTION_SHIFT);
    }
    known[knownBase + FLAGS] = merged;
    mergeTraits(known, knownBase, word);
    this.#countMerged(knownFlags, knownWord, merged, known[knownBase + CONNECTOR], word, fileOf(words, base));

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

  /** Counts a row of a known pair, of which FLAGS and CONNECTOR were the one and are the other now. */
  #countMerged(
    knownFlags: number,
    knownWord: number,
    flags: number,
    connector: number,
    word: number,
    file: number,
  ): void {
    const before = observedStatuses(knownFlags, knownWord);
    const after = observedStatuses(flags, connector);
    const isFolded = (knownWord & word & EVENT_ROW) !== 0;
    this.#counts.count(isFolded ? 'folded' : 'duplicate', file);
    if (before !== after) this.#counts.shift(file, countStatuses(after) - countStatuses(before));
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

function isSamePair(left: Uint32Array, leftBase: number, right: Uint32Array, rightBase: number): boolean {
  return (
    left[leftBase + MESSAGE_LO] === right[rightBase + MESSAGE_LO] &&
    left[leftBase + MESSAGE_HI] === right[rightBase + MESSAGE_HI] &&
    left[leftBase + RECIPIENT_LO] === right[rightBase + RECIPIENT_LO] &&
    left[leftBase + RECIPIENT_HI] === right[rightBase + RECIPIENT_HI]
  );
}

/** Of a pair; its top bits are those that tell pairs apart, and `MESSAGE_HI` is left to the runs by pair. */
function hashOf(words: Uint32Array, base: number): number {
  const messageLo = words[base + MESSAGE_LO];
  return (Math.imul(messageLo, 0x9e3779b1) ^ words[base + RECIPIENT_LO] ^ (messageLo >>> 15)) >>> 0;
}

function readText(texts: TextSource, words: Uint32Array, base: number): PairText {
  return texts.read(fileOf(words, base), offsetOf(words, base), words[base + RECIPIENT_LO], words[base + RECIPIENT_HI]);
}

function takeBits(known: Uint32Array, knownBase: number, flags: number, mask: number): void {
  known[knownBase + FLAGS] = (known[knownBase + FLAGS] & ~mask) | (flags & mask);
}

/** Of refusals and of statuses of events the highest, of the other traits all. */
function mergeTraits(known: Uint32Array, knownBase: number, word: number): void {
  const traits = word & ~CONNECTOR_ID_MASK;
  if (traits === 0) return;
  const refusals = REFUSAL_MASK << REFUSAL_SHIFT;
  const statuses = ~0 << EVENT_STATUS_SHIFT;
  const knownWord = known[knownBase + CONNECTOR];
  const refusal = Math.max(knownWord & refusals, word & refusals);
  const status = Math.max(knownWord >>> EVENT_STATUS_SHIFT, word >>> EVENT_STATUS_SHIFT);
  known[knownBase + CONNECTOR] =
    ((knownWord | traits) & ~refusals & ~statuses) | refusal | (status << EVENT_STATUS_SHIFT);
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
  const mask = word === CONNECTOR ? CONNECTOR_ID_MASK : -1;
  const id = words[base + word] & mask;
  const knownId = known[knownBase + word] & mask;
  if (rank === knownRank && (id === knownId || textOf(id) >= textOf(knownId))) return;
  known[knownBase + word] = (known[knownBase + word] & ~mask) | id;
  takeBits(known, knownBase, words[base + FLAGS], 7 << rankShift);
}

/**
 * A map from 64-bit hashes to one number, in one typed array: an entry is 16 bytes side by side, so that
 * finding it costs one miss of the cache, and no objects. The hash 0, 0 marks an empty slot; it is
 * taken as 0, 1.
 */

import { release } from './release.ts';

/** Words of a slot: low word, high word, and the value as a double. */
const SLOT_WORDS = 4;
const SLOT_DOUBLES = 2;
const SMALLEST_SLOTS = 16;
/** Smaller tables are not worth pruning. */
const PRUNE_FROM = 4096;

/** A copy of a table. */
export interface HashTableState {
  words: Uint32Array;
  size: number;
  pruneAt: number;
}

export class HashTable {
  #words: Uint32Array;
  #values: Float64Array;
  #mask: number;
  #size = 0;
  #pruneAt = PRUNE_FROM;

  constructor(capacity = 1024) {
    const slots = slotsFor(capacity);
    this.#words = new Uint32Array(slots * SLOT_WORDS);
    this.#values = new Float64Array(this.#words.buffer);
    this.#mask = slots - 1;
  }

  get size(): number {
    return this.#size;
  }

  save(): HashTableState {
    return { words: this.#words.slice(), size: this.#size, pruneAt: this.#pruneAt };
  }

  load(state: Readonly<HashTableState>): void {
    this.#words = state.words.slice();
    this.#values = new Float64Array(this.#words.buffer);
    this.#mask = this.#words.length / SLOT_WORDS - 1;
    this.#size = state.size;
    this.#pruneAt = state.pruneAt;
  }

  /** The value of a key, or `undefined`. */
  get(lo: number, hi: number): number | undefined {
    const slot = this.#find(lo, hi);
    if (this.#isEmpty(slot)) return undefined;
    return this.#values[slot * SLOT_DOUBLES + 1];
  }

  set(lo: number, hi: number, value: number): void {
    const slot = this.#find(lo, hi);
    this.#values[slot * SLOT_DOUBLES + 1] = value;
    if (this.#isEmpty(slot)) this.#take(slot, lo, hi);
  }

  /** The slot of a key, which is added with the value NaN where it is new; valid until another key is added. */
  slotOf(lo: number, hi: number): number {
    const slot = this.#find(lo, hi);
    if (!this.#isEmpty(slot)) return slot;
    this.#values[slot * SLOT_DOUBLES + 1] = Number.NaN;
    return this.#take(slot, lo, hi) ? slot : this.#find(lo, hi);
  }

  valueAt(slot: number): number {
    return this.#values[slot * SLOT_DOUBLES + 1];
  }

  setValueAt(slot: number, value: number): void {
    this.#values[slot * SLOT_DOUBLES + 1] = value;
  }

  /** Forgets entries whose value is below `least`, where the table has grown to twice what was kept before. */
  forgetBelow(least: number): void {
    if (this.#size >= this.#pruneAt) this.forgetAllBelow(least);
  }

  /** Forgets entries whose value is below `least`, whatever that costs. */
  forgetAllBelow(least: number): void {
    let kept = 0;
    for (let slot = 0; slot <= this.#mask; slot++) {
      if (!this.#isEmpty(slot) && this.#values[slot * SLOT_DOUBLES + 1] >= least) kept++;
    }
    this.#pruneAt = Math.max(PRUNE_FROM, kept * 2);
    const slots = slotsFor(kept + 1);
    if (slots <= this.#mask || kept < this.#size) this.#rebuild(slots, least);
  }

  /** Calls `visit` with every entry, in no particular order. */
  forEach(visit: (lo: number, hi: number, value: number) => void): void {
    for (let slot = 0; slot <= this.#mask; slot++) {
      if (this.#isEmpty(slot)) continue;
      const word = slot * SLOT_WORDS;
      visit(this.#words[word], this.#words[word + 1], this.#values[slot * SLOT_DOUBLES + 1]);
    }
  }

  #isEmpty(slot: number): boolean {
    return (this.#words[slot * SLOT_WORDS] | this.#words[slot * SLOT_WORDS + 1]) === 0;
  }

  /** Gives an empty slot to a key; false where the table had to grow, so that the key has another slot. */
  #take(slot: number, lo: number, hi: number): boolean {
    this.#words[slot * SLOT_WORDS] = lo;
    this.#words[slot * SLOT_WORDS + 1] = (lo | hi) === 0 ? 1 : hi;
    this.#size++;
    if (this.#size * 3 <= (this.#mask + 1) * 2) return true;
    this.#rebuild((this.#mask + 1) * 2, Number.NEGATIVE_INFINITY);
    return false;
  }

  /** The slot of a key, or the empty one where it belongs. */
  #find(keyLo: number, keyHi: number): number {
    const lo = keyLo >>> 0;
    const hi = (keyLo | keyHi) === 0 ? 1 : keyHi >>> 0;
    const words = this.#words;
    const mask = this.#mask;
    let slot = (Math.imul(lo, 0x9e3779b1) ^ hi ^ (lo >>> 15)) & mask;
    for (;;) {
      const slotLo = words[slot * SLOT_WORDS];
      const slotHi = words[slot * SLOT_WORDS + 1];
      if ((slotLo === lo && slotHi === hi) || (slotLo | slotHi) === 0) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Moves the entries to a table of `slots`, but for those whose value is below `least`. */
  #rebuild(slots: number, least: number): void {
    const words = this.#words;
    const values = this.#values;
    this.#words = new Uint32Array(slots * SLOT_WORDS);
    this.#values = new Float64Array(this.#words.buffer);
    const oldSlots = this.#mask + 1;
    this.#mask = slots - 1;
    this.#size = 0;
    for (let old = 0; old < oldSlots; old++) {
      const lo = words[old * SLOT_WORDS];
      const hi = words[old * SLOT_WORDS + 1];
      const value = values[old * SLOT_DOUBLES + 1];
      if ((lo | hi) === 0 || value < least) continue;
      const slot = this.#find(lo, hi);
      this.#words[slot * SLOT_WORDS] = lo;
      this.#words[slot * SLOT_WORDS + 1] = hi;
      this.#values[slot * SLOT_DOUBLES + 1] = value;
      this.#size++;
    }
    release(words);
  }
}

/** A power of two of which the entries fill two thirds at most. */
function slotsFor(entries: number): number {
  let slots = SMALLEST_SLOTS;
  while (slots * 2 < entries * 3) slots *= 2;
  return slots;
}

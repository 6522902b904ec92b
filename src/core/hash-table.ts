/**
 * A map from 64-bit hashes to one number, in typed arrays: what a walk remembers of messages,
 * senders and mailboxes costs 16 bytes a slot and no objects.
 */

import { release } from './release.ts';

const EMPTY = 0;
/** Smaller tables are not worth pruning. */
const PRUNE_FROM = 4096;

/** A copy of a table's columns. */
export interface HashTableState {
  lo: Uint32Array;
  hi: Uint32Array;
  values: Float64Array;
  used: Uint8Array;
  size: number;
  pruneAt: number;
}

export class HashTable {
  #lo: Uint32Array;
  #hi: Uint32Array;
  #values: Float64Array;
  #used: Uint8Array;
  #size = 0;
  #pruneAt = PRUNE_FROM;

  constructor(capacity = 1024) {
    let slots = 16;
    while (slots * 2 < capacity * 3) slots *= 2;
    this.#lo = new Uint32Array(slots);
    this.#hi = new Uint32Array(slots);
    this.#values = new Float64Array(slots);
    this.#used = new Uint8Array(slots);
  }

  get size(): number {
    return this.#size;
  }

  save(): HashTableState {
    return {
      lo: this.#lo.slice(),
      hi: this.#hi.slice(),
      values: this.#values.slice(),
      used: this.#used.slice(),
      size: this.#size,
      pruneAt: this.#pruneAt,
    };
  }

  load(state: Readonly<HashTableState>): void {
    this.#lo = state.lo.slice();
    this.#hi = state.hi.slice();
    this.#values = state.values.slice();
    this.#used = state.used.slice();
    this.#size = state.size;
    this.#pruneAt = state.pruneAt;
  }

  /** The value of a key, or `undefined`. */
  get(lo: number, hi: number): number | undefined {
    const slot = this.#find(lo >>> 0, hi >>> 0);
    return this.#used[slot] === EMPTY ? undefined : this.#values[slot];
  }

  set(lo: number, hi: number, value: number): void {
    const slot = this.#find(lo >>> 0, hi >>> 0);
    if (this.#used[slot] === EMPTY) {
      this.#lo[slot] = lo;
      this.#hi[slot] = hi;
      this.#used[slot] = 1;
      this.#values[slot] = value;
      this.#size++;
      if (this.#size * 3 > this.#used.length * 2) this.#rebuild(this.#used.length * 2, () => true);
      return;
    }
    this.#values[slot] = value;
  }

  /** Forgets entries whose value is refused, where the table has grown to twice what was kept before. */
  prune(accept: (value: number) => boolean): void {
    if (this.#size < this.#pruneAt) return;
    let kept = 0;
    for (let slot = 0; slot < this.#used.length; slot++) {
      if (this.#used[slot] !== EMPTY && accept(this.#values[slot])) kept++;
    }
    this.#pruneAt = Math.max(PRUNE_FROM, kept * 2);
    let slots = 16;
    while (slots * 2 < kept * 3 + 3) slots *= 2;
    if (slots < this.#used.length) this.#rebuild(slots, accept);
  }

  #find(lo: number, hi: number): number {
    const mask = this.#used.length - 1;
    let slot = (Math.imul(lo, 0x9e3779b1) ^ hi ^ (lo >>> 15)) & mask;
    while (this.#used[slot] !== EMPTY && (this.#lo[slot] !== lo || this.#hi[slot] !== hi)) slot = (slot + 1) & mask;
    return slot;
  }

  #rebuild(slots: number, accept: (value: number) => boolean): void {
    const lo = this.#lo;
    const hi = this.#hi;
    const values = this.#values;
    const used = this.#used;
    this.#lo = new Uint32Array(slots);
    this.#hi = new Uint32Array(slots);
    this.#values = new Float64Array(slots);
    this.#used = new Uint8Array(slots);
    this.#size = 0;
    for (let old = 0; old < used.length; old++) {
      if (used[old] === EMPTY || !accept(values[old])) continue;
      const slot = this.#find(lo[old], hi[old]);
      this.#lo[slot] = lo[old];
      this.#hi[slot] = hi[old];
      this.#values[slot] = values[old];
      this.#used[slot] = 1;
      this.#size++;
    }
    release(lo, hi, values, used);
  }
}

/**
 * A dictionary of byte strings: each distinct one gets a dense id from 1 (0 stands for "absent").
 * The bytes lie one after the other in one growing buffer, the ids in an open-addressing table of
 * typed arrays, so a million names cost their bytes and about 20 more each, and no strings.
 */

import type { KeyedHash } from './hash.ts';

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });
const ENCODER = new TextEncoder();
const INITIAL_ENTRIES = 64;
const INITIAL_BYTES = 1024;
/** Offsets are 32-bit words. */
const MAX_BYTES = 4_294_967_295;

export class Dictionary {
  readonly #hash: KeyedHash;
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #bytesUsed = 0;
  /** Entry `id` is `#bytes[#offsets[id] .. #offsets[id + 1])`; entry 0 is empty. */
  #offsets = new Uint32Array(INITIAL_ENTRIES + 1);
  /** Hash of each entry: most comparisons end here, and growth needs no hashing. */
  #hashes = new Int32Array(INITIAL_ENTRIES);
  #count = 1;
  /** Ids by hash; at most half full. */
  #table = new Int32Array(INITIAL_ENTRIES * 2);

  constructor(hash: KeyedHash) {
    this.#hash = hash;
  }

  /** Number of entries; ids go from 1 to `size`. */
  get size(): number {
    return this.#count - 1;
  }

  /** Memory held, in bytes. */
  get bytesUsed(): number {
    return this.#bytes.length + this.#offsets.byteLength + this.#hashes.byteLength + this.#table.byteLength;
  }

  /** Id of bytes `[start, end)`, a new one where they are new; 0 where there are none. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length <= 0) return 0;
    const wanted = this.#hash.short(bytes, start, end);
    const table = this.#table;
    const mask = table.length - 1;
    let slot = wanted & mask;
    for (let id = table[slot]; id !== 0; id = table[slot]) {
      if (this.#hashes[id] === wanted && this.#equals(id, bytes, start, length)) return id;
      slot = (slot + 1) & mask;
    }
    return this.#append(slot, wanted, bytes, start, end);
  }

  /** `intern` where the id `likely` is probably the answer: comparing costs less than looking up. */
  internLikely(bytes: Uint8Array, start: number, end: number, likely: number): number {
    if (likely !== 0 && this.#equals(likely, bytes, start, end - start)) return likely;
    return this.intern(bytes, start, end);
  }

  /** `intern` of a string's UTF-8 bytes. */
  internText(text: string): number {
    const encoded = ENCODER.encode(text);
    return this.intern(encoded, 0, encoded.length);
  }

  /** The string of an id; empty for 0. */
  text(id: number): string {
    if (id < 0 || id >= this.#count) throw new RangeError(`dictionary has no entry ${id}`);
    return DECODER.decode(this.#bytes.subarray(this.#offsets[id], this.#offsets[id + 1]));
  }

  #equals(id: number, bytes: Uint8Array, start: number, length: number): boolean {
    const from = this.#offsets[id];
    if (this.#offsets[id + 1] - from !== length) return false;
    const own = this.#bytes;
    let i = 0;
    if (length >= 4) {
      const ownView = this.#view;
      const view = this.#hash.viewOf(bytes);
      for (const last = length - 4; i < last; i += 4) {
        if (ownView.getInt32(from + i, true) !== view.getInt32(start + i, true)) return false;
      }
      return ownView.getInt32(from + length - 4, true) === view.getInt32(start + length - 4, true);
    }
    for (; i < length; i++) if (own[from + i] !== bytes[start + i]) return false;
    return true;
  }

  #append(slot: number, hash: number, bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const needed = this.#bytesUsed + length;
    if (needed > MAX_BYTES) throw new RangeError('a dictionary outgrew 4 GiB');
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(MAX_BYTES, Math.max(needed, this.#bytes.length * 2)));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    if (length < 64) {
      const own = this.#bytes;
      for (let i = start, to = this.#bytesUsed; i < end; i++, to++) own[to] = bytes[i];
    } else {
      this.#bytes.set(bytes.subarray(start, end), this.#bytesUsed);
    }
    const id = this.#count;
    if (id === this.#hashes.length) this.#growEntries();
    this.#offsets[id] = this.#bytesUsed;
    this.#offsets[id + 1] = needed;
    this.#hashes[id] = hash;
    this.#bytesUsed = needed;
    this.#count = id + 1;
    this.#table[slot] = id;
    if (id * 2 >= this.#table.length) this.#growTable();
    return id;
  }

  #growEntries(): void {
    const offsets = new Uint32Array(this.#hashes.length * 2 + 1);
    offsets.set(this.#offsets);
    const hashes = new Int32Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    this.#offsets = offsets;
    this.#hashes = hashes;
  }

  #growTable(): void {
    const table = new Int32Array(this.#table.length * 2);
    const mask = table.length - 1;
    for (let id = 1; id < this.#count; id++) {
      let slot = this.#hashes[id] & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = id;
    }
    this.#table = table;
  }
}

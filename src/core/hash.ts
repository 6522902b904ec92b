/**
 * A keyed 64-bit hash of bytes, as two words of 32 bits. Keyed, because whoever sends mail chooses
 * addresses, subjects and Message-IDs: two lanes feed each other after every four bytes, so which
 * inputs collide depends on the key.
 *
 * The result of the last call stands in `lo` and `hi` (0 to 2^32-1 each, never both 0: two zero
 * words mean "absent" in a record). Nothing is allocated per call.
 */

export const MULTIPLIER_1 = 0x9e3779b1 | 0;
export const MULTIPLIER_2 = 0x85ebca6b | 0;
const DASH = 0x2d;
/** Sets the bit that tells lower case from upper, in four letters at once. */
const LOWER_CASE_BITS = 0x20202020;
/** Where the words of `cf7a249a-5edd-4350-130a-08da8f69e0f6` begin. */
const GUID_WORDS = Uint8Array.of(0, 4, 9, 14, 19, 24, 28, 32);
const ENCODER = new TextEncoder();
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Finalizer of 32 bits in which every input bit reaches every output bit. */
function finalize(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b | 0);
  return h ^ (h >>> 16);
}

/**
 * The bytes after the last whole word, `[i, end)`: the last four of all where there are as many, which
 * repeats some, else what is there. The length is hashed too, so neither makes two inputs one.
 */
export function rest(view: DataView, bytes: Uint8Array, start: number, i: number, end: number): number {
  if (end - start >= 4) return view.getInt32(end - 4, true);
  let word = bytes[i];
  if (i + 1 < end) word |= bytes[i + 1] << 8;
  if (i + 2 < end) word |= bytes[i + 2] << 16;
  return word;
}

export class KeyedHash {
  lo = 0;
  hi = 0;
  /** Where the two lanes begin. */
  readonly seed1: number;
  readonly seed2: number;
  /** Texts up to its size are hashed without an allocation. */
  readonly #textBytes = new Uint8Array(1024);

  constructor(key: string) {
    let seed1 = 0x243f6a88;
    let seed2 = 0x85a308d3 | 0;
    for (const byte of ENCODER.encode(key)) {
      seed1 = finalize(Math.imul(seed1 ^ byte, MULTIPLIER_1) + seed2);
      seed2 = finalize(Math.imul(seed2 ^ byte, MULTIPLIER_2) + seed1);
    }
    this.seed1 = seed1 | 0;
    this.seed2 = seed2 | 0;
  }

  /** Bytes `[start, end)` as they are. */
  bytes(bytes: Uint8Array, start: number, end: number): void {
    const view = this.viewOf(bytes);
    let h1 = this.seed1;
    let h2 = this.seed2;
    let i = start;
    for (const last = end - 3; i < last; i += 4) {
      const word = view.getInt32(i, true);
      const before = h1;
      h1 = Math.imul(h1 ^ word, MULTIPLIER_1) ^ (h2 >>> 15);
      h2 = Math.imul(h2 ^ ((word << 16) | (word >>> 16)), MULTIPLIER_2) ^ (before >>> 13);
    }
    this.finish(h1, h2, i < end ? rest(view, bytes, start, i, end) : 0, end - start);
  }

  /**
   * Bytes `[start, end)` without case and without `-`: the form in which a network message id is
   * compared, whether it was written with dashes or not. Letters are made lower case by a set bit,
   * which makes some punctuation equal too; ids are letters and digits.
   */
  lowerCaseWithoutDashes(bytes: Uint8Array, start: number, end: number): void {
    const isGuid =
      end - start === 36 &&
      bytes[start + 8] === DASH &&
      bytes[start + 13] === DASH &&
      bytes[start + 18] === DASH &&
      bytes[start + 23] === DASH;
    let h1 = this.seed1;
    let h2 = this.seed2;
    if (isGuid) {
      const view = this.viewOf(bytes);
      for (let group = 0; group < 8; group++) {
        const word = view.getInt32(start + GUID_WORDS[group], true) | LOWER_CASE_BITS;
        const before = h1;
        h1 = Math.imul(h1 ^ word, MULTIPLIER_1) ^ (h2 >>> 15);
        h2 = Math.imul(h2 ^ ((word << 16) | (word >>> 16)), MULTIPLIER_2) ^ (before >>> 13);
      }
      this.finish(h1, h2, 0, 32);
      return;
    }
    let word = 0;
    let shift = 0;
    let length = 0;
    for (let i = start; i < end; i++) {
      if (bytes[i] === DASH) continue;
      word |= (bytes[i] | 0x20) << shift;
      length++;
      shift += 8;
      if (shift === 32) {
        const before = h1;
        h1 = Math.imul(h1 ^ word, MULTIPLIER_1) ^ (h2 >>> 15);
        h2 = Math.imul(h2 ^ ((word << 16) | (word >>> 16)), MULTIPLIER_2) ^ (before >>> 13);
        word = 0;
        shift = 0;
      }
    }
    this.finish(h1, h2, word, length);
  }

  /** A hash of 32 bits for tables that compare the bytes themselves: half the work of `bytes`. */
  short(bytes: Uint8Array, start: number, end: number): number {
    const view = this.viewOf(bytes);
    let h = this.seed1 ^ (end - start);
    let i = start;
    for (const last = end - 3; i < last; i += 4) {
      h = Math.imul(h ^ view.getInt32(i, true), MULTIPLIER_1);
      h ^= h >>> 15;
    }
    if (i < end) h ^= rest(view, bytes, start, i, end);
    return finalize(Math.imul(h, MULTIPLIER_2));
  }

  /** The UTF-8 bytes of a string: the same result as `bytes` over them. */
  text(text: string): void {
    const room = this.#textBytes;
    if (text.length * 3 <= room.length) {
      this.bytes(room, 0, ENCODER.encodeInto(text, room).written);
    } else {
      const encoded = ENCODER.encode(text);
      this.bytes(encoded, 0, encoded.length);
    }
  }

  /** Three pairs of words as one, for a key made of other hashes. Order matters. */
  words(lo1: number, hi1: number, lo2: number, hi2: number, lo3: number, hi3: number): void {
    this.#h1 = this.seed1;
    this.#h2 = ~this.seed2;
    this.#mix(lo1);
    this.#mix(hi1);
    this.#mix(lo2);
    this.#mix(hi2);
    this.#mix(lo3);
    this.#mix(hi3);
    this.finish(this.#h1, this.#h2, 0, 24);
  }

  #h1 = 0;
  #h2 = 0;

  /* Views of the two arrays hashed last: of a chunk of the file and of the buffer for addresses. */
  #array1 = NO_BYTES;
  #view1 = new DataView(NO_BYTES.buffer);
  #array2 = NO_BYTES;
  #view2 = new DataView(NO_BYTES.buffer);

  /** A view over an array: words of four bytes, at any place, cost one load instead of four. */
  viewOf(bytes: Uint8Array): DataView {
    if (bytes === this.#array1) return this.#view1;
    if (bytes === this.#array2) return this.#view2;
    this.#array2 = this.#array1;
    this.#view2 = this.#view1;
    this.#array1 = bytes;
    this.#view1 = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.#view1;
  }

  #mix(word: number): void {
    const h1 = this.#h1;
    const h2 = this.#h2;
    this.#h1 = Math.imul(h1 ^ word, MULTIPLIER_1) ^ (h2 >>> 15);
    this.#h2 = Math.imul(h2 ^ ((word << 16) | (word >>> 16)), MULTIPLIER_2) ^ (h1 >>> 13);
  }

  /** Makes the result of two lanes, what `rest` says of the last bytes, and the length in bytes. */
  finish(lane1: number, lane2: number, word: number, length: number): void {
    let h1 = Math.imul(lane1 ^ word, MULTIPLIER_1) ^ (lane2 >>> 15) ^ length;
    let h2 = Math.imul(lane2 ^ ((word << 16) | (word >>> 16)), MULTIPLIER_2) ^ (lane1 >>> 13);
    h1 = finalize(h1 + h2);
    h2 = finalize(h2 + h1);
    h1 = finalize(h1 ^ h2 ^ this.seed2);
    if (h1 === 0 && h2 === 0) h1 = 1;
    this.lo = h1 >>> 0;
    this.hi = h2 >>> 0;
  }
}

/**
 * A keyed 64-bit hash of bytes, as two words of 32 bits. Keyed, because whoever sends mail chooses
 * addresses, subjects and Message-IDs: two lanes feed each other after every four bytes, so which
 * inputs collide depends on the key.
 *
 * The result of the last call stands in `lo` and `hi` (0 to 2^32-1 each, never both 0: two zero
 * words mean "absent" in a record). Nothing is allocated per call.
 */

const MULTIPLIER_1 = 0x9e3779b1 | 0;
const MULTIPLIER_2 = 0x85ebca6b | 0;
const ENCODER = new TextEncoder();

/** Finalizer of 32 bits in which every input bit reaches every output bit. */
function finalize(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b | 0);
  return h ^ (h >>> 16);
}

export class KeyedHash {
  lo = 0;
  hi = 0;
  readonly #seed1: number;
  readonly #seed2: number;
  /** Texts up to its size are hashed without an allocation. */
  readonly #textBytes = new Uint8Array(1024);

  constructor(key: string) {
    let seed1 = 0x243f6a88;
    let seed2 = 0x85a308d3 | 0;
    for (const byte of ENCODER.encode(key)) {
      seed1 = finalize(Math.imul(seed1 ^ byte, MULTIPLIER_1) + seed2);
      seed2 = finalize(Math.imul(seed2 ^ byte, MULTIPLIER_2) + seed1);
    }
    this.#seed1 = seed1 | 0;
    this.#seed2 = seed2 | 0;
  }

  /** Bytes `[start, end)` as they are. */
  bytes(bytes: Uint8Array, start: number, end: number): void {
    let h1 = this.#seed1;
    let h2 = this.#seed2;
    let i = start;
    for (const last = end - 3; i < last; i += 4) {
      const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
      h1 = Math.imul(h1 ^ word, MULTIPLIER_1);
      h2 = Math.imul(h2 + (word ^ (h1 >>> 15)), MULTIPLIER_2);
      h1 ^= (h1 >>> 13) ^ (h2 >>> 16);
      h2 ^= h2 >>> 14;
    }
    let word = 0;
    for (let shift = 0; i < end; i++, shift += 8) word |= bytes[i] << shift;
    this.#finish(h1, h2, word, end - start);
  }

  /**
   * Bytes `[start, end)` with A-Z lower-cased and `-` left out: the form in which a network message
   * id is compared, whether it was written with dashes or without.
   */
  lowerCaseWithoutDashes(bytes: Uint8Array, start: number, end: number): void {
    let h1 = this.#seed1;
    let h2 = this.#seed2;
    let word = 0;
    let shift = 0;
    let length = 0;
    for (let i = start; i < end; i++) {
      let byte = bytes[i];
      if (byte === 0x2d) continue;
      if (byte >= 0x41 && byte <= 0x5a) byte |= 0x20;
      word |= byte << shift;
      length++;
      if (shift === 24) {
        h1 = Math.imul(h1 ^ word, MULTIPLIER_1);
        h2 = Math.imul(h2 + (word ^ (h1 >>> 15)), MULTIPLIER_2);
        h1 ^= (h1 >>> 13) ^ (h2 >>> 16);
        h2 ^= h2 >>> 14;
        word = 0;
        shift = 0;
      } else {
        shift += 8;
      }
    }
    this.#finish(h1, h2, word, length);
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
    this.#h1 = this.#seed1;
    this.#h2 = ~this.#seed2;
    this.#mix(lo1);
    this.#mix(hi1);
    this.#mix(lo2);
    this.#mix(hi2);
    this.#mix(lo3);
    this.#mix(hi3);
    this.#finish(this.#h1, this.#h2, 0, 24);
  }

  #h1 = 0;
  #h2 = 0;

  #mix(word: number): void {
    let h1 = Math.imul(this.#h1 ^ word, MULTIPLIER_1);
    let h2 = Math.imul(this.#h2 + (word ^ (h1 >>> 15)), MULTIPLIER_2);
    h1 ^= (h1 >>> 13) ^ (h2 >>> 16);
    h2 ^= h2 >>> 14;
    this.#h1 = h1;
    this.#h2 = h2;
  }

  #finish(lane1: number, lane2: number, word: number, length: number): void {
    let h1 = Math.imul(lane1 ^ word, MULTIPLIER_1);
    let h2 = Math.imul(lane2 + (word ^ (h1 >>> 15)), MULTIPLIER_2);
    h1 ^= length;
    h1 = finalize(h1 + h2);
    h2 = finalize(h2 + h1);
    h1 = finalize(h1 ^ h2 ^ this.#seed2);
    if (h1 === 0 && h2 === 0) h1 = 1;
    this.lo = h1 >>> 0;
    this.hi = h2 >>> 0;
  }
}

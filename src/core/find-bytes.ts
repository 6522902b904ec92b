/** Looking for bytes four at a time, through a view that reads words at any place. */

/** The lowest bit of each of the four bytes of a word, and the highest. */
const LOWEST_BITS = 0x01010101;
const HIGHEST_BITS = 0x80808080;

/**
 * Where the first `one` or `other` stands in `[start, end)`; `end` without any. `words` is a view of `bytes`.
 *
 * A byte of `word ^ pattern` is 0 where it matches, and subtracting 1 from a 0 sets its highest bit. What
 * that borrows can make a byte after the first match look like one, never a byte before it.
 */
export function findEither(
  words: DataView,
  bytes: Uint8Array,
  start: number,
  end: number,
  one: number,
  other: number,
): number {
  const onePattern = Math.imul(one, LOWEST_BITS);
  const otherPattern = Math.imul(other, LOWEST_BITS);
  let at = start;
  for (const last = end - 4; at <= last; at += 4) {
    const word = words.getInt32(at, true);
    const ones = word ^ onePattern;
    const others = word ^ otherPattern;
    const found = (((ones - LOWEST_BITS) & ~ones) | ((others - LOWEST_BITS) & ~others)) & HIGHEST_BITS;
    if (found !== 0) return at + ((31 - Math.clz32(found & -found)) >>> 3);
  }
  while (at < end && bytes[at] !== one && bytes[at] !== other) at += 1;
  return at;
}

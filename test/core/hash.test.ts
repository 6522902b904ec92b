import { describe, expect, it } from 'vitest';
import { KeyedHash } from '../../src/core/hash.ts';

const encoder = new TextEncoder();

function hashOf(hash: KeyedHash, text: string): string {
  hash.text(text);
  return `${hash.hi.toString(16)}:${hash.lo.toString(16)}`;
}

describe('keyed hash', () => {
  it('gives the same result for bytes at any place and for the string', () => {
    const hash = new KeyedHash('contoso');
    for (const text of ['', 'a', 'ab', 'abc', 'abcd', 'abcde', 'ann@víctim.example', 'x'.repeat(3000)]) {
      const bytes = encoder.encode(`..${text}..`);
      hash.bytes(bytes, 2, bytes.length - 2);
      const fromBytes = `${hash.hi.toString(16)}:${hash.lo.toString(16)}`;
      expect(hashOf(hash, text)).toBe(fromBytes);
    }
  });

  it('compares network message ids without case and dashes', () => {
    const hash = new KeyedHash('contoso');
    const forms = ['CF7A249A-5EDD-4350-130A-08DA8F69E0F6', 'cf7a249a5edd4350130a08da8f69e0f6'].map((text) => {
      const bytes = encoder.encode(text);
      hash.lowerCaseWithoutDashes(bytes, 0, bytes.length);
      return [hash.lo, hash.hi];
    });
    expect(forms[0]).toEqual(forms[1]);
    hash.text('cf7a249a5edd4350130a08da8f69e0f6');
    expect([hash.lo, hash.hi]).toEqual(forms[1]);
  });

  it('depends on the key, also in which inputs collide', () => {
    expect(hashOf(new KeyedHash('a'), 'ann@contoso.com')).not.toBe(hashOf(new KeyedHash('b'), 'ann@contoso.com'));
    // Low 16 bits collide for some of 2,000 inputs; another key has other collisions.
    const collisions = (key: string): string[] => {
      const hash = new KeyedHash(key);
      const seen = new Map<number, number>();
      const found: string[] = [];
      for (let i = 0; i < 2000; i++) {
        hash.text(`user${i}@contoso.com`);
        const low = hash.lo & 0xffff;
        const before = seen.get(low);
        if (before !== undefined) found.push(`${before}-${i}`);
        seen.set(low, i);
      }
      return found;
    };
    const first = collisions('first');
    const second = new Set(collisions('second'));
    expect(first.length).toBeGreaterThan(10);
    expect(first.filter((pair) => second.has(pair)).length).toBeLessThan(2);
  });

  it('tells a million similar addresses apart', () => {
    const hash = new KeyedHash('contoso');
    const seen = new Set<bigint>();
    for (let i = 0; i < 300_000; i++) {
      hash.text(`u${i}@c.example`);
      seen.add((BigInt(hash.hi) << 32n) | BigInt(hash.lo));
    }
    expect(seen.size).toBe(300_000);
  });

  it('changes about half of the 64 bits with any bit of the input', () => {
    const hash = new KeyedHash('contoso');
    const bytes = encoder.encode('promo@fabrikam.example');
    hash.bytes(bytes, 0, bytes.length);
    const [lo, hi] = [hash.lo, hash.hi];
    let lowest = 64;
    let sum = 0;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      hash.bytes(bytes, 0, bytes.length);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      const changed = ones(hash.lo ^ lo) + ones(hash.hi ^ hi);
      lowest = Math.min(lowest, changed);
      sum += changed;
    }
    expect(sum / (bytes.length * 8)).toBeCloseTo(32, -0.5);
    expect(lowest).toBeGreaterThan(14);
  });

  it('spreads over the buckets of a table', () => {
    const hash = new KeyedHash('contoso');
    for (const word of ['lo', 'hi'] as const) {
      const buckets = new Uint32Array(1024);
      for (let i = 0; i < 102_400; i++) {
        hash.text(`${i}`);
        buckets[hash[word] & 1023]++;
      }
      let chiSquare = 0;
      for (const count of buckets) chiSquare += ((count - 100) * (count - 100)) / 100;
      // 1,023 degrees of freedom: mean 1,023, deviation 45.
      expect(chiSquare).toBeLessThan(1023 + 5 * 45);
    }
  });

  it('makes one key of three hashes, and order matters', () => {
    const hash = new KeyedHash('contoso');
    hash.words(1, 2, 3, 4, 5, 6);
    const first = [hash.lo, hash.hi];
    hash.words(3, 4, 1, 2, 5, 6);
    expect([hash.lo, hash.hi]).not.toEqual(first);
    hash.words(1, 2, 3, 4, 5, 6);
    expect([hash.lo, hash.hi]).toEqual(first);
  });
});

function ones(value: number): number {
  let count = 0;
  for (let rest = value >>> 0; rest !== 0; rest &= rest - 1) count++;
  return count;
}

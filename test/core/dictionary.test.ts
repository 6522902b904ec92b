import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dictionary } from '../../src/core/dictionary.ts';
import { KeyedHash } from '../../src/core/hash.ts';

describe('dictionary', () => {
  it('gives dense ids from 1 and the texts back', () => {
    const dictionary = new Dictionary(new KeyedHash('contoso'));
    expect(dictionary.size).toBe(0);
    expect(dictionary.internText('contoso.com')).toBe(1);
    expect(dictionary.internText('fabrikam.example')).toBe(2);
    expect(dictionary.internText('contoso.com')).toBe(1);
    expect(dictionary.internText('')).toBe(0);
    expect(dictionary.text(0)).toBe('');
    expect(dictionary.text(1)).toBe('contoso.com');
    expect(dictionary.text(2)).toBe('fabrikam.example');
    expect(dictionary.size).toBe(2);
    expect(() => dictionary.text(3)).toThrow(RangeError);
  });

  it('keeps texts that begin with a byte order mark', () => {
    const dictionary = new Dictionary(new KeyedHash('contoso'));
    expect(dictionary.text(dictionary.internText('\ufeffa'))).toBe('\ufeffa');
  });

  it('answers as a Map would', () => {
    const seed = Math.floor(Math.random() * 1e9);
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 90, unit: 'binary' })), (texts) => {
        const dictionary = new Dictionary(new KeyedHash('contoso'));
        const map = new Map<string, number>();
        for (const text of texts) {
          let id = text === '' ? 0 : map.get(text);
          if (id === undefined) {
            id = map.size + 1;
            map.set(text, id);
          }
          expect(dictionary.internText(text), `seed ${seed}`).toBe(id);
        }
        for (const [text, id] of map) expect(dictionary.text(id)).toBe(text);
      }),
      { seed, numRuns: 200 },
    );
  });

  it('tells names apart whose hashes of 32 bits are the same', () => {
    // Of 300,000 names about ten pairs have one hash.
    const dictionary = new Dictionary(new KeyedHash('contoso'));
    for (let i = 0; i < 300_000; i++) {
      expect(
        dictionary.internText(`${String(i).padStart(6, '0')}.${String((i * 7919) % 999_983).padStart(6, '0')}`),
      ).toBe(i + 1);
    }
  });

  it('grows through every kind of buffer', () => {
    const dictionary = new Dictionary(new KeyedHash('contoso'));
    for (let i = 0; i < 50_000; i++) dictionary.internText(`d${i}.example`);
    expect(dictionary.size).toBe(50_000);
    for (let i = 0; i < 50_000; i += 7) {
      expect(dictionary.internText(`d${i}.example`)).toBe(i + 1);
      expect(dictionary.text(i + 1)).toBe(`d${i}.example`);
    }
    expect(dictionary.bytesUsed).toBeLessThan(50_000 * 64);
  });
});

import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Utf8Mender } from '../../../src/runtime/inputs/utf8.ts';

/** Mends bytes that come in chunks of the given lengths. */
function mend(bytes: Uint8Array, lengths: number[]): Uint8Array {
  const mender = new Utf8Mender();
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const length of [...lengths, bytes.length]) {
    const chunk = new Uint8Array(bytes.subarray(at, at + length));
    at += chunk.length;
    parts.push(...mender.mend(chunk).map((part) => new Uint8Array(part)));
  }
  parts.push(mender.finish());
  for (const part of parts) expect(isUtf8(part)).toBe(true);
  return Buffer.concat(parts);
}

describe('bytes that are no UTF-8', () => {
  it.each([
    ['plain', 'plain'],
    ['Grüße \u{1f389}', 'Grüße \u{1f389}'],
    [[0x61, 0xff, 0x62], 'a?b'],
    [[0x61, 0xc3], 'a?'],
    [[0xc3, 0x28], '?('],
    [[0xe2, 0x82], '??'],
    [[0xed, 0xa0, 0x80], '???'],
    [[0xc0, 0xaf], '??'],
    [[0xf4, 0x90, 0x80, 0x80], '????'],
    [[0x80, 0x80, 0x80, 0x80, 0x41], '????A'],
  ])('%j', (input, expected) => {
    const bytes = typeof input === 'string' ? Buffer.from(input) : Uint8Array.from(input);
    expect(Buffer.from(mend(bytes, [])).toString()).toBe(expected);
  });

  it('are the same and as many however the file is cut, and text stays what it is', () => {
    const seed = Math.floor(Math.random() * 1e9);
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 4 }).map((text) => Buffer.from(text.toWellFormed())),
      fc.uint8Array({ maxLength: 4 }),
      fc.constantFrom([0xf0], [0xf0, 0x9f], [0xe2, 0x82], [0x80], [0xc3]).map((bytes) => Uint8Array.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(5), { maxLength: 30 }), (pieces, lengths) => {
        const bytes = Buffer.concat(pieces);
        const whole = mend(bytes, []);
        expect(whole.length, `seed ${seed}`).toBe(bytes.length);
        expect(Buffer.from(mend(bytes, lengths)).toString('hex'), `seed ${seed}`).toBe(
          Buffer.from(whole).toString('hex'),
        );
        if (isUtf8(bytes)) expect(Buffer.compare(whole, bytes)).toBe(0);
      }),
      { seed, numRuns: 2000 },
    );
  });
});

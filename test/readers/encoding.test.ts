import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCsvByteReader } from '../../src/readers/csv-bytes.ts';
import { createDecoder, detectEncoding, type TextEncoding } from '../../src/readers/encoding.ts';
import { collectRecords, plainOptions } from './csv-reading.ts';

const TEXT = 'Received,Sender\r\n"Ä, ""ß""",漢字\r\n😀👩‍👩‍👧,שלום\u200f\r\nlast,\ufeff\r\n';

function encode(text: string, encoding: TextEncoding): Buffer {
  if (encoding === 'windows-1252') return Buffer.from(text, 'latin1');
  if (encoding === 'utf-8') return Buffer.from(text, 'utf8');
  const units = Buffer.from(text, 'utf16le');
  return encoding === 'utf-16be' ? units.swap16() : units;
}

function decodePieces(encoding: TextEncoding, stored: Uint8Array, cuts: readonly number[], skipBytes = 0): Buffer {
  const decoder = createDecoder(encoding, { skipBytes });
  const edges = [0, ...cuts, stored.length];
  const pieces: Buffer[] = [];
  for (let piece = 0; piece + 1 < edges.length; piece += 1) {
    // An odd place in memory, and bytes that change after the call.
    const buffer = new Uint8Array(edges[piece + 1] - edges[piece] + 1);
    buffer.set(stored.subarray(edges[piece], edges[piece + 1]), 1);
    pieces.push(Buffer.from(decoder.decode(buffer.subarray(1))));
    buffer.fill(0x58);
  }
  pieces.push(Buffer.from(decoder.flush()));
  return Buffer.concat(pieces);
}

describe('detectEncoding', () => {
  const cases: [name: string, head: Uint8Array, encoding: string, bomBytes: number, assumed: boolean][] = [
    ['nothing', Buffer.alloc(0), 'utf-8', 0, false],
    ['ASCII', Buffer.from('a,b\r\n'), 'utf-8', 0, false],
    ['UTF-8', Buffer.from(TEXT), 'utf-8', 0, false],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${TEXT}`), 'utf-8', 3, false],
    ['UTF-8 cut inside a character', Buffer.from('a 😀').subarray(0, 4), 'utf-8', 0, false],
    ['UTF-8 cut after one byte of a character', Buffer.from('ä').subarray(0, 1), 'utf-8', 0, false],
    ['UTF-16LE with a mark', Buffer.from(`\ufeff${TEXT}`, 'utf16le'), 'utf-16le', 2, false],
    ['UTF-16LE without a mark', Buffer.from(TEXT, 'utf16le'), 'utf-16le', 0, false],
    ['UTF-16LE of odd length', Buffer.from(TEXT, 'utf16le').subarray(0, 31), 'utf-16le', 0, false],
    ['UTF-16BE with a mark', encode(`\ufeff${TEXT}`, 'utf-16be'), 'utf-16be', 2, false],
    ['UTF-16BE without a mark', encode(TEXT, 'utf-16be'), 'utf-16be', 0, false],
    ['a mark alone', Buffer.from([0xff, 0xfe]), 'utf-16le', 2, false],
    ['an ANSI code page', Buffer.from('Betreff,Größe\r\n', 'latin1'), 'windows-1252', 0, true],
    ['a continuation byte at the end', Buffer.from([0x61, 0x80]), 'windows-1252', 0, true],
    ['a stray control character', Buffer.from(`a\u0001b,c\r\n${TEXT}`), 'utf-8', 0, false],
    ['compressed data', deflateRawSync(randomBytes(4_096)), 'binary', 0, false],
    ['a PNG', Buffer.from('89504e470d0a1a0a0000000d49484452000000', 'hex'), 'binary', 0, false],
    ['NULs', Buffer.alloc(100), 'binary', 0, false],
    ['UTF-32LE', Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), 'binary', 0, false],
    ['binary data behind a UTF-8 mark', Buffer.concat([Buffer.from('\ufeff'), Buffer.alloc(50)]), 'binary', 0, false],
  ];
  for (const [name, head, encoding, bomBytes, assumed] of cases) {
    it(name, () => {
      const guess = detectEncoding(head);
      expect(guess.encoding).toBe(encoding);
      if (encoding !== 'binary') expect(guess).toEqual({ encoding, bomBytes, assumed });
    });
  }

  it('looks at the characters, not at how many of them there are', () => {
    for (const encoding of ['utf-8', 'utf-16le', 'utf-16be'] as const) {
      for (let length = 10; length < TEXT.length; length += 1) {
        expect(detectEncoding(encode(TEXT.slice(0, length), encoding)).encoding, `${length}`).toBe(encoding);
      }
    }
  });
});

describe('createDecoder', () => {
  for (const encoding of ['utf-8', 'utf-16le', 'utf-16be'] as const) {
    it(`${encoding}: gives the same UTF-8 however the file is cut`, () => {
      const stored = encode(`\ufeff${TEXT}`, encoding);
      const skipBytes = encoding === 'utf-8' ? 3 : 2;
      expect(decodePieces(encoding, stored, [], skipBytes).toString()).toBe(TEXT);
      const everyByte = Array.from({ length: stored.length }, (_, index) => index);
      expect(decodePieces(encoding, stored, everyByte, skipBytes).toString()).toBe(TEXT);
      for (const cut of everyByte) expect(decodePieces(encoding, stored, [cut], skipBytes).toString()).toBe(TEXT);
    });

    it(`${encoding}: knows how many stored bytes a range came from`, () => {
      const decoder = createDecoder(encoding, { skipBytes: 0 });
      for (const padding of [0, 1, 2, 3]) {
        const decoded = Buffer.alloc(padding + Buffer.byteLength(TEXT), TEXT, 'utf8').subarray(0);
        decoded.write(TEXT, padding);
        let start = padding;
        for (const character of TEXT) {
          const end = start + Buffer.byteLength(character);
          expect(decoder.storedLength(decoded, start, end)).toBe(encode(character, encoding).length);
          const before = Buffer.from(decoded.subarray(padding, end)).toString();
          expect(decoder.storedLength(decoded, padding, end)).toBe(encode(before, encoding).length);
          start = end;
        }
      }
    });
  }

  it('does not copy UTF-8', () => {
    const chunk = Buffer.from(TEXT);
    expect(createDecoder('utf-8', { skipBytes: 0 }).decode(chunk)).toBe(chunk);
  });

  it('survives UTF-8 that turns out to be none', () => {
    const stored = Buffer.concat([Buffer.from('a,b\n'), Buffer.from('ä,ö\n', 'latin1')]);
    expect(decodePieces('utf-8', stored, [5]).toString()).toBe('a,b\n\ufffd,\ufffd\n');
  });

  it('reads surrogates without a partner, and an odd last byte, as U+FFFD', () => {
    const stored = Buffer.concat([Buffer.from('a\ud83db\ude00c\ud83d', 'utf16le'), Buffer.from([0x41])]);
    for (let cut = 0; cut <= stored.length; cut += 1) {
      expect(decodePieces('utf-16le', stored, [cut]).toString()).toBe('a\ufffdb\ufffdc\ufffd');
    }
  });

  it('reads windows-1252, and counts its characters', () => {
    const stored = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const decoded = decodePieces('windows-1252', stored, [100, 200]);
    const text = decoded.toString();
    expect(text.slice(0, 128)).toBe(Buffer.from(stored.subarray(0, 128)).toString('latin1'));
    expect(text.slice(128, 160)).toBe('€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ');
    expect(text.slice(160)).toBe(Buffer.from(stored.subarray(160)).toString('latin1'));
    const { storedLength } = createDecoder('windows-1252', { skipBytes: 0 });
    expect(storedLength(decoded, 0, decoded.length)).toBe(256);
  });

  it('decodes any UTF-16 as strings do', () => {
    const seed = Math.floor(Math.random() * 1e9);
    const units = fc.array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0xd83d, 0xde00, 0x41)));
    fc.assert(
      fc.property(units, fc.array(fc.nat(40), { maxLength: 3 }), (codes, cuts) => {
        const stored = Buffer.from(Uint16Array.from(codes).buffer);
        const places = cuts.map((cut) => Math.min(cut, stored.length)).sort((left, right) => left - right);
        const expected = Buffer.from(stored.toString('utf16le'), 'utf8');
        const decoded = decodePieces('utf-16le', stored, places);
        expect(decoded, `seed ${seed}`).toEqual(expected);
        const { storedLength } = createDecoder('utf-16le', { skipBytes: 0 });
        expect(storedLength(decoded, 0, decoded.length)).toBe(stored.length);
      }),
      { seed, numRuns: 500 },
    );
  });
});

describe('offsets of CSV records', () => {
  for (const encoding of ['utf-8', 'utf-16le', 'utf-16be', 'windows-1252'] as const) {
    it(`${encoding}: count bytes as stored`, () => {
      const text =
        encoding === 'windows-1252' ? 'a,b\r\n"ä, ""ß""",ÿ\r\n\r\n"x\r\ny"z,\r\né,é\r\n' : `${TEXT}"x\ny"😀,\r\né,é`;
      const mark = encoding === 'windows-1252' ? Buffer.alloc(0) : encode('\ufeff', encoding);
      const stored = Buffer.concat([mark, encode(text, encoding)]);
      for (let pushBytes = 1; pushBytes <= stored.length; pushBytes += 1) {
        const { records, letters, handler } = collectRecords();
        const decoder = createDecoder(encoding, { skipBytes: mark.length });
        const { storedLength } = decoder;
        const reader = createCsvByteReader({ ...plainOptions(2), startOffset: mark.length, storedLength }, handler);
        for (let at = 0; at < stored.length; at += pushBytes) {
          const decoded = decoder.decode(Uint8Array.from(stored.subarray(at, at + pushBytes)));
          reader.push(decoded, 0, decoded.length);
        }
        reader.finish();
        expect(records.length).toBeGreaterThan(2);
        expect(letters.length).toBe(1);
        for (const { offset, length, fields } of records) {
          const again = collectRecords();
          const slice = decodePieces(encoding, stored.subarray(offset, offset + length), []);
          const second = createCsvByteReader(plainOptions(2), again.handler);
          second.push(slice, 0, slice.length);
          second.finish();
          expect(again.records.map((record) => record.fields)).toEqual([fields]);
        }
        const [first] = letters;
        const refused = decodePieces(encoding, stored.subarray(first.offset, first.offset + first.length), []);
        expect(refused.toString()).toBe('"x');
      }
    });
  }
});

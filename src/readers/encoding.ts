/**
 * Encodings of exports: told from the first bytes, then turned into UTF-8 chunk by chunk.
 *
 * What occurs (about_Character_Encoding of PowerShell; Start-HistoricalSearch downloads): UTF-8 with
 * or without byte order mark, UTF-16LE with mark (`Out-File` of Windows PowerShell) or without one
 * (historical searches), UTF-16BE, and ANSI code pages, read as windows-1252.
 *
 * Offsets of records count bytes as stored, so a decoder also says how many stored bytes a decoded
 * range came from. It needs nothing but the range itself: UTF-16 stores two bytes and windows-1252
 * one for every code unit or code point, and those can be counted in UTF-8.
 */

import { Buffer, isAscii, isUtf8, transcode } from 'node:buffer';

export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

export interface EncodingGuess {
  /** `binary`: no text in any encoding read here. */
  encoding: TextEncoding | 'binary';
  /** Length of the byte order mark: bytes at the start that belong to no record. */
  bomBytes: number;
  /** Not proved by the bytes: neither UTF-8 nor UTF-16, so the Western European code page is assumed. */
  assumed: boolean;
}

/** Bytes looked at for NUL parity. Headers are ASCII in every export, and longer than that only with 20 columns. */
const PARITY_BYTES = 1_024;
/** Share of control bytes above which nothing is text. Subjects do hold a stray one; compressed data has 10 %. */
const MAX_CONTROL_SHARE = 0.005;

/**
 * Tells the encoding from the head of a file (4 KB or more, or the whole of a shorter file). A head
 * may end inside a character. An empty head is UTF-8.
 */
export function detectEncoding(head: Uint8Array): EncodingGuess {
  const byMark = encodingByMark(head);
  if (byMark !== null) return byMark;
  const byParity = utf16ByParity(head);
  if (byParity !== null) return { encoding: byParity, bomBytes: 0, assumed: false };
  if (isBinary(head)) return { encoding: 'binary', bomBytes: 0, assumed: false };
  if (isUtf8(withoutCutCharacter(head))) return { encoding: 'utf-8', bomBytes: 0, assumed: false };
  return { encoding: 'windows-1252', bomBytes: 0, assumed: true };
}

function encodingByMark(head: Uint8Array): EncodingGuess | null {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) {
    return { encoding: isBinary(head) ? 'binary' : 'utf-8', bomBytes: 3, assumed: false };
  }
  // UTF-32 (FF FE 00 00, 00 00 FE FF): Export-Csv can write it, nobody does. Refused rather than misread.
  const utf32 = head.length >= 4 && head[0] === 0xff && head[1] === 0xfe && head[2] === 0 && head[3] === 0;
  if (utf32) return { encoding: 'binary', bomBytes: 0, assumed: false };
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: 'utf-16le', bomBytes: 2, assumed: false };
  if (head[0] === 0xfe && head[1] === 0xff) return { encoding: 'utf-16be', bomBytes: 2, assumed: false };
  return null;
}

/** UTF-16 without a mark: more than half of the code units at the start are ASCII, none of them NUL itself. */
function utf16ByParity(head: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  const units = Math.min(head.length, PARITY_BYTES) >> 1;
  let evenNuls = 0;
  let oddNuls = 0;
  for (let unit = 0; unit < units; unit += 1) {
    if (head[2 * unit] === 0) evenNuls += 1;
    if (head[2 * unit + 1] === 0) oddNuls += 1;
  }
  if (oddNuls * 2 > units && evenNuls * 20 <= units) return 'utf-16le';
  if (evenNuls * 2 > units && oddNuls * 20 <= units) return 'utf-16be';
  return null;
}

function isBinary(head: Uint8Array): boolean {
  let controls = 0;
  for (let at = 0; at < head.length; at += 1) {
    const byte = head[at];
    // Tab, line feed, vertical tab, form feed and carriage return are text.
    if (byte < 0x20 && (byte < 0x09 || byte > 0x0d)) controls += 1;
  }
  return controls > 1 + head.length * MAX_CONTROL_SHARE;
}

/** The head without a UTF-8 character that its end cuts in two. */
function withoutCutCharacter(head: Uint8Array): Uint8Array {
  for (let back = 1; back <= Math.min(3, head.length); back += 1) {
    const byte = head[head.length - back];
    if (byte < 0x80) return head;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? head.subarray(0, head.length - back) : head;
    }
  }
  return head;
}

/** Stored bytes that the decoded bytes `[start, end)` came from; both ends stand between characters. */
export type StoredLength = (bytes: Uint8Array, start: number, end: number) => number;

/** Turns the chunks of one file into UTF-8. */
export interface Decoder {
  /**
   * The next chunk of the file. What comes back is valid until the next call; in UTF-8 it is the
   * chunk itself, uncopied and unchecked (invalid bytes become U+FFFD when text is made of them).
   * A character cut by the end of the chunk comes with the next one.
   */
  decode(chunk: Uint8Array): Uint8Array;
  /** The end of the file: a character that was cut there, as U+FFFD. */
  flush(): Uint8Array;
  readonly storedLength: StoredLength;
}

const NOTHING = new Uint8Array(0);

/** A decoder for one file; `skipBytes` is the length of its byte order mark. */
export function createDecoder(encoding: TextEncoding, options: { skipBytes: number }): Decoder {
  const decoder =
    encoding === 'utf-8'
      ? utf8Decoder()
      : encoding === 'windows-1252'
        ? windows1252Decoder()
        : utf16Decoder(encoding === 'utf-16be');
  let toSkip = options.skipBytes;
  return {
    decode(chunk) {
      if (toSkip === 0) return decoder.decode(chunk);
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      return decoder.decode(chunk.subarray(skipped));
    },
    flush: () => decoder.flush(),
    storedLength: decoder.storedLength,
  };
}

function utf8Decoder(): Decoder {
  return {
    decode: (chunk) => chunk,
    flush: () => NOTHING,
    storedLength: (_bytes, start, end) => end - start,
  };
}

function utf16Decoder(bigEndian: boolean): Decoder {
  // An odd byte, a high surrogate, or both: what the end of a chunk cut off, in stored order.
  let pending: Uint8Array = NOTHING;
  return {
    decode(chunk) {
      // A copy may be swapped, and joins what was pending.
      let units: Buffer;
      if (pending.length > 0 || bigEndian) {
        units = Buffer.allocUnsafe(pending.length + chunk.length);
        units.set(pending, 0);
        units.set(chunk, pending.length);
      } else {
        units = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      }
      let whole = units.length & ~1;
      if (whole >= 2 && (units[bigEndian ? whole - 2 : whole - 1] & 0xfc) === 0xd8) whole -= 2;
      pending = Uint8Array.from(units.subarray(whole));
      if (whole === 0) return NOTHING;
      units = units.subarray(0, whole);
      if (bigEndian) units.swap16();
      return utf16leToUtf8(units);
    },
    flush() {
      const cut = pending.length > 0;
      pending = NOTHING;
      return cut ? Buffer.from('\ufffd') : NOTHING;
    },
    storedLength: createUnitCounter(2, true),
  };
}

function utf16leToUtf8(units: Buffer): Uint8Array {
  try {
    // Twice as fast as going through a string, but it throws at a surrogate without its partner.
    return transcode(units, 'utf16le', 'utf8');
  } catch {
    return Buffer.from(units.toString('utf16le'), 'utf8');
  }
}

/** U+0080 to U+009F of windows-1252 (Encoding Standard, index windows-1252); the rest is ISO 8859-1. */
const WINDOWS_1252_HIGH = [
  0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
  0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
];

function windows1252Decoder(): Decoder {
  return {
    decode(chunk) {
      if (isAscii(chunk)) return chunk;
      const decoded = Buffer.allocUnsafe(chunk.length * 3);
      let length = 0;
      for (let at = 0; at < chunk.length; at += 1) {
        const byte = chunk[at];
        const point = byte >= 0x80 && byte < 0xa0 ? WINDOWS_1252_HIGH[byte - 0x80] : byte;
        if (point < 0x80) {
          decoded[length] = point;
          length += 1;
        } else if (point < 0x800) {
          decoded[length] = 0xc0 | (point >> 6);
          decoded[length + 1] = 0x80 | (point & 0x3f);
          length += 2;
        } else {
          decoded[length] = 0xe0 | (point >> 12);
          decoded[length + 1] = 0x80 | ((point >> 6) & 0x3f);
          decoded[length + 2] = 0x80 | (point & 0x3f);
          length += 3;
        }
      }
      return decoded.subarray(0, length);
    },
    flush: () => NOTHING,
    storedLength: createUnitCounter(1, false),
  };
}

/**
 * Counts code points (or UTF-16 code units, where a four-byte character is two) in UTF-8, times the
 * bytes that one takes in the file. Four bytes at a time while they are ASCII, which most are: this
 * runs over every record of a UTF-16 file.
 */
function createUnitCounter(bytesPerUnit: number, surrogates: boolean): StoredLength {
  // View of the buffer counted last; a new one for every record would cost more than the counting.
  let buffer: ArrayBufferLike | null = null;
  let words: Int32Array = new Int32Array(0);
  return (bytes, start, end) => {
    if (bytes.buffer !== buffer) {
      buffer = bytes.buffer;
      words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
    }
    const base = bytes.byteOffset;
    const lastWord = (base + end) >> 2;
    let at = start;
    let notUnits = 0;
    while (at < end) {
      if (((base + at) & 3) === 0) {
        let word = (base + at) >> 2;
        while (word < lastWord && (words[word] & NON_ASCII) === 0) word += 1;
        at = word * 4 - base;
        if (at === end) break;
      }
      const byte = bytes[at];
      if ((byte & 0xc0) === 0x80) notUnits += 1;
      else if (surrogates && byte >= 0xf0) notUnits -= 1;
      at += 1;
    }
    return (end - start - notUnits) * bytesPerUnit;
  };
}

/** The bits that no ASCII character has, in four bytes. */
const NON_ASCII = 0x80808080 | 0;

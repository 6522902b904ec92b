/**
 * Mail addresses, from the bytes of a cell to what identity and detection compare: lower case, the
 * domain after the last `@`, its trailing dot removed, Unicode and punycode spellings of a domain
 * made one. All work on ASCII happens in a reused buffer; only other text becomes a string.
 */

import { domainToASCII } from 'node:url';
import { type KeyedHash, MULTIPLIER_1, MULTIPLIER_2, rest } from './hash.ts';
import { SENDER_ADDRESS, SENDER_NULL, SENDER_SRS, SENDER_SYSTEM } from './record.ts';

/**
 * Longest address taken, in bytes. SMTP allows 320 (RFC 5321 4.5.3.1), Exchange 1,860 for an X.500
 * address; what is longer is text of another kind.
 */
export const MAX_ADDRESS_BYTES = 2048;

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });
const ENCODER = new TextEncoder();

/** What a byte means in an address. */
const ORDINARY = 0;
const UPPER = 1;
const BLANK = 2;
const AT = 3;
const WIDE = 4;
const CONTROL = 5;
const CLASSES = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  if (byte >= 0x80) CLASSES[byte] = WIDE;
  else if (byte >= 0x41 && byte <= 0x5a) CLASSES[byte] = UPPER;
  else if (byte === 0x20 || byte === 0x09) CLASSES[byte] = BLANK;
  else if (byte < 0x20 || byte === 0x7f) CLASSES[byte] = CONTROL;
  else if (byte === 0x40) CLASSES[byte] = AT;
}

/**
 * Whether four bytes at once are ORDINARY. The sums set the top bit of a byte from 0x21 on, and of
 * 0x7f; `@` and capitals, with a few signs that are looked at one by one, are what has bit 6 and not bit 5.
 */
function isOrdinary(word: number): boolean {
  const special = (word | ~(word + 0x5f5f5f5f) | (word + 0x01010101)) & 0x80808080;
  return (special | (word & ~(word << 1) & 0x40404040)) === 0;
}

/**
 * Names that a mail system uses for itself: bounces, and journal reports, which Exchange Online sends
 * as `MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e` or from a mailbox named for journaling
 * (Microsoft: Get-TerrlExternalRecipientEstimate.ps1 leaves out the first four).
 */
const SYSTEM_NAMES = [
  'postmaster',
  'mailer-daemon',
  'microsoftexchange329e71ec88ae4615bbc36ab6ce41109e',
  'journal',
  'journaling',
  'journalreport',
  'journalreports',
].map((name) => ENCODER.encode(name));
/** First letters of the names above: most addresses are done after one look. */
const SYSTEM_INITIALS = new Uint8Array(256);
for (const name of SYSTEM_NAMES) SYSTEM_INITIALS[name[0]] = 1;

/** Reads addresses; the result of the last call stands in the fields. One instance per reading thread. */
export class AddressReader {
  /** One of SENDER_ADDRESS, SENDER_NULL, SENDER_SYSTEM, SENDER_SRS; always SENDER_ADDRESS of a recipient. */
  kind = SENDER_ADDRESS;
  /** Hash of the normalised address; 0, 0 for a null sender. */
  lo = 0;
  hi = 0;
  /**
   * The normalised address is `bytes[start .. end)`, its domain `bytes[domainStart .. end)`. `bytes` is
   * the cell's own array where the cell holds the address in normal form, as most do.
   */
  bytes: Uint8Array;
  start = 0;
  end = 0;
  /** Equal to `end` where the address has no domain. */
  domainStart = 0;
  readonly #hash: KeyedHash;
  /** Holds addresses whose normal form is another than the cell's; an address in it begins at 0. */
  readonly #buffer: Uint8Array = new Uint8Array(MAX_ADDRESS_BYTES * 4);

  constructor(hash: KeyedHash) {
    this.#hash = hash;
    this.bytes = this.#buffer;
  }

  /**
   * The envelope sender (MAIL FROM) in cell `[start, end)`. Empty and `<>` are the null sender.
   * False where the cell holds text that is no address.
   */
  sender(cell: Uint8Array, start: number, end: number): boolean {
    const isHashed = this.#readPlain(cell, start, end);
    if (!isHashed && !this.#normalise(cell, start, end)) return false;
    if (this.start === this.end) {
      this.kind = SENDER_NULL;
      this.lo = 0;
      this.hi = 0;
      return true;
    }
    const localEnd = this.domainStart === this.end ? this.end : this.domainStart - 1;
    this.kind = SENDER_ADDRESS;
    if (SYSTEM_INITIALS[this.bytes[this.start]] === 1 && this.#isSystemName(localEnd)) this.kind = SENDER_SYSTEM;
    else if (localEnd < this.end) this.#reduceSrs(localEnd);
    if (!isHashed || this.kind === SENDER_SRS) this.#hashAddress();
    return true;
  }

  /** The recipient in cell `[start, end)`. False where it is no address with a domain. */
  recipient(cell: Uint8Array, start: number, end: number): boolean {
    this.kind = SENDER_ADDRESS;
    if (this.#readPlain(cell, start, end)) return true;
    if (!this.#normalise(cell, start, end) || this.domainStart === this.end) return false;
    this.#hashAddress();
    return true;
  }

  /** The normalised address as a string. */
  text(): string {
    return DECODER.decode(this.bytes.subarray(this.start, this.end));
  }

  #hashAddress(): void {
    const hash = this.#hash;
    hash.bytes(this.bytes, this.start, this.end);
    this.lo = hash.lo;
    this.hi = hash.hi;
  }

  /**
   * The quick way for most cells: an address in normal form and nothing else. Looks at it and hashes it in
   * one pass, so that `lo` and `hi` are set, too. False for any other cell.
   */
  #readPlain(cell: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length < 4 || length > MAX_ADDRESS_BYTES || cell[start] === 0x3c || cell[end - 1] === 0x3e) return false;
    const hash = this.#hash;
    const view = hash.viewOf(cell);
    let lane1 = hash.seed1;
    let lane2 = hash.seed2;
    let at = -1;
    let i = start;
    for (const last = end - 3; i < last; i += 4) {
      const word = view.getInt32(i, true);
      if (!isOrdinary(word)) {
        for (let byte = i; byte < i + 4; byte++) {
          const meaning = CLASSES[cell[byte]];
          if (meaning === AT) at = byte;
          else if (meaning !== ORDINARY) return false;
        }
      }
      const before = lane1;
      lane1 = Math.imul(lane1 ^ word, MULTIPLIER_1) ^ (lane2 >>> 15);
      lane2 = Math.imul(lane2 ^ ((word << 16) | (word >>> 16)), MULTIPLIER_2) ^ (before >>> 13);
    }
    const wordsEnd = i;
    for (; i < end; i++) {
      const meaning = CLASSES[cell[i]];
      if (meaning === AT) at = i;
      else if (meaning !== ORDINARY) return false;
    }
    if (at <= start || at === end - 1 || cell[end - 1] === 0x2e) return false;
    hash.finish(lane1, lane2, wordsEnd < end ? rest(view, cell, start, wordsEnd, end) : 0, length);
    this.lo = hash.lo;
    this.hi = hash.hi;
    this.bytes = cell;
    this.start = start;
    this.end = end;
    this.domainStart = at + 1;
    return true;
  }

  #normalise(cell: Uint8Array, cellStart: number, cellEnd: number): boolean {
    let start = cellStart;
    let end = cellEnd;
    while (start < end && (cell[start] <= 0x20 || cell[start] === 0x3c)) start++;
    while (end > start && (cell[end - 1] <= 0x20 || cell[end - 1] === 0x3e)) end--;
    if (end - start > MAX_ADDRESS_BYTES) return false;
    let at = -1;
    let blank = -1;
    let hasCapitals = false;
    const view = this.#hash.viewOf(cell);
    let i = start;
    let groupEnd = start;
    while (i < end) {
      if (i === groupEnd) {
        if (i + 4 <= end && isOrdinary(view.getInt32(i, true))) {
          i += 4;
          groupEnd = i;
          continue;
        }
        groupEnd = i + 4;
      }
      const meaning = CLASSES[cell[i++]];
      if (meaning === ORDINARY) continue;
      if (meaning === AT) at = i - 1;
      else if (meaning === UPPER) hasCapitals = true;
      else if (meaning === BLANK) blank = i - 1;
      else if (meaning === WIDE) return this.#normaliseWide(cell, start, end);
      else return false;
    }
    while (end > at + 1 && at >= 0 && cell[end - 1] === 0x2e) end--;
    if (!hasCapitals) {
      this.bytes = cell;
      return this.#settle(start, end, at, blank);
    }
    const buffer = this.#buffer;
    this.bytes = buffer;
    for (let i = start, to = 0; i < end; i++, to++) {
      const byte = cell[i];
      buffer[to] = CLASSES[byte] === UPPER ? byte | 0x20 : byte;
    }
    return this.#settle(0, end - start, at < 0 ? -1 : at - start, blank < 0 ? -1 : blank - start);
  }

  /** The slow path: text that is not ASCII. Capitals, composed forms and IDNA need strings. */
  #normaliseWide(cell: Uint8Array, start: number, end: number): boolean {
    const text = DECODER.decode(cell.subarray(start, end)).normalize('NFC').toLowerCase().trim();
    if (/[\p{Cc}\u2028\u2029]/u.test(text)) return false;
    let at = text.lastIndexOf('@');
    let normal = text;
    if (at >= 0) {
      const domain = text.slice(at + 1).replace(/[.\u3002\uff0e\uff61]+$/u, '');
      // What IDNA refuses is still told from other domains, by its spelling.
      normal = text.slice(0, at + 1) + (domainToASCII(domain) || domain);
    }
    this.bytes = this.#buffer;
    const { written } = ENCODER.encodeInto(normal, this.bytes);
    at = this.bytes.subarray(0, written).lastIndexOf(0x40);
    const blank = normal.search(/\s(?=\S*$)/u);
    return this.#settle(0, written, at, blank < 0 ? -1 : ENCODER.encode(normal.slice(0, blank)).length);
  }

  /** Checks what the passes found: the address's bounds, the last `@` and the last blank, -1 where there is none. */
  #settle(start: number, end: number, at: number, blank: number): boolean {
    const bytes = this.bytes;
    this.start = start;
    this.end = end;
    this.domainStart = end;
    if (at < 0) {
      // X.500 names hold blanks: "/o=First Organization/ou=Exchange Administrative Group/cn=...".
      return blank < 0 || (bytes[start] === 0x2f && this.#indexOf(0x3d, start, end) >= 0);
    }
    if (at === start || at === end - 1) return false;
    // Blanks belong into quoted local parts alone, or into the X.500 name that a local part encodes.
    if (blank > at) return false;
    if (blank >= 0 && bytes[start] !== 0x2f && !(bytes[start] === 0x22 && bytes[at - 1] === 0x22)) return false;
    this.domainStart = at + 1;
    return true;
  }

  #isSystemName(localEnd: number): boolean {
    const { bytes, start } = this;
    for (const name of SYSTEM_NAMES) {
      if (name.length !== localEnd - start) continue;
      let i = 0;
      while (i < name.length && bytes[start + i] === name[i]) i++;
      if (i === name.length) return true;
    }
    return false;
  }

  /**
   * Exchange's sender rewriting: `user+SRS=hash=ts=domain=local@here`, or `bounces+SRS=hash=ts@here`,
   * hash of 5 and ts of 2 characters (Microsoft Learn, sender-rewriting-scheme). Hash and time change
   * daily, so the address is reduced to `user@here`, the mailbox that forwards; without a user to `srs@here`.
   */
  #reduceSrs(at: number): void {
    const { bytes, start } = this;
    for (let i = at - 12; i >= start; i--) {
      if (bytes[i] !== 0x73 || bytes[i + 1] !== 0x72 || bytes[i + 2] !== 0x73 || bytes[i + 3] !== 0x3d) continue;
      if (i !== start && (bytes[i - 1] !== 0x2b || i - 1 === start)) continue;
      if (!this.#isSrsTail(i + 4, at)) continue;
      const buffer = this.#buffer;
      const keep = i === start ? 3 : i - 1 - start;
      if (bytes === buffer) {
        buffer.copyWithin(keep, at, this.end);
      } else {
        buffer.set(bytes.subarray(start, start + keep), 0);
        buffer.set(bytes.subarray(at, this.end), keep);
      }
      this.bytes = buffer;
      this.start = 0;
      this.end = keep + this.end - at;
      this.domainStart = keep + 1;
      this.kind = SENDER_SRS;
      return;
    }
  }

  /** `hash=ts` and perhaps `=domain=local`, from `start` to the `@`. */
  #isSrsTail(start: number, at: number): boolean {
    const bytes = this.bytes;
    const time = start + 6;
    if (at < time + 2 || bytes[start + 5] !== 0x3d) return false;
    for (let i = start; i < start + 5; i++) if (bytes[i] === 0x3d) return false;
    if (bytes[time] === 0x3d || bytes[time + 1] === 0x3d) return false;
    if (at === time + 2) return true;
    if (bytes[time + 2] !== 0x3d || bytes[time + 3] === 0x3d) return false;
    const split = this.#indexOf(0x3d, time + 3, at);
    return split > 0 && split < at - 1;
  }

  #indexOf(byte: number, start: number, end: number): number {
    for (let i = start; i < end; i++) if (this.bytes[i] === byte) return i;
    return -1;
  }
}

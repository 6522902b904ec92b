/**
 * Bytes that are no UTF-8 in a file that mostly is: each becomes a question mark, in place, so that every
 * reader sees the same text and offsets stay what they are in the file. Exports of Windows PowerShell
 * have them where `-Append` mixed encodings.
 */

import { isUtf8 } from 'node:buffer';

const QUESTION_MARK = 0x3f;

export class Utf8Mender {
  /** Bytes replaced so far. */
  replaced = 0;
  /** The beginning of a character that the end of a chunk cut; at most three bytes. */
  #cut = new Uint8Array(0);

  /** Mends the next chunk in place and gives its parts, in order: each ends between two characters. */
  mend(chunk: Uint8Array): Uint8Array[] {
    let start = 0;
    const parts: Uint8Array[] = [];
    if (this.#cut.length > 0) {
      // The character that the last chunk began is at most three bytes longer.
      while (start < chunk.length && start < 3 && (chunk[start] & 0xc0) === 0x80) start++;
      const joined = new Uint8Array(this.#cut.length + start);
      joined.set(this.#cut, 0);
      joined.set(chunk.subarray(0, start), this.#cut.length);
      if (start === chunk.length && joined.length <= 3) {
        this.#cut = joined;
        return parts;
      }
      this.#mendPart(joined);
      parts.push(joined);
    }
    const end = chunk.length - cutLength(chunk, start);
    this.#cut = new Uint8Array(chunk.subarray(end));
    const whole = chunk.subarray(start, end);
    if (whole.length > 0) {
      this.#mendPart(whole);
      parts.push(whole);
    }
    return parts;
  }

  /** What is left at the end of the file: a character that was cut there, as question marks. */
  finish(): Uint8Array {
    const rest = this.#cut;
    this.#cut = new Uint8Array(0);
    this.#mendPart(rest);
    return rest;
  }

  #mendPart(bytes: Uint8Array): void {
    if (isUtf8(bytes)) return;
    let i = 0;
    while (i < bytes.length) {
      const length = characterLength(bytes, i);
      if (length === 0) {
        bytes[i] = QUESTION_MARK;
        this.replaced += 1;
      }
      i += Math.max(length, 1);
    }
  }
}

/** Length of the character that the end of the bytes cuts; 0 where they end between two. */
function cutLength(bytes: Uint8Array, start: number): number {
  for (let back = 1; back <= 3 && bytes.length - back >= start; back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0;
  }
  return 0;
}

/** Length of the well-formed character at `i` (Unicode, table 3-7); 0 where there is none. */
function characterLength(bytes: Uint8Array, i: number): number {
  const first = bytes[i];
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (i + length > bytes.length) return 0;
  for (let k = 1; k < length; k++) if ((bytes[i + k] & 0xc0) !== 0x80) return 0;
  const second = bytes[i + 1];
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return length;
}

/** The bytes of a stream that a reader still needs: those of the record that it is in, and what was pushed last. */

import { Buffer } from 'node:buffer';
import type { StoredLength } from './encoding.ts';

/** Bytes are taken over in pieces of this size, so that the buffer holds one record and one piece. */
export const PIECE_BYTES = 65_536;

export interface WindowStart {
  /** Stored offset of the first byte pushed. */
  startOffset: number;
  /** Physical line of the first byte pushed, from 1. */
  startLine: number;
  /** The decoder's. */
  storedLength: StoredLength;
}

/** Bytes `[mark, end)` are kept, those before `at` are read. */
export abstract class ByteWindow {
  protected bytes = Buffer.allocUnsafe(2 * PIECE_BYTES);
  protected mark = 0;
  protected at = 0;
  protected end = 0;
  /** Stored offset and physical line of the byte at `mark`; position in the decoded stream of index 0. */
  protected offset: number;
  protected line: number;
  protected position = 0;
  protected readonly storedLength: StoredLength;

  constructor({ startOffset, startLine, storedLength }: WindowStart) {
    this.offset = startOffset;
    this.line = startLine;
    this.storedLength = storedLength;
  }

  /** Reads on as far as the bytes go. */
  protected abstract scan(): void;

  /** The kept bytes moved to the front by so many: indices that a reader remembers move too. */
  protected abstract moved(by: number): void;

  push(bytes: Uint8Array, start: number, end: number): void {
    for (let next = start; next < end; next += PIECE_BYTES) {
      this.append(bytes, next, Math.min(end, next + PIECE_BYTES));
      this.scan();
    }
  }

  /** Moves `mark` and `at` to an index, counting lines and stored bytes on the way. */
  protected advance(to: number): void {
    const { bytes, mark } = this;
    for (let at = mark; at < to; at += 1) if (bytes[at] === LINE_FEED) this.line += 1;
    this.offset += this.storedLength(bytes, mark, to);
    this.mark = to;
    this.at = to;
  }

  /** Adds bytes to those that are kept, moving these to the front only when the buffer is full. */
  private append(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.mark === this.end || this.end + length > this.bytes.length) {
      const { bytes: from, mark } = this;
      const kept = this.end - mark;
      if ((kept + length) * 2 > from.length) this.bytes = Buffer.allocUnsafe((kept + length) * 2);
      if (kept > 0) this.bytes.set(from.subarray(mark, this.end), 0);
      this.mark = 0;
      this.at -= mark;
      this.position += mark;
      this.end = kept;
      this.moved(mark);
    }
    this.bytes.set(bytes.subarray(start, end), this.end);
    this.end += length;
  }
}

const LINE_FEED = 0x0a;

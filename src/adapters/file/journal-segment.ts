/**
 * A file of a journal: entries one after the other, each
 *
 *     length   4 bytes, of what follows the checksum
 *     crc32    4 bytes, of the same
 *     appended 8 bytes, wall time in milliseconds, a double
 *     header   4 bytes, the length of the envelope's header; then the header, then the body
 *
 * with numbers in little-endian. The file's name is the offset of its first entry.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { EncodedEnvelope } from '../../core/envelope-codec.ts';

const FRAME_BYTES = 8;
const PREFIX_BYTES = 12;
/** More than the largest envelope: an envelope's header has at most 1 MiB and its payload less than 3. */
const LARGEST_ENTRY_BYTES = 8_388_608;

const NAME = /^(\d{16})\.log$/;

export function segmentName(base: number): string {
  return `${String(base).padStart(16, '0')}.log`;
}

/** The offset of the first entry of a segment; null for names of other files. */
export function segmentBase(name: string): number | null {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

export function encodeEntry({ header, body }: EncodedEnvelope, appendedMs: number): Buffer {
  const entry = Buffer.allocUnsafe(FRAME_BYTES + PREFIX_BYTES + header.length + body.length);
  entry.writeUInt32LE(entry.length - FRAME_BYTES, 0);
  entry.writeDoubleLE(appendedMs, FRAME_BYTES);
  entry.writeUInt32LE(header.length, FRAME_BYTES + 8);
  entry.set(header, FRAME_BYTES + PREFIX_BYTES);
  entry.set(body, FRAME_BYTES + PREFIX_BYTES + header.length);
  entry.writeUInt32LE(crc32(entry.subarray(FRAME_BYTES)), 4);
  return entry;
}

/** An entry as it stands in its file. `parts` is null where its checksum does not match. */
export interface FoundEntry {
  parts: (EncodedEnvelope & { appendedMs: number }) | null;
  bytes: Uint8Array;
  /** Where the next one begins. */
  next: number;
}

export class SegmentReader {
  readonly base: number;
  readonly #handle: FileHandle;

  private constructor(base: number, handle: FileHandle) {
    this.base = base;
    this.#handle = handle;
  }

  static async open(file: string, base: number): Promise<SegmentReader> {
    return new SegmentReader(base, await open(file, 'r'));
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  /** The entry at a position; null where the bytes before `end` hold none, whole or damaged. */
  async entryAt(position: number, end: number): Promise<FoundEntry | null> {
    const next = await this.skip(position, end);
    if (next === null) return null;
    const bytes = await this.#read(position, next - position);
    const rest = bytes.subarray(FRAME_BYTES);
    const headerLength = bytes.readUInt32LE(FRAME_BYTES + 8);
    if (crc32(rest) !== bytes.readUInt32LE(4) || PREFIX_BYTES + headerLength > rest.length) {
      return { parts: null, bytes, next };
    }
    const header = rest.subarray(PREFIX_BYTES, PREFIX_BYTES + headerLength);
    const body = rest.subarray(PREFIX_BYTES + headerLength);
    return { parts: { header, body, appendedMs: bytes.readDoubleLE(FRAME_BYTES) }, bytes, next };
  }

  /** Where the entry at a position ends, without a look at its bytes. */
  async skip(position: number, end: number): Promise<number | null> {
    if (position + FRAME_BYTES + PREFIX_BYTES > end) return null;
    const length = (await this.#read(position, 4)).readUInt32LE(0);
    if (length < PREFIX_BYTES || length > LARGEST_ENTRY_BYTES) return null;
    const next = position + FRAME_BYTES + length;
    return next > end ? null : next;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #read(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes;
  }
}

/**
 * Where the entries of the newest segment end: what a killed process had not written to its end is no entry. One that
 * is damaged although others follow it was whole once, and is counted.
 */
export async function findEnd(reader: SegmentReader): Promise<{ entries: number; position: number }> {
  const size = await reader.size();
  let whole = { entries: 0, position: 0 };
  let { entries, position } = whole;
  for (;;) {
    const found = await reader.entryAt(position, size);
    if (found === null) return whole;
    entries += 1;
    position = found.next;
    if (found.parts !== null) whole = { entries, position };
  }
}

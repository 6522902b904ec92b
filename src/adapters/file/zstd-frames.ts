/**
 * Where the frames of a zstd file lie. Node's decompressor ends after one frame, but a file may have any number
 * of them, and frames to be skipped in between (RFC 8878, 3.1): `zstd -T0`, `cat a.zst b.zst` and seekable
 * archives write several. Frames carry no length, so the headers of their blocks are walked through.
 */

import type { FileHandle } from 'node:fs/promises';

const ZSTD_MAGIC = 0xfd2fb528;
/** 0x184d2a50 to 0x184d2a5f. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const LONGEST_HEADER_BYTES = 18;
const CHECKSUM_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;
/** Bytes read at once: blocks are at most 128 KiB long, so one read serves one or more. */
const READ_BYTES = 65_536;

export interface StoredRange {
  start: number;
  /** One past the last byte. */
  end: number;
}

/** The first four bytes of a frame, with data or to be skipped, as a little-endian number. */
export function isZstdMagic(magic: number): boolean {
  return magic === ZSTD_MAGIC || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return (magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC;
}

/** The frames with data, in order. Rejects with a message for people where the file is damaged or cut. */
export async function* zstdFrames(handle: FileHandle, bytes: number): AsyncGenerator<StoredRange> {
  const window = new Window(handle, bytes);
  let at = 0;
  while (at < bytes) {
    const magic = (await window.read(at, 4)).readUInt32LE(0);
    if (isSkippable(magic)) {
      at += 8 + (await window.read(at + 4, 4)).readUInt32LE(0);
      if (at > bytes) throw cut();
      continue;
    }
    if (magic !== ZSTD_MAGIC) throw new Error(`at byte ${at} is no zstd frame`);
    const end = await endOfFrame(window, at);
    if (end > bytes) throw cut();
    yield { start: at, end };
    at = end;
  }
}

async function endOfFrame(window: Window, start: number): Promise<number> {
  const descriptor = (await window.read(start + 4, 1))[0];
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeFlag = descriptor >>> 6;
  const contentSizeBytes = contentSizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << contentSizeFlag;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3];
  let at = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes;
  for (let isLast = false; !isLast; ) {
    const header = (await window.read(at, BLOCK_HEADER_BYTES)).readUIntLE(0, BLOCK_HEADER_BYTES);
    isLast = (header & 1) !== 0;
    const kind = (header >>> 1) & 3;
    if (kind === RESERVED_BLOCK) throw new Error(`at byte ${at} is no zstd block`);
    at += BLOCK_HEADER_BYTES + (kind === RLE_BLOCK ? 1 : header >>> 3);
  }
  return at + ((descriptor & 4) !== 0 ? CHECKSUM_BYTES : 0);
}

function cut(): Error {
  return new Error('it ends in the middle of a frame');
}

/** A piece of the file in memory. */
class Window {
  readonly #handle: FileHandle;
  readonly #bytes: number;
  readonly #buffer = Buffer.alloc(READ_BYTES + LONGEST_HEADER_BYTES);
  #start = 0;
  #length = 0;

  constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle;
    this.#bytes = bytes;
  }

  async read(at: number, length: number): Promise<Buffer> {
    if (at + length > this.#bytes) throw cut();
    if (at < this.#start || at + length > this.#start + this.#length) {
      this.#start = at;
      this.#length = (await this.#handle.read(this.#buffer, 0, this.#buffer.length, at)).bytesRead;
      if (this.#length < length) throw cut();
    }
    return this.#buffer.subarray(at - this.#start, at - this.#start + length);
  }
}

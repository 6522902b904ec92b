/**
 * Files of zstd frames that can be read from the middle: the seekable format of zstd (facebook/zstd,
 * contrib/seekable_format/zstd_seekable_compression_format.md). Every frame is compressed for itself and carries
 * its own checksum; a table of their sizes follows in a frame that decompressors skip, so `zstd -d` reads the
 * files too.
 */

import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';

/** Bytes in a frame before compression; fewer in the last one. */
export const FRAME_BYTES = 1_048_576;

const SKIPPABLE_MAGIC = 0x184d2a5e;
const SEEKABLE_MAGIC = 0x8f92eab1;
const SKIPPABLE_HEADER_BYTES = 8;
const ENTRY_BYTES = 8;
const FOOTER_BYTES = 9;
/** Zstd makes incompressible data longer by less than that (ZSTD_COMPRESSBOUND). */
const LARGEST_COMPRESSED_BYTES = FRAME_BYTES + 65_536;
/** A table of so many frames is one of a terabyte. */
const MOST_FRAMES = 1_048_576;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const COMPRESSION = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

export function compressFrame(bytes: Uint8Array): Promise<Buffer> {
  return compress(bytes, COMPRESSION);
}

/** The table that ends a file; `sizes` are those of each frame, compressed and not, in turn. */
export function encodeSeekTable(sizes: readonly number[]): Buffer {
  const frames = sizes.length / 2;
  const table = Buffer.alloc(SKIPPABLE_HEADER_BYTES + frames * ENTRY_BYTES + FOOTER_BYTES);
  table.writeUInt32LE(SKIPPABLE_MAGIC, 0);
  table.writeUInt32LE(table.length - SKIPPABLE_HEADER_BYTES, 4);
  for (const [index, size] of sizes.entries()) table.writeUInt32LE(size, SKIPPABLE_HEADER_BYTES + index * 4);
  table.writeUInt32LE(frames, table.length - FOOTER_BYTES);
  // The descriptor byte before the magic number stays 0: no checksums in the table.
  table.writeUInt32LE(SEEKABLE_MAGIC, table.length - 4);
  return table;
}

/** Where the frames of a file begin, stored and decompressed; one place more than frames: the ends. */
export interface SeekTable {
  stored: Float64Array;
  plain: Float64Array;
}

/** What is wrong with a file, for a person. */
export class SeekableProblem extends Error {}

export async function readSeekTable(handle: FileHandle): Promise<SeekTable> {
  const { size } = await handle.stat();
  const footer = await readExactly(handle, Math.max(0, size - FOOTER_BYTES), FOOTER_BYTES);
  const frames = footer.readUInt32LE(0);
  const length = SKIPPABLE_HEADER_BYTES + frames * ENTRY_BYTES + FOOTER_BYTES;
  if (footer.readUInt32LE(5) !== SEEKABLE_MAGIC || footer[4] !== 0 || frames > MOST_FRAMES || length > size) {
    throw new SeekableProblem('it does not end with a table of its frames');
  }
  const table = await readExactly(handle, size - length, length);
  const stored = new Float64Array(frames + 1);
  const plain = new Float64Array(frames + 1);
  for (let frame = 0; frame < frames; frame++) {
    const at = SKIPPABLE_HEADER_BYTES + frame * ENTRY_BYTES;
    const [compressed, decompressed] = [table.readUInt32LE(at), table.readUInt32LE(at + 4)];
    if (compressed > LARGEST_COMPRESSED_BYTES || decompressed > FRAME_BYTES) {
      throw new SeekableProblem('the table of its frames names impossible sizes');
    }
    stored[frame + 1] = stored[frame] + compressed;
    plain[frame + 1] = plain[frame] + decompressed;
  }
  if (table.readUInt32LE(0) !== SKIPPABLE_MAGIC || stored[frames] !== size - length) {
    throw new SeekableProblem('the table of its frames does not fit its size');
  }
  return { stored, plain };
}

/** The bytes of one frame, checked. */
export async function readFrame(handle: FileHandle, { stored, plain }: SeekTable, frame: number): Promise<Buffer> {
  const length = plain[frame + 1] - plain[frame];
  const compressed = await readExactly(handle, stored[frame], stored[frame + 1] - stored[frame]);
  let bytes: Buffer;
  try {
    bytes = await decompress(compressed, { maxOutputLength: Math.max(1, length) });
  } catch {
    throw new SeekableProblem(`frame ${frame} cannot be decompressed`);
  }
  if (bytes.length !== length) throw new SeekableProblem(`frame ${frame} has ${bytes.length} bytes, not ${length}`);
  return bytes;
}

/** The frame that holds a decompressed offset. */
export function frameAt({ plain }: SeekTable, offset: number): number {
  let low = 0;
  let high = plain.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (plain[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) throw new SeekableProblem('it is shorter than it was');
    filled += bytesRead;
  }
  return bytes;
}

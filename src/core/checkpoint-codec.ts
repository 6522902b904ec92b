/**
 * The frame around everything that a checkpoint store keeps: what it is, which schema wrote it, for
 * which generation, how long it is, and a CRC over all of that.
 *
 *     0  4  "RWCK"
 *     4  2  schema
 *     6  2  kind: 1 manifest, 2 part
 *     8  8  generation; of a part always 0
 *    16  8  bytes that follow the frame
 *    24  4  CRC-32 of bytes 0 to 23 and of what follows
 *
 * Numbers are little-endian. Magic and schema stay where they are in every schema to come.
 */

import { crc32 } from 'node:zlib';
import { CHECKPOINT_SCHEMA, type StoredManifest } from './checkpoint.ts';
import { RelaywatchError } from './outcome.ts';

export const FRAME_BYTES = 28;
const MAGIC = 0x4b435752;
const CRC_AT = 24;
const KINDS = { manifest: 1, part: 2 } as const;
export type FrameKind = keyof typeof KINDS;

/** The frame alone, to be written before `bytes`: a large part is not copied for it. */
export function encodeFrame(kind: FrameKind, generation: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES);
  const view = new DataView(frame.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, CHECKPOINT_SCHEMA, true);
  view.setUint16(6, KINDS[kind], true);
  view.setBigInt64(8, BigInt(generation), true);
  view.setBigUint64(16, BigInt(bytes.length), true);
  view.setUint32(CRC_AT, crcOf(frame, bytes), true);
  return frame;
}

/** Frame and bytes in one piece. */
export function framed(kind: FrameKind, generation: number, bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(FRAME_BYTES + bytes.length);
  whole.set(encodeFrame(kind, generation, bytes));
  whole.set(bytes, FRAME_BYTES);
  return whole;
}

/**
 * What is inside a frame, without copying it. `where` names the value for people.
 * @throws RelaywatchError `checkpoint_damaged`, or `checkpoint_newer` for a schema that this program does not know.
 */
export function decodeFrame(kind: FrameKind, stored: Uint8Array, where: string): StoredManifest {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  if (stored.length < FRAME_BYTES) throw damaged(where, `it has ${stored.length} bytes, and its frame ${FRAME_BYTES}`);
  if (view.getUint32(0, true) !== MAGIC) throw damaged(where, 'it does not begin as a checkpoint does');
  const schema = view.getUint16(4, true);
  // Before the CRC, which a newer schema may compute over something else.
  if (schema > CHECKPOINT_SCHEMA) {
    throw new RelaywatchError({
      code: 'checkpoint_newer',
      message: `${where} has schema ${schema}, and this worker knows ${CHECKPOINT_SCHEMA}: made by a newer relaywatch`,
      hint: 'Upgrade this worker to the version that made it.',
    });
  }
  // No Buffer, whatever `stored` is: its methods of the same name do other things.
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset + FRAME_BYTES, stored.length - FRAME_BYTES);
  const length = Number(view.getBigUint64(16, true));
  if (length !== bytes.length) throw damaged(where, `${bytes.length} bytes are there instead of ${length}`);
  const crc = crcOf(stored, bytes);
  if (view.getUint32(CRC_AT, true) !== crc) throw damaged(where, 'its CRC-32 is wrong');
  if (schema !== CHECKPOINT_SCHEMA) throw damaged(where, `no relaywatch wrote schema ${schema}`);
  if (view.getUint16(6, true) !== KINDS[kind]) throw damaged(where, `it is no ${kind}`);
  return { generation: Number(view.getBigInt64(8, true)), bytes };
}

/** Whether a stored part has to be put again. A damaged one is as good as none, or a checkpoint would never heal. */
export function isDamagedPart(stored: Uint8Array, where: string): boolean {
  try {
    decodeFrame('part', stored, where);
    return false;
  } catch (error) {
    if (error instanceof RelaywatchError && error.code === 'checkpoint_damaged') return true;
    throw error;
  }
}

/** Bytes of the whole value, frame included, as its first bytes tell; null where they are no frame. */
export function framedLength(start: Uint8Array): number | null {
  if (start.length < FRAME_BYTES) return null;
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return null;
  return FRAME_BYTES + Number(view.getBigUint64(16, true));
}

function crcOf(frame: Uint8Array, bytes: Uint8Array): number {
  return crc32(bytes, crc32(frame.subarray(0, CRC_AT)));
}

function damaged(where: string, why: string): RelaywatchError {
  return new RelaywatchError({
    code: 'checkpoint_damaged',
    message: `${where} is damaged: ${why}`,
    hint: 'Look for what damaged it (disk, memory, another program). Delete the checkpoint and start the worker again: it reads again what the log still has.',
  });
}

/**
 * Envelopes as bytes: a header in JSON and the payload compressed with zstd. Two checksums guard them, since
 * neither kafkajs (protocol/recordBatch/v0/decoder.js) nor a folder checks what it gives back: `crc32` is that of the payload, `check`
 * that of the header before it and the compressed payload. `check` ends the header in every schema, so
 * that a damaged header is never mistaken for one of a newer schema.
 */

import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ENVELOPE_SCHEMA, type Envelope, LARGEST_PAYLOAD_BYTES } from './envelope.ts';
import { HeaderProblem, readHeader } from './envelope-header.ts';
import { RelaywatchError } from './outcome.ts';

/** Bytes of an envelope; `body` is empty where the payload is. */
export interface EncodedEnvelope {
  header: Uint8Array;
  body: Uint8Array;
}

const LARGEST_HEADER_BYTES = 1_048_576;
/** The largest payload fits into a window of 2^22 bytes: a frame that asks for more memory is refused. */
const LARGEST_WINDOW_LOG = 22;
/** Node takes no smaller one. */
const LEAST_CHUNK_BYTES = 64;

const CHECK_FIELD = ',"check":"';
const AFTER_CHECK = '"}';
const CHECK_CHARACTERS = 8;
const HEX_32 = /^[0-9a-f]{8}$/;
const NO_BYTES = new Uint8Array(0);
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Throws a RelaywatchError (`envelope_too_large`) for what could never be read again. */
export function encodeEnvelope({ header, payload }: Envelope): EncodedEnvelope {
  const fields = JSON.stringify({ ...header, length: payload.length, crc32: hex(crc32(payload)) });
  const guarded = ENCODER.encode(`${fields.slice(0, -1)}${CHECK_FIELD}`);
  const sealed = guarded.length + CHECK_CHARACTERS + AFTER_CHECK.length;
  if (payload.length > LARGEST_PAYLOAD_BYTES || sealed > LARGEST_HEADER_BYTES) {
    throw new RelaywatchError({
      code: 'envelope_too_large',
      message: `an envelope of ${header.file.name} has ${payload.length} bytes and a header of ${sealed}; ${LARGEST_PAYLOAD_BYTES} and ${LARGEST_HEADER_BYTES} are the most`,
      hint: 'the export has a record or column names beyond all bounds: look at the file',
    });
  }
  const body = payload.length === 0 ? NO_BYTES : zstdCompressSync(payload, COMPRESSION);
  const encoded = new Uint8Array(sealed);
  encoded.set(guarded);
  ENCODER.encodeInto(`${hex(crc32(body, crc32(guarded)))}${AFTER_CHECK}`, encoded.subarray(guarded.length));
  return { header: encoded, body };
}

const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/**
 * The envelope that was encoded. Throws a RelaywatchError: `envelope_damaged` for bytes that are no envelope,
 * `envelope_newer` for one of a schema that this version does not know. Memory is bounded whatever the bytes are.
 */
export function decodeEnvelope(header: Uint8Array, body: Uint8Array): Envelope {
  const fields = parseHeader(header, body);
  const { schema } = fields;
  if (typeof schema === 'number' && schema > ENVELOPE_SCHEMA) {
    throw new RelaywatchError({
      code: 'envelope_newer',
      message: `an envelope has schema ${schema}; this version reads up to ${ENVELOPE_SCHEMA}`,
      hint: 'a newer version writes to this log: upgrade this worker too',
    });
  }
  try {
    const read = readHeader(fields);
    return { header: read, payload: inflate(body, fields.length, fields.crc32) };
  } catch (error) {
    if (error instanceof HeaderProblem) throw damaged(error.message);
    throw error;
  }
}

function parseHeader(header: Uint8Array, body: Uint8Array): Record<string, unknown> {
  if (header.length > LARGEST_HEADER_BYTES) throw damaged(`its header has more than ${LARGEST_HEADER_BYTES} bytes`);
  const end = header.length - AFTER_CHECK.length - CHECK_CHARACTERS;
  const guarded = header.subarray(0, Math.max(0, end));
  let text: string;
  try {
    text = DECODER.decode(header);
  } catch {
    throw damaged('its header is no UTF-8');
  }
  const check = text.slice(-(AFTER_CHECK.length + CHECK_CHARACTERS), -AFTER_CHECK.length);
  if (!text.endsWith(`${CHECK_FIELD}${check}${AFTER_CHECK}`) || !HEX_32.test(check)) {
    throw damaged('its header does not end with a checksum');
  }
  if (check !== hex(crc32(body, crc32(guarded)))) throw damaged('its checksum does not match its bytes');
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw damaged('its header is no JSON');
  }
}

function inflate(body: Uint8Array, length: unknown, expected: unknown): Uint8Array {
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 0 || length > LARGEST_PAYLOAD_BYTES) {
    throw damaged(`its length is no whole number from 0 to ${LARGEST_PAYLOAD_BYTES}`);
  }
  if ((length === 0) !== (body.length === 0)) throw damaged('its length does not match its bytes');
  const payload = length === 0 ? new Uint8Array(0) : decompress(body, length);
  if (payload.length !== length) throw damaged(`it holds ${payload.length} bytes where its header says ${length}`);
  if (hex(crc32(payload)) !== expected) throw damaged('the checksum of its payload does not match');
  return payload;
}

function decompress(body: Uint8Array, length: number): Uint8Array {
  try {
    const params = { [constants.ZSTD_d_windowLogMax]: LARGEST_WINDOW_LOG };
    // All of it in one piece: a third less work than in pieces of 16 KiB.
    return zstdDecompressSync(body, { chunkSize: length + LEAST_CHUNK_BYTES, maxOutputLength: length, params });
  } catch {
    throw damaged(`its payload is not ${length} bytes compressed with zstd`);
  }
}

function damaged(problem: string): RelaywatchError {
  return new RelaywatchError({
    code: 'envelope_damaged',
    message: `the entry is no envelope: ${problem}`,
    hint: 'something else writes to this log, or the bytes were damaged: submit the export again',
  });
}

/** 32 bits as 8 hex digits. */
function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

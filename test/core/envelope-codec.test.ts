/** The codec gives back what it was given, or says what is wrong. `RELAYWATCH_SEED=N` repeats a run. */

import { crc32, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Envelope,
  type EnvelopeHeader,
  type FileEndHeader,
  LARGEST_PAYLOAD_BYTES,
  type RowsHeader,
} from '../../src/core/envelope.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/core/envelope-codec.ts';
import { RelaywatchError } from '../../src/core/outcome.ts';

const SEED = Number(process.env.RELAYWATCH_SEED ?? Math.floor(Math.random() * 2 ** 31));

const ROWS: RowsHeader = {
  kind: 'rows',
  schema: 1,
  tenant: 'contoso',
  file: { id: 'ab'.repeat(32), name: 'März 2026.csv' },
  layout: {
    format: 'message-trace',
    encoding: 'utf-8',
    shape: 'csv',
    delimiter: 44,
    columns: ['Received', 'Sender address'],
    dateOrder: 'mdy',
  },
  offset: 1_234_567_890_123,
  line: 42,
  records: 2,
};
const END: FileEndHeader = {
  kind: 'file_end',
  schema: 1,
  tenant: 'contoso',
  file: ROWS.file,
  ledger: {
    path: 'März 2026.csv',
    sha256: 'ab'.repeat(32),
    bytes: 12,
    format: null,
    encoding: 'utf-8',
    delimiter: null,
    date_order: null,
    records: 3,
    refused: { code: 'binary', message: 'it is a picture' },
    warnings: ['two columns have the same name'],
  },
};

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A header with a right check, whatever it says. */
function sealed(fields: object, body: Uint8Array): Uint8Array {
  const guarded = bytes(`${JSON.stringify(fields).slice(0, -1)},"check":"`);
  const check = crc32(body, crc32(guarded)).toString(16).padStart(8, '0');
  return Buffer.concat([guarded, bytes(`${check}"}`)]);
}

function problemOf(header: Uint8Array, body: Uint8Array): { code: string; message: string } {
  try {
    decodeEnvelope(header, body);
  } catch (error) {
    if (!(error instanceof RelaywatchError)) throw error;
    expect(error.hint).not.toBe('');
    return { code: error.code, message: error.message };
  }
  throw new Error('it was taken for an envelope');
}

/** Positions of records have 44 bits, and the last one may be at the end of the largest payload. */
const LARGEST_START = 2 ** 44 - 1 - LARGEST_PAYLOAD_BYTES;

const refusal = { code: 'too_long', reason: 'a record may have 1048576 bytes', offset: 7, length: 9, line: 3 } as const;
const envelopes: fc.Arbitrary<Envelope> = fc.record({
  header: fc.constantFrom<EnvelopeHeader>(
    ROWS,
    END,
    { ...ROWS, wrappers: 2, refusal },
    { ...ROWS, tenant: '"\u2028é' },
  ),
  payload: fc.oneof(fc.uint8Array({ maxLength: 600 }), fc.string({ maxLength: 300 }).map(bytes)),
});

describe(`envelopes as bytes (seed ${SEED})`, () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const { header, body } = encodeEnvelope(envelope);
        const decoded = decodeEnvelope(header, body);
        expect(decoded.header).toEqual(envelope.header);
        expect(Buffer.compare(decoded.payload, envelope.payload)).toBe(0);
      }),
      { seed: SEED },
    );
  });

  test('are refused with any byte changed, cut or added', () => {
    const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const change = fc.record({ place, flip: fc.integer({ min: 1, max: 255 }) });
    fc.assert(
      fc.property(envelopes, change, fc.constantFrom('flip', 'cut', 'add'), (envelope, { place, flip }, how) => {
        const { header, body } = encodeEnvelope(envelope);
        const all = Buffer.concat([header, body]);
        const at = Math.floor(place * all.length);
        const between = how === 'cut' ? [] : [how === 'flip' ? all[at] ^ flip : flip];
        const broken = Buffer.concat([
          all.subarray(0, at),
          Uint8Array.from(between),
          all.subarray(how === 'add' ? at : at + 1),
        ]);
        const split = header.length + (at < header.length ? broken.length - all.length : 0);
        expect(problemOf(broken.subarray(0, split), broken.subarray(split)).code).toBe('envelope_damaged');
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  test('are refused when they are anything at all', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (header, body) => {
        expect(problemOf(header, body).code).toBe('envelope_damaged');
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  test('hold whatever JSON with a right checksum to the shape of a header', () => {
    const keys = ['kind', 'schema', 'tenant', 'file', 'layout', 'offset', 'records', 'ledger', 'length', 'crc32'];
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.jsonValue(), fc.boolean(), (key, value, end) => {
        const length = { length: 0, crc32: '00000000' };
        const header = sealed({ ...(end ? END : ROWS), ...length, [key]: value }, bytes(''));
        try {
          decodeEnvelope(header, bytes(''));
        } catch (error) {
          expect(error).toBeInstanceOf(RelaywatchError);
        }
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });
});

describe('an envelope', () => {
  const body = zstdCompressSync(bytes('a,b'));
  const checks = { length: 3, crc32: crc32(bytes('a,b')).toString(16).padStart(8, '0') };

  test('begins where its last record still has a position', () => {
    const last = { ...ROWS, offset: LARGEST_START };
    expect(decodeEnvelope(sealed({ ...last, ...checks }, body), body).header).toEqual(last);
  });

  test('may have fields that nobody knows', () => {
    const { header } = decodeEnvelope(sealed({ ...ROWS, ...checks, later: { on: true } }, body), body);
    expect(header).toEqual(ROWS);
  });

  test('of a newer schema is told from a damaged one', () => {
    const newer = sealed({ kind: 'unheard-of', schema: 2 }, body);
    expect(problemOf(newer, body)).toEqual({
      code: 'envelope_newer',
      message: 'an envelope has schema 2; this version reads up to 1',
    });
    newer[newer.indexOf(0x32)] += 1;
    expect(problemOf(newer, body).code).toBe('envelope_damaged');
  });

  test.each([
    [{ tenant: '' }, 'its tenant is empty'],
    [{ tenant: 7 }, 'its tenant is no text'],
    [{ tenant: 'x'.repeat(257) }, 'its tenant is longer than 256 characters'],
    [{ kind: 'row' }, 'its kind is none of rows, file_end'],
    [{ file: null }, 'its file is no object'],
    [{ file: { id: 'AB'.repeat(32), name: '' } }, 'its file.id is no SHA-256 in lower-case hex'],
    [{ offset: -1 }, `its offset is no whole number from 0 to ${LARGEST_START}`],
    [{ offset: LARGEST_START + 1 }, `its offset is no whole number from 0 to ${LARGEST_START}`],
    [{ refusal: { ...refusal, offset: 2 ** 44 } }, `its refusal.offset is no whole number from 0 to ${2 ** 44 - 1}`],
    [{ records: 1.5 }, 'its records is no whole number from 0 to 9007199254740991'],
    [{ layout: { ...ROWS.layout, columns: ['a', 1] } }, 'its layout.columns is no list of texts'],
    [{ layout: { ...ROWS.layout, dateOrder: 'dym' } }, 'its layout.dateOrder is none of mdy, dmy, ymd'],
    [{ refusal: { ...refusal, code: 'ugly' } }, 'its refusal.code is none of '],
    [{ length: LARGEST_PAYLOAD_BYTES + 1 }, `its length is no whole number from 0 to ${LARGEST_PAYLOAD_BYTES}`],
    [{ length: 0 }, 'its length does not match its bytes'],
    [{ length: 4 }, 'it holds 3 bytes where its header says 4'],
    [{ crc32: '00000000' }, 'the checksum of its payload does not match'],
  ])('with %j is refused', (change, problem) => {
    const { code, message } = problemOf(sealed({ ...ROWS, ...checks, ...change }, body), body);
    expect(code).toBe('envelope_damaged');
    expect(message).toContain(`the entry is no envelope: ${problem}`);
  });

  test('that grows beyond its length is not inflated any further', () => {
    const bomb = zstdCompressSync(new Uint8Array(64 << 20));
    const before = process.memoryUsage().arrayBuffers;
    const header = sealed({ ...ROWS, ...checks, length: 1_000 }, bomb);
    expect(problemOf(header, bomb).message).toContain('not 1000 bytes compressed with zstd');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
  });

  test('that could not be read again is not written', () => {
    const payload = new Uint8Array(LARGEST_PAYLOAD_BYTES + 1);
    expect(() => encodeEnvelope({ header: ROWS, payload })).toThrow('an envelope of März 2026.csv has');
    const { header, body } = encodeEnvelope({ header: ROWS, payload: payload.subarray(1) });
    expect(decodeEnvelope(header, body).payload.length).toBe(LARGEST_PAYLOAD_BYTES);
  });
});

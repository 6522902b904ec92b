/** The frame of checkpoints: nothing that was changed on its way passes for the original. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHECKPOINT_SCHEMA } from '../../src/core/checkpoint.ts';
import { decodeFrame, encodeFrame, FRAME_BYTES, framed, framedLength } from '../../src/core/checkpoint-codec.ts';

const BYTES = new TextEncoder().encode('sealed days, open days, and where to read on');

describe('the frame of a checkpoint', () => {
  test('gives back the bytes and the generation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.maxSafeNat(), (bytes, generation) => {
        expect(decodeFrame('manifest', framed('manifest', generation, bytes), 'it')).toEqual({ generation, bytes });
      }),
    );
  });

  test('stands alone too, for large parts', () => {
    const frame = encodeFrame('part', 0, BYTES);
    expect(frame.length).toBe(FRAME_BYTES);
    expect(framed('part', 0, BYTES)).toEqual(Uint8Array.of(...frame, ...BYTES));
    expect(framedLength(frame)).toBe(FRAME_BYTES + BYTES.length);
    expect(framedLength(frame.subarray(1))).toBeNull();
    expect(framedLength(new Uint8Array(FRAME_BYTES))).toBeNull();
  });

  test('stays as it is: an older relaywatch has to understand it', () => {
    const hex = Buffer.from(framed('manifest', 7, Uint8Array.of(1, 2, 3))).toString('hex');
    expect(hex).toBe('5257434b01000100070000000000000003000000000000008abc79d2010203');
  });

  test('shows every flipped bit', () => {
    const stored = framed('manifest', 3, BYTES);
    for (let bit = 0; bit < stored.length * 8; bit++) {
      const changed = stored.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      // In the number of the schema it may look like a newer one, which is refused as well.
      expect(() => decodeFrame('manifest', changed, 'it')).toThrow(/^it (is damaged|has schema)/);
    }
  });

  test('shows a cut and an appended end', () => {
    const stored = framed('manifest', 3, BYTES);
    for (let length = 0; length < stored.length; length++) {
      expect(() => decodeFrame('manifest', stored.subarray(0, length), 'it')).toThrow('it is damaged');
    }
    expect(() => decodeFrame('manifest', Uint8Array.of(...stored, 0), 'it')).toThrow('it is damaged');
  });

  test('tells manifests and parts apart', () => {
    const error = expect.objectContaining({ code: 'checkpoint_damaged', message: 'it is damaged: it is no manifest' });
    expect(() => decodeFrame('manifest', framed('part', 0, BYTES), 'it')).toThrow(error);
  });

  test('refuses a newer schema, whatever else it holds', () => {
    const stored = framed('manifest', 3, BYTES);
    new DataView(stored.buffer).setUint16(4, CHECKPOINT_SCHEMA + 1, true);
    const newer = expect.objectContaining({
      code: 'checkpoint_newer',
      message: 'it has schema 2, and this worker knows 1: made by a newer relaywatch',
      hint: 'Upgrade this worker to the version that made it.',
    });
    expect(() => decodeFrame('manifest', stored, 'it')).toThrow(newer);
    expect(() => decodeFrame('manifest', stored.subarray(0, 40), 'it')).toThrow(newer);
  });
});

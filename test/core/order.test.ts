import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dayOf } from '../../src/core/calendar.ts';
import { type RecordSource, visitDays } from '../../src/core/order.ts';
import {
  MESSAGE_HI,
  MESSAGE_LO,
  POSITION_LO,
  RECIPIENT_HI,
  RECIPIENT_LO,
  RECORD_DOUBLES,
  RECORD_WORDS,
} from '../../src/core/record.ts';
import { DAY_MS, MONDAY } from './pairs.ts';

const SEED = Math.floor(Math.random() * 1e9);
type Pair = [timeMs: number, messageHi: number, messageLo: number, recipientHi: number, recipientLo: number];

class Records implements RecordSource {
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;
  readonly size: number;

  constructor(pairs: readonly Pair[]) {
    this.size = pairs.length;
    const buffer = new ArrayBuffer(Math.max(1, pairs.length) * RECORD_WORDS * 4);
    this.#words = new Uint32Array(buffer);
    this.#doubles = new Float64Array(buffer);
    pairs.forEach(([timeMs, messageHi, messageLo, recipientHi, recipientLo], index) => {
      const base = index * RECORD_WORDS;
      this.#doubles[index * RECORD_DOUBLES] = timeMs;
      this.#words[base + MESSAGE_HI] = messageHi;
      this.#words[base + MESSAGE_LO] = messageLo;
      this.#words[base + RECIPIENT_HI] = recipientHi;
      this.#words[base + RECIPIENT_LO] = recipientLo;
      this.#words[base + POSITION_LO] = index;
    });
  }

  timeOf(index: number): number {
    return this.#doubles[index * RECORD_DOUBLES];
  }

  copyTo(index: number, target: Uint32Array, base: number): void {
    target.set(this.#words.subarray(index * RECORD_WORDS, (index + 1) * RECORD_WORDS), base);
  }
}

function ordered(pairs: readonly Pair[]) {
  const blocks: Pair[][] = [];
  const positions: number[] = [];
  visitDays(new Records(pairs), ({ words, doubles, count }) => {
    const block: Pair[] = [];
    for (let index = 0; index < count; index++) {
      const base = index * RECORD_WORDS;
      block.push([
        doubles[index * RECORD_DOUBLES],
        words[base + MESSAGE_HI],
        words[base + MESSAGE_LO],
        words[base + RECIPIENT_HI],
        words[base + RECIPIENT_LO],
      ]);
      positions.push(words[base + POSITION_LO]);
    }
    blocks.push(block);
  });
  return { blocks, positions };
}

const compare = (left: Pair, right: Pair) => {
  const place = left.findIndex((value, index) => value !== right[index]);
  return place < 0 ? 0 : left[place] - right[place];
};

describe('order', () => {
  it('is by time, then message, then recipient, a block for each day', () => {
    const word = fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff);
    const time = fc.oneof(
      fc.integer({ min: 0, max: 4 * DAY_MS }),
      fc.constantFrom(0, 1, DAY_MS - 1, DAY_MS, DAY_MS + 1, 3 * DAY_MS),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(time, word, word, word, word), { maxLength: 80 }), (drawn) => {
        const pairs = drawn.map(([timeMs, ...words]): Pair => [MONDAY - 2 * DAY_MS + timeMs, ...words]);
        const { blocks, positions } = ordered(pairs);
        expect(blocks.flat()).toEqual([...pairs].sort(compare));
        expect([...positions].sort((left, right) => left - right)).toEqual(pairs.map((_, index) => index));
        const days = blocks.map((block) => [...new Set(block.map(([timeMs]) => dayOf(timeMs)))]);
        expect(days.every((day) => day.length === 1)).toBe(true);
        expect(days.flat()).toEqual([...new Set(days.flat())].sort((left, right) => left - right));
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('holds before 1970', () => {
    const { blocks } = ordered([
      [5, 0, 0, 0, 0],
      [-5, 0, 0, 0, 0],
      [-DAY_MS - 5, 0, 0, 0, 0],
    ]);
    expect(blocks.map((block) => block[0][0])).toEqual([-DAY_MS - 5, -5, 5]);
  });
});

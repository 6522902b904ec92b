/** Rows behind the seal are counted as rows before it: by what the observations of a pair say, in any order. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ObservationCounts } from '../../../src/core/identity.ts';
import { SealedPairs } from '../../../src/core/live/sealed-pairs.ts';
import * as record from '../../../src/core/record.ts';

const SEED = Number(process.env.RELAYWATCH_SEED ?? Math.floor(Math.random() * 2 ** 31));
const START_MS = Date.UTC(2026, 0, 5);

interface Row {
  status: number;
  isEvent: boolean;
  minute: number;
}

function write({ words, doubles }: record.RecordScratch, { status, isEvent, minute }: Row): void {
  words.fill(0);
  doubles[0] = START_MS + minute * 60_000;
  words[record.MESSAGE_LO] = 1;
  words[record.RECIPIENT_LO] = 2;
  words[record.FLAGS] = status | (isEvent ? 0 : 1 << (record.STATUSES_SEEN_SHIFT + status));
  if (isEvent) words[record.CONNECTOR] = record.EVENT_ROW | (status << record.EVENT_STATUS_SHIFT);
}

describe(`pairs of sealed days (RELAYWATCH_SEED=${SEED})`, () => {
  it('are counted as defined, whatever the order of their rows', () => {
    const row = fc.record({
      status: fc.integer({ min: 0, max: 7 }),
      isEvent: fc.boolean(),
      minute: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), ([first, ...others]) => {
        const sealed = new SealedPairs();
        const counts = new ObservationCounts();
        const scratch = record.createRecordScratch();
        write(scratch, first);
        sealed.remember(scratch.words, 0, scratch.doubles[0]);
        for (const other of others) {
          write(scratch, other);
          const { answer, updates } = sealed.observe(scratch.words, 0, scratch.doubles[0]);
          if (answer === 'unknown') throw new Error('the pair was remembered');
          counts.count(answer, 0);
          counts.shift(0, updates);
        }
        const all = [first, ...others];
        const events = all.filter(({ isEvent }) => isEvent).map(({ status }) => status);
        const statuses = new Set(all.filter(({ isEvent }) => !isEvent).map(({ status }) => status));
        if (events.length > 0) statuses.add(Math.max(...events));
        const folded = Math.max(0, events.length - 1);
        const updated = statuses.size - 1;
        expect(counts.take(0)).toEqual({
          accepted: 0,
          folded,
          updated,
          duplicate: all.length - 1 - folded - updated,
        });
      }),
      { numRuns: 500, seed: SEED },
    );
  });

  it('say whether a row changes what is sealed', () => {
    const sealed = new SealedPairs();
    const scratch = record.createRecordScratch();
    const observe = (row: Row) => {
      write(scratch, row);
      return sealed.observe(scratch.words, 0, scratch.doubles[0]);
    };
    expect(observe({ status: 4, isEvent: true, minute: 5 })).toMatchObject({ answer: 'unknown' });
    sealed.remember(scratch.words, 0, scratch.doubles[0]);
    expect(observe({ status: 2, isEvent: true, minute: 6 })).toMatchObject({ answer: 'folded', isNew: false });
    expect(observe({ status: 4, isEvent: false, minute: 6 })).toMatchObject({ answer: 'duplicate', isNew: false });
    expect(observe({ status: 0, isEvent: true, minute: 4 })).toMatchObject({ answer: 'folded', isNew: true });
    expect(observe({ status: 0, isEvent: true, minute: 4 })).toMatchObject({ answer: 'folded', isNew: false });
    expect(observe({ status: 7, isEvent: true, minute: 9 })).toMatchObject({
      answer: 'folded',
      isNew: true,
      updates: 1,
    });
  });
});

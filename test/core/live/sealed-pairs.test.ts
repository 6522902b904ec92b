/** Rows behind the seal are counted as rows before it: by what the observations of a pair say, in any order. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS } from '../../../src/core/calendar.ts';
import { ObservationCounts } from '../../../src/core/identity.ts';
import { SealedPairs } from '../../../src/core/live/sealed-pairs.ts';
import * as record from '../../../src/core/record.ts';
import { randomOf } from '../pairs.ts';

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

  it('are known for ten days after the seal, through saves, in columns as small as the pairs are', () => {
    const random = randomOf(SEED);
    const scratch = record.createRecordScratch();
    const hashes = Array.from({ length: 60_000 }, () =>
      [random(), random()].map((share) => Math.floor(share * 2 ** 32)),
    );
    const take = (sealed: SealedPairs, pair: number, timeMs: number, what: 'remember' | 'observe') => {
      write(scratch, { status: 4, isEvent: false, minute: 0 });
      // Their neighbours in the columns have hashes that begin alike.
      scratch.words[record.MESSAGE_LO] = hashes[pair][0];
      scratch.words[record.MESSAGE_HI] = pair % 7 === 0 ? pair : hashes[pair][1];
      return sealed[what](scratch.words, 0, timeMs);
    };
    /** Time by pair. */
    const known = new Map<number, number>();
    let sealed = new SealedPairs();
    for (let day = 0; day < 30; day++) {
      const dayMs = START_MS + day * DAY_MS;
      for (let pair = day * 2_000; pair < (day + 1) * 2_000; pair++) {
        known.set(pair, dayMs + pair);
        take(sealed, pair, dayMs + pair, 'remember');
      }
      sealed.forgetBefore(dayMs);
      for (const [pair, timeMs] of known) if (timeMs < dayMs - 10 * DAY_MS) known.delete(pair);
      expect(sealed.size).toBe(known.size);
      // A late row, and an earlier time of a known pair.
      const late = Math.floor(random() * 60_000);
      if (!known.has(late)) take(sealed, late, dayMs, 'remember');
      known.set(late, known.get(late) ?? dayMs);
      const earlier = Math.floor(random() * known.size);
      const [pair, timeMs] = [...known][earlier];
      expect(take(sealed, pair, timeMs - 5, 'observe')).toMatchObject({ isNew: true, knownMs: timeMs });
      known.set(pair, timeMs - 5);
      if (random() < 0.5) {
        const saved = structuredClone(sealed.save());
        expect([saved.his.length, saved.los.length, saved.values.length]).toEqual([known.size, known.size, known.size]);
        sealed = new SealedPairs();
        sealed.load(saved);
      }
      for (let look = 0; look < 200; look++) {
        const some = Math.floor(random() * 60_000);
        const expected = known.has(some)
          ? { answer: 'duplicate', isNew: false, knownMs: known.get(some) }
          : { answer: 'unknown' };
        expect(take(sealed, some, dayMs + 10 * DAY_MS, 'observe')).toMatchObject(expected);
      }
    }
    expect(known.size).toBeLessThan(25_000);
  });
});

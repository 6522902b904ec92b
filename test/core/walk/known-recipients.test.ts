import { describe, expect, it } from 'vitest';
import { KnownRecipients } from '../../../src/core/walk/known-recipients.ts';
import { LOG_RECIPIENT_HI, LOG_RECIPIENT_LO, RowLog } from '../../../src/core/walk/row-log.ts';

const DAY = 20_000;

/** A log with a row to each recipient. */
function logOf(recipients: Iterable<number>): RowLog {
  const log = new RowLog();
  for (const recipient of recipients) {
    const base = log.base(log.append(DAY * 86_400_000));
    log.words[base + LOG_RECIPIENT_LO] = recipient;
    log.words[base + LOG_RECIPIENT_HI] = 7;
  }
  return log;
}

function learned(...days: [day: number, recipients: number[]][]): KnownRecipients {
  const known = new KnownRecipients();
  for (const [day, recipients] of days) {
    const log = logOf(recipients);
    known.seal(day, log, log.first, log.next);
  }
  return known;
}

describe('known recipients', () => {
  it('are those of sealed days', () => {
    const known = learned([DAY, [1, 2]]);
    expect([1, 2, 3].map((recipient) => known.isKnown(recipient, 7))).toEqual([true, true, false]);
    expect(known.isKnown(1, 8)).toBe(false);
  });

  it('are forgotten after 60 days without mail', () => {
    const sealedUntil = (day: number) => learned([DAY, [1, 2]], [DAY + 30, [2]], [day, [3]]);
    expect(sealedUntil(DAY + 60).isKnown(1, 7)).toBe(true);
    expect(sealedUntil(DAY + 61).isKnown(1, 7)).toBe(false);
    expect(sealedUntil(DAY + 61).isKnown(2, 7)).toBe(true);
  });

  it('are at most a million: those of the latest days stay', () => {
    const known = new KnownRecipients();
    const seal = (day: number, from: number, count: number) => {
      const log = logOf(Array.from({ length: count }, (_, index) => from + index));
      known.seal(day, log, log.first, log.next);
    };
    seal(DAY, 1, 700_000);
    expect(known.isKnown(5, 7)).toBe(true);
    seal(DAY + 1, 700_001, 300_001);
    expect(known.isKnown(5, 7)).toBe(false);
    expect(known.isKnown(700_001, 7)).toBe(true);
    expect(known.save().lastDay.size).toBeLessThanOrEqual(1_000_000);
  });

  it('can be saved, and gone back to after more was learned', () => {
    const known = learned([DAY, [1]]);
    const state = known.save();
    const log = logOf([2]);
    known.seal(DAY + 1, log, log.first, log.next);
    expect(known.isKnown(2, 7)).toBe(true);
    known.load(state);
    expect([1, 2].map((recipient) => known.isKnown(recipient, 7))).toEqual([true, false]);
    const other = new KnownRecipients();
    other.load(structuredClone(state));
    expect(other.isKnown(1, 7)).toBe(true);
  });
});

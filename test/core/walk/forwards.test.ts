import { describe, expect, it } from 'vitest';
import {
  createRecordScratch,
  MESSAGE_ID_HI,
  MESSAGE_ID_LO,
  POSITION_LO,
  RECIPIENT_LO,
} from '../../../src/core/record.ts';
import { Correspondents, Forwards, MessageWeights } from '../../../src/core/walk/forwards.ts';
import { DAY_MS, MINUTE_MS, MONDAY } from '../pairs.ts';

const HOME = 11;
const OTHER_HOME = 12;
const FRIEND = 21;
const STRANGER = 22;

/** The words of a record of a message to a recipient; a message of 0 has no Message-ID. */
function record(message: number, recipient: number): Uint32Array {
  const { words } = createRecordScratch();
  words[MESSAGE_ID_LO] = message;
  words[MESSAGE_ID_HI] = message === 0 ? 0 : 1;
  words[RECIPIENT_LO] = recipient;
  words[POSITION_LO] = recipient;
  return words;
}

/** Names are numbers here: hashes of them do not matter. */
class Flow {
  readonly forwards = new Forwards();
  message = 100;

  arrives(timeMs: number, mailbox = HOME, message = this.message): void {
    this.forwards.wayIn(timeMs, record(message, mailbox), 0);
  }

  leaves(timeMs: number, recipient = FRIEND, message = this.message): { isForward: boolean; isRecognised: boolean } {
    const { isForward, isRecognised } = this.forwards.judge(timeMs, record(message, recipient), 0);
    return { isForward, isRecognised };
  }

  seal(day = 0): void {
    this.forwards.endDay(day);
    this.forwards.seal(day);
  }
}

/** A flow in which the mailbox forwarded to the friend on a day that is sealed. */
function known(times = 1): Flow {
  const flow = new Flow();
  for (let time = 0; time < times; time++) {
    flow.message++;
    flow.arrives(MONDAY + time * 1000);
    flow.leaves(MONDAY + time * 1000 + 1);
  }
  flow.seal();
  flow.message++;
  return flow;
}

const NOW = MONDAY + 3 * DAY_MS;
const RECOGNISED = { isForward: true, isRecognised: true };
const ONLY_FORWARD = { isForward: true, isRecognised: false };
const NO_FORWARD = { isForward: false, isRecognised: false };

describe('forwards', () => {
  it('are recognised only where the mailbox forwarded to that recipient on a sealed day', () => {
    const flow = new Flow();
    flow.arrives(MONDAY);
    expect(flow.leaves(MONDAY + 1)).toEqual(ONLY_FORWARD);
    flow.forwards.endDay(0);
    flow.message++;
    flow.arrives(MONDAY + DAY_MS);
    expect(flow.leaves(MONDAY + DAY_MS)).toEqual(ONLY_FORWARD);
    flow.forwards.endDay(1);
    flow.forwards.seal(0);
    flow.message++;
    flow.arrives(NOW);
    expect(flow.leaves(NOW)).toEqual(RECOGNISED);
    expect(flow.leaves(NOW, STRANGER)).toEqual(ONLY_FORWARD);
  });

  it('need a way in: the same Message-ID, at the same time or in the ten minutes before', () => {
    const flow = known();
    expect(flow.leaves(NOW)).toEqual(NO_FORWARD);
    flow.arrives(NOW);
    expect(flow.leaves(NOW)).toEqual(RECOGNISED);
    const late = known();
    late.arrives(NOW);
    expect(late.leaves(NOW + 10 * MINUTE_MS)).toEqual(RECOGNISED);
    const tooLate = known();
    tooLate.arrives(NOW);
    expect(tooLate.leaves(NOW + 10 * MINUTE_MS + 1)).toEqual(NO_FORWARD);
    const other = known();
    other.arrives(NOW, HOME, 7);
    expect(other.leaves(NOW)).toEqual(NO_FORWARD);
  });

  it('are told by the mailbox: a blind copy to one that does not forward hides nothing', () => {
    const flow = known();
    flow.arrives(NOW, OTHER_HOME);
    expect(flow.leaves(NOW)).toEqual(ONLY_FORWARD);
  });

  it('excuse each known recipient once for each way in', () => {
    const flow = known();
    flow.arrives(NOW);
    expect(flow.leaves(NOW)).toEqual(RECOGNISED);
    expect(flow.leaves(NOW + 1)).toEqual(ONLY_FORWARD);
    flow.arrives(NOW + 2);
    expect(flow.leaves(NOW + 3)).toEqual(RECOGNISED);
    expect(flow.leaves(NOW + 4)).toEqual(ONLY_FORWARD);
  });

  it('use up the oldest way in first', () => {
    const flow = known();
    flow.arrives(NOW);
    flow.arrives(NOW + 9 * MINUTE_MS);
    expect(flow.leaves(NOW + 10 * MINUTE_MS)).toEqual(RECOGNISED);
    expect(flow.leaves(NOW + 10 * MINUTE_MS)).toEqual(RECOGNISED);
    expect(flow.leaves(NOW + 10 * MINUTE_MS)).toEqual(ONLY_FORWARD);
  });

  it('are none without a Message-ID', () => {
    const { forwards } = known();
    forwards.wayIn(NOW, record(0, HOME), 0);
    expect(forwards.judge(NOW, record(0, FRIEND), 0).isForward).toBe(false);
  });

  it('remember the thousand most used recipients of a mailbox', () => {
    const flow = new Flow();
    for (let recipient = 0; recipient < 1200; recipient++) {
      // The first 200 are used once, the others twice.
      for (let time = 0; time < (recipient < 200 ? 1 : 2); time++) {
        flow.message++;
        flow.arrives(MONDAY);
        flow.leaves(MONDAY, 5000 + recipient);
      }
    }
    flow.seal();
    let remembered = 0;
    for (let recipient = 0; recipient < 1200; recipient++) {
      flow.message++;
      flow.arrives(NOW);
      const { isRecognised } = flow.leaves(NOW, 5000 + recipient);
      expect(isRecognised).toBe(recipient >= 200);
      if (isRecognised) remembered++;
    }
    expect(remembered).toBe(1000);
  });

  it('keep working over many ways in at once and long after', () => {
    const flow = known();
    for (let index = 0; index < 5000; index++) flow.arrives(NOW + index, HOME, 10_000 + index);
    for (let index = 0; index < 5000; index++) {
      expect(flow.leaves(NOW + 5000, FRIEND, 10_000 + index)).toEqual(RECOGNISED);
    }
    for (let index = 0; index < 5000; index++) flow.arrives(NOW + DAY_MS + index, HOME, 20_000 + index);
    expect(flow.leaves(NOW + DAY_MS + 5000, FRIEND, 10_001)).toEqual(NO_FORWARD);
    expect(flow.leaves(NOW + DAY_MS + 5000, FRIEND, 20_000)).toEqual(RECOGNISED);
  });
});

describe('weights', () => {
  it('count the first five external recipients of a message', () => {
    const weights = new MessageWeights();
    const weighed = Array.from({ length: 8 }, (_, index) => weights.weigh(MONDAY + index * 1000, 1, 2));
    expect(weighed).toEqual([1, 1, 1, 1, 1, 0, 0, 0]);
    expect(weights.weigh(MONDAY, 1, 3)).toBe(1);
  });

  it('remember a message for 24 hours from its first row', () => {
    const weights = new MessageWeights();
    for (let row = 0; row < 6; row++) weights.weigh(MONDAY + row, 1, 2);
    expect(weights.weigh(MONDAY + DAY_MS - 1, 1, 2)).toBe(0);
    expect(weights.weigh(MONDAY + DAY_MS, 1, 2)).toBe(1);
  });

  it('forget only what is over', () => {
    const weights = new MessageWeights();
    for (let row = 0; row < 5; row++) weights.weigh(MONDAY + 5, 1, 2);
    weights.forgetBefore(MONDAY + DAY_MS);
    expect(weights.weigh(MONDAY + DAY_MS, 1, 2)).toBe(0);
    weights.forgetBefore(MONDAY + 3 * DAY_MS);
    expect(weights.weigh(MONDAY + 3 * DAY_MS, 1, 2)).toBe(1);
  });
});

describe('correspondents', () => {
  it('are known for seven days after they wrote', () => {
    const correspondents = new Correspondents();
    expect(correspondents.isKnown(MONDAY, 1, 2)).toBe(false);
    correspondents.wrote(MONDAY, 1, 2);
    expect(correspondents.isKnown(MONDAY, 1, 2)).toBe(true);
    expect(correspondents.isKnown(MONDAY + 7 * DAY_MS, 1, 2)).toBe(true);
    expect(correspondents.isKnown(MONDAY + 7 * DAY_MS + 1, 1, 2)).toBe(false);
    correspondents.forgetBefore(MONDAY + 7 * DAY_MS);
    expect(correspondents.isKnown(MONDAY + 7 * DAY_MS, 1, 2)).toBe(true);
    correspondents.forgetBefore(MONDAY + 8 * DAY_MS);
    expect(correspondents.isKnown(MONDAY + 8 * DAY_MS, 1, 2)).toBe(false);
    correspondents.wrote(MONDAY + 8 * DAY_MS, 1, 2);
    expect(correspondents.isKnown(MONDAY + 9 * DAY_MS, 1, 2)).toBe(true);
  });
});

/** What every log of raw records does, whatever keeps it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RecordHandler, RecordMessage, RecordPlace, RecordSource } from '../../../src/core/record-log.ts';

/** A log that is empty, and what a test does to it from outside. */
export interface RecordLogUnderTest {
  partitions: number;
  /** A member of one group. */
  source(): RecordSource;
  append(partition: number, ...texts: string[]): Promise<void>;
  /** Makes the log forget the messages before an offset. */
  truncate(partition: number, before: number): Promise<void>;
}

interface Call {
  call: 'assigned' | 'messages' | 'gap' | 'idle' | 'revoked';
  partition: number;
  place?: RecordPlace | null;
  offsets?: number[];
  end?: number;
}

/** A handler that remembers what it is told; its note is the number of messages that it was given. */
export class RecordRecorder implements RecordHandler {
  readonly calls: Call[] = [];
  readonly texts: string[] = [];
  /** Runs before messages are taken: it may throw. */
  before: (messages: readonly RecordMessage[]) => void | Promise<void> = () => {};
  #taken = 0;

  async assigned(partition: number, place: RecordPlace | null): Promise<void> {
    this.calls.push({ call: 'assigned', partition, place });
  }

  async messages(partition: number, messages: readonly RecordMessage[], end: number): Promise<RecordPlace> {
    await this.before(messages);
    this.calls.push({ call: 'messages', partition, offsets: messages.map(({ offset }) => offset), end });
    for (const { bytes } of messages) this.texts.push(Buffer.from(bytes).toString());
    this.#taken += messages.length;
    return { offset: messages[messages.length - 1].offset + 1, note: `note ${this.#taken}` };
  }

  async gap(partition: number, expected: number, found: number): Promise<void> {
    this.calls.push({ call: 'gap', partition, offsets: [expected, found] });
  }

  async idle(partition: number): Promise<void> {
    this.calls.push({ call: 'idle', partition });
  }

  async revoked(partition: number): Promise<void> {
    this.calls.push({ call: 'revoked', partition });
  }

  named(call: Call['call']): Call[] {
    return this.calls.filter((one) => one.call === call);
  }
}

const TIMEOUT_MS = 90_000;

export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + TIMEOUT_MS; !(await holds()); await sleep(20)) {
    if (Date.now() > end) throw new Error(`not after ${TIMEOUT_MS / 1000} s: ${what}`);
  }
}

/** Runs a source until `stop`, or until the test ends. */
export function startReading(source: RecordSource, handler: RecordHandler) {
  const controller = new AbortController();
  const ended = source.run(handler, controller.signal);
  ended.catch(() => {});
  const stop = async () => {
    controller.abort();
    await ended;
  };
  onTestFinished(() => stop().catch(() => {}));
  return { ended, stop };
}

export function describeRecordLogContract(name: string, create: () => Promise<RecordLogUnderTest>): void {
  describe(`${name}, as a log of records`, () => {
    test('gives messages in order, and goes on from what was done, with its note', async () => {
      const log = await create();
      await log.append(0, 'a', 'b');
      const first = new RecordRecorder();
      const { stop } = startReading(log.source(), first);
      await eventually('the first are read', () => first.texts.length === 2);
      expect(first.named('assigned').find(({ partition }) => partition === 0)?.place).toBeNull();
      await log.append(0, 'c');
      await eventually('the third is read', () => first.texts.length === 3);
      await stop();
      expect(first.named('revoked')).toHaveLength(log.partitions);

      await log.append(0, 'd');
      const second = new RecordRecorder();
      startReading(log.source(), second);
      await eventually('the fourth is read', () => second.texts.length === 1);
      expect(second.texts).toEqual(['d']);
      const { place } = second.named('assigned').find(({ partition }) => partition === 0)!;
      expect(place).toEqual({ offset: 3, note: 'note 3' });
      expect(second.named('messages')).toMatchObject([{ offsets: [3], end: 4 }]);
    });

    test('gives again what was not done', async () => {
      const log = await create();
      await log.append(0, 'a');
      const first = new RecordRecorder();
      const before = startReading(log.source(), first);
      await eventually('the first is read', () => first.texts.length === 1);
      first.before = () => {
        throw new Error('the disk is full');
      };
      await log.append(0, 'b');
      await expect(before.ended).rejects.toThrow('the disk is full');
      const second = new RecordRecorder();
      startReading(log.source(), second);
      await eventually('the second is read', () => second.texts.includes('b'));
      expect(second.texts).toEqual(['b']);
    });

    test('says when all is read, and what it has lost', async () => {
      const log = await create();
      await log.append(0, 'a');
      const first = new RecordRecorder();
      const { stop } = startReading(log.source(), first);
      await eventually(
        'all are idle',
        () => new Set(first.named('idle').map((one) => one.partition)).size === log.partitions,
      );
      await stop();
      await log.append(0, 'b', 'c', 'd');
      await log.truncate(0, 3);
      const second = new RecordRecorder();
      startReading(log.source(), second);
      await eventually('the last is read', () => second.texts.length === 1);
      expect(second.texts).toEqual(['d']);
      expect(second.named('gap')).toMatchObject([{ partition: 0, offsets: [1, 3] }]);
    });
  });
}

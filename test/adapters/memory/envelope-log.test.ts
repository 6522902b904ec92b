/** The log in memory keeps the contract, and shows what two owners at once look like. */

import { describe, expect, test } from 'vitest';
import { createMemoryLog } from '../../../src/adapters/memory/envelope-log.ts';
import { describeEnvelopeLogContract, envelope, Recorder, start, until } from '../contract/envelope-log.ts';

describeEnvelopeLogContract('in memory', async () => {
  const log = createMemoryLog(4, { idleMs: 20, batchEntries: 7 });
  return {
    partitions: 4,
    sink: () => log.sink(),
    source: () => log.source('detectors'),
    append: async (partition, header, body) => log.append(partition, header, body),
    truncate: async (partition, before) => log.truncate(partition, before),
  };
});

describe('the log in memory', () => {
  test('gives the partitions of an expelled member away although a call is under way', async () => {
    const log = createMemoryLog(2, { idleMs: 10 });
    // The member that stays comes first when partitions are shared out.
    const tenant = Array.from({ length: 20 }, (_, n) => `tenant-${n}`).find((one) => log.partitionOf(one) === 0)!;
    await log.sink().send([envelope(tenant, 1)]);
    const [silent, other] = [new Recorder(), new Recorder()];
    let wake = (): void => {};
    const asleep = new Promise<void>((resolve) => {
      wake = resolve;
    });
    silent.during = ({ call }) => (call === 'entries' ? asleep : undefined);
    const source = log.source('detectors');
    start(source, silent);
    await until('it is asleep', () => silent.named('entries').length === 1);
    const second = start(log.source('detectors'), other);
    source.expel();
    await until('the other reads it too', () => other.received(0).length === 1);
    expect(silent.owned().has(0)).toBe(true);
    wake();
    await until('the first is a member again', () => !silent.owned().has(0) && silent.owned().has(1));
    await second.stop();
    await until('it has everything', () => silent.owned().size === 2);
    const generations = [silent, other, silent].map((one, turn) => one.named('assigned', 0)[turn >> 1].generation!);
    expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
  });

  test('has groups that know nothing of each other', async () => {
    const log = createMemoryLog(2, { idleMs: 10 });
    await log.sink().send([envelope('contoso', 1), envelope('contoso', 2)]);
    const recorders = ['detectors', 'archive'].map((group) => {
      const recorder = new Recorder();
      start(log.source(group), recorder);
      return recorder;
    });
    await until('both have read', () => recorders.every((one) => one.received().length === 2));
    expect(log.end(log.partitionOf('contoso'))).toBe(2);
  });
});

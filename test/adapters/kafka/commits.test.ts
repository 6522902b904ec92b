/** What Kafka is told of how far we are, although it does not always listen. */

import { setTimeout as sleep } from 'node:timers/promises';
import type kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { Commits } from '../../../src/adapters/kafka/commits.ts';

/** A group that takes no offsets while `isAway`. */
function setUp() {
  const group = { isAway: false, told: [] as string[] };
  const troubles: string[] = [];
  const commitOffsets: kafkajs.Consumer['commitOffsets'] = async (offsets) => {
    await sleep(1);
    if (group.isAway) throw new Error('the group is shared out anew');
    for (const { partition, offset } of offsets) group.told.push(`${partition}:${offset}`);
  };
  return { group, troubles, commits: new Commits({ commitOffsets }, 'topic', (trouble) => troubles.push(trouble)) };
}

test('what could not be noted is told again, unless more has been done or the partition has gone', async () => {
  const { group, troubles, commits } = setUp();
  group.isAway = true;
  for (const partition of [1, 2, 3, 4]) commits.add(partition, 10);
  commits.send(10_000);
  commits.add(2, 12);
  commits.forget(3);
  await sleep(20);
  commits.forget(4);
  expect(troubles).toHaveLength(1);
  group.isAway = false;
  commits.send(10_500);
  await sleep(20);
  expect(group.told).toEqual([]);
  commits.send(11_000);
  await sleep(20);
  expect(group.told.sort()).toEqual(['1:10', '2:12']);
  commits.send(12_000);
  await commits.flush();
  expect(group.told).toHaveLength(2);
});

test('the last is told before the end', async () => {
  const { group, commits } = setUp();
  commits.add(1, 10);
  commits.send(10_000);
  commits.add(1, 11);
  await commits.flush();
  expect(group.told).toEqual(['1:10', '1:11']);
});

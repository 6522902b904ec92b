/** How far the detectors are behind the envelope log, as the brokers know it: for whoever watches them from outside. */

import { endedWithin } from './lane.ts';
import type { KafkaSettings } from './settings.ts';
import { withAdmin } from './setup.ts';

export interface PartitionLag {
  partition: number;
  /** One after the newest entry. */
  endOffset: number;
  /** Next entry that the group will read: where it has committed nothing, the oldest that there is. */
  committedOffset: number;
}

/** Brokers answer in milliseconds, or are away. */
const DEADLINE_MS = 30_000;

/** By partition. Throws a RelaywatchError for what a person has to mend, Kafka being away included. */
export function readKafkaLag(settings: KafkaSettings): Promise<PartitionLag[]> {
  const { topic, group } = settings;
  return withAdmin(settings, async (admin) => {
    // First what was committed: a detector may go on between the two questions, and is never ahead of the end.
    const ask = async () => ({
      committed: await admin.fetchOffsets({ groupId: group, topics: [topic] }),
      bounds: await admin.fetchTopicOffsets(topic),
    });
    const answer = await endedWithin(ask(), DEADLINE_MS);
    if (answer === null) throw new Error(`no answer within ${DEADLINE_MS / 1000} s`);
    const offsets = new Map(
      answer.committed.flatMap(({ partitions }) =>
        partitions.map(({ partition, offset }) => [partition, Number(offset)]),
      ),
    );
    return answer.bounds
      .map(({ partition, low, high }) => {
        const committed = offsets.get(partition) ?? -1;
        return { partition, endOffset: Number(high), committedOffset: committed < 0 ? Number(low) : committed };
      })
      .sort((left, right) => left.partition - right.partition);
  });
}

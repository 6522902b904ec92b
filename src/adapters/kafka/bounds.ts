/** What a topic holds: for every partition its oldest offset, and the one after its newest. */

import type { KafkaClient } from './client.ts';
import { endedWithin } from './lane.ts';

export interface LogBounds {
  low: number;
  high: number;
}

/** Longer than kafkajs waits for answers; it may wait for ever when it disconnects. */
const DEADLINE_MS = 60_000;

/** Asks the leaders, over connections of its own: an answer says that Kafka can be reached. */
export async function logBounds(client: KafkaClient, topic: string): Promise<Map<number, LogBounds>> {
  const admin = client.kafka.admin();
  const ask = async () => {
    await admin.connect();
    return admin.fetchTopicOffsets(topic);
  };
  try {
    const offsets = await endedWithin(ask(), DEADLINE_MS);
    if (offsets === null) throw new Error(`no answer within ${DEADLINE_MS / 1000} s`);
    return new Map(offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]));
  } finally {
    // Nobody waits for it.
    void admin.disconnect().catch(() => {});
  }
}

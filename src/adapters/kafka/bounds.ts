/** What a topic holds: for every partition its oldest offset, and the one after its newest. */

import type { KafkaClient } from './client.ts';

export interface LogBounds {
  low: number;
  high: number;
}

/** Asks the leaders, over connections of its own: an answer says that Kafka can be reached. */
export async function logBounds(client: KafkaClient, topic: string): Promise<Map<number, LogBounds>> {
  const admin = client.kafka.admin();
  try {
    await admin.connect();
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]));
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

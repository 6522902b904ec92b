/** In which partition the rows of a tenant come, though none may have come yet. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Pipeline } from '../../config/pipeline/pipeline.ts';
import { HOUR_MS, MINUTE_MS } from '../../core/calendar.ts';
import { kafkaSettings, logOf } from './components.ts';

/** Topics seldom get more partitions. */
const ASK_EVERY_MS = HOUR_MS;
const ASK_AGAIN_MS = MINUTE_MS;

/** Null until Kafka has said how many partitions there are: it is asked until `signal` aborts. */
export async function homePartitions(
  pipeline: Pipeline,
  signal: AbortSignal,
): Promise<(tenant: string) => number | null> {
  const { homePartition } = await import('../../adapters/kafka/home-partition.ts');
  const { readKafkaLag } = await import('../../adapters/kafka/lag.ts');
  const settings = kafkaSettings(logOf(pipeline));
  const homes = new Map<string, number>();
  async function ask(): Promise<void> {
    while (!signal.aborted) {
      // Where Kafka is away, or lets us not in, those who read and write say so.
      const partitions = await readKafkaLag(settings).catch(() => []);
      for (const { key } of partitions.length === 0 ? [] : pipeline.tenants) {
        homes.set(key, homePartition(key, partitions.length));
      }
      const pauseMs = partitions.length === 0 ? ASK_AGAIN_MS : ASK_EVERY_MS;
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
  void ask();
  return (tenant) => homes.get(tenant) ?? null;
}

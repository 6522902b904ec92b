/** Dead entries put through again: from their topic back to the log, as they were when they came. */

import { setTimeout as sleep } from 'node:timers/promises';
import type kafkajs from 'kafkajs';
import { RelaywatchError } from '../../core/outcome.ts';
import { createKafkaClient } from './client.ts';
import { DEAD_HEADERS } from './dead-letters.ts';
import { refusalOf, troubleText } from './failures.ts';
import { PatientProducer, type SizedMessage } from './producer.ts';
import type { KafkaSettings } from './settings.ts';

/** Answers come in milliseconds; a group that nobody is in takes seconds to be formed. */
const RETRIES = 5;
const SILENCE_MS = 60_000;
const LEADER_CHANGE_MS = 3_000;

export interface DeadEntryInTopic {
  code: string;
  /** Key of the message: the tenant of an envelope; empty where it had none. */
  tenant: string;
}

/**
 * Appends the entries of the topic that are meant to the log again, up to those that are there now, and returns how
 * many. Nothing is taken from the topic: who does it again appends them again, which a detector knows. Rejects with a
 * RelaywatchError when Kafka is away.
 */
export async function replayDeadEntries(
  settings: KafkaSettings,
  topic: string,
  isMeant: (entry: DeadEntryInTopic) => boolean,
): Promise<number> {
  const client = createKafkaClient(settings, RETRIES);
  const producer = new PatientProducer(settings, 'entries', {});
  // A group of its own that commits nothing: every time it begins at the oldest entry.
  const consumer = client.kafka.consumer({
    groupId: `${settings.group}-dead-letters`,
    allowAutoTopicCreation: false,
    sessionTimeout: settings.sessionTimeoutMs,
    maxWaitTimeInMs: settings.maxWaitTimeMs,
  });
  try {
    const ends = await endsOf(client.kafka, topic);
    if (ends.size === 0) return 0;
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    let replayed = 0;
    const done = Promise.withResolvers<void>();
    let silence = setTimeout(() => {}, 0);
    const awaitSign = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => done.reject(new Error('the topic gives nothing more')), SILENCE_MS);
    };
    consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
    awaitSign();
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, heartbeat }) => {
        awaitSign();
        const end = ends.get(batch.partition);
        if (end === undefined) return;
        const meant = batch.messages.filter(
          ({ offset, headers, key }) =>
            Number(offset) < end &&
            text(headers, DEAD_HEADERS.topic) === settings.topic &&
            isMeant({ code: text(headers, DEAD_HEADERS.code), tenant: key?.toString('utf8') ?? '' }),
        );
        await producer.send(meant.map(asItWas));
        replayed += meant.length;
        await heartbeat();
        consumer.seek({ topic, partition: batch.partition, offset: String(Number(batch.lastOffset()) + 1) });
        if (Number(batch.lastOffset()) + 1 >= end) ends.delete(batch.partition);
        if (ends.size === 0) done.resolve();
      },
    });
    await done.promise.finally(() => clearTimeout(silence));
    return replayed;
  } catch (error) {
    throw (
      refusalOf(error, settings) ??
      new RelaywatchError({
        code: 'kafka_away',
        message: `Kafka (${settings.brokers.join(', ')}) does not give the dead entries: ${troubleText(error)}`,
        hint: 'Try again when it answers; relaywatch doctor says what is wrong.',
        cause: error,
      })
    );
  } finally {
    await consumer.disconnect().catch(() => undefined);
    await producer.close();
    client.destroy();
  }
}

/** One past the newest entry of each partition that has any. */
async function endsOf(kafka: kafkajs.Kafka, topic: string): Promise<Map<number, number>> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const bounds = await admin.fetchTopicOffsets(topic).catch(async (error) => {
      // A partition whose leader has just changed: the next answer knows the new one.
      if (error.retriable !== true) throw error;
      await sleep(LEADER_CHANGE_MS);
      return admin.fetchTopicOffsets(topic);
    });
    const filled = bounds.filter(({ low, high }) => Number(high) > Number(low));
    return new Map(filled.map(({ partition, high }) => [partition, Number(high)]));
  } finally {
    await admin.disconnect();
  }
}

/** Key, value and headers that it had in the log. */
function asItWas({ key, value, headers = {} }: kafkajs.KafkaMessage): SizedMessage {
  const added: readonly string[] = Object.values(DEAD_HEADERS);
  const own = Object.fromEntries(Object.entries(headers).filter(([name]) => !added.includes(name)));
  const sizes = Object.entries(own).map(([name, held]) => name.length + Buffer.byteLength(String(held)));
  const bytes = (key?.length ?? 0) + (value?.length ?? 0) + sizes.reduce((sum, size) => sum + size, 0);
  return { message: { key, value, headers: own }, bytes };
}

function text(headers: kafkajs.IHeaders | undefined, name: string): string {
  return String(headers?.[name] ?? '');
}

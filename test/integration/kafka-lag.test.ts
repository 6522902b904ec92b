/** The lag of a consumer group, as the brokers tell it. */

import { randomBytes } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { homePartition } from '../../src/adapters/kafka/home-partition.ts';
import { readKafkaLag } from '../../src/adapters/kafka/lag.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import { LEAST_RETENTION_MS, setupKafka } from '../../src/adapters/kafka/setup.ts';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../src/adapters/kafka/source.ts';
import { envelope } from '../adapters/contract/envelope-log.ts';
import { describeWithEngines } from '../engines/suites.ts';

const SETUP = { dryRun: false, partitions: 3, replicationFactor: 1, retentionMs: LEAST_RETENTION_MS };

describeWithEngines('The lag in Kafka', { kafka: true }, (engines) => {
  let kafka: kafkajs.Kafka;
  let admin: kafkajs.Admin;
  let settings: KafkaSettings;

  beforeAll(async () => {
    const topic = `lag-${randomBytes(6).toString('hex')}`;
    const { brokers } = engines().kafka;
    settings = {
      brokers,
      clientId: 'relaywatch-test',
      topic,
      group: `${topic}-detectors`,
      tls: null,
      sasl: null,
      allowPlaintext: false,
      sessionTimeoutMs: 6_000,
      maxWaitTimeMs: 100,
    };
    kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
    admin = kafka.admin();
    await admin.connect();
    await setupKafka(settings, SETUP);
  });

  afterAll(async () => {
    await admin.deleteTopics({ topics: [settings.topic] });
    await admin.disconnect();
  });

  test('is that of all partitions, before, while and after a group reads', async () => {
    expect(await readKafkaLag(settings)).toEqual(
      [0, 1, 2].map((partition) => ({ partition, endOffset: 0, committedOffset: 0 })),
    );
    const sink = createKafkaSink(settings, { onTrouble: () => {} });
    await sink.send([1, 2, 3, 4].map((number) => envelope('contoso', number)));
    await sink.close();
    const [full, ...others] = (await readKafkaLag(settings)).sort((left, right) => right.endOffset - left.endOffset);
    expect(full).toMatchObject({ endOffset: 4, committedOffset: 0 });
    expect(others.map(({ endOffset }) => endOffset)).toEqual([0, 0]);

    const stop = new AbortController();
    const source = createKafkaSource(settings, { onTrouble: () => {}, idleMs: 100 });
    const running = source.run(
      {
        assigned: async () => null,
        // Done up to the third.
        entries: async (_, _generation, entries) => Math.min(3, (entries.at(-1)?.offset ?? -1) + 1),
        gap: async () => {},
        idle: async () => null,
        revoked: async () => {},
      },
      stop.signal,
    );
    await expect
      .poll(() => readKafkaLag(settings), { timeout: 90_000, interval: 200 })
      .toContainEqual({ partition: full.partition, endOffset: 4, committedOffset: 3 });
    stop.abort();
    await running;
    expect(await readKafkaLag(settings)).toContainEqual({ ...full, committedOffset: 3 });
  });

  test('begins at the oldest entry, where nothing was committed and entries are gone', async () => {
    const group = `${settings.topic}-others`;
    const [{ partition }] = (await readKafkaLag(settings)).filter(({ endOffset }) => endOffset > 0);
    // kafkajs deletes only of topics that it was asked about.
    await admin.fetchTopicOffsets(settings.topic);
    await admin.deleteTopicRecords({ topic: settings.topic, partitions: [{ partition, offset: '2' }] });
    expect(await readKafkaLag({ ...settings, group })).toContainEqual({ partition, endOffset: 4, committedOffset: 2 });
  });

  test('is a clear error where there is no topic, or no Kafka', async () => {
    await expect(readKafkaLag({ ...settings, topic: 'nowhere' })).rejects.toMatchObject({
      code: 'kafka_topic_missing',
    });
    await expect(readKafkaLag({ ...settings, brokers: ['127.0.0.1:1'] })).rejects.toMatchObject({
      code: 'kafka_unreachable',
      hint: expect.stringContaining('brokers'),
    });
  });

  test('is in the partition that is the home of the tenant', async () => {
    const ends = async () => (await readKafkaLag(settings)).map(({ endOffset }) => endOffset);
    const sink = createKafkaSink(settings, { onTrouble: () => {} });
    for (const tenant of ['contoso', 'fabrikam', 'northwind', 'Tailspin.Toys', 'a']) {
      const before = await ends();
      await sink.send([envelope(tenant, 1)]);
      const after = await ends();
      const [home] = after.flatMap((end, partition) => (end > before[partition] ? [partition] : []));
      expect(homePartition(tenant, after.length), tenant).toBe(home);
    }
    await sink.close();
  });
});

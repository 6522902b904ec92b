/** Kafka keeps the contract of envelope logs. */

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { ENVELOPE_HEADER } from '../../src/adapters/kafka/batch.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import { checkKafka, LEAST_RETENTION_MS, setupKafka } from '../../src/adapters/kafka/setup.ts';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../src/adapters/kafka/source.ts';
import { describeEnvelopeLogContract, envelope, Recorder, start, until } from '../adapters/contract/envelope-log.ts';
import { describeWithEngines } from '../engines/suites.ts';

const { Kafka, logLevel } = kafkajs;
const PARTITIONS = 4;
const SETUP = { dryRun: false, partitions: PARTITIONS, replicationFactor: 1, retentionMs: LEAST_RETENTION_MS };

describeWithEngines('Kafka', { kafka: true }, (engines) => {
  let kafka: kafkajs.Kafka;
  let admin: kafkajs.Admin;
  const topics: string[] = [];
  const troubles: string[] = [];

  /** A topic and a group that nobody else uses. */
  function settings(): KafkaSettings {
    const topic = `envelopes-${randomBytes(6).toString('hex')}`;
    topics.push(topic);
    return {
      brokers: engines().kafka.brokers,
      clientId: 'relaywatch-test',
      topic,
      group: `${topic}-detectors`,
      tls: null,
      sasl: null,
      allowPlaintext: false,
      sessionTimeoutMs: 6_000,
      maxWaitTimeMs: 100,
    };
  }

  const onTrouble = (trouble: string) => troubles.push(trouble);

  beforeAll(async () => {
    kafka = new Kafka({ brokers: engines().kafka.brokers, logLevel: logLevel.NOTHING });
    admin = kafka.admin();
    await admin.connect();
  });

  afterAll(async () => {
    const existing = await admin.listTopics();
    await admin.deleteTopics({ topics: topics.filter((topic) => existing.includes(topic)) });
    await admin.disconnect();
  });

  /** Messages as they are, to a partition of the test's choice. */
  async function produce(
    topic: string,
    message: kafkajs.Message,
    compression?: kafkajs.CompressionTypes,
  ): Promise<void> {
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    await producer.send({ topic, messages: [message], compression });
  }

  describeEnvelopeLogContract('Kafka', async () => {
    const own = settings();
    await setupKafka(own, SETUP);
    return {
      partitions: PARTITIONS,
      sink: () => createKafkaSink(own, { onTrouble }),
      source: () => createKafkaSource(own, { onTrouble, idleMs: 200 }),
      append: (partition, header, body) =>
        produce(own.topic, {
          partition,
          headers: { [ENVELOPE_HEADER]: Buffer.from(header) },
          value: Buffer.from(body),
        }),
      truncate: async (partition, before) => {
        // The client has to know the topic.
        await admin.fetchTopicOffsets(own.topic);
        await admin.deleteTopicRecords({ topic: own.topic, partitions: [{ partition, offset: String(before) }] });
      },
    };
  });

  test('has its topic made, mended and looked at', async () => {
    const own = settings();
    const named = (name: string, steps: { what: string }[]) => steps.find(({ what }) => what.startsWith(name));
    expect(await setupKafka(own, { ...SETUP, dryRun: true })).toMatchObject([{ state: 'would create' }]);
    expect((await checkKafka(own)).map(({ ok }) => ok)).toEqual([true, false]);
    expect(await setupKafka(own, SETUP)).toMatchObject([{ state: 'created' }]);
    const again = await setupKafka(own, { ...SETUP, partitions: 9 });
    expect(new Set(again.map(({ state }) => state))).toEqual(new Set(['unchanged']));
    expect(again[0].what).toContain('keeps its 4 partitions: more or fewer (9)');
    expect((await checkKafka(own)).filter(({ ok }) => !ok)).toEqual([]);

    const configEntries = [
      { name: 'retention.ms', value: '1000' },
      { name: 'cleanup.policy', value: 'compact' },
      { name: 'segment.bytes', value: '1048576' },
    ];
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: own.topic, configEntries };
    await admin.alterConfigs({ validateOnly: false, resources: [resource] });
    const bad = (await checkKafka(own)).filter(({ ok }) => !ok);
    expect(bad.map(({ what }) => what.split(' ')[0]).sort()).toEqual(
      ['cleanup.policy', 'max.message.bytes', 'message.timestamp.type', 'retention.ms'].sort(),
    );
    for (const { hint } of bad) expect(hint).toContain('relaywatch setup');
    const dry = await setupKafka(own, { ...SETUP, dryRun: true });
    expect(named('retention.ms', dry)).toMatchObject({ state: 'would update' });
    expect(named('retention.ms', await setupKafka(own, SETUP))).toMatchObject({ state: 'updated' });
    expect((await checkKafka(own)).filter(({ ok }) => !ok)).toEqual([]);
    const { resources } = await admin.describeConfigs({
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: own.topic, configNames: ['segment.bytes'] }],
      includeSynonyms: false,
    });
    expect(resources[0].configEntries[0].configValue).toBe('1048576');
  });

  test('is not waited for when the topic is missing', async () => {
    const own = settings();
    await expect(createKafkaSink(own).send([envelope('contoso', 1)])).rejects.toMatchObject({
      code: 'kafka_topic_missing',
    });
    const { ended } = start(createKafkaSource(own), new Recorder());
    await expect(ended).rejects.toMatchObject({ code: 'kafka_topic_missing', hint: expect.stringContaining('setup') });
  });

  test('takes large envelopes and many small ones', async () => {
    const own = settings();
    await setupKafka(own, SETUP);
    const sink = createKafkaSink(own, { onTrouble });
    const large = envelope('contoso', 0);
    large.payload = randomBytes(2_300_000);
    const medium = Array.from({ length: 12 }, (_, line) => ({
      ...envelope('contoso', line + 1),
      payload: randomBytes(260_000),
    }));
    await sink.send([...medium.slice(0, 6), large, ...medium.slice(6)]);
    await sink.close();
    const recorder = new Recorder();
    const { stop } = start(createKafkaSource(own, { onTrouble }), recorder);
    await until('all is read', () => recorder.received().length === 13);
    await stop();
    // Whoever looks at the lag of the group sees none.
    const [{ partitions }] = await admin.fetchOffsets({ groupId: own.group, topics: [own.topic] });
    expect(Math.max(...partitions.map(({ offset }) => Number(offset)))).toBe(13);
    const sizes = recorder.received().map((entry) => entry.envelope?.payload.length);
    expect(sizes.indexOf(2_300_000)).toBe(6);
  });

  test('reads batches compressed with gzip and zstd, and names the topic for others', async () => {
    const own = settings();
    await setupKafka(own, SETUP);
    await produce(own.topic, { partition: 0, value: 'a'.repeat(2_000) }, kafkajs.CompressionTypes.GZIP);
    await produce(own.topic, { partition: 0, value: 'b'.repeat(2_000) }, kafkajs.CompressionTypes.ZSTD);
    const recorder = new Recorder();
    start(createKafkaSource(own, { onTrouble }), recorder);
    await until('both are read', () => recorder.received().length === 2);
    expect(recorder.received().map(({ bytes }) => String.fromCharCode(bytes[0]))).toEqual(['a', 'b']);

    const other = settings();
    await setupKafka(other, SETUP);
    // The broker compresses what it gets with what the topic says.
    const configEntries = [{ name: 'compression.type', value: 'lz4' }];
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: other.topic, configEntries };
    await admin.alterConfigs({ validateOnly: false, resources: [resource] });
    const { ended } = start(createKafkaSource(other, { onTrouble }), new Recorder());
    let hasEnded = false;
    ended.catch(() => {
      hasEnded = true;
    });
    // It takes a moment until the broker knows of the change.
    for (let count = 0; !hasEnded && count < 40; count++) {
      await produce(other.topic, { partition: 0, value: 'c'.repeat(2_000) });
      await sleep(100);
    }
    await expect(ended).rejects.toMatchObject({ code: 'kafka_compression', message: expect.stringContaining('LZ4') });
  });
});

/** The engines that the tests share answer the clients that relaywatch uses. */

import { randomBytes } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Client, errors } from '@elastic/elasticsearch';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { clientOptions } from '../engines/elasticsearch.ts';
import { startEngines } from '../engines/engines.ts';
import { describeWithEngines } from '../engines/suites.ts';

/** A name that nobody else uses. */
const NAME = `engines-${randomBytes(6).toString('hex')}`;

describeWithEngines('Kafka of the run', { kafka: true }, (engines) => {
  const { CompressionCodecs, CompressionTypes, Kafka, logLevel, Partitioners } = kafkajs;
  let client: kafkajs.Kafka;

  beforeAll(async () => {
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({
      compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
      decompress: async (buffer: Buffer) => zstdDecompressSync(buffer),
    });
    client = new Kafka({ brokers: engines().kafka.brokers, logLevel: logLevel.NOTHING });
    const admin = client.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: NAME, numPartitions: 4 }] });
    await admin.disconnect();
  });

  afterAll(async () => {
    const admin = client.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [NAME] });
    await admin.disconnect();
  });

  test('gives back what it was given, in order, compressed with zstd', async () => {
    const sent = Array.from({ length: 100 }, (_, index) => `row ${index}`);
    const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
    await producer.connect();
    const messages = sent.map((value) => ({ key: 'contoso', value }));
    await producer.send({ topic: NAME, compression: CompressionTypes.ZSTD, messages });
    await producer.disconnect();

    const consumer = client.consumer({ groupId: NAME, maxWaitTimeInMs: 200 });
    await consumer.connect();
    await consumer.subscribe({ topic: NAME, fromBeginning: true });
    const received: string[] = [];
    const partitions = new Set<number>();
    const all = new Promise<void>((resolve) => {
      consumer.run({
        eachMessage: async ({ message, partition }) => {
          partitions.add(partition);
          received.push(String(message.value));
          if (received.length === sent.length) resolve();
        },
      });
    });
    await all;
    await consumer.disconnect();
    expect(received).toEqual(sent);
    expect(partitions.size).toBe(1);
  });

  test('is the same for everybody who asks', async () => {
    expect(await startEngines({ kafka: true }, inject('engines').set!)).toEqual({ kafka: engines().kafka });
  });
});

describeWithEngines('Elasticsearch of the run', { elasticsearch: true }, (engines) => {
  let client: Client;
  beforeAll(() => {
    client = new Client(clientOptions(engines().elasticsearch));
  });
  afterAll(async () => {
    await client.indices.delete({ index: NAME }, { ignore: [404] });
    await client.close();
  });

  test('says what it is', async () => {
    expect((await client.info()).version.number).toMatch(/^[89]\.\d+\.\d+$/);
    expect(await client.ping()).toBe(true);
  });

  test('creates a document once, refuses it the second time, and finds it', async () => {
    const operations = ['a', 'b', 'a'].flatMap((id) => [
      { create: { _index: NAME, _id: id } },
      { sender: `${id}@contoso.com`, rows: 7 },
    ]);
    const { items, errors: failed } = await client.bulk({ operations, refresh: true });
    expect(items.map((item) => item.create?.status)).toEqual([201, 201, 409]);
    expect(failed).toBe(true);
    expect(items[2].create?.error?.type).toBe('version_conflict_engine_exception');
    const { hits } = await client.search({ index: NAME, query: { match: { sender: 'b@contoso.com' } }, size: 1 });
    expect(hits.hits[0]).toMatchObject({ _id: 'b', _source: { sender: 'b@contoso.com', rows: 7 } });
    const stale = { index: NAME, id: 'a', if_seq_no: 99, if_primary_term: 1, document: {} };
    await expect(client.index(stale)).rejects.toThrow(errors.ResponseError);
  });

  test('is the same for everybody who asks', async () => {
    const again = await startEngines({ elasticsearch: true }, inject('engines').set!);
    expect(again.elasticsearch).toEqual(engines().elasticsearch);
  });
});

describeWithEngines('Redis of the run', { redis: true }, (engines) => {
  let client: Redis;
  beforeAll(() => {
    client = new Redis(engines().redis.url);
  });
  afterAll(async () => {
    await client.del(NAME);
    client.disconnect();
  });

  test('keeps what it was given', async () => {
    await client.set(NAME, 'checkpoint');
    expect(await client.get(NAME)).toBe('checkpoint');
  });

  test('writes all to its file, and throws nothing away', async () => {
    const settings = Object.fromEntries(
      await Promise.all(
        ['appendonly', 'maxmemory-policy'].map(async (name) => {
          const answer = (await client.config('GET', name)) as string[] | Record<string, string>;
          return [name, Array.isArray(answer) ? answer[1] : answer[name]];
        }),
      ),
    );
    expect(settings).toEqual({ appendonly: 'yes', 'maxmemory-policy': 'noeviction' });
  });

  test('is the same for everybody who asks', async () => {
    expect(await startEngines({ redis: true }, inject('engines').set!)).toEqual({ redis: engines().redis });
  });
});

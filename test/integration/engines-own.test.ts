/** Engines of one's own: killed, paused and restarted on the same data; Elasticsearch with users and a tiny queue. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Client, errors } from '@elastic/elasticsearch';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { clientOptions, setIndexBlock, TINY_WRITE_QUEUE } from '../engines/elasticsearch.ts';
import { openSet } from '../engines/engine-set.ts';
import { startEngines } from '../engines/engines.ts';
import type { ServerHandle } from '../engines/server.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

/** Kills a server, checks that it is gone, and starts it again. */
async function killAndRestart(server: ServerHandle): Promise<void> {
  const { pid } = server;
  expect(pid).not.toBeNull();
  await server.kill();
  expect(server.pid).toBeNull();
  expect(() => server.pause()).toThrow('is not running');
  await server.restart();
  expect(server.pid).not.toBeNull();
  expect(server.pid).not.toBe(pid);
}

/** What comes first: an answer, or the end of this time. */
function answerWithin(timeoutMs: number, answer: Promise<unknown>): Promise<'answer' | 'silence'> {
  return Promise.race([answer.then(() => 'answer' as const), sleep(timeoutMs, 'silence' as const)]);
}

describeWithOwnEngines('Kafka of a test', { kafka: true }, (engines) => {
  const { Kafka, logLevel, Partitioners } = kafkajs;
  const topic = 'rows';

  function client() {
    return new Kafka({ brokers: engines().kafka.brokers, logLevel: logLevel.NOTHING });
  }

  async function offset(): Promise<string> {
    const admin = client().admin();
    await admin.connect();
    onTestFinished(() => admin.disconnect());
    return (await admin.fetchTopicOffsets(topic))[0].offset;
  }

  test('keeps what it acknowledged through kill -9, and is paused and resumed', async () => {
    const admin = client().admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
    await admin.disconnect();
    const producer = client().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({ topic, acks: -1, messages: ['a', 'b', 'c'].map((value) => ({ value })) });
    await producer.disconnect();

    await killAndRestart(engines().kafka.server);
    expect(await offset()).toBe('3');

    engines().kafka.server.pause();
    const late = offset();
    expect(await answerWithin(1000, late)).toBe('silence');
    engines().kafka.server.resume();
    expect(await late).toBe('3');

    await engines().kafka.server.restart();
    expect(await offset()).toBe('3');
  });
});

const secured = { security: true, settings: TINY_WRITE_QUEUE } as const;
describeWithOwnEngines('Secured Elasticsearch of a test', { elasticsearch: secured }, (engines) => {
  const index = 'documents';
  let client: Client;
  const count = async () => (await client.count({ index })).count;
  const create = (number: number) => [{ create: { _index: index } }, { number }];
  const statuses = async (documents: number) => {
    const operations = Array.from({ length: documents }, (_, number) => create(number)).flat();
    const { items } = await client.bulk({ operations, refresh: true });
    return [...new Set(items.map((item) => item.create?.status))];
  };

  function clientAs(username: string, password: string) {
    const own = new Client({ ...clientOptions({ ...engines().elasticsearch, username, password }) });
    onTestFinished(() => own.close());
    return own;
  }

  beforeAll(async () => {
    client = new Client({ ...clientOptions(engines().elasticsearch), maxRetries: 0 });
    await client.indices.create({ index, settings: { number_of_replicas: 0 } });
    return () => client.close();
  });

  describe('speaks only to those it knows', () => {
    test('knows its users', async () => {
      const { username, powerless, ca, url } = engines().elasticsearch;
      expect(url).toMatch(/^https:/);
      expect((await client.security.authenticate()).username).toBe(username);
      await expect(clientAs(username!, 'wrong').info()).rejects.toMatchObject({ statusCode: 401 });
      await expect(clientAs(powerless!.username, powerless!.password).info()).rejects.toMatchObject({
        statusCode: 403,
      });
      const stranger = new Client({ node: url, tls: { ca } });
      onTestFinished(() => stranger.close());
      await expect(stranger.info()).rejects.toMatchObject({ statusCode: 401 });
    });

    test('is not believed without its authority', async () => {
      const { ca: _, ...unknown } = engines().elasticsearch;
      const distrustful = new Client({ ...clientOptions(unknown), maxRetries: 0 });
      onTestFinished(() => distrustful.close());
      await expect(distrustful.info()).rejects.toThrow(errors.ConnectionError);
    });

    test('gives out keys that may do less', async () => {
      const { encoded } = await client.security.createApiKey({
        name: 'writer',
        role_descriptors: {
          writer: { index: [{ names: ['logs-*'], privileges: ['create_doc', 'auto_configure'] }] },
        },
      });
      const writer = new Client({ ...clientOptions(engines().elasticsearch), auth: { apiKey: encoded } });
      onTestFinished(() => writer.close());
      const document = { '@timestamp': '2026-01-01T00:00:00Z' };
      const written = await writer.create({ index: 'logs-relaywatch-test', id: 'a', document });
      expect(written.result).toBe('created');
      await expect(writer.search({ index: 'logs-*' })).rejects.toMatchObject({ statusCode: 403 });
      await expect(writer.info()).rejects.toMatchObject({ statusCode: 403 });
    });
  });

  test('takes templates with field types that it only stands in for', async () => {
    const properties = {
      set: { type: 'constant_keyword', value: 'traces' },
      path: { type: 'wildcard' },
      subject: { type: 'match_only_text' },
    } as const;
    await client.indices.putIndexTemplate({
      name: 'stand-ins',
      index_patterns: ['stand-ins-*'],
      template: { mappings: { dynamic: 'strict', properties }, settings: { 'index.lifecycle.name': 'logs' } },
    });
    await client.create({
      index: 'stand-ins-1',
      id: '1',
      document: { path: '/a/b', subject: 'Your invoice' },
      refresh: true,
    });
    const { hits } = await client.search({ index: 'stand-ins-1', query: { match: { subject: 'invoice' } } });
    expect(hits.hits.map(({ _id }) => _id)).toEqual(['1']);
  });

  test('refuses with 429 when many write at once, and nothing is half done', async () => {
    const before = await count();
    const operations = Array.from({ length: 100 }, (_, number) => create(number)).flat();
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => client.bulk({ operations })));
    const codes = answers.flatMap((answer) =>
      answer.status === 'fulfilled' ? answer.value.items.map((item) => item.create?.status) : answer.reason.statusCode,
    );
    expect([...new Set(codes)].sort()).toEqual([201, 429]);
    await client.indices.refresh({ index });
    expect((await count()) - before).toBe(codes.filter((code) => code === 201).length);
  });

  test.each([
    ['read_only_allow_delete', 429],
    ['write', 403],
  ] as const)('refuses while the block %s is set, with %d', async (block, code) => {
    await setIndexBlock(engines().elasticsearch, index, block, true);
    expect(await statuses(2)).toEqual([code]);
    await setIndexBlock(engines().elasticsearch, index, block, false);
    expect(await statuses(2)).toEqual([201]);
  });

  test('keeps what it acknowledged through kill -9, and is paused and resumed', async () => {
    const before = await count();
    expect(before).toBeGreaterThan(0);
    await killAndRestart(engines().elasticsearch.server);
    expect(await count()).toBe(before);

    engines().elasticsearch.server.pause();
    const late = count();
    expect(await answerWithin(1000, late)).toBe('silence');
    engines().elasticsearch.server.resume();
    expect(await late).toBe(before);
  });

  test('says why it cannot start, to all who wait for it', async () => {
    const set = await openSet();
    onTestFinished(() => set.close());
    const wanted = { elasticsearch: { settings: { 'no.such.setting': true } } } as const;
    const failed = await Promise.allSettled([startEngines(wanted, set.folder), startEngines(wanted, set.folder)]);
    for (const one of failed) {
      expect(one).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringMatching(/^Elasticsearch \S+ ended while starting.*no\.such\.setting/s) },
      });
    }
  });
});

describeWithOwnEngines('Redis of a test', { redis: true }, (engines) => {
  test('keeps what it acknowledged through kill -9, and is paused and resumed', async () => {
    const client = new Redis(engines().redis.url);
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    await client.set('job', 'waiting');
    await killAndRestart(engines().redis.server);
    expect(await client.get('job')).toBe('waiting');

    engines().redis.server.pause();
    const late = client.get('job');
    expect(await answerWithin(500, late)).toBe('silence');
    engines().redis.server.resume();
    expect(await late).toBe('waiting');

    await engines().redis.server.restart();
    expect(await client.get('job')).toBe('waiting');
  });
});

/** Dead letters of the service, as the command lists and replays them: from Elasticsearch, and in Kafka. */

import { randomBytes } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readDeadLetters } from '../../src/adapters/elasticsearch/dead-letters.ts';
import { setupElasticsearch } from '../../src/adapters/elasticsearch/setup.ts';
import { createElasticsearchStore } from '../../src/adapters/elasticsearch/store.ts';
import { replayDeadEntries } from '../../src/adapters/kafka/dead-letter-replay.ts';
import { createKafkaDeadLetters } from '../../src/adapters/kafka/dead-letters.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import { letterOfDocument } from '../../src/runtime/dead-letters/stored-letter.ts';
import { deadLetterWrite } from '../../src/runtime/detect/dead-letters.ts';
import { settingsFor } from '../adapters/elasticsearch/access.ts';
import { describeWithEngines } from '../engines/suites.ts';
import { rowsHeader } from '../runtime/dead-letters/letters.ts';

describeWithEngines('Dead letters in Elasticsearch', { elasticsearch: true }, (engines) => {
  test('are all read, page by page, with what a replay needs; none before there is any', async () => {
    const settings = settingsFor(engines().elasticsearch);
    await setupElasticsearch(settings, { dryRun: false });
    const read = async (tenant: string | undefined) => {
      const found = [];
      for await (const { id, document } of readDeadLetters(settings, tenant))
        found.push(letterOfDocument(id, document)!);
      return found;
    };
    expect(await read(undefined)).toEqual([]);
    const store = createElasticsearchStore(settings);
    const row = Buffer.from('yesterday,ann@contoso.com\n');
    const writes = Array.from({ length: 1_203 }, (_, i) => {
      const tenant = i % 3 === 0 ? 'fabrikam' : 'contoso';
      const letter = {
        code: 'bad_time',
        reason: 'no time',
        offset: i * row.length,
        length: row.length,
        line: i + 2,
      } as const;
      return deadLetterWrite(rowsHeader({ tenant, offset: i * row.length }), row, letter, Date.UTC(2026, 4, 4));
    });
    expect((await store.deliver(writes)).refused).toEqual([]);
    await store.close();
    await expect.poll(async () => (await read(undefined)).length, { timeout: 30_000 }).toBe(writes.length);
    expect((await read('fabrikam')).length).toBe(401);
    const letters = await read('contoso');
    expect(new Set(letters.map(({ id }) => id)).size).toBe(802);
    expect(letters[0].original.equals(row)).toBe(true);
    expect(letters[0].header?.toString()).toBe('"Received","SenderAddress"\r\n');
    expect(letters[0]).toMatchObject({ code: 'bad_time', file: 'trace.csv', encoding: 'utf-8', isCut: false });
  });
});

describeWithEngines('Dead entries in Kafka', { kafka: true }, (engines) => {
  let kafka: kafkajs.Kafka;
  let admin: kafkajs.Admin;
  let settings: KafkaSettings;
  let deadTopic: string;

  beforeAll(async () => {
    const topic = `replay-${randomBytes(6).toString('hex')}`;
    deadTopic = `${topic}-dead-letters`;
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
    await admin.createTopics({
      topics: [
        { topic, numPartitions: 1 },
        { topic: deadTopic, numPartitions: 2 },
      ],
      waitForLeaders: true,
    });
  });

  afterAll(async () => {
    await admin.deleteTopics({ topics: [settings.topic, deadTopic] });
    await admin.disconnect();
  });

  test('come back to the log with key, value and headers as they were, those that are meant', async () => {
    const isMeant = ({ code, tenant }: { code: string; tenant: string }) =>
      code === 'unknown_tenant' && tenant === 'contoso';
    expect(await replayDeadEntries(settings, deadTopic, isMeant)).toBe(0);
    const values = Array.from({ length: 40 }, () => randomBytes(50_000));
    const sink = createKafkaDeadLetters(settings, deadTopic);
    await sink.send(
      values.map((bytes, i) => ({
        partition: 0,
        code: i % 4 === 0 ? 'bad_envelope' : 'unknown_tenant',
        reason: 'no profile',
        entry: {
          offset: i,
          appendedMs: 0,
          envelope: null,
          problem: null,
          bytes,
          message: { key: Buffer.from(i % 2 === 0 ? 'contoso' : 'fabrikam'), headers: { own: Buffer.from([0, 255]) } },
        },
      })),
    );
    await sink.close();
    expect(await replayDeadEntries(settings, deadTopic, isMeant)).toBe(10);
    const consumer = kafka.consumer({ groupId: `${settings.topic}-look` });
    const seen: kafkajs.KafkaMessage[] = [];
    await consumer.subscribe({ topic: settings.topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void seen.push(message) });
    await expect.poll(() => seen.length, { timeout: 30_000 }).toBe(10);
    await consumer.disconnect();
    const meant = values.filter((_, i) => i % 4 === 2).map((value) => value.toString('hex'));
    expect(new Set(seen.map(({ value }) => value!.toString('hex')))).toEqual(new Set(meant));
    for (const { key, headers } of seen) {
      expect([key?.toString(), Object.keys(headers!)]).toEqual(['contoso', ['own']]);
      expect(headers!.own).toEqual(Buffer.from([0, 255]));
    }
    // Nothing was taken away: once more is once more.
    expect(await replayDeadEntries(settings, deadTopic, isMeant)).toBe(10);
  });
});

/** Settings that cannot work, or would send data in plain text, are refused before anything is sent. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkKafkaSettings, isAllowedHost, type KafkaSettings } from '../../../src/adapters/kafka/settings.ts';
import { LEAST_RETENTION_MS, setupKafka, topicSettings } from '../../../src/adapters/kafka/setup.ts';
import { createKafkaSink } from '../../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../../src/adapters/kafka/source.ts';

const SETTINGS: KafkaSettings = {
  brokers: ['127.0.0.1:9092'],
  clientId: 'relaywatch',
  topic: 'relaywatch-envelopes',
  group: 'relaywatch-detectors',
  tls: null,
  sasl: { mechanism: 'scram-sha-512', username: 'relaywatch', password: 'do not tell' },
  allowPlaintext: false,
  sessionTimeoutMs: 30_000,
  maxWaitTimeMs: 250,
};
const TLS = { ca: null, cert: null, key: null };

describe('settings of Kafka', () => {
  test.each([
    { brokers: ['localhost:9092', '127.0.0.1:9092', '[::1]:9092'] },
    { brokers: ['kafka.example:9093'], tls: TLS },
    { brokers: ['kafka.example:9092'], allowPlaintext: true },
    { sasl: null },
  ])('%j will do', (change) => {
    expect(() => checkKafkaSettings({ ...SETTINGS, ...change })).not.toThrow();
  });

  test.each([
    [{ brokers: [] }, 'no brokers'],
    [{ brokers: ['kafka.example:9092'] }, 'the broker kafka.example:9092 is another machine'],
    [{ brokers: ['127.0.0.1:9092', '10.0.0.7:9092'] }, 'the broker 10.0.0.7:9092 is another machine'],
    [{ brokers: ['127.0.0.1.example.com:9092'] }, 'is another machine'],
    [{ brokers: ['kafka://localhost:9092'] }, '"kafka://localhost:9092" is no address of a broker'],
    [{ brokers: ['user:secret@localhost:9092'] }, 'is no address of a broker'],
    [{ brokers: ['localhost'] }, 'is no address of a broker'],
    [{ brokers: ['localhost:0'] }, 'is no address of a broker'],
    [{ brokers: ['localhost:65536'] }, 'is no address of a broker'],
    [{ topic: 'two words' }, '"two words" is no name of a topic'],
    [{ topic: '..' }, 'is no name of a topic'],
    [{ group: '' }, 'the consumer group has no name'],
    [{ sessionTimeoutMs: 1_000 }, 'too short'],
    [{ maxWaitTimeMs: Number.NaN }, 'too short'],
    [{ tls: { ca: null, cert: 'PEM', key: null } }, 'a certificate needs its key'],
  ])('%j are refused', (change, message) => {
    const settings = { ...SETTINGS, ...change };
    for (const use of [checkKafkaSettings, createKafkaSink, createKafkaSource]) {
      expect(() => use(settings)).toThrow(message);
    }
    try {
      checkKafkaSettings(settings);
    } catch (error) {
      expect(error).toMatchObject({ code: 'kafka_settings', exitCode: 2, hint: expect.stringMatching(/./) });
      expect(`${(error as Error).message}`).not.toContain('do not tell');
    }
  });

  test('hold for the brokers that brokers name, too', () => {
    expect(isAllowedHost(SETTINGS, 'kafka-2.example')).toBe(false);
    expect(isAllowedHost({ ...SETTINGS, tls: TLS }, 'kafka-2.example')).toBe(true);
  });
});

describe('the topic', () => {
  test('is described as it is set up', () => {
    const file = path.resolve(import.meta.dirname, '../../../infra/kafka/topics.json');
    const [topic] = JSON.parse(readFileSync(file, 'utf8')).topics;
    const wanted = topicSettings(LEAST_RETENTION_MS).map(({ name, wanted }) => [name, wanted]);
    expect(topic.configs).toEqual(Object.fromEntries(wanted));
  });

  test('keeps envelopes for a week at least', async () => {
    const options = { dryRun: true, partitions: 1, replicationFactor: 1, retentionMs: LEAST_RETENTION_MS - 1 };
    await expect(setupKafka(SETTINGS, options)).rejects.toMatchObject({ code: 'kafka_settings', exitCode: 2 });
    const values = topicSettings(LEAST_RETENTION_MS);
    const accepts = (name: string, value: string) => values.find((one) => one.name === name)!.willDo(value);
    expect(['-1', '604800000', '9999999999999'].map((value) => accepts('retention.ms', value))).toEqual([
      true,
      true,
      true,
    ]);
    expect(['604799999', '', '0'].map((value) => accepts('retention.ms', value))).toEqual([false, false, false]);
    expect(accepts('cleanup.policy', 'compact,delete')).toBe(false);
  });
});

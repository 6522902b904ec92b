/**
 * A process that reads a topic in which nothing happens, and prints how often it woke up and how much it
 * computed meanwhile. Arguments: `ours` or `plain` (kafkajs as it comes), brokers, topic, milliseconds.
 */

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { createKafkaSource } from '../../../src/adapters/kafka/source.ts';
import type { PartitionHandler } from '../../../src/core/envelope-log.ts';

const [kind, brokers, topic, durationMs] = process.argv.slice(2);
const common = { brokers: brokers.split(','), clientId: kind };
const sessionTimeoutMs = 30_000;
const maxWaitTimeMs = 250;

const handler: PartitionHandler = {
  assigned: async () => null,
  entries: async () => null,
  gap: async () => {},
  idle: async () => null,
  revoked: async () => {},
};

if (kind === 'ours') {
  const access = { tls: null, sasl: null, allowPlaintext: false };
  const source = createKafkaSource({ ...common, topic, group: kind, ...access, sessionTimeoutMs, maxWaitTimeMs });
  void source.run(handler, new AbortController().signal);
} else {
  const kafka = new kafkajs.Kafka({ ...common, logLevel: kafkajs.logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: kind, sessionTimeout: sessionTimeoutMs, maxWaitTimeInMs: maxWaitTimeMs });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachBatch: async () => {} });
}
await sleep(2_500);
const before = { loops: performance.nodeTiming.uvMetricsInfo.loopCount, cpu: process.cpuUsage() };
await sleep(Number(durationMs));
const { user, system } = process.cpuUsage(before.cpu);
const wakeUps = performance.nodeTiming.uvMetricsInfo.loopCount - before.loops;
process.stdout.write(JSON.stringify({ wakeUps, cpuMs: (user + system) / 1000 }));
process.exit(0);

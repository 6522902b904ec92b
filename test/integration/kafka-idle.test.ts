/** What a worker costs that has nothing to do, beside kafkajs as it comes. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import kafkajs from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
import { describeWithEngines } from '../engines/suites.ts';

const CHILD = path.resolve(import.meta.dirname, '../adapters/kafka/idle-member.ts');
const DURATION_MS = 4_000;

describeWithEngines('An idle member', { kafka: true }, (engines) => {
  test('wakes up a fraction as often as plain kafkajs, and prints no warning', async () => {
    const { brokers } = engines().kafka;
    const topic = `idle-${randomBytes(6).toString('hex')}`;
    const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 4 }], waitForLeaders: true });
    onTestFinished(async () => {
      await admin.deleteTopics({ topics: [topic] });
      await admin.disconnect();
    });
    const measure = async (kind: string) => {
      const args = [CHILD, kind, brokers.join(','), topic, String(DURATION_MS)];
      const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
      return { ...(JSON.parse(stdout) as { wakeUps: number; cpuMs: number }), stderr };
    };
    const [ours, plain] = [await measure('ours'), await measure('plain')];
    const perSecond = (count: number) => `${Math.round((count * 1000) / DURATION_MS)} wake-ups`;
    const line = ({ wakeUps, cpuMs }: typeof ours) =>
      `${perSecond(wakeUps)}, ${((cpuMs * 1000) / DURATION_MS).toFixed(1)} ms`;
    process.stdout.write(`idle, a second: ${line(ours)} of CPU; plain kafkajs: ${line(plain)}\n`);
    expect(ours.stderr).toBe('');
    expect(plain.stderr).toContain('TimeoutNegativeWarning');
    expect(ours.wakeUps).toBeLessThan(plain.wakeUps / 10);
    // With the heartbeats, fetches and timers that are meant to be.
    expect(ours.wakeUps / (DURATION_MS / 1000)).toBeLessThan(25);
  });
});

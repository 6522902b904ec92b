/** Exports of three tenants in three formats through the whole service, while workers are killed. */

import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWithEngines } from '../engines/suites.ts';
import { asScanned, byTimeAndId, Service, type ServiceTenant, untilOrLate } from './service.ts';

/** Three of the four partitions, by the hash that Kafka's clients share. */
const KEYS = ['litware', 'contoso', 'northwind'];
const PARTITIONS = 4;
const seed = process.env.SEED ?? String(Date.now() % 1_000_000);

describeWithEngines('The service', { kafka: true, elasticsearch: true, redis: true }, (engines) => {
  let service: Service;
  const tenants: ServiceTenant[] = [];

  beforeAll(async () => {
    service = new Service(engines(), KEYS);
    // The attack is in the last day: the last cut is in its middle.
    for (const [index, key] of KEYS.entries()) tenants.push(await service.tenant(key, index, seed, [0.5, 0.8]));
  });

  afterAll(() => service.close());

  test('finds what scan finds, although a worker is killed in the middle of an incident', {
    timeout: 400_000,
  }, async () => {
    const setup = await service.relaywatch('setup', 'detect.yaml', 'jobs.yaml', '--partitions', String(PARTITIONS));
    expect(setup.status, setup.stderr).toBe(0);
    const again = await service.relaywatch('setup', 'detect.yaml', 'jobs.yaml', '--partitions', String(PARTITIONS));
    expect(again.stderr).toContain('Nothing to change');

    const jobs = service.worker('jobs.yaml');
    const first = service.worker('detect.yaml');
    const second = service.worker('detect.yaml');
    await submit(0);
    await submit(1);
    await untilOrLate(async () => (await service.incidents()).length > 0);
    first.kill('SIGKILL');
    await submit(2);
    const third = service.worker('detect.yaml');
    const expected = tenants.flatMap((tenant) => tenant.expected).sort(byTimeAndId);
    await untilOrLate(async () => isDeepStrictEqual(asScanned(await service.incidents()), expected));
    expect(asScanned(await service.incidents()), `seed ${seed}\n${service.log.join('')}`).toEqual(expected);

    for (const { key, accepted } of tenants) {
      await untilOrLate(async () => (await service.ledger(key)).accepted === accepted);
      const { read, others, ...ledger } = await service.ledger(key);
      expect(ledger.accepted, key).toBe(accepted);
      expect(read, key).toBe(ledger.accepted + others);
    }
    const opened = [...(await service.alerts()).values()].filter(
      (alert) => (alert.relaywatch as { alert: { kind: string } }).alert.kind === 'opened',
    );
    expect(opened).toHaveLength(expected.length);
    expect(await usedPartitions()).toBe(KEYS.length);

    for (const worker of [jobs, second, third]) {
      worker.kill('SIGTERM');
      expect((await once(worker, 'close'))[0], service.log.join('')).toBe(0);
    }
  });

  async function submit(part: number): Promise<void> {
    for (const { key, parts } of tenants) {
      const { status, stderr } = await service.relaywatch(
        'submit',
        '--pipeline',
        'jobs.yaml',
        '--tenant',
        key,
        parts[part],
      );
      expect(status, stderr).toBe(0);
    }
  }

  /** Partitions of the topic that hold something. */
  async function usedPartitions(): Promise<number> {
    const admin = new kafkajs.Kafka({ brokers: engines().kafka.brokers, logLevel: 0 }).admin();
    await admin.connect();
    const offsets = await admin.fetchTopicOffsets(service.topic);
    await admin.disconnect();
    return offsets.filter(({ high }) => Number(high) > 0).length;
  }
});

/** The queue of jobs in a real Redis: the contract. */

import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { createJobQueue } from '../../src/adapters/bullmq/job-queue.ts';
import { queueSettings } from '../adapters/bullmq/settings.ts';
import { CONTRACT_ATTEMPTS, describeJobsContract, ingestOf } from '../adapters/contract/jobs.ts';
import { describeWithEngines } from '../engines/suites.ts';

describeWithEngines('BullMQ', { redis: true }, (engines) => {
  describeJobsContract('BullMQ', async () => {
    const settings = queueSettings(engines().redis.url);
    const options = { attempts: CONTRACT_ATTEMPTS, backoffMs: 10, turnPauseMs: 50, stopTimeoutMs: 5_000 };
    onTestFinished(async () => {
      const client = new Redis(settings.redis.url);
      const keys = await client.keys(`${settings.prefix}*`);
      if (keys.length > 0) await client.unlink(...keys);
      client.disconnect();
    });
    return { open: () => createJobQueue(settings, options) };
  });

  test('a user without rights is told so, by submit and by work', async () => {
    const client = new Redis(engines().redis.url);
    onTestFinished(() => client.disconnect());
    const user = `test-${randomUUID()}`;
    await client.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '+@connection', '+info');
    onTestFinished(async () => {
      await client.call('ACL', 'DELUSER', user);
    });
    const settings = queueSettings(engines().redis.url);
    for (const [password, message] of [
      ['a wrong one', 'WRONGPASS'],
      ['secret', 'NOPERM'],
    ]) {
      const queue = createJobQueue(
        { ...settings, redis: { ...settings.redis, username: user, password } },
        { stopTimeoutMs: 500 },
      );
      const refused = { code: 'redis_refused', message: expect.stringContaining(message) };
      await expect(queue.submit(ingestOf(1))).rejects.toMatchObject(refused);
      await expect(queue.work(async () => {}, new AbortController().signal)).rejects.toMatchObject(refused);
      await queue.close();
    }
  });
});

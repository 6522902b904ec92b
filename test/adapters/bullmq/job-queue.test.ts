/** What the queue of jobs refuses before it speaks to anybody. */

import { expect, test } from 'vitest';
import { createJobQueue } from '../../../src/adapters/bullmq/job-queue.ts';
import { queueSettings } from './settings.ts';

test('plain text to another machine is refused when the queue is made, without the password', async () => {
  const settings = queueSettings('redis://me:secret@redis.example:6379');
  const refused = expect.objectContaining({
    code: 'redis_settings',
    exitCode: 2,
    message: expect.stringMatching(/^Redis at redis:\/\/redis\.example:6379 is another machine/),
  });
  expect(() => createJobQueue(settings)).toThrow(refused);
  const allowed = { ...settings, redis: { ...settings.redis, allowPlaintext: true } };
  // Nothing is connected before the first call.
  await createJobQueue(allowed).close();
});

test('work that was told to stop before it began does not begin', async () => {
  const queue = createJobQueue(queueSettings('redis://127.0.0.1:1'));
  await queue.work(async () => {}, AbortSignal.abort());
  await queue.close();
  await expect(queue.submit({ kind: 'rescan', tenant: 'contoso', fromMs: 0, toMs: null })).rejects.toMatchObject({
    code: 'queue_away',
  });
});

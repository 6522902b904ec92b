/** The queue of jobs in Redis, by BullMQ. */

import type { Job, JobContext, JobQueue } from '../../core/jobs.ts';
import { redisAddress } from '../redis-access.ts';
import { Producer } from './producer.ts';
import type { JobQueueOptions, JobQueueSettings } from './settings.ts';
import { JobWorker } from './worker.ts';

/** Nothing is connected before the first call. @throws RelaywatchError `redis_settings` */
export function createJobQueue(settings: JobQueueSettings, options: JobQueueOptions = {}): JobQueue {
  redisAddress(settings.redis);
  const producer = new Producer(settings, options);
  const closing = new AbortController();
  const workers = new Set<Promise<void>>();
  return {
    submit: (job: Job) => producer.submit(job),
    async work(handler: (job: Job, context: JobContext) => Promise<void>, signal: AbortSignal) {
      const stop = AbortSignal.any([signal, closing.signal]);
      if (stop.aborted) return;
      const work = new JobWorker(settings, options, handler).run(stop);
      workers.add(work);
      try {
        await work;
      } finally {
        workers.delete(work);
      }
    },
    async close() {
      closing.abort();
      await Promise.allSettled([producer.close(), ...workers]);
    },
  };
}

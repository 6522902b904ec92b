/**
 * A worker of jobs in a process of its own, to be killed or paused. Takes its settings as JSON; writes a line of
 * JSON for whatever happens. Each job takes ten steps, and is saved after each. Stops after a time, or never.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { createJobQueue } from '../../../src/adapters/bullmq/job-queue.ts';

const { settings, options, stepMs, stopAfterMs } = JSON.parse(process.argv[2]);
const say = (event: string, fields: object = {}) => console.log(JSON.stringify({ event, at: Date.now(), ...fields }));

const queue = createJobQueue(settings, { ...options, onTrouble: (problem: string) => say('trouble', { problem }) });
const stop = new AbortController();
if (stopAfterMs !== null) setTimeout(() => stop.abort(), stopAfterMs);
await queue.work(async (job, { progress, save, signal }) => {
  const first = Number(progress.step ?? 0);
  say('begun', { tenant: job.tenant, step: first });
  try {
    for (let step = first + 1; step <= 10; step++) {
      await sleep(stepMs);
      await save({ step });
      say('step', { step });
    }
    say('done');
  } catch (error) {
    say('ended', { aborted: signal.aborted, message: (error as Error).message });
    throw error;
  }
}, stop.signal);
await queue.close();

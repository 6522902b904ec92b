/** Brings back jobs that the queue has lost. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { JobSpool } from '../../adapters/file/job-spool.ts';
import { type Job, type JobContext, type JobQueue, JobRefused } from '../../core/jobs.ts';

const EVERY_MS = 60_000;

export interface ResubmitOptions {
  everyMs?: number;
  onTrouble?: (problem: string) => void;
  /** Told when all that waited was submitted after that. */
  onRecovered?: () => void;
}

/**
 * Hands over a job so that it survives whatever the queue loses: first to the spool, then to the queue. When the
 * queue is away the job stays in the spool all the same, and the call rejects with what the queue says.
 */
export async function submitDurably(spool: JobSpool, queue: JobQueue, job: Job): Promise<'queued' | 'known'> {
  await spool.add(job);
  return await queue.submit(job);
}

/**
 * Submits what is not done again, at once and every minute until `signal` aborts. What the queue knows stays as it
 * is, and what failed is tried anew. A rescan that has begun is submitted at the start alone, when its worker may
 * have died with it: to the queue it would be one more rescan.
 */
export async function resubmitPending(
  spool: JobSpool,
  queue: JobQueue,
  signal: AbortSignal,
  { everyMs = EVERY_MS, onTrouble, onRecovered }: ResubmitOptions = {},
): Promise<void> {
  let isStart = true;
  let isTroubled = false;
  while (!signal.aborted) {
    try {
      for (const { job, begun } of await spool.pending()) {
        if (signal.aborted) return;
        if (isStart || !begun || job.kind === 'ingest') await queue.submit(job);
      }
      isStart = false;
      if (isTroubled) onRecovered?.();
      isTroubled = false;
    } catch (error) {
      isTroubled = true;
      onTrouble?.(`Jobs wait to be submitted again: ${(error as Error).message}`);
    }
    await sleep(everyMs, undefined, { signal }).catch(() => {});
  }
}

/** A handler that tells the spool of what it begins and ends. A job that fails and is tried again stays in it. */
export function withSpool(
  spool: JobSpool,
  handler: (job: Job, context: JobContext) => Promise<void>,
): (job: Job, context: JobContext) => Promise<void> {
  return async (job, context) => {
    await spool.begin(job);
    try {
      await handler(job, context);
    } catch (error) {
      // Refused for good: trying again would not help, submitting again neither.
      if (error instanceof JobRefused) await spool.done(job);
      throw error;
    }
    await spool.done(job);
  };
}

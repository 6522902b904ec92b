/** Brings back jobs that the queue has lost. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { JobSpool } from '../../adapters/file/job-spool.ts';
import { jobId } from '../../core/job-identity.ts';
import { type Job, type JobContext, type JobQueue, JobRefused, type Submitted } from '../../core/jobs.ts';

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
export async function submitDurably(spool: JobSpool, queue: JobQueue, job: Job): Promise<Submitted> {
  await spool.add(job);
  return await submitSpooled(spool, queue, job);
}

async function submitSpooled(spool: JobSpool, queue: JobQueue, job: Job): Promise<Submitted> {
  const answer = await queue.submit(job);
  if (answer === 'done') {
    // Nobody will work on it again, so nobody else would take it out.
    await spool.begin(job);
    await spool.done(job);
  }
  return answer;
}

/**
 * Submits what is not done again, at once and every minute until `signal` aborts. What the queue knows stays as it
 * is, and what failed is tried anew. A rescan that has begun is submitted at the start alone, when its worker may
 * have died with it, and one that has not at the second look: to the queue it would be one more rescan.
 */
export async function resubmitPending(
  spool: JobSpool,
  queue: JobQueue,
  signal: AbortSignal,
  { everyMs = EVERY_MS, onTrouble, onRecovered }: ResubmitOptions = {},
): Promise<void> {
  let isStart = true;
  /** Ids of what had not begun at the last look. */
  let waited = new Set<string>();
  let isTroubled = false;
  while (!signal.aborted) {
    try {
      const waiting = new Set<string>();
      // Rescans first, while what is known of them is fresh.
      const pending = (await spool.pending()).sort((left, right) => rank(left.job) - rank(right.job));
      for (const { job, begun } of pending) {
        if (signal.aborted) return;
        const id = jobId(job);
        if (!begun) waiting.add(id);
        // One that was added a moment ago may begin before it is submitted again, and would be run once more.
        const isLost = isStart || (!begun && waited.has(id));
        if (job.kind === 'ingest' || isLost) await submitSpooled(spool, queue, job);
      }
      waited = waiting;
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

function rank({ kind }: Job): number {
  return kind === 'rescan' ? 0 : 1;
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

/** A queue of jobs in memory: for tests, and for a single process that needs none afterwards. */

import { setTimeout as sleep } from 'node:timers/promises';
import { jobIds, otherJobIds } from '../../core/job-identity.ts';
import { type Job, type JobContext, type JobProgress, type JobQueue, JobRefused } from '../../core/jobs.ts';

/** What one server would keep. Queues that share it are like processes that share a server. */
export interface JobMemory {
  /** In the order in which they were queued. */
  jobs: Map<string, MemoryJob>;
  /** Called when there may be something to do. */
  waiters: Set<() => void>;
}

interface MemoryJob {
  job: Job;
  state: 'waiting' | 'running' | 'done' | 'failed';
  progress: JobProgress;
  failures: number;
  /** Not before this monotonic time, milliseconds. */
  readyMs: number;
}

export interface MemoryJobsOptions {
  concurrency?: number;
  /** Tries of a job in all. */
  attempts?: number;
  /** Pause before the second try, milliseconds; it doubles from try to try. */
  backoffMs?: number;
}

type Handler = (job: Job, context: JobContext) => Promise<void>;

/** How long a worker sleeps at most when nothing is announced, milliseconds. */
const IDLE_MS = 1_000;

export function newJobMemory(): JobMemory {
  return { jobs: new Map(), waiters: new Set() };
}

export function createMemoryJobs(memory: JobMemory = newJobMemory(), options: MemoryJobsOptions = {}): JobQueue {
  const { concurrency = 1, attempts = 10, backoffMs = 1_000 } = options;
  const closing = new AbortController();

  async function run(id: string, found: MemoryJob, handler: Handler, stop: AbortSignal): Promise<void> {
    found.state = 'running';
    try {
      await handler(found.job, {
        progress: { ...found.progress },
        signal: stop,
        async save(progress) {
          stop.throwIfAborted();
          found.progress = structuredClone(progress);
        },
      });
      if (found.job.kind === 'rescan') memory.jobs.delete(id);
      else found.state = 'done';
    } catch (error) {
      if (error instanceof JobRefused) found.state = 'failed';
      else if (stop.aborted) found.state = 'waiting';
      else {
        found.failures++;
        found.state = found.failures < attempts ? 'waiting' : 'failed';
        found.readyMs = performance.now() + backoffMs * 2 ** (found.failures - 1);
      }
    } finally {
      for (const wake of memory.waiters) wake();
    }
  }

  async function loop(handler: Handler, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const next = nextOf(memory);
      if (next === null) await announced(memory, stop);
      else await run(...next, handler, stop);
    }
  }

  return {
    async submit(job) {
      for (const id of jobIds(job)) {
        const found = memory.jobs.get(id);
        if (found === undefined || found.state === 'failed') {
          const progress = job.kind === 'ingest' ? (found?.progress ?? {}) : {};
          memory.jobs.delete(id);
          memory.jobs.set(id, { job: structuredClone(job), state: 'waiting', progress, failures: 0, readyMs: 0 });
          for (const wake of memory.waiters) wake();
          return 'queued';
        }
        if (found.state === 'done') return 'done';
        const hasBegun = found.state === 'running' || Object.keys(found.progress).length > 0;
        if (job.kind === 'ingest' || !hasBegun) return 'known';
      }
      return 'known';
    },
    async work(handler, signal) {
      const stop = AbortSignal.any([signal, closing.signal]);
      await Promise.all(Array.from({ length: concurrency }, () => loop(handler, stop)));
    },
    async close() {
      closing.abort();
    },
  };
}

function nextOf(memory: JobMemory): [string, MemoryJob] | null {
  for (const [id, found] of memory.jobs) {
    if (found.state !== 'waiting' || found.readyMs > performance.now()) continue;
    if (otherJobIds(found.job, id).some((other) => memory.jobs.get(other)?.state === 'running')) continue;
    return [id, found];
  }
  return null;
}

/** Until something may be ready. */
async function announced(memory: JobMemory, stop: AbortSignal): Promise<void> {
  const waits = [...memory.jobs.values()]
    .filter(({ state, readyMs }) => state === 'waiting' && readyMs > 0)
    .map(({ readyMs }) => readyMs - performance.now());
  const woken = new AbortController();
  const wake = () => woken.abort();
  memory.waiters.add(wake);
  const pauseMs = Math.max(1, Math.min(IDLE_MS, ...waits));
  await sleep(pauseMs, undefined, { signal: AbortSignal.any([stop, woken.signal]) }).catch(() => {});
  memory.waiters.delete(wake);
}

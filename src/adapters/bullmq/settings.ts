/** Settings of the queue of jobs. */

import type { RedisAccess } from '../redis-access.ts';

export interface JobQueueSettings {
  redis: RedisAccess;
  /** Every key begins with it and ":". In a cluster it is in braces: `{relaywatch}`. */
  prefix: string;
  /** Jobs that one worker has at a time. */
  concurrency: number;
  /**
   * How long a worker keeps a job without a sign of life, milliseconds. Renewed long before; a job whose worker
   * was killed is taken over after one to three times as long.
   */
  lockDurationMs: number;
}

export interface JobQueueOptions {
  /** Told, in a sentence, what went wrong and is tried again, and which jobs failed. */
  onTrouble?: (problem: string) => void;
  /** Told when the queue works after that; at once where it was a job that failed. */
  onRecovered?: () => void;
  /** Tries of a job in all, the first one included. */
  attempts?: number;
  /** Pause before the second try, milliseconds; it doubles from try to try. */
  backoffMs?: number;
  /** How long a call of a producer may take, milliseconds. */
  answerTimeoutMs?: number;
  /** How long running jobs have to end when the worker stops, milliseconds. */
  stopTimeoutMs?: number;
  /** How often abandoned jobs are looked for, milliseconds. */
  stalledIntervalMs?: number;
  /** Pause of a job whose other half is still running, milliseconds. */
  turnPauseMs?: number;
}

/** Name of the queue: its keys are `<prefix>:jobs:…`. */
export const QUEUE = 'jobs';

const DAY_SECONDS = 86_400;
/** Ingested files are known for so long, and failed jobs can be looked at. */
export const REMEMBER_DONE = { age: 7 * DAY_SECONDS, count: 50_000 };
export const REMEMBER_FAILED = { age: 30 * DAY_SECONDS, count: 50_000 };

export const DEFAULTS = {
  attempts: 10,
  backoffMs: 1_000,
  answerTimeoutMs: 5_000,
  stopTimeoutMs: 20_000,
  turnPauseMs: 2_000,
} as const;

/** What stands in Redis: plain text, so references alone. */
export interface JobData {
  schema: number;
  job: unknown;
  /** Of the call that queued it. */
  submission: string;
}

export const JOB_SCHEMA = 1;

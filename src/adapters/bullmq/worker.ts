/**
 * Takes jobs and runs them.
 *
 * A job is held by a lock that expires. A worker that does not renew it (killed, cut off, its thread busy) loses
 * the job to another. So the signal of a job aborts before its lock can have expired by our own clock, and what
 * is saved of a job is written only while the lock is ours.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Job as BullJob, DelayedError, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { otherJobIds, readJob } from '../../core/job-identity.ts';
import { type Job, type JobContext, type JobProgress, JobRefused } from '../../core/jobs.ts';
import type { RelaywatchError } from '../../core/outcome.ts';
import { DISCONNECT_TIMEOUT_MS, redisAddress, redisPlace, redisProblem, redisRefusal } from '../redis-access.ts';
import { DEFAULTS, JOB_SCHEMA, type JobData, type JobQueueOptions, type JobQueueSettings, QUEUE } from './settings.ts';

type Handler = (job: Job, context: JobContext) => Promise<void>;

interface Running {
  readonly abort: AbortController;
  /** Monotonic time of the last renewal of the lock that was confirmed, milliseconds. */
  renewedMs: number;
  ended: Promise<unknown>;
}

/** The rest of a lock's time is for the clock, the way to Redis and the handler that has to stop. */
const SAFE_PART_OF_LOCK = 0.8;
/** A job that takes its worker down with it fails at last; until then whoever died is no fault of the job. */
const MAX_STALLED = 25;
/** The longest that a connection stays without an answer that is due. Blocking calls take 10 seconds at most. */
const SOCKET_TIMEOUT_MS = 25_000;
const MESSAGE_CHARACTERS = 500;
const MAX_RECONNECT_PAUSE_MS = 5_000;
/** How soon a failed call to Redis is tried again. */
const RETRY_MS = 1_000;
/** Without any failure for so long, and with an answer then, the queue counts as working again. */
const RECOVERY_MS = 3 * RETRY_MS;

/** KEYS: the job, its lock. ARGV: token, progress. 0 where the lock is not ours. */
const SAVE_PROGRESS = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'progress', ARGV[2])
return 1
`;

export class JobWorker {
  readonly #settings: JobQueueSettings;
  readonly #options: JobQueueOptions;
  readonly #handler: Handler;
  readonly #place: string;
  readonly #running = new Map<string, Running>();
  /** The connection that was given to BullMQ, and those that it made of it. */
  readonly #clients: Redis[] = [];
  #stopping = false;
  /** Monotonic time of the last failure of Redis since it worked, milliseconds; null while it works. */
  #troubledMs: number | null = null;

  constructor(settings: JobQueueSettings, options: JobQueueOptions, handler: Handler) {
    this.#settings = settings;
    this.#options = options;
    this.#handler = handler;
    this.#place = redisPlace(settings.redis);
  }

  /** Works until `stop` aborts; rejects for what a person has to mend. */
  async run(stop: AbortSignal): Promise<void> {
    const { concurrency, lockDurationMs, prefix } = this.#settings;
    const client = this.#connect();
    const worker: Worker<JobData> = new Worker<JobData>(
      QUEUE,
      (job, token) => this.#process(worker, client, job, token!),
      {
        connection: client,
        prefix,
        concurrency,
        lockDuration: lockDurationMs,
        stalledInterval: this.#options.stalledIntervalMs ?? lockDurationMs,
        maxStalledCount: MAX_STALLED,
        runRetryDelay: RETRY_MS,
      },
    );
    const watch = setInterval(() => this.#stopLost(), Math.ceil(lockDurationMs / 20));
    try {
      await new Promise<void>((resolve, reject) => {
        stop.addEventListener('abort', () => resolve(), { once: true });
        if (stop.aborted) resolve();
        worker.on('error', (error) => {
          const refusal = this.#refusalOf(error);
          if (refusal !== null) reject(refusal);
          else if (!this.#stopping) this.#troubled(client, redisProblem(error));
        });
        worker.on('stalled', (id) => this.#jobTrouble(`Job ${id} was left by its worker, and is queued again`));
        worker.on('lockRenewalFailed', (ids) => {
          for (const id of ids) this.#running.get(id)?.abort.abort(lockLost(id));
        });
        worker.on('locksRenewed', ({ jobIds }) => {
          for (const id of jobIds) {
            const running = this.#running.get(id);
            if (running !== undefined) running.renewedMs = performance.now();
          }
        });
      });
    } finally {
      await this.#stop(worker);
      clearInterval(watch);
    }
  }

  async #process(worker: Worker<JobData>, client: Redis, stored: BullJob<JobData>, token: string): Promise<void> {
    const abort = new AbortController();
    const ended = Promise.withResolvers<void>();
    const running: Running = { abort, renewedMs: performance.now(), ended: ended.promise };
    const id = stored.id!;
    this.#running.set(id, running);
    try {
      const job = this.#read(stored);
      if (this.#stopping) abort.abort(stopped());
      abort.signal.throwIfAborted();
      await this.#waitForTurn(worker, client, stored, job, token);
      await this.#handler(job, {
        progress: progressOf(stored),
        signal: abort.signal,
        save: async (progress) => {
          this.#stopLost();
          abort.signal.throwIfAborted();
          const saving = client.eval(
            SAVE_PROGRESS,
            2,
            worker.toKey(id),
            `${worker.toKey(id)}:lock`,
            token,
            JSON.stringify(progress),
          );
          if ((await beforeAbort(saving, abort.signal)) === 0) abort.abort(lockLost(id));
          abort.signal.throwIfAborted();
        },
      });
    } catch (error) {
      throw await this.#outcomeOf(error, stored, token, abort.signal);
    } finally {
      this.#running.delete(id);
      ended.resolve();
    }
  }

  /** What BullMQ has to be told of a job that did not end well. */
  async #outcomeOf(error: unknown, stored: BullJob<JobData>, token: string, signal: AbortSignal): Promise<Error> {
    const message = error instanceof Error ? error.message : String(error);
    const short = message.slice(0, MESSAGE_CHARACTERS);
    if (error instanceof DelayedError) return error;
    if (error instanceof JobRefused) {
      this.#jobTrouble(`Job ${stored.id} (${stored.name}) is refused: ${short}`);
      return new UnrecoverableError(short);
    }
    if (signal.aborted) {
      // Not its fault: it is queued again as it was. Where the lock is gone, whoever has it by now does that.
      await stored.moveToWait(token).catch(() => {});
      return new WaitingError();
    }
    const attempt = `try ${stored.attemptsMade + 1} of ${stored.opts.attempts}`;
    this.#jobTrouble(`Job ${stored.id} (${stored.name}) failed at ${attempt}: ${short}`);
    return new Error(short);
  }

  #read(stored: BullJob<JobData>): Job {
    const job = stored.data.schema <= JOB_SCHEMA ? readJob(stored.data.job) : null;
    // Tried again: a worker of the right version may come.
    if (job === null) throw new Error('it was made by a newer relaywatch: upgrade this worker');
    return job;
  }

  /** Of the ids of one job never two run: the other one goes first. */
  async #waitForTurn(worker: Worker, client: Redis, stored: BullJob, job: Job, token: string): Promise<void> {
    for (const other of otherJobIds(job, stored.id!)) {
      if ((await client.lpos(worker.toKey('active'), other)) === null) continue;
      const pauseMs = (this.#options.turnPauseMs ?? DEFAULTS.turnPauseMs) * (0.5 + Math.random());
      await stored.moveToDelayed(Date.now() + pauseMs, token);
      throw new DelayedError();
    }
  }

  /** Aborts the jobs whose locks nobody confirmed in time. */
  #stopLost(): void {
    const latestMs = performance.now() - this.#settings.lockDurationMs * SAFE_PART_OF_LOCK;
    for (const [id, running] of this.#running) {
      if (running.renewedMs < latestMs) running.abort.abort(lockLost(id));
    }
  }

  async #stop(worker: Worker<JobData>): Promise<void> {
    this.#stopping = true;
    const timeoutMs = this.#options.stopTimeoutMs ?? DEFAULTS.stopTimeoutMs;
    const enough = new AbortController();
    const deadline = sleep(timeoutMs, 'late' as const, { signal: enough.signal }).catch(() => 'ended' as const);
    const orderly = (async () => {
      // No new jobs; then those that run.
      await worker.pause(true);
      for (const { abort } of this.#running.values()) abort.abort(stopped());
      await Promise.all([...this.#running.values()].map(({ ended }) => ended));
      await worker.close();
      return 'ended' as const;
    })().catch(() => 'late' as const);
    const outcome = await Promise.race([orderly, deadline]);
    enough.abort();
    if (outcome === 'late' && this.#running.size > 0) {
      const ids = [...this.#running.keys()].join(', ');
      this.#jobTrouble(`Jobs did not stop within ${timeoutMs} ms and are left to another worker: ${ids}`);
    }
    // Also ends calls that wait for a server which is away.
    for (const client of this.#clients) client.disconnect();
    void worker.close(true).catch(() => {});
  }

  /** A connection that comes back by itself, and whose copies are ours to end. */
  #connect(): Redis {
    const client = new Redis({
      ...redisAddress(this.#settings.redis),
      // Commands wait for as long as it takes (BullMQ requires that of a worker).
      maxRetriesPerRequest: null,
      socketTimeout: SOCKET_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      retryStrategy: (times) =>
        this.#stopping
          ? null
          : Math.min(MAX_RECONNECT_PAUSE_MS, 50 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2),
      connectionName: 'relaywatch-jobs',
    });
    client.on('error', () => {});
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (override) => {
      const copy = duplicate(override);
      this.#clients.push(copy);
      return copy;
    };
    this.#clients.push(client);
    return client;
  }

  /** Answers of the server and of TLS that a person has to see to. BullMQ's own errors pass. */
  #refusalOf(error: Error): RelaywatchError | null {
    const { code } = error as { code?: unknown };
    return error.name === 'ReplyError' || typeof code === 'string' ? redisRefusal(error, this.#place) : null;
  }

  /** Redis failed. Says when it works again. */
  #troubled(client: Redis, problem: string): void {
    const isFirst = this.#troubledMs === null;
    this.#troubledMs = performance.now();
    this.#options.onTrouble?.(`The worker of jobs has trouble with ${this.#place}: ${problem}`);
    if (isFirst) void this.#recover(client);
  }

  async #recover(client: Redis): Promise<void> {
    while (this.#troubledMs !== null && !this.#stopping) {
      const restMs = this.#troubledMs + RECOVERY_MS - performance.now();
      if (restMs > 0) {
        await sleep(restMs, undefined, { ref: false });
        continue;
      }
      const askedMs = this.#troubledMs;
      // Waits until Redis is back. A server that answers may still refuse to write: then there are new failures.
      const answers = await client.ping().then(
        () => true,
        () => false,
      );
      if (this.#troubledMs !== askedMs) continue;
      if (!answers) await sleep(RETRY_MS, undefined, { ref: false });
      else this.#troubledMs = null;
    }
    if (!this.#stopping) this.#options.onRecovered?.();
  }

  /** What is wrong with a job, while the queue works. */
  #jobTrouble(problem: string): void {
    this.#options.onTrouble?.(problem);
    if (this.#troubledMs === null) this.#options.onRecovered?.();
  }
}

/** `promise`, unless the signal aborts first. */
function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function progressOf({ progress }: BullJob): JobProgress {
  return typeof progress === 'object' && progress !== null ? { ...(progress as JobProgress) } : {};
}

function lockLost(id: string): Error {
  return new Error(`Job ${id} is no longer ours: its lock was not renewed in time`);
}

function stopped(): Error {
  return new Error('The worker of jobs stops');
}

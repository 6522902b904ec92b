/** Hands jobs over, or says at once that it cannot. */

import { randomUUID } from 'node:crypto';
import { type Job as BullJob, type JobsOptions, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { jobIds } from '../../core/job-identity.ts';
import type { Job, Submitted } from '../../core/jobs.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { DISCONNECT_TIMEOUT_MS, redisAddress, redisPlace, redisProblem, redisRefusal } from '../redis-access.ts';
import {
  DEFAULTS,
  JOB_SCHEMA,
  type JobData,
  type JobQueueOptions,
  type JobQueueSettings,
  QUEUE,
  REMEMBER_DONE,
  REMEMBER_FAILED,
} from './settings.ts';

interface Connection {
  client: Redis;
  queue: Queue<JobData>;
}

export class Producer {
  readonly #settings: JobQueueSettings;
  readonly #options: JobQueueOptions;
  readonly #place: string;
  readonly #timeoutMs: number;
  #connection: Promise<Connection> | null = null;
  #closed = false;

  constructor(settings: JobQueueSettings, options: JobQueueOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#place = redisPlace(settings.redis);
    this.#timeoutMs = options.answerTimeoutMs ?? DEFAULTS.answerTimeoutMs;
  }

  submit(job: Job): Promise<Submitted> {
    // Which of two calls at once queued it is told by what is stored, so they cannot both be told so.
    const data: JobData = { schema: JOB_SCHEMA, job, submission: randomUUID() };
    return this.#call(async (queue) => {
      for (const id of jobIds(job)) {
        const outcome = await this.#offer(queue, id, job, data);
        if (outcome !== 'begun') return outcome;
      }
      throw new RelaywatchError({
        code: 'queue_busy',
        message: `The same ${job.kind} of tenant ${job.tenant} has begun under all of its ids`,
        hint: 'Submit it again when one of them has ended.',
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const connection = await this.#connection?.catch(() => null);
    if (connection != null) await this.#drop(connection);
  }

  async #offer(queue: Queue<JobData>, id: string, job: Job, data: JobData): Promise<Submitted | 'begun'> {
    await queue.add(job.kind, data, this.#jobOptions(id, job));
    const stored = await queue.getJob(id);
    // Gone: it was done already, and is not remembered.
    if (stored === undefined || stored.data.submission === data.submission) return 'queued';
    const state = await stored.getState();
    if (state === 'failed') return (await this.#retry(stored, job, data)) ? 'queued' : 'known';
    if (state === 'completed') return 'done';
    const hasBegun = state === 'active' || state === 'unknown' || hasProgress(stored);
    return job.kind === 'rescan' && hasBegun ? 'begun' : 'known';
  }

  /** Runs a failed job again: an ingest goes on where it was, with the path that was given last. */
  async #retry(stored: BullJob<JobData>, job: Job, data: JobData): Promise<boolean> {
    await stored.updateData(data);
    if (job.kind === 'rescan') await stored.updateProgress({});
    try {
      await stored.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
      return true;
    } catch (error) {
      // -1 and -3 (ErrorCode of BullMQ): another call was faster.
      const { code } = error as { code?: unknown };
      if (code === -1 || code === -3) return false;
      throw error;
    }
  }

  #jobOptions(id: string, job: Job): JobsOptions {
    return {
      jobId: id,
      attempts: this.#options.attempts ?? DEFAULTS.attempts,
      backoff: { type: 'exponential', delay: this.#options.backoffMs ?? DEFAULTS.backoffMs, jitter: 0.5 },
      // Rows may come after a rescan: the next one is other work.
      removeOnComplete: job.kind === 'rescan' ? true : REMEMBER_DONE,
      removeOnFail: REMEMBER_FAILED,
      stackTraceLimit: 0,
    };
  }

  async #call<T>(run: (queue: Queue<JobData>) => Promise<T>): Promise<T> {
    for (let isLast = false; ; isLast = true) {
      const isFresh = this.#connection === null;
      this.#connection ??= this.#connect();
      const current = this.#connection;
      let connection: Connection | null = null;
      try {
        connection = await current;
        return await run(connection.queue);
      } catch (error) {
        if (error instanceof RelaywatchError) throw error;
        if (this.#connection === current) this.#connection = null;
        if (connection !== null) await this.#drop(connection);
        const refusal = redisRefusal(error, this.#place);
        // A connection from before may have died since, with a server that is long back.
        if (refusal !== null || isFresh || isLast) throw refusal ?? this.#away(error);
      }
    }
  }

  async #connect(): Promise<Connection> {
    if (this.#closed) throw new Error('Connection is closed.');
    // Nothing is kept for later and nothing is sent twice: who submits is told, and decides.
    const client = new Redis({
      ...redisAddress(this.#settings.redis),
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      connectTimeout: this.#timeoutMs,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      commandTimeout: this.#timeoutMs,
      connectionName: 'relaywatch-submit',
    });
    let reason: unknown = null;
    client.on('error', (error) => {
      reason ??= error;
    });
    try {
      await client.connect();
    } catch (error) {
      client.disconnect();
      throw reason ?? error;
    }
    // Made over a connection that stands: the queue itself would wait for one for ever.
    const queue = new Queue<JobData>(QUEUE, {
      connection: client,
      prefix: this.#settings.prefix,
      streams: { events: { maxLen: 1_000 } },
    });
    // What fails is told by the call that fails.
    queue.on('error', () => {});
    return { client, queue };
  }

  async #drop({ client, queue }: Connection): Promise<void> {
    client.disconnect();
    await queue.close().catch(() => {});
  }

  #away(error: unknown): RelaywatchError {
    return new RelaywatchError({
      code: 'queue_away',
      message: `The job was not queued: ${this.#place} does not answer (${redisProblem(error)})`,
      hint: 'Start Redis, see that this machine can reach it, and submit the job again.',
      cause: error,
    });
  }
}

function hasProgress({ progress }: BullJob): boolean {
  return typeof progress === 'object' && progress !== null && Object.keys(progress).length > 0;
}

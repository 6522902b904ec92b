/** Jobs while workers are killed and paused, and while Redis is away, restarted and forgetful. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { createJobQueue } from '../../src/adapters/bullmq/job-queue.ts';
import type { JobQueueOptions, JobQueueSettings } from '../../src/adapters/bullmq/settings.ts';
import { createJobSpool } from '../../src/adapters/file/job-spool.ts';
import { jobId } from '../../src/core/job-identity.ts';
import { type Job, type JobQueue, JobRefused } from '../../src/core/jobs.ts';
import { resubmitPending, submitDurably, withSpool } from '../../src/runtime/jobs/resubmit.ts';
import { queueSettings } from '../adapters/bullmq/settings.ts';
import { ingestOf, until } from '../adapters/contract/jobs.ts';
import { untilWritten } from '../adapters/redis/place.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

interface Event {
  event: 'begun' | 'step' | 'done' | 'ended' | 'trouble';
  at: number;
  step?: number;
  aborted?: boolean;
  message?: string;
}

const PROGRAM = path.resolve(import.meta.dirname, '../adapters/bullmq/worker-process.ts');

describeWithOwnEngines('Jobs and a Redis that comes and goes', { redis: true }, (engines) => {
  const server = () => engines().redis.server;
  const settingsOf = (changes: Partial<JobQueueSettings> = {}) =>
    queueSettings(engines().redis.url, { lockDurationMs: 2_000, ...changes });
  const fast: JobQueueOptions = { backoffMs: 50, stalledIntervalMs: 500, answerTimeoutMs: 3_000, stopTimeoutMs: 1_000 };

  function queueOf(settings: JobQueueSettings, options: JobQueueOptions = {}): JobQueue {
    const queue = createJobQueue(settings, { ...fast, ...options });
    onTestFinished(() => queue.close());
    return queue;
  }

  /** Kills it once it has written all that it acknowledged. */
  async function killServer(): Promise<void> {
    await untilWritten(engines().redis.url);
    await server().kill();
  }

  /** A worker in a process of its own, and what it says. */
  function startWorker(
    settings: JobQueueSettings,
    stepMs: number,
    stopAfterMs: number | null = null,
  ): { child: ChildProcess; events: Event[] } {
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify({ settings, options: fast, stepMs, stopAfterMs })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const events: Event[] = [];
    createInterface({ input: child.stdout! }).on('line', (line) => events.push(JSON.parse(line)));
    return { child, events };
  }

  const has = (events: Event[], event: Event['event']) => events.some((one) => one.event === event);

  test('a job whose worker was killed is taken over where it was', async () => {
    const settings = settingsOf();
    await queueOf(settings).submit(ingestOf(1));
    const first = startWorker(settings, 100);
    await until(() => first.events.filter(({ event }) => event === 'step').length >= 3);
    first.child.kill('SIGKILL');
    const second = startWorker(settings, 10);
    await until(() => has(second.events, 'done'));
    const saved = Math.max(...first.events.map(({ step }) => step ?? 0));
    const { step, at } = second.events.find(({ event }) => event === 'begun')!;
    expect(step).toBeGreaterThanOrEqual(saved);
    // The lock of the dead one was waited for.
    expect(at - first.events.at(-1)!.at).toBeGreaterThan(300);
  });

  test('a worker that was paused loses its job, notices before it saves anything, and spoils nothing', async () => {
    const settings = settingsOf();
    await queueOf(settings).submit(ingestOf(1));
    const first = startWorker(settings, 200);
    await until(() => first.events.filter(({ event }) => event === 'step').length >= 2);
    first.child.kill('SIGSTOP');
    const second = startWorker(settings, 150);
    await until(() => has(second.events, 'begun'));
    const takenMs = second.events.find(({ event }) => event === 'begun')!.at;
    first.child.kill('SIGCONT');
    await until(() => has(first.events, 'ended'));
    await until(() => has(second.events, 'done'));
    expect(first.events.find(({ event }) => event === 'ended')).toMatchObject({
      aborted: true,
      message: expect.stringContaining('no longer ours'),
    });
    // Not a step of the first one was saved after the second one had the job.
    expect(first.events.filter(({ event, at }) => event === 'step' && at > takenMs)).toEqual([]);
    const steps = second.events.filter(({ event }) => event === 'step').map(({ step }) => step);
    expect(steps).toEqual([...steps.keys()].map((index) => 11 - steps.length + index));
    // It is done: the first worker, which lives on, does not get it again.
    await sleep(1_000);
    expect(first.events.filter(({ event }) => event === 'begun')).toHaveLength(1);
  });

  /** As when the machine slept: by its own clock no time has passed. */
  test('a worker that does not know that its lock is gone cannot save either', async () => {
    const settings = settingsOf({ lockDurationMs: 30_000 });
    const queue = queueOf(settings);
    await queue.submit(ingestOf(1));
    const client = new Redis(settings.redis.url);
    onTestFinished(() => client.disconnect());
    const key = `${settings.prefix}:jobs:${jobId(ingestOf(1))}`;
    const found: unknown[] = [];
    const stop = new AbortController();
    const working = queue.work(async (_, { save, signal }) => {
      await save({ step: 1 });
      await client.set(`${key}:lock`, 'another worker');
      await save({ step: 2 }).catch((error: Error) => found.push(error.message, signal.aborted));
      stop.abort();
    }, stop.signal);
    await working;
    expect(found).toEqual([expect.stringContaining('no longer ours'), true]);
    expect(await client.hget(key, 'progress')).toBe('{"step":1}');
  });

  test('a process ends when all is closed, whatever Redis does', async () => {
    const settings = settingsOf({ lockDurationMs: 30_000 });
    await queueOf(settings).submit(ingestOf(1));
    const ends = async () => {
      const { child, events } = startWorker(settings, 5, 500);
      await until(() => events.length > 0);
      const startMs = performance.now();
      const code = child.exitCode ?? (await new Promise((resolve) => child.once('exit', resolve)));
      expect([code, performance.now() - startMs < 15_000]).toEqual([0, true]);
    };
    await ends();
    await killServer();
    await ends();
    await server().restart();
  });

  test('a restart of Redis in the middle of a job is waited for', async () => {
    const settings = settingsOf({ lockDurationMs: 5_000 });
    const queue = queueOf(settings);
    let runs = 0;
    let done = false;
    const stop = new AbortController();
    const working = queue.work(async (_, { save }) => {
      runs++;
      for (let step = 0; step < 10; step++) {
        await sleep(60);
        await save({ step });
      }
      done = true;
    }, stop.signal);
    await queue.submit(ingestOf(1));
    await until(() => runs === 1);
    await killServer();
    await server().restart();
    await until(() => done);
    expect(await queue.submit(ingestOf(1))).toBe('done');
    stop.abort();
    await working;
    expect(runs).toBe(1);
  });

  test('a Redis that stays away ends the job before its lock can have expired, and it is run again', async () => {
    const settings = settingsOf();
    const queue = queueOf(settings);
    const begun: number[] = [];
    const aborted: number[] = [];
    const stop = new AbortController();
    const working = queue.work(async (_, { signal }) => {
      begun.push(performance.now());
      if (begun.length > 1) return;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      aborted.push(performance.now());
      throw signal.reason;
    }, stop.signal);
    await queue.submit(ingestOf(1));
    await until(() => begun.length === 1);
    await sleep(600);
    server().pause();
    const pausedMs = performance.now();
    await until(() => aborted.length === 1);
    expect(aborted[0] - pausedMs).toBeLessThan(settings.lockDurationMs);
    await sleep(settings.lockDurationMs);
    server().resume();
    await until(() => begun.length === 2);
    stop.abort();
    await working;
  });

  test('a producer says at once that Redis is away, from its first call on, and is fine afterwards', async () => {
    const settings = settingsOf();
    const early = queueOf(settings);
    expect(await early.submit(ingestOf(1))).toBe('queued');
    await killServer();
    const late = queueOf(settings);
    for (const queue of [early, late, early]) {
      const startMs = performance.now();
      await expect(queue.submit(ingestOf(2))).rejects.toMatchObject({
        code: 'queue_away',
        message: expect.stringMatching(/^The job was not queued: Redis at redis:\S+ does not answer \(.+\)$/),
        hint: expect.stringContaining('Start Redis'),
      });
      expect(performance.now() - startMs).toBeLessThan(5_000);
    }
    await server().restart();
    expect(await early.submit(ingestOf(2))).toBe('queued');
    expect(await late.submit(ingestOf(2))).toBe('known');
    // Kept by the append-only file.
    expect(await late.submit(ingestOf(1))).toBe('known');

    server().pause();
    await expect(late.submit(ingestOf(3))).rejects.toMatchObject({ code: 'queue_away' });
    await expect(queueOf(settings).submit(ingestOf(3))).rejects.toMatchObject({ code: 'queue_away' });
    server().resume();
  });

  test('a worker that starts while Redis is away waits for it, and stops when it is told to', async () => {
    const settings = settingsOf();
    await queueOf(settings).submit(ingestOf(1));
    await killServer();
    const troubles: string[] = [];
    let recoveries = 0;
    const queue = queueOf(settings, {
      onTrouble: (problem) => troubles.push(problem),
      onRecovered: () => recoveries++,
    });
    const seen: Job[] = [];
    const stop = new AbortController();
    const working = queue.work(async (job) => {
      seen.push(job);
      if (job.tenant === 'refused') throw new JobRefused('it has no such tenant');
    }, stop.signal);
    await until(() => troubles.length > 0);
    expect(troubles[0]).toContain('ECONNREFUSED');
    const given = new AbortController();
    const second = queueOf(settings).work(async (job) => void seen.push(job), given.signal);
    await sleep(200);
    const startMs = performance.now();
    given.abort();
    await second;
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(recoveries).toBe(0);
    await server().restart();
    await until(() => seen.length === 1);
    await until(() => recoveries === 1);
    // A job that fails says nothing of the queue.
    await queue.submit({ ...ingestOf(2), tenant: 'refused' });
    await until(() => troubles.at(-1)?.includes('it has no such tenant') === true);
    expect(recoveries).toBe(2);
    stop.abort();
    await working;
  });

  test('a handler that does not stop is left behind at the deadline, and its job to another worker', async () => {
    const settings = settingsOf();
    const queue = queueOf(settings);
    await queue.submit(ingestOf(1));
    const troubles: string[] = [];
    const stubborn = queueOf(settings, { stopTimeoutMs: 300, onTrouble: (problem) => troubles.push(problem) });
    const stop = new AbortController();
    let begun = false;
    const working = stubborn.work(async () => {
      begun = true;
      await sleep(20_000, undefined, { ref: false });
    }, stop.signal);
    await until(() => begun);
    stop.abort();
    const startMs = performance.now();
    await working;
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(troubles).toContainEqual(expect.stringContaining('did not stop within 300 ms'));
    const seen: Job[] = [];
    const given = new AbortController();
    const next = queue.work(async (job) => void seen.push(job), given.signal);
    await until(() => seen.length === 1);
    given.abort();
    await next;
  });

  test('a job that was acknowledged and then lost by Redis comes back from the spool', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-spool-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const spool = createJobSpool(folder);
    const settings = settingsOf();
    const queue = queueOf(settings);
    expect(await submitDurably(spool, queue, ingestOf(1))).toBe('queued');
    await untilWritten(engines().redis.url);
    const size = statSync(logFile()).size;
    expect(await submitDurably(spool, queue, ingestOf(2))).toBe('queued');
    await killServer();
    truncateSync(logFile(), size);
    await server().restart();

    const done: Job[] = [];
    const stop = new AbortController();
    const working = Promise.all([
      queue.work(
        withSpool(spool, async (job) => void done.push(job)),
        stop.signal,
      ),
      resubmitPending(spool, queue, stop.signal, { everyMs: 100 }),
    ]);
    await until(() => done.length === 2);
    await sleep(300);
    stop.abort();
    await working;
    expect(done.sort((a, b) => (a as { bytes: number }).bytes - (b as { bytes: number }).bytes)).toEqual([
      ingestOf(1),
      ingestOf(2),
    ]);
    expect(await spool.pending()).toEqual([]);
  });

  /** The append-only file that the server writes to: in a folder since Redis 7.0. */
  function logFile(): string {
    const data = path.join(server().plan.folder, 'data');
    const folder = path.join(data, 'appendonlydir');
    if (readdirSync(data).includes('appendonly.aof')) return path.join(data, 'appendonly.aof');
    return path.join(folder, readdirSync(folder).find((name) => name.endsWith('.incr.aof'))!);
  }
});

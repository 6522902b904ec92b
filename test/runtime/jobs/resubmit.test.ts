/** Jobs that the queue loses come back from the spool. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createJobSpool } from '../../../src/adapters/file/job-spool.ts';
import { createMemoryJobs, newJobMemory } from '../../../src/adapters/memory/jobs.ts';
import { type Job, type JobContext, type JobQueue, JobRefused, type RescanJob } from '../../../src/core/jobs.ts';
import { type ResubmitOptions, resubmitPending, submitDurably, withSpool } from '../../../src/runtime/jobs/resubmit.ts';
import { ingestOf, until } from '../../adapters/contract/jobs.ts';

const rescan: RescanJob = { kind: 'rescan', tenant: 'contoso', fromMs: 0, toMs: null };

function start() {
  const folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-resubmit-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const memory = newJobMemory();
  const queue = createMemoryJobs(memory, { attempts: 2, backoffMs: 1 });
  const spool = createJobSpool(folder);
  const stop = new AbortController();
  const ends: Promise<void>[] = [];
  const end = async () => {
    stop.abort();
    await Promise.all(ends);
  };
  onTestFinished(end);
  return {
    spool,
    queue,
    /** The queue forgets everything. */
    lose: () => memory.jobs.clear(),
    work(handler: (job: Job, context: JobContext) => Promise<void>) {
      ends.push(queue.work(withSpool(spool, handler), stop.signal));
    },
    resubmit(to: JobQueue = queue, more: ResubmitOptions = {}) {
      ends.push(resubmitPending(spool, to, stop.signal, { everyMs: 10, ...more }));
    },
    end,
  };
}

test('jobs that the queue lost are done, and only once', async () => {
  const { spool, queue, lose, work, resubmit } = start();
  for (let number = 0; number < 5; number++) await submitDurably(spool, queue, ingestOf(number));
  await submitDurably(spool, queue, rescan);
  lose();
  const done: Job[] = [];
  work(async (job) => void done.push(job));
  resubmit();
  await until(() => done.length === 6);
  await sleep(50);
  expect(done).toHaveLength(6);
  expect(await spool.pending()).toEqual([]);
});

test('a job that is submitted again is out of the spool when it is done', async () => {
  const { spool, queue, work, resubmit } = start();
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  work(async () => {
    runs++;
    begun.resolve();
    await gate.promise;
  });
  await submitDurably(spool, queue, ingestOf(1));
  await begun.promise;
  expect(await submitDurably(spool, queue, ingestOf(1))).toBe('known');
  gate.resolve();
  resubmit();
  await vi.waitFor(async () => expect(await spool.pending()).toEqual([]), { timeout: 10_000 });
  expect(await submitDurably(spool, queue, ingestOf(1))).toBe('done');
  expect(await spool.pending()).toEqual([]);
  expect(runs).toBe(1);
});

test('a job is in the spool before the queue is asked, and submitted when the queue is back', async () => {
  const { spool, queue, work, resubmit } = start();
  let away = true;
  const shaky: JobQueue = {
    ...queue,
    submit: (job) => (away ? Promise.reject(new Error('The queue is away')) : queue.submit(job)),
  };
  await expect(submitDurably(spool, shaky, ingestOf(1))).rejects.toThrow('The queue is away');
  expect(await spool.pending()).toHaveLength(1);
  const troubles: string[] = [];
  const done: Job[] = [];
  work(async (job) => void done.push(job));
  let recoveries = 0;
  resubmit(shaky, { onTrouble: (problem) => troubles.push(problem), onRecovered: () => recoveries++ });
  await until(() => troubles.length >= 2);
  expect(troubles[0]).toBe('Jobs wait to be submitted again: The queue is away');
  expect(done).toEqual([]);
  expect(recoveries).toBe(0);
  away = false;
  await until(() => done.length === 1);
  await until(() => recoveries === 1);
  await sleep(50);
  expect(recoveries).toBe(1);
});

test('an ingest that ran out of tries is tried anew, a refused one is not', async () => {
  const { spool, queue, work, resubmit } = start();
  await submitDurably(spool, queue, ingestOf(1));
  await submitDurably(spool, queue, ingestOf(2));
  const runs = { failing: 0, refused: 0 };
  work(async (job) => {
    if (job.kind === 'ingest' && job.sha256.endsWith('2')) {
      runs.refused++;
      throw new JobRefused('no export');
    }
    if (++runs.failing < 5) throw new Error('no such file yet');
  });
  resubmit();
  await until(() => runs.failing === 5);
  await sleep(50);
  expect(runs).toEqual({ failing: 5, refused: 1 });
  expect(await spool.pending()).toEqual([]);
});

test('a rescan that takes long is not run twice, unless it was asked for in the middle of it', async () => {
  const { spool, queue, work, resubmit } = start();
  await submitDurably(spool, queue, rescan);
  let runs = 0;
  let gate = Promise.withResolvers<void>();
  work(async () => {
    runs++;
    await gate.promise;
  });
  await until(() => runs === 1);
  resubmit();
  await sleep(60);
  // The one that the start could not tell from the work of a dead worker.
  gate.resolve();
  await until(() => runs === 2);
  gate = Promise.withResolvers();
  await submitDurably(spool, queue, rescan);
  await until(() => runs === 3);
  await sleep(60);
  gate.resolve();
  await sleep(60);
  expect(runs).toBe(3);
  expect(await spool.pending()).toEqual([]);
});

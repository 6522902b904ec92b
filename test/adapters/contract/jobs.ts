/** What every queue of jobs does. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type IngestJob,
  type Job,
  type JobContext,
  type JobQueue,
  JobRefused,
  type RescanJob,
} from '../../../src/core/jobs.ts';

/** How queues are to be made: three tries, pauses of some milliseconds, so that tests need not wait. */
export const CONTRACT_ATTEMPTS = 3;

/** Where jobs are kept, as several processes see it. */
export interface JobPlace {
  /** The queue of another process. */
  open(): JobQueue;
}

type Handler = (job: Job, context: JobContext) => Promise<void>;

export function ingestOf(number: number, changes: Partial<IngestJob> = {}): IngestJob {
  const sha256 = number.toString(16).padStart(64, '0');
  return {
    kind: 'ingest',
    tenant: 'contoso',
    path: `/exports/${number}.csv`,
    sha256,
    bytes: 1_000 + number,
    ...changes,
  };
}

const rescan: RescanJob = { kind: 'rescan', tenant: 'contoso', fromMs: 1_767_225_600_000, toMs: null };

/** Until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(
    () => {
      if (!condition()) throw new Error('not yet');
    },
    { timeout: 60_000, interval: 5 },
  );
}

export function describeJobsContract(name: string, create: () => Promise<JobPlace>): void {
  describe(`${name} as queue of jobs`, () => {
    /** A queue in a fresh place, and workers that are stopped at the end. */
    async function start() {
      const place = await create();
      const open = () => {
        const queue = place.open();
        onTestFinished(() => queue.close());
        return queue;
      };
      const work = (handler: Handler) => {
        const stop = new AbortController();
        const ended = open().work(handler, stop.signal);
        const end = async () => {
          stop.abort();
          await ended;
        };
        onTestFinished(end);
        return end;
      };
      return { queue: open(), open, work };
    }

    test('hands over the job as it was submitted', async () => {
      const { queue, work } = await start();
      const seen: Job[] = [];
      expect(await queue.submit(ingestOf(1))).toBe('queued');
      expect(await queue.submit(rescan)).toBe('queued');
      expect(await queue.submit({ ...rescan, toMs: rescan.fromMs + 1 })).toBe('queued');
      work(async (job, { progress }) => {
        expect(progress).toEqual({});
        seen.push(job);
      });
      await until(() => seen.length === 3);
      expect(seen).toEqual([ingestOf(1), rescan, { ...rescan, toMs: rescan.fromMs + 1 }]);
    });

    test('knows an export that is waiting, running or done', async () => {
      const { queue, open, work } = await start();
      const gate = Promise.withResolvers<void>();
      let runs = 0;
      expect(await queue.submit(ingestOf(1))).toBe('queued');
      expect(await open().submit(ingestOf(1))).toBe('known');
      // The same bytes of the same tenant, wherever they lie.
      expect(await queue.submit(ingestOf(1, { path: '/elsewhere.csv' }))).toBe('known');
      expect(await queue.submit(ingestOf(1, { tenant: 'fabrikam' }))).toBe('queued');
      const handler = async () => {
        runs++;
        await gate.promise;
      };
      const ends = [work(handler), work(handler)];
      await until(() => runs === 2);
      expect(await queue.submit(ingestOf(1))).toBe('known');
      gate.resolve();
      await Promise.all(ends.map((end) => end()));
      expect(await queue.submit(ingestOf(1))).toBe('done');
      work(handler);
      await sleep(50);
      expect(runs).toBe(2);
    });

    test('queues one of many that are submitted at once', async () => {
      const { queue, open } = await start();
      const queues = [queue, open(), open()];
      const outcomes = await Promise.all(Array.from({ length: 12 }, (_, at) => queues[at % 3].submit(ingestOf(5))));
      expect(outcomes.filter((outcome) => outcome === 'queued')).toHaveLength(1);
    });

    test('gives each job to one worker, and never to two at a time', async () => {
      const { queue, work } = await start();
      const running = new Set<string>();
      const done: string[] = [];
      let overlaps = 0;
      const handler: Handler = async (job) => {
        const id = (job as IngestJob).sha256;
        if (running.has(id)) overlaps++;
        running.add(id);
        await sleep(2);
        running.delete(id);
        done.push(id);
      };
      for (let worker = 0; worker < 3; worker++) work(handler);
      for (let number = 0; number < 40; number++) await queue.submit(ingestOf(number));
      await until(() => done.length >= 40);
      await sleep(30);
      expect(overlaps).toBe(0);
      expect(new Set(done).size).toBe(40);
      expect(done).toHaveLength(40);
    });

    test('goes on from the progress of the attempt before', async () => {
      const { queue, work } = await start();
      const seen: unknown[] = [];
      await queue.submit(ingestOf(1));
      work(async (_, { progress, save }) => {
        seen.push(progress);
        if (seen.length === 1) {
          await save({ offset: 100 });
          await save({ offset: 4_096, stage: 'rows' });
          throw new Error('The disk is away');
        }
      });
      await until(() => seen.length === 2);
      expect(seen).toEqual([{}, { offset: 4_096, stage: 'rows' }]);
    });

    test('gives up after some attempts, and begins anew when the job is submitted again', async () => {
      const { queue, work } = await start();
      const seen: { progress: unknown; path: string }[] = [];
      await queue.submit(ingestOf(1));
      work(async (job, { progress, save }) => {
        seen.push({ progress, path: (job as IngestJob).path });
        if (seen.length > CONTRACT_ATTEMPTS) return;
        await save({ tries: seen.length });
        throw new Error('no such file');
      });
      await until(() => seen.length === CONTRACT_ATTEMPTS);
      await sleep(200);
      expect(seen).toHaveLength(CONTRACT_ATTEMPTS);
      expect(await queue.submit(ingestOf(1, { path: '/moved.csv' }))).toBe('queued');
      await until(() => seen.length === CONTRACT_ATTEMPTS + 1);
      expect(seen.at(-1)).toEqual({ progress: { tries: CONTRACT_ATTEMPTS }, path: '/moved.csv' });
    });

    test('does not try a refused job again', async () => {
      const { queue, work } = await start();
      let runs = 0;
      await queue.submit(ingestOf(1));
      await queue.submit(ingestOf(2));
      const others: Job[] = [];
      work(async (job) => {
        if ((job as IngestJob).sha256.endsWith('2')) {
          others.push(job);
          return;
        }
        runs++;
        throw new JobRefused('This is no export');
      });
      await until(() => others.length === 1);
      await sleep(200);
      expect(runs).toBe(1);
      // A person says so.
      expect(await queue.submit(ingestOf(1))).toBe('queued');
      await until(() => runs === 2);
    });

    test('stops a running job with its worker, and gives it to another as it was', async () => {
      const { queue, work } = await start();
      await queue.submit(ingestOf(1));
      // More often than a job may fail.
      for (let round = 0; round <= CONTRACT_ATTEMPTS; round++) {
        let begun: unknown = null;
        let stopped = false;
        const end = work(async (_, { progress, save, signal }) => {
          begun = progress;
          await save({ round });
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          stopped = true;
          await expect(save({ round: -1 })).rejects.toThrow();
          signal.throwIfAborted();
        });
        await until(() => begun !== null);
        await sleep(20);
        await end();
        expect(stopped).toBe(true);
        expect(begun).toEqual(round === 0 ? {} : { round: round - 1 });
      }
      let last: unknown = null;
      work(async (_, { progress }) => {
        last = progress;
      });
      await until(() => last !== null);
      expect(last).toEqual({ round: CONTRACT_ATTEMPTS });
    });

    test('counts a job as done that ends well although its worker stops', async () => {
      const { queue, work } = await start();
      await queue.submit(ingestOf(1));
      let runs = 0;
      const end = work(async (_, { signal }) => {
        runs++;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      });
      await until(() => runs === 1);
      await end();
      expect(await queue.submit(ingestOf(1))).toBe('done');
      work(async () => {
        runs++;
      });
      await sleep(50);
      expect(runs).toBe(1);
    });

    test('rescans once more when asked in the middle of it or afterwards, and never twice at a time', async () => {
      const { queue, work } = await start();
      let running = 0;
      let most = 0;
      let runs = 0;
      const progresses: unknown[] = [];
      const gate = Promise.withResolvers<void>();
      const handler: Handler = async (_, { progress, save }) => {
        runs++;
        running++;
        most = Math.max(most, running);
        progresses.push(progress);
        await save({ day: runs });
        await gate.promise;
        running--;
      };
      expect(await queue.submit(rescan)).toBe('queued');
      expect(await queue.submit(rescan)).toBe('known');
      work(handler);
      work(handler);
      await until(() => runs === 1);
      expect(await queue.submit(rescan)).toBe('queued');
      expect(await queue.submit(rescan)).toBe('known');
      await sleep(100);
      gate.resolve();
      await until(() => runs === 2 && running === 0);
      await sleep(50);
      expect(await queue.submit(rescan)).toBe('queued');
      await until(() => runs === 3);
      expect(most).toBe(1);
      expect(progresses).toEqual([{}, {}, {}]);
    });

    test('ends its workers when it is closed, and takes no work once it was told to stop', async () => {
      const { queue, open } = await start();
      const other = open();
      const seen: Job[] = [];
      const ended = other.work(async (job) => void seen.push(job), new AbortController().signal);
      await queue.submit(ingestOf(1));
      await until(() => seen.length === 1);
      await other.close();
      await ended;
      await queue.submit(ingestOf(2));
      await open().work(async (job) => void seen.push(job), AbortSignal.abort());
      await sleep(50);
      expect(seen).toHaveLength(1);
    });
  });
}

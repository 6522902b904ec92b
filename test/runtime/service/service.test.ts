/** What ends a worker, and what it waits for. */

import { once } from 'node:events';
import { expect, test } from 'vitest';
import { waitingPart, workWithOutputs } from '../../../src/runtime/service/service.ts';
import { Health } from '../../../src/runtime/telemetry/health.ts';

/** Goes on until it is told to stop. */
const work = async (signal: AbortSignal) => {
  await once(signal, 'abort');
};
const away = {
  check: async (signal?: AbortSignal) => {
    await once(signal!, 'abort');
    throw new Error('stopped while it waited');
  },
};
const never = new AbortController().signal;

test('outputs that refuse for good end the work, and say why', async () => {
  const refused = { check: () => Promise.reject(new Error('the key is wrong')) };
  let wasStopped = false;
  const working = workWithOutputs(refused, never, async (signal) => {
    await work(signal);
    wasStopped = true;
    throw new Error('what follows from that');
  });
  await expect(working).rejects.toThrow('the key is wrong');
  expect(wasStopped).toBe(true);
});

test('outputs that are away hold neither the work nor its end up', async () => {
  const stop = new AbortController();
  const working = workWithOutputs(away, stop.signal, work);
  stop.abort();
  await working;
  await expect(workWithOutputs(away, never, () => Promise.reject(new Error('the log is gone')))).rejects.toThrow(
    'the log is gone',
  );
});

test('outputs that take what comes leave the work alone', async () => {
  const stop = new AbortController();
  let isOver = false;
  const working = workWithOutputs({ check: async () => {} }, stop.signal, work).finally(() => {
    isOver = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isOver).toBe(false);
  stop.abort();
  await working;
});

test('a part that waits for a server lives, and one that does nothing does not', () => {
  let nowMs = 0;
  const health = new Health(() => nowMs);
  health.watch('detector', 300_000);
  const told: (string | null)[] = [];
  const onTrouble = waitingPart('detector', health, (_, trouble) => told.push(trouble));
  for (let minute = 1; minute <= 60; minute++) {
    nowMs = minute * 60_000;
    onTrouble('elasticsearch', 'it is away');
    expect(health.stalled()).toEqual([]);
  }
  nowMs += 300_001;
  expect(health.stalled()).toMatchObject([{ component: 'detector' }]);
  onTrouble('elasticsearch', null);
  expect(health.stalled()).toEqual([]);
  expect(told.slice(-2)).toEqual(['it is away', null]);
});

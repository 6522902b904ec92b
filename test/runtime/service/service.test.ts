/** What ends a worker, and what it waits for. */

import { once } from 'node:events';
import { expect, test } from 'vitest';
import { workWithOutputs } from '../../../src/runtime/service/service.ts';

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

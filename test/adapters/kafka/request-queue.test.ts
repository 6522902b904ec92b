/** The queue of requests of kafkajs after its mend: no timer without a request that waits, and none forgotten. */

import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { mendRequestQueue } from '../../../src/adapters/kafka/request-queue.ts';

interface Queue {
  push(request: { entry: { correlationId: number }; expectResponse: boolean; sendRequest(): void }): void;
  fulfillRequest(response: { correlationId: number; payload: Buffer; size: number }): void;
  maybeThrottle(ms: number): void;
  scheduleRequestTimeoutCheck(): void;
  destroy(): void;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
}

const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js') as new (
  options: object,
) => Queue;

afterEach(() => {
  vi.restoreAllMocks();
});

function setUp(maxInFlightRequests: number | null, requestTimeout = 1_000) {
  const logger = { debug() {}, warn() {}, error() {}, info() {} };
  const queue = new RequestQueue({
    maxInFlightRequests,
    requestTimeout,
    enforceRequestTimeout: true,
    clientId: 'c',
    broker: 'b',
    logger,
  });
  const sent: number[] = [];
  const failed: number[] = [];
  const push = (correlationId: number) => {
    const entry = { correlationId, resolve() {}, reject: () => failed.push(correlationId) };
    queue.push({ entry, expectResponse: true, sendRequest: () => sent.push(correlationId) });
  };
  const answer = (correlationId: number) => queue.fulfillRequest({ correlationId, payload: Buffer.alloc(0), size: 0 });
  return { queue, sent, failed, push, answer };
}

describe('the mended queue', () => {
  test('is that of the kafkajs that is installed', () => {
    expect(mendRequestQueue()).toBe(true);
    expect(mendRequestQueue()).toBe(true);
  });

  test('sets no timer where nothing waits', () => {
    mendRequestQueue();
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const { queue, sent, push, answer } = setUp(null);
    for (let id = 1; id <= 50; id++) {
      push(id);
      answer(id);
    }
    expect(sent.length).toBe(50);
    expect(queue.throttleCheckTimeoutId).toBeNull();
    expect(timers).not.toHaveBeenCalled();
  });

  test('sends what waits for a throttle or for answers, in order', async () => {
    mendRequestQueue();
    const { queue, sent, push, answer } = setUp(1);
    queue.maybeThrottle(40);
    push(1);
    push(2);
    expect(sent).toEqual([]);
    await sleep(90);
    expect(sent).toEqual([1]);
    answer(1);
    expect(sent).toEqual([1, 2]);
    await sleep(30);
    expect(queue.throttleCheckTimeoutId).toBeNull();
    queue.destroy();
  });

  test('gives up requests that are not answered', async () => {
    mendRequestQueue();
    const { queue, push, failed } = setUp(null, 300);
    queue.scheduleRequestTimeoutCheck();
    push(1);
    await sleep(1_500);
    expect(failed).toEqual([1]);
    queue.destroy();
  });
});

/**
 * A mend for kafkajs 2.2.4: the timer of its queue of pending requests never stops
 * (`network/requestQueue/index.js`, `scheduleCheckPendingRequests`: it is set anew with every check, with a
 * negative wait where nothing is throttled). Every connection wakes its process about 900 times a second
 * for nothing, and Node 24 prints a TimeoutNegativeWarning (tulios/kafkajs#1704, #1751). No release mends it.
 * Besides, `scheduleRequestTimeoutCheck` looks ten times a second for requests that are 30 s late; once is enough.
 */

import { createRequire } from 'node:module';
import { crc32 } from 'node:zlib';

const require = createRequire(import.meta.url);

const KNOWN_VERSION = '2.2.4';
/** CRC-32 of the source texts of the functions in that version. */
const KNOWN_FUNCTIONS = { scheduleCheckPendingRequests: 0x782798e4, scheduleRequestTimeoutCheck: 0x5541e614 } as const;
/** As in kafkajs, for requests that wait because too many are under way. */
const CHECK_INTERVAL_MS = 10;
const TIMEOUT_CHECK_INTERVAL_MS = 1_000;

/** What the functions use of their queue. */
interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  enforceRequestTimeout: boolean;
  requestTimeoutIntervalId: NodeJS.Timeout | undefined;
  inflight: Map<number, { sentAt: number; requestTimeout: number; timeoutRequest(): void }>;
  isConnected(): boolean;
  destroy(): void;
  scheduleCheckPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
}

/** Mends all queues, of connections that exist too. False where this kafkajs is not the one that is known. */
export function mendRequestQueue(): boolean {
  const { version } = require('kafkajs/package.json') as { version: string };
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue };
  if (prototype.scheduleCheckPendingRequests === scheduleCheckPendingRequests) return true;
  if (version !== KNOWN_VERSION || !hasKnownFunctions(prototype)) return false;
  prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests;
  prototype.scheduleRequestTimeoutCheck = scheduleRequestTimeoutCheck;
  return true;
}

function hasKnownFunctions(prototype: RequestQueue): boolean {
  const names = ['scheduleCheckPendingRequests', 'scheduleRequestTimeoutCheck'] as const;
  return names.every((name) => crc32(String(prototype[name])) === KNOWN_FUNCTIONS[name]);
}

/** Like the original, but a timer runs only where a request waits. */
function scheduleCheckPendingRequests(this: RequestQueue): void {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
  const throttledMs = this.throttledUntil - Date.now();
  const check = () => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  };
  this.throttleCheckTimeoutId = setTimeout(check, throttledMs > 0 ? throttledMs : CHECK_INTERVAL_MS);
}

/** Like the original, but once a second. */
function scheduleRequestTimeoutCheck(this: RequestQueue): void {
  if (!this.enforceRequestTimeout) return;
  this.destroy();
  this.requestTimeoutIntervalId = setInterval(() => {
    const now = Date.now();
    for (const request of [...this.inflight.values()]) {
      if (now - request.sentAt > request.requestTimeout) request.timeoutRequest();
    }
    if (!this.isConnected()) this.destroy();
  }, TIMEOUT_CHECK_INTERVAL_MS);
}

/**
 * A mend for kafkajs 2.2.4: the timer of its queue of pending requests never stops
 * (`network/requestQueue/index.js`, `scheduleCheckPendingRequests`: it is set anew with every check, with a
 * negative wait where nothing is throttled). Every connection wakes its process about 900 times a second
 * for nothing, and Node 24 prints a TimeoutNegativeWarning (tulios/kafkajs#1704, #1751). No release mends it.
 */

import { createRequire } from 'node:module';
import { crc32 } from 'node:zlib';

const require = createRequire(import.meta.url);

const KNOWN_VERSION = '2.2.4';
/** Of the function's source text in that version. */
const KNOWN_FUNCTION_CRC32 = 0x782798e4;
/** As in kafkajs, for requests that wait because too many are under way. */
const CHECK_INTERVAL_MS = 10;

/** What the function uses of its queue. */
interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

/** Mends all queues, of connections that exist too. False where this kafkajs is not the one that is known. */
export function mendRequestQueue(): boolean {
  const { version } = require('kafkajs/package.json') as { version: string };
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue };
  if (prototype.scheduleCheckPendingRequests === scheduleCheckPendingRequests) return true;
  const source = String(prototype.scheduleCheckPendingRequests);
  if (version !== KNOWN_VERSION || crc32(source) !== KNOWN_FUNCTION_CRC32) return false;
  prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests;
  return true;
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

/** Settings of queues in tests. */

import { randomUUID } from 'node:crypto';
import type { JobQueueSettings } from '../../../src/adapters/bullmq/settings.ts';

/** Settings with keys that no other test uses. */
export function queueSettings(url: string, changes: Partial<JobQueueSettings> = {}): JobQueueSettings {
  return {
    redis: { url, username: null, password: null, tls: null, allowPlaintext: false },
    prefix: `relaywatch-test-${randomUUID()}`,
    concurrency: 1,
    lockDurationMs: 5_000,
    ...changes,
  };
}

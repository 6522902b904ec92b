/** A Redis server of a test, and what tests do to the checkpoints in it. */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createRedisCheckpoints } from '../../../src/adapters/redis/checkpoints.ts';
import type { RedisOptions, RedisSettings } from '../../../src/adapters/redis/settings.ts';
import type { CheckpointPlace } from '../contract/checkpoints.ts';

/** Settings with keys that no other test uses. */
export function settingsFor(url: string): RedisSettings {
  return {
    url,
    username: null,
    password: null,
    tls: null,
    allowPlaintext: false,
    prefix: `relaywatch-test-${randomUUID()}`,
  };
}

/** The place of `settings`; `close` removes what is in it. */
export function placeIn(
  settings: RedisSettings,
  options?: RedisOptions,
): CheckpointPlace & { client: Redis; close(): Promise<void> } {
  const client = new Redis(settings.url);
  const keyOf = (key: string, rest: string) => `${settings.prefix}:checkpoint:{${key}}:${rest}`;
  const list = () => client.keys(`${settings.prefix}*`);
  return {
    client,
    open: () => createRedisCheckpoints(settings, options),
    async change(key, part, change) {
      if (part === null) {
        const stored = await client.hgetBuffer(keyOf(key, 'manifest'), 'manifest');
        await client.hset(keyOf(key, 'manifest'), 'manifest', Buffer.from(change(stored!)));
      } else {
        const stored = await client.getBuffer(keyOf(key, `part:${part}:0`));
        await client.set(keyOf(key, `part:${part}:0`), Buffer.from(change(stored!)));
      }
    },
    list,
    async close() {
      const keys = await list();
      if (keys.length > 0) await client.unlink(...keys);
      client.disconnect();
    },
  };
}

/**
 * Until all that Redis has acknowledged is in the append-only file, and so survives kill -9. While an fsync is
 * under way, `appendfsync everysec` writes up to two seconds after the answer (aof.c, flushAppendOnlyFile).
 */
export async function untilWritten(url: string): Promise<void> {
  const client = new Redis(url);
  try {
    while (!/^aof_buffer_length:0\r?$/m.test(await client.info('persistence'))) await sleep(10);
  } finally {
    client.disconnect();
  }
}

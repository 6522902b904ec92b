/** Whether a Redis server is fit to keep checkpoints and jobs. */

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Check } from '../../core/setup.ts';
import { redisProblem, redisRefusal } from '../redis-access.ts';
import { RedisLink } from './link.ts';
import type { RedisSettings } from './settings.ts';

/** BullMQ recommends it (RedisConnection.recommendedMinimumVersion in its source). */
const OLDEST = [6, 2];
const ANSWER_TIMEOUT_MS = 5_000;

/** All that was looked at. Nothing waits: a server that is away is a finding. */
export async function checkRedis(settings: RedisSettings): Promise<Check[]> {
  let link: RedisLink | null = null;
  try {
    link = new RedisLink(settings, { answerTimeoutMs: ANSWER_TIMEOUT_MS });
    const { place } = link;
    const info = await link.once(async (client) => factsOf(await client.info()));
    const reached: Check = { what: 'Redis answers', ok: true, detail: place, hint: null };
    return [
      reached,
      versionCheck(info),
      appendOnlyCheck(info),
      evictionCheck(info),
      await link.once((client) => rightsCheck(client, settings.prefix, place)),
    ];
  } catch (error) {
    const refusal = redisRefusal(error, link?.place ?? 'Redis');
    return [
      {
        what: 'Redis answers',
        ok: false,
        detail: refusal?.message ?? `${link?.place ?? 'Redis'}: ${redisProblem(error)}`,
        hint: refusal?.hint ?? 'Start Redis, and see that this machine can reach it.',
      },
    ];
  } finally {
    await link?.close();
  }
}

/** Lines `name:value` of INFO. */
function factsOf(info: string): Map<string, string> {
  const lines = info.split(/\r?\n/).filter((line) => line.includes(':') && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

function versionCheck(info: Map<string, string>): Check {
  const version = info.get('redis_version') ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const ok = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return {
    what: `Redis is ${OLDEST.join('.')} or newer`,
    ok,
    detail: version === '' ? 'the server does not tell its version' : version,
    hint: ok ? null : 'Upgrade Redis.',
  };
}

function appendOnlyCheck(info: Map<string, string>): Check {
  const enabled = info.get('aof_enabled') === '1';
  const written = (info.get('aof_last_write_status') ?? 'ok') === 'ok';
  return {
    what: 'Redis keeps an append-only file',
    ok: enabled && written,
    detail: !enabled ? 'appendonly no' : written ? 'appendonly yes' : 'appendonly yes, and its last write failed',
    hint: !enabled
      ? 'Set `appendonly yes` in redis.conf: without it a restart takes checkpoints and jobs.'
      : written
        ? null
        : 'Look at disk and log of the server: it cannot write its append-only file.',
  };
}

function evictionCheck(info: Map<string, string>): Check {
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  const ok = policy === 'noeviction';
  return {
    what: 'Redis throws nothing away when its memory is full',
    ok,
    detail: `maxmemory-policy ${policy}`,
    hint: ok ? null : 'Set `maxmemory-policy noeviction` in redis.conf: an evicted checkpoint or job is a lost one.',
  };
}

/** Does, on keys of its own, what checkpoints and jobs need: scripts, hashes, lists, sorted sets and streams. */
async function rightsCheck(client: Redis, prefix: string, place: string): Promise<Check> {
  const what = 'The user of Redis has the rights that are needed';
  const key = (rest: string) => `${prefix}:doctor:{${id}}:${rest}`;
  const id = randomUUID();
  const script = "redis.call('HSET', KEYS[1], 'a', '1') return redis.call('HGETALL', KEYS[1])";
  const keys = ['hash', 'text', 'list', 'sorted', 'stream', 'set'].map(key);
  try {
    await client.eval(script, 1, keys[0]);
    await client.set(keys[1], '1', 'PX', 60_000);
    await client.lpush(keys[2], '1');
    await client.zadd(keys[3], 1, '1');
    await client.bzpopmin(keys[3], 1);
    await client.xadd(keys[4], '*', 'a', '1');
    await client.sadd(keys[5], '1');
    await client.unlink(...keys);
    return { what, ok: true, detail: `keys ${prefix}:* can be written, read and removed`, hint: null };
  } catch (error) {
    const refusal = redisRefusal(error, place);
    await client.unlink(...keys).catch(() => {});
    return {
      what,
      ok: false,
      detail: redisProblem(error),
      hint: refusal?.hint ?? 'Try again when the server is well.',
    };
  }
}

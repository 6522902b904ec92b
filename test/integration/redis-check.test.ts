/** What doctor finds out about a Redis server. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { checkRedis } from '../../src/adapters/redis/check.ts';
import { settingsFor } from '../adapters/redis/place.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

describeWithOwnEngines('A Redis that is looked at', { redis: true }, (engines) => {
  const settings = () => settingsFor(engines().redis.url);

  function client(): Redis {
    const connected = new Redis(engines().redis.url);
    onTestFinished(() => connected.disconnect());
    return connected;
  }

  test('is fit', async () => {
    const checks = await checkRedis(settings());
    expect(checks.filter(({ ok, hint }) => !ok || hint !== null)).toEqual([]);
    expect(checks).toHaveLength(5);
    expect(await client().keys('*doctor*')).toEqual([]);
  });

  test('takes the settings of infra/redis/redis.conf', async () => {
    const file = path.resolve(import.meta.dirname, '../../infra/redis/redis.conf');
    const lines = readFileSync(file, 'utf8').split('\n');
    const set = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(' '));
    expect(set.length).toBeGreaterThan(5);
    const connected = client();
    for (const [name, value] of set) await connected.config('SET', name, value === '""' ? '' : value);
    expect((await checkRedis(settings())).every(({ ok }) => ok)).toBe(true);
  });

  test('throws away, keeps no file, and gives too few rights', async () => {
    const connected = client();
    await connected.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await connected.config('SET', 'appendonly', 'no');
    await connected.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@read', '+@connection', '+info');
    const access = { ...settings(), username: 'reader', password: 'secret' };
    const found = (await checkRedis(access)).filter(({ ok }) => !ok);
    expect(found).toEqual([
      expect.objectContaining({ detail: 'appendonly no', hint: expect.stringContaining('appendonly yes') }),
      expect.objectContaining({ detail: 'maxmemory-policy allkeys-lru', hint: expect.stringContaining('noeviction') }),
      expect.objectContaining({
        detail: expect.stringContaining('NOPERM'),
        hint: expect.stringContaining('ACL SETUSER'),
      }),
    ]);
    await connected.config('SET', 'appendonly', 'yes');
  });

  test('has no database of that number', async () => {
    const access = settings();
    const [found] = await checkRedis({ ...access, url: `${access.url.replace(/\/$/, '')}/999` });
    expect(found).toMatchObject({ ok: false, hint: expect.stringContaining('Name a database') });
  });

  test('does not answer', async () => {
    await engines().redis.server.kill();
    expect(await checkRedis(settings())).toEqual([
      {
        what: 'Redis answers',
        ok: false,
        detail: expect.stringMatching(/^Redis at redis:\S+: .*ECONNREFUSED/),
        hint: expect.stringContaining('Start Redis'),
      },
    ]);
    const [far] = await checkRedis({ ...settings(), url: 'redis://user:secret@192.0.2.1:6379' });
    expect(far).toMatchObject({ ok: false, detail: expect.stringContaining('plain text') });
    expect(JSON.stringify(far)).not.toContain('secret');
  });
});

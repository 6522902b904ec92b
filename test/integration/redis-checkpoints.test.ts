/** Checkpoints in a real Redis: the contract, and what a server does to them that is killed, paused or forgetful. */

import { readdirSync, statSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { createRedisCheckpoints } from '../../src/adapters/redis/checkpoints.ts';
import type { RedisOptions } from '../../src/adapters/redis/settings.ts';
import type { CheckpointStore } from '../../src/core/checkpoint.ts';
import { describeCheckpointsContract } from '../adapters/contract/checkpoints.ts';
import { placeIn, settingsFor, untilWritten } from '../adapters/redis/place.ts';
import { describeWithEngines, describeWithOwnEngines } from '../engines/suites.ts';

describeWithEngines('Redis', { redis: true }, (engines) => {
  const open: { close(): Promise<void> }[] = [];
  afterAll(async () => {
    for (const place of open) await place.close();
  });
  describeCheckpointsContract('Redis', async () => {
    const place = placeIn(settingsFor(engines().redis.url));
    open.push(place);
    return place;
  });

  test('asks for what a person has to mend, and does not wait for it', async () => {
    const place = placeIn(settingsFor(engines().redis.url));
    onTestFinished(() => place.close());
    const user = `test-${Date.now()}`;
    await place.client.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '+@connection', '+info');
    onTestFinished(async () => {
      await place.client.call('ACL', 'DELUSER', user);
    });
    const claim = async (password: string) => {
      const store = createRedisCheckpoints({ ...settingsFor(engines().redis.url), username: user, password });
      onTestFinished(() => store.close());
      await store.claim('p', 1);
    };
    await expect(claim('a wrong one')).rejects.toMatchObject({
      code: 'redis_refused',
      message: expect.stringMatching(/^Redis at redis:\/\/127.0.0.1:\d+ refuses: WRONGPASS/),
      hint: 'Correct user and password.',
    });
    await expect(claim('secret')).rejects.toMatchObject({ message: expect.stringContaining('NOPERM') });
    await expect(claim('a wrong one')).rejects.not.toThrow(/a wrong one/);
  });
});

describeWithOwnEngines('Redis that comes and goes', { redis: true }, (engines) => {
  const server = () => engines().redis.server;
  let troubles: string[] = [];
  let recoveries = 0;

  function storeOf(settings = settingsFor(engines().redis.url), options: RedisOptions = {}): CheckpointStore {
    troubles = [];
    recoveries = 0;
    const store = createRedisCheckpoints(settings, {
      onTrouble: (problem) => troubles.push(problem),
      onRecovered: () => recoveries++,
      maxPauseMs: 100,
      answerTimeoutMs: 5_000,
      ...options,
    });
    onTestFinished(() => store.close());
    return store;
  }

  test('keeps what was saved through kill -9 of the server, and calls wait for it', async () => {
    const store = storeOf();
    await store.claim('p', 1);
    await store.putPart('p', 'day', Buffer.from('day'));
    await store.save('p', 1, Buffer.from('one'));
    await untilWritten(engines().redis.url);
    await server().kill();
    let saved = false;
    const late = store.save('p', 1, Buffer.from('two')).then(() => {
      saved = true;
    });
    await sleep(500);
    await vi.waitFor(() => expect(troubles).not.toEqual([]), { timeout: 20_000 });
    expect(saved).toBe(false);
    expect(troubles.at(-1)).toMatch(/^Saving checkpoint p in Redis waits for Redis at redis:\S+: .*ECONNREFUSED/);
    expect(recoveries).toBe(0);
    await server().restart();
    await late;
    expect(recoveries).toBe(1);
    expect((await store.claim('p', 2))?.bytes).toEqual(Uint8Array.from(Buffer.from('two')));
    expect(await store.part('p', 'day')).toEqual(Uint8Array.from(Buffer.from('day')));
  });

  test('waits for a server that is paused, and saves once', async () => {
    const store = storeOf(settingsFor(engines().redis.url), { answerTimeoutMs: 1_000 });
    await store.claim('p', 1);
    await store.save('p', 1, Buffer.from('one'));
    server().pause();
    const late = store.save('p', 1, Buffer.from('two'));
    await sleep(2_500);
    server().resume();
    await late;
    await store.save('p', 1, Buffer.from('three'));
    expect(troubles[0]).toContain('timed out');
    expect((await store.claim('p', 1))?.bytes).toEqual(Uint8Array.from(Buffer.from('three')));
  });

  test('is closed while it waits', async () => {
    await server().kill();
    const store = storeOf();
    const waiting = store.claim('p', 1);
    const rejected = expect(waiting).rejects.toMatchObject({ code: 'redis_closed' });
    await sleep(300);
    await store.close();
    await rejected;
    await expect(store.claim('p', 1)).rejects.toMatchObject({ code: 'redis_closed' });
    await server().restart();
  });

  /**
   * A power cut, as the file shows it: `appendfsync everysec` leaves a beginning of the append-only file.
   * Whatever beginning it is, the manifest that is there has its parts.
   */
  test('has a manifest with all of its parts, whatever the server lost of its last writes', async () => {
    const settings = settingsFor(engines().redis.url);
    const store = storeOf(settings);
    const start = await sizeOfLog();
    await store.claim('p', 1);
    for (let number = 1; number <= 12; number++) {
      await store.putPart('p', `day-${number}`, Buffer.alloc(2_000, number));
      await store.putPart('p', `month-${number >> 2}`, Buffer.alloc(3_000, number >> 2));
      await store.save('p', 1, Buffer.from(JSON.stringify([`day-${number}`, `month-${number >> 2}`])));
      await store.keepParts('p', [`day-${number}`, `month-${number >> 2}`]);
    }
    await store.close();
    const end = await sizeOfLog();
    expect(end - start).toBeGreaterThan(40_000);
    let shorter = 0;
    let generation = 1;
    // Each cut is shorter than the one before, and the server appends nothing of ours in between but claims.
    for (let cut = end - 1; cut > start; cut -= Math.ceil((end - start) / 14) + (cut % 97)) {
      await server().kill();
      truncateSync(logFile(), cut);
      await server().restart();
      const place = placeIn(settings);
      const next = place.open();
      const held = await next.claim('p', ++generation);
      if (held !== null) {
        const names: string[] = JSON.parse(String(Buffer.from(held.bytes)));
        for (const name of names) {
          const number = Number(name.split('-')[1]);
          const length = name.startsWith('day') ? 2_000 : 3_000;
          expect(Buffer.compare((await next.part('p', name))!, Buffer.alloc(length, number))).toBe(0);
        }
        shorter++;
      }
      await next.close();
      place.client.disconnect();
    }
    expect(shorter).toBeGreaterThan(8);
  });

  test.each([0, 300, 900])('does not save a manifest whose parts the server has lost (%i bytes kept)', async (kept) => {
    const settings = settingsFor(engines().redis.url);
    const store = storeOf(settings);
    await store.claim('p', 1);
    await store.putPart('p', 'old', Buffer.from('old'));
    await store.save('p', 1, Buffer.from('old'));
    await store.keepParts('p', ['old']);
    const before = await sizeOfLog();
    await store.putPart('p', 'new', Buffer.alloc(1_000));
    expect(await sizeOfLog()).toBeGreaterThan(before + 1_000);
    await server().kill();
    truncateSync(logFile(), before + kept);
    await server().restart();
    await expect(store.save('p', 1, Buffer.from('old new'))).rejects.toMatchObject({
      code: 'checkpoint_lost',
      message: expect.stringContaining('no longer has part new'),
    });
    const next = storeOf(settings);
    expect((await next.claim('p', 2))?.bytes).toEqual(Uint8Array.from(Buffer.from('old')));
    expect(await next.part('p', 'old')).toEqual(Uint8Array.from(Buffer.from('old')));
    // What is left of the new one is in nobody's way, and goes.
    await next.save('p', 2, Buffer.from('old'));
    await next.keepParts('p', ['old']);
    const place = placeIn(settings);
    onTestFinished(() => place.close());
    expect((await place.list()).filter((one) => one.includes(':part:'))).toHaveLength(1);
  });

  test('renews a claim that the server has lost', async () => {
    const settings = settingsFor(engines().redis.url);
    const [old, young] = [storeOf(settings), storeOf(settings)];
    await old.claim('p', 1);
    await old.save('p', 1, Buffer.from('of 1'));
    const before = await sizeOfLog();
    await young.claim('p', 2);
    await server().kill();
    truncateSync(logFile(), before);
    await server().restart();
    await old.save('p', 1, Buffer.from('of 1 again'));
    await young.save('p', 2, Buffer.from('of 2'));
    await expect(old.save('p', 1, Buffer.from('late'))).rejects.toThrow('newer generation');
    expect((await young.claim('p', 2))?.bytes).toEqual(Uint8Array.from(Buffer.from('of 2')));
  });

  /** The append-only file that the server writes to: in a folder since Redis 7.0. */
  function logFile(): string {
    const data = path.join(server().plan.folder, 'data');
    const folder = path.join(data, 'appendonlydir');
    const single = path.join(data, 'appendonly.aof');
    if (readdirSync(data).includes('appendonly.aof')) return single;
    const files = readdirSync(folder).filter((name) => name.endsWith('.incr.aof'));
    return path.join(folder, files[0]);
  }

  /** With all that was acknowledged. */
  async function sizeOfLog(): Promise<number> {
    await untilWritten(engines().redis.url);
    return statSync(logFile()).size;
  }
});

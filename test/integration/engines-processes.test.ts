/** No server outlives those it was started for, however they end. With Redis, which starts at once. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { cacheFolder } from '../engines/cache.ts';
import { endAbandonedSets, openSet, setsFolder } from '../engines/engine-set.ts';
import { ownServer } from '../engines/engines.ts';
import { isAlive } from '../engines/processes.ts';
import { ServerHandle } from '../engines/server.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** A process that has started a server. */
async function startOwner(): Promise<{ owner: ChildProcess; pid: number; set: string; keeper: number }> {
  const owner = spawn(process.execPath, [path.join(import.meta.dirname, 'engine-owner.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void owner.kill('SIGKILL'));
  const [line] = await once(createInterface(owner.stdout!), 'line');
  const { folder, pid } = JSON.parse(line);
  const set = path.dirname(folder);
  return { owner, pid, set, keeper: Number(path.basename(set).split('-')[1]) };
}

async function killOwner(owner: ChildProcess): Promise<void> {
  const ended = once(owner, 'exit');
  owner.kill('SIGKILL');
  await ended;
}

const SOON = { timeout: 30_000 };
const redisIsAlive = (pid: number) => isAlive(pid, 'redis-server');
const gone = (pid: number, set: string) =>
  vi.waitFor(() => expect([redisIsAlive(pid), existsSync(set)]).toEqual([false, false]), SOON);

describeWithOwnEngines('Processes of engines', { redis: true }, () => {
  test('end with the process that started them, even when that is killed', async () => {
    const { owner, pid, set, keeper } = await startOwner();
    expect([redisIsAlive(pid), isAlive(keeper, 'keeper.ts'), existsSync(set)]).toEqual([true, true, true]);
    await killOwner(owner);
    await gone(pid, set);
    await vi.waitFor(() => expect(isAlive(keeper, 'keeper.ts')).toBe(false), SOON);
  });

  test('end when the next run begins, should everything have been killed', async () => {
    const { owner, pid, set, keeper } = await startOwner();
    process.kill(keeper, 'SIGKILL');
    await vi.waitFor(() => expect(isAlive(keeper, 'keeper.ts')).toBe(false), SOON);
    await killOwner(owner);
    expect([redisIsAlive(pid), existsSync(set)]).toEqual([true, true]);
    await endAbandonedSets();
    expect([redisIsAlive(pid), existsSync(set)]).toEqual([false, false]);
  });

  test('are left alone by other runs while somebody uses them', async () => {
    const { pid, set } = await startOwner();
    await endAbandonedSets();
    expect([redisIsAlive(pid), existsSync(set)]).toEqual([true, true]);
  });

  test('end with their set, paused or not', async () => {
    const set = await openSet();
    const { plan } = await ownServer(set.folder, 'redis', true);
    const pid = new ServerHandle(plan).pid!;
    process.kill(pid, 'SIGSTOP');
    await set.close();
    expect([redisIsAlive(pid), existsSync(set.folder)]).toEqual([false, false]);
    expect(readdirSync(setsFolder())).not.toContain(path.basename(set.folder));
  });

  test('are started once, however many ask at the same time', async () => {
    const set = await openSet();
    onTestFinished(() => set.close());
    const servers = await Promise.all(Array.from({ length: 5 }, () => ownServer(set.folder, 'redis', true)));
    expect(new Set(servers.map(({ address }) => JSON.stringify(address))).size).toBe(1);
    expect(readdirSync(set.folder)).toEqual(['redis']);
  });
});

describeWithOwnEngines('npm run engines', { redis: true }, () => {
  /** A cache of its own, so that the servers of somebody who sits at this machine stay up. */
  let cache: string;
  beforeAll(() => {
    cache = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'relaywatch-engines-')));
    chmodSync(cache, 0o755);
    for (const name of readdirSync(cacheFolder())) {
      if (name !== 'sets') symlinkSync(path.join(cacheFolder(), name), path.join(cache, name));
    }
  });
  afterAll(() => rmSync(cache, { recursive: true, force: true }));

  const run = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [path.join(ROOT, 'test/engines/command.ts'), ...args],
      { env: { ...process.env, RELAYWATCH_ENGINES_CACHE: cache } },
    );
    return stdout;
  };

  test('brings servers up once, says where they are, and takes them down', async () => {
    expect(await run('status')).toBe('Nothing is up.\n');
    const variables = await run('up', 'redis');
    expect(variables).toMatch(/^export RELAYWATCH_REDIS_URL='redis:\/\/127\.0\.0\.1:\d+'\n$/);
    expect(await run('up', 'redis')).toBe(variables);
    const status = await run('status');
    const [, pid] = /^Redis [\d.]+: process (\d+), \d+ MiB, redis:/.exec(status)!;
    expect(redisIsAlive(Number(pid))).toBe(true);

    process.kill(Number(pid), 'SIGKILL');
    await vi.waitFor(() => expect(redisIsAlive(Number(pid))).toBe(false), SOON);
    expect(await run('status')).toMatch(/^Redis [\d.]+: has ended\n$/);
    expect(await run('up', 'redis')).toBe(variables);
    const again = Number(/process (\d+)/.exec(await run('status'))![1]);

    expect(await run('down')).toBe('');
    expect(redisIsAlive(again)).toBe(false);
    expect(await run('status')).toBe('Nothing is up.\n');
  });

  test('explains itself', async () => {
    await expect(run()).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('Usage') });
    await expect(run('up', 'kafak')).rejects.toMatchObject({
      code: 1,
      stderr: 'There is no engine "kafak"; there are kafka, elasticsearch, redis\n',
    });
    expect(await run('status')).toBe('Nothing is up.\n');
  });
});

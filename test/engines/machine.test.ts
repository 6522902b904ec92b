/** What is found on a machine: JDKs, ports, processes, addresses in the environment. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { cacheFolder, installOnce, isInstalled } from './cache.ts';
import { given } from './engines.ts';
import { findJdk } from './jdk.ts';
import { freePorts } from './ports.ts';
import { isAlive, killAndWait, sendSignal, waitForEnd } from './processes.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-machine-'));
  chmodSync(folder, 0o755);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

describe('the JDK', () => {
  function install(name: string, release: string, compiler = true): string {
    const home = path.join(folder, name);
    mkdirSync(path.join(home, 'bin'), { recursive: true });
    writeFileSync(path.join(home, 'release'), release);
    if (compiler) writeFileSync(path.join(home, 'bin/javac'), '');
    return home;
  }

  test('is the oldest that is new enough, with a compiler', () => {
    // Versions that no machine has: of those that it has, none is as new.
    vi.stubEnv('JAVA_HOME_A', install('a', 'IMPLEMENTOR="x"\nJAVA_VERSION="912.0.1"\n'));
    vi.stubEnv('JAVA_HOME_B', install('b', 'JAVA_VERSION="911"\n'));
    vi.stubEnv('JAVA_HOME_C', install('c', 'JAVA_VERSION="910.1"\n', false));
    vi.stubEnv('JAVA_HOME_D', install('d', 'nothing'));
    vi.stubEnv('JAVA_HOME_E', path.join(folder, 'not-there'));
    expect(findJdk(910)).toEqual({ home: path.join(folder, 'b'), version: 911 });
    expect(findJdk(912)).toEqual({ home: path.join(folder, 'a'), version: 912 });
    expect(findJdk(913)).toBe(null);
  });
});

describe('ports', () => {
  test('are different, free, and below those of outgoing connections', async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
    expect(Math.max(...ports)).toBeLessThan(32_768);
    for (const port of ports) {
      const server = createServer().listen(port, '127.0.0.1');
      await once(server, 'listening');
      server.close();
    }
  });
});

describe.skipIf(process.platform === 'win32')('processes', () => {
  async function sleeper(): Promise<number> {
    const child = spawn('sleep', ['3600.5'], { stdio: 'ignore' });
    await once(child, 'spawn');
    onTestFinished(() => void child.kill('SIGKILL'));
    return child.pid!;
  }

  test('are signalled only when their command line is the one meant', async () => {
    const pid = await sleeper();
    expect(sendSignal(pid, 'another program', 'SIGKILL')).toBe(false);
    await killAndWait(pid, 'another program');
    expect(isAlive(pid, '3600.5')).toBe(true);
    expect(await waitForEnd(pid, '3600.5', 50)).toBe(false);
    await killAndWait(pid, '3600.5');
    expect(isAlive(pid, '3600.5')).toBe(false);
    expect(sendSignal(pid, '3600.5', 'SIGKILL')).toBe(false);
  });

  test('are ended when they are stopped, too', async () => {
    const pid = await sleeper();
    process.kill(pid, 'SIGSTOP');
    await killAndWait(pid, '3600.5');
    expect(isAlive(pid, '3600.5')).toBe(false);
  });
});

describe('what is made once', () => {
  beforeEach(() => vi.stubEnv('RELAYWATCH_ENGINES_CACHE', path.join(folder, 'cache')));

  test('is there for everybody, whoever was first', async () => {
    let built = 0;
    const build = async (place: string) => {
      built += 1;
      writeFileSync(path.join(place, 'program'), 'x');
    };
    expect(isInstalled('one')).toBe(false);
    const places = await Promise.all([installOnce('one', build), installOnce('one', build)]);
    expect(places).toEqual(Array(2).fill(path.join(folder, 'cache/one')));
    const before = built;
    expect(await installOnce('one', build)).toBe(places[0]);
    expect(built).toBe(before);
    expect(isInstalled('one')).toBe(true);
  });

  test('is not there when making it failed', async () => {
    const build = () => Promise.reject(new Error('disk full'));
    await expect(installOnce('two', build)).rejects.toThrow('disk full');
    expect(isInstalled('two')).toBe(false);
  });

  test.runIf(process.getuid?.() === 0)('is refused where the user of the servers cannot go', () => {
    chmodSync(folder, 0o700);
    expect(() => cacheFolder()).toThrow('set RELAYWATCH_ENGINES_CACHE to a folder that everybody may enter');
  });
});

describe('addresses in the environment', () => {
  beforeEach(() => {
    for (const name of ['KAFKA_BROKERS', 'ELASTICSEARCH_URL', 'ELASTICSEARCH_CA', 'REDIS_URL']) {
      vi.stubEnv(`RELAYWATCH_${name}`, '');
    }
  });

  test('there are none', () => {
    expect([given('kafka'), given('elasticsearch'), given('redis')]).toEqual([null, null, null]);
  });

  test('are taken as they are', () => {
    vi.stubEnv('RELAYWATCH_KAFKA_BROKERS', 'one:9092, two:9092');
    vi.stubEnv('RELAYWATCH_ELASTICSEARCH_URL', 'https://ann:p%40ss@search:9200/');
    vi.stubEnv('RELAYWATCH_REDIS_URL', 'redis://cache:6379/3');
    expect(given('kafka')).toEqual({ brokers: ['one:9092', 'two:9092'] });
    expect(given('redis')).toEqual({ url: 'redis://cache:6379/3' });
    expect(given('elasticsearch')).toEqual({ url: 'https://search:9200/', username: 'ann', password: 'p@ss' });
    const ca = path.join(folder, 'ca.pem');
    writeFileSync(ca, 'PEM');
    vi.stubEnv('RELAYWATCH_ELASTICSEARCH_CA', ca);
    expect(given('elasticsearch')).toMatchObject({ ca: 'PEM' });
  });

  test('do not do where a special server is wanted', () => {
    vi.stubEnv('RELAYWATCH_ELASTICSEARCH_URL', 'http://search:9200');
    expect(given('elasticsearch', { security: true })).toBe(null);
  });
});

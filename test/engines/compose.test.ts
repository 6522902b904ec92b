/** Engines from Docker Compose: what Docker is told, and when. With a Docker that only writes down what it is told. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { composeFile, specificationProblems } from '../compose/compose-file.ts';
import { readLock } from './artifacts.ts';
import { composedAddress, startComposed } from './compose.ts';
import { endAbandonedSets, openSet } from './engine-set.ts';
import { ENGINES, shared, startEngines } from './engines.ts';
import { isAlive } from './processes.ts';

const COMPOSE_FILE = path.join(import.meta.dirname, 'compose.yaml');

describe('the file', () => {
  const text = readFileSync(COMPOSE_FILE, 'utf8');
  const file = { ...composeFile(text), networks: {}, volumes: {}, secrets: {} };

  test('keeps the rules of the Compose specification', () => {
    expect(specificationProblems(file)).toEqual([]);
    expect(Object.keys(file.services)).toEqual(ENGINES);
  });

  test('has the versions that come from Maven, on 127.0.0.1 alone, and waits for each', () => {
    const { kafka, elasticsearch } = readLock();
    expect(file.services.kafka.image).toBe(`apache/kafka:${kafka.version}`);
    expect(file.services.elasticsearch.image).toMatch(`/elasticsearch:${elasticsearch.version}`);
    for (const [name, { ports, healthcheck }] of Object.entries(file.services)) {
      expect(ports).toEqual([expect.stringMatching(`^127\\.0\\.0\\.1:\\$\\{${name.toUpperCase()}_PORT:\\?\\}:\\d+$`)]);
      expect(healthcheck?.test).toBeDefined();
    }
  });
});

describe.skipIf(process.platform === 'win32')('Docker Compose', () => {
  let folder: string;
  let said: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-compose-'));
    chmodSync(folder, 0o755);
    vi.stubEnv('RELAYWATCH_ENGINES_CACHE', path.join(folder, 'cache'));
    for (const name of ['KAFKA_BROKERS', 'ELASTICSEARCH_URL', 'REDIS_URL']) vi.stubEnv(`RELAYWATCH_${name}`, '');
    said = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said += text;
      return true;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Answers as Docker does where it works, but for these commands: `up` may wait, or say why not and fail. */
  function dockerThat(answers: Partial<Record<'version' | 'info' | 'up' | 'down', string>>): void {
    const programs = path.join(folder, 'programs');
    mkdirSync(programs, { recursive: true });
    const { version = 'true', info = 'true', up = 'true', down = 'true' } = answers;
    const lines = [
      '#!/bin/sh',
      `echo "$*" >>${folder}/told`,
      `case "$*" in "compose version") ${version} ;; info) ${info} ;; *" up "*) ${up} ;; *" down "*) ${down} ;; esac`,
    ];
    writeFileSync(path.join(programs, 'docker'), lines.join('\n'), { mode: 0o755 });
    vi.stubEnv('PATH', `${programs}${path.delimiter}${process.env.PATH}`);
  }

  /** What it was told, with the names of the set as `SET` and its folder as `FOLDER`. */
  function told(set: string): string[] {
    if (!existsSync(path.join(folder, 'told'))) return [];
    const text = readFileSync(path.join(folder, 'told'), 'utf8').replaceAll(set, 'FOLDER');
    return text.replaceAll(path.basename(set), 'SET').trimEnd().split('\n');
  }

  async function aSet(): Promise<{ folder: string; close(): Promise<void> }> {
    const set = await openSet();
    onTestFinished(() => set.close());
    return set;
  }

  const project = `compose -p relaywatch-SET --env-file FOLDER/compose/ports.env -f ${COMPOSE_FILE}`;

  test('is asked whether it works, brings up what is wanted on ports of ours, and takes it down', async () => {
    dockerThat({});
    const set = await aSet();
    await startComposed(set.folder, ['kafka', 'redis']);
    const ports = readFileSync(path.join(set.folder, 'compose/ports.env'), 'utf8');
    expect(ports).toMatch(/^KAFKA_PORT=\d+\nELASTICSEARCH_PORT=\d+\nREDIS_PORT=\d+\n$/);
    const { kafka, redis } = await startEngines({ kafka: true, redis: true }, set.folder);
    expect(ports).toContain(`KAFKA_PORT=${kafka.brokers[0].replace('127.0.0.1:', '')}\n`);
    expect(ports).toContain(`REDIS_PORT=${new URL(redis.url).port}\n`);
    expect(composedAddress(set.folder, 'elasticsearch')).toBeNull();
    await set.close();
    expect(told(set.folder)).toEqual([
      'compose version',
      'info',
      `${project} up -d --wait kafka redis`,
      `${project} down -v`,
    ]);
    expect(existsSync(set.folder)).toBe(false);
    expect(said).toBe('');
  });

  test('does not bring what the environment gives, or what is to be of a special kind', async () => {
    dockerThat({});
    vi.stubEnv('RELAYWATCH_REDIS_URL', 'redis://cache:6379');
    const set = await aSet();
    await startComposed(set.folder, ['elasticsearch']);
    expect(shared('redis', true, set.folder)).toEqual({ url: 'redis://cache:6379' });
    expect(shared('elasticsearch', true, set.folder)).toEqual({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/),
    });
    expect(shared('elasticsearch', { security: true }, set.folder)).toBeNull();
    await startComposed(set.folder, []);
    expect(told(set.folder).filter((line) => line.includes(' up '))).toHaveLength(1);
  });

  test.each([
    { version: 'echo "docker: unknown command: docker compose" >&2; exit 1' },
    { info: 'echo "Cannot connect to the Docker daemon" >&2; exit 1' },
  ])('is left alone where it does not work: %j', async (answers) => {
    dockerThat(answers);
    const set = await aSet();
    await startComposed(set.folder, ENGINES);
    await set.close();
    expect(told(set.folder).filter((line) => / (up|down) /.test(line))).toEqual([]);
    expect(said).toBe('');
  });

  test('says in one line that it could not, and leaves nothing', async () => {
    dockerThat({ up: 'echo " Container x Started" >&2; echo "no space left on device" >&2; exit 1' });
    const set = await aSet();
    await startComposed(set.folder, ENGINES);
    expect(said).toBe(
      'Docker Compose does not bring kafka, elasticsearch, redis up (no space left on device): Maven has to\n',
    );
    expect(told(set.folder).slice(2)).toEqual([
      `${project} up -d --wait kafka elasticsearch redis`,
      `${project} down -v`,
    ]);
    expect(ENGINES.map((name) => shared(name, true, set.folder))).toEqual([null, null, null]);
  });

  test.each([
    ['up', 'true', 'addresses.json'],
    ['being brought up', 'while true; do sleep 0.1; done', 'launcher.pid'],
  ])('is taken down after a killed run, when engines were %s', async (_, up, evidence) => {
    dockerThat({ up });
    const source = `
      import { openSet } from '${import.meta.dirname}/engine-set.ts';
      import { startComposed } from '${import.meta.dirname}/compose.ts';
      const set = await openSet();
      console.log(set.folder);
      await startComposed(set.folder, ['redis']);
      setInterval(() => {}, 60_000);`;
    const args = ['--input-type=module-typescript', '--eval', source];
    const owner = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void owner.kill('SIGKILL'));
    const set = String((await once(owner.stdout, 'data'))[0]).trim();
    await vi.waitFor(() => expect(told(set).some((line) => line.includes(' up '))).toBe(true), { timeout: 10_000 });
    await vi.waitFor(() => expect(existsSync(path.join(set, 'compose', evidence))).toBe(true), { timeout: 10_000 });
    const pid = Number(readFileSync(path.join(set, 'compose/launcher.pid'), 'utf8'));
    owner.kill('SIGKILL');
    await vi.waitFor(() => expect(told(set).at(-1)).toBe(`${project} down -v`), { timeout: 10_000 });
    await vi.waitFor(() => expect(existsSync(set)).toBe(false), { timeout: 10_000 });
    expect(isAlive(pid, set)).toBe(false);
  });

  test('is tried again by the next run where it could not be taken down', async () => {
    dockerThat({ down: 'exit 1' });
    const set = await openSet();
    await startComposed(set.folder, ['redis']);
    await set.close();
    expect(said).toContain('Containers of the tests stay until the next run');
    expect(existsSync(set.folder)).toBe(true);
    dockerThat({});
    await endAbandonedSets();
    expect(told(set.folder).at(-1)).toBe(`${project} down -v`);
    expect(existsSync(set.folder)).toBe(false);
  });
});

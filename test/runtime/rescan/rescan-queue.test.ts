import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createArchive } from '../../../src/adapters/file/archive.ts';
import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import { DAY_MS } from '../../../src/core/calendar.ts';
import { Fenced } from '../../../src/core/checkpoint.ts';
import { RelaywatchError } from '../../../src/core/outcome.ts';
import type { RescanProfile } from '../../../src/runtime/rescan/rescan.ts';
import { RescanQueue } from '../../../src/runtime/service/rescan-queue.ts';
import { createTelemetry } from '../../../src/runtime/telemetry/telemetry.ts';

const MINUTE_MS = 60_000;
const profile: RescanProfile = {
  settings: { key: 'contoso', acceptedDomains: null, licenses: null, timeZone: 'UTC' },
  organizations: [],
  dateOrder: null,
  evidenceRows: 10,
};
const { signal } = new AbortController();

let folder: string;
let nowMs: number;
let lines: string[];
/** Start of every attempt. */
let attempts: number[];
let problem: unknown;
let during: () => Promise<void>;

class Outputs extends MemoryOutputStore {
  override async incidents(tenant: string, fromMs: number, toMs: number) {
    attempts.push(fromMs);
    await during();
    if (problem !== null) throw problem;
    return await super.incidents(tenant, fromMs, toMs);
  }
}

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaywatch-test-queue-'));
  nowMs = Date.UTC(2026, 6, 1);
  lines = [];
  attempts = [];
  problem = null;
  during = async () => undefined;
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function open(tenants = ['contoso']): Promise<RescanQueue> {
  const now = () => nowMs;
  const queue = new RescanQueue({
    folder: path.join(folder, 'rescans'),
    archive: createArchive(path.join(folder, 'archive')),
    profiles: new Map(tenants.map((tenant) => [tenant, profile])),
    outputs: new Outputs(),
    telemetry: createTelemetry({
      pipeline: 'test',
      role: 'embedded',
      tenants,
      host: null,
      port: null,
      logStream: { write: (text: string) => lines.push(text) },
      now,
    }),
    now,
  });
  await queue.open();
  return queue;
}

const remembered = async () => (await readdir(path.join(folder, 'rescans'))).length;

it('runs what is due once', async () => {
  const queue = await open();
  await queue.add('contoso', 3 * DAY_MS + 5);
  await queue.add('contoso', 4 * DAY_MS);
  await queue.run(signal);
  await queue.run(signal);
  expect(attempts).toEqual([3 * DAY_MS]);
  expect(await remembered()).toBe(0);
});

it.each([
  new RelaywatchError({ code: 'archive_damaged', message: 'It is damaged', hint: 'Restore it.' }),
  Object.assign(new Error('no space left on device'), { code: 'ENOSPC', syscall: 'write' }),
  new Fenced('Incident rw-1'),
])('keeps due what failed, with growing pauses: %s', async (error) => {
  problem = error;
  const queue = await open();
  await queue.add('contoso', 3 * DAY_MS);
  for (const pauseMs of [1, 2, 4, 8, 16, 32, 60, 60].map((minutes) => minutes * MINUTE_MS)) {
    const before = attempts.length;
    await queue.run(signal);
    nowMs += pauseMs - 1;
    await queue.run(signal);
    expect(attempts.length).toBe(before + 1);
    nowMs += 1;
  }
  expect(await remembered()).toBe(1);
  expect(lines.join()).toContain('rescan_failed');
  // The next start tries at once.
  problem = null;
  const next = await open();
  await next.run(signal);
  expect(attempts.at(-1)).toBe(3 * DAY_MS);
  expect(await remembered()).toBe(0);
  expect(lines.join()).toContain('rescan_done');
});

it('runs again for rows that came while it ran, of the same day too', async () => {
  const queue = await open();
  await queue.add('contoso', 3 * DAY_MS);
  during = async () => {
    if (attempts.length === 1) await queue.add('contoso', 3 * DAY_MS + 7);
  };
  await queue.run(signal);
  expect(await remembered()).toBe(1);
  await queue.run(signal);
  expect(attempts).toEqual([3 * DAY_MS, 3 * DAY_MS]);
  expect(await remembered()).toBe(0);
});

it('keeps due what was stopped, and what is of a tenant that is not there now', async () => {
  const stop = new AbortController();
  const queue = await open();
  await queue.add('contoso', 3 * DAY_MS);
  during = async () => stop.abort();
  problem = new Error('aborted');
  await queue.run(stop.signal);
  expect(await remembered()).toBe(1);
  const without = await open([]);
  await without.run(signal);
  expect(await remembered()).toBe(1);
  expect(lines.join()).not.toContain('rescan_failed');
});

/** `relaywatch run` on a folder: the incidents of `scan`, however the exports come and whatever is killed. */

import { once } from 'node:events';
import { appendFile, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { randomOf, shuffled } from '../core/pairs.ts';
import { EXAMPLE, EXAMPLE_DOMAINS, run, start } from '../e2e/command.ts';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

let folder: string;
let inbox: string;
let files: string[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'relaywatch-embedded-'));
  inbox = path.join(folder, 'inbox');
  files = (await readdir(EXAMPLE)).sort().map((name) => path.join(EXAMPLE, name));
  await mkdir(inbox);
  await writeFile(
    path.join(folder, 'pipeline.yaml'),
    `name: embedded
role: embedded
tenants: [{ key: contoso, accepted_domains: ${EXAMPLE_DOMAINS} }]
inputs: { folder: { path: inbox, tenant: contoso, settle_ms: 200 } }
state: { folder: { path: state } }
outputs: { folder: { path: out } }
archive: { path: archive }
`,
  );
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('relaywatch run on a folder', () => {
  test('finds the incidents of scan although it is killed again and again', async () => {
    const random = randomOf(seed);
    const waiting = shuffled(files, seed);
    for (let life = 0; waiting.length > 0 || life < 6; life++) {
      const worker = begin();
      // Copied in pieces under the final name, or under a name that says it is unfinished; some are deleted again.
      for (let dropped = 0; dropped < 2 && waiting.length > 0; dropped++) {
        const file = waiting.pop() as string;
        if (random() < 0.5) await copySlowly(file);
        else await copyAside(file);
        await sleep(random() * 300);
      }
      await sleep(300 + random() * 1200);
      worker.kill('SIGKILL');
      await once(worker, 'close');
    }
    await settled();
    expect(await incidents(), `seed ${seed}`).toEqual(await scanned());
    // What was read may go, and come again under another name, without any effect.
    for (const name of await readdir(inbox)) await rm(path.join(inbox, name));
    await copyFile(files[0], path.join(inbox, 'again.csv'));
    await settled();
    expect(await incidents()).toEqual(await scanned());
    expect((await ledgers()).reduce((sum, { rows }) => sum + rows.accepted, 0)).toBe(await acceptedRows());
  });

  test('rescans by itself when the oldest export comes last, long after', async () => {
    for (const file of files.slice(1)) await copyAside(file);
    const worker = begin();
    const before = await until(async () => (await incidents()).length > 0 && (await sealed()));
    expect(before).toBe(true);
    await copyAside(files[0]);
    const expected = await scanned();
    await until(async () => isDeepStrictEqual(await incidents(), expected));
    worker.kill('SIGTERM');
    expect((await once(worker, 'close'))[0]).toBe(0);
    expect(await incidents()).toEqual(expected);
  });
});

function begin() {
  const worker = start(['run', 'pipeline.yaml'], { cwd: folder });
  worker.stdout.resume();
  worker.stderr.resume();
  return worker;
}

async function settled(): Promise<void> {
  const { status, stderr } = await run(['run', 'pipeline.yaml', '--once'], { cwd: folder });
  expect(status, stderr).toBe(0);
}

async function until(condition: () => Promise<boolean>): Promise<boolean> {
  for (const deadline = Date.now() + 100_000; Date.now() < deadline; await sleep(100)) {
    if (await condition()) return true;
  }
  return false;
}

async function copySlowly(file: string): Promise<void> {
  const bytes = await readFile(file);
  const target = path.join(inbox, path.basename(file));
  await writeFile(target, '');
  for (let from = 0; from < bytes.length; from += 100_000) {
    await appendFile(target, bytes.subarray(from, from + 100_000));
    await sleep(30);
  }
}

async function copyAside(file: string): Promise<void> {
  const target = path.join(inbox, path.basename(file));
  await copyFile(file, `${target}.part`);
  await rename(`${target}.part`, target);
}

async function incidents(): Promise<IncidentDocument[]> {
  const found = await documents(path.join(folder, 'out', 'incidents'));
  return (found as unknown as IncidentDocument[])
    .map(({ relaywatch, event, ...rest }) => {
      const { created: _, ...kept } = event as IncidentDocument['event'] & { created: string };
      return { ...rest, event: kept, relaywatch: { incident: relaywatch.incident } } as IncidentDocument;
    })
    .sort((left, right) => (left.event.id < right.event.id ? -1 : 1));
}

async function ledgers(): Promise<{ rows: { accepted: number } }[]> {
  const found = await documents(path.join(folder, 'out', 'ledger'));
  return found.flatMap(({ relaywatch }) => (relaywatch as { ledger?: { rows: { accepted: number } } }).ledger ?? []);
}

async function documents(place: string): Promise<Record<string, unknown>[]> {
  const names = await readdir(place).catch(() => []);
  const read = names.filter((name) => name.endsWith('.json')).map((name) => readFile(path.join(place, name), 'utf8'));
  return (await Promise.all(read)).map((text) => JSON.parse(text));
}

/** Whether days were sealed: the checkpoint has parts. */
async function sealed(): Promise<boolean> {
  const names = await readdir(path.join(folder, 'state', 'checkpoints'), { recursive: true }).catch(() => []);
  return names.some((name) => /[0-9a-f]{16}-[0-9a-f]{16}/.test(name));
}

async function scanned(): Promise<IncidentDocument[]> {
  const options = ['--accepted-domains', EXAMPLE_DOMAINS, '--tenant', 'contoso', '--output', 'ndjson'];
  const { stdout } = await run(['scan', EXAMPLE, ...options], { cwd: folder });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as IncidentDocument)
    .sort((left, right) => (left.event.id < right.event.id ? -1 : 1));
}

async function acceptedRows(): Promise<number> {
  const ledger = path.join(folder, 'ledger.json');
  await run(['scan', EXAMPLE, '--accepted-domains', EXAMPLE_DOMAINS, '--ledger', ledger, '--quiet'], { cwd: folder });
  return JSON.parse(await readFile(ledger, 'utf8')).totals.rows.accepted;
}

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Pipeline } from '../../src/config/pipeline/pipeline.ts';
import { checkFolders } from '../../src/runtime/folder-checks.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-test-folders-'));
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

const at = (name: string) => path.join(folder, name);
const pipeline = (changes: object): Pipeline =>
  ({
    inputs: { folder: null, kafka: null },
    state: null,
    outputs: null,
    archive: null,
    jobs: null,
    ...changes,
  }) as Pipeline;

test('folders are there, or are made, and shared ones are looked at once', async () => {
  mkdirSync(at('archive'));
  const one = pipeline({ archive: { path: at('archive') }, state: { kind: 'folder', path: at('new/state') } });
  const other = pipeline({ archive: { path: at('archive') }, jobs: { spool: null } });
  expect(await checkFolders([one, other])).toEqual([
    { what: `folder ${at('new/state')} (state)`, ok: true, detail: 'is made when a worker starts', hint: null },
    { what: `folder ${at('archive')} (archive)`, ok: true, detail: 'can be used', hint: null },
  ]);
});

test('a file where a folder belongs is told', async () => {
  writeFileSync(at('archive'), '');
  for (const name of ['archive', 'archive/below']) {
    const [check] = await checkFolders([pipeline({ archive: { path: at(name) } })]);
    expect(check).toMatchObject({ ok: false, detail: expect.stringContaining(at('archive')) });
  }
});

test.skipIf(process.getuid?.() === 0 || process.platform === 'win32')('rights that are missing are told', async () => {
  mkdirSync(at('inbox'));
  chmodSync(at('inbox'), 0o500);
  chmodSync(folder, 0o500);
  const inputs = { folder: { path: at('inbox'), tenant: null, settleMs: 0 }, kafka: null };
  const checks = await checkFolders([pipeline({ inputs, archive: { path: at('archive') } })]);
  expect(checks.map(({ ok }) => ok)).toEqual([true, false]);
  expect(checks[1].hint).toContain('the right to it');
});

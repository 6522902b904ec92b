import { access, mkdir, mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createArchive } from '../../../src/adapters/file/archive.ts';
import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import { rescanArchive } from '../../../src/runtime/rescan/rescan-archive.ts';
import { withWorkFolder } from '../../../src/runtime/rescan/work-folder.ts';

const NO_PROCESS = 4_194_304;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaywatch-test-work-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

it('is there while it is used, and others in use stay', async () => {
  await withWorkFolder(folder, async (first) => {
    await withWorkFolder(folder, async (second) => {
      expect(second).not.toBe(first);
      await access(first);
    });
    await access(first);
  });
  expect(await readdir(folder)).toEqual([]);
});

it('removes what rescans that were killed have left, here or on another machine', async () => {
  await withWorkFolder(folder, async (current) => {
    const [, machine] = /\.rescan-([0-9a-f]{8})-/.exec(current) as RegExpExecArray;
    const left = [`.rescan-${machine}-${NO_PROCESS}-abcdef`, '.rescan-00000000-1-abcdef'];
    const kept = ['.rescan-00000000-1-uvwxyz', 'rescan-11111111-1-abcdef', path.basename(current)];
    for (const name of [...left, ...kept]) await mkdir(path.join(folder, name), { recursive: true });
    await utimes(path.join(folder, left[1]), 0, 0);
    await withWorkFolder(folder, async () => undefined);
    expect((await readdir(folder)).sort()).toEqual(kept.sort());
  });
});

it('holds the unpacked archive, which no file of the temporary folder does', async () => {
  const archive = createArchive(folder);
  await archive.put('contoso', 'examples/contoso/exports/message-trace-2026-05-04.csv');
  let unpacked = '';
  const watched = {
    ...archive,
    list: (tenant: string) => archive.list(tenant),
    async extract(tenant: string, sha256: string, target: string) {
      unpacked = target;
      await archive.extract(tenant, sha256, target);
    },
  };
  await rescanArchive({
    archive: watched as typeof archive,
    workFolder: folder,
    profile: {
      settings: { key: 'contoso', acceptedDomains: null, licenses: null, timeZone: 'UTC' },
      organizations: [],
      dateOrder: null,
      evidenceRows: 10,
    },
    outputs: new MemoryOutputStore(),
    fromMs: 0,
    toMs: null,
    dryRun: true,
    nowMs: Date.UTC(2026, 6, 1),
  });
  expect(unpacked.startsWith(path.join(folder, '.rescan-'))).toBe(true);
  expect(await readdir(folder)).toEqual(['contoso']);
});

import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Archive, createArchive } from '../../../src/adapters/file/archive.ts';
import { openJournal } from '../../../src/adapters/file/journal.ts';
import type { Pipeline } from '../../../src/config/pipeline/pipeline.ts';
import { type ExportFolder, openExportFolder } from '../../../src/runtime/service/export-folder.ts';
import { createTelemetry } from '../../../src/runtime/telemetry/telemetry.ts';

const HEADER = 'Received,SenderAddress,RecipientAddress,Status,MessageTraceId\n';
const MINUTE_MS = 60_000;

let folder: string;
let nowMs: number;
let archive: Archive;
let exports: ExportFolder;
let close: () => Promise<void>;

/** A row whose date proves no order of day and month. */
const row = (number: number, date = '03/04/2026') =>
  `${date} 10:00:00,a@contoso.example,b${number}@elsewhere.example,Delivered,id${number}\n`;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaywatch-test-growth-'));
  await mkdir(path.join(folder, 'inbox'));
  nowMs = Date.UTC(2026, 6, 1);
  archive = createArchive(path.join(folder, 'archive'));
  await start();
});

afterEach(async () => {
  await close();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  const journal = await openJournal(path.join(folder, 'journal'));
  const now = () => nowMs;
  const pipeline = {
    file: 'pipeline.yaml',
    tenants: [{ key: 'contoso', dateOrder: null }],
    inputs: { folder: { path: path.join(folder, 'inbox'), tenant: 'contoso', settleMs: 0 } },
    archive: { path: path.join(folder, 'archive') },
  } as unknown as Pipeline;
  const options = { pipeline: 'test', role: 'embedded', tenants: ['contoso'], host: null, port: null, now };
  exports = await openExportFolder({
    pipeline,
    stateFolder: path.join(folder, 'watch'),
    sink: journal.sink,
    archive,
    telemetry: createTelemetry({ ...options, logStream: { write: () => undefined } }),
    now,
    signal: new AbortController().signal,
    onHandedOver: () => undefined,
  });
  close = async () => {
    await exports.close();
    await journal.close();
  };
}

async function gain(text: string): Promise<void> {
  await appendFile(path.join(folder, 'inbox', 'trace.csv'), text);
  await exports.look();
}

/** Archived exports, in the order of their rows. */
async function archived(): Promise<string[]> {
  const texts = [];
  for (const { sha256 } of await archive.list('contoso')) {
    const target = path.join(folder, 'extracted');
    await archive.extract('contoso', sha256, target);
    texts.push(await readFile(target, 'utf8'));
    await rm(target);
  }
  const firstRow = (text: string) => Number(/,id(\d+)/.exec(text)?.[1]);
  return texts.sort((left, right) => firstRow(left) - firstRow(right) || left.length - right.length);
}

it('is archived in pieces of whole rows, not too often, and at once before a rescan', async () => {
  const whole = HEADER + row(1, '03/14/2026') + row(2);
  await gain(whole);
  expect(await archived()).toEqual([whole]);
  await gain(row(3) + row(4));
  const first = HEADER + row(2) + row(3);
  expect(await archived()).toEqual([whole, first]);
  nowMs += 9 * MINUTE_MS;
  await gain(row(5));
  expect(await archived()).toEqual([whole, first]);
  nowMs += MINUTE_MS;
  await gain(row(6) + row(7).slice(0, -20));
  const second = HEADER + row(4) + row(5);
  expect(await archived()).toEqual([whole, first, second]);
  await gain(`${row(7).slice(-20)}${row(8)}`);
  await exports.archiveGrowth();
  const third = HEADER + row(6) + row(7);
  expect(await archived()).toEqual([whole, first, second, third]);
  await exports.archiveGrowth();
  expect(await archived()).toHaveLength(4);
  // Rows of the first export tell what the dates of all pieces mean.
  const orders = (await archive.list('contoso')).flatMap(({ layout }) => layout?.dateOrder ?? []);
  expect(orders).toEqual(['mdy', 'mdy', 'mdy']);
  expect(await readdir(path.join(folder, 'archive'))).toEqual(['contoso']);
});

it('goes on after a restart where the archive ends', async () => {
  await gain(HEADER + row(1, '03/14/2026') + row(2));
  await gain(row(3) + row(4));
  await gain(row(5));
  await close();
  await start();
  await exports.look();
  await gain(row(6));
  expect((await archived()).at(-1)).toBe(HEADER + row(4) + row(5));
});

it('takes nothing from another file that has its name by now', async () => {
  await gain(HEADER + row(1, '03/14/2026') + row(2));
  await gain(row(3) + row(4));
  await gain(row(5) + row(6));
  const before = await archived();
  const file = path.join(folder, 'inbox', 'trace.csv');
  await writeFile(`${file}.part`, HEADER + Array.from({ length: 20 }, (_, index) => row(100 + index)).join(''));
  await rename(`${file}.part`, file);
  await exports.archiveGrowth();
  expect(await archived()).toEqual(before);
});

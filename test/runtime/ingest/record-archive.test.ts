/** Records of a topic in the archive: when, in which files, and what a rescan finds of them. */

import { appendFile, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Archive, createArchive } from '../../../src/adapters/file/archive.ts';
import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import { RecordIngest } from '../../../src/runtime/ingest/kafka-records.ts';
import { RecordArchive } from '../../../src/runtime/ingest/record-archive.ts';
import { rescanArchive } from '../../../src/runtime/rescan/rescan-archive.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 6, 1, 10, 30);

let folder: string;
let nowMs: number;
let archive: Archive;
let records: RecordArchive;

const begin = () => new RecordArchive({ archive, folder, tenant: 'contoso', topic: 'events', now: () => nowMs });
const lines = (...numbers: number[]) => Buffer.from(numbers.map((number) => `{"n":${number}}\n`).join(''));

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaywatch-test-records-'));
  nowMs = START_MS;
  archive = createArchive(folder);
  records = begin();
});

afterEach(async () => {
  await records.close();
  await rm(folder, { recursive: true, force: true });
});

/** Archived files: name and content. */
async function archived(): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for (const { sha256, name, bytes } of await archive.list('contoso')) {
    found.push([name, Buffer.from(await archive.read('contoso', sha256, 0, bytes)).toString()]);
  }
  return found.sort();
}

const open = () => readdir(path.join(folder, '.records/contoso'));

test('records are in the archive when their hour is over, by partition and format', async () => {
  await records.add(0, 'email-events', lines(1, 2));
  await records.add(1, 'email-events', lines(3));
  nowMs += 29 * 60_000;
  await records.add(0, 'email-events', lines(4));
  await records.look();
  expect(await archived()).toEqual([]);
  nowMs += 60_000;
  await records.add(0, 'email-events', lines(5));
  await records.look();
  expect(await archived()).toEqual([
    ['events-0-2026-07-01T10-email-events.ndjson', String(lines(1, 2, 4))],
    ['events-1-2026-07-01T10-email-events.ndjson', String(lines(3))],
  ]);
  await records.close();
  expect((await archived()).at(1)).toEqual(['events-0-2026-07-01T11-email-events.ndjson', String(lines(5))]);
  expect(await open()).toEqual([]);
});

test('partitions may be read at the same time', async () => {
  await records.add(0, 'email-events', lines(1));
  const [left] = await open();
  const begun = begin();
  nowMs += HOUR_MS;
  await Promise.all([
    ...Array.from({ length: 20 }, (_, number) => begun.add(number % 2, 'email-events', lines(10 + number))),
    ...Array.from({ length: 5 }, () => begun.look()),
    begun.close(),
    begun.add(0, 'email-events', lines(99)),
  ]);
  await begun.close();
  // The file of the first is taken for left behind, as it is of this very process.
  expect(left).toContain('events-0-2026-07-01T10');
  const kept = (await archived()).map(([, text]) => text).join('');
  expect(
    kept
      .match(/\d+/g)
      ?.map(Number)
      .sort((one, other) => one - other),
  ).toEqual([1, ...Array.from({ length: 20 }, (_, number) => 10 + number), 99]);
});

test('a large file does not wait for its hour', async () => {
  const large = Buffer.alloc(40_000_000, 'x');
  large[large.length - 1] = 0x0a;
  await records.add(0, 'email-events', large);
  await records.add(0, 'email-events', large);
  expect(await archive.list('contoso')).toHaveLength(1);
});

test('what a killed worker left is finished, without the record in whose middle it ended', async () => {
  await records.add(0, 'email-events', lines(1, 2));
  const [left] = await open();
  const file = path.join(folder, '.records/contoso', left);
  await appendFile(file, '{"n":');
  const next = begin();
  // Of another machine, which may still write to it.
  const elsewhere = path.join(folder, '.records/contoso', left.replace(/^[0-9a-f]{8}/, '00000000'));
  await rename(file, elsewhere);
  await next.look();
  expect(await archived()).toEqual([]);
  const old = (await stat(elsewhere)).mtimeMs - 3 * HOUR_MS;
  await utimes(elsewhere, old / 1000, old / 1000);
  nowMs += HOUR_MS;
  await next.look();
  expect(await archived()).toEqual([['events-0-2026-07-01T10-email-events.ndjson', String(lines(1, 2))]]);

  await next.add(0, 'email-events', lines(3));
  const [own] = await open();
  // Its process has ended.
  await rename(
    path.join(folder, '.records/contoso', own),
    path.join(folder, '.records/contoso', own.replace(/-\d+-/, '-999999999-')),
  );
  await begin().look();
  expect(await archived()).toHaveLength(2);
  expect(await open()).toEqual([]);
  await next.close();
});

test('a rescan finds what came from a topic', async () => {
  const ingest = new RecordIngest({
    topic: 'events',
    tenant: 'contoso',
    tenantIds: [],
    dateOrder: null,
    archive: records,
    now: () => nowMs,
    lingerMs: 0,
    sink: { send: async () => {}, close: async () => {} },
  });
  await ingest.assigned(0, null);
  const values = Array.from({ length: 400 }, (_, number) => ({
    time: '2026-06-30T18:24:02Z',
    category: 'AdvancedHunting-EmailEvents',
    properties: {
      Timestamp: new Date(START_MS - 20 * HOUR_MS + number * 1500).toISOString(),
      NetworkMessageId: `cf7a249a-5edd-4350-130a-${String(number).padStart(12, '0')}`,
      SenderMailFromAddress: 'promo@fabrikam.example',
      SenderIPv4: '203.0.113.7',
      RecipientEmailAddress: `person${number}@victim${number % 40}.example`,
      Subject: 'You won',
      EmailDirection: 'Outbound',
      DeliveryAction: 'Delivered',
    },
  }));
  const bytes = [Buffer.from(JSON.stringify({ records: values })), Buffer.from('{"no":"trace"}')];
  const messages = bytes.map((one, offset) => ({ offset, appendedMs: START_MS, bytes: one }));
  await ingest.messages(0, messages, 2);
  // Read again after a crash: they are there twice, and count once.
  await ingest.assigned(0, null);
  await ingest.messages(0, messages, 2);
  nowMs += HOUR_MS;
  await ingest.idle(0);
  const [[, text]] = await archived();
  expect(text.trimEnd().split('\n')).toHaveLength(800);
  const { changes, warnings } = await rescanArchive({
    archive,
    workFolder: folder,
    profile: {
      settings: {
        key: 'contoso',
        acceptedDomains: [{ name: 'contoso.com', matchSubDomains: false }],
        licenses: null,
        timeZone: 'UTC',
      },
      organizations: [],
      dateOrder: null,
      evidenceRows: 10,
    },
    outputs: new MemoryOutputStore(),
    fromMs: 0,
    toMs: null,
    dryRun: true,
    nowMs,
  });
  expect(warnings).toEqual([]);
  expect(changes).toMatchObject([{ kind: 'new', message: expect.stringContaining('400 recipients') }]);
});

/** Whatever a worker writes is taken by the mappings that `setup` installs: not one document is refused. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMemoryCheckpoints } from '../../src/adapters/memory/checkpoints.ts';
import { DAY_MS, HOUR_MS } from '../../src/core/calendar.ts';
import type { OutputStore, OutputWrite, RefusedWrite, ReplaceWrite } from '../../src/core/delivery.ts';
import type { Envelope } from '../../src/core/envelope.ts';
import { SourceHours } from '../../src/core/live/source-hours.ts';
import { CODES, DEFAULT_COMPLETENESS } from '../../src/runtime/completeness/checks.ts';
import { createCompletenessMonitor } from '../../src/runtime/completeness/monitor.ts';
import { DetectWorker } from '../../src/runtime/detect/detect-worker.ts';
import { ingestFile } from '../../src/runtime/ingest/ingest-file.ts';
import type { OutputStoreUnderTest } from '../adapters/contract/output-store.ts';
import { openStores } from '../adapters/elasticsearch/access.ts';
import { describeWithEngines } from '../engines/suites.ts';

const EXPORTS = 'examples/contoso/exports';
const NOW_MS = Date.UTC(2026, 6, 1);
/** Rows that cannot be used, one for each of several reasons. */
const BAD_ROWS = [
  'Received,SenderAddress,RecipientAddress,Subject,Status,MessageTraceId,MessageId',
  ...Array.from(
    { length: 20 },
    (_, row) =>
      `2026-06-01T00:00:${10 + row}Z,a@contoso.com,b@example.com,hello,Delivered,trace-${row},<${row}@contoso.com>`,
  ),
  'yesterday,a@contoso.com,b@example.com,hello,Delivered,trace-a,<a@contoso.com>',
  '2026-06-01T00:00:00Z,a@contoso.com,nobody,hello,Delivered,trace-b,<b@contoso.com>',
  '2026-06-01T00:00:00Z,a@contoso.com,b@example.com,hello,Sideways,trace-c,<c@contoso.com>',
  '2026-06-01T00:00:00Z,a@contoso.com',
].join('\r\n');

function codeOf({ document }: OutputWrite): string {
  return (document.relaywatch as unknown as { dead_letter: { code: string } }).dead_letter.code;
}

describeWithEngines('Documents in Elasticsearch', { elasticsearch: true }, (engines) => {
  let stores: OutputStoreUnderTest;
  let folder: string;
  const sent: OutputWrite[] = [];
  const refused: RefusedWrite[] = [];

  beforeAll(async () => {
    stores = await openStores(engines().elasticsearch);
    folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-documents-'));
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await stores.close();
  });

  /** The store, with a record of what it was given and what it refused. */
  function recorded(store: OutputStore): OutputStore {
    return {
      check: (signal) => store.check(signal),
      deliver: async (writes, signal) => {
        sent.push(...structuredClone(writes));
        const report = await store.deliver(writes, signal);
        refused.push(...report.refused);
        return report;
      },
      knownAlerts: (ids, signal) => store.knownAlerts(ids, signal),
      incidents: (tenant, fromMs, toMs, signal) => store.incidents(tenant, fromMs, toMs, signal),
      rescanned: (tenant, sinceMs, signal) => store.rescanned(tenant, sinceMs, signal),
      openFindings: (tenant, signal) => store.openFindings(tenant, signal),
      close: () => store.close(),
    };
  }

  async function envelopesOf(file: string): Promise<Envelope[]> {
    const taken: Envelope[] = [];
    const sink = {
      send: async (batch: readonly Envelope[]) => {
        taken.push(...structuredClone([...batch]));
      },
      close: async () => {},
    };
    await ingestFile(file, { tenant: 'contoso', sink, nowMs: NOW_MS });
    return taken;
  }

  test('of a detector: incidents, alerts, lines of the ledger, dead letters, gaps', async () => {
    const bad = path.join(folder, 'bad.csv');
    writeFileSync(bad, BAD_ROWS);
    const files = [...readdirSync(EXPORTS).map((name) => path.join(EXPORTS, name)), bad];
    const envelopes: Envelope[] = [];
    for (const file of files) envelopes.push(...(await envelopesOf(file)));
    const [first] = envelopes;
    envelopes.push({ ...first, header: { ...first.header, tenant: 'nobody' } });
    const settings = { key: 'contoso', acceptedDomains: null, licenses: null, timeZone: 'UTC' };
    let nowMs = NOW_MS;
    const worker = new DetectWorker({
      pipeline: 'documents',
      profiles: new Map([['contoso', { settings, organizations: [], evidenceRows: 10 }]]),
      checkpoints: createMemoryCheckpoints(),
      outputs: recorded(stores.store),
      now: () => nowMs,
      onLate: async () => {},
    });
    await worker.assigned(0, 1);
    const entries = envelopes.map((envelope, offset) => {
      return { offset, appendedMs: NOW_MS, envelope, problem: null, bytes: new Uint8Array() };
    });
    const damaged = {
      offset: entries.length,
      appendedMs: NOW_MS,
      envelope: null,
      problem: 'its checksum is wrong',
      bytes: Uint8Array.of(1, 2, 3),
    };
    // In pieces, so that documents are replaced as well.
    const all = [...entries, damaged];
    for (let from = 0; from < all.length; from += 7) {
      nowMs += 61_000;
      await worker.entries(0, 1, all.slice(from, from + 7), Math.min(from + 7, all.length));
    }
    nowMs += 61_000;
    await worker.idle(0, 1);
    await worker.gap(0, all.length, all.length + 5);

    const kinds = new Set(sent.map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(['incident', 'alert', 'ledger', 'dead_letter', 'finding']));
    const codes = sent.filter(({ kind }) => kind === 'dead_letter').map(codeOf);
    expect(codes).toEqual(
      expect.arrayContaining(['bad_time', 'bad_recipient', 'bad_status', 'bad_envelope', 'unknown_tenant']),
    );
    expect(refused).toEqual([]);
  });

  test('of the hours of a source: open, settled, evaluated, late', async () => {
    const hours = new SourceHours('contoso');
    const writes: ReplaceWrite[] = [];
    hours.add(NOW_MS, NOW_MS);
    writes.push(...hours.writes(NOW_MS + 2 * HOUR_MS, 1));
    hours.advance(NOW_MS + 2 * HOUR_MS, NOW_MS);
    writes.push(...hours.writes(NOW_MS, 2));
    hours.advance(NOW_MS + 3 * DAY_MS, NOW_MS + DAY_MS);
    hours.add(NOW_MS, NOW_MS + DAY_MS);
    writes.push(...hours.writes(NOW_MS, 3));
    expect(writes).toHaveLength(4);
    const store = recorded(stores.store);
    for (const write of writes) await store.deliver([write]);
    expect(refused).toEqual([]);
  });

  test('of the checks on completeness, open and closed', async () => {
    const monitor = createCompletenessMonitor({
      pipeline: 'documents',
      tenants: ['contoso'],
      settings: DEFAULT_COMPLETENESS,
    });
    const writes: ReplaceWrite[] = [];
    for (let minute = 0; minute <= 500; minute += 5) {
      const atMs = NOW_MS + minute * 60_000;
      const isBad = minute < 480;
      writes.push(
        ...monitor.observe({
          atMs,
          tenants: [
            {
              tenant: 'contoso',
              lastRowAtMs: isBad ? NOW_MS : atMs,
              watermarkMs: isBad ? NOW_MS - 3 * DAY_MS : atMs,
              rowsLastHour: 100,
              deadLettersLastHour: isBad ? 100 : 0,
            },
          ],
          partitions: [
            { partition: 0, lagEntries: 9, committedMovedAtMs: NOW_MS, endOffset: 9, committedOffset: isBad ? 0 : 9 },
          ],
        }),
      );
    }
    expect(writes).toHaveLength(CODES.length * 2);
    const store = recorded(stores.store);
    for (const write of writes) await store.deliver([write]);
    expect(refused).toEqual([]);
  });

  test('are all there afterwards', async () => {
    for (const kind of ['incident', 'alert', 'ledger', 'dead_letter', 'finding'] as const) {
      const ids = new Set(sent.filter((write) => write.kind === kind).map(({ id }) => id));
      expect(new Set((await stores.documents(kind)).keys()), kind).toEqual(ids);
    }
  });
});

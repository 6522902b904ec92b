import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { serialize } from 'node:v8';
import { afterAll, describe, expect, it } from 'vitest';
import { createMemoryCheckpoints } from '../../../src/adapters/memory/checkpoints.ts';
import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import { DAY_MS, formatTime, MINUTE_MS } from '../../../src/core/calendar.ts';
import type { CheckpointStore } from '../../../src/core/checkpoint.ts';
import type { Envelope } from '../../../src/core/envelope.ts';
import type { LogEntry } from '../../../src/core/envelope-log.ts';
import type { IncidentDocument } from '../../../src/core/incident-document.ts';
import { DetectWorker } from '../../../src/runtime/detect/detect-worker.ts';
import { decodeBase } from '../../../src/runtime/detect/state-codec.ts';
import type { TenantProfile, TenantProgress } from '../../../src/runtime/detect/tenant-detector.ts';
import { ingestFile } from '../../../src/runtime/ingest/ingest-file.ts';
import { scan } from '../../../src/runtime/scan.ts';
import { randomOf } from '../../core/pairs.ts';
import { type Row, traceCsv } from '../../e2e/command.ts';

const START_MS = Date.UTC(2025, 5, 2);
const DAYS = 365;
const ROWS = 8;
/** Exports come so many days at a time. */
const DAYS_TOGETHER = 7;
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-growth-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const settings: TenantProfile['settings'] = {
  key: 'contoso',
  acceptedDomains: [{ name: 'contoso.com', matchSubDomains: false }],
  licenses: null,
  timeZone: 'UTC',
};

/**
 * A day of a small tenant. Mail comes in from domains that were never there before; every ninth day a server sends in the name
 * of a domain that is not registered, now and then of one that it used days before.
 */
function rowsOf(day: number): Row[] {
  const at = (minute: number) => formatTime(START_MS + day * DAY_MS + minute * MINUTE_MS).slice(0, 19);
  const rows: Row[] = Array.from({ length: ROWS }, (_, row) => ({
    received: at(row * 160),
    ...(row % 2 === 0
      ? { sender: `news@fresh-${day}-${row}.example`, recipient: 'ann@contoso.com', fromIp: `203.0.113.${row}` }
      : { sender: `bob${row}@contoso.com`, recipient: `friend@fresh-${day}-${row}.example` }),
  }));
  const campaign = day % 36 === 4 ? day - 4 : day;
  if (day % 9 === 0 || day % 36 === 4) {
    for (let row = 0; row < 50; row++) {
      rows.push({
        received: at(600 + row),
        sender: `promo@prize-${campaign}.example`,
        recipient: `victim${row}@victims-${day}.example`,
        subject: `You won ${row % 5}`,
        fromIp: `198.51.100.${campaign % 250}`,
      });
    }
  }
  return rows;
}

/** The days' exports; of some days a second one says otherwise what the subjects were. */
function exportsOf(day: number): string[] {
  const rows = rowsOf(day);
  const first = traceCsv(rows, day * 1000 + 1);
  if (day % 3 !== 0) return [first];
  return [
    first,
    traceCsv(
      rows.map((row) => ({ ...row, subject: `Again: ${row.subject ?? ''}` })),
      day * 1000 + 1,
    ),
  ];
}

/** Remembers how large what it keeps is. */
class Measured {
  readonly #kept = createMemoryCheckpoints();
  part = new Uint8Array(0);
  manifest = new Uint8Array(0);

  readonly store: CheckpointStore = {
    claim: (key, generation) => this.#kept.claim(key, generation),
    save: (key, generation, bytes) => {
      this.manifest = new Uint8Array(bytes);
      return this.#kept.save(key, generation, bytes);
    },
    putPart: (key, name, bytes) => {
      this.part = new Uint8Array(bytes);
      return this.#kept.putPart(key, name, bytes);
    },
    part: (key, name) => this.#kept.part(key, name),
    keepParts: (key, names) => this.#kept.keepParts(key, names),
    close: () => this.#kept.close(),
  };

  /** Bytes, before the part is compressed, without the walk's tables that are pruned from 4,096 entries on. */
  sizes(): { part: number; manifest: number } {
    const { sealed, ...base } = decodeBase(this.part);
    const walk = { ...sealed.walk, correspondents: null, weights: null, knownRecipients: null };
    return { part: serialize({ ...base, sealed: { ...sealed, walk } }).length, manifest: this.manifest.length };
  }

  get progress(): TenantProgress {
    return JSON.parse(Buffer.from(this.manifest).toString()).tenants[0].progress;
  }
}

describe('the state of a detector that runs for a year', () => {
  it('stays as large as it was after weeks, and the incidents are those of scan', async () => {
    const random = randomOf(seed);
    const measured = new Measured();
    const outputs = new MemoryOutputStore();
    const log: LogEntry[] = [];
    let nowMs = START_MS;
    let generation = 0;
    let next = 0;
    let worker: DetectWorker | null = null;
    const started = async (): Promise<DetectWorker> => {
      if (worker !== null) return worker;
      worker = new DetectWorker({
        pipeline: 'growth',
        profiles: new Map([['contoso', { settings, organizations: [], evidenceRows: 10 }]]),
        checkpoints: measured.store,
        outputs,
        now: () => nowMs,
        onLate: async () => {},
      });
      next = (await worker.assigned(0, ++generation)) ?? 0;
      return worker;
    };
    const sizes: { part: number; manifest: number }[] = [];
    const files: string[] = [];
    for (let day = 0; day < DAYS; day++) {
      nowMs = START_MS + (day + 1) * DAY_MS;
      for (const text of exportsOf(day)) {
        const file = path.join(folder, `${files.length}.csv`);
        writeFileSync(file, text);
        files.push(file);
        for (const envelope of await envelopesOf(file)) {
          log.push({ offset: log.length, appendedMs: nowMs, envelope, problem: null, bytes: new Uint8Array() });
        }
      }
      if ((day + 1) % DAYS_TOGETHER !== 0 && day < DAYS - 1) continue;
      const subject = await started();
      const entries = structuredClone(log.slice(next));
      next = log.length;
      await subject.entries(0, generation, entries, log.length);
      nowMs += 2 * MINUTE_MS;
      await subject.idle(0, generation);
      sizes.push(measured.sizes());
      // Killed: what was saved is all that is left.
      if (random() < 0.2) worker = null;
    }
    const result = await scan({
      paths: [folder],
      tenant: settings,
      range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs },
      format: null,
      dateOrder: null,
      reader: 'js',
      evidenceRows: 10,
      memoryMiB: 256,
    });
    expect(result.incidents.length).toBeGreaterThan(30);
    expect(incidentsOf(outputs), `seed ${seed}`).toEqual(result.incidents);

    const { sealed, domains, chosen, envelopes } = decodeBase(measured.part);
    const largest = (from: number, until: number, of: 'part' | 'manifest') =>
      Math.max(...sizes.slice(from, until).map((size) => size[of]));
    // Keys that were ever seen keep their level: some bytes for each new mailbox, domain and source.
    expect(largest(40, sizes.length, 'part'), `seed ${seed}`).toBeLessThan(largest(8, 25, 'part') * 1.25);
    // An incident of an open day is in it as it was written.
    expect(largest(0, sizes.length, 'manifest'), `seed ${seed}`).toBeLessThan(20_000);
    expect(sealed.walk?.book.incidents.length).toBeLessThan(4);
    expect(measured.progress.publication.entries.length).toBeLessThan(4);
    expect(chosen.length).toBeLessThan(3 * ROWS * 3);
    expect(envelopes.texts.length).toBeLessThan(1_000);
    expect(domains.length).toBeLessThan(DAYS / 2);
  }, 120_000);
});

async function envelopesOf(file: string): Promise<Envelope[]> {
  const sent: Envelope[] = [];
  const sink = {
    send: async (batch: readonly Envelope[]) => {
      sent.push(...structuredClone([...batch]));
    },
    close: async () => {},
  };
  await ingestFile(file, { tenant: 'contoso', sink, nowMs: START_MS + DAYS * DAY_MS });
  return sent;
}

/** As they are stored, without what the store adds. */
function incidentsOf(outputs: MemoryOutputStore): IncidentDocument[] {
  return [...outputs.documents.of('incident').values()]
    .map((stored) => {
      const { relaywatch, event, ...rest } = stored as unknown as IncidentDocument;
      const { created: _, ...kept } = event as IncidentDocument['event'] & { created: string };
      return { ...rest, event: kept, relaywatch: { incident: relaywatch.incident } };
    })
    .sort((left, right) => (left['@timestamp'] < right['@timestamp'] ? -1 : 1)) as IncidentDocument[];
}

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createMemoryCheckpoints } from '../../../src/adapters/memory/checkpoints.ts';
import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import { readAcceptedDomains } from '../../../src/config/accepted-domains.ts';
import type { Envelope } from '../../../src/core/envelope.ts';
import type { LogEntry } from '../../../src/core/envelope-log.ts';
import type { IncidentDocument } from '../../../src/core/incident-document.ts';
import type { RowCounts } from '../../../src/core/ledger.ts';
import { DetectWorker } from '../../../src/runtime/detect/detect-worker.ts';
import type { TenantProfile } from '../../../src/runtime/detect/tenant-detector.ts';
import { ingestFile } from '../../../src/runtime/ingest/ingest-file.ts';
import { scan } from '../../../src/runtime/scan.ts';
import { randomOf, shuffled } from '../../core/pairs.ts';

const EXPORTS = 'examples/contoso/exports';
const NOW_MS = Date.UTC(2026, 6, 1);
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

const settings: TenantProfile['settings'] = {
  key: 'contoso',
  acceptedDomains: (
    await readAcceptedDomains('examples/contoso/accepted-domains.csv', async (file) => readFileSync(file))
  ).domains,
  licenses: null,
  timeZone: 'UTC',
};
const profiles = new Map([['contoso', { settings, organizations: [], evidenceRows: 10 }]]);

/** Envelopes per export, and what `scan` says of all of them. */
const envelopes: Envelope[][] = [];
let expected: IncidentDocument[] = [];
let accepted = 0;

beforeAll(async () => {
  const files = readdirSync(EXPORTS).sort();
  for (const file of files) {
    const sent: Envelope[] = [];
    const sink = {
      send: async (batch: readonly Envelope[]) => {
        sent.push(...structuredClone([...batch]));
      },
      close: async () => {},
    };
    await ingestFile(path.join(EXPORTS, file), { tenant: 'contoso', sink, nowMs: NOW_MS });
    envelopes.push(sent);
  }
  const result = await scan({
    paths: [EXPORTS],
    tenant: settings,
    range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs: NOW_MS },
    format: null,
    dateOrder: null,
    reader: 'js',
    evidenceRows: 10,
    memoryMiB: 256,
  });
  expected = result.incidents;
  accepted = result.ledger.totals.rows.accepted;
});

/** A detector that is handed envelopes, and may be killed at any moment: only what it saved is left. */
class Subject {
  readonly checkpoints = createMemoryCheckpoints();
  readonly outputs = new MemoryOutputStore();
  readonly log: LogEntry[] = [];
  readonly late: number[] = [];
  clockMs = NOW_MS;
  mostOpenPairs: number | undefined;
  #generation = 0;
  #worker: DetectWorker | null = null;
  #next = 0;

  append(sent: readonly Envelope[]): void {
    for (const envelope of sent) {
      const entry = { offset: this.log.length, appendedMs: NOW_MS, envelope, problem: null, bytes: new Uint8Array() };
      this.log.push(entry);
    }
  }

  async worker(): Promise<DetectWorker> {
    return this.#worker ?? (await this.start());
  }

  async start(): Promise<DetectWorker> {
    this.#generation++;
    this.#worker = new DetectWorker({
      pipeline: 'test',
      profiles,
      checkpoints: this.checkpoints,
      outputs: this.outputs,
      now: () => this.clockMs,
      mostOpenPairs: this.mostOpenPairs,
      onLate: async (_, fromMs) => {
        this.late.push(fromMs);
      },
    });
    this.#next = (await this.#worker.assigned(0, this.#generation)) ?? 0;
    return this.#worker;
  }

  kill(): void {
    this.#worker = null;
  }

  /** Hands over up to `count` entries. */
  async step(count: number): Promise<void> {
    const worker = this.#worker ?? (await this.start());
    const entries = structuredClone(this.log.slice(this.#next, this.#next + count));
    this.#next += entries.length;
    if (entries.length > 0) await worker.entries(0, this.#generation, entries, this.log.length);
  }

  async idle(): Promise<void> {
    const worker = this.#worker ?? (await this.start());
    while (this.#next < this.log.length) await this.step(1000);
    this.clockMs += 20_000;
    await worker.idle(0, this.#generation);
  }

  incidents(): IncidentDocument[] {
    return [...this.outputs.documents.of('incident').values()]
      .map((stored) => {
        const { relaywatch, event, ...rest } = stored as unknown as IncidentDocument;
        const { created: _, ...kept } = event as IncidentDocument['event'] & { created: string };
        return { ...rest, event: kept, relaywatch: { incident: relaywatch.incident } };
      })
      .sort((left, right) => (left['@timestamp'] < right['@timestamp'] ? -1 : 1)) as IncidentDocument[];
  }
}

describe('a detector worker', () => {
  it('publishes the incidents of scan, whatever the order of envelopes, repeated ones and kills', async () => {
    expect(expected.length).toBeGreaterThan(0);
    for (let trial = 0; trial < 6; trial++) {
      const random = randomOf(seed + trial);
      const subject = new Subject();
      const sent = shuffled(envelopes.flat(), seed + trial);
      subject.append(sent.flatMap((envelope) => (random() < 0.1 ? [envelope, envelope] : [envelope])));
      let left = subject.log.length;
      while (left > 0) {
        const count = 1 + Math.floor(random() * 8);
        await subject.step(count);
        left -= count;
        if (random() < 0.3) subject.clockMs += 1000;
        if (random() < 0.1) {
          subject.kill();
          left = subject.log.length;
          if (random() < 0.5)
            subject.append([subject.log[Math.floor(random() * subject.log.length)].envelope as Envelope]);
        }
      }
      // What grew within a minute waits for its end.
      subject.clockMs += 60_000;
      await subject.idle();
      const open = subject.incidents().filter(({ relaywatch }) => relaywatch.incident.state !== 'retracted');
      expect(open, `seed ${seed + trial}`).toEqual(expected);
      expect(subject.late).toEqual([]);
    }
  });

  it('seals days as they pass, and goes on from what it sealed after a kill', async () => {
    const random = randomOf(seed);
    const subject = new Subject();
    for (const sent of envelopes) {
      subject.append(sent);
      await subject.idle();
      if (random() < 0.7) subject.kill();
    }
    await subject.idle();
    expect(subject.incidents(), `seed ${seed}`).toEqual(expected);
    const [ledger] = totals(subject);
    expect(ledger.accepted).toBe(accepted);
    // An hour that still grows is written once an hour.
    subject.clockMs += 3_600_000;
    await subject.idle();
    expect(hourRows(subject)).toBe(accepted);
    const worker = await subject.start();
    expect(worker.tenants()[0].openPairs).toBe(0);
    await subject.idle();
    const alerts = [...subject.outputs.documents.of('alert').values()];
    expect(alerts.filter((alert) => kindOf(alert) === 'opened')).toHaveLength(expected.length);
    // The same exports again, long after: every row is known.
    subject.append(envelopes.flat());
    await subject.idle();
    expect(subject.incidents()).toEqual(expected);
  });

  it('seals early where a backlog would fill the memory', async () => {
    const subject = new Subject();
    subject.mostOpenPairs = 3000;
    subject.append(envelopes.flat());
    let most = 0;
    for (let left = subject.log.length; left > 0; left--) {
      await subject.step(1);
      subject.clockMs += 1000;
      most = Math.max(most, (await subject.worker()).tenants()[0]?.openPairs ?? 0);
    }
    subject.clockMs += 60_000;
    await subject.idle();
    expect(most).toBeLessThan(6000);
    expect(subject.late).toEqual([]);
    expect(subject.incidents()).toEqual(expected);
  });

  it('sends rows of a tenant without a profile, and entries that are no envelopes, to the dead letters', async () => {
    const subject = new Subject();
    const [first] = envelopes[0];
    subject.append([{ ...first, header: { ...first.header, tenant: 'unknown' } }]);
    subject.log.push({
      offset: 1,
      appendedMs: NOW_MS,
      envelope: null,
      problem: 'its checksum is wrong',
      bytes: new Uint8Array(3),
    });
    await subject.idle();
    const letters = [...subject.outputs.documents.of('dead_letter').values()].map(
      (letter) => (letter.relaywatch as { dead_letter: { code: string } }).dead_letter.code,
    );
    expect(letters.sort()).toEqual(['bad_envelope', 'unknown_tenant']);
  });
});

function kindOf(alert: Record<string, unknown>): string {
  return (alert.relaywatch as { alert: { kind: string } }).alert.kind;
}

/** Rows of the ledger's hours. */
function hourRows(subject: Subject): number {
  return [...subject.outputs.documents.of('ledger').values()].reduce(
    (sum, { relaywatch }) => sum + ((relaywatch as { ledger_hour?: { rows: number } }).ledger_hour?.rows ?? 0),
    0,
  );
}

/** Sums of the ledger's lines. */
function totals(subject: Subject): [{ read: number; accepted: number; duplicate: number }] {
  const sums = { read: 0, accepted: 0, duplicate: 0 };
  for (const stored of subject.outputs.documents.of('ledger').values()) {
    const { ledger } = stored.relaywatch as { ledger?: { rows: RowCounts } };
    for (const name of ['read', 'accepted', 'duplicate'] as const) sums[name] += ledger?.rows[name] ?? 0;
  }
  return [sums];
}

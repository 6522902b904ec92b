import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createMemoryCheckpoints } from '../../../src/adapters/memory/checkpoints.ts';
import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import { readAcceptedDomains } from '../../../src/config/accepted-domains.ts';
import type { OutputWrite } from '../../../src/core/delivery.ts';
import type { Envelope } from '../../../src/core/envelope.ts';
import type { LogEntry } from '../../../src/core/envelope-log.ts';
import type { Feedback } from '../../../src/core/feedback.ts';
import type { IncidentDocument } from '../../../src/core/incident-document.ts';
import type { RowCounts } from '../../../src/core/ledger.ts';
import { type DetectObserver, DetectWorker } from '../../../src/runtime/detect/detect-worker.ts';
import type { TenantProfile } from '../../../src/runtime/detect/tenant-detector.ts';
import { ingestFile } from '../../../src/runtime/ingest/ingest-file.ts';
import { scan } from '../../../src/runtime/scan.ts';
import { randomOf, shuffled } from '../../core/pairs.ts';
import { type Row, relayRows, traceCsv } from '../../e2e/command.ts';

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
const profiles: Map<string, TenantProfile> = new Map([['contoso', { settings, organizations: [], evidenceRows: 10 }]]);

/** Envelopes per export, and what `scan` says of all of them. */
const envelopes: Envelope[][] = [];
let expected: IncidentDocument[] = [];
let accepted = 0;

const scanAll = (tenant: TenantProfile['settings']) =>
  scan({
    paths: [EXPORTS],
    tenant,
    range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs: NOW_MS },
    format: null,
    dateOrder: null,
    reader: 'js',
    evidenceRows: 10,
    memoryMiB: 256,
  });

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
  const result = await scanAll(settings);
  expected = result.incidents;
  accepted = result.ledger.totals.rows.accepted;
});

const SILENT: DetectObserver = {
  delivered: () => {},
  checkpointed: () => {},
  behind: () => {},
  alive: () => {},
};

interface Finding {
  finding: { code: string };
}

/** A detector that is handed envelopes, and may be killed at any moment: only what it saved is left. */
class Subject {
  readonly checkpoints = createMemoryCheckpoints();
  readonly outputs: MemoryOutputStore;
  /** Called before every delivery. */
  beforeDelivery: (writes: readonly OutputWrite[]) => void = () => {};
  afterDelivery: (writes: readonly OutputWrite[]) => void = () => {};
  profiles = profiles;
  observer = SILENT;
  homeOf: ((tenant: string) => number | null) | undefined;
  readonly log: LogEntry[] = [];
  readonly late: number[] = [];
  clockMs = NOW_MS;
  mostOpenPairs: number | undefined;
  #generation = 0;
  #worker: DetectWorker | null = null;
  #next = 0;

  constructor(outputs = new MemoryOutputStore()) {
    this.outputs = outputs;
  }

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
      profiles: this.profiles,
      checkpoints: this.checkpoints,
      outputs: {
        deliver: async (writes, signal) => {
          this.beforeDelivery(writes);
          const report = await this.outputs.deliver(writes, signal);
          this.afterDelivery(writes);
          return report;
        },
        check: (signal) => this.outputs.check(signal),
        knownAlerts: (ids, signal) => this.outputs.knownAlerts(ids, signal),
        incidents: (tenant, fromMs, toMs, signal) => this.outputs.incidents(tenant, fromMs, toMs, signal),
        rescanned: (tenant, sinceMs, signal) => this.outputs.rescanned(tenant, sinceMs, signal),
        openFindings: (tenant, signal) => this.outputs.openFindings(tenant, signal),
        close: async () => {},
      },
      now: () => this.clockMs,
      observer: this.observer,
      homeOf: this.homeOf,
      mostOpenPairs: this.mostOpenPairs,
      sealQuietMs: 10_000,
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

  skipTo(offset: number): void {
    this.#next = offset;
  }

  /** Offset from which a worker that is started now reads. */
  async replayFrom(): Promise<number> {
    await this.start();
    return this.#next;
  }

  /** Hands over up to `count` entries. */
  async step(count: number): Promise<void> {
    const worker = this.#worker ?? (await this.start());
    const entries = structuredClone(this.log.slice(this.#next, this.#next + count));
    this.#next += entries.length;
    if (entries.length > 0) await worker.entries(0, this.#generation, entries, this.log.length);
  }

  /** Resolves to what the log is told. */
  async idle(): Promise<number | null> {
    const worker = this.#worker ?? (await this.start());
    while (this.#next < this.log.length) await this.step(1000);
    this.clockMs += 20_000;
    return await worker.idle(0, this.#generation);
  }

  /** Nothing comes for more than a minute. */
  async quiet(): Promise<void> {
    for (let minute = 0; minute < 2; minute++) {
      this.clockMs += 60_000;
      await this.idle();
    }
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
  it('tells the log how far it is when it goes on, although nothing comes any more', async () => {
    const subject = new Subject();
    // The end of an export alone: there is nothing to replay.
    subject.append(envelopes[0].filter(({ header }) => header.kind === 'file_end'));
    await subject.idle();
    expect(await subject.idle()).toBeNull();
    subject.kill();
    expect(await subject.replayFrom()).toBe(1);
    expect(await subject.idle()).toBe(1);
    expect(await subject.idle()).toBeNull();
  });

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
      // What grew waits until it has not for a minute.
      await subject.quiet();
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
    await subject.quiet();
    expect(most).toBeLessThan(6000);
    expect(subject.late).toEqual([]);
    expect(subject.incidents()).toEqual(expected);
  });

  it('saves nothing of what the store has not taken', async () => {
    const subject = new Subject();
    subject.append(envelopes.flat());
    subject.beforeDelivery = () => {
      throw new Error('the key has expired');
    };
    await expect(subject.step(subject.log.length)).rejects.toThrow('expired');
    // As the source does with a handler that failed.
    await (await subject.worker()).revoked(0);
    subject.beforeDelivery = () => {};
    subject.kill();
    await subject.idle();
    expect(subject.incidents()).toEqual(expected);
    expect(alertKinds(subject)).toContain('opened');
    expect(totals(subject)[0].accepted).toBe(accepted);
  });

  it('takes over what a worker wrote before it was killed, although earlier rows make another id of it', async () => {
    // A relay around midnight: without its first rows it is detected on the second day.
    const rows = relayRows(90).map((row, index) => ({
      ...row,
      received: new Date(Date.UTC(2026, 4, 6, 23, 50, index * 20)).toISOString().slice(0, 19),
    }));
    const before = await envelopesOf(traceCsv(rows.slice(0, 30), 1));
    const after = await envelopesOf(traceCsv(rows.slice(30), 31));
    const undisturbed = new Subject();
    undisturbed.append(before);
    undisturbed.append(after);
    await undisturbed.idle();
    expect(undisturbed.incidents()).toHaveLength(1);

    const subject = new Subject();
    subject.append(after);
    subject.afterDelivery = () => {
      throw new Error('killed before the checkpoint');
    };
    await expect(subject.idle()).rejects.toThrow('killed');
    expect(subject.incidents()[0].event.id).not.toBe(undisturbed.incidents()[0].event.id);
    subject.afterDelivery = () => {};
    subject.kill();
    // Another worker reads the entries in another grouping: all of them before it writes anything.
    subject.append(before);
    subject.clockMs += 120_000;
    await subject.idle();
    const standing = subject.incidents().filter(({ relaywatch }) => relaywatch.incident.state !== 'retracted');
    expect(standing.map(withoutId)).toEqual(undisturbed.incidents().map(withoutId));
  });

  it('chooses among texts that disagree as if it had never been killed', async () => {
    const rows = relayRows(40);
    const other = rows.map((row) => ({ ...row, subject: 'A smaller subject' }));
    const old = { received: '2026-05-01T10:00:00', sender: 'ann@contoso.example', recipient: 'bob@fabrikam.example' };
    const sent = [
      await envelopesOf(traceCsv([old], 1000)),
      await envelopesOf(traceCsv(rows.slice(0, 30), 1)),
      await envelopesOf(traceCsv(other.slice(0, 15), 1)),
    ];
    const last = await envelopesOf(traceCsv(rows.slice(30), 31));
    const undisturbed = new Subject();
    for (const some of [...sent, last]) undisturbed.append(some);
    await undisturbed.idle();
    const { subjects } = undisturbed.incidents()[0].relaywatch.incident.contributors;
    expect(subjects.map(({ recipients }) => recipients)).toEqual([25, 15]);

    const subject = new Subject();
    for (const some of sent) subject.append(some);
    await subject.idle();
    subject.kill();
    subject.append(last);
    await subject.quiet();
    expect(subject.incidents()).toEqual(undisturbed.incidents());
  });

  it('writes an incident that grows a little seldom, and all of it once it has stopped', async () => {
    const subject = new Subject();
    let writes = 0;
    subject.beforeDelivery = (delivered) => {
      writes += delivered.filter(({ kind }) => kind === 'incident').length;
    };
    subject.append(await envelopesOf(traceCsv(relayRows(100), 1)));
    await subject.idle();
    await subject.quiet();
    writes = 0;
    const startMs = Date.UTC(2026, 4, 6, 10, 20);
    for (let minute = 0; minute < 60; minute++) {
      const received = new Date(startMs + minute * 60_000).toISOString().slice(0, 19);
      subject.append(await envelopesOf(traceCsv([{ ...relayRows(1)[0], received }], 1000 + minute)));
      subject.clockMs += 40_000;
      await subject.idle();
    }
    expect(writes).toBeGreaterThan(4);
    expect(writes).toBeLessThan(9);
    await subject.quiet();
    expect(subject.incidents()[0].relaywatch.incident.recipients).toBe(160);
    writes = 0;
    // Rows that are not of the incident change nothing of it.
    subject.append(await envelopesOf(traceCsv([{ received: '2026-05-06T12:00:00' }], 2000)));
    await subject.quiet();
    expect(writes).toBe(0);
  });

  it('says that an incident is open again when late rows move its end, and says it when that passes too', async () => {
    const at = (rows: Row[], minute: number) =>
      rows.map((row, index) => ({
        ...row,
        received: new Date(Date.UTC(2026, 4, 6, 10, minute, index * 20)).toISOString().slice(0, 19),
      }));
    const later = (hours: number) => [
      { received: new Date(Date.UTC(2026, 4, 6, 10 + hours)).toISOString().slice(0, 19) },
    ];
    const subject = new Subject();
    const kindsAfter = async (rows: Row[], firstId: number) => {
      subject.append(await envelopesOf(traceCsv(rows, firstId)));
      await subject.idle();
      return alertKinds(subject).filter((kind) => kind !== 'escalated');
    };
    expect(await kindsAfter(at(relayRows(60), 0), 1)).toEqual(['opened']);
    expect(await kindsAfter(later(25), 100)).toEqual(['opened', 'closed']);
    const { id } = subject.incidents()[0].event;
    subject.kill();
    expect(await kindsAfter(at(relayRows(30), 90), 200)).toEqual(['opened', 'closed', 'reopened']);
    expect(subject.incidents()[0].relaywatch.incident).toMatchObject({ state: 'open', reopened_count: 0 });
    expect(await kindsAfter(later(27), 101)).toEqual(['opened', 'closed', 'reopened', 'closed']);
    expect(subject.incidents().map(({ event }) => event.id)).toEqual([id]);
  });

  it('keeps what it published where the log has lost rows that were to be replayed', async () => {
    const subject = new Subject();
    for (const sent of envelopes) {
      subject.append(sent);
      await subject.idle();
    }
    const published = subject.incidents();
    subject.kill();
    const worker = await subject.worker();
    const lost = subject.log.length - 1;
    await worker.gap(0, 0, lost);
    subject.skipTo(lost);
    const again = subject.log[lost].envelope as Envelope;
    subject.append([again]);
    await subject.idle();
    expect(subject.incidents()).toEqual(published);
    expect(alertKinds(subject)).not.toContain('retracted');
    expect(subject.late).toHaveLength(1);
    expect(subject.outputs.documents.of('finding').size).toBe(1);
    subject.kill();
    await subject.idle();
    expect(subject.incidents()).toEqual(published);
  });

  it('asks for a rescan of rows that the log lost before they were read', async () => {
    const subject = new Subject();
    subject.append(envelopes[0]);
    await subject.idle();
    const read = subject.log.length;
    subject.append(envelopes[1]);
    const { openPairs } = (await subject.worker()).tenants()[0];
    await (await subject.worker()).gap(0, read, subject.log.length);
    subject.skipTo(subject.log.length);
    expect(subject.late).toHaveLength(1);
    expect(await subject.outputs.openFindings('contoso')).toMatchObject([
      { relaywatch: { finding: { code: 'log_gap' } } },
    ]);
    // What was read stays as it is.
    expect((await subject.worker()).tenants()[0].openPairs).toBe(openPairs);
    await subject.idle();
    subject.kill();
    expect(await subject.replayFrom()).toBe(0);
  });

  it('says which days are to be rescanned where the store refuses documents', async () => {
    const documents = new MemoryOutputStore().documents;
    const subject = new Subject(
      new MemoryOutputStore(documents, { refuse: ({ kind }) => (kind === 'incident' ? 'no' : null) }),
    );
    subject.append(envelopes.flat());
    await subject.idle();
    const [{ relaywatch }] = await subject.outputs.openFindings('contoso');
    const [first] = expected;
    expect(relaywatch).toMatchObject({ finding: { code: 'documents_refused', since: first['@timestamp'] } });
    // Refused again later, the earlier ones are still to be mended.
    subject.clockMs += 60_000;
    const later = new Date(Date.parse(first.event.end) + 1000).toISOString().slice(0, 19);
    const row = { ...relayRows(1)[0], received: later };
    subject.append(
      await envelopesOf(
        traceCsv(
          Array.from({ length: 9 }, () => row),
          90_000,
        ),
      ),
    );
    await subject.idle();
    expect((await subject.outputs.openFindings('contoso'))[0].relaywatch).toMatchObject({
      finding: { since: first['@timestamp'] },
    });
  });

  it('ends, and does not take back, what a changed list of domains would not find', async () => {
    const subject = new Subject();
    subject.append(envelopes.flat());
    await subject.step(subject.log.length);
    expect(subject.incidents()).toHaveLength(expected.length);
    const [{ relaywatch }] = expected;
    const registered = relaywatch.incident.contributors.domains.map(({ key }) => ({
      name: key,
      matchSubDomains: true,
    }));
    const profile = profiles.get('contoso') as TenantProfile;
    const acceptedDomains = [...(settings.acceptedDomains ?? []), ...registered];
    subject.profiles = new Map([['contoso', { ...profile, settings: { ...settings, acceptedDomains } }]]);
    subject.kill();
    subject.append([envelopes[0][0]]);
    subject.clockMs += 120_000;
    await subject.idle();
    // What was relayed is now the tenant's own mail, and may be found as bulk.
    const ofDomains = subject.incidents().filter((one) => one.relaywatch.incident.family === 'unregistered');
    expect(ofDomains.map((one) => one.relaywatch.incident.state)).toEqual(['closed']);
    expect(alertKinds(subject)).not.toContain('retracted');
  });

  it.each([
    ['a label', { labels: [{ verdict: 'benign', by: 'ann', atMs: Date.UTC(2026, 5, 4, 15), note: '' }], allow: [] }],
    [
      'an abuse label',
      { labels: [{ verdict: 'abuse', by: 'ann', atMs: Date.UTC(2026, 5, 4, 15), note: '' }], allow: [] },
    ],
    ['an allow-list', { labels: [], allow: [{ connector: 'Inbound from DC1' }] }],
  ] as const)('finds with %s what scan finds with it, and after a restart too', async (_, { labels, allow }) => {
    const nothing = { domain: null, mailbox: null, connector: null, address: null, expiresMs: null };
    const feedback: Feedback = {
      labels: labels.map((label) => ({ ...label, incident: expected[0].event.id })),
      allow: allow.map((entry) => ({ ...nothing, owner: 'ann', reason: 'scanner', ...entry })),
      connectors: null,
    };
    const told = { ...settings, feedback };
    const { incidents } = await scanAll(told);
    expect(incidents).not.toEqual(expected);
    const subject = new Subject();
    subject.profiles = new Map([['contoso', { settings: told, organizations: [], evidenceRows: 10 }]]);
    subject.append(envelopes.flat());
    await subject.step(Math.floor(subject.log.length * 0.97));
    subject.kill();
    await subject.idle();
    expect(subject.incidents()).toEqual(incidents);
  });

  it('goes on with an open incident when another one is labelled meanwhile', async () => {
    const subject = new Subject();
    subject.append(envelopes.flat());
    await subject.step(subject.log.length);
    expect(subject.incidents().map(({ relaywatch }) => relaywatch.incident.state)).toEqual(['open']);
    const label = { incident: 'rw-0123456789abcdef', verdict: 'benign', by: 'ann', atMs: NOW_MS, note: '' } as const;
    const told = { ...settings, feedback: { labels: [label], allow: [], connectors: null } };
    subject.profiles = new Map([['contoso', { settings: told, organizations: [], evidenceRows: 10 }]]);
    subject.kill();
    subject.append(envelopes[4]);
    await subject.idle();
    expect(subject.incidents()).toEqual(expected);
  });

  it('lets the log go where a tenant has been silent for days', async () => {
    const subject = new Subject();
    subject.append(envelopes.flat());
    await subject.idle();
    await subject.idle();
    subject.clockMs += 4 * 86_400_000;
    await subject.idle();
    subject.kill();
    expect(await subject.replayFrom()).toBe(subject.log.length);
    await subject.idle();
    expect(subject.incidents()).toEqual(expected);
  });

  it('keeps the log for a week for a tenant that has lost its profile, and says so', async () => {
    const subject = new Subject();
    subject.append(envelopes[0]);
    await subject.idle();
    const checkpointed: number[] = [];
    subject.observer = { ...SILENT, checkpointed: (_, __, oldest) => void checkpointed.push(oldest) };
    const codes = async () =>
      (await subject.outputs.openFindings('contoso')).map(({ relaywatch }) => (relaywatch as Finding).finding.code);
    subject.profiles = new Map();
    subject.kill();
    await subject.idle();
    expect(checkpointed.at(-1)).toBe(0);
    expect(await codes()).toEqual(['tenant_lost']);
    for (let day = 0; day < 7; day++) {
      subject.kill();
      subject.clockMs += 86_400_000;
      await subject.idle();
    }
    expect(checkpointed.at(-1)).toBe(subject.log.length);
    // It comes back when the log is gone.
    subject.profiles = profiles;
    subject.kill();
    expect(await subject.replayFrom()).toBe(0);
    await (await subject.worker()).gap(0, 0, subject.log.length);
    subject.skipTo(subject.log.length);
    await subject.idle();
    expect(await codes()).toEqual(['log_gap']);
    expect(subject.late).toHaveLength(1);
  });

  it('notices a tenant of the partition that never sends a row', async () => {
    const subject = new Subject();
    const other = { ...settings, key: 'fabrikam' };
    subject.profiles = new Map([...profiles, ['fabrikam', { settings: other, organizations: [], evidenceRows: 10 }]]);
    subject.homeOf = (tenant) => (tenant === 'fabrikam' ? 0 : 1);
    for (let minute = 0; minute < 7 * 60; minute++) {
      subject.clockMs += 40_000;
      await subject.idle();
    }
    const open = async (tenant: string) => (await subject.outputs.openFindings(tenant)).length;
    expect([await open('fabrikam'), await open('contoso')]).toEqual([1, 0]);
    expect((await subject.outputs.openFindings('fabrikam'))[0].message).toContain('has come yet, for 6 hours');
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

async function envelopesOf(csv: string): Promise<Envelope[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-rows-'));
  const sent: Envelope[] = [];
  try {
    const file = path.join(folder, 'rows.csv');
    writeFileSync(file, csv);
    const sink = {
      send: async (batch: readonly Envelope[]) => void sent.push(...structuredClone([...batch])),
      close: async () => {},
    };
    await ingestFile(file, { tenant: 'contoso', sink, nowMs: NOW_MS });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return sent;
}

function alertKinds(subject: Subject): string[] {
  return [...subject.outputs.documents.of('alert').values()].map(kindOf);
}

function withoutId({ event: { id: _, ...event }, ...rest }: IncidentDocument) {
  return { ...rest, event };
}

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

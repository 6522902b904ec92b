/** A detector at work, and rescans of the same tenant beside it: who says what of an incident. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryCheckpoints } from '../../../src/adapters/memory/checkpoints.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/core/calendar.ts';
import type { OutputStore } from '../../../src/core/delivery.ts';
import type { Envelope } from '../../../src/core/envelope.ts';
import type { IncidentDocument } from '../../../src/core/incident-document.ts';
import { DetectWorker } from '../../../src/runtime/detect/detect-worker.ts';
import { ingestFile } from '../../../src/runtime/ingest/ingest-file.ts';
import { type RescanProfile, type RescanReport, rescan } from '../../../src/runtime/rescan/rescan.ts';
import { scan } from '../../../src/runtime/scan.ts';
import { relayRows, traceCsv } from '../../e2e/command.ts';

const FIRST_DAY_MS = Date.UTC(2026, 4, 1);
const NOW_MS = Date.UTC(2026, 6, 1);

type Rows = Parameters<typeof traceCsv>[0];

const iso = (timeMs: number) => new Date(timeMs).toISOString().slice(0, 19);

/** Ordinary mail of one day. */
function ordinary(day: number): Rows {
  return Array.from({ length: 20 }, (_, index) => ({
    received: iso(FIRST_DAY_MS + day * DAY_MS + (8 * 60 + index * 20) * MINUTE_MS),
    sender: 'ann@contoso.example',
    recipient: `customer${index}@fabrikam.example`,
  }));
}

/** Mail of the relay: `count` recipients from the `first` one on, every 5 s. */
function relayed(fromMs: number, count: number, first: number): Rows {
  return relayRows(first + count)
    .slice(first)
    .map((row, index) => ({ ...row, received: iso(fromMs + index * 5 * SECOND_MS) }));
}

class Scene {
  readonly late: number[] = [];
  readonly #store: OutputStore;
  readonly #folder: string;
  readonly #worker: DetectWorker;
  readonly #tenant: string;
  readonly #files: string[] = [];
  #nowMs = NOW_MS;
  #offset = 0;

  constructor(store: OutputStore, folder: string, tenant: string) {
    this.#store = store;
    this.#folder = folder;
    this.#tenant = tenant;
    this.#worker = new DetectWorker({
      pipeline: 'test',
      profiles: new Map([[tenant, this.profile]]),
      checkpoints: createMemoryCheckpoints(),
      outputs: store,
      now: () => this.#nowMs,
      sealQuietMs: 10_000,
      onLate: async (_, fromMs) => {
        this.late.push(fromMs);
      },
    });
  }

  get profile(): RescanProfile {
    const { settings, ...others } = PROFILE;
    return { settings: { ...settings, key: this.#tenant }, ...others };
  }

  async open(): Promise<void> {
    await this.#worker.assigned(0, 1);
  }

  /** An export that is in the archive alone. */
  async archive(rows: Rows): Promise<string> {
    const file = path.join(this.#folder, `${this.#files.length}.csv`);
    await writeFile(file, traceCsv(rows, 1 + this.#files.length * 10_000));
    this.#files.push(file);
    return file;
  }

  /** An export that the detector gets too. */
  async arrive(rows: Rows): Promise<void> {
    const sent: Envelope[] = [];
    const sink = {
      send: async (batch: readonly Envelope[]) => void sent.push(...structuredClone([...batch])),
      close: async () => {},
    };
    await ingestFile(await this.archive(rows), { tenant: this.#tenant, sink, nowMs: NOW_MS });
    const entries = sent.map((envelope) => ({
      offset: this.#offset++,
      appendedMs: this.#nowMs,
      envelope,
      problem: null,
      bytes: new Uint8Array(),
    }));
    await this.#worker.entries(0, 1, entries, this.#offset);
    this.#nowMs += 20 * MINUTE_MS;
    await this.#worker.idle(0, 1);
  }

  async rescan(fromMs = 0): Promise<RescanReport> {
    return await rescan({
      profile: this.profile,
      exports: async () => this.#files.map((file) => ({ path: file, dateOrder: null })),
      fromMs,
      toMs: null,
      outputs: this.#store,
      dryRun: false,
      nowMs: this.#nowMs,
    });
  }

  /** What `scan` says of all exports. */
  async scanned(): Promise<IncidentDocument[]> {
    const { incidents } = await scan({
      paths: this.#files,
      tenant: this.profile.settings,
      range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs: this.#nowMs },
      format: null,
      dateOrder: null,
      reader: 'js',
      evidenceRows: PROFILE.evidenceRows,
      memoryMiB: 256,
    });
    return incidents.map(comparable);
  }

  async incidents(state?: string): Promise<IncidentDocument[]> {
    const stored = await this.#store.incidents(this.#tenant, 0, NOW_MS);
    return stored
      .map(({ document }) => document as unknown as IncidentDocument)
      .filter(({ relaywatch }) => state === undefined || relaywatch.incident.state === state);
  }

  async standing(): Promise<IncidentDocument[]> {
    return (await this.incidents()).filter(({ relaywatch }) => relaywatch.incident.state !== 'retracted');
  }
}

const PROFILE: RescanProfile = {
  settings: {
    key: 'contoso',
    acceptedDomains: [{ name: 'contoso.example', matchesSubdomains: false, isInternalRelay: false }] as never,
    licenses: null,
    timeZone: 'UTC',
  },
  organizations: [],
  dateOrder: null,
  evidenceRows: 10,
};

/** Without what the store adds, and the id, which is that of the first who published it. */
export function comparable(document: IncidentDocument): IncidentDocument {
  const { event, relaywatch, ...rest } = document;
  const { created: _, ...kept } = event as IncidentDocument['event'] & { created?: string };
  return { ...rest, event: { ...kept, id: '' }, relaywatch: { incident: relaywatch.incident } };
}

export function describeRescansBesideDetector(
  name: string,
  open: () => Promise<{ store: OutputStore; close(): Promise<void> }>,
): void {
  describe(`rescans beside a detector that writes to ${name}`, () => {
    let folder: string;
    let under: Awaited<ReturnType<typeof open>>;
    let scene: Scene;

    beforeEach(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'relaywatch-test-beside-'));
      under = await open();
      scene = new Scene(under.store, folder, 'contoso');
      await scene.open();
    });
    afterEach(async () => {
      await under?.close();
      await rm(folder, { recursive: true, force: true });
    });

    const recipients = (documents: IncidentDocument[]) =>
      documents.map(({ relaywatch }) => relaywatch.incident.recipients);
    const at = (day: number, hours: number) => FIRST_DAY_MS + day * DAY_MS + hours * HOUR_MS;

    /** A relay that goes on for three days, of which the first is sealed by then. */
    async function longRelay(): Promise<void> {
      for (let day = 0; day < 5; day++) await scene.arrive(ordinary(day));
      await scene.arrive([...ordinary(5), ...relayed(at(5, 22), 100, 200)]);
      await scene.arrive([...ordinary(6), ...relayed(at(6, 12), 50, 300)]);
      await scene.arrive([...ordinary(7).slice(0, 5), ...relayed(at(7, 8), 50, 350)]);
    }

    test('a rescan after the detector changes nothing', async () => {
      await longRelay();
      const before = await scene.incidents();
      expect(recipients(before)).toEqual([200]);
      expect(await scene.rescan()).toMatchObject({ changes: [], unchanged: 1 });
      expect(await scene.incidents()).toEqual(before);
    });

    test('late rows enlarge the incident, and the detector goes on from there', async () => {
      await longRelay();
      expect(scene.late).toEqual([]);
      await scene.arrive(relayed(at(5, 20), 60, 100));
      expect(scene.late).toEqual([at(5, 20)]);
      expect(recipients(await scene.standing())).toEqual([200]);
      expect((await scene.rescan(at(5, 0))).changes.map(({ kind }) => kind)).toEqual(['changed']);
      expect(recipients(await scene.standing())).toEqual([260]);
      // The detector does not know them, now or ever.
      await scene.arrive([...ordinary(7).slice(5), ...relayed(at(7, 20), 30, 400)]);
      expect(recipients(await scene.standing())).toEqual([290]);
      // It ends: the last word is that of a rescan, with all rows.
      await scene.arrive(ordinary(9));
      const [closed] = await scene.standing();
      expect(closed.relaywatch.incident).toMatchObject({ state: 'closed', recipients: 290 });
      await scene.rescan(at(5, 0));
      expect((await scene.standing()).map(comparable)).toEqual(await scene.scanned());
      expect(await scene.rescan(at(5, 0))).toMatchObject({ changes: [] });
    });

    // The hashes, and with them which rows of an incident are known, depend on the name of the tenant.
    test.each(['contoso', 'fabrikam', 'adatum', 'tailspin', 'wingtip'])(
      'what a rescan finds earlier keeps its id and is not brought back, of %s',
      async (tenant) => {
        scene = new Scene(under.store, folder, tenant);
        await scene.open();
        for (let day = 0; day < 5; day++) await scene.arrive(ordinary(day));
        await scene.arrive([...ordinary(5), ...relayed(at(5, 22), 100, 200)]);
        await scene.arrive([...ordinary(6), ...relayed(at(6, 20), 100, 400)]);
        await scene.arrive(ordinary(7).slice(0, 5));
        const before = await scene.standing();
        // Mail from the day before makes it an incident of that day.
        await scene.arrive(relayed(at(4, 23), 100, 0));
        await scene.rescan(at(4, 0));
        const after = await scene.standing();
        expect(after.map(comparable)).toEqual(await scene.scanned());
        expect(after.map(({ event }) => event.id)).toEqual(before.map(({ event }) => event.id));
        await scene.arrive([...ordinary(7).slice(5), ...relayed(at(7, 20), 50, 500)]);
        expect((await scene.standing()).map(({ event }) => event.id)).toEqual(after.map(({ event }) => event.id));
        expect(recipients(await scene.standing())).toEqual([350]);
      },
    );

    test('an incident that only a rescan knows is rescanned when it may have ended', async () => {
      for (let day = 0; day < 5; day++) await scene.arrive(ordinary(day));
      await scene.archive(relayed(at(4, 10), 100, 0));
      expect((await scene.rescan()).changes.map(({ kind }) => kind)).toEqual(['new']);
      await scene.arrive(ordinary(5).slice(0, 3));
      expect(scene.late).toEqual([]);
      expect(await scene.incidents('open')).toHaveLength(1);
      await scene.arrive(ordinary(6));
      const detectedMs = Date.parse((await scene.incidents())[0]['@timestamp']);
      expect(scene.late).toEqual([detectedMs]);
      await scene.rescan(at(4, 0));
      expect(await scene.incidents('closed')).toHaveLength(1);
      await scene.arrive(ordinary(8));
      expect(scene.late).toHaveLength(1);
    });
  });
}

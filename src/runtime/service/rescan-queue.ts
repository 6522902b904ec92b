/** Rescans that are due in the embedded mode: remembered in a folder until they are done. */

import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Archive } from '../../adapters/file/archive.ts';
import { makeFolder, replaceFile } from '../../adapters/file/durable-file.ts';
import { DAY_MS, dayOf } from '../../core/calendar.ts';
import type { OutputStore } from '../../core/delivery.ts';
import type { RescanProfile } from '../rescan/rescan.ts';
import { rescanArchive } from '../rescan/rescan-archive.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export interface RescanQueueOptions {
  /** Remembers what is due; the archive is unpacked below it. */
  folder: string;
  archive: Archive;
  profiles: ReadonlyMap<string, RescanProfile>;
  outputs: OutputStore;
  telemetry: Telemetry;
  now: () => number;
  /** Called before the archive is read: brings into it what was handed over and is not there yet. */
  beforeRescan?: () => Promise<void>;
}

interface DueRescan {
  fromMs: number;
  /** Attempts that failed since the process started. */
  failures: number;
  /** When it is tried again. */
  notBeforeMs: number;
}

const NOTHING_DUE: DueRescan = { fromMs: Number.POSITIVE_INFINITY, failures: 0, notBeforeMs: 0 };
/** Pause after a failed attempt, doubled by each further one. */
const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;

export class RescanQueue {
  readonly #options: RescanQueueOptions;
  /** By tenant; every addition is another object, so that one that comes during a rescan is run after it. */
  readonly #due = new Map<string, DueRescan>();
  #written: Promise<void> = Promise.resolve();

  constructor(options: RescanQueueOptions) {
    this.#options = options;
  }

  /** Reads what was due when the process ended. */
  async open(): Promise<void> {
    const { folder } = this.#options;
    await makeFolder(folder);
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.json')) continue;
      const text = await readFile(path.join(folder, name), 'utf8');
      const { tenant, fromMs } = JSON.parse(text) as { tenant: string; fromMs: number };
      this.#due.set(tenant, { fromMs, failures: 0, notBeforeMs: 0 });
    }
  }

  /** Durable when it resolves; the earliest start of a tenant's counts. */
  async add(tenant: string, fromMs: number): Promise<void> {
    const { failures, notBeforeMs, fromMs: knownMs } = this.#due.get(tenant) ?? NOTHING_DUE;
    const fromDayMs = Math.min(knownMs, dayOf(fromMs) * DAY_MS);
    // At once: a rescan that ends meanwhile must not take this one for done.
    this.#due.set(tenant, { fromMs: fromDayMs, failures, notBeforeMs });
    await this.#writing(() =>
      replaceFile(this.#file(tenant), [Buffer.from(JSON.stringify({ tenant, fromMs: fromDayMs }))]),
    );
  }

  /**
   * Runs what is due, one after the other. One that fails stays due, over restarts too, and is tried again by a later
   * call after a pause of 1 minute to 1 hour: whatever is wrong must not stop the detector. A run that is to end does
   * not wait for that. What is due for a tenant that the pipeline does not have waits until it has it.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { profiles, now } = this.#options;
    for (const [tenant, due] of [...this.#due]) {
      const profile = profiles.get(tenant);
      if (profile === undefined || now() < due.notBeforeMs) continue;
      if (signal.aborted) return;
      const isDone = await this.#rescan(profile, due, signal);
      if (signal.aborted && !isDone) return;
      const current = this.#due.get(tenant);
      if (isDone && current === due) {
        this.#due.delete(tenant);
        await this.#writing(() => rm(this.#file(tenant), { force: true })).catch((error) => {
          const fields = { action: 'rescan_failed', tenant, error };
          this.#options.telemetry.log.warn('A rescan that is done is run again at the next start', fields);
        });
      } else if (!isDone && current !== undefined) {
        current.failures = due.failures + 1;
        current.notBeforeMs = now() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** due.failures);
      }
    }
  }

  /** False where it failed, or was stopped. */
  async #rescan(profile: RescanProfile, { fromMs }: DueRescan, signal: AbortSignal): Promise<boolean> {
    const { archive, outputs, telemetry, now, folder } = this.#options;
    const tenant = profile.settings.key;
    telemetry.log.info('Rescanning: rows came after their day was sealed, or what a rescan found may have ended', {
      action: 'rescan_started',
      tenant,
    });
    const nowMs = now();
    try {
      await this.#options.beforeRescan?.();
      const report = await rescanArchive({
        archive,
        workFolder: folder,
        profile,
        outputs,
        fromMs,
        toMs: null,
        dryRun: false,
        nowMs,
        signal,
      });
      for (const warning of report.warnings) telemetry.log.warn(warning, { action: 'rescan_warning', tenant });
      telemetry.log.info('The rescan is done', {
        action: 'rescan_done',
        tenant,
        count: report.changes.length,
        durationMs: now() - nowMs,
      });
      return true;
    } catch (error) {
      if (!signal.aborted) {
        telemetry.log.error('The rescan failed and stays due', { action: 'rescan_failed', tenant, error });
      }
      return false;
    }
  }

  /** Files change in the order in which what is due does. */
  #writing(change: () => Promise<void>): Promise<void> {
    const done = this.#written.then(change);
    this.#written = done.catch(() => undefined);
    return done;
  }

  #file(tenant: string): string {
    const name = createHash('sha256').update(tenant).digest('hex').slice(0, 16);
    return path.join(this.#options.folder, `${name}.json`);
  }
}

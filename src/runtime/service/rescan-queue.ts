/** Rescans that are due in the embedded mode: remembered in a folder until they are done. */

import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Archive } from '../../adapters/file/archive.ts';
import { makeFolder, replaceFile } from '../../adapters/file/durable-file.ts';
import { DAY_MS, dayOf } from '../../core/calendar.ts';
import type { OutputStore } from '../../core/delivery.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import type { TenantProfile } from '../detect/tenant-detector.ts';
import { rescanArchive } from '../rescan/rescan-archive.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export interface RescanQueueOptions {
  folder: string;
  archive: Archive;
  profiles: ReadonlyMap<string, TenantProfile>;
  outputs: OutputStore;
  telemetry: Telemetry;
  now: () => number;
}

interface DueRescan {
  tenant: string;
  fromMs: number;
}

export class RescanQueue {
  readonly #options: RescanQueueOptions;
  readonly #due = new Map<string, number>();

  constructor(options: RescanQueueOptions) {
    this.#options = options;
  }

  /** Reads what was due when the process ended. */
  async open(): Promise<void> {
    const { folder } = this.#options;
    await makeFolder(folder);
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.json')) continue;
      const { tenant, fromMs } = JSON.parse(await readFile(path.join(folder, name), 'utf8')) as DueRescan;
      this.#due.set(tenant, fromMs);
    }
  }

  /** Durable when it resolves; the earliest start of a tenant's counts. */
  async add(tenant: string, fromMs: number): Promise<void> {
    const fromDayMs = Math.min(this.#due.get(tenant) ?? Number.POSITIVE_INFINITY, dayOf(fromMs) * DAY_MS);
    await replaceFile(this.#file(tenant), [Buffer.from(JSON.stringify({ tenant, fromMs: fromDayMs }))]);
    this.#due.set(tenant, fromDayMs);
  }

  /** Runs what is due, one after the other. */
  async run(signal: AbortSignal): Promise<void> {
    for (const [tenant, fromMs] of [...this.#due]) {
      if (signal.aborted) return;
      const profile = this.#options.profiles.get(tenant);
      if (profile !== undefined) await this.#rescan(profile, fromMs, signal);
      if (this.#due.get(tenant) !== fromMs) continue;
      await rm(this.#file(tenant), { force: true });
      this.#due.delete(tenant);
    }
  }

  async #rescan(profile: TenantProfile, fromMs: number, signal: AbortSignal): Promise<void> {
    const { archive, outputs, telemetry, now } = this.#options;
    const tenant = profile.settings.key;
    telemetry.log.info('Rescanning: rows came after their day was sealed', { action: 'rescan_started', tenant });
    const nowMs = now();
    try {
      const report = await rescanArchive({
        archive,
        profile,
        outputs,
        fromMs,
        toMs: null,
        dryRun: false,
        nowMs,
        signal,
      });
      telemetry.log.info('The rescan is done', {
        action: 'rescan_done',
        tenant,
        count: report.changes.length,
        durationMs: now() - nowMs,
      });
    } catch (error) {
      // What a person has to mend must not stop the detector; the rescan stays due until then.
      if (!(error instanceof RelaywatchError)) throw error;
      telemetry.log.error('The rescan failed', { action: 'rescan_failed', tenant, error });
    }
  }

  #file(tenant: string): string {
    const name = createHash('sha256').update(tenant).digest('hex').slice(0, 16);
    return path.join(this.#options.folder, `${name}.json`);
  }
}

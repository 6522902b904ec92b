/**
 * The folder into which exports are dropped: each goes to the archive first, then to the log. What a growing export
 * gains goes to the log first, and to the archive in pieces, at most every ten minutes; all of it once it rests.
 *
 * So a rescan may miss the last ten minutes of a growing export (up to an hour, until it counts as resting, where it
 * stopped growing in between), and its last row. `archiveGrowth` before a rescan leaves but the last row, in the
 * process that watches the folder.
 */

import { mkdir } from 'node:fs/promises';
import type { Archive } from '../../adapters/file/archive.ts';
import { type FolderWatch, openWatch } from '../../adapters/file/watch-folder.ts';
import type { Pipeline } from '../../config/pipeline/pipeline.ts';
import type { EnvelopeSink } from '../../core/envelope-log.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { type GrowthPoint, type Ingested, ingestFile, ingestGrowth } from '../ingest/ingest-file.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { GrowthArchive } from './growth-archive.ts';

export interface ExportFolderOptions {
  pipeline: Pipeline;
  /** Where it is remembered what was handed over. */
  stateFolder: string;
  sink: EnvelopeSink;
  archive: Archive | null;
  telemetry: Telemetry;
  now: () => number;
  signal: AbortSignal;
  /** A file, or what it had more, is in the log. */
  onHandedOver: () => void;
}

export interface ExportFolder extends FolderWatch {
  /** Brings what growing exports have gained into the archive; not during a look. */
  archiveGrowth(): Promise<void>;
}

/** A growth point, and up to where the archive holds the rows. */
interface ArchivedGrowthPoint extends GrowthPoint {
  archivedTo?: number;
}

export async function openExportFolder(options: ExportFolderOptions): Promise<ExportFolder> {
  const { pipeline, sink, archive, telemetry, now, signal } = options;
  const { folder } = pipeline.inputs;
  if (folder === null) {
    throw new RelaywatchError({
      code: 'pipeline',
      message: `${pipeline.file}: inputs.folder is not there`,
      hint: 'relaywatch lint shows what the role needs.',
      exitCode: 2,
    });
  }
  const tenants = new Map(pipeline.tenants.map((tenant) => [tenant.key, tenant]));
  await mkdir(folder.path, { recursive: true });
  const ingestOptions = (tenant: string, name: string) => ({
    tenant,
    sink,
    nowMs: now(),
    name,
    dateOrder: tenants.get(tenant)?.dateOrder ?? null,
    noFollow: true,
    signal,
  });
  const workFolder = pipeline.archive?.path;
  const growthArchive =
    archive === null || workFolder === undefined ? null : new GrowthArchive({ archive, workFolder, now, signal });
  const done = ({ ledger }: Ingested, tenant: string): void => {
    options.onHandedOver();
    const outcome = ledger.refused === null ? 'complete' : 'refused';
    telemetry.metrics.filesIngested(outcome);
    telemetry.log.info(
      outcome === 'complete' ? `An export of ${ledger.records} records was read` : 'An export was refused',
      {
        action: 'file_ingested',
        tenant,
        count: ledger.records,
      },
    );
  };
  const watch = await openWatch({
    path: folder.path,
    stateFolder: options.stateFolder,
    settleMs: folder.settleMs,
    signal,
    tenantOf: (name) => folder.tenant ?? tenantOfPath(name, tenants),
    onProblem: (name, problem) => telemetry.log.warn(`${name}: ${problem}`, { action: 'file_problem' }),
    async onFile({ path, name, tenant, sha256 }) {
      await archive?.put(tenant, path, { sha256, name, noFollow: true, signal });
      growthArchive?.whole({ tenant, name });
      const ingested = await ingestFile(path, { ...ingestOptions(tenant, name), sha256 });
      done(ingested, tenant);
      const { growth } = ingested;
      return growth === null ? null : { ...growth, ...(archive === null ? {} : { archivedTo: growth.offset }) };
    },
    async onQuiet({ path, name, tenant, sha256 }) {
      await archive?.put(tenant, path, { sha256, name, noFollow: true, signal });
      growthArchive?.whole({ tenant, name });
    },
    async onGrowth({ path, name, tenant, id, from }) {
      const point = from as ArchivedGrowthPoint | null;
      const ingested = await ingestGrowth(path, id, point, ingestOptions(tenant, name));
      done(ingested, tenant);
      const { growth } = ingested;
      if (growth === null) return null;
      const archivedTo = await growthArchive?.grown({ path, name, tenant, id }, growth, point?.archivedTo ?? 0);
      return { ...growth, ...(archivedTo === undefined ? {} : { archivedTo }) };
    },
  });
  return {
    look: () => watch.look(),
    close: () => watch.close(),
    archiveGrowth: async () => growthArchive?.catchUp(),
  };
}

/** The first folder of a name is the tenant's key. */
function tenantOfPath(name: string, tenants: ReadonlyMap<string, unknown>): string | null {
  const slash = name.indexOf('/');
  const key = slash < 0 ? '' : name.slice(0, slash);
  return tenants.has(key) ? key : null;
}

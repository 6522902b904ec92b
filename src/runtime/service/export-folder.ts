/** The folder into which exports are dropped: each goes to the archive first, then to the log. */

import { mkdir } from 'node:fs/promises';
import type { Archive } from '../../adapters/file/archive.ts';
import { type FolderWatch, openWatch } from '../../adapters/file/watch-folder.ts';
import type { Pipeline } from '../../config/pipeline/pipeline.ts';
import type { EnvelopeSink } from '../../core/envelope-log.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { type GrowthPoint, type Ingested, ingestFile, ingestGrowth } from '../ingest/ingest-file.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

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

export async function openExportFolder(options: ExportFolderOptions): Promise<FolderWatch> {
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
  const done = ({ ledger, growth }: Ingested, tenant: string) => {
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
    return growth === null ? null : { ...growth };
  };
  return await openWatch({
    path: folder.path,
    stateFolder: options.stateFolder,
    settleMs: folder.settleMs,
    signal,
    tenantOf: (name) => folder.tenant ?? tenantOfPath(name, tenants),
    onProblem: (name, problem) => telemetry.log.warn(`${name}: ${problem}`, { action: 'file_problem' }),
    async onFile({ path, name, tenant, sha256 }) {
      await archive?.put(tenant, path, { sha256, name, noFollow: true, signal });
      return done(await ingestFile(path, { ...ingestOptions(tenant, name), sha256 }), tenant);
    },
    // A growing file is archived when it rests: until then what it gained is in the log alone.
    async onQuiet({ path, name, tenant, sha256 }) {
      await archive?.put(tenant, path, { sha256, name, noFollow: true, signal });
    },
    async onGrowth({ path, name, tenant, id, from }) {
      const point = from as GrowthPoint | null;
      return done(await ingestGrowth(path, id, point, ingestOptions(tenant, name)), tenant);
    },
  });
}

/** The first folder of a name is the tenant's key. */
function tenantOfPath(name: string, tenants: ReadonlyMap<string, unknown>): string | null {
  const slash = name.indexOf('/');
  const key = slash < 0 ? '' : name.slice(0, slash);
  return tenants.has(key) ? key : null;
}

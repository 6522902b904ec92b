/** The command `rescan`: the archive scanned again, and what is stored brought to what it finds. */

import { createArchive } from '../adapters/file/archive.ts';
import { loadPipeline } from '../config/pipeline/load.ts';
import type { Pipeline } from '../config/pipeline/pipeline.ts';
import { DAY_MS } from '../core/calendar.ts';
import { type ExitCode, RelaywatchError } from '../core/outcome.ts';
import { terminalSafe } from '../reports/text.ts';
import { defaultPipeline, pipelineSurroundings } from './pipeline-files.ts';
import { rescanArchive } from './rescan/rescan-archive.ts';
import type { Streams } from './scan-command.ts';
import { openJobs, openOutputs, profilesOf } from './service/components.ts';

const DAY = /^\d{4}-\d{2}-\d{2}$/;

export interface RawRescanOptions {
  pipeline?: string;
  tenant?: string;
  from?: string;
  to?: string;
  dryRun?: boolean;
  job?: boolean;
  quiet?: boolean;
}

export async function runRescan(
  paths: readonly string[],
  raw: RawRescanOptions,
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  if (paths.length > 0)
    throw usage(`rescan takes no ${paths[0]}`, 'It reads the archive; --pipeline names the pipeline.');
  const pipeline = await loadPipeline(raw.pipeline ?? (await defaultPipeline('embedded')), pipelineSurroundings());
  const fromMs = dayMs('--from', raw.from);
  const toMs = raw.to === undefined ? null : dayMs('--to', raw.to);
  if (fromMs === null) throw usage('rescan needs --from', 'For example: relaywatch rescan --from 2026-11-01');
  const tenants = tenantKeys(pipeline, raw.tenant);
  if (raw.job === true) return await submit(pipeline, tenants, fromMs, toMs, stdout);
  const { archive: archiveSettings } = pipeline;
  if (archiveSettings === null) {
    throw usage(`${pipeline.file} has no archive`, 'Give it one, or name another with --pipeline.');
  }
  const archive = createArchive(archiveSettings.path);
  const outputs = await openOutputs(pipeline, (component, trouble) => {
    if (trouble !== null) stderr.write(`${component}: ${terminalSafe(trouble)}\n`);
  });
  const dryRun = raw.dryRun === true;
  try {
    for (const profile of profilesOf(pipeline).values()) {
      if (!tenants.includes(profile.settings.key)) continue;
      const report = await rescanArchive({
        archive,
        workFolder: archiveSettings.path,
        profile,
        outputs,
        fromMs,
        toMs,
        dryRun,
        nowMs: Date.now(),
      });
      for (const { kind, id, message, mergedInto } of report.changes) {
        const into = mergedInto === null ? '' : ` (now part of ${mergedInto})`;
        stdout.write(`${terminalSafe(`${kind.padEnd(7)} ${id} ${message}${into}`)}\n`);
      }
      if (raw.quiet === true) continue;
      for (const warning of report.warnings) stderr.write(`${terminalSafe(warning)}\n`);
      const what = dryRun ? 'would change' : 'changed';
      stderr.write(
        `${profile.settings.key}: ${report.changes.length} incidents ${what}, ${report.unchanged + report.unseen} stay as they are\n`,
      );
    }
  } finally {
    await outputs.close();
  }
  return 0;
}

async function submit(
  pipeline: Pipeline,
  tenants: readonly string[],
  fromMs: number,
  toMs: number | null,
  stdout: NodeJS.WriteStream,
): Promise<ExitCode> {
  const queue = await openJobs(pipeline, () => undefined);
  try {
    for (const tenant of tenants) {
      stdout.write(`${(await queue.submit({ kind: 'rescan', tenant, fromMs, toMs })).padEnd(6)} ${tenant}\n`);
    }
  } finally {
    await queue.close();
  }
  return 0;
}

function dayMs(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const timeMs = DAY.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(timeMs) || timeMs % DAY_MS !== 0)
    throw usage(`${option} ${text} is no day`, 'Write it as 2026-11-01.');
  return timeMs;
}

function tenantKeys({ tenants, file }: Pipeline, wanted: string | undefined): string[] {
  const keys = tenants.map(({ key }) => key);
  if (wanted === undefined) return keys;
  if (keys.includes(wanted)) return [wanted];
  throw usage(`${file} has no tenant ${wanted}`, `Its tenants are: ${keys.slice(0, 20).join(', ')}.`);
}

function usage(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'usage', message, hint, exitCode: 2 });
}

/** The command `submit`: exports handed to the workers, a job each. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { findExportFiles } from '../adapters/file/export-files.ts';
import { createJobSpool } from '../adapters/file/job-spool.ts';
import { loadPipeline } from '../config/pipeline/load.ts';
import type { Pipeline } from '../config/pipeline/pipeline.ts';
import type { IngestJob } from '../core/jobs.ts';
import { type ExitCode, RelaywatchError } from '../core/outcome.ts';
import { terminalSafe } from '../reports/text.ts';
import { submitDurably } from './jobs/resubmit.ts';
import { defaultPipeline, pipelineSurroundings } from './pipeline-files.ts';
import type { Streams } from './scan-command.ts';
import { openJobs } from './service/components.ts';

export interface RawSubmitOptions {
  pipeline?: string;
  tenant?: string;
  quiet?: boolean;
}

export async function runSubmit(
  paths: readonly string[],
  { pipeline: file, tenant, quiet = false }: RawSubmitOptions,
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  if (paths.length === 0) throw usage('no exports are named', 'For example: relaywatch submit exports/');
  const pipeline = await loadPipeline(file ?? (await defaultPipeline('jobs')), pipelineSurroundings());
  const key = tenantKey(pipeline, tenant);
  const { files, missing, dispose } = await findExportFiles(paths, {
    temporaryFolder: undefined,
    standardInput: () => {
      throw usage('submit reads no standard input', 'Name a file: workers read it where it lies.');
    },
  });
  await dispose();
  for (const one of missing) stderr.write(`${terminalSafe(`${one.path}: ${one.message}`)}\n`);
  const queue = await openJobs(pipeline, () => undefined);
  const spool = pipeline.jobs?.spool == null ? null : createJobSpool(pipeline.jobs.spool);
  let submitted = 0;
  try {
    for (const { path: name } of files) {
      const job = await jobOf(name, key);
      const answer = spool === null ? await queue.submit(job) : await submitDurably(spool, queue, job);
      stdout.write(`${terminalSafe(`${answer.padEnd(6)} ${name}`)}\n`);
      submitted++;
    }
  } finally {
    await queue.close();
  }
  if (!quiet) stderr.write(`${submitted} ${submitted === 1 ? 'export' : 'exports'} handed over for ${key}\n`);
  return missing.length > 0 ? 1 : 0;
}

async function jobOf(name: string, tenant: string): Promise<IngestJob> {
  const absolute = path.resolve(name);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(absolute)) hash.update(chunk as Buffer);
  const { size } = await stat(absolute);
  return { kind: 'ingest', tenant, path: absolute, sha256: hash.digest('hex'), bytes: size };
}

function tenantKey({ tenants, file }: Pipeline, wanted: string | undefined): string {
  const keys = tenants.map(({ key }) => key);
  if (wanted === undefined && keys.length === 1) return keys[0];
  if (wanted !== undefined && keys.includes(wanted)) return wanted;
  const problem = wanted === undefined ? 'say whose exports these are' : `${file} has no tenant ${wanted}`;
  throw usage(problem, `Use --tenant with one of: ${keys.slice(0, 20).join(', ')}.`);
}

function usage(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'usage', message, hint, exitCode: 2 });
}

/** The command `test`: the cases that pipelines carry, run through the detector. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compareWithCase } from '../config/pipeline/cases.ts';
import { loadCases } from '../config/pipeline/load.ts';
import type { ExpectedIncident, PipelineCase, PipelineCases } from '../config/pipeline/pipeline.ts';
import type { IncidentDocument } from '../core/incident-document.ts';
import { type ExitCode, RelaywatchError } from '../core/outcome.ts';
import { terminalSafe } from '../reports/text.ts';
import { namedPipelines, pipelineSurroundings } from './pipeline-files.ts';
import { scan } from './scan.ts';
import type { Streams } from './scan-command.ts';

const MEMORY_MIB = 256;

export interface RawTestOptions {
  quiet?: boolean;
}

export async function runTest(
  paths: readonly string[],
  { quiet = false }: RawTestOptions,
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  const surroundings = pipelineSurroundings();
  let passed = 0;
  let failed = 0;
  for (const file of await namedPipelines(paths)) {
    const pipeline = await loadCases(file, surroundings);
    for (const one of pipeline.cases) {
      const problems = await run(pipeline, one);
      if (problems.length === 0) passed++;
      else failed++;
      const lines = problems.map((problem) => `    ${problem}\n`).join('');
      stdout.write(terminalSafe(`${problems.length === 0 ? 'ok    ' : 'failed'} ${pipeline.name}: ${one.name}`));
      stdout.write(`\n${lines}`);
    }
  }
  if (!quiet) stderr.write(`${passed} passed, ${failed} failed\n`);
  return failed > 0 ? 1 : 0;
}

/** What is wrong, a line each; nothing where the case holds. */
async function run(pipeline: PipelineCases, one: PipelineCase): Promise<string[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'relaywatch-test-'));
  try {
    const rows = path.join(folder, 'rows');
    if (one.rows !== null) await writeFile(rows, one.rows);
    const incidents = await detect(pipeline, one, one.rows === null ? one.files : [rows], folder);
    const { missing, unexpected } = compareWithCase(one.expect.incidents, incidents);
    const place = `${one.place.file}:${one.place.line}`;
    return [
      ...missing.map((expected) => terminalSafe(`${place}: expected ${expectedText(expected)}, and none is like that`)),
      ...unexpected.map(({ message }) => terminalSafe(`${place}: not expected: ${message}`)),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function detect(
  { tenants, detection }: PipelineCases,
  one: PipelineCase,
  paths: string[],
  temporaryFolder: string,
): Promise<IncidentDocument[]> {
  const tenant = tenants.find(({ key }) => key === one.tenant);
  if (tenant === undefined) throw new TypeError(`case ${one.name} names no tenant of the pipeline`);
  const { incidents, ledger } = await scan({
    paths,
    tenant,
    range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs: Date.now() },
    format: null,
    dateOrder: tenant.dateOrder,
    reader: 'js',
    evidenceRows: detection.evidenceRows,
    memoryMiB: MEMORY_MIB,
    temporaryFolder,
  });
  const refused = ledger.files.find((file) => file.refused !== null);
  if (refused === undefined) return incidents;
  throw new RelaywatchError({
    code: 'case_rows',
    message: `the rows of the case "${one.name}" cannot be read: ${refused.refused?.message}`,
    hint: `Mend them in ${one.place.file}, line ${one.place.line}.`,
  });
}

function expectedText({ family, type, severity, contributors }: ExpectedIncident): string {
  const words = [severity, family, type].filter((word) => word !== undefined).join(' ');
  const keys = Object.values(contributors ?? {}).flat();
  const from = keys.length === 0 ? '' : ` with ${keys.join(', ')}`;
  return `an incident ${words === '' ? '' : `(${words})`}${from}`.trimEnd();
}

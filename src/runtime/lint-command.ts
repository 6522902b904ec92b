/** The command `lint`: every problem of pipeline files, where it is and what would be right. */

import path from 'node:path';
import { writeOutputFile } from '../adapters/file/output-file.ts';
import { nearestName } from '../config/nearest-name.ts';
import { pipelineJsonSchema, tenantJsonSchema } from '../config/pipeline/json-schema.ts';
import { lintPipeline, type PipelineLint } from '../config/pipeline/load.ts';
import { problemLine } from '../config/pipeline/problem.ts';
import { type ExitCode, RelaywatchError } from '../core/outcome.ts';
import { terminalSafe } from '../reports/text.ts';
import { namedPipelines, pipelineSurroundings } from './pipeline-files.ts';
import type { Streams } from './scan-command.ts';

export interface RawLintOptions {
  output?: string;
  schema?: string;
  quiet?: boolean;
}

const OUTPUTS = ['text', 'json'];

export async function runLint(
  paths: readonly string[],
  raw: RawLintOptions,
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  const { output = 'text', schema, quiet = false } = raw;
  if (!OUTPUTS.includes(output)) {
    const nearest = nearestName(output, OUTPUTS);
    throw usage(
      `--output cannot be "${output}"`,
      `${nearest === null ? '' : `Did you mean ${nearest}? `}It is one of: ${OUTPUTS.join(', ')}.`,
    );
  }
  if (schema !== undefined) return writeSchemas(paths, schema);
  const surroundings = pipelineSurroundings();
  const files: PipelineLint[] = [];
  for (const file of await namedPipelines(paths)) files.push(await lintPipeline(file, surroundings));
  stdout.write(output === 'json' ? `${JSON.stringify({ files }, null, 2)}\n` : problemLines(files));
  const problems = files.flatMap((one) => one.problems);
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  if (!quiet) stderr.write(summary(files.length, errors, problems.length - errors));
  return errors > 0 ? 2 : 0;
}

function problemLines(files: readonly PipelineLint[]): string {
  // A tenant file that several pipelines name is told about once.
  const lines = new Set(files.flatMap(({ problems }) => problems.map(problemLine)));
  return [...lines].map((line) => `${terminalSafe(line)}\n`).join('');
}

function summary(files: number, errors: number, warnings: number): string {
  const found = [counted(errors, 'error'), ...(warnings > 0 ? [counted(warnings, 'warning')] : [])].join(', ');
  return `${counted(files, 'pipeline')}: ${errors + warnings === 0 ? 'no problems' : found}\n`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

async function writeSchemas(paths: readonly string[], folder: string): Promise<ExitCode> {
  if (paths.length > 0) throw usage('--schema checks no pipeline', 'Leave out either the pipelines or --schema.');
  await writeOutputFile(path.join(folder, 'pipeline.schema.json'), pipelineJsonSchema());
  await writeOutputFile(path.join(folder, 'tenant.schema.json'), tenantJsonSchema());
  return 0;
}

function usage(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'usage', message, hint, exitCode: 2 });
}

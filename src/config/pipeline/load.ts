/**
 * From a pipeline file to a pipeline: `loadPipeline` for who runs it, `lintPipeline` for who writes it. Files
 * are read by what the caller hands in.
 */

import path from 'node:path';
import { RelaywatchError } from '../../core/outcome.ts';
import type { CheckedFile, TenantEntry } from './checked-file.ts';
import { crossProblems } from './checks.ts';
import type { Environment, Variable } from './environment.ts';
import type { PipelineFiles } from './files.ts';
import type { Pipeline, PipelineCases } from './pipeline.ts';
import { type Path, type PipelineProblem, problemLine } from './problem.ts';
import { resolveCases, resolvePipeline } from './resolve.ts';
import { type PipelineFileData, pipelineSchema, tenantFileSchema } from './schema.ts';
import { checkShape } from './shape.ts';
import { resolveTenants } from './tenants.ts';
import { YamlFile } from './yaml-file.ts';

export interface PipelineSurroundings extends PipelineFiles {
  environment: Environment;
}

export interface PipelineLint {
  /** As given. */
  file: string;
  problems: PipelineProblem[];
  /** What it takes from the environment; each name once. */
  variables: Variable[];
}

/**
 * The pipeline of a file, ready to run. Throws RelaywatchError (exit 2) with the first errors; warnings come
 * with the pipeline.
 */
export async function loadPipeline(file: string, surroundings: PipelineSurroundings): Promise<Pipeline> {
  const { checked, problems, files } = await readChecked(file, surroundings);
  if (!hasErrors(problems)) problems.push(...files.flatMap((one) => one.unsetProblems()));
  const tenants = checked === null ? null : await resolveTenants(checked.tenants, surroundings);
  problems.push(...(tenants?.problems ?? []));
  if (checked === null || tenants === null || hasErrors(problems)) throw refusal(file, problems);
  const resolved = await resolvePipeline(checked, tenants.profiles, surroundings);
  problems.push(...resolved.problems);
  if (hasErrors(problems)) throw refusal(file, problems);
  return { ...resolved.pipeline, warnings: problems.map(problemLine) };
}

/** What the cases of a pipeline need. They touch no server: variables, secrets and certificates may be missing. */
export async function loadCases(file: string, surroundings: PipelineSurroundings): Promise<PipelineCases> {
  const { checked, problems, files } = await readChecked(file, surroundings);
  if (checked === null && !hasErrors(problems)) problems.push(...files.flatMap((one) => one.unsetProblems()));
  const tenants = checked === null ? null : await resolveTenants(checked.tenants, surroundings);
  problems.push(...(tenants?.problems ?? []));
  if (checked === null || tenants === null || hasErrors(problems)) throw refusal(file, problems);
  return resolveCases(checked, tenants.profiles, surroundings);
}

/**
 * Everything that can be said about the file without the machine that it will run on: secrets, certificates
 * and variables may be missing here.
 */
export async function lintPipeline(file: string, surroundings: PipelineSurroundings): Promise<PipelineLint> {
  const { checked, problems, files } = await readChecked(file, surroundings);
  if (checked !== null) {
    problems.push(...(await resolveTenants(checked.tenants, surroundings)).problems);
    problems.push(...(await caseFileProblems(checked, surroundings)));
  }
  const rank = ({ file: of, line, column }: PipelineProblem) => [of === file ? 0 : 1, line, column];
  const order = (a: PipelineProblem, b: PipelineProblem) => {
    const [ranksA, ranksB] = [rank(a), rank(b)];
    const index = ranksA.findIndex((value, at) => value !== ranksB[at]);
    return index === -1 ? 0 : ranksA[index] - ranksB[index];
  };
  return { file, problems: problems.sort(order), variables: unique(files.flatMap(({ variables }) => variables)) };
}

interface ReadFile {
  checked: CheckedFile | null;
  problems: PipelineProblem[];
  /** The pipeline and its files of tenants, as far as they were read. */
  files: YamlFile[];
}

async function readChecked(shown: string, surroundings: PipelineSurroundings): Promise<ReadFile> {
  const bytes = await surroundings.readFile(path.resolve(shown));
  if (bytes === null) {
    const missing: PipelineProblem = {
      file: shown,
      line: 1,
      column: 1,
      path: '',
      message: 'there is no such file',
      severity: 'error',
    };
    return { checked: null, problems: [missing], files: [] };
  }
  const file = new YamlFile(shown, bytes, surroundings.environment);
  const problems = [...file.problems];
  if (problems.length > 0) return { checked: null, problems, files: [file] };
  const shaped = checkShape(file, pipelineSchema);
  problems.push(...shaped.problems, ...secretProblems(file));
  if (shaped.data === null) return { checked: null, problems, files: [file] };
  const tenants = await readTenants(file, shaped.data, surroundings);
  problems.push(...tenants.problems);
  const checked = { file, data: shaped.data, tenants: tenants.entries };
  problems.push(...crossProblems(checked));
  return { checked, problems, files: [...new Set([file, ...tenants.entries.map((entry) => entry.file)])] };
}

function unique(variables: readonly Variable[]): Variable[] {
  return [...new Map(variables.map((variable) => [variable.name, variable])).values()];
}

function secretProblems(file: YamlFile): PipelineProblem[] {
  const message = `holds a secret; take it from the environment (\${NAME}) or from a file (file: PATH)`;
  return file.literalSecrets().map((at) => file.problem(at, message, { severity: 'warning' }));
}

async function readTenants(
  file: YamlFile,
  data: PipelineFileData,
  surroundings: PipelineSurroundings,
): Promise<{ entries: TenantEntry[]; problems: PipelineProblem[] }> {
  const entries: TenantEntry[] = (data.tenants ?? []).map((tenant, index) => ({
    file,
    at: ['tenants', index],
    data: tenant,
  }));
  const problems: PipelineProblem[] = [];
  const named = data.tenant_files === undefined ? [] : [data.tenant_files].flat();
  for (const [index, pattern] of named.entries()) {
    const at: Path = Array.isArray(data.tenant_files) ? ['tenant_files', index] : ['tenant_files'];
    if (file.isUnset(at)) continue;
    const found = await expand(path.dirname(file.shown), pattern, surroundings);
    if (found.length === 0) problems.push(file.problem(at, `there is no file ${pattern}`));
    for (const shown of found) {
      const bytes = await surroundings.readFile(path.resolve(shown));
      if (bytes === null) {
        problems.push(file.problem(at, `there is no file ${pattern}`));
        continue;
      }
      const tenantFile = new YamlFile(shown, bytes, surroundings.environment);
      const shaped = tenantFile.problems.length > 0 ? null : checkShape(tenantFile, tenantFileSchema);
      problems.push(...tenantFile.problems, ...(shaped?.problems ?? []));
      if (shaped?.data) entries.push({ file: tenantFile, at: [], data: shaped.data });
    }
  }
  return { entries, problems };
}

/** `tenants/*.yaml` as the files it stands for, ordered by name; anything else is one file. Only a name may hold `*`. */
async function expand(folder: string, pattern: string, files: PipelineFiles): Promise<string[]> {
  const parent = path.join(folder, path.dirname(pattern));
  const [before, ...after] = path.basename(pattern).split('*');
  if (after.length === 0) return [path.join(folder, pattern)];
  const rest = after.join('*');
  const names = (await files.listFolder(path.resolve(parent))) ?? [];
  return names
    .filter((name) => name.length >= before.length + rest.length && name.startsWith(before) && name.endsWith(rest))
    .sort()
    .map((name) => path.join(parent, name));
}

async function caseFileProblems({ file, data }: CheckedFile, files: PipelineFiles): Promise<PipelineProblem[]> {
  const problems: PipelineProblem[] = [];
  for (const [index, one] of (data.cases ?? []).entries()) {
    for (const [position, name] of (one.files ?? []).entries()) {
      const full = path.resolve(path.dirname(file.shown), name);
      const siblings = await files.listFolder(path.dirname(full));
      if (siblings?.includes(path.basename(full))) continue;
      problems.push(file.problem(['cases', index, 'files', position], `there is no file or folder ${name}`));
    }
  }
  return problems;
}

function hasErrors(problems: readonly PipelineProblem[]): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

const SHOWN_PROBLEMS = 5;

function refusal(file: string, problems: readonly PipelineProblem[]): RelaywatchError {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const more = errors.length > SHOWN_PROBLEMS ? `\nand ${errors.length - SHOWN_PROBLEMS} more` : '';
  return new RelaywatchError({
    code: 'pipeline',
    message: `the pipeline ${file} cannot be used`,
    hint: `relaywatch lint ${file} checks it:\n${errors.slice(0, SHOWN_PROBLEMS).map(problemLine).join('\n')}${more}`,
    exitCode: 2,
  });
}

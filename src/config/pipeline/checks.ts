/** What the fields of a pipeline mean together: sections that a role needs, tenants, folders, servers. */

import path from 'node:path';
import { nearestName } from '../nearest-name.ts';
import type { CheckedFile } from './checked-file.ts';
import type { Role } from './pipeline.ts';
import { type Path, type PipelineProblem, pathText } from './problem.ts';
import { serverProblems } from './servers.ts';

type Section = 'inputs' | 'log' | 'state' | 'outputs' | 'jobs' | 'archive' | 'detection';

/** Sections by role; the others, and `telemetry` and `cases`, may stand in every pipeline. */
const SECTIONS: Record<Role, { needs: readonly Section[]; takes: readonly Section[] }> = {
  embedded: { needs: ['inputs', 'state', 'outputs', 'archive'], takes: ['detection'] },
  ingest: { needs: ['inputs', 'log'], takes: ['state', 'jobs', 'archive'] },
  detect: { needs: ['log', 'state', 'outputs'], takes: ['jobs', 'detection'] },
  jobs: { needs: ['jobs', 'log', 'outputs', 'archive'], takes: ['state', 'detection'] },
};

/** Why a role has no use for a section, where it is not plain. */
const NOT_TAKEN: Partial<Record<`${Role} ${Section}`, string>> = {
  'embedded log': 'the embedded role hands rows on within the process',
  'embedded jobs': 'the embedded role has no queue: it reads its folder',
  'ingest outputs': 'ingest writes to the log; the detectors write the findings',
  'detect inputs': 'detect reads the log',
  'jobs inputs': 'jobs come from the queue',
};

export function crossProblems(checked: CheckedFile): PipelineProblem[] {
  return [
    ...sectionProblems(checked),
    ...choiceProblems(checked),
    ...archiveProblems(checked),
    ...tenantProblems(checked),
    ...folderProblems(checked),
    ...serverProblems(checked),
    ...caseProblems(checked),
  ];
}

function sectionProblems({ file, data }: CheckedFile): PipelineProblem[] {
  const { needs, takes } = SECTIONS[data.role];
  const problems: PipelineProblem[] = [];
  for (const section of new Set(Object.values(SECTIONS).flatMap((one) => [...one.needs, ...one.takes]))) {
    if (needs.includes(section) && data[section] === undefined) {
      problems.push(file.problem(['role'], `the role ${data.role} needs the section ${section}`));
    } else if (data[section] !== undefined && !needs.includes(section) && !takes.includes(section)) {
      const why = NOT_TAKEN[`${data.role} ${section}`] ?? `the role ${data.role} has no use for it`;
      problems.push(file.problem([section], why, { allowed: [...needs, ...takes, 'telemetry', 'cases'], atKey: true }));
    }
  }
  return problems;
}

/** Sections of which exactly one must be given. */
function choiceProblems({ file, data }: CheckedFile): PipelineProblem[] {
  const problems: PipelineProblem[] = [];
  for (const section of ['inputs', 'state', 'outputs'] as const) {
    const given = data[section] === undefined ? null : Object.keys(data[section]);
    const allowed =
      section === 'inputs' ? ['folder', 'kafka'] : ['folder', section === 'state' ? 'redis' : 'elasticsearch'];
    if (given?.length === 0) problems.push(file.problem([section], 'is empty', { allowed }));
    if (given?.length === 2 && section !== 'inputs') {
      problems.push(
        file.problem([section, given[1]], `${section} is one of ${given.join(' and ')}, not both`, { atKey: true }),
      );
    }
  }
  const folder = data.inputs?.folder;
  if (folder !== undefined && (folder.tenant === undefined) === (folder.tenant_from === undefined)) {
    const what =
      folder.tenant === undefined ? 'does not say whose exports these are' : 'says twice whose exports these are';
    problems.push(file.problem(['inputs', 'folder'], `${what}: give tenant: KEY, or tenant_from: subfolder`));
  }
  if (folder !== undefined && data.role === 'ingest' && data.state?.folder === undefined) {
    const what = 'the role ingest needs state.folder, which remembers what of inputs.folder was handed over';
    problems.push(file.problem(data.state === undefined ? ['role'] : ['state'], what));
  }
  if (data.inputs?.kafka !== undefined && data.role === 'embedded') {
    problems.push(file.problem(['inputs', 'kafka'], 'the embedded role reads a folder; the role ingest reads Kafka'));
  }
  return problems;
}

function archiveProblems({ file, data }: CheckedFile): PipelineProblem[] {
  if (data.role !== 'ingest' || data.archive !== undefined) return [];
  const what = 'without archive no rescan sees what this pipeline reads: rows that come too late stay uncounted';
  return [file.problem(['role'], what, { severity: 'warning' })];
}

function tenantProblems({ file, data, tenants }: CheckedFile): PipelineProblem[] {
  const problems: PipelineProblem[] = [];
  if (tenants.length === 0 && data.tenants === undefined && data.tenant_files === undefined) {
    problems.push(file.problem([], 'has no tenant; give tenants or tenant_files'));
  }
  const keys = new Map<string, string>();
  const organizations = new Map<string, string>();
  for (const { file: place, at, data: tenant } of tenants) {
    // Keys are names of folders too, and those may be the same in upper and lower case.
    const other = keys.get(tenant.key.toLowerCase());
    if (other !== undefined) problems.push(place.problem([...at, 'key'], `a tenant ${other} is there already`));
    keys.set(tenant.key.toLowerCase(), tenant.key);
    for (const [index, name] of (tenant.organizations ?? []).entries()) {
      const owner = organizations.get(name.toLowerCase());
      if (owner !== undefined) {
        problems.push(place.problem([...at, 'organizations', index], `belongs to the tenant ${owner} already`));
      }
      organizations.set(name.toLowerCase(), tenant.key);
    }
  }
  const known = tenants.map((tenant) => tenant.data.key);
  const named: [Path, string | undefined][] = [
    [['inputs', 'folder', 'tenant'], data.inputs?.folder?.tenant],
    [['inputs', 'kafka', 'tenant'], data.inputs?.kafka?.tenant],
    ...(data.cases ?? []).map((one, index): [Path, string] => [['cases', index, 'tenant'], one.tenant]),
  ];
  for (const [at, key] of named) {
    if (key === undefined || known.includes(key) || known.length === 0 || file.isUnset(at)) continue;
    problems.push(
      file.problem(at, `there is no tenant ${key}`, { allowed: known, nearest: nearestName(key, known) ?? undefined }),
    );
  }
  return problems;
}

/** A folder inside another would be read, or emptied, as a part of it. */
function folderProblems({ file, data }: CheckedFile): PipelineProblem[] {
  const folders: [Path, string | undefined][] = [
    [['inputs', 'folder', 'path'], data.inputs?.folder?.path],
    [['state', 'folder', 'path'], data.state?.folder?.path],
    [['outputs', 'folder', 'path'], data.outputs?.folder?.path],
    [['archive', 'path'], data.archive?.path],
    [['jobs', 'spool', 'path'], data.jobs?.spool?.path],
  ];
  const problems: PipelineProblem[] = [];
  const seen: [string, string][] = [];
  for (const [at, folder] of folders) {
    if (folder === undefined || file.isUnset(at)) continue;
    const full = path.resolve(path.dirname(file.shown), folder);
    const other = seen.find(([, one]) => isWithin(full, one) || isWithin(one, full));
    if (other !== undefined) {
      problems.push(file.problem(at, `overlaps with ${other[0]}: each of these folders needs a place of its own`));
    }
    seen.push([pathText(at), full]);
  }
  return problems;
}

function isWithin(inner: string, outer: string): boolean {
  const relative = path.relative(outer, inner);
  return relative === '' || !(relative.startsWith('..') || path.isAbsolute(relative));
}

function caseProblems({ file, data }: CheckedFile): PipelineProblem[] {
  const problems: PipelineProblem[] = [];
  const names = new Set<string>();
  for (const [index, one] of (data.cases ?? []).entries()) {
    if (names.has(one.name)) problems.push(file.problem(['cases', index, 'name'], 'another case has this name'));
    names.add(one.name);
    if ((one.files === undefined) === (one.rows === undefined)) {
      problems.push(file.problem(['cases', index], 'a case has files or rows: one of the two'));
    }
  }
  return problems;
}

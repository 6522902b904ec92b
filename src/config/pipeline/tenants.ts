/** From the tenants of a pipeline file to profiles: their lists of domains, and the files of analysts, are read and checked. */

import path from 'node:path';
import { HOUR_MS } from '../../core/calendar.ts';
import type { Connector } from '../../core/connectors.ts';
import type { Feedback } from '../../core/feedback.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import type { AcceptedDomain } from '../../core/settings.ts';
import { acceptedDomain, EXPORT_COMMAND, readAcceptedDomains, uniqueDomains } from '../accepted-domains.ts';
import { parseAllowList } from '../allow-list.ts';
import { CONNECTOR_COMMAND, readConnectors } from '../connectors.ts';
import type { FeedbackFile } from '../feedback-file.ts';
import { parseLabels } from '../labels.ts';
import { canonicalTimeZone, nearestTimeZone } from '../time-zone.ts';
import type { TenantEntry } from './checked-file.ts';
import type { PipelineFiles } from './files.ts';
import type { TenantProfile } from './pipeline.ts';
import type { PipelineProblem } from './problem.ts';
import { DEFAULTS } from './schema.ts';

/** What stands under an option on the command line stands in a file here. */
const OPTION = /^--(?:accepted-domains|connectors):? /;
const HOW_TO_EXPORT = `export the list in Exchange Online PowerShell: ${EXPORT_COMMAND}`;

export async function resolveTenants(
  entries: readonly TenantEntry[],
  files: PipelineFiles,
): Promise<{ profiles: TenantProfile[]; problems: PipelineProblem[] }> {
  const profiles: TenantProfile[] = [];
  const problems: PipelineProblem[] = [];
  for (const entry of entries) {
    const { data } = entry;
    profiles.push({
      key: data.key,
      acceptedDomains: await domainsOf(entry, files, problems),
      licenses: data.licenses ?? DEFAULTS.licenses,
      timeZone: timeZoneOf(entry, problems),
      dateOrder: data.date_order ?? null,
      silentAfterMs: data.silent_after_hours === undefined ? null : data.silent_after_hours * HOUR_MS,
      organizations: (data.organizations ?? []).map((name) => name.trim().toLowerCase()),
      ...(await feedbackOf(entry, files, problems)),
    });
  }
  return { profiles, problems };
}

function timeZoneOf({ file, at, data }: TenantEntry, problems: PipelineProblem[]): string {
  const place = [...at, 'time_zone'];
  if (data.time_zone === undefined || file.isUnset(place)) return DEFAULTS.timeZone;
  const zone = canonicalTimeZone(data.time_zone);
  if (zone !== null) return zone;
  const nearest = nearestTimeZone(data.time_zone) ?? undefined;
  problems.push(file.problem(place, 'must be an IANA time zone, such as Europe/Berlin', { nearest }));
  return DEFAULTS.timeZone;
}

/** Absent where no file is named. */
async function feedbackOf(
  entry: TenantEntry,
  files: PipelineFiles,
  problems: PipelineProblem[],
): Promise<{ feedback?: Feedback }> {
  const { labels, allow, connectors } = entry.data;
  if ((labels ?? allow ?? connectors) === undefined) return {};
  return {
    feedback: {
      labels: await entriesOf(entry, 'labels', parseLabels, files, problems),
      allow: await entriesOf(entry, 'allow', parseAllowList, files, problems),
      connectors: await connectorsOf(entry, files, problems),
    },
  };
}

async function entriesOf<Entry>(
  entry: TenantEntry,
  name: 'labels' | 'allow',
  parse: (shown: string, bytes: Uint8Array, nowMs: number) => FeedbackFile<Entry>,
  files: PipelineFiles,
  problems: PipelineProblem[],
): Promise<Entry[]> {
  const named = await namedFile(entry, name, files, problems);
  if (named === null) return [];
  const file = parse(named.shown, named.bytes, files.nowMs);
  problems.push(...file.problems);
  return file.entries;
}

async function connectorsOf(
  entry: TenantEntry,
  files: PipelineFiles,
  problems: PipelineProblem[],
): Promise<Connector[] | null> {
  const named = await namedFile(entry, 'connectors', files, problems);
  if (named === null) return null;
  const problem = (message: string, severity: PipelineProblem['severity']): PipelineProblem =>
    entry.file.problem([...entry.at, 'connectors'], message, { severity });
  try {
    const list = await readConnectors(named.shown, async () => named.bytes);
    problems.push(...list.warnings.map((warning) => problem(warning, 'warning')));
    return list.connectors;
  } catch (error) {
    if (!(error instanceof RelaywatchError)) throw error;
    const what = error.message.replace(OPTION, '');
    problems.push(problem(`${what}; export them in Exchange Online PowerShell: ${CONNECTOR_COMMAND}`, 'error'));
    return null;
  }
}

/** The file that a field of the tenant names; null where it names none, or none that is there. */
async function namedFile(
  { file, at, data }: TenantEntry,
  name: 'labels' | 'allow' | 'connectors',
  files: PipelineFiles,
  problems: PipelineProblem[],
): Promise<{ shown: string; bytes: Uint8Array } | null> {
  const given = data[name];
  if (given === undefined || file.isUnset([...at, name])) return null;
  const shown = path.isAbsolute(given) ? given : path.join(path.dirname(file.shown), given);
  const bytes = await files.readFile(path.resolve(shown));
  if (bytes === null) problems.push(file.problem([...at, name], `there is no file ${given}`));
  return bytes === null ? null : { shown, bytes };
}

async function domainsOf(
  { file, at, data }: TenantEntry,
  files: PipelineFiles,
  problems: PipelineProblem[],
): Promise<AcceptedDomain[]> {
  const place = [...at, 'accepted_domains'];
  const given = data.accepted_domains;
  if (given === undefined) {
    const message = `the tenant ${data.key} has no accepted_domains: without the list own mail looks relayed; ${HOW_TO_EXPORT}`;
    problems.push(file.problem(at, message));
    return [];
  }
  if (typeof given === 'string') return file.isUnset(place) ? [] : domainsOfFile(given);
  return uniqueDomains(
    given.flatMap((one, index) => {
      const domain = acceptedDomain(typeof one === 'string' ? one : one.name);
      if (domain === null) problems.push(file.problem([...place, index], 'is no domain'));
      const wide = typeof one === 'object' && one.match_subdomains === true;
      return domain === null ? [] : [{ ...domain, matchSubDomains: domain.matchSubDomains || wide }];
    }),
  );

  async function domainsOfFile(name: string): Promise<AcceptedDomain[]> {
    const full = path.resolve(path.dirname(file.shown), name);
    const bytes = await files.readFile(full);
    if (bytes === null) {
      problems.push(file.problem(place, `there is no file ${name}; ${HOW_TO_EXPORT}`));
      return [];
    }
    try {
      const list = await readAcceptedDomains(name, async () => bytes);
      for (const warning of list.warnings) problems.push(file.problem(place, warning, { severity: 'warning' }));
      return list.domains;
    } catch (error) {
      if (!(error instanceof RelaywatchError)) throw error;
      problems.push(file.problem(place, `${error.message.replace(OPTION, '')}; ${HOW_TO_EXPORT}`));
      return [];
    }
  }
}

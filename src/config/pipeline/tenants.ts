/** From the tenants of a pipeline file to profiles: their lists of domains are read and checked. */

import path from 'node:path';
import { HOUR_MS } from '../../core/calendar.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import type { AcceptedDomain } from '../../core/settings.ts';
import { acceptedDomain, EXPORT_COMMAND, readAcceptedDomains, uniqueDomains } from '../accepted-domains.ts';
import { canonicalTimeZone, nearestTimeZone } from '../time-zone.ts';
import type { TenantEntry } from './checked-file.ts';
import type { PipelineFiles } from './files.ts';
import type { TenantProfile } from './pipeline.ts';
import type { PipelineProblem } from './problem.ts';
import { DEFAULTS } from './schema.ts';

/** What stands under `--accepted-domains` on the command line stands in a file here. */
const OPTION = /^--accepted-domains:? /;
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

/** What must be in Elasticsearch after a schedule, whatever happened: told as a list of what is wrong. */

import { isDeepStrictEqual } from 'node:util';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { pairKey } from '../../src/core/live/rescan-changes.ts';
import { asScanned, type Service, type ServiceTenant, type Stored } from '../integration/service.ts';

type StoredDocument = IncidentDocument & {
  relaywatch: { tenant: string; incident: { state: string; merged_into?: string }; alert?: { kind: string } };
};

export async function problemsOf(service: Service, tenants: readonly ServiceTenant[]): Promise<string[]> {
  const incidents = (await service.stored('incident')).map(documentOf);
  const alerts = await service.stored('alert');
  const problems: string[] = [];
  for (const tenant of tenants) {
    const own = incidents.filter(({ relaywatch }) => relaywatch.tenant === tenant.key);
    problems.push(...incidentProblems(tenant, own), ...(await ledgerProblems(service, tenant)));
  }
  problems.push(...alertProblems(incidents, alerts));
  const letters = await service.stored('dead_letter');
  for (const { key, deadLetters } of tenants) {
    const own = new Set(
      letters.filter(({ source }) => (source.relaywatch as { tenant: string }).tenant === key).map(({ id }) => id),
    );
    if (own.size !== deadLetters) problems.push(`${key}: ${own.size} dead letters, and scan has ${deadLetters}`);
  }
  return problems;
}

function incidentProblems({ key, expected }: ServiceTenant, stored: readonly StoredDocument[]): string[] {
  const problems: string[] = [];
  const standing = stored.filter(({ relaywatch }) => relaywatch.incident.state !== 'retracted');
  const left = asScanned(standing);
  const missing: IncidentDocument[] = [];
  for (const wanted of expected) {
    // Under its own id first: only where that is not there, another one that was published may stand for it.
    const same = left.findIndex(({ event }) => event.id === wanted.event.id);
    const found =
      same >= 0 ? same : left.findIndex((one) => isDeepStrictEqual(withoutId(one), withoutId(roundTrip(wanted))));
    if (found < 0) {
      missing.push(wanted);
      continue;
    }
    const [one] = left.splice(found, 1);
    const differences = differencesOf(withoutId(one), withoutId(roundTrip(wanted)));
    if (differences.length > 0)
      problems.push(`${key}: ${wanted.event.id} differs from scan: ${differences.join('; ')}`);
  }
  for (const { event, message } of missing) problems.push(`${key}: ${event.id} is missing (${message})`);
  for (const { event, message } of left) problems.push(`${key}: ${event.id} is none of scan's (${message})`);
  const standingIds = new Set(standing.map(({ event }) => event.id));
  for (const one of stored) {
    if (one.relaywatch.incident.state !== 'retracted') continue;
    const heir = heirOf(one, stored);
    if (heir !== null && !standingIds.has(heir)) {
      problems.push(`${key}: ${one.event.id} is retracted into ${heir}, which does not stand`);
    }
    const sharing = standing.filter((other) => sharesHalf(one, other));
    if (heir === null && sharing.length > 0) {
      problems.push(`${key}: ${one.event.id} is retracted into nothing, and shares rows with ${sharing[0].event.id}`);
    }
  }
  return problems;
}

/** The incident that a retracted one is part of now, over others that were retracted later. */
function heirOf(one: StoredDocument, stored: readonly StoredDocument[]): string | null {
  let heir = one.relaywatch.incident.merged_into ?? null;
  for (let hops = 0; heir !== null && hops < stored.length; hops++) {
    const next: StoredDocument | undefined = stored.find(({ event }) => event.id === heir);
    if (next?.relaywatch.incident.state !== 'retracted') return heir;
    heir = next.relaywatch.incident.merged_into ?? null;
  }
  return heir;
}

function sharesHalf(one: StoredDocument, other: StoredDocument): boolean {
  if (one.relaywatch.incident.family !== other.relaywatch.incident.family) return false;
  const known = new Set(other.relaywatch.incident.evidence.map(pairKey));
  const shared = one.relaywatch.incident.evidence.filter((row) => known.has(pairKey(row))).length;
  return shared > 0 && shared * 2 >= one.relaywatch.incident.evidence.length;
}

function alertProblems(incidents: readonly StoredDocument[], stored: readonly Stored[]): string[] {
  const problems: string[] = [];
  const byId = new Map<string, Record<string, unknown>>();
  for (const { id, source } of stored) {
    const known = byId.get(id);
    if (known !== undefined && !isDeepStrictEqual(known, source)) problems.push(`alert ${id} is there twice`);
    byId.set(id, source);
  }
  const alerts = [...byId.values()] as unknown as StoredDocument[];
  const countOf = (id: string, kinds: readonly string[]): number =>
    alerts.filter(({ event, relaywatch }) => event.id === id && kinds.includes(relaywatch.alert?.kind ?? '')).length;
  for (const { event, relaywatch } of incidents) {
    const opened = countOf(event.id, ['opened', 'blocked']);
    const retracted = countOf(event.id, ['retracted']);
    const isStanding = relaywatch.incident.state !== 'retracted';
    const wanted = isStanding ? retracted + 1 : retracted;
    if (opened !== wanted) {
      const state = isStanding ? 'stands' : 'is retracted';
      problems.push(`${event.id} ${state} and was opened ${opened} times, retracted ${retracted} times`);
    }
    if (isStanding && relaywatch.incident.state === 'closed' && countOf(event.id, ['closed']) === 0) {
      problems.push(`${event.id} is closed without an alert that says so`);
    }
    const { escalations } = relaywatch.incident;
    const escalated = countOf(event.id, ['escalated']);
    if (isStanding && escalated < escalations.length) {
      problems.push(`${event.id} escalated ${escalations.length} times, with ${escalated} alerts`);
    }
  }
  const known = new Set(incidents.map(({ event }) => event.id));
  for (const { event } of alerts) {
    if (!known.has(event.id)) problems.push(`an alert names ${event.id}, which is not there`);
  }
  return problems;
}

async function ledgerProblems(service: Service, { key, accepted, parts }: ServiceTenant): Promise<string[]> {
  const sums = await service.ledger(key);
  const problems: string[] = [];
  if (sums.accepted !== accepted) problems.push(`${key}: ${sums.accepted} rows accepted, and scan has ${accepted}`);
  const accounted = sums.accepted + sums.others;
  if (sums.read !== accounted) problems.push(`${key}: ${sums.read} rows read, ${accounted} accounted for`);
  if (sums.complete !== parts.length) problems.push(`${key}: ${sums.complete} of ${parts.length} files complete`);
  return problems;
}

function documentOf({ source }: Stored): StoredDocument {
  return source as unknown as StoredDocument;
}

function withoutId({ event, ...rest }: IncidentDocument): unknown {
  const { id: _id, ...kept } = event;
  return { ...rest, event: kept };
}

/** As JSON has it: without fields that are undefined. */
function roundTrip<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value));
}

/** Paths at which two values differ, with both, the first few. */
function differencesOf(left: unknown, right: unknown, path = ''): string[] {
  if (isDeepStrictEqual(left, right)) return [];
  const isNested = [left, right].every((value) => typeof value === 'object' && value !== null);
  if (!isNested) return [`${path} ${JSON.stringify(left)} for ${JSON.stringify(right)}`];
  const [a, b] = [left, right] as Record<string, unknown>[];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].flatMap((name) => differencesOf(a[name], b[name], `${path}/${name}`)).slice(0, 5);
}

/** A rescan: the archive of a tenant scanned again, and what is stored brought to what it finds. */

import { DAY_MS, formatTime } from '../../core/calendar.ts';
import type { AppendWrite, IncidentWrite, OutputStore, OutputWrite, StoredIncident } from '../../core/delivery.ts';
import type { DateOrder } from '../../core/event-time.ts';
import type { IncidentDocument } from '../../core/incident-document.ts';
import { alertsOf, retraction, turnsOf } from '../../core/live/alerts.ts';
import {
  machineDocument,
  pairKey,
  type RescanChange,
  type RescannedIncident,
  rescanChanges,
} from '../../core/live/rescan-changes.ts';
import { countedByDetector, goOnFrom } from '../../core/rescanned-incident.ts';
import { incidentToStore } from '../../core/stored-documents.ts';
import { mendedFindings } from '../detect/findings.ts';
import type { TenantProfile } from '../detect/tenant-detector.ts';
import type { IngestRules } from '../inputs.ts';
import { scan } from '../scan.ts';
import { WatchedRows } from './watched-rows.ts';

/** Rows of an incident by which a stored one is known again. */
const COMPARED_ROWS = 1_000;
const MEMORY_MIB = 256;
/** Ids that a warning names. */
const SHOWN_IDS = 10;

export interface RescanProfile extends TenantProfile {
  /** Order of day and month in the tenant's exports; null for what each of them proves. */
  dateOrder: DateOrder | null;
}

export interface RescanExport {
  path: string;
  /** Where it was settled when the export came; null for what it proves itself. */
  dateOrder: DateOrder | null;
}

export interface RescanOptions {
  profile: RescanProfile;
  /**
   * Lays out the archive of the tenant, from its first row on, since baselines come from the past. Called after
   * what is stored was read: whole exports are archived before their rows are, so that none of these can be missing.
   */
  exports: () => Promise<RescanExport[]>;
  /** Incidents detected in `[fromMs, toMs)` are compared; `toMs` null for the present. */
  fromMs: number;
  toMs: number | null;
  outputs: OutputStore;
  /** Nothing is written. */
  dryRun: boolean;
  nowMs: number;
  /** Folder for spilled rows. */
  temporaryFolder?: string;
  signal?: AbortSignal;
}

export interface RescanReport {
  /** What is new, changed or gone; nothing that stays as it is. */
  changes: { kind: 'new' | 'changed' | 'gone'; id: string; message: string; mergedInto: string | null }[];
  unchanged: number;
  /** Stored incidents that were left as they are: rows of theirs are in no export, or now tell of another time. */
  unseen: number;
  /** For people. */
  warnings: string[];
}

/** What a change writes, and what it takes to be stored before. */
interface PlannedWrite {
  write: IncidentWrite;
  alerts: AppendWrite[];
  before: StoredIncident | null;
}

export async function rescan(options: RescanOptions): Promise<RescanReport> {
  const { profile, outputs, fromMs, nowMs, signal } = options;
  const tenant = profile.settings.key;
  const toMs = options.toMs ?? Number.MAX_SAFE_INTEGER;
  const readStored = () => outputs.incidents(tenant, fromMs, toMs, signal);
  const stored = byId(await readStored());
  const standing = [...stored.values()].filter((one) => incidentOf(one).state !== 'retracted');
  const watched = new WatchedRows(
    tenant,
    standing.flatMap((one) => incidentOf(one).evidence),
  );
  const { found, beside, through, warnings } = await find(options, [...stored.values()], watched, toMs);
  signal?.throwIfAborted();

  const report: RescanReport = { changes: [], unchanged: 0, unseen: 0, warnings };
  const planned: PlannedWrite[] = [];
  const unseen: string[] = [];
  for (const change of rescanChanges(standing, found, beside, (row) => watched.wasSeen(row))) {
    if (change.kind === 'unseen') {
      unseen.push(idOf(change.stored));
      continue;
    }
    const before = stored.get(change.kind === 'new' ? change.document.event.id : idOf(change.stored)) ?? null;
    const write = writeOf(change, tenant, before, through);
    if (change.kind === 'kept' && incidentToStore(write, before, nowMs) === null) {
      report.unchanged++;
      continue;
    }
    const kind = change.kind === 'kept' ? 'changed' : change.kind;
    report.changes.push({ kind, id: write.id, message: change.document.message, mergedInto: write.mergedInto });
    planned.push({ write, alerts: alertsFor(change, before, nowMs), before });
  }
  report.unseen = unseen.length;
  if (unseen.length > 0) {
    const why = 'rows are in no export of the archive, or are now detected outside the time of the rescan';
    warnings.push(`${listed(unseen)}: left as stored, since ${why}`);
  }
  if (options.dryRun) return report;
  const isStored = planned.length === 0 || (await deliver(planned, byId(await readStored()), outputs, report, signal));
  if (isStored && options.toMs === null) {
    const mended = mendedFindings(await outputs.openFindings(tenant, signal), fromMs, nowMs);
    if (mended.length > 0) await outputs.deliver(mended, signal);
  }
  return report;
}

interface Found {
  found: RescannedIncident[];
  /** Detected up to a day before the time that is compared, or after it. */
  beside: RescannedIncident[];
  /** Event time of the latest row. */
  through: string;
  warnings: string[];
}

/** The incidents that the exports make. */
async function find(
  options: RescanOptions,
  stored: readonly StoredIncident[],
  watched: WatchedRows,
  toMs: number,
): Promise<Found> {
  const { profile, fromMs, nowMs } = options;
  const exports = await options.exports();
  if (exports.length === 0) return { found: [], beside: [], through: formatTime(0), warnings: [] };
  const scanned = await scan({
    paths: exports.map(({ path }) => path),
    tenant: profile.settings,
    range: { sinceMs: null, untilMs: null, reportSinceMs: fromMs - DAY_MS, nowMs },
    format: null,
    dateOrder: profile.dateOrder,
    reader: 'js',
    evidenceRows: profile.evidenceRows,
    pointerRows: COMPARED_ROWS,
    memoryMiB: MEMORY_MIB,
    temporaryFolder: options.temporaryFolder,
    asIngested: ingestRules(profile, exports, stored),
    onPair: (words, base) => watched.see(words, base),
    signal: options.signal,
  });
  const pairs = new Map<string, Set<string>>();
  for (const row of scanned.evidence) {
    const known = pairs.get(row.incident);
    if (known === undefined) pairs.set(row.incident, new Set([pairKey(row)]));
    else known.add(pairKey(row));
  }
  const all = scanned.incidents.map((document) => ({
    document,
    pairs: pairs.get(document.event.id) ?? new Set<string>(),
  }));
  const isInside = ({ document }: RescannedIncident): boolean => {
    const detectedMs = Date.parse(document.relaywatch.incident.detected_at);
    return detectedMs >= fromMs && detectedMs < toMs;
  };
  const refused = scanned.ledger.files.flatMap(({ refused: reason }) => (reason === null ? [] : [reason.message]));
  return {
    found: all.filter(isInside),
    beside: all.filter((one) => !isInside(one)),
    through: scanned.ledger.files.reduce(
      (latest, { last }) => (last !== null && last > latest ? last : latest),
      formatTime(0),
    ),
    warnings: [...scanned.warnings, ...refused],
  };
}

/** As the detector reads rows, which knows the organisation of the tenant that its incidents name. */
function ingestRules(
  { organizations }: RescanProfile,
  exports: readonly RescanExport[],
  stored: readonly StoredIncident[],
): IngestRules {
  const named = stored.flatMap(({ document }) => (document as unknown as IncidentDocument).organization ?? []);
  const ids = new Set(named.flatMap(({ id }) => id ?? []));
  const names = new Set(named.flatMap(({ name }) => name ?? []));
  const dateOrders = new Map(exports.flatMap(({ path, dateOrder }) => (dateOrder === null ? [] : [[path, dateOrder]])));
  return { organizations, knownOrganizations: { ids: [...ids], names: [...names] }, dateOrders };
}

/** The generation stays that of the stored document: the detector that wrote it may go on from what is written now. */
function writeOf(
  change: Exclude<RescanChange, { kind: 'unseen' }>,
  tenant: string,
  before: StoredIncident | null,
  through: string,
): IncidentWrite {
  const { document } = change;
  const mergedInto = change.kind === 'gone' ? change.mergedInto : null;
  const generation = before?.generation ?? 0;
  return { kind: 'incident', id: document.event.id, tenant, generation, document, mergedInto, rescan: { through } };
}

/**
 * Alerts of what a change tells. What opens again or is taken back once more is told by another number: the revision
 * that it had, which no earlier alert of its kind has, and which stays the same when the rescan is tried again.
 */
function alertsFor({ kind, ...change }: RescanChange, before: StoredIncident | null, nowMs: number): AppendWrite[] {
  const { document } = change as { document: IncidentDocument };
  const revision = Math.max(1, before?.revision ?? 1);
  if (kind === 'gone') return [retraction(document, revision, nowMs)];
  return alertsOf(document, turnsOf(document, kind === 'new' ? revision : 1), nowMs);
}

/**
 * Alerts that were written before stay, in whatever index. Where a detector wrote since it was compared, what it said
 * meanwhile goes on from what the rescan says; it is not taken back then. True where all of it is stored.
 */
async function deliver(
  planned: readonly PlannedWrite[],
  stored: ReadonlyMap<string, StoredIncident>,
  outputs: OutputStore,
  report: RescanReport,
  signal?: AbortSignal,
): Promise<boolean> {
  const writes: OutputWrite[] = [];
  const overtaken: string[] = [];
  for (const one of planned) {
    const write = afterDetector(one, stored.get(one.write.id) ?? null);
    if (write === null) overtaken.push(one.write.id);
    else writes.push(write, ...one.alerts);
  }
  if (overtaken.length > 0) {
    report.changes = report.changes.filter(({ id }) => !overtaken.includes(id));
    report.unchanged += overtaken.length;
    report.warnings.push(`${listed(overtaken)}: left as stored, since the detector has written since`);
  }
  if (writes.length === 0) return false;
  const alerts = writes.filter(({ kind }) => kind === 'alert').map(({ id }) => id);
  const known = await outputs.knownAlerts(alerts, signal);
  const unknown = writes.filter(({ kind, id }) => kind !== 'alert' || !known.has(id));
  const { refused } = await outputs.deliver(unknown, signal);
  for (const { write, reason } of refused) report.warnings.push(`${write.id}: the store refuses it: ${reason}`);
  return refused.length === 0 && overtaken.length === 0;
}

/** The write of a change where `current` is stored by now; null where the detector has the last word. */
function afterDetector({ write, before }: PlannedWrite, current: StoredIncident | null): IncidentWrite | null {
  if (current === null || current.revision === before?.revision) return write;
  const { generation } = current;
  if (write.mergedInto !== null || write.rescan === undefined) return null;
  const counted = before === null ? undefined : countedByDetector(before);
  const mark = { through: write.rescan.through, ...(counted === undefined ? {} : { counted }) };
  const said = machineDocument(current);
  const live = { ...said, relaywatch: { incident: { ...said.relaywatch.incident, ...countedByDetector(current) } } };
  const next = goOnFrom(write.document, mark, live);
  return next === null ? null : { ...write, generation, document: next.document };
}

function byId(stored: readonly StoredIncident[]): Map<string, StoredIncident> {
  return new Map(stored.map((one) => [idOf(one), one]));
}

function idOf({ document }: StoredIncident): string {
  return (document as unknown as IncidentDocument).event.id;
}

function incidentOf({ document }: StoredIncident): IncidentDocument['relaywatch']['incident'] {
  return (document as unknown as IncidentDocument).relaywatch.incident;
}

function listed(ids: readonly string[]): string {
  const shown = ids.slice(0, SHOWN_IDS).join(', ');
  return ids.length > SHOWN_IDS ? `${shown} and ${ids.length - SHOWN_IDS} more` : shown;
}

/** A rescan: the archive of a tenant scanned again, and what is stored brought to what it finds. */

import type { AppendWrite, IncidentWrite, OutputStore, OutputWrite } from '../../core/delivery.ts';
import { alertsOf, retraction } from '../../core/live/alerts.ts';
import { pairKey, type RescanChange, rescanChanges } from '../../core/live/rescan-changes.ts';
import { incidentToStore } from '../../core/stored-documents.ts';
import type { TenantProfile } from '../detect/tenant-detector.ts';
import { scan } from '../scan.ts';

/** Rows of an incident by which a stored one is known again. */
const COMPARED_ROWS = 1_000;
const MEMORY_MIB = 256;

export interface RescanOptions {
  profile: TenantProfile;
  /** Export files: the archive of the tenant from its first row on, since baselines come from the past. */
  paths: string[];
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
  /** For people. */
  warnings: string[];
}

export async function rescan(options: RescanOptions): Promise<RescanReport> {
  const { profile, outputs, fromMs, nowMs, signal } = options;
  const toMs = options.toMs ?? Number.MAX_SAFE_INTEGER;
  const scanned = await scan({
    paths: options.paths,
    tenant: profile.settings,
    range: { sinceMs: null, untilMs: null, reportSinceMs: fromMs, nowMs },
    format: null,
    dateOrder: null,
    reader: 'js',
    evidenceRows: profile.evidenceRows,
    pointerRows: COMPARED_ROWS,
    memoryMiB: MEMORY_MIB,
    temporaryFolder: options.temporaryFolder,
  });
  signal?.throwIfAborted();
  const pairs = new Map<string, Set<string>>();
  for (const row of scanned.evidence) {
    const known = pairs.get(row.incident);
    if (known === undefined) pairs.set(row.incident, new Set([pairKey(row)]));
    else known.add(pairKey(row));
  }
  const found = scanned.incidents
    .filter((document) => Date.parse(document.relaywatch.incident.detected_at) < toMs)
    .map((document) => ({ document, pairs: pairs.get(document.event.id) ?? new Set<string>() }));
  const stored = (await outputs.incidents(profile.settings.key, fromMs, toMs, signal)).filter(
    ({ document }) => (document.relaywatch as { incident: { state: string } }).incident.state !== 'retracted',
  );
  const report: RescanReport = { changes: [], unchanged: 0, warnings: scanned.warnings };
  const writes: OutputWrite[] = [];
  for (const change of rescanChanges(stored, found)) {
    const write = writeOf(change, profile.settings.key);
    const current = change.kind === 'new' ? null : change.stored;
    if (change.kind === 'kept' && incidentToStore(write, current, nowMs) === null) {
      report.unchanged++;
      continue;
    }
    const kind = change.kind === 'kept' ? 'changed' : change.kind;
    report.changes.push({ kind, id: write.id, message: change.document.message, mergedInto: write.mergedInto });
    writes.push(write, ...alertsFor(change, nowMs));
  }
  if (!options.dryRun && writes.length > 0) await deliverNew(outputs, writes, signal);
  return report;
}

/** The generation stays that of the stored document: the detector that wrote it may go on. */
function writeOf(change: RescanChange, tenant: string): IncidentWrite {
  const { document } = change;
  const generation = change.kind === 'new' ? 0 : change.stored.generation;
  const mergedInto = change.kind === 'gone' ? change.mergedInto : null;
  return { kind: 'incident', id: document.event.id, tenant, generation, document, mergedInto };
}

function alertsFor(change: RescanChange, nowMs: number): AppendWrite[] {
  return change.kind === 'gone' ? [retraction(change.document, 1, nowMs)] : alertsOf(change.document, 1, nowMs);
}

/** Without alerts that were written before, in whatever index. */
async function deliverNew(outputs: OutputStore, writes: readonly OutputWrite[], signal?: AbortSignal): Promise<void> {
  const alerts = writes.filter(({ kind }) => kind === 'alert').map(({ id }) => id);
  const known = await outputs.knownAlerts(alerts, signal);
  await outputs.deliver(
    writes.filter(({ kind, id }) => kind !== 'alert' || !known.has(id)),
    signal,
  );
}

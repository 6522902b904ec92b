/** `scan`: exports in, incidents out, in one process and without any service. */

import { SpillFolder } from '../adapters/file/spill-folder.ts';
import { detectionSettings } from '../config/detection.ts';
import { AcceptedDomains, expandAcceptedDomains } from '../core/accepted-domains.ts';
import { hourSlotsOf } from '../core/calendar.ts';
import { PairCollector } from '../core/collect.ts';
import { describeIncidents } from '../core/documents.ts';
import { ChosenTexts, ObservationCounts } from '../core/identity.ts';
import type { EvidencePointer, IncidentDocument } from '../core/incident-document.ts';
import { DomainInference } from '../core/inference.ts';
import { emptyRowCounts, type FileLedger, type Ledger, type RowCounts } from '../core/ledger.ts';
import { RelaywatchError } from '../core/outcome.ts';
import type { SpillStore } from '../core/ports.ts';
import type { AcceptedDomain, DetectionRange, TenantSettings } from '../core/settings.ts';
import type { ScanSummary } from '../core/summary.ts';
import { TenantModel } from '../core/tenant.ts';
import { Walk } from '../core/walk/walk.ts';
import { type IngestRules, type PreparedInputs, prepareInputs, readInputs } from './inputs.ts';

const MIB = 1_048_576;
/** Memory that the process needs besides records: Node, buffers for reading, what the walk remembers. */
const PROCESS_MIB = 112;
const SMALLEST_TABLE_MIB = 16;
const INFERRED_FROM = 'domains that send without FromIP, or receive mail that comes in';

export type DateOrder = 'mdy' | 'dmy' | 'ymd';
export type ReaderName = 'auto' | 'js' | 'fast-csv';

export interface ScanOptions {
  /** Files and folders; `-` is stdin. */
  paths: string[];
  tenant: TenantSettings;
  range: DetectionRange;
  /** Format id, or null to recognise it. */
  format: string | null;
  dateOrder: DateOrder | null;
  reader: ReaderName;
  /** Evidence rows of an incident. */
  evidenceRows: number;
  /** Rows of an incident in `ScanResult.evidence`, where that is more. */
  pointerRows?: number;
  /** The ledger names the SHA-256 of every file; a third of the time of reading. */
  fileHashes?: boolean;
  /** Rows are spilled to disk above it. */
  memoryMiB: number;
  /** Folder for spilled rows; the system's temporary folder by default. */
  temporaryFolder?: string;
  /** Files are judged as ingest and a detector judge them; without it all files are one export of one tenant. */
  asIngested?: IngestRules;
  /** Told of every merged pair, in any order: the words of its record begin at `base`. */
  onPair?: (words: Uint32Array, base: number) => void;
  /** Reading stops when it aborts. */
  signal?: AbortSignal;
  onProgress?: (progress: ScanProgress) => void;
}

export interface ScanProgress {
  phase: 'reading' | 'detecting';
  bytesRead: number;
  bytesTotal: number;
  rows: number;
}

export interface ScanResult {
  /** Ordered by (detected_at, id). */
  incidents: IncidentDocument[];
  /** `EvidencePointer.file` is an index of the ledger's files. */
  evidence: EvidencePointer[];
  ledger: Ledger;
  /** Accepted domains that were inferred, with what they were inferred from; null where a list was given. */
  inferred: { domains: AcceptedDomain[]; from: string } | null;
  summary: ScanSummary;
  /** For people, on stderr: each says what happened and what to do. */
  warnings: string[];
}

/**
 * Reads all inputs, merges them into pairs, walks the pairs in event-time order and describes what the
 * walk found. Throws RelaywatchError where nothing can be said: dates whose order cannot be told, rows
 * of two tenants, no accepted domain to be found.
 */
export async function scan(options: ScanOptions): Promise<ScanResult> {
  const prepared = await prepareInputs({
    paths: options.paths,
    format: options.format,
    dateOrder: options.dateOrder,
    reader: options.reader,
    tenantKey: options.tenant.key,
    sinceMs: options.range.sinceMs,
    untilMs: options.range.untilMs,
    nowMs: options.range.nowMs,
    fileHashes: options.fileHashes,
    expand: options.asIngested === undefined,
    asIngested: options.asIngested,
    temporaryFolder: options.temporaryFolder,
  });
  const spill = new SpillFolder(options.temporaryFolder);
  try {
    return await scanPrepared(prepared, options, spill);
  } finally {
    spill.dispose();
    await prepared.dispose();
  }
}

async function scanPrepared(prepared: PreparedInputs, options: ScanOptions, spill: SpillStore): Promise<ScanResult> {
  const { dictionaries } = prepared;
  const idTexts = {
    domain: (id: number) => dictionaries.domains.text(id),
    source: (id: number) => dictionaries.sources.text(id),
    connector: (id: number) => dictionaries.connectors.text(id),
  };
  const counts = new ObservationCounts();
  const chosen = new ChosenTexts();
  const collector = new PairCollector({
    counts,
    chosen,
    ids: idTexts,
    texts: prepared.textSource,
    memoryBytes: Math.max(SMALLEST_TABLE_MIB, options.memoryMiB - PROCESS_MIB) * MIB,
    spill,
  });
  const onProgress = (progress: Omit<ScanProgress, 'phase'>) => options.onProgress?.({ phase: 'reading', ...progress });
  await readInputs(prepared, collector, onProgress, { signal: options.signal });

  if (options.asIngested === undefined) expectOneTenant(prepared);
  const organization = organizationOf(prepared);
  const inference = options.tenant.acceptedDomains === null ? new DomainInference() : null;
  const { onPair } = options;
  collector.merge((words, base) => {
    inference?.add(words, base);
    onPair?.(words, base);
  });
  const inferred = inference === null ? null : inference.domains(idTexts.domain);
  const accepted = new AcceptedDomains(
    expandAcceptedDomains(
      options.tenant.acceptedDomains ?? inferred ?? [],
      prepared.organizations.names,
      options.tenant.key,
    ),
  );
  const walk = new Walk(
    detectionSettings(options.tenant.licenses),
    new TenantModel(accepted, idTexts),
    hourSlotsOf(options.tenant.timeZone),
    idTexts,
  );
  collector.visitBlocks((block) => walk.block(block));
  walk.finish(nowOf(walk, options.range));

  const described = describeIncidents(
    walk,
    prepared.textSource,
    chosen,
    {
      tenantKey: options.tenant.key,
      organization,
      evidenceRows: options.evidenceRows,
      pointerRows: options.pointerRows,
    },
    options.range.reportSinceMs,
  );
  return {
    ...described,
    ledger: ledgerOf(prepared.ledgerFiles, counts),
    inferred: inferred === null ? null : { domains: inferred, from: INFERRED_FROM },
    summary: { ...walk.seen, acceptedDomains: [...accepted.list] },
    warnings: prepared.warnings,
  };
}

/** Now, for open and closed: `--until` where given, but not after the real present; else the latest event time. */
function nowOf(walk: Walk, range: DetectionRange): number {
  if (range.untilMs !== null) return Math.min(range.untilMs, range.nowMs);
  return walk.seen.lastMs ?? range.nowMs;
}

function expectOneTenant({ organizations: { ids, names } }: PreparedInputs): void {
  const several = ids.length > 1 ? ids : names.length > 1 ? names : null;
  if (several !== null) {
    throw new RelaywatchError({
      code: 'several_tenants',
      message: `the exports are of ${several.length} tenants: ${several.slice(0, 5).join(', ')}`,
      hint: 'Scan the exports of one tenant at a time.',
      exitCode: 2,
    });
  }
}

function organizationOf({ organizations: { ids, names } }: PreparedInputs): { id?: string; name?: string } | null {
  if (ids.length === 0 && names.length === 0) return null;
  return {
    ...(ids.length === 0 ? {} : { id: ids[0] }),
    ...(names.length === 0 ? {} : { name: names[0] }),
  };
}

/** Completes the ledger with what identity made of the observations. */
function ledgerOf(files: FileLedger[], counts: ObservationCounts): Ledger {
  const totals = { files: files.length, refused: 0, records: 0, rows: emptyRowCounts() };
  files.forEach((file, index) => {
    file.rows.accepted = counts.accepted[index] ?? 0;
    file.rows.duplicate = counts.duplicate[index] ?? 0;
    file.rows.updated = counts.updated[index] ?? 0;
    if (file.refused !== null) totals.refused++;
    totals.records += file.records;
    addRows(totals.rows, file.rows);
  });
  return { files, totals };
}

function addRows(totals: RowCounts, rows: RowCounts): void {
  for (const count of ['read', 'accepted', 'duplicate', 'updated', 'folded'] as const) totals[count] += rows[count];
  for (const kind of ['dropped', 'dead_lettered'] as const) {
    const sums: Partial<Record<string, number>> = totals[kind];
    for (const [name, number] of Object.entries(rows[kind])) sums[name] = (sums[name] ?? 0) + number;
  }
}

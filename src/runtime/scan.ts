/** `scan`: exports in, incidents out, in one process and without any service. */

import { SpillFolder } from '../adapters/file/spill-folder.ts';
import { detectionSettings } from '../config/detection.ts';
import { hourSlotsOf } from '../core/calendar.ts';
import { type DocumentOptions, describeIncidents, IncidentDescriber } from '../core/documents.ts';
import type { Explanation, SeverityMark } from '../core/explanation.ts';
import type { EvidencePointer, IncidentDocument } from '../core/incident-document.ts';
import type { Ledger } from '../core/ledger.ts';
import type { SpillStore } from '../core/ports.ts';
import type { AcceptedDomain, DetectionRange, TenantSettings } from '../core/settings.ts';
import type { ScanSummary } from '../core/summary.ts';
import { TenantModel } from '../core/tenant.ts';
import type { AllowedVolume } from '../core/walk/allow-list.ts';
import { Walk } from '../core/walk/walk.ts';
import { collectPairs } from './collect-pairs.ts';
import type { DeadLetterWriter } from './dead-letters/file.ts';
import { type IngestRules, type PreparedInputs, prepareInputs } from './inputs.ts';

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
  /** Keeps the rows that cannot be used. */
  deadLetters?: DeadLetterWriter;
  onProgress?: (progress: ScanProgress) => void;
  /** Id of an incident whose numbers are wanted. */
  explain?: string;
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
  /** Of the incident that was to be explained, where it was found; its numbers where a count has raised it. */
  explained: { explanation: Explanation | null; marks: SeverityMark[] } | null;
  /** Incidents that have a label. */
  labelled: number;
  /** What each entry of the allow-list has hidden, in the order of the list. */
  allowed: readonly AllowedVolume[];
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
    hashesFirst: options.deadLetters !== undefined,
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
  const { collector, ids, chosen, accepted, inferred, organization, ledger } = await collectPairs(prepared, spill, {
    ...options,
    ...options.deadLetters?.of(prepared),
    takesSeveralTenants: options.asIngested !== undefined,
    onProgress: (progress) => options.onProgress?.({ phase: 'reading', ...progress }),
  });
  const { key: tenantKey, licenses, timeZone, feedback } = options.tenant;
  const described: DocumentOptions = {
    tenantKey,
    organization,
    evidenceRows: options.evidenceRows,
    pointerRows: options.pointerRows,
  };
  let explanation: Explanation | null = null;
  const walk: Walk = new Walk(
    detectionSettings(licenses, feedback),
    new TenantModel(accepted, ids),
    hourSlotsOf(timeZone),
    ids,
    {
      tenantKey,
      idOf: (incident) => describer.nextId(incident),
      onOpened: (incident, explain) => {
        if (options.explain !== undefined && describer.nextId(incident) === options.explain) {
          const found = explain();
          const isMailbox = found.keyKind === 'mailbox';
          explanation = isMailbox ? { ...found, key: describer.mailboxText(found.keyNumber) } : found;
        }
      },
    },
  );
  const describer = new IncidentDescriber(walk, prepared.textSource, chosen, described);
  collector.visitBlocks((block) => walk.block(block));
  walk.finish(nowOf(walk, options.range));

  return {
    ...describeIncidents(walk, prepared.textSource, chosen, described, options.range.reportSinceMs),
    ledger,
    inferred,
    summary: { ...walk.seen, acceptedDomains: [...accepted.list] },
    explained: options.explain === undefined ? null : { explanation, marks: marksOf(walk, describer, options.explain) },
    labelled: walk.incidents.filter((incident) => incident.label !== null).length,
    allowed: walk.allowed,
    warnings: prepared.warnings,
  };
}

/** What raised the severity of an incident. */
function marksOf(walk: Walk, describer: IncidentDescriber, id: string): SeverityMark[] {
  const taken = new Set<string>();
  const incident = walk.incidents.find((candidate) => describer.id(candidate, taken) === id);
  return incident === undefined ? [] : walk.marksOf(incident);
}

/** Now, for open and closed: `--until` where given, but not after the real present; else the latest event time. */
function nowOf(walk: Walk, range: DetectionRange): number {
  if (range.untilMs !== null) return Math.min(range.untilMs, range.nowMs);
  return walk.seen.lastMs ?? range.nowMs;
}

/** `scan`: exports in, incidents out, in one process (being filled in: the contract first). */

import type { EvidencePointer, IncidentDocument } from '../core/incident-document.ts';
import type { Ledger } from '../core/ledger.ts';
import type { AcceptedDomain, DetectionRange, TenantSettings } from '../core/settings.ts';
import type { ScanSummary } from '../core/summary.ts';

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
  /** Rows are spilled to disk above it. */
  memoryMiB: number;
  /** Folder for spilled rows; the system's temporary folder by default. */
  temporaryFolder?: string;
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
  evidence: EvidencePointer[];
  /** What was looked at, for the head of the reports. */
  summary: ScanSummary;
  /** Index is `EvidencePointer.file`. */
  ledger: Ledger;
  /** Accepted domains that were inferred, with what they were inferred from; null where a list was given. */
  inferred: { domains: AcceptedDomain[]; from: string } | null;
  /** For people, on stderr: each says what happened and what to do. */
  warnings: string[];
}

export declare function scan(options: ScanOptions): Promise<ScanResult>;

/** The seam to where findings are kept: incidents, alerts, the ledger, dead letters. */

import type { IncidentDocument } from './incident-document.ts';

/** What happened to an incident, worth a person's attention. */
export const ALERT_KINDS = ['opened', 'escalated', 'reopened', 'blocked', 'closed', 'retracted'] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** Fields of `relaywatch.incident` that only stored documents have: `state` may be `retracted`, with `merged_into`. */
export interface StoredIncident {
  document: Record<string, unknown>;
  /** Counts the writes of the document. */
  revision: number;
  /** Of the writer; a document of a newer generation is never overwritten. */
  generation: number;
}

export interface IncidentWrite {
  kind: 'incident';
  id: string;
  tenant: string;
  generation: number;
  /** The incident as `scan` would print it; the store adds revision, event.created, and keeps `relaywatch.triage`. */
  document: IncidentDocument;
  /** The incident that took this one's rows, for a document in state `retracted`. */
  mergedInto: string | null;
  /** Where a rescan writes it: event time of the latest row that it had, RFC 3339. */
  rescan?: { through: string };
}

/** Append-only: writing one again is no error and changes nothing. */
export interface AppendWrite {
  kind: 'alert' | 'dead_letter';
  id: string;
  document: Record<string, unknown> & { '@timestamp': string };
}

/** A line of the ledger or a finding on completeness: replaced where `sequence` is not older than the stored one. */
export interface ReplaceWrite {
  kind: 'ledger' | 'finding';
  id: string;
  sequence: number;
  document: Record<string, unknown>;
}

export type OutputWrite = IncidentWrite | AppendWrite | ReplaceWrite;

/** A write that the store refuses for good: a mapping that does not fit. It is reported, never dropped silently. */
export interface RefusedWrite {
  write: OutputWrite;
  reason: string;
}

/** How many writes changed something. */
export interface DeliveryReport {
  written: number;
  unchanged: number;
  refused: RefusedWrite[];
}

export interface OutputStore {
  /**
   * Resolves when the store is there, lets us in and is set up; waits, and says so, as long as it is away. Rejects
   * when `signal` aborts, or with a RelaywatchError for what a person has to mend.
   */
  check(signal?: AbortSignal): Promise<void>;
  /**
   * Resolves when every write is durable or refused; waits, and says so, as long as the store is busy or away.
   * Rejects with Fenced, when `signal` aborts, or with a RelaywatchError for what a person has to mend.
   */
  deliver(writes: readonly OutputWrite[], signal?: AbortSignal): Promise<DeliveryReport>;
  /** The ids among these that are stored as alerts already, in whatever index. */
  knownAlerts(ids: readonly string[], signal?: AbortSignal): Promise<Set<string>>;
  /** Incidents of a tenant detected in `[fromMs, toMs)`, in any order. */
  incidents(tenant: string, fromMs: number, toMs: number, signal?: AbortSignal): Promise<StoredIncident[]>;
  /** Incidents of a tenant that a rescan has written: those that are open, and those that ended at `sinceMs` or later. */
  rescanned(tenant: string, sinceMs: number, signal?: AbortSignal): Promise<StoredIncident[]>;
  /** Findings of a tenant that are open, as they are stored. */
  openFindings(tenant: string, signal?: AbortSignal): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

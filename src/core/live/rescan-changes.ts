/**
 * What a rescan changes: its incidents against those that are stored. An id that is stored is never
 * renamed: an incident whose id would be another now adopts the stored one with which it shares half of
 * the stored evidence, or is of one campaign at one time. A stored incident that nothing shares is gone where the rescan saw its rows and made
 * no incident of them; where it did not see them it knows nothing, and what is stored stays.
 */

import type { StoredIncident } from '../delivery.ts';
import type { EvidenceRow, Family, IncidentDocument } from '../incident-document.ts';
import { retractedDocument } from './alerts.ts';

export interface RescannedIncident {
  document: IncidentDocument;
  /** Keys of many of its rows, as `pairKey` makes them. */
  pairs: ReadonlySet<string>;
}

export type RescanChange =
  | { kind: 'new'; document: IncidentDocument }
  /** `document` carries the stored id. */
  | { kind: 'kept'; document: IncidentDocument; stored: StoredIncident }
  | { kind: 'gone'; document: IncidentDocument; stored: StoredIncident; mergedInto: string | null }
  /** Rows of the stored incident were not seen, or make one outside the time that is compared: it stays as it is. */
  | { kind: 'unseen'; stored: StoredIncident };

export function pairKey(row: Pick<EvidenceRow, 'message_trace_id' | 'recipient'>): string {
  return `${row.message_trace_id} ${row.recipient}`;
}

/**
 * One change per incident found or stored; `stored` holds none that is retracted. `wasSeen` tells whether a
 * row of stored evidence was among the rows of the rescan. `beside` are incidents found that were detected just
 * outside the time that is compared: what they share rows with is not gone.
 */
export function rescanChanges(
  stored: readonly StoredIncident[],
  found: readonly RescannedIncident[],
  beside: readonly RescannedIncident[],
  wasSeen: (row: EvidenceRow) => boolean,
): RescanChange[] {
  const made = new Map(found.map((one) => [one.document.event.id, one]));
  const oldestFirst = [...stored].sort((left, right) => (facts(left).detectedAt < facts(right).detectedAt ? -1 : 1));
  /** The stored incident that each of those found goes on. */
  const continued = new Map<RescannedIncident, StoredIncident>();
  const lost: StoredIncident[] = [];
  for (const one of oldestFirst) {
    const same = made.get(facts(one).id);
    if (same === undefined) lost.push(one);
    else continued.set(same, one);
  }
  const elsewhere: StoredIncident[] = [];
  const gone: { stored: StoredIncident; heir: RescannedIncident | null }[] = [];
  for (const one of lost) {
    const { family, evidence } = facts(one);
    const ofFamily = ({ document }: RescannedIncident): boolean => document.relaywatch.incident.family === family;
    const isSure = ({ pairs }: RescannedIncident): boolean => sharesHalf(evidence, pairs);
    const heirsAmong = (all: readonly RescannedIncident[]): RescannedIncident[] => {
      const sure = all.filter((other) => ofFamily(other) && isSure(other));
      return sure.length > 0 ? sure : all.filter((other) => ofFamily(other) && isSameCampaign(one, other, wasSeen));
    };
    const heirs = heirsAmong(found);
    const free = heirs.find((heir) => !continued.has(heir));
    if (free !== undefined) continued.set(free, one);
    else if (heirs.length === 0 && heirsAmong(beside).length > 0) elsewhere.push(one);
    else gone.push({ stored: one, heir: heirs[0] ?? null });
  }
  const seenRows = (one: StoredIncident): number => evidenceOf(one).filter(wasSeen).length;
  const idOf = (one: RescannedIncident): string => {
    const known = continued.get(one);
    return known === undefined ? one.document.event.id : facts(known).id;
  };
  return [
    ...elsewhere.map((one): RescanChange => ({ kind: 'unseen', stored: one })),
    ...found.map((one): RescanChange => {
      const document = { ...one.document, event: { ...one.document.event, id: idOf(one) } };
      const known = continued.get(one);
      if (known === undefined) return { kind: 'new', document };
      // Smaller than it is stored, since not all of its rows are there.
      const isSmaller = recipientsOf(document) < recipientsOf(known.document as unknown as IncidentDocument);
      if (isSmaller && seenRows(known) < evidenceOf(known).length) return { kind: 'unseen', stored: known };
      return { kind: 'kept', document, stored: known };
    }),
    ...gone.map(({ stored: one, heir }): RescanChange => {
      if (heir === null && seenRows(one) * 2 <= evidenceOf(one).length) return { kind: 'unseen', stored: one };
      const mergedInto = heir === null ? null : idOf(heir);
      return { kind: 'gone', document: retractedDocument(machineDocument(one)), stored: one, mergedInto };
    }),
  ];
}

function sharesHalf(evidence: readonly string[], pairs: ReadonlySet<string>): boolean {
  const shared = evidence.filter((pair) => pairs.has(pair)).length;
  return shared > 0 && shared * 2 >= evidence.length;
}

/**
 * Of a large incident only a sample of its pairs is known, which need not have those of the stored evidence. It goes
 * on the stored one too where most of that evidence was seen, lies within its time, and where both have the same
 * source, connector, domain or mailbox for half of their recipients.
 */
function isSameCampaign(
  stored: StoredIncident,
  { document }: RescannedIncident,
  wasSeen: (row: EvidenceRow) => boolean,
): boolean {
  const { start, end } = document.event;
  const rows = evidenceOf(stored);
  const within = rows.filter((row) => row.at >= start && row.at <= end && wasSeen(row)).length;
  if (within === 0 || within * 2 < rows.length) return false;
  const before = (stored.document as unknown as IncidentDocument).relaywatch.incident.contributors;
  const now = document.relaywatch.incident.contributors;
  return (['connectors', 'sources', 'domains', 'mailboxes'] as const).some((kind) => {
    const most = now[kind].at(0);
    return (
      most !== undefined && most.share >= 0.5 && before[kind].at(0)?.key === most.key && before[kind][0].share >= 0.5
    );
  });
}

function facts(stored: StoredIncident): { id: string; family: Family; detectedAt: string; evidence: string[] } {
  const { event, relaywatch } = stored.document as unknown as IncidentDocument;
  const { family, detected_at: detectedAt } = relaywatch.incident;
  return { id: event.id, family, detectedAt, evidence: evidenceOf(stored).map(pairKey) };
}

function evidenceOf({ document }: StoredIncident): EvidenceRow[] {
  return (document as unknown as IncidentDocument).relaywatch.incident.evidence;
}

function recipientsOf({ relaywatch }: IncidentDocument): number {
  return relaywatch.incident.recipients;
}

/** The document as it was written, without what the store and people added. */
export function machineDocument({ document }: StoredIncident): IncidentDocument {
  const { event, relaywatch, ...rest } = document as unknown as IncidentDocument;
  const { created: _created, ...machineEvent } = event as IncidentDocument['event'] & { created?: string };
  return { ...rest, event: machineEvent, relaywatch: { incident: relaywatch.incident } } as IncidentDocument;
}

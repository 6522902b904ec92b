/**
 * What an output store keeps of a write. The same for every store: which part of an incident belongs to
 * the machine, which to the store, and which to people.
 */

import { formatTime } from './calendar.ts';
import { Fenced } from './checkpoint.ts';
import type { IncidentWrite, ReplaceWrite, StoredIncident } from './delivery.ts';
import type { IncidentDocument } from './incident-document.ts';
import { countedByDetector, goOnFrom, type RescanMark, rescanMarkOf } from './rescanned-incident.ts';

type Json = Record<string, unknown>;

/**
 * The document that takes the place of the stored one, or null where the machine's part is the same:
 * `relaywatch.triage` and `event.created` are carried over, `relaywatch.revision` counts on. What a detector
 * says of an incident that a rescan has written only goes on from it.
 * Raises Fenced where the stored document was written by a newer generation.
 */
export function incidentToStore(write: IncidentWrite, stored: StoredIncident | null, nowMs: number): Json | null {
  if (stored !== null && stored.generation > write.generation) throw new Fenced(`Incident ${write.id}`);
  const before = stored === null ? null : rescanMarkOf(stored.document);
  const isGoingOn = before !== null && write.rescan === undefined;
  const next = isGoingOn ? goneOn(write, stored as StoredIncident, before) : asWritten(write, stored);
  if (next === null) return null;
  const { machine, mark } = next;
  // The mark alone is no news from a rescan, but what a detector goes on from next time.
  const isMarkNews = isGoingOn && !sameJson(mark, before);
  if (stored !== null && !isMarkNews && sameJson(machine, machinePartOf(stored.document))) return null;
  const event = machine.event as Json;
  const relaywatch = machine.relaywatch as Json;
  const earlier = stored === null ? {} : stored.document;
  const triage = part(earlier, 'relaywatch').triage;
  return {
    ...machine,
    event: { ...event, created: part(earlier, 'event').created ?? formatTime(nowMs) },
    relaywatch: {
      ...relaywatch,
      revision: (stored?.revision ?? 0) + 1,
      generation: write.generation,
      ...(mark === null ? {} : { rescan: mark }),
      ...(triage === undefined ? {} : { triage }),
    },
  };
}

/** Whether `OutputStore.rescanned` asks for a stored incident. */
export function isRescannedSince(document: Json, tenant: string, sinceMs: number): boolean {
  const { event, relaywatch } = document as unknown as IncidentDocument & { relaywatch: { tenant: string } };
  if (rescanMarkOf(document) === null || relaywatch.tenant !== tenant) return false;
  return relaywatch.incident.state === 'open' || Date.parse(event.end) >= sinceMs;
}

/** Whether `OutputStore.openFindings` asks for a stored finding. */
export function isOpenFinding(document: Json, tenant: string): boolean {
  const relaywatch = part(document, 'relaywatch');
  return relaywatch.tenant === tenant && part(relaywatch, 'finding').state === 'open';
}

/** The machine's part of a document, and the mark of the rescan that is responsible for it. */
interface Next {
  machine: Json;
  mark: RescanMark | null;
}

/** The write of a rescan, or of a detector that no rescan has corrected. */
function asWritten(write: IncidentWrite, stored: StoredIncident | null): Next {
  const machine = machinePart(write);
  if (write.rescan === undefined) return { machine, mark: null };
  const counted = stored === null ? undefined : countedByDetector(stored);
  return { machine, mark: { through: write.rescan.through, ...(counted === undefined ? {} : { counted }) } };
}

/** The write of a detector for an incident that a rescan has written; null where it changes nothing. */
function goneOn(write: IncidentWrite, stored: StoredIncident, mark: RescanMark): Next | null {
  if (write.mergedInto !== null) return null;
  const next = goOnFrom(machinePartOf(stored.document) as unknown as IncidentDocument, mark, write.document);
  return next === null ? null : { machine: next.document as unknown as Json, mark: next.mark };
}

/** A stored document as the core knows it. One without revision or generation is older than any. */
export function storedIncident(document: Json): StoredIncident {
  const { revision, generation } = part(document, 'relaywatch');
  return { document, revision: Number(revision ?? 0), generation: Number(generation ?? 0) };
}

/** A line of the ledger, or a finding, as it is stored: with the sequence that guards it. */
export function replacementToStore(write: ReplaceWrite): Json {
  return { ...write.document, relaywatch: { ...part(write.document, 'relaywatch'), sequence: write.sequence } };
}

/** What the machine says of an incident, as JSON has it: without fields that are undefined. */
function machinePart({ document, tenant, mergedInto }: IncidentWrite): Json {
  const copy = JSON.parse(JSON.stringify(document)) as Json;
  const relaywatch = part(copy, 'relaywatch');
  const retracted = mergedInto === null ? {} : { state: 'retracted', merged_into: mergedInto };
  const incident = { ...part(relaywatch, 'incident'), ...retracted };
  return { ...copy, relaywatch: { ...relaywatch, incident, tenant } };
}

function machinePartOf(document: Json): Json {
  const { created: _created, ...event } = part(document, 'event');
  const {
    revision: _revision,
    generation: _generation,
    rescan: _rescan,
    triage: _triage,
    ...relaywatch
  } = part(document, 'relaywatch');
  return { ...document, event, relaywatch };
}

function part(of: Json, name: string): Json {
  const found = of[name];
  return typeof found === 'object' && found !== null ? (found as Json) : {};
}

/** Equal values of JSON, whatever the order of keys. */
function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    return left.every((value, index) => sameJson(value, right[index]));
  }
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && sameJson((left as Json)[name], (right as Json)[name]));
}

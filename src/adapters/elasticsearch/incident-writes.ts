/**
 * Incidents: read, compared, and written only where nobody has changed them meanwhile. What people
 * wrote into `relaywatch.triage` is carried over, whatever the machine finds.
 */

import type { Client, estypes } from '@elastic/elasticsearch';
import type { DeliveryReport, IncidentWrite, StoredIncident } from '../../core/delivery.ts';
import { incidentToStore, storedIncident } from '../../core/stored-documents.ts';
import { readOutcome } from './answers.ts';
import type { BulkOperation, BulkWriter } from './bulk-writer.ts';
import type { Patience, Waits } from './patience.ts';

/** Incidents that are read at a time; one may have hundreds of kilobytes. */
const GROUP = 100;

export interface IncidentWriterParts {
  client: Client;
  bulk: BulkWriter;
  waits: Waits;
  /** Alias of the incidents. */
  alias: string;
  place: string;
  /** Makes a request until it is answered. */
  persist<Result>(request: () => Promise<Result>, patience: Patience, signal?: AbortSignal): Promise<Result>;
}

interface Version {
  if_seq_no: number;
  if_primary_term: number;
}

interface Stored {
  incident: StoredIncident;
  version: Version;
}

/** Writes incidents of different ids. */
export async function writeIncidents(
  writes: readonly IncidentWrite[],
  parts: IncidentWriterParts,
  report: DeliveryReport,
  signal?: AbortSignal,
): Promise<void> {
  for (let at = 0; at < writes.length; at += GROUP) {
    await parts.waits.with((patience) => writeGroup(writes.slice(at, at + GROUP), parts, report, patience, signal));
  }
}

async function writeGroup(
  group: readonly IncidentWrite[],
  parts: IncidentWriterParts,
  report: DeliveryReport,
  patience: Patience,
  signal?: AbortSignal,
): Promise<void> {
  let pending = group;
  while (pending.length > 0) {
    const stored = await readStored(pending, parts, patience, signal);
    const changed: IncidentWrite[] = [];
    const operations: BulkOperation[] = [];
    for (const write of pending) {
      const found = stored.get(write.id);
      const document = incidentToStore(write, found?.incident ?? null, parts.waits.now());
      if (document === null) {
        report.unchanged += 1;
        continue;
      }
      changed.push(write);
      operations.push({ action: actionFor(parts.alias, write.id, found?.version), document });
    }
    const outcomes = await parts.bulk.send(operations, signal);
    const again: IncidentWrite[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      const write = changed[index];
      if (outcome.kind === 'broken') throw outcome.error;
      if (outcome.kind === 'ok') report.written += 1;
      else if (outcome.kind === 'refused' || outcome.kind === 'split')
        report.refused.push({ write, reason: outcome.reason });
      // Somebody was faster, or the server waits: what is stored is read again before the next attempt.
      else again.push(write);
    }
    if (again.length < pending.length) patience.progress();
    const waiting = outcomes.find((outcome) => outcome.kind === 'wait');
    if (waiting !== undefined) await patience.wait(waiting.code, waiting.message, signal);
    pending = again;
  }
}

function actionFor(alias: string, id: string, version: Version | undefined): BulkOperation['action'] {
  // Without the alias an index of this name would come into being, with mappings guessed from the documents.
  const to = { _index: alias, _id: id, require_alias: true };
  return version === undefined ? { create: to } : { index: { ...to, ...version } };
}

async function readStored(
  writes: readonly IncidentWrite[],
  { client, alias, place, persist }: IncidentWriterParts,
  patience: Patience,
  signal?: AbortSignal,
): Promise<Map<string, Stored>> {
  const ids = writes.map(({ id }) => id);
  for (;;) {
    const { docs } = await persist(
      () => client.mget<Record<string, unknown>>({ index: alias, ids }, { signal }),
      patience,
      signal,
    );
    const stored = new Map<string, Stored>();
    let failure: estypes.ErrorCause | null = null;
    for (const found of docs) {
      if ('error' in found) failure = found.error;
      else if (found.found && found._source !== undefined) {
        stored.set(found._id, {
          incident: storedIncident(found._source),
          version: { if_seq_no: found._seq_no!, if_primary_term: found._primary_term! },
        });
      }
    }
    if (failure === null) return stored;
    const outcome = readOutcome(failure, place);
    if (outcome.kind === 'broken') throw outcome.error;
    if (outcome.kind !== 'wait') throw new Error(`Incidents could not be read: ${outcome.kind}`);
    await patience.wait(outcome.code, outcome.message, signal);
  }
}

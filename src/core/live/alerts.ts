/** Alerts: one document for each change of an incident that is worth a person's attention. */

import { createHash } from 'node:crypto';
import { DAY_MS, formatTime } from '../calendar.ts';
import type { AlertKind, AppendWrite } from '../delivery.ts';
import type { IncidentDocument } from '../incident-document.ts';

/** An incident is closed a day after its last activity. */
const CLOSED_AFTER_MS = DAY_MS;

/** How often an incident was published after it had not been, was open again after its end, and ended. */
export interface IncidentTurns {
  openings: number;
  reopenings: number;
  closings: number;
}

/** As far as the document alone tells. */
export function turnsOf({ relaywatch }: IncidentDocument, openings: number): IncidentTurns {
  const { reopened_count: reopenings, state } = relaywatch.incident;
  return { openings, reopenings, closings: reopenings + (state === 'closed' ? 1 : 0) };
}

/**
 * Every alert that an incident has had by now, oldest first, of its ends the last. The same incident gives the same
 * ids, so writing them again is harmless.
 */
export function alertsOf(
  document: IncidentDocument,
  { openings, reopenings, closings }: IncidentTurns,
  createdMs: number,
): AppendWrite[] {
  const { incident } = document.relaywatch;
  const alerts: AppendWrite[] = [];
  const add = (kind: AlertKind, number: number, at: string) => {
    alerts.push(alert(document, kind, number, at, createdMs));
  };
  add(incident.family === 'blocked' ? 'blocked' : 'opened', openings, incident.detected_at);
  incident.escalations.forEach((escalation, index) => {
    add('escalated', index + 1, escalation.at);
  });
  const lastChange = incident.escalations.at(-1)?.at ?? incident.detected_at;
  for (let number = 1; number <= reopenings; number++) add('reopened', number, lastChange);
  if (incident.state === 'closed') {
    add('closed', closings, formatTime(Date.parse(document.event.end) + CLOSED_AFTER_MS));
  }
  return alerts;
}

export function retraction(document: IncidentDocument, number: number, createdMs: number): AppendWrite {
  return alert(document, 'retracted', number, formatTime(createdMs), createdMs);
}

/** An incident that its rows no longer make. */
export function retractedDocument(document: IncidentDocument): IncidentDocument {
  const { relaywatch } = document;
  return { ...document, relaywatch: { ...relaywatch, incident: { ...relaywatch.incident, state: 'retracted' } } };
}

/** Id of an alert: a hash of the incident's id, the kind and the number. */
export function alertId(incidentId: string, kind: AlertKind, number: number): string {
  const hash = createHash('sha256').update(JSON.stringify([incidentId, kind, number]));
  return `rwa-${hash.digest('hex').slice(0, 24)}`;
}

function alert(
  document: IncidentDocument,
  kind: AlertKind,
  number: number,
  at: string,
  createdMs: number,
): AppendWrite {
  return {
    kind: 'alert',
    id: alertId(document.event.id, kind, number),
    document: {
      ...document,
      '@timestamp': at,
      event: { ...document.event, dataset: 'relaywatch.alert', created: formatTime(createdMs) },
      relaywatch: { ...document.relaywatch, alert: { kind, number } },
    },
  };
}

/**
 * An incident that a rescan has written. The rescan had rows that the detector does not have, those that came
 * behind the seal: what it says of the rows up to its latest is the truth, and the detector only goes on from there.
 * Who contributed, the evidence and the sentence stay those of the rescan until the next one.
 */

import type { StoredIncident } from './delivery.ts';
import type { IncidentDocument } from './incident-document.ts';

/** What a stored incident has under `relaywatch.rescan`. Plain JSON. */
export interface RescanMark {
  /** Event time of the latest row that the rescan had, RFC 3339. */
  through: string;
  /** What the detector had counted when it last wrote; missing where it has not written the incident. */
  counted?: { messages: number; recipients: number };
}

/** The mark of a rescan; null where none has written the document. */
export function rescanMarkOf(document: Record<string, unknown>): RescanMark | null {
  const { rescan } = (document.relaywatch ?? {}) as { rescan?: RescanMark };
  return typeof rescan === 'object' && rescan !== null ? rescan : null;
}

/** What a detector had counted when it last wrote a stored incident; undefined where it never did. */
export function countedByDetector({ document, generation }: StoredIncident): RescanMark['counted'] {
  const mark = rescanMarkOf(document);
  if (mark !== null) return mark.counted;
  // Without a generation no detector has written it.
  return generation === 0 ? undefined : countsOf(document as unknown as IncidentDocument);
}

function countsOf(document: IncidentDocument): { messages: number; recipients: number } {
  const { messages, recipients } = document.relaywatch.incident;
  return { messages, recipients };
}

/**
 * What is stored once the detector has said `live` of an incident that a rescan left as `stored`; null where that
 * changes nothing. What a rescan has taken back stays so, and what it has found is not taken back.
 */
export function goOnFrom(
  stored: IncidentDocument,
  mark: RescanMark,
  live: IncidentDocument,
): { document: IncidentDocument; mark: RescanMark } | null {
  const { incident } = stored.relaywatch;
  const now = live.relaywatch.incident;
  if (incident.state === 'retracted' || now.state === 'retracted') return null;
  const counted = countsOf(live);
  const before = mark.counted ?? counted;
  const next = { ...mark, counted };
  const state = laterState(stored, live);
  if (live.event.end <= mark.through) {
    return { document: withIncident(stored, { state }), mark: next };
  }
  const escalations = now.escalations.filter(
    ({ at }) => at > mark.through && !incident.escalations.some((one) => one.at >= at),
  );
  const severity = Math.max(stored.event.severity, ...escalations.map((one) => one.severity));
  const document = withIncident(stored, {
    state,
    reopened_count: Math.max(incident.reopened_count, now.reopened_count),
    messages: incident.messages + Math.max(0, counted.messages - before.messages),
    recipients: incident.recipients + Math.max(0, counted.recipients - before.recipients),
    escalations: [...incident.escalations, ...escalations],
    ...(now.limit === undefined ? {} : { limit: now.limit }),
  });
  const isAsSevere = live.event.severity === severity;
  document.event = {
    ...stored.event,
    end: stored.event.end > live.event.end ? stored.event.end : live.event.end,
    severity,
    risk_score: isAsSevere ? Math.max(stored.event.risk_score, live.event.risk_score) : stored.event.risk_score,
  };
  return { document, mark: next };
}

/** Of the one that saw it active last; who saw the same end knows of its closing alone. */
function laterState(
  stored: IncidentDocument,
  live: IncidentDocument,
): IncidentDocument['relaywatch']['incident']['state'] {
  const [known, said] = [stored.relaywatch.incident.state, live.relaywatch.incident.state];
  if (live.event.end === stored.event.end) return known === 'closed' ? known : said;
  return live.event.end > stored.event.end ? said : known;
}

function withIncident(
  document: IncidentDocument,
  fields: Partial<IncidentDocument['relaywatch']['incident']>,
): IncidentDocument {
  const { relaywatch } = document;
  return { ...document, relaywatch: { ...relaywatch, incident: { ...relaywatch.incident, ...fields } } };
}

/** Compares the incidents of a trial with the truth. */

import type { IncidentDocument, IncidentType } from '../../src/core/incident-document.ts';
import { type AttackTruth, DAY_MS, HOUR_MS } from '../traffic/message.ts';
import { LEARNING_DAYS } from './backgrounds.ts';
import type { AttackOutcome, ExpectedAttack, LookAlike, LookAlikeOutcome, QuietOutcome } from './scenario.ts';

/** After its last row an attack still fills the 24-hour window. */
const AFTERMATH_MS = 24 * HOUR_MS;

const FAMILY_OF = { relay: 'unregistered', mailbox: 'bulk' } as const;

const ATTACK_TYPES: readonly IncidentType[] = [
  'relay',
  'domain_rotation',
  'rogue_connector',
  'compromised_mailbox',
  'distributed_mailboxes',
];

/** By what an incident of a background is known again in the trials that branch off from it. */
export function markOf({ relaywatch }: IncidentDocument): string {
  return `${relaywatch.incident.family} ${relaywatch.incident.detected_at}`;
}

/** The incident counts the attacker among those who made it. */
function names(incident: IncidentDocument, attack: AttackTruth): boolean {
  const { contributors } = incident.relaywatch.incident;
  if (attack.kind === 'mailbox') return contributors.mailboxes.some((one) => attack.mailboxes.includes(one.key));
  return (
    contributors.sources.some((one) => attack.sources.includes(one.key)) ||
    contributors.domains.some((one) => attack.domains.includes(one.key))
  );
}

function firstContributorRight(incident: IncidentDocument, attack: AttackTruth): boolean {
  const { contributors } = incident.relaywatch.incident;
  if (attack.kind === 'mailbox') return attack.mailboxes.includes(contributors.mailboxes[0]?.key);
  // Where the IPs change, the connector is what stays the same.
  if (attack.sources.length > 1) return contributors.connectors[0]?.key === attack.connector;
  return contributors.sources[0]?.key === attack.sources[0];
}

/** Times at which a person is told: detection, escalations and reopenings. */
function timesTold(incident: IncidentDocument): number[] {
  const details = incident.relaywatch.incident;
  return [details.detected_at, ...details.escalations.map((escalation) => escalation.at)].map((at) => Date.parse(at));
}

/**
 * When a person was told of the attack: at detection, or, where it joined an incident that was there
 * before, at its first escalation during the attack.
 */
function toldAtMs(incident: IncidentDocument, attack: AttackTruth): number {
  return (
    timesTold(incident).find((time) => time >= attack.startMs && time <= attack.endMs + AFTERMATH_MS) ?? Number.NaN
  );
}

/** `known`: incidents that the background has without the attack too. */
export function judgeAttack(
  trial: string,
  { truth: attack, types }: ExpectedAttack,
  documents: readonly IncidentDocument[],
  known: ReadonlySet<string> = new Set(),
): AttackOutcome {
  const wanted = FAMILY_OF[attack.kind];
  let found: IncidentDocument | null = null;
  let foundAtMs = Number.NaN;
  let related = 0;
  for (const incident of documents) {
    const details = incident.relaywatch.incident;
    if (details.state === 'retracted') continue;
    const detectedMs = Date.parse(details.detected_at);
    const during = detectedMs >= attack.startMs && detectedMs <= attack.endMs + AFTERMATH_MS;
    const atMs = names(incident, attack) ? toldAtMs(incident, attack) : Number.NaN;
    // A limit that nears is a message of its own about the same attack.
    const isMessage = details.family === 'limit' || details.family === 'blocked';
    if (!isMessage && ((during && !known.has(markOf(incident))) || !Number.isNaN(atMs))) related++;
    if (Number.isNaN(atMs)) continue;
    const better =
      found === null ||
      (details.family === wanted && found.relaywatch.incident.family !== wanted) ||
      (details.family === found.relaywatch.incident.family && atMs < foundAtMs);
    if (better) {
      found = incident;
      foundAtMs = atMs;
    }
  }
  const details = found?.relaywatch.incident;
  return {
    trial,
    kind: attack.kind,
    recipients: attack.pairs.length,
    detected: details?.family === wanted,
    leak: found === null ? Number.NaN : attack.pairs.filter((pair) => pair.timeMs <= foundAtMs).length,
    delayMs: foundAtMs - attack.startMs,
    onsetErrorMs: found === null ? Number.NaN : Date.parse(found.event.start) - attack.startMs,
    family: details?.family ?? '',
    type: details?.type ?? '',
    typeRight: details !== undefined && types.includes(details.type),
    types,
    severity: found?.event.severity ?? 0,
    firstContributorRight: found !== null && firstContributorRight(found, attack),
    incidents: related,
    notifications: found === null ? 0 : timesTold(found).filter((time) => time >= attack.startMs).length,
    startMs: attack.startMs,
  };
}

/** Clocks and zones that change move what is raised anyway by up to this. */
const MOVED_MS = 12 * HOUR_MS;

/** The background raises the same about the same one, perhaps at another hour. */
function isOfBackground(incident: IncidentDocument, background: readonly IncidentDocument[]): boolean {
  const firstOf = ({ relaywatch }: IncidentDocument): string | undefined => {
    const { family, contributors } = relaywatch.incident;
    return (family === 'bulk' ? contributors.mailboxes : contributors.domains)[0]?.key;
  };
  const { family, detected_at } = incident.relaywatch.incident;
  return background.some(
    (other) =>
      other.relaywatch.incident.family === family &&
      firstOf(other) === firstOf(incident) &&
      Math.abs(Date.parse(other.relaywatch.incident.detected_at) - Date.parse(detected_at)) <= MOVED_MS,
  );
}

/** What was said about something harmless, besides what is said about the background anyway. */
export function judgeLookAlike(
  trial: string,
  lookAlike: LookAlike,
  documents: readonly IncidentDocument[],
  background: readonly IncidentDocument[],
): LookAlikeOutcome {
  const mine = documents.filter(
    (incident) =>
      incident.relaywatch.incident.state !== 'retracted' &&
      incident.relaywatch.incident.family !== 'limit' &&
      !isOfBackground(incident, background),
  );
  const about = lookAlike.occurrences.map(({ startMs, endMs }) =>
    mine.filter((incident) => timesTold(incident).some((time) => time >= startMs && time <= endMs + AFTERMATH_MS)),
  );
  const told = [...new Set(about.flat())];
  const types = told.map((incident) => incident.relaywatch.incident.type);
  const isAttack = (type: IncidentType) => ATTACK_TYPES.includes(type);
  return {
    trial,
    incidents: about.map((incidents) => incidents.length),
    calledAttack: types.some(isAttack),
    typesRight: types.every((type) =>
      lookAlike.types.length === 0 ? !isAttack(type) : lookAlike.types.includes(type),
    ),
    severity: Math.max(0, ...told.map((incident) => incident.event.severity)),
    types,
  };
}

/** One line for a person who wants to know what it was. */
export function lineOf(incident: IncidentDocument): string {
  const details = incident.relaywatch.incident;
  return (
    `${details.detected_at} ${details.family}/${details.type} severity ${incident.event.severity}, ` +
    `${details.series.join('+')}, ${details.observed} in ${details.window}, expected ${details.expected}, ` +
    `${details.statistic} ${details.score}: ${incident.message}`
  );
}

/** What was raised in a tenant in which nothing bad happens. */
export function judgeQuiet(
  tenant: { trial: string; startMs: number; days: number; rowsPerDay: number; unregisteredPerDay: number },
  documents: readonly IncidentDocument[],
): QuietOutcome {
  const learnedMs = tenant.startMs + LEARNING_DAYS * DAY_MS;
  const endMs = tenant.startMs + tenant.days * DAY_MS;
  const quiet: QuietOutcome = {
    trial: tenant.trial,
    months: Math.max(0, tenant.days - LEARNING_DAYS) / 30,
    rowsPerDay: tenant.rowsPerDay,
    unregisteredPerDay: tenant.unregisteredPerDay,
    learning: {},
    after: {},
    daysInAlarm: 0,
    incidents: [],
  };
  const alarmDays = new Set<number>();
  for (const incident of documents) {
    const details = incident.relaywatch.incident;
    if (details.state === 'retracted') continue;
    const detectedMs = Date.parse(details.detected_at);
    const counts = detectedMs < learnedMs ? quiet.learning : quiet.after;
    counts[details.family] = (counts[details.family] ?? 0) + 1;
    const lastMs = Math.min(endMs - 1, Date.parse(incident.event.end));
    for (let day = Math.floor(Math.max(detectedMs, learnedMs) / DAY_MS); day * DAY_MS <= lastMs; day++) {
      alarmDays.add(day);
    }
    quiet.incidents.push(lineOf(incident));
  }
  const daysAfter = tenant.days - LEARNING_DAYS;
  quiet.daysInAlarm = daysAfter > 0 ? alarmDays.size / daysAfter : 0;
  return quiet;
}

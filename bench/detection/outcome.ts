/** Compares the incidents of a trial with the truth. */

import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { type AttackTruth, countRows, DAY_MS, HOUR_MS } from '../traffic/message.ts';
import type { AttackOutcome, QuietOutcome, Trial, TrialOutcome } from './scenario.ts';

/** After its last row an attack still fills the 24-hour window. */
const AFTERMATH_MS = 24 * HOUR_MS;

const FAMILY_OF = { relay: 'unregistered', mailbox: 'bulk' } as const;

/** The incident counts the attacker among those who made it. */
function names(incident: IncidentDocument, attack: AttackTruth): boolean {
  const { contributors } = incident.relaywatch.incident;
  if (attack.kind === 'mailbox') return contributors.mailboxes.some((one) => one.key === attack.mailbox);
  const domains = new Set(attack.domains);
  return (
    contributors.sources.some((one) => one.key === attack.source) ||
    contributors.domains.some((one) => domains.has(one.key))
  );
}

/**
 * When a person was told: at detection, or, where the attack joined an incident that was there
 * before, at its first escalation during the attack.
 */
function toldAtMs(incident: IncidentDocument, attack: AttackTruth): number {
  const details = incident.relaywatch.incident;
  const times = [details.detected_at, ...details.escalations.map((escalation) => escalation.at)].map((at) =>
    Date.parse(at),
  );
  return times.find((time) => time >= attack.startMs && time <= attack.endMs + AFTERMATH_MS) ?? Number.NaN;
}

function judgeAttack(trial: Trial, attack: AttackTruth, incidents: readonly IncidentDocument[]): AttackOutcome {
  const wanted = FAMILY_OF[attack.kind];
  let found: IncidentDocument | null = null;
  let foundAtMs = Number.NaN;
  let related = 0;
  for (const incident of incidents) {
    const detectedMs = Date.parse(incident.relaywatch.incident.detected_at);
    const during = detectedMs >= attack.startMs && detectedMs <= attack.endMs + AFTERMATH_MS;
    const named = names(incident, attack);
    const atMs = named ? toldAtMs(incident, attack) : Number.NaN;
    // A limit that nears is a message of its own about the same attack.
    if (incident.relaywatch.incident.family !== 'limit' && (during || !Number.isNaN(atMs))) related++;
    if (Number.isNaN(atMs)) continue;
    const better =
      found === null ||
      (incident.relaywatch.incident.family === wanted && found.relaywatch.incident.family !== wanted) ||
      (incident.relaywatch.incident.family === found.relaywatch.incident.family && atMs < foundAtMs);
    if (better) {
      found = incident;
      foundAtMs = atMs;
    }
  }
  const details = found?.relaywatch.incident;
  const first = attack.kind === 'mailbox' ? details?.contributors.mailboxes[0] : details?.contributors.sources[0];
  return {
    trial: trial.name,
    kind: attack.kind,
    recipients: attack.pairs.length,
    detected: details !== undefined && details.family === wanted,
    leak: details === undefined ? Number.NaN : attack.pairs.filter((pair) => pair.timeMs <= foundAtMs).length,
    delayMs: foundAtMs - attack.startMs,
    family: details?.family ?? '',
    type: details?.type ?? '',
    severity: found?.event.severity ?? 0,
    familyRight: details?.family === wanted,
    firstContributorRight:
      first !== undefined && first.key === (attack.kind === 'mailbox' ? attack.mailbox : attack.source),
    incidents: related,
  };
}

function judgeQuiet(trial: Trial, incidents: readonly IncidentDocument[]): QuietOutcome {
  const { traffic } = trial;
  const learnedMs = traffic.startMs + trial.learningDays * DAY_MS;
  const endMs = traffic.startMs + traffic.days * DAY_MS;
  const quiet: QuietOutcome = {
    trial: trial.name,
    months: Math.max(0, traffic.days - trial.learningDays) / 30,
    rowsPerDay: countRows(traffic.messages) / traffic.days,
    learning: {},
    after: {},
    daysInAlarm: 0,
    incidents: [],
  };
  const alarmDays = new Set<number>();
  for (const incident of incidents) {
    const details = incident.relaywatch.incident;
    const detectedMs = Date.parse(details.detected_at);
    const aboutAttack = traffic.attacks.some(
      (attack) =>
        names(incident, attack) || (detectedMs >= attack.startMs && detectedMs <= attack.endMs + AFTERMATH_MS),
    );
    if (aboutAttack) continue;
    const counts = detectedMs < learnedMs ? quiet.learning : quiet.after;
    counts[details.family] = (counts[details.family] ?? 0) + 1;
    const lastMs = Math.min(endMs - 1, Date.parse(incident.event.end));
    for (let time = Math.max(detectedMs, learnedMs); time <= lastMs; time += HOUR_MS) {
      alarmDays.add(Math.floor(time / DAY_MS));
    }
    quiet.incidents.push(
      `${details.detected_at} ${details.family}/${details.type} ${details.series.join('+')} ` +
        `${details.observed} in ${details.window}, expected ${details.expected}, score ${details.score}: ${incident.message}`,
    );
  }
  const daysAfter = traffic.days - trial.learningDays;
  quiet.daysInAlarm = daysAfter > 0 ? alarmDays.size / daysAfter : 0;
  return quiet;
}

export function judge(trial: Trial, incidents: readonly IncidentDocument[]): TrialOutcome {
  const real = incidents.filter((incident) => incident.relaywatch.incident.state !== 'retracted');
  return {
    attacks: trial.traffic.attacks.map((attack) => judgeAttack(trial, attack, real)),
    quiet: judgeQuiet(trial, real),
  };
}

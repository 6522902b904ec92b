/** Whether the incidents that came out are the ones that a case expects. */

import { type IncidentDocument, SEVERITIES, SEVERITY_NUMBERS } from '../../core/incident-document.ts';
import type { ExpectedIncident } from './pipeline.ts';

export interface CaseOutcome {
  /** Expected, and not among the incidents. */
  missing: ExpectedIncident[];
  /** Incidents that nothing expects. */
  unexpected: IncidentDocument[];
}

/** Gives each expectation an incident of its own; the most demanding choose first. Both lists are empty where all fits. */
export function compareWithCase(
  expected: readonly ExpectedIncident[],
  incidents: readonly IncidentDocument[],
): CaseOutcome {
  const unexpected = [...incidents];
  const missing: ExpectedIncident[] = [];
  for (const one of [...expected].sort((a, b) => demands(b) - demands(a))) {
    const index = unexpected.findIndex((incident) => fits(one, incident));
    if (index === -1) missing.push(one);
    else unexpected.splice(index, 1);
  }
  return { missing, unexpected };
}

function fits(expected: ExpectedIncident, incident: IncidentDocument): boolean {
  const { family, contributors } = incident.relaywatch.incident;
  if (expected.family !== undefined && expected.family !== family) return false;
  if (expected.type !== undefined && expected.type !== incident.relaywatch.incident.type) return false;
  if (expected.severity !== undefined) {
    if (incident.event.severity !== SEVERITY_NUMBERS[SEVERITIES.indexOf(expected.severity)]) return false;
  }
  const kinds = Object.entries(expected.contributors ?? {}) as [keyof typeof contributors, string[]][];
  return kinds.every(([kind, keys]) => keys.every((key) => contributors[kind].some((found) => found.key === key)));
}

function demands({ family, type, severity, contributors }: ExpectedIncident): number {
  const plain = [family, type, severity].filter((value) => value !== undefined).length;
  return plain + Object.values(contributors ?? {}).reduce((sum, keys) => sum + keys.length, 0);
}

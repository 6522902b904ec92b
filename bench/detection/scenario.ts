/** What a scenario of the evaluation is: seeded tenants, with or without an attack, and what must hold. */

import type { IncidentDocument } from '../../src/core/incident-document.ts';
import type { AttackTruth, Traffic } from '../traffic/message.ts';
import type { Interval } from './statistics.ts';

/** One tenant, as the product sees it, and what is known about it besides. */
export interface Trial {
  /** Names the trial in the results; its seed is in it. */
  name: string;
  traffic: Traffic;
  /** Days at the start in which the product still learns; incidents count apart. */
  learningDays: number;
}

/** What became of one attack. */
export interface AttackOutcome {
  trial: string;
  kind: AttackTruth['kind'];
  recipients: number;
  detected: boolean;
  /** Attack recipients up to and including the time of the alert; NaN where it was missed. */
  leak: number;
  delayMs: number;
  family: string;
  type: string;
  severity: number;
  familyRight: boolean;
  firstContributorRight: boolean;
  /** Incidents that name the attacker, or were raised while it sent or in the day after. */
  incidents: number;
}

/** What a tenant saw besides its attacks. */
export interface QuietOutcome {
  trial: string;
  /** Months of 30 days after the learning days. */
  months: number;
  rowsPerDay: number;
  /** Incidents by family: while learning, and after. */
  learning: Record<string, number>;
  after: Record<string, number>;
  /** Days after the learning days on which an incident was active, as a share. */
  daysInAlarm: number;
  /** One line for each incident: for a person who wants to know what it was. */
  incidents: string[];
}

export interface TrialOutcome {
  attacks: AttackOutcome[];
  quiet: QuietOutcome;
}

export interface Metric {
  name: string;
  interval: Interval;
  /** Upper bound (`max`) or lower bound (`min`) that the project promises; none where it is only reported. */
  gate?: { kind: 'max' | 'min'; bound: number };
}

export interface Scenario {
  id: string;
  title: string;
  /** Number of trials by default. */
  trials: number;
  /** Makes trial number `index`. Throws nothing; returns null where the trial cannot be made here. */
  make(seed: string, index: number): Trial | null;
  /** The numbers that decide. */
  measure(outcomes: readonly TrialOutcome[]): Metric[];
}

export interface Driver {
  name: string;
  scan(trial: Trial): Promise<IncidentDocument[]>;
}

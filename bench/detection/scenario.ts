/**
 * What a scenario of the evaluation is: something that happens in a tenant from some day on, an attack or
 * what looks like one, and the numbers that must hold.
 */

import type { IncidentDocument, IncidentType } from '../../src/core/incident-document.ts';
import type { AttackTruth, Traffic } from '../traffic/message.ts';
import type { Random } from '../traffic/random.ts';
import type { Variation } from '../traffic/variation.ts';
import type { BackgroundKind, OpenBackground } from './backgrounds.ts';
import type { BackgroundFacts } from './facts.ts';
import type { Interval } from './statistics.ts';

/** What an analyst said about an incident: `benign` or `abuse`. */
export interface Label {
  incident: string;
  verdict: 'benign' | 'abuse';
  by: string;
  at: string;
  note: string;
}

/** One tenant, as the product sees it, and what is known about it besides. */
export interface Trial {
  /** Names the trial in the results; its seed is in it. */
  name: string;
  traffic: Traffic;
}

/** An attack, and what the product should call it. */
export interface ExpectedAttack {
  truth: AttackTruth;
  /** Types that are right. */
  types: readonly IncidentType[];
}

/** Something harmless that looks like an attack. */
export interface LookAlike {
  /** One for each time that it happens: the first incident in one of them belongs to it. */
  occurrences: readonly { startMs: number; endMs: number }[];
  /** Types that are right; none where any type that is no attack will do. */
  types: readonly IncidentType[];
}

/** What happens in a trial. */
export interface Happening {
  variation: Variation;
  attacks: readonly ExpectedAttack[];
  lookAlike?: LookAlike;
  /** What an analyst says about the first scan; a second one with these labels is judged. */
  labels?: (documents: readonly IncidentDocument[]) => Label[];
}

/** A trial before it is known what the background looks like: which days it needs. */
export interface Plan {
  /** First day, from 0, on which anything is different. */
  fromDay: number;
  /** The trial ends before this day. */
  toDay: number;
  /** `facts` are those of the days before `fromDay`. */
  build(facts: BackgroundFacts): Happening;
}

export interface Scenario {
  id: string;
  title: string;
  /** Where it makes sense. */
  runsOn(background: BackgroundKind): boolean;
  /** Null where it cannot happen in this tenant. */
  plan(random: Random, background: OpenBackground): Plan | null;
  /** The numbers that decide, over the trials of one pool of backgrounds. */
  measure(outcomes: readonly TrialOutcome[], pool: string): Metric[];
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
  /** `event.start` less the true start. */
  onsetErrorMs: number;
  family: string;
  type: string;
  typeRight: boolean;
  /** Types that would have been right. */
  types: readonly string[];
  severity: number;
  firstContributorRight: boolean;
  /** Incidents that name the attacker, or were raised while it sent or in the day after. */
  incidents: number;
  /** Openings, escalations and reopenings of the incident that told. */
  notifications: number;
  startMs: number;
}

export interface LookAlikeOutcome {
  trial: string;
  /** Incidents of each occurrence. */
  incidents: number[];
  /** Whether any of them was called an attack. */
  calledAttack: boolean;
  /** Whether all of them were called by the right name; true where there were none. */
  typesRight: boolean;
  /** Highest `event.severity`; 0 where there was none. */
  severity: number;
  types: string[];
}

/** What a tenant saw besides its attacks. */
export interface QuietOutcome {
  trial: string;
  /** Months of 30 days after the learning days. */
  months: number;
  rowsPerDay: number;
  unregisteredPerDay: number;
  /** Incidents by family: while learning, and after. */
  learning: Record<string, number>;
  after: Record<string, number>;
  /** Days after the learning days on which an incident was active, as a share. */
  daysInAlarm: number;
  /** One line for each incident: for a person who wants to know what it was. */
  incidents: string[];
}

export interface TrialOutcome {
  trial: string;
  background: string;
  attacks: AttackOutcome[];
  lookAlike: LookAlikeOutcome | null;
  /** One line for each incident that belongs to the trial. */
  incidents: string[];
}

/** Upper bound (`max`) or lower bound (`min`). */
export interface Bound {
  kind: 'max' | 'min';
  bound: number;
}

export interface Metric {
  name: string;
  interval: Interval;
  /** What the project promises: the evaluation fails where it does not hold. */
  gate?: Bound;
  /** What it aims at. */
  goal?: Bound;
}

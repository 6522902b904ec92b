/** The numbers that scenarios report. */

import { SEVERITY_NUMBERS } from '../../src/core/incident-document.ts';
import type { AttackOutcome, Bound, LookAlikeOutcome, Metric, QuietOutcome, TrialOutcome } from './scenario.ts';
import { bootstrap, mean, median, quantile } from './statistics.ts';

/** What is promised, and what is aimed at. */
export interface Promised {
  gate?: number;
  goal?: number;
}

export interface AttackBounds {
  recall?: Promised;
  leakMedian?: Promised;
  leakP95?: Promised;
  type?: Promised;
  firstContributor?: Promised;
  incidents?: Promised;
  /** Share of attacks found that are of high severity or above. */
  severe?: Promised;
  /** Leak (95th percentile) as a share of Microsoft's limit for a tenant of 100 licences. */
  limitShare?: Promised;
}

/** External recipients in 24 hours that Microsoft allows a tenant of 100 licences. */
const LIMIT_OF_100_LICENSES = 22_059;

function exact(value: number): Metric['interval'] {
  return { value, low: value, high: value };
}

function boundsOf(kind: Bound['kind'], promised: Promised | undefined): Pick<Metric, 'gate' | 'goal'> {
  return {
    gate: promised?.gate === undefined ? undefined : { kind, bound: promised.gate },
    goal: promised?.goal === undefined ? undefined : { kind, bound: promised.goal },
  };
}

/** Recall, leak, and whether the right thing was said. Missed attacks leak all they sent. */
export function attackMetrics(outcomes: readonly TrialOutcome[], bounds: AttackBounds): Metric[] {
  const attacks = outcomes.flatMap((outcome) => outcome.attacks);
  const found = attacks.filter((attack) => attack.detected);
  const shareOf = (test: (attack: AttackOutcome) => boolean) => (sample: readonly AttackOutcome[]) =>
    mean(sample.map((attack) => (test(attack) ? 1 : 0)));
  const leakOf = (attack: AttackOutcome): number => (attack.detected ? attack.leak : attack.recipients);
  const leaks = (share: number) => (sample: readonly AttackOutcome[]) => quantile(sample.map(leakOf), share);
  const least = (name: string, interval: Metric['interval'], promised?: Promised): Metric => ({
    name,
    interval,
    ...boundsOf('min', promised),
  });
  const most = (name: string, interval: Metric['interval'], promised?: Promised): Metric => ({
    name,
    interval,
    ...boundsOf('max', promised),
  });
  const minutes = (numbers: readonly number[]): number => median(numbers) / 60_000;
  return [
    most('attacks', exact(attacks.length)),
    least(
      'recall',
      bootstrap(
        attacks,
        shareOf((attack) => attack.detected),
      ),
      bounds.recall,
    ),
    most('leak, median [recipients]', bootstrap(attacks, leaks(0.5)), bounds.leakMedian),
    most('leak, 95th percentile [recipients]', bootstrap(attacks, leaks(0.95)), bounds.leakP95),
    most(
      'leak as a share of the limit of 100 licences, 95th percentile',
      bootstrap(attacks, (sample) => leaks(0.95)(sample) / LIMIT_OF_100_LICENSES),
      bounds.limitShare,
    ),
    most(
      'delay, median [minutes]',
      bootstrap(found, (sample) => minutes(sample.map((attack) => attack.delayMs))),
    ),
    most(
      'onset off by, median [minutes]',
      bootstrap(found, (sample) => minutes(sample.map((attack) => Math.abs(attack.onsetErrorMs)))),
    ),
    least(
      'type right',
      bootstrap(
        found,
        shareOf((attack) => attack.typeRight),
      ),
      bounds.type,
    ),
    least(
      'high severity or above',
      bootstrap(
        found,
        shareOf((attack) => attack.severity >= SEVERITY_NUMBERS[2]),
      ),
      bounds.severe,
    ),
    least(
      'first contributor right',
      bootstrap(
        found,
        shareOf((attack) => attack.firstContributorRight),
      ),
      bounds.firstContributor,
    ),
    most(
      'incidents an attack',
      bootstrap(found, (sample) => mean(sample.map((one) => one.incidents))),
      bounds.incidents,
    ),
    most(
      'notifications an attack',
      bootstrap(found, (sample) => mean(sample.map((one) => one.notifications))),
    ),
  ];
}

/** How often each type was given, as text for the report. */
export function typeCounts(outcomes: readonly TrialOutcome[]): string {
  const counts = new Map<string, number>();
  const add = (name: string): void => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  for (const { attacks, lookAlike } of outcomes) {
    for (const attack of attacks) {
      add(attack.detected ? attack.type : attack.family === '' ? 'missed' : `wrong family: ${attack.family}`);
    }
    for (const type of lookAlike?.types ?? []) add(type);
  }
  return [...counts.entries()]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

export interface LookAlikeBounds {
  /** Incidents of an occurrence that are tolerated; told apart from the trials that have more. */
  most: number;
  /** Right names are part of the promise. */
  byName: boolean;
  /** An analyst has called the first one benign: none may follow. */
  labelled: boolean;
}

/** Incidents about something harmless, and what they were called. */
export function lookAlikeMetrics(outcomes: readonly TrialOutcome[], bounds: LookAlikeBounds): Metric[] {
  const trials = outcomes.flatMap((outcome) => outcome.lookAlike ?? []);
  const told = trials.filter((trial) => trial.types.length > 0);
  const share = (sample: readonly LookAlikeOutcome[], test: (trial: LookAlikeOutcome) => boolean): number =>
    mean(sample.map((trial) => (test(trial) ? 1 : 0)));
  const later = (trial: LookAlikeOutcome): number => trial.incidents.slice(1).reduce((sum, count) => sum + count, 0);
  const metrics: Metric[] = [
    { name: 'trials', interval: exact(trials.length) },
    {
      name: 'incidents of the first occurrence',
      interval: bootstrap(trials, (sample) => mean(sample.map((trial) => trial.incidents[0]))),
    },
    {
      name: `share of trials with more than ${bounds.most} of an occurrence`,
      interval: bootstrap(trials, (sample) => share(sample, (one) => Math.max(...one.incidents) > bounds.most)),
      gate: { kind: 'max', bound: 0.05 },
      goal: { kind: 'max', bound: 0 },
    },
    {
      name: 'share of trials called an attack',
      interval: bootstrap(trials, (sample) => share(sample, (trial) => trial.calledAttack)),
      gate: { kind: 'max', bound: 0 },
    },
    {
      name: 'share above low severity',
      interval: bootstrap(trials, (sample) => share(sample, (trial) => trial.severity > SEVERITY_NUMBERS[0])),
      goal: { kind: 'max', bound: 0 },
    },
  ];
  if (trials.some((trial) => trial.incidents.length > 1)) {
    metrics.push({
      name: bounds.labelled ? 'repeats after a benign label, a trial' : 'repeats without a label, a trial',
      interval: bootstrap(trials, (sample) => mean(sample.map(later))),
      gate: bounds.labelled ? { kind: 'max', bound: 0 } : undefined,
    });
  }
  if (bounds.byName) {
    metrics.push(
      { name: 'told', interval: bootstrap(trials, (sample) => share(sample, (trial) => trial.types.length > 0)) },
      {
        name: 'called by its name',
        interval: bootstrap(told, (sample) => share(sample, (trial) => trial.typesRight)),
        gate: { kind: 'min', bound: 0.9 },
        goal: { kind: 'min', bound: 0.98 },
      },
    );
  }
  return metrics;
}

const FAMILIES = ['unregistered', 'bulk', 'limit', 'blocked'] as const;

export interface QuietBounds {
  /** Incidents of a family per tenant-month after the learning days. */
  unregistered?: Promised;
  allFamilies?: Promised;
  /** Incidents of all families while learning, of the worst tenant. */
  learningWorst?: Promised;
  daysInAlarm?: Promised;
}

/** False incidents per tenant-month, by family, after the learning days and in them. */
export function quietMetrics(tenants: readonly QuietOutcome[], bounds: QuietBounds): Metric[] {
  const total = (counts: Record<string, number>): number =>
    Object.values(counts).reduce((sum, count) => sum + count, 0);
  const rate = (count: (tenant: QuietOutcome) => number) => (sample: readonly QuietOutcome[]) => {
    const months = sample.reduce((sum, tenant) => sum + tenant.months, 0);
    return sample.reduce((sum, tenant) => sum + count(tenant), 0) / months;
  };
  const metrics: Metric[] = [
    { name: 'tenants', interval: exact(tenants.length) },
    {
      name: 'tenant-months after learning',
      interval: exact(tenants.reduce((sum, tenant) => sum + tenant.months, 0)),
    },
    { name: 'rows a day', interval: bootstrap(tenants, (sample) => mean(sample.map((tenant) => tenant.rowsPerDay))) },
  ];
  for (const family of FAMILIES) {
    const any = tenants.some((tenant) => (tenant.after[family] ?? 0) + (tenant.learning[family] ?? 0) > 0);
    if (!any && family !== 'unregistered' && family !== 'bulk') continue;
    metrics.push({
      name: `false incidents a tenant-month, ${family}`,
      interval: bootstrap(
        tenants,
        rate((tenant) => tenant.after[family] ?? 0),
      ),
      ...boundsOf('max', family === 'unregistered' ? bounds.unregistered : undefined),
    });
  }
  metrics.push(
    {
      name: 'false incidents a tenant-month, all families',
      interval: bootstrap(
        tenants,
        rate((tenant) => total(tenant.after)),
      ),
      ...boundsOf('max', bounds.allFamilies),
    },
    {
      name: 'incidents while learning, mean of tenants',
      interval: bootstrap(tenants, (sample) => mean(sample.map((tenant) => total(tenant.learning)))),
    },
    {
      name: 'incidents while learning, worst tenant',
      interval: bootstrap(tenants, (sample) => Math.max(...sample.map((tenant) => total(tenant.learning)))),
      ...boundsOf('max', bounds.learningWorst),
    },
    {
      name: 'share of days in alarm',
      interval: bootstrap(tenants, (sample) => mean(sample.map((tenant) => tenant.daysInAlarm))),
      ...boundsOf('max', bounds.daysInAlarm),
    },
    {
      name: 'share of days in alarm, worst tenant',
      interval: bootstrap(tenants, (sample) => Math.max(...sample.map((tenant) => tenant.daysInAlarm))),
    },
  );
  return metrics;
}

/** What quiet tenants are held to, by `quietAs` of their kind. */
export const QUIET_BOUNDS: Record<string, QuietBounds> = {
  '10': quietBounds(0.2, 0.05),
  '300': quietBounds(0.3, 0.1),
  '1k': quietBounds(0.4, 0.1),
  '10k': quietBounds(1.5, 0.3),
  '100k': quietBounds(2, 0.5),
  growing: { allFamilies: { gate: 0.5, goal: 0.2 }, learningWorst: { gate: 3, goal: 1 } },
  changing: { allFamilies: { gate: 0.5, goal: 0.2 }, learningWorst: { gate: 3, goal: 1 } },
  forwarding: {
    unregistered: { gate: 0.4, goal: 0.1 },
    learningWorst: { gate: 3, goal: 1 },
    daysInAlarm: { gate: 0.25, goal: 0.05 },
  },
  hybrid: quietBounds(0.3, 0.1),
  'real mail': { unregistered: { gate: 0.3, goal: 0.05 } },
  'real mail, way in hidden': { unregistered: { gate: 0.4 } },
};

function quietBounds(gate: number, goal: number): QuietBounds {
  return {
    unregistered: { gate: 0.3, goal: 0.05 },
    allFamilies: { gate, goal },
    learningWorst: { gate: 3, goal: 1 },
    daysInAlarm: { gate: 0.25, goal: 0.05 },
  };
}

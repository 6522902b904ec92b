/** The numbers most scenarios report. */

import type { AttackOutcome, Metric, QuietOutcome, TrialOutcome } from './scenario.ts';
import { bootstrap, mean, median, quantile } from './statistics.ts';

function attacksOf(outcomes: readonly TrialOutcome[]): AttackOutcome[] {
  return outcomes.flatMap((outcome) => outcome.attacks);
}

export interface AttackGates {
  recall?: number;
  leakMedian?: number;
  leakP95?: number;
  incidents?: number;
  firstContributor?: number;
}

/** Recall, leak, and whether the right thing was said. Missed attacks leak all they sent. */
export function attackMetrics(outcomes: readonly TrialOutcome[], gates: AttackGates): Metric[] {
  const attacks = attacksOf(outcomes);
  const share = (test: (attack: AttackOutcome) => boolean) => (sample: readonly AttackOutcome[]) =>
    mean(sample.map((attack) => (test(attack) ? 1 : 0)));
  const found = attacks.filter((attack) => attack.detected);
  const leaks = (statistic: (numbers: readonly number[]) => number) => (sample: readonly AttackOutcome[]) =>
    statistic(sample.map((attack) => (attack.detected ? attack.leak : attack.recipients)));
  const metric = (name: string, interval: Metric['interval'], kind: 'max' | 'min', bound?: number): Metric => ({
    name,
    interval,
    gate: bound === undefined ? undefined : { kind, bound },
  });
  return [
    metric('attacks', { value: attacks.length, low: attacks.length, high: attacks.length }, 'min'),
    metric(
      'recall',
      bootstrap(
        attacks,
        share((attack) => attack.detected),
      ),
      'min',
      gates.recall,
    ),
    metric('leak, median [recipients]', bootstrap(attacks, leaks(median)), 'max', gates.leakMedian),
    metric(
      'leak, 95th percentile [recipients]',
      bootstrap(
        attacks,
        leaks((numbers) => quantile(numbers, 0.95)),
      ),
      'max',
      gates.leakP95,
    ),
    metric(
      'delay, median [minutes]',
      bootstrap(found, (sample) => median(sample.map((attack) => attack.delayMs / 60_000))),
      'max',
    ),
    metric(
      'incidents an attack',
      bootstrap(attacks, (sample) => mean(sample.map((attack) => attack.incidents))),
      'max',
      gates.incidents,
    ),
    metric(
      'first contributor right',
      bootstrap(
        found,
        share((attack) => attack.firstContributorRight),
      ),
      'min',
      gates.firstContributor,
    ),
  ];
}

/** How often each type was given, as text for the report. */
export function typeCounts(outcomes: readonly TrialOutcome[]): string {
  const counts = new Map<string, number>();
  for (const attack of attacksOf(outcomes)) {
    const name = attack.detected ? attack.type : attack.family === '' ? 'missed' : `wrong family: ${attack.family}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts.entries()]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

const FAMILIES = ['unregistered', 'bulk', 'limit', 'blocked'] as const;

export interface QuietGates {
  /** Incidents of a family per tenant-month after the learning days. */
  unregistered?: number;
  allFamilies?: number;
  /** Incidents of all families while learning, of the worst tenant. */
  learningWorst?: number;
  daysInAlarm?: number;
}

/** False incidents per tenant-month, by family, after the learning days and in them. */
export function quietMetrics(outcomes: readonly TrialOutcome[], gates: QuietGates): Metric[] {
  const tenants = outcomes.map((outcome) => outcome.quiet);
  const total = (counts: Record<string, number>): number =>
    Object.values(counts).reduce((sum, count) => sum + count, 0);
  const rate = (count: (tenant: QuietOutcome) => number) => (sample: readonly QuietOutcome[]) => {
    const months = sample.reduce((sum, tenant) => sum + tenant.months, 0);
    return sample.reduce((sum, tenant) => sum + count(tenant), 0) / months;
  };
  const months = tenants.reduce((sum, tenant) => sum + tenant.months, 0);
  const exact = (value: number) => ({ value, low: value, high: value });
  const atMost = (bound: number | undefined): Metric['gate'] =>
    bound === undefined ? undefined : { kind: 'max', bound };
  const metrics: Metric[] = [
    { name: 'tenants', interval: exact(tenants.length) },
    { name: 'tenant-months after learning', interval: exact(months) },
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
      gate: family === 'unregistered' ? atMost(gates.unregistered) : undefined,
    });
  }
  metrics.push(
    {
      name: 'false incidents a tenant-month, all families',
      interval: bootstrap(
        tenants,
        rate((tenant) => total(tenant.after)),
      ),
      gate: atMost(gates.allFamilies),
    },
    {
      name: 'incidents while learning, mean of tenants',
      interval: bootstrap(tenants, (sample) => mean(sample.map((tenant) => total(tenant.learning)))),
    },
    {
      name: 'incidents while learning, worst tenant',
      interval: bootstrap(tenants, (sample) => Math.max(...sample.map((tenant) => total(tenant.learning)))),
      gate: atMost(gates.learningWorst),
    },
    {
      name: 'share of days in alarm',
      interval: bootstrap(tenants, (sample) => mean(sample.map((tenant) => tenant.daysInAlarm))),
      gate: atMost(gates.daysInAlarm),
    },
  );
  return metrics;
}

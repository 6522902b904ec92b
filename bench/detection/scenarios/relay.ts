/** A server relays mail of domains that the tenant does not own. */

import { addAttack, type RelayAttack } from '../../traffic/attack.ts';
import { Random } from '../../traffic/random.ts';
import { type AttackGates, attackMetrics } from '../metrics.ts';
import type { Scenario } from '../scenario.ts';
import { anyHour, attackSource, dayOf, LEARNING_DAYS, makeTenant } from '../tenants.ts';

interface RelayOptions {
  id: string;
  title: string;
  rowsPerDay: readonly number[];
  recipientsPerHour: number;
  recipientsPerMessage?: number;
  domains: RelayAttack['domains'];
  /** Days of the tenant on which the attack may begin, from 0, both included. */
  fromDay: number;
  toDay: number;
  gates: AttackGates;
  trials?: number;
}

function relay(options: RelayOptions): Scenario {
  return {
    id: options.id,
    title: options.title,
    trials: options.trials ?? 60,
    make: (seed, index) => {
      const random = new Random(`${seed}/${options.id}/${index}`);
      const startMs = anyHour(random, options.fromDay, options.toDay);
      const hours = 3;
      const background = makeTenant({
        seed: random.seed,
        rowsPerDay: random.pick(options.rowsPerDay),
        // What comes more than two days after the attack changes nothing about it.
        days: dayOf(startMs) + 3,
        hybrid: 'either',
      });
      addAttack(background, {
        kind: 'relay',
        id: 'attack',
        startMs,
        hours,
        recipientsPerHour: options.recipientsPerHour,
        recipientsPerMessage: options.recipientsPerMessage,
        domains: options.domains,
        source: attackSource(random, background),
      });
      return { name: `${options.id}/${index}`, traffic: background.traffic, learningDays: LEARNING_DAYS };
    },
    measure: (outcomes) => attackMetrics(outcomes, options.gates),
  };
}

/** Sizes of tenants for which the leak of a burst is promised. */
const SMALL = [10, 100, 300, 1000] as const;
const BURST: AttackGates = { recall: 0.98, leakMedian: 15, leakP95: 25, incidents: 1.2, firstContributor: 0.95 };
const FIRST_DAY: AttackGates = { recall: 1, leakMedian: 15, leakP95: 50, incidents: 1.2, firstContributor: 0.95 };

export const RELAY_SCENARIOS: Scenario[] = [
  ...[200, 1000].flatMap((recipientsPerHour) => [
    relay({
      id: `relay-${recipientsPerHour}-one-domain`,
      title: `Relay, ${recipientsPerHour}/h from one domain, any hour from the second day on`,
      rowsPerDay: SMALL,
      recipientsPerHour,
      domains: { count: 1 },
      fromDay: 1,
      toDay: 42,
      gates: BURST,
    }),
    relay({
      id: `relay-${recipientsPerHour}-many-domains`,
      title: `Relay, ${recipientsPerHour}/h from 40 domains, any hour from the second day on`,
      rowsPerDay: SMALL,
      recipientsPerHour,
      domains: { count: 40 },
      fromDay: 1,
      toDay: 42,
      gates: BURST,
    }),
    relay({
      id: `relay-${recipientsPerHour}-second-day`,
      title: `Relay, ${recipientsPerHour}/h from one domain, on the second to the seventh day`,
      rowsPerDay: SMALL,
      recipientsPerHour,
      domains: { count: 1 },
      fromDay: 1,
      toDay: 6,
      gates: BURST,
    }),
    relay({
      id: `relay-${recipientsPerHour}-first-day`,
      title: `Relay, ${recipientsPerHour}/h from one domain, on the first day`,
      rowsPerDay: SMALL,
      recipientsPerHour,
      domains: { count: 1 },
      fromDay: 0,
      toDay: 0,
      gates: FIRST_DAY,
    }),
    relay({
      id: `relay-${recipientsPerHour}-large`,
      title: `Relay, ${recipientsPerHour}/h from one domain, tenant of 10,000 rows a day`,
      rowsPerDay: [10_000],
      recipientsPerHour,
      domains: { count: 1 },
      fromDay: 14,
      toDay: 20,
      gates: { recall: 0.98, leakMedian: 25, leakP95: 80, incidents: 1.2, firstContributor: 0.95 },
      trials: 6,
    }),
  ]),
  ...[
    { recipientsPerMessage: 20, leak: 60 },
    { recipientsPerMessage: 100, leak: 100 },
    { recipientsPerMessage: 500, leak: 500 },
  ].flatMap(({ recipientsPerMessage, leak }) =>
    [200, 1000].map((recipientsPerHour) =>
      relay({
        id: `relay-${recipientsPerHour}-by-${recipientsPerMessage}`,
        title: `Relay, ${recipientsPerHour}/h sent as ${recipientsPerMessage} recipients a message`,
        rowsPerDay: SMALL,
        recipientsPerHour,
        recipientsPerMessage,
        domains: { count: 1 },
        fromDay: 1,
        toDay: 42,
        gates: { recall: 0.98, leakMedian: leak, incidents: 1.2, firstContributor: 0.95 },
      }),
    ),
  ),
];

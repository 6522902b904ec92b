/** A mailbox here is taken over and sends. */

import { addAttack } from '../../traffic/attack.ts';
import { Random } from '../../traffic/random.ts';
import { attackMetrics } from '../metrics.ts';
import type { Scenario } from '../scenario.ts';
import { anyHour, dayOf, LEARNING_DAYS, makeTenant } from '../tenants.ts';

function mailbox(recipientsPerHour: number, leakMedian: number): Scenario {
  const id = `mailbox-${recipientsPerHour}`;
  return {
    id,
    title: `Mailbox taken over, ${recipientsPerHour}/h`,
    trials: 60,
    make: (seed, index) => {
      const random = new Random(`${seed}/${id}/${index}`);
      const startMs = anyHour(random, 1, 42);
      const background = makeTenant({
        seed: random.seed,
        rowsPerDay: random.pick([10, 100, 300, 1000]),
        days: dayOf(startMs) + 3,
        hybrid: 'either',
      });
      addAttack(background, {
        kind: 'mailbox',
        id: 'attack',
        startMs,
        hours: 3,
        recipientsPerHour,
      });
      return { name: `${id}/${index}`, traffic: background.traffic, learningDays: LEARNING_DAYS };
    },
    measure: (outcomes) =>
      attackMetrics(outcomes, { recall: 0.98, leakMedian, incidents: 1.2, firstContributor: 0.95 }),
  };
}

export const MAILBOX_SCENARIOS: Scenario[] = [mailbox(300, 60), mailbox(1000, 60)];

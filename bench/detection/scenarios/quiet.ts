/** Tenants in which nothing bad happens: whatever is raised is false. */

import { quietMetrics } from '../metrics.ts';
import type { Scenario } from '../scenario.ts';
import { LEARNING_DAYS, makeTenant } from '../tenants.ts';

function quiet(options: {
  id: string;
  title: string;
  rowsPerDay: number;
  hybrid: 'none' | 'quiet';
  trials: number;
  months: number;
  allFamilies: number;
}): Scenario {
  return {
    id: options.id,
    title: options.title,
    trials: options.trials,
    make: (seed, index) => ({
      name: `${options.id}/${index}`,
      traffic: makeTenant({
        seed: `${seed}/${options.id}/${index}`,
        rowsPerDay: options.rowsPerDay,
        days: LEARNING_DAYS + 30 * options.months,
        hybrid: options.hybrid,
      }).traffic,
      learningDays: LEARNING_DAYS,
    }),
    measure: (outcomes) =>
      quietMetrics(outcomes, { unregistered: 0.3, allFamilies: options.allFamilies, daysInAlarm: 0.25 }),
  };
}

/** The bounds on all families are those that the detector is held to by size of tenant. */
export const QUIET_SCENARIOS: Scenario[] = [
  quiet({
    id: 'quiet-forwarding-10',
    title: 'Forwarding only, 10 rows a day',
    rowsPerDay: 10,
    hybrid: 'none',
    trials: 20,
    months: 2,
    allFamilies: 0.2,
  }),
  quiet({
    id: 'quiet-forwarding-300',
    title: 'Forwarding only, 300 rows a day',
    rowsPerDay: 300,
    hybrid: 'none',
    trials: 30,
    months: 2,
    allFamilies: 0.3,
  }),
  quiet({
    id: 'quiet-forwarding-1000',
    title: 'Forwarding only, 1,000 rows a day',
    rowsPerDay: 1000,
    hybrid: 'none',
    trials: 15,
    months: 2,
    allFamilies: 0.4,
  }),
  quiet({
    id: 'quiet-hybrid-300',
    title: 'Quiet hybrid relay, 300 rows a day',
    rowsPerDay: 300,
    hybrid: 'quiet',
    trials: 30,
    months: 2,
    allFamilies: 0.3,
  }),
  quiet({
    id: 'quiet-hybrid-1000',
    title: 'Quiet hybrid relay, 1,000 rows a day',
    rowsPerDay: 1000,
    hybrid: 'quiet',
    trials: 15,
    months: 2,
    allFamilies: 0.4,
  }),
  quiet({
    id: 'quiet-hybrid-10000',
    title: 'Quiet hybrid relay, 10,000 rows a day',
    rowsPerDay: 10_000,
    hybrid: 'quiet',
    trials: 4,
    months: 1,
    allFamilies: 1.5,
  }),
];

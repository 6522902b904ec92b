/**
 * Whether the order of rows matters (A25): the same tenant in any order, split and with repetitions, and
 * delivered live up to a day late, has to end with the same incidents.
 *
 *     node bench/detection/order.ts [--runs 50] [--seed 1] [--backgrounds 10,300] [--show]
 *
 * Half of the runs read the rows shuffled and partly twice, as `scan` reads exports; half deliver them live,
 * up to 24 hours late, and count what was published and taken back. The tenants have attacks in them; a
 * new one comes after every ten runs. Exit 1 where an incident differs or was taken back.
 */

import { parseArgs } from 'node:util';
import { Random } from '../traffic/random.ts';
import { comparable, liveIncidents, shuffledIncidents } from './delivery.ts';
import { backgroundsCalled, scenariosCalled } from './evaluation.ts';
import { planTrials, scanTraffic, wholeTrial } from './group.ts';
import { lineOf } from './outcome.ts';
import type { Trial } from './scenario.ts';
import { AS_SHIPPED, adjustedSettings } from './task.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    backgrounds: { type: 'string', default: '10,300' },
    show: { type: 'boolean', default: false },
  },
});

const RUNS_PER_TENANT = 10;
const kinds = backgroundsCalled(values.backgrounds.split(','));
const scenarios = scenariosCalled(['A3', 'A8', 'A11', 'A13', 'A15', 'A18', 'A20', 'A21', 'A23', 'B1', 'B3', 'B6']);
if (kinds.length === 0) {
  process.stderr.write(`no background is called ${values.backgrounds}\n`);
  process.exit(2);
}

function tenant(number: number): Trial {
  const kind = kinds[number % kinds.length];
  const open = () => kind.open(`${values.seed}/order/${number}`);
  const planned = open();
  if (planned === null) throw new Error(`the data of background ${kind.id} is missing`);
  const trials = planTrials(scenarios, planned, values.seed, number);
  const trial = new Random(`${values.seed}/order/${number}`).pick(trials);
  return wholeTrial(open() ?? planned, trial);
}

const settings = adjustedSettings(AS_SHIPPED);
const runs = Number(values.runs);
let trial = tenant(0);
let expected = scanTraffic(trial.traffic, settings);
let incidents = 0;
let differing = 0;
let published = 0;
let retracted = 0;
for (let run = 0; run < runs; run++) {
  if (run > 0 && run % RUNS_PER_TENANT === 0) {
    trial = tenant(run / RUNS_PER_TENANT);
    expected = scanTraffic(trial.traffic, settings);
  }
  const random = new Random(`${values.seed}/delivery/${run}`);
  const isLive = run % 2 === 1;
  const live = isLive ? liveIncidents(trial.traffic, settings, random) : null;
  const made = comparable(live?.incidents ?? shuffledIncidents(trial.traffic, settings, random));
  published += live?.published ?? 0;
  retracted += live?.retracted.length ?? 0;
  incidents += expected.length;
  const wanted = comparable(expected);
  const missing = wanted.filter((document) => !made.includes(document));
  const extra = made.filter((document) => !wanted.includes(document));
  differing += Math.max(missing.length, extra.length);
  if (missing.length + extra.length > 0) {
    process.stdout.write(
      `run ${run} (${trial.name}, ${isLive ? 'live' : 'shuffled'}): ${missing.length} incident(s) missing or different\n`,
    );
    if (values.show) {
      for (const document of missing) process.stdout.write(`  expected ${document}\n`);
      for (const document of extra) process.stdout.write(`  found    ${document}\n`);
    }
  }
  if (values.show) {
    for (const document of live?.retracted ?? []) {
      process.stdout.write(`run ${run} (${trial.name}): taken back: ${lineOf(document)}\n`);
    }
  }
}
process.stdout.write(
  `${runs} deliveries, ${incidents} incidents expected, ${differing} different; ` +
    `live: ${published} published, ${retracted} taken back\n`,
);
if (differing > 0 || retracted * 1000 > published) process.exitCode = 1;

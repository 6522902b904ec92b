/**
 * Evaluates the detector over seeded tenants and prints the figures it is held to:
 *
 *     node bench/detection/evaluate.ts [--scenarios relay,quiet-hybrid] [--trials N] [--seed 1]
 *          [--driver records|files] [--format message-trace-v2] [--json FILE] [--show] [--list]
 *
 * The driver `records` (the default) hands pairs to the core; `files` writes exports and scans them.
 * `--scenarios` takes beginnings of ids; `--show` lists the incidents nobody caused and the attacks that
 * were missed or leaked most. Exit 1 where a bound does not hold.
 */

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ExportFormat } from '../traffic/export-files.ts';
import { judge } from './outcome.ts';
import { recordDriver } from './record-driver.ts';
import { markdown, resultOf, type ScenarioResult, verdict } from './report.ts';
import type { TrialOutcome } from './scenario.ts';
import { SCENARIOS } from './scenarios/registry.ts';

const { values } = parseArgs({
  options: {
    scenarios: { type: 'string' },
    trials: { type: 'string' },
    seed: { type: 'string', default: '1' },
    driver: { type: 'string', default: 'records' },
    format: { type: 'string' },
    json: { type: 'string' },
    show: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

if (values.list) {
  for (const scenario of SCENARIOS) process.stdout.write(`${scenario.id.padEnd(34)} ${scenario.title}\n`);
  process.exit(0);
}
const wanted = values.scenarios?.split(',') ?? [''];
const chosen = SCENARIOS.filter((scenario) => wanted.some((start) => scenario.id.startsWith(start)));
if (chosen.length === 0) {
  process.stderr.write(`no scenario begins with ${wanted.join(' or ')}; --list names them all\n`);
  process.exit(2);
}
const driver =
  values.driver === 'files'
    ? (await import('./file-driver.ts')).fileDriver((values.format as ExportFormat | undefined) ?? null)
    : recordDriver;
const results: ScenarioResult[] = [];
for (const scenario of chosen) {
  const began = performance.now();
  const outcomes: TrialOutcome[] = [];
  let crashed = 0;
  const trials = values.trials === undefined ? scenario.trials : Number(values.trials);
  for (let index = 0; index < trials; index++) {
    const trial = scenario.make(values.seed, index);
    if (trial === null) break;
    let outcome: TrialOutcome;
    try {
      outcome = judge(trial, await driver.scan(trial));
    } catch (error) {
      // A crash fails the scenario, but not the other trials.
      crashed++;
      process.stderr.write(`${trial.name}: ${error instanceof Error ? error.stack : String(error)}\n`);
      continue;
    }
    outcomes.push(outcome);
    if (values.show) {
      for (const line of outcome.quiet.incidents) process.stderr.write(`${trial.name}: ${line}\n`);
      for (const attack of outcome.attacks) {
        process.stderr.write(
          `${attack.trial}: ${attack.detected ? `leak ${attack.leak}` : 'MISSED'}, ${attack.family}/${attack.type}, ` +
            `${attack.incidents} incident(s), first contributor ${attack.firstContributorRight ? 'right' : 'WRONG'}\n`,
        );
      }
    }
  }
  if (outcomes.length + crashed === 0) continue;
  const result = resultOf(scenario, outcomes, crashed, (performance.now() - began) / 1000);
  results.push(result);
  process.stdout.write(`${markdown([result])}\n`);
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ seed: values.seed, driver: driver.name, results }, null, 1)}\n`);
}
if (results.some((result) => result.metrics.some((metric) => verdict(metric) === 'fails'))) process.exitCode = 1;

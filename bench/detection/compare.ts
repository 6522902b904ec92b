/**
 * Our detector beside others on the same rows: a fixed threshold, median and MAD by hour of the week, EARS-C2,
 * and ElastAlert2's own rule classes (where `elastalert/setup.sh` has been run).
 *
 *     node bench/detection/compare.ts [--trials 12] [--backgrounds 300,1k,radoslaw] [--scenarios A3,A8] [--seed 1]
 *          [--workers 2] [--without-elastalert] [--json FILE]
 *
 * Each detector is shown with the parameter that finds most at about our false alarms (the quietest where
 * none is quiet enough); `--json` has all of them.
 */

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { compared, comparisonTables } from './comparison.ts';
import { backgroundsCalled, evaluate, scenariosCalled } from './evaluation.ts';
import { AS_SHIPPED } from './task.ts';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '12' },
    backgrounds: { type: 'string', default: '300,1k,radoslaw,enron' },
    scenarios: {
      type: 'string',
      default: 'A2,A3,A6,A8,A9,A11,A12,A13,A14,A15,A18-100,A18-300,A18-1000,A19,A20,A22-relay,A22-mailbox',
    },
    seed: { type: 'string', default: 'compare' },
    workers: { type: 'string', default: String(availableParallelism()) },
    'without-elastalert': { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

const evaluation = await evaluate({
  seed: values.seed,
  scenarios: scenariosCalled(values.scenarios.split(',')),
  backgrounds: backgroundsCalled(values.backgrounds.split(',')),
  trials: Number(values.trials),
  workers: Number(values.workers),
  adjustment: AS_SHIPPED,
  withStreams: true,
});
for (const failure of evaluation.failures) process.stderr.write(`failed: ${failure}\n`);
const { ours, others } = await compared(evaluation, !values['without-elastalert']);
process.stdout.write(`${comparisonTables(ours, others)}\n`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ ours, others })}\n`);
if (evaluation.failures.length > 0) process.exitCode = 1;

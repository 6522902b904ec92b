/**
 * Evaluates the detector over generated tenants and real mail traces, and prints the figures it is held to:
 *
 *     node bench/detection/evaluate.ts [--quick | --trials 100] [--workers 2] [--seed 1]
 *          [--scenarios A8,B] [--backgrounds 300,1k,radoslaw] [--add-z 0] [--times-floors 1]
 *          [--by-background] [--details] [--show] [--json FILE] [--list]
 *
 * `--quick` (the default) takes minutes on two cores; `--trials N` is so many of every scenario on every
 * background. Backgrounds are summed up in pools (generated, real, 10k, 100k) unless `--by-background`. `--details` prints every number with its interval; `--show` names the trials that went wrong:
 * missed, of the wrong type, leaked most, false. Exit 1 where a gate does not hold.
 */

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { BACKGROUNDS } from './backgrounds.ts';
import { backgroundsCalled, type Evaluation, evaluate, scenariosCalled } from './evaluation.ts';
import { SCENARIOS } from './scenarios/registry.ts';
import { details, fails, overview } from './tables.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    trials: { type: 'string' },
    workers: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string', default: '1' },
    scenarios: { type: 'string' },
    backgrounds: { type: 'string' },
    'add-z': { type: 'string', default: '0' },
    'times-floors': { type: 'string', default: '1' },
    'by-background': { type: 'boolean', default: false },
    details: { type: 'boolean', default: false },
    show: { type: 'boolean', default: false },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

if (values.list) {
  for (const { id, title } of SCENARIOS) process.stdout.write(`${id.padEnd(18)} ${title}\n`);
  process.stdout.write('\n');
  for (const { id, title } of BACKGROUNDS) process.stdout.write(`${id.padEnd(18)} ${title}\n`);
  process.exit(0);
}

function refuse(text: string): never {
  process.stderr.write(`${text}; --list names them all\n`);
  process.exit(2);
}

const scenarios = values.scenarios === undefined ? SCENARIOS : scenariosCalled(values.scenarios.split(','));
if (scenarios.length === 0 && values.scenarios !== '') refuse(`no scenario is called ${values.scenarios}`);
const backgrounds = values.backgrounds === undefined ? BACKGROUNDS : backgroundsCalled(values.backgrounds.split(','));
if (backgrounds.length === 0) refuse(`no background is called ${values.backgrounds}`);

const LINES_EACH = 5;

/** What a person who tunes the detector wants to look at. */
function show({ outcomes, quiet }: Evaluation): string {
  const lines: string[] = [];
  for (const scenario of scenarios) {
    const mine = outcomes.filter((one) => one.scenario === scenario.id).map((one) => one.outcome);
    const attacks = mine.flatMap((outcome) => outcome.attacks.map((attack) => ({ attack, outcome })));
    const bad = [
      ...attacks
        .filter(({ attack }) => !attack.detected)
        .map(({ attack, outcome }) => ({ what: 'MISSED', attack, outcome })),
      ...attacks
        .filter(({ attack }) => attack.detected && !attack.typeRight)
        .map(({ attack, outcome }) => ({
          what: `TYPE ${attack.type} instead of ${attack.types.join(' or ')}`,
          attack,
          outcome,
        })),
      ...attacks
        .filter(({ attack }) => attack.detected && attack.incidents > 1)
        .map(({ attack, outcome }) => ({ what: `${attack.incidents} INCIDENTS`, attack, outcome })),
      ...attacks
        .filter(({ attack }) => attack.detected && !attack.firstContributorRight)
        .map(({ attack, outcome }) => ({ what: 'CONTRIBUTOR', attack, outcome })),
    ];
    const worst = attacks
      .filter(({ attack }) => attack.detected)
      .sort((a, b) => b.attack.leak - a.attack.leak)
      .slice(0, 2)
      .map(({ attack, outcome }) => ({ what: `LEAK ${attack.leak}`, attack, outcome }));
    const count = new Map<string, number>();
    for (const { what, attack, outcome } of [...bad, ...worst]) {
      const kind = what.split(' ')[0];
      count.set(kind, (count.get(kind) ?? 0) + 1);
      if ((count.get(kind) as number) > LINES_EACH) continue;
      lines.push(
        `${outcome.trial}: ${what}; leak ${attack.leak} of ${attack.recipients}, severity ${attack.severity}, ` +
          `${attack.kind} from ${new Date(attack.startMs).toISOString()}`,
      );
      for (const line of outcome.incidents.slice(0, 3)) lines.push(`    ${line}`);
    }
    const told = mine.filter(
      ({ lookAlike }) =>
        lookAlike !== null && (lookAlike.calledAttack || !lookAlike.typesRight || Math.max(...lookAlike.incidents) > 1),
    );
    for (const { trial, lookAlike, incidents } of told.slice(0, LINES_EACH)) {
      lines.push(`${trial}: ${lookAlike?.types.join(', ')}, incidents ${lookAlike?.incidents.join(' ')}`);
      for (const line of incidents.slice(0, 3)) lines.push(`    ${line}`);
    }
  }
  for (const { trial, incidents } of quiet) for (const line of incidents) lines.push(`quiet ${trial}: ${line}`);
  return `${lines.join('\n')}\n`;
}

const began = performance.now();
const evaluation = await evaluate({
  seed: values.seed,
  scenarios,
  backgrounds,
  trials: values.trials === undefined ? null : Number(values.trials),
  workers: Number(values.workers),
  byBackground: values['by-background'],
  adjustment: { z: Number(values['add-z']), floors: Number(values['times-floors']) },
  progress: (text) => process.stderr.write(process.stderr.isTTY ? `\r${text} ` : `${text}\n`),
});
process.stdout.write(`${overview(evaluation.results)}\n`);
if (values.details) process.stdout.write(`${details(evaluation.results)}\n`);
if (values.show) process.stdout.write(show(evaluation));
for (const failure of evaluation.failures) process.stderr.write(`failed: ${failure}\n`);
process.stderr.write(
  `${evaluation.outcomes.length} trials on ${evaluation.quiet.length} backgrounds in ${((performance.now() - began) / 1000).toFixed(0)} s\n`,
);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ options: values, ...evaluation, streams: undefined })}\n`);
if (evaluation.failures.length > 0 || fails(evaluation.results).length > 0) process.exitCode = 1;

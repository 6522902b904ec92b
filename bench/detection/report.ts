/**
 * Writes the report of the evaluation into a folder: every figure with its interval, gate and goal, the
 * comparison with other detectors, and plots.
 *
 *     node bench/detection/report.ts OUT [--trials 100] [--backgrounds 300,1k,radoslaw] [--scenarios A,B]
 *          [--compare-trials 12] [--compare-backgrounds 300,enron] [--sweep-trials 8] [--sweep-backgrounds 300,enron]
 *          [--without-comparison] [--without-sweep] [--workers 2] [--seed 1]
 *
 * Without `--trials` it is the quick profile. The sweep moves every critical z and every floor of the
 * detector and draws false alarms against leak and recall.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BACKGROUNDS } from './backgrounds.ts';
import { type Compared, compared, comparisonTables, meanFalseAlarms } from './comparison.ts';
import { backgroundsCalled, type Evaluation, evaluate, scenariosCalled } from './evaluation.ts';
import type { AttackOutcome } from './scenario.ts';
import { SCENARIOS } from './scenarios/registry.ts';
import { mean, median } from './statistics.ts';
import { type ChartSeries, chart, distribution } from './svg.ts';
import { details, number, overview } from './tables.ts';
import { type Adjustment, AS_SHIPPED } from './task.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    trials: { type: 'string' },
    backgrounds: { type: 'string' },
    scenarios: { type: 'string' },
    'compare-trials': { type: 'string', default: '12' },
    'sweep-trials': { type: 'string', default: '8' },
    'sweep-backgrounds': { type: 'string', default: '300,1k,forwarding,radoslaw,enron' },
    'compare-backgrounds': { type: 'string', default: '300,1k,radoslaw,enron' },
    'without-comparison': { type: 'boolean', default: false },
    'without-sweep': { type: 'boolean', default: false },
    workers: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string', default: '1' },
  },
});
const out = positionals[0];
if (out === undefined) {
  process.stderr.write('usage: node bench/detection/report.ts OUT [options]; OUT is the folder to write into\n');
  process.exit(2);
}
mkdirSync(out, { recursive: true });

const common = { seed: values.seed, workers: Number(values.workers) };
const scenarios = values.scenarios === undefined ? SCENARIOS : scenariosCalled(values.scenarios.split(','));
const backgrounds = values.backgrounds === undefined ? BACKGROUNDS : backgroundsCalled(values.backgrounds.split(','));
const COMPARED_SCENARIOS = [
  ...['A2', 'A3', 'A6', 'A8', 'A9', 'A11', 'A12', 'A13', 'A14', 'A15'],
  ...['A18-100', 'A18-300', 'A18-1000', 'A19', 'A20', 'A22-relay', 'A22-mailbox'],
];
const SWEEP_SCENARIOS = ['A2', 'A3', 'A6', 'A8', 'A11', 'A13', 'A15', 'A18-300', 'A19'];
const SWEEP: readonly Adjustment[] = [
  ...[-1.5, -1, -0.5, 0, 0.5, 1, 2].map((z) => ({ z, floors: 1 })),
  ...[0.5, 0.75, 1.5, 2].map((floors) => ({ z: 0, floors })),
];

function attacksOf({ outcomes }: Evaluation, id: string): AttackOutcome[] {
  return outcomes.filter(({ scenario }) => scenario === id).flatMap(({ outcome }) => outcome.attacks);
}

const images: string[] = [];
function plot(name: string, svg: string): void {
  writeFileSync(join(out, `${name}.svg`), svg);
  images.push(name);
}

/** Distributions over the trials; what was missed never gets there, so a line may end below 1. */
function plotDistributions(evaluation: Evaluation): void {
  const of = (ids: readonly string[], value: (attack: AttackOutcome) => number): ChartSeries[] =>
    ids.flatMap((id) => {
      const attacks = attacksOf(evaluation, id);
      const found = attacks.filter((attack) => attack.detected);
      return found.length === 0 ? [] : [distribution(id, found.map(value), attacks.length)];
    });
  const ids = ['A3', 'A6', 'A8', 'A9', 'A11', 'A12', 'A13', 'A15', 'A18-300', 'A22-relay'];
  plot(
    'leak',
    chart({
      title: 'Attack recipients before the alert',
      xTitle: 'recipients',
      yTitle: 'share of attacks',
      xLogFrom: 1,
      series: of(ids, (attack) => attack.leak),
    }),
  );
  plot(
    'delay',
    chart({
      title: 'Time from the first attack row to the alert, in event time',
      xTitle: 'minutes',
      yTitle: 'share of attacks',
      xLogFrom: 0.1,
      series: of(ids, (attack) => attack.delayMs / 60_000),
    }),
  );
}

interface SweepPoint extends Adjustment {
  falseAlarms: number;
  leakA8: number;
  recall: number;
  leakA11: number;
}

async function sweep(): Promise<SweepPoint[]> {
  const points: SweepPoint[] = [];
  for (const adjustment of SWEEP) {
    const evaluation = await evaluate({
      ...common,
      scenarios: scenariosCalled(SWEEP_SCENARIOS),
      backgrounds: backgroundsCalled(values['sweep-backgrounds'].split(',')),
      trials: Number(values['sweep-trials']),
      adjustment,
    });
    const months = evaluation.quiet.reduce((sum, tenant) => sum + tenant.months, 0);
    const raised = evaluation.quiet.reduce(
      (sum, { after }) => sum + Object.values(after).reduce((total, count) => total + count, 0),
      0,
    );
    const leak = (id: string): number =>
      median(attacksOf(evaluation, id).map((attack) => (attack.detected ? attack.leak : attack.recipients)));
    points.push({
      ...adjustment,
      falseAlarms: raised / months,
      leakA8: leak('A8'),
      leakA11: leak('A11'),
      recall: mean(SWEEP_SCENARIOS.map((id) => mean(attacksOf(evaluation, id).map((one) => (one.detected ? 1 : 0))))),
    });
    process.stderr.write(`sweep: z ${adjustment.z}, floors x ${adjustment.floors}\n`);
  }
  return points;
}

/** A lone zero has no place on a logarithmic axis; it is drawn at this many false alarms a month. */
const LEAST_DRAWN = 0.01;

function plotSweep(points: readonly SweepPoint[]): void {
  const byZ = points.filter((point) => point.floors === 1).sort((a, b) => a.z - b.z);
  const byFloors = points.filter((point) => point.z === 0).sort((a, b) => a.floors - b.floors);
  const shipped = points.filter((point) => point.z === 0 && point.floors === 1);
  const of = (value: (point: SweepPoint) => number): ChartSeries[] => [
    { name: 'critical z moved', points: byZ.map((one) => ({ x: one.falseAlarms, y: value(one) })), style: 'line' },
    { name: 'floors moved', points: byFloors.map((one) => ({ x: one.falseAlarms, y: value(one) })), style: 'line' },
    { name: 'as shipped', points: shipped.map((one) => ({ x: one.falseAlarms, y: value(one) })), style: 'points' },
  ];
  const axis = { xTitle: 'false incidents a tenant-month, all families', xLogFrom: LEAST_DRAWN };
  plot(
    'sweep-leak',
    chart({
      ...axis,
      title: 'False alarms against leak, 200 an hour (A8)',
      yTitle: 'median leak',
      series: of((one) => one.leakA8),
    }),
  );
  plot(
    'sweep-ramp',
    chart({
      ...axis,
      title: 'False alarms against leak, ramps (A11)',
      yTitle: 'median leak',
      yLogFrom: 10,
      series: of((one) => one.leakA11),
    }),
  );
  plot(
    'sweep-recall',
    chart({
      ...axis,
      title: `False alarms against recall (mean of ${SWEEP_SCENARIOS.join(', ')})`,
      yTitle: 'recall',
      series: of((one) => one.recall),
    }),
  );
}

function sweepTable(points: readonly SweepPoint[]): string {
  const lines = [
    '| z added | floors times | false incidents a month | recall | leak A8 | leak A11 |',
    '|---|---|---|---|---|---|',
  ];
  for (const point of points) {
    const cells = [point.z, point.floors, point.falseAlarms, point.recall, point.leakA8, point.leakA11];
    lines.push(`| ${cells.map(number).join(' | ')} |`);
  }
  return lines.join('\n');
}

/** Recall over all compared scenarios against false alarms: one line a detector, one point a parameter. */
function plotComparison(ours: Compared, others: readonly Compared[]): void {
  const byDetector = new Map<string, Compared[]>([['relaywatch', [ours]]]);
  for (const one of others) byDetector.set(one.detector, [...(byDetector.get(one.detector) ?? []), one]);
  const series = [...byDetector].map(
    ([name, all]): ChartSeries => ({
      name: name.replace('elastalert2: ', 'EA2 '),
      points: all
        .map((one) => ({ x: meanFalseAlarms(one), y: mean(one.scenarios.map((scenario) => scenario.recall)) }))
        .sort((a, b) => a.x - b.x),
      style: 'line',
    }),
  );
  plot(
    'comparison',
    chart({
      title: 'False alarms against recall, all compared attacks',
      xTitle: 'false alarms a tenant-month',
      yTitle: 'recall',
      xLogFrom: LEAST_DRAWN,
      series,
    }),
  );
}

const sections: string[] = [];
const evaluation = await evaluate({
  ...common,
  scenarios,
  backgrounds,
  trials: values.trials === undefined ? null : Number(values.trials),
  adjustment: AS_SHIPPED,
});
plotDistributions(evaluation);
sections.push(
  '# How well the detector finds abuse',
  `Seed ${values.seed}, ${evaluation.outcomes.length} trials on ${evaluation.quiet.length} tenants. ✗ misses its gate, ★ reaches its goal.`,
  overview(evaluation.results),
  '![Leak](leak.svg)',
  '![Delay](delay.svg)',
);
if (!values['without-comparison']) {
  const withStreams = await evaluate({
    ...common,
    seed: `${values.seed}/compare`,
    scenarios: scenariosCalled(COMPARED_SCENARIOS),
    backgrounds: backgroundsCalled(values['compare-backgrounds'].split(',')),
    trials: Number(values['compare-trials']),
    adjustment: AS_SHIPPED,
    withStreams: true,
  });
  const { ours, others } = await compared(withStreams, true);
  plotComparison(ours, others);
  sections.push(
    '## Beside other detectors, on the same rows',
    comparisonTables(ours, others),
    '![Comparison](comparison.svg)',
  );
}
if (!values['without-sweep']) {
  const points = await sweep();
  plotSweep(points);
  sections.push(
    '## False alarms against leak and recall',
    sweepTable(points),
    '![Leak](sweep-leak.svg)',
    '![Ramps](sweep-ramp.svg)',
    '![Recall](sweep-recall.svg)',
  );
}
sections.push('## Every figure with its 95 % bootstrap interval', details(evaluation.results));
writeFileSync(join(out, 'report.md'), `${sections.join('\n\n')}\n`);
for (const failure of evaluation.failures) process.stderr.write(`failed: ${failure}\n`);
process.stderr.write(`${join(out, 'report.md')} and ${images.length} plots\n`);
if (evaluation.failures.length > 0) process.exitCode = 1;

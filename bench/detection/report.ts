/** What the evaluation found, as Markdown for people and JSON for comparison. */

import { typeCounts } from './metrics.ts';
import type { Metric, Scenario, TrialOutcome } from './scenario.ts';

export interface ScenarioResult {
  id: string;
  title: string;
  trials: number;
  seconds: number;
  metrics: Metric[];
  types: string;
  outcomes: TrialOutcome[];
}

export function resultOf(
  scenario: Scenario,
  outcomes: TrialOutcome[],
  crashed: number,
  seconds: number,
): ScenarioResult {
  const metrics = scenario.measure(outcomes);
  if (crashed > 0) {
    const interval = { value: crashed, low: crashed, high: crashed };
    metrics.unshift({ name: 'trials that crashed', interval, gate: { kind: 'max', bound: 0 } });
  }
  return {
    id: scenario.id,
    title: scenario.title,
    trials: outcomes.length,
    seconds,
    metrics,
    types: typeCounts(outcomes),
    outcomes,
  };
}

export function verdict(metric: Metric): 'holds' | 'fails' | '' {
  if (metric.gate === undefined) return '';
  const { kind, bound } = metric.gate;
  const { value } = metric.interval;
  if (Number.isNaN(value)) return 'fails';
  return (kind === 'max' ? value <= bound : value >= bound) ? 'holds' : 'fails';
}

function number(value: number): string {
  if (Number.isNaN(value)) return '-';
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

export function markdown(results: readonly ScenarioResult[]): string {
  const lines: string[] = [];
  for (const result of results) {
    lines.push(
      `### ${result.title}`,
      '',
      `\`${result.id}\`, ${result.trials} trials, ${result.seconds.toFixed(0)} s`,
      '',
    );
    lines.push('| measure | value | 95 % interval | bound | |', '|---|---|---|---|---|');
    for (const metric of result.metrics) {
      const { value, low, high } = metric.interval;
      const interval = low === high && low === value ? '' : `${number(low)} to ${number(high)}`;
      const bound = metric.gate === undefined ? '' : `${metric.gate.kind === 'max' ? '≤' : '≥'} ${metric.gate.bound}`;
      lines.push(`| ${metric.name} | ${number(value)} | ${interval} | ${bound} | ${verdict(metric)} |`);
    }
    if (result.types !== '') lines.push('', `Types: ${result.types}`);
    lines.push('');
  }
  return lines.join('\n');
}

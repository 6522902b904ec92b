/** What the evaluation found, as Markdown for people. */

import { typeCounts } from './metrics.ts';
import type { Bound, Metric, TrialOutcome } from './scenario.ts';

/** One scenario on one pool of backgrounds, or the quiet tenants of a kind. */
export interface Result {
  scenario: string;
  title: string;
  pool: string;
  kind: 'attack' | 'look-alike' | 'quiet';
  metrics: Metric[];
  types: string;
}

export function attackOrLookAlike(outcomes: readonly TrialOutcome[]): Result['kind'] {
  return outcomes.some((outcome) => outcome.lookAlike !== null) ? 'look-alike' : 'attack';
}

export function resultOf(
  scenario: { id: string; title: string },
  pool: string,
  outcomes: readonly TrialOutcome[],
  metrics: Metric[],
): Result {
  return {
    scenario: scenario.id,
    title: scenario.title,
    pool,
    kind: attackOrLookAlike(outcomes),
    metrics,
    types: typeCounts(outcomes),
  };
}

function isMet(value: number, { kind, bound }: Bound): boolean {
  return kind === 'max' ? value <= bound : value >= bound;
}

/** `fails` and `holds` are about the gate, `reached` about the goal. */
export function verdict({ interval, gate, goal }: Metric): 'holds' | 'fails' | 'reached' | '' {
  // Nothing was measured: no trial was possible, or none was found to say something about.
  if (Number.isNaN(interval.value)) return '';
  if (gate !== undefined && !isMet(interval.value, gate)) return 'fails';
  if (goal !== undefined && isMet(interval.value, goal)) return 'reached';
  return gate === undefined ? '' : 'holds';
}

export function fails(results: readonly Result[]): { result: Result; metric: Metric }[] {
  return results.flatMap((result) =>
    result.metrics.filter((metric) => verdict(metric) === 'fails').map((metric) => ({ result, metric })),
  );
}

export function number(value: number): string {
  if (Number.isNaN(value)) return '-';
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return value.toFixed(size < 0.1 ? 4 : size < 10 ? 2 : 1);
}

function boundText(bound: Bound | undefined): string {
  return bound === undefined ? '' : `${bound.kind === 'max' ? '≤' : '≥'} ${bound.bound}`;
}

/** Every number with its interval, its gate and its goal. */
export function details(results: readonly Result[]): string {
  const lines: string[] = [];
  for (const result of results) {
    lines.push(`### ${result.scenario}, ${result.pool}: ${result.title}`, '');
    lines.push('| measure | value | 95 % interval | gate | goal | |', '|---|---|---|---|---|---|');
    for (const metric of result.metrics) {
      const { value, low, high } = metric.interval;
      const interval = low === high && low === value ? '' : `${number(low)} to ${number(high)}`;
      lines.push(
        `| ${metric.name} | ${number(value)} | ${interval} | ${boundText(metric.gate)} | ${boundText(metric.goal)} | ${verdict(metric)} |`,
      );
    }
    if (result.types !== '') lines.push('', `Types: ${result.types}`);
    lines.push('');
  }
  return lines.join('\n');
}

/** Columns of the short tables: heading, and the metrics whose values stand in it, by the beginnings of their names. */
const COLUMNS: Record<Result['kind'], readonly (readonly [string, readonly string[]])[]> = {
  attack: [
    ['attacks', ['attacks']],
    ['recall', ['recall']],
    ['leak, median/95th', ['leak, median', 'leak, 95th']],
    ['delay, min', ['delay']],
    ['onset off, min', ['onset']],
    ['type', ['type right']],
    ['high', ['high severity']],
    ['contributor', ['first contributor']],
    ['incidents', ['incidents']],
    ['notifications', ['notifications']],
  ],
  'look-alike': [
    ['trials', ['trials']],
    ['incidents at first', ['incidents of the first']],
    ['too many', ['share of trials with more']],
    ['called an attack', ['share of trials called']],
    ['above low', ['share above low']],
    ['repeats', ['repeats']],
    ['told', ['told']],
    ['by name', ['called by its name']],
  ],
  quiet: [
    ['tenants', ['tenants']],
    ['months', ['tenant-months']],
    ['rows a day', ['rows a day']],
    ['unregistered', ['false incidents a tenant-month, unregistered']],
    ['bulk', ['false incidents a tenant-month, bulk']],
    ['all', ['false incidents a tenant-month, all']],
    ['learning, worst', ['incidents while learning, worst']],
    ['days in alarm', ['share of days in alarm']],
  ],
};

const HEADINGS: Record<Result['kind'], string> = {
  attack: 'Attacks',
  'look-alike': 'Look-alikes',
  quiet: 'Quiet tenants: false incidents a tenant-month after 28 days',
};

/** One line a scenario and pool; what fails its gate is marked with `✗`, what reaches its goal with `★`. */
export function overview(results: readonly Result[]): string {
  const lines: string[] = [];
  for (const kind of ['quiet', 'attack', 'look-alike'] as const) {
    const rows = results.filter((result) => result.kind === kind);
    if (rows.length === 0) continue;
    const columns = COLUMNS[kind];
    const last = kind === 'quiet' ? [] : ['types'];
    lines.push(`### ${HEADINGS[kind]}`, '');
    lines.push(`| ${['', 'on', ...columns.map(([heading]) => heading), ...last].join(' | ')} |`);
    lines.push(`|${'---|'.repeat(columns.length + 2 + last.length)}`);
    for (const result of rows) {
      const cells = columns.map(([, names]) =>
        names
          .map((name) => result.metrics.find((metric) => metric.name.startsWith(name)))
          .map((metric) => {
            if (metric === undefined) return '';
            const mark = { fails: ' ✗', reached: ' ★', holds: '', '': '' }[verdict(metric)];
            return `${number(metric.interval.value)}${mark}`;
          })
          .join(' / '),
      );
      const types = last.length === 0 ? [] : [result.types];
      lines.push(`| ${[result.scenario, result.pool, ...cells, ...types].join(' | ')} |`);
    }
    lines.push('');
  }
  const failing = fails(results);
  lines.push(failing.length === 0 ? 'Every gate holds.' : `### ${failing.length} gates that do not hold`, '');
  for (const { result, metric } of failing) {
    const { low, high, value } = metric.interval;
    lines.push(
      `- ${result.scenario} on ${result.pool}: ${metric.name} ${number(value)} (${number(low)} to ${number(high)}), gate ${boundText(metric.gate)}`,
    );
  }
  lines.push('');
  return lines.join('\n');
}

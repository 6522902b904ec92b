/** What `explain` tells of an incident: the numbers of the count that raised it, and of its severity. */

import type { Explanation, SeverityMark, WindowNumbers } from '../core/explanation.ts';
import { type IncidentDocument, SEVERITIES } from '../core/incident-document.ts';
import { formatMinute, terminalSafe, wrap } from './text.ts';

const COLUMNS = 100;
const STEPS_SHOWN = 60;

const MARKS: Record<SeverityMark, string> = {
  large: 'its recipients are a tenth of what the tenant may reach in 24 hours, or 2,000 where that is unknown',
  refused: 'at least 30 % of its mail failed or was filtered as spam',
  new_source: 'the connector or source of most of it was first seen less than 24 hours before it began',
};

/** The numbers of one incident. `marks` are those of all its rows. */
export function incidentPage(
  document: IncidentDocument,
  explanation: Explanation | null,
  marks: readonly SeverityMark[],
): string {
  const { type, detected_at: at } = document.relaywatch.incident;
  const lines = [`${document.event.id}: ${type}, ${severityName(document.event.severity)}`];
  lines.push(...wrap(terminalSafe(document.message), COLUMNS), '');
  if (explanation === null) {
    lines.push(...wrap(`Raised at ${formatMinute(at)} UTC: ${terminalSafe(document.event.reason)}.`, COLUMNS));
  } else {
    lines.push(...raised(explanation), '', ...windows(explanation), '', ...otherwise(explanation));
    if (explanation.expectedByHour.length > 0) lines.push('', ...hours(explanation));
    if (explanation.ramp !== null && explanation.ramp.length > 1) lines.push('', ...ramp(explanation));
  }
  lines.push('', ...severity(document, marks));
  return `${lines.join('\n')}\n`;
}

function raised(explanation: Explanation): string[] {
  const { series, statistic, keyKind, key, unit, atMs, levelPerDay, learnedDays, critical } = explanation;
  const what = unit === 'weight' ? 'recipients, at most five of a message' : 'recipients';
  const whose = keyKind === 'tenant' ? 'the whole tenant' : `${keyKind} ${terminalSafe(key)}`;
  const text = [`Raised at ${minute(atMs)} UTC by ${series}: ${what}, of ${whose}.`];
  if (levelPerDay !== null) {
    text.push(
      `${number(levelPerDay)} a day are expected, learned from ${number(learnedDays)} days (older ones weigh less).`,
    );
  }
  if (statistic === 'scan') text.push(`A score of ${critical} is a hit.`);
  if (statistic === 'cusum') text.push(`A sum of ${critical} nats is a hit: evidence of e^${critical} to 1.`);
  if (statistic === 'ceiling') text.push('It is a fixed limit: what is usual does not matter.');
  return wrap(text.join(' '), COLUMNS);
}

function windows({ windows: all }: Explanation): string[] {
  const header = ['window', 'count', 'expected', '95 % up to', 'floor', 'hit from', 'score'];
  return table([header, ...all.map(cells)]);
}

function cells(window: WindowNumbers): string[] {
  const { count, expected, expectedP95, floor, needed, score } = window;
  const shown = (value: number | null) => (value === null ? '' : number(value));
  return [window.window, shown(count), shown(expected), shown(expectedP95), number(floor), shown(needed), shown(score)];
}

function otherwise({ windows: all, statistic }: Explanation): string[] {
  if (statistic === 'cusum') {
    return wrap('It is the sum over days that is too high: no single window had to be.', COLUMNS);
  }
  const least = all.map(({ window, needed, floor }) => `${number((needed ?? floor) - 1)} in ${window}`);
  return wrap(`Not raised by this count: up to ${least.join(', ')}.`, COLUMNS);
}

function hours({ expectedByHour, atMs }: Explanation): string[] {
  const end = Math.floor(atMs / 3_600_000) + 1;
  const rows = [0, 12].map((from) =>
    expectedByHour.slice(from, from + 12).map((value, index) => {
      const hour = (end - 24 + from + index) % 24;
      return `${String(hour).padStart(2, '0')} h ${number(value)}`;
    }),
  );
  return ['Expected in each of the 24 hours up to then (UTC)', ...table(rows)];
}

function ramp({ ramp: steps }: Explanation): string[] {
  const shown = (steps ?? []).slice(-STEPS_SHOWN);
  const header = ['six hours from', 'count', 'expected', 'twice', 'five times', 'twenty times'];
  const rows = shown.map(({ startMs, count, expected, nats }) => [
    minute(startMs),
    number(count),
    number(expected),
    ...nats.map(number),
  ]);
  return ['Sums of the ramp test, in nats, for rates above the expected one', ...table([header, ...rows])];
}

function severity(document: IncidentDocument, marks: readonly SeverityMark[]): string[] {
  const { type } = document.relaywatch.incident;
  if (type === 'limit' || type === 'blocked') {
    return wrap(`Severity ${severityName(document.event.severity)}: it follows the ${type} itself.`, COLUMNS);
  }
  const lines = wrap(
    `Severity ${severityName(document.event.severity)}: what ${type} starts with, and a step more for each of these (critical only with two).`,
    COLUMNS,
  );
  for (const mark of ['large', 'refused', 'new_source'] as const) {
    lines.push(`  ${marks.includes(mark) ? 'yes' : 'no '}  ${MARKS[mark]}`);
  }
  return lines;
}

function severityName(value: number): string {
  const index = [21, 47, 73, 99].findIndex((number) => number >= value);
  return `${SEVERITIES[index === -1 ? 3 : index]} (${value})`;
}

function minute(timeMs: number): string {
  return formatMinute(new Date(timeMs).toISOString());
}

/** A number for people: whole where it is large, three digits where it is small. */
function number(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** Columns of equal width, numbers to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ')}`.trimEnd(),
  );
}

/** What `explain` tells of an incident: the numbers of the count that raised it, and of its severity. */

import type { Explanation, SeverityMark, WindowNumbers } from '../core/explanation.ts';
import { type IncidentDocument, SEVERITIES, SEVERITY_NUMBERS } from '../core/incident-document.ts';
import type { SeriesRows } from '../core/series-settings.ts';
import { LOOK_ALIKES, STARTING_SEVERITY } from '../core/walk/incident-type.ts';
import { columns, formatCount, formatMinute, formatNumber, indented, terminalSafe, wrap } from './text.ts';

const COLUMNS = 80;
const STEPS_SHOWN = 60;
const HOURS_IN_LINE = 6;
const HOUR_MS = 3_600_000;

const MARKS: Record<SeverityMark, string> = {
  large:
    'it has reached a tenth of what the tenant may reach in 24 hours (2,000 recipients where licenses are not given)',
  refused: 'at least 30 % of its mail failed or was filtered as spam',
  new_source: 'the connector or server of most of it was first seen less than 24 hours before it began',
};

const KEYS = { domain: 'domain', connector: 'connector', source: 'server', mailbox: 'mailbox' } as const;

const ROWS: Record<SeriesRows, string> = {
  unregistered: 'of mail with unregistered senders',
  unregistered_not_forwarded: 'of mail with unregistered senders that nobody here forwarded',
  unregistered_new:
    'of mail with unregistered senders that nobody here forwarded, and whose domain, connector or server is new (first seen in the last 14 days)',
  accepted_mailbox: 'outside',
  accepted_mailbox_to_stranger: 'to whom nobody here wrote before',
  external: 'outside',
};

const WINDOWS: Readonly<Record<string, string>> = { '15m': '15 min', '1h': '1 h', '6h': '6 h', '24h': '24 h' };

/**
 * The numbers of one incident. `marks` are those of all its rows, `title` the few words of the detector that raised it;
 * no explanation is for limits and blocks, which have no expectation.
 */
export function incidentPage(
  document: IncidentDocument,
  explanation: Explanation | null,
  marks: readonly SeverityMark[],
  title: string,
): string {
  const { type, detected_at: at } = document.relaywatch.incident;
  const lines = [`${document.event.id}: ${words(type)}, ${severityName(document)}`];
  lines.push(...wrap(terminalSafe(document.message), COLUMNS), '', 'Why it was raised');
  if (explanation === null) {
    lines.push(...paragraph(`At ${formatMinute(at)} UTC: ${terminalSafe(document.event.reason)}.`));
  } else {
    lines.push(...paragraph(raised(explanation, title)), '', ...windows(explanation));
    lines.push('', 'What would not have raised it', ...paragraph(otherwise(explanation)));
    if (explanation.expectedByHour.length > 0) lines.push('', ...hours(explanation));
    if (explanation.ramp !== null && explanation.ramp.length > 1) lines.push('', ...ramp(explanation));
  }
  lines.push('', ...severity(document, marks));
  return `${lines.join('\n')}\n`;
}

function raised(explanation: Explanation, title: string): string {
  const { series, statistic, rows, keyKind, key, unit, atMs, levelPerDay, learnedDays, critical } = explanation;
  const most = unit === 'weight' ? ', at most five of a message' : '';
  const whose = keyKind === 'tenant' ? 'the whole tenant' : `the ${KEYS[keyKind]} ${terminalSafe(key)}`;
  const text = [
    `At ${minute(atMs)} UTC by ${series}: ${title.charAt(0).toLowerCase()}${title.slice(1)}.`,
    `For ${whose} it counts recipients ${ROWS[rows]}${most}.`,
  ];
  if (levelPerDay !== null) {
    const days = Math.round(learnedDays);
    const learned = days === 0 ? 'which is general: nothing is learned yet' : `learned from about ${dayCount(days)}`;
    text.push(`Usual are ${formatNumber(levelPerDay)} a day, ${learned}.`);
  }
  if (statistic === 'scan') {
    text.push(`A count is a hit when it is at least the floor and its score, the distance from what is expected,`);
    text.push(`is ${formatNumber(critical)} or more.`);
  } else if (statistic === 'cusum') {
    text.push(`What is above it adds up from day to day: a sum of ${formatNumber(critical)} is a hit`);
    text.push(`(evidence of 10^${Math.floor(critical * Math.LOG10E)} to 1, in nats).`);
  } else {
    text.push('It is a fixed limit: what is usual does not matter.');
  }
  return text.join(' ');
}

function dayCount(days: number): string {
  return days === 1 ? 'a day' : `${days} days`;
}

function windows({ windows: all, critical, statistic }: Explanation): string[] {
  if (statistic === 'ceiling') {
    const header = ['window', 'recipients', 'limit from'];
    return columns([
      header,
      ...all.map(({ window, count, floor }) => [name(window), formatCount(count), limit(floor)]),
    ]);
  }
  const header = ['window', 'recipients', 'expected', '95 % up to', 'floor', 'hit from', 'score', ''];
  return columns([header, ...all.map((window) => [...cells(window), isHit(window, critical, statistic) ? 'hit' : ''])]);
}

function limit(floor: number): string {
  return Number.isFinite(floor) ? formatCount(Math.ceil(floor)) : 'none';
}

function isHit({ count, floor, score }: WindowNumbers, critical: number, statistic: Explanation['statistic']): boolean {
  return statistic === 'scan' && score !== null && count >= floor && score >= critical;
}

function cells({ window, count, expected, expectedP95, floor, needed, score }: WindowNumbers): string[] {
  const shown = (value: number | null) => (value === null ? '' : formatNumber(value));
  return [
    name(window),
    formatCount(count),
    shown(expected),
    shown(expectedP95),
    formatCount(Math.ceil(floor)),
    shown(needed),
    score === null ? '' : score.toFixed(2),
  ];
}

function otherwise({ windows: all, statistic }: Explanation): string {
  if (statistic === 'cusum') return 'It is the sum over days that is too high: no single window had to be.';
  const least = all
    .filter(({ floor }) => Number.isFinite(floor))
    .map(({ window, needed, floor }) => `${formatCount(Math.ceil(needed ?? floor) - 1)} in ${name(window)}`);
  return `Up to ${least.join(', ')}, as far as this count goes: other detectors count the same mail by other keys.`;
}

function hours({ expectedByHour, atMs }: Explanation): string[] {
  const end = Math.floor(atMs / HOUR_MS) + 1;
  const values = expectedByHour.map(formatNumber);
  const width = Math.max(...values.map((value) => value.length));
  const cells = values.map((value, index) => {
    const hour = (end - values.length + index) % 24;
    return `${String(hour).padStart(2, '0')} h ${value.padStart(width)}`;
  });
  const lines: string[] = [];
  for (let from = 0; from < cells.length; from += HOURS_IN_LINE) {
    lines.push(`  ${cells.slice(from, from + HOURS_IN_LINE).join('  ')}`);
  }
  return ['Expected in each of the 24 hours up to then (UTC)', ...lines];
}

function ramp({ ramp: steps }: Explanation): string[] {
  const shown = (steps ?? []).slice(-STEPS_SHOWN);
  const header = ['six hours from', 'recipients', 'expected', 'twice', '5 times', '20 times'];
  const rows = shown.map(({ startMs, count, expected, nats }) => [
    minute(startMs),
    formatCount(count),
    formatNumber(expected),
    ...nats.map((sum) => sum.toFixed(2)),
  ]);
  return ['Evidence that adds up for so many times the usual rate', ...columns([header, ...rows])];
}

function severity(document: IncidentDocument, marks: readonly SeverityMark[]): string[] {
  const { type } = document.relaywatch.incident;
  const head = `Why it is ${severityName(document)}`;
  if (type === 'limit') return [head, ...paragraph('It follows how much of the limit is used.')];
  if (type === 'blocked') return [head, ...paragraph('A tenant that Microsoft blocks is always critical.')];
  const start = SEVERITIES[STARTING_SEVERITY[type]];
  const most = LOOK_ALIKES.has(type) ? 'never above medium' : 'critical only with two of them';
  const lines = [
    head,
    ...paragraph(`An incident of type ${words(type)} starts at ${start}; each of these is a step more, ${most}:`),
  ];
  for (const mark of ['large', 'refused', 'new_source'] as const) {
    const text = wrap(MARKS[mark], COLUMNS - 7);
    lines.push(...text.map((line, index) => `  ${index > 0 ? '   ' : marks.includes(mark) ? 'yes' : 'no '}  ${line}`));
  }
  return lines;
}

function severityName({ event }: IncidentDocument): string {
  const index = SEVERITY_NUMBERS.findIndex((number) => number >= event.severity);
  return `${SEVERITIES[index === -1 ? SEVERITIES.length - 1 : index]} (${event.severity})`;
}

function paragraph(text: string): string[] {
  return indented(text, COLUMNS);
}

function words(type: string): string {
  return type.replaceAll('_', ' ');
}

function name(window: string): string {
  return WINDOWS[window] ?? window;
}

function minute(timeMs: number): string {
  return formatMinute(new Date(timeMs).toISOString());
}

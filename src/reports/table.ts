/**
 * The report for people: what was found and why, the gravest first, then one block per incident with
 * who, since when, and what to check next. Depends on the distinct rows alone, so the same rows give the
 * same bytes: no file names, no counts of duplicates, no clock, no width of a terminal.
 */

import {
  type Contributor,
  type Family,
  type IncidentDocument,
  SEVERITIES,
  SEVERITY_NUMBERS,
  type Severity,
} from '../core/incident-document.ts';
import type { Command, DetectorGuide, RunbookStep, Shell } from '../core/runbook.ts';
import type { ScanSummary } from '../core/summary.ts';
import { type CommandValues, commandValues, fillCommand } from './powershell.ts';
import {
  counted,
  createPaint,
  displayWidth,
  formatCount,
  formatDuration,
  formatMinute,
  formatShare,
  type Paint,
  padEnd,
  terminalSafe,
  truncate,
  wrap,
} from './text.ts';

/** Columns of the report; commands, which must stay in one line, may be longer. */
const COLUMNS = 100;
const LABEL_COLUMNS = 12;
const KEY_COLUMNS = 44;
const CONTRIBUTORS_SHOWN = 3;
const EVIDENCE_SHOWN = 3;
const STEPS_SHOWN = 4;
const DOMAINS_SHOWN = 5;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

export interface TableOptions {
  incidents: readonly IncidentDocument[];
  summary: ScanSummary;
  /** The accepted domains were inferred from the rows. */
  inferred: boolean;
  /** `--tenant`; null where none was given. */
  tenant: string | null;
  /** What the detectors say about their incidents. */
  guides: readonly DetectorGuide[];
  /** Terminal colours. */
  colour: boolean;
}

export function incidentTable(options: TableOptions): string {
  const paint = createPaint(options.colour);
  const incidents = [...options.incidents].sort(byGravity);
  const blocks = [
    head(incidents, options, paint),
    ...incidents.map((incident) => block(incident, options.guides, paint)),
  ];
  return `${blocks.map((lines) => lines.join('\n')).join(`\n\n${paint.faint('─'.repeat(COLUMNS))}\n`)}\n`;
}

/** The risk score grows inside the band of the severity, so it orders both. */
function byGravity(a: IncidentDocument, b: IncidentDocument): number {
  return (
    b.event.risk_score - a.event.risk_score ||
    compare(a['@timestamp'], b['@timestamp']) ||
    compare(a.event.id, b.event.id)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function severityOf(incident: IncidentDocument): Severity {
  const rank = SEVERITY_NUMBERS.findIndex((number) => number >= incident.event.severity);
  return SEVERITIES[rank === -1 ? SEVERITIES.length - 1 : rank];
}

/* The head: how many, what was looked at, and a line for each incident. */

function head(incidents: readonly IncidentDocument[], options: TableOptions, paint: Paint): string[] {
  const lines = [paint.strong(headline(incidents, options.summary)), ...lookedAt(incidents, options)];
  if (incidents.length > 1) lines.push('', ...incidents.map((incident, index) => overview(incident, index, paint)));
  return lines;
}

function headline(incidents: readonly IncidentDocument[], summary: ScanSummary): string {
  if (summary.pairs === 0) return 'No rows, so nothing to judge.';
  if (incidents.length === 0) return 'No incidents.';
  const counts = [...SEVERITIES].reverse().flatMap((severity) => {
    const count = incidents.filter((incident) => severityOf(incident) === severity).length;
    return count === 0 ? [] : [`${formatCount(count)} ${severity}`];
  });
  return `${counted(incidents.length, 'incident')}: ${counts.join(', ')}`;
}

function lookedAt(incidents: readonly IncidentDocument[], options: TableOptions): string[] {
  const { summary } = options;
  const { firstMs, lastMs } = summary;
  if (firstMs === null || lastMs === null) return [];
  const organization = incidents[0]?.organization;
  const tenant = options.tenant ?? organization?.name ?? organization?.id;
  const days = counted(summary.days, 'day');
  const calendarDays = Math.floor(lastMs / DAY_MS) - Math.floor(firstMs / DAY_MS) + 1;
  const gaps = calendarDays > summary.days ? `${days} with mail` : days;
  const lines = [
    `${tenant === undefined ? 'Looked at' : `${terminalSafe(tenant)},`} ${minute(firstMs)} to ${minute(lastMs)} UTC (${gaps})`,
    `${counted(summary.pairs, 'recipient')}: ${formatCount(summary.external)} outside, ${formatCount(summary.unregistered)} of these from unregistered sender domains (forwards included)`,
    registered(options),
  ];
  if (incidents.length === 0) {
    lines.push('No count of a domain, a server, a mailbox or the tenant stood out from what is usual here.');
  }
  return lines.flatMap((line) => wrap(line, COLUMNS));
}

function minute(timeMs: number): string {
  return formatMinute(new Date(timeMs).toISOString());
}

function registered({ summary, inferred }: TableOptions): string {
  const names = summary.acceptedDomains.map(({ name, matchSubDomains }) => (matchSubDomains ? `*.${name}` : name));
  const shown = names.slice(0, DOMAINS_SHOWN).map(terminalSafe);
  if (names.length > shown.length) shown.push(`${formatCount(names.length - shown.length)} more`);
  const list = shown.length === 0 ? 'none' : shown.join(', ');
  return `Registered domains${inferred ? ' (inferred from the rows)' : ''}: ${list}`;
}

function overview(incident: IncidentDocument, index: number, paint: Paint): string {
  const { type, recipients } = incident.relaywatch.incident;
  const severity = severityOf(incident);
  const cells = [
    String(index + 1).padStart(3),
    paint[severity](padEnd(severity.toUpperCase(), 8)),
    padEnd(words(type), 21),
    formatMinute(incident.event.start),
    padEnd(counted(recipients, 'recipient'), 18),
    truncate(who(incident), 24),
  ];
  return cells.join('  ').trimEnd();
}

/** The way in, or who sent, in a few words. */
function who(incident: IncidentDocument): string {
  const { contributors, limit, family } = incident.relaywatch.incident;
  const { connectors, sources, domains, mailboxes } = contributors;
  const order = family === 'bulk' || family === 'limit' ? [mailboxes] : [connectors, sources, domains, mailboxes];
  const first = order.find((list) => list.length > 0)?.[0].key ?? limit?.name ?? '';
  return terminalSafe(first);
}

function words(name: string): string {
  return name.replaceAll('_', ' ');
}

/* The block of one incident. */

const FAMILY_MEANING: Record<Family, string> = {
  unregistered: 'mail from domains that are not registered here; Microsoft bans it with 550 5.7.750',
  bulk: 'too much mail from here; Microsoft bans the tenant with 550 5.7.705',
  limit: 'a sending limit of Microsoft is near',
  blocked: 'Microsoft refuses mail of the tenant',
};

const WINDOW_WORDS: Readonly<Record<string, string>> = {
  '15m': '15 minutes',
  '1h': '1 hour',
  '6h': '6 hours',
  '24h': '24 hours',
};

const SHELL_NAMES: Record<Shell, string> = {
  exchange_online: 'Exchange Online PowerShell',
  exchange_server: 'Exchange Management Shell',
  graph: 'Microsoft Graph PowerShell',
};

function block(incident: IncidentDocument, guides: readonly DetectorGuide[], paint: Paint): string[] {
  const { family, type } = incident.relaywatch.incident;
  const severity = severityOf(incident);
  return [
    `${paint[severity](` ${severity.toUpperCase()} `)} ${paint.strong(words(type))}: ${FAMILY_MEANING[family]}`,
    ...wrap(terminalSafe(incident.message), COLUMNS - 2).map((line) => `  ${line}`),
    '',
    ...facts(incident, guides, paint),
    ...nextSteps(incident, guides, paint),
  ];
}

function facts(incident: IncidentDocument, guides: readonly DetectorGuide[], paint: Paint): string[] {
  const found = incident.relaywatch.incident;
  const { contributors } = found;
  const rows: [label: string, text: string][] = [
    ['when', when(incident)],
    ['why', why(incident, lowestHit(raisedBy(incident, guides)[0]))],
    ['size', size(incident)],
    ...contributorRows('connector', contributors.connectors),
    ...contributorRows('server', contributors.sources),
    ...contributorRows('domain', contributors.domains),
    ...contributorRows('mailbox', contributors.mailboxes),
    ...contributorRows('subject', contributors.subjects),
    ...evidenceRows(incident),
  ];
  if (found.limit !== undefined) rows.push(['limit', limitText(found.limit)]);
  rows.push(['incident', `${terminalSafe(incident.event.id)}, risk ${incident.event.risk_score} of 100`]);
  return rows.flatMap(([label, text]) =>
    wrapParts(text, COLUMNS - LABEL_COLUMNS - 2).map(
      (line, index) => `  ${paint.faint(padEnd(index === 0 ? label : '', LABEL_COLUMNS))}${line}`,
    ),
  );
}

/** Breaks between the parts of a text, which end in a semicolon, and inside one only where it is too long. */
function wrapParts(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const part of text.split(/(?<=;) /)) {
    const last = lines[lines.length - 1];
    if (last !== undefined && displayWidth(last) + 1 + displayWidth(part) <= columns) {
      lines[lines.length - 1] = `${last} ${part}`;
    } else {
      lines.push(...wrap(part, columns));
    }
  }
  return lines;
}

function when(incident: IncidentDocument): string {
  const { start, end } = incident.event;
  const { detected_at: detectedAt, state, reopened_count: reopened } = incident.relaywatch.incident;
  const lastingMs = Date.parse(end) - Date.parse(start);
  const told = Date.parse(detectedAt) - Date.parse(start);
  return [
    lastingMs < MINUTE_MS
      ? `${formatMinute(start)} UTC`
      : `${formatMinute(start)} to ${sameDay(start, end)} UTC (${formatDuration(lastingMs)})`,
    told > 0 ? `recognised after ${formatDuration(told)}, at ${sameDay(start, detectedAt)}` : 'recognised at once',
    reopened > 0 ? `${state}, reopened ${counted(reopened, 'time')}` : state,
  ].join('; ');
}

/** The minute, without the date where it is that of the other time. */
function sameDay(reference: string, time: string): string {
  const text = formatMinute(time);
  return reference.slice(0, 10) === time.slice(0, 10) ? text.slice(11) : text;
}

/** The lowest score that is a hit of a series: in a young tenant, or of what is new, less is enough. */
function lowestHit(guide: DetectorGuide | undefined): number | null {
  if (guide === undefined || guide.settings === null) return null;
  const { settings, narrower = [] } = guide;
  return Math.min(settings.zCritical, settings.youngZCritical, ...narrower.map(({ zCritical }) => zCritical));
}

function why(incident: IncidentDocument, hitFrom: number | null): string {
  const {
    observed,
    expected,
    expected_p95: p95,
    window,
    statistic,
    score,
    recipients_at_detection: at,
  } = incident.relaywatch.incident;
  if (observed === null || statistic === 'cusum') return terminalSafe(incident.event.reason);
  const span = window === null ? '' : ` in ${WINDOW_WORDS[window] ?? window}`;
  const parts = [`${counted(observed, 'recipient')}${span}`];
  if (statistic === 'ceiling') {
    if (score !== null) parts.push(`${formatShare(score)} of the ceiling`);
    return parts.join('; ');
  }
  if (at > observed) parts[0] += ' (at most 5 counted per message)';
  if (expected !== null) {
    parts.push(
      `${expected === 0 ? 'almost none' : formatCount(expected)} expected${p95 === null ? '' : `, 95 % of the time up to ${formatCount(p95)}`}`,
    );
  }
  if (score !== null) parts.push(hitFrom === null ? `score ${score}` : `score ${score} (${hitFrom} is a hit)`);
  return parts.join('; ');
}

function size(incident: IncidentDocument): string {
  const { recipients, messages, recipients_at_detection: atDetection, escalations } = incident.relaywatch.incident;
  const parts = [
    `${counted(recipients, 'recipient')} in ${counted(messages, 'message')}`,
    `${formatCount(atDetection)} when recognised`,
  ];
  if (escalations.length > 0) {
    const last = escalations[escalations.length - 1];
    const steps = escalations.length === 1 ? 'once' : `${formatCount(escalations.length)} times`;
    parts.push(`grew ${steps}, until ${sameDay(incident.event.start, last.at)}`);
  }
  return parts.join('; ');
}

function contributorRows(label: string, contributors: readonly Contributor[]): [string, string][] {
  return contributors.slice(0, CONTRIBUTORS_SHOWN).map(({ key, recipients, share }, index) => {
    const name = padEnd(truncate(terminalSafe(key), KEY_COLUMNS), KEY_COLUMNS);
    return [
      index === 0 ? label : '',
      `${name} ${formatCount(recipients).padStart(9)}  ${formatShare(share).padStart(7)}`,
    ];
  });
}

function evidenceRows(incident: IncidentDocument): [string, string][] {
  return incident.relaywatch.incident.evidence.slice(0, EVIDENCE_SHOWN).map((row, index) => {
    const sender = truncate(terminalSafe(row.sender === '' ? '<>' : row.sender), 30);
    const recipient = truncate(terminalSafe(row.recipient), 30);
    return [
      index === 0 ? 'rows' : '',
      `${row.at.slice(11, 19)}  ${sender} → ${recipient}  ${terminalSafe(words(row.status))}`,
    ];
  });
}

const LIMIT_NAMES: Record<string, string> = {
  tenant_external_recipients_24h: 'outside recipients of the tenant in 24 hours',
  mailbox_recipients_24h: 'recipients of one mailbox in 24 hours',
  onmicrosoft_external_recipients_24h: 'outside recipients of onmicrosoft.com senders in 24 hours',
};

function limitText(limit: NonNullable<IncidentDocument['relaywatch']['incident']['limit']>): string {
  const name = LIMIT_NAMES[limit.name] ?? terminalSafe(words(limit.name));
  const forecast = limit.forecast_at === null ? '' : `; at this rate full at ${formatMinute(limit.forecast_at)} UTC`;
  return `${formatCount(limit.used)} of ${formatCount(limit.budget)} ${name} (${formatShare(limit.share)})${forecast}`;
}

/* The runbook, with the incident's values in its commands. */

interface FilledStep {
  step: RunbookStep;
  show: string;
  stop: string | null;
}

function nextSteps(incident: IncidentDocument, guides: readonly DetectorGuide[], paint: Paint): string[] {
  const { type } = incident.relaywatch.incident;
  const raising = raisedBy(incident, guides);
  const steps = filledSteps(raising, commandValues(incident)).slice(0, STEPS_SHOWN);
  if (steps.length === 0) return [];
  const lines = ['', `  ${paint.strong('Check next')} (in ${SHELL_NAMES.exchange_online} where nothing else is said)`];
  for (const [index, { step, show, stop }] of steps.entries()) {
    lines.push(`  ${index + 1}. ${step.question}${shellNote(step.show)}`, `       ${show}`);
    if (stop !== null)
      lines.push(`     ${paint.strong('To stop it')}${shellNote(step.stop)}:`, `       ${paint.strong(stop)}`);
    lines.push(...wrap(step.meaning, COLUMNS - 5).map((line) => `     ${paint.faint(line)}`));
  }
  const harmless = raising[0].harmless;
  if (type !== 'limit' && type !== 'blocked' && harmless.length > 0) {
    lines.push(`  ${paint.strong('Harmless if it is')}`);
    for (const sentence of harmless) {
      const wrapped = wrap(sentence, COLUMNS - 5);
      lines.push(...wrapped.map((line, index) => `  ${index === 0 ? '-' : ' '} ${line}`));
    }
  }
  return lines;
}

function raisedBy(incident: IncidentDocument, guides: readonly DetectorGuide[]): DetectorGuide[] {
  return incident.relaywatch.incident.series.flatMap((name) => guides.filter((guide) => guide.series === name));
}

/** Where a command runs, if not in Exchange Online PowerShell. */
export function shellNote(command: Command | null): string {
  return command === null || command.shell === 'exchange_online' ? '' : ` (${SHELL_NAMES[command.shell]})`;
}

/** The steps of all series that raised the incident, each once, in their order; those that cannot be filled left out. */
function filledSteps(guides: readonly DetectorGuide[], values: CommandValues): FilledStep[] {
  const steps = new Map<string, FilledStep>();
  for (const step of guides.flatMap((guide) => guide.runbook)) {
    if (step.unless !== undefined && values[step.unless] !== undefined) continue;
    const show = fillCommand(step.show.text, values);
    if (show === null || steps.has(step.question)) continue;
    steps.set(step.question, { step, show, stop: step.stop === null ? null : fillCommand(step.stop.text, values) });
  }
  return [...steps.values()];
}

/** From the options of `scan` as typed to the values the scan takes. Every wrong value is exit 2. */

import type { Connector } from '../core/connectors.ts';
import { SEVERITIES, type Severity } from '../core/incident-document.ts';
import { RelaywatchError } from '../core/outcome.ts';
import type { DetectionRange, TenantSettings } from '../core/settings.ts';
import { type ReadFile, readAcceptedDomains } from './accepted-domains.ts';
import { readConnectors } from './connectors.ts';
import { nearestName } from './nearest-name.ts';
import {
  DATE_ORDERS,
  DEFAULT_EVIDENCE_ROWS,
  DEFAULT_MEMORY_MIB,
  FORMAT_IDS,
  MAX_EVIDENCE_ROWS,
  MIN_MEMORY_MIB,
  OUTPUTS,
  type RawScanOptions,
  READERS,
} from './options.ts';
import { canonicalTimeZone, nearestTimeZone } from './time-zone.ts';

export interface ScanSettings {
  paths: string[];
  tenant: TenantSettings;
  /** `--tenant` as given; null without it. */
  tenantName: string | null;
  range: DetectionRange;
  format: string | null;
  dateOrder: (typeof DATE_ORDERS)[number] | null;
  reader: (typeof READERS)[number];
  evidenceRows: number;
  memoryMiB: number;
  output: (typeof OUTPUTS)[number];
  /** Files to write; null for none (results then go to stdout). */
  out: string | null;
  ledger: string | null;
  deadLetters: string | null;
  evidenceOut: string | null;
  failOn: Severity | null;
  quiet: boolean;
  /** Of `--connectors`; null without it. */
  connectors: readonly Connector[] | null;
  /** What makes the accepted domains and the connectors doubtful; for people. */
  warnings: string[];
}

const MAX_LICENSES = 10_000_000;
const MAX_MEMORY_MIB = 1_048_576;
const MAX_TENANT_LENGTH = 200;
const DEFAULT_TENANT = 'default';

export async function resolveScanOptions(
  paths: readonly string[],
  raw: RawScanOptions,
  surroundings: { nowMs: number; readFile: ReadFile },
): Promise<ScanSettings> {
  if (paths.length === 0) {
    throw usage(
      'scan needs a file or a folder to read',
      'For example: relaywatch scan trace.csv --accepted-domains contoso.com',
    );
  }
  const format = choice('--format', raw.format ?? 'auto', FORMAT_IDS);
  const settings: Omit<ScanSettings, 'tenant' | 'connectors' | 'warnings'> = {
    paths: [...paths],
    tenantName: raw.tenant === undefined ? null : tenantName(raw.tenant),
    range: detectionRange(raw, surroundings.nowMs),
    format: format === 'auto' ? null : format,
    dateOrder: raw.dateOrder === undefined ? null : choice('--date-order', raw.dateOrder, DATE_ORDERS),
    reader: choice('--reader', raw.reader ?? 'auto', READERS),
    evidenceRows: wholeNumber('--evidence', raw.evidence, 0, MAX_EVIDENCE_ROWS) ?? DEFAULT_EVIDENCE_ROWS,
    memoryMiB: wholeNumber('--memory', raw.memory, MIN_MEMORY_MIB, MAX_MEMORY_MIB) ?? DEFAULT_MEMORY_MIB,
    output: choice('--output', raw.output ?? 'table', OUTPUTS),
    ...outputFiles(paths, raw),
    failOn: raw.failOn === undefined ? null : choice('--fail-on', raw.failOn, SEVERITIES),
    quiet: raw.quiet ?? false,
  };
  const licenses = wholeNumber('--licenses', raw.licenses, 1, MAX_LICENSES);
  const timeZone = zone(raw.timeZone ?? 'UTC');
  const list =
    raw.acceptedDomains === undefined ? null : await readAcceptedDomains(raw.acceptedDomains, surroundings.readFile);
  const connectors = raw.connectors === undefined ? null : await readConnectors(raw.connectors, surroundings.readFile);
  return {
    ...settings,
    tenant: {
      key: settings.tenantName ?? DEFAULT_TENANT,
      acceptedDomains: list?.domains ?? null,
      licenses,
      timeZone,
    },
    connectors: connectors?.connectors ?? null,
    warnings: [...(list?.warnings ?? []), ...(connectors?.warnings ?? [])],
  };
}

function tenantName(text: string): string {
  const name = text.trim();
  if (name === '' || name.length > MAX_TENANT_LENGTH || /\p{C}/u.test(name)) {
    throw wrongValue(
      '--tenant',
      text,
      `It is a name of 1 to ${MAX_TENANT_LENGTH} visible characters, such as contoso.`,
    );
  }
  return name;
}

export function choice<T extends string>(option: string, text: string, values: readonly T[]): T {
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  const nearest = nearestName(text, values);
  throw wrongValue(
    option,
    text,
    `${nearest === null ? '' : `Did you mean ${nearest}? `}It is one of: ${values.join(', ')}.`,
  );
}

function wholeNumber(option: string, text: string | undefined, min: number, max: number): number | null {
  if (text === undefined) return null;
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw wrongValue(option, text, `It is a whole number from ${min} to ${max}.`);
}

function zone(text: string): string {
  const found = canonicalTimeZone(text);
  if (found !== null) return found;
  const nearest = nearestTimeZone(text);
  const suggestion = nearest === null ? '' : `Did you mean ${nearest}? `;
  throw wrongValue('--time-zone', text, `${suggestion}It is an IANA time zone, such as Europe/Berlin or UTC.`);
}

function detectionRange(raw: RawScanOptions, nowMs: number): DetectionRange {
  const sinceMs = instant('--since', raw.since);
  const untilMs = instant('--until', raw.until);
  const reportSinceMs = instant('--report-since', raw.reportSince);
  if (sinceMs !== null && untilMs !== null && sinceMs >= untilMs) {
    throw usage(
      `--since ${raw.since} is not before --until ${raw.until}: no row can be between them`,
      'Swap them, or leave one out.',
    );
  }
  if (reportSinceMs !== null && untilMs !== null && reportSinceMs >= untilMs) {
    throw usage(
      `--report-since ${raw.reportSince} is not before --until ${raw.until}: nothing could be reported`,
      'Give --report-since a time before --until, or leave one out.',
    );
  }
  return { sinceMs, untilMs, reportSinceMs, nowMs };
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
/** RFC 3339; seconds may be left out. */
const INSTANT = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?([Zz]|[+-]\d{2}:\d{2})$/;

function instant(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const parts = DATE.exec(text) ?? INSTANT.exec(text);
  if (parts === null) {
    const zoneless = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?$/.test(text);
    throw wrongValue(
      option,
      text,
      zoneless
        ? `The zone is missing: ${text}Z would be UTC.`
        : 'It is a day (2026-09-01, from 00:00 UTC) or a time with its zone (2026-09-01T08:00:00Z).',
    );
  }
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((part) => Number(part ?? 0));
  const timeMs = Date.UTC(year, month - 1, day, hour || 0, minute || 0, second || 0);
  const offset = parts[8] ?? 'Z';
  const offsetMinutes = /^[Zz]$/.test(offset) ? 0 : Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4));
  const date = new Date(timeMs);
  const rolledOver = date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day;
  if (rolledOver || (hour || 0) > 23 || (minute || 0) > 59 || (second || 0) > 59 || offsetMinutes >= 24 * 60) {
    throw wrongValue(option, text, 'There is no such day or time.');
  }
  const milliseconds = Number(`${parts[7] ?? ''}000`.slice(0, 3));
  return timeMs + milliseconds - (offset[0] === '-' ? -1 : 1) * offsetMinutes * 60_000;
}

function outputFiles(
  paths: readonly string[],
  raw: RawScanOptions,
): Pick<ScanSettings, 'out' | 'ledger' | 'deadLetters' | 'evidenceOut'> {
  const files = [
    ['--out', raw.out],
    ['--ledger', raw.ledger],
    ['--dead-letters', raw.deadLetters],
    ['--evidence-out', raw.evidenceOut],
  ] as const;
  const seen = new Map<string, string>();
  for (const [option, file] of files) {
    if (file === undefined) continue;
    if (file === '' || (file === '-' && option !== '--out')) {
      throw wrongValue(
        option,
        file,
        file === '' ? 'It is the name of a file.' : 'Only the results go to stdout: name a file.',
      );
    }
    if (paths.includes(file) && file !== '-') {
      throw usage(`${option} ${file} is one of the inputs and would be overwritten`, 'Name another file.');
    }
    const other = seen.get(file);
    if (other !== undefined) throw usage(`${other} and ${option} name the same file, ${file}`, 'Name two files.');
    seen.set(file, option);
  }
  return {
    out: raw.out === undefined || raw.out === '-' ? null : raw.out,
    ledger: raw.ledger ?? null,
    deadLetters: raw.deadLetters ?? null,
    evidenceOut: raw.evidenceOut ?? null,
  };
}

function wrongValue(option: string, text: string, hint: string): RelaywatchError {
  return usage(`${option} cannot be "${text}"`, hint);
}

export function usage(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'usage', message, hint, exitCode: 2 });
}

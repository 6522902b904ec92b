/** What is said on stderr besides the results: warnings, inferred domains, and what became of the rows. */

import type { FileLedger, Ledger, RowCounts } from '../core/ledger.ts';
import type { AcceptedDomain } from '../core/settings.ts';
import { counted, formatCount, terminalSafe, terminalSafeLines } from './text.ts';

/** Lines of one kind that are shown; the ledger has all. */
const LINES_SHOWN = 20;
const DOMAINS_SHOWN = 20;

export function errorText(message: string, hint: string): string {
  const sentence = hint.startsWith('relaywatch ') ? hint : hint.charAt(0).toUpperCase() + hint.slice(1);
  return `relaywatch: ${terminalSafe(message)}.\n${terminalSafeLines(sentence)}\n`;
}

/** Files that were refused: one line each. These are errors and shown even where notes are not. */
export function refusedFiles(ledger: Ledger): string {
  const refused = ledger.files.filter((file) => file.refused !== null);
  return shortened(
    refused.map((file) => `relaywatch: refused ${terminalSafe(file.path)}: ${terminalSafe(file.refused!.message)}`),
    'refused files',
  );
}

/** What an entry of the allow-list has hidden from the detector. */
export interface HiddenMail {
  /** What the entry matches. */
  name: string;
  owner: string;
  recipients: number;
  /** Rows that match and counted all the same: too many, refused, or through a new way in. */
  shown: number;
}

export interface Notes {
  warnings: readonly string[];
  /** Incidents that labels name, and those of them that were found; absent where there are no labels. */
  labels?: { given: number; found: number };
  /** By entry of the allow-list; absent where there is none. */
  hidden?: readonly HiddenMail[];
  inferred: { domains: readonly AcceptedDomain[]; from: string } | null;
  /** The command that exports the real list of accepted domains. */
  exportCommand: string;
  /** The command to be run again with the list. */
  command: 'scan' | 'convert' | 'explain';
  ledger: Ledger;
  /** The ledger was written to a file, which holds all. */
  ledgerFile: string | null;
}

export function notes({
  warnings,
  labels,
  hidden = [],
  inferred,
  exportCommand,
  command,
  ledger,
  ledgerFile,
}: Notes): string {
  const fileWarnings = ledger.files.flatMap((file) => file.warnings.map((warning) => `${file.path}: ${warning}`));
  const lines = [...new Set([...warnings, ...fileWarnings])].map((warning) => `warning: ${terminalSafeLines(warning)}`);
  return (
    (inferred === null || ledger.totals.rows.accepted === 0 ? '' : inferredNote(inferred, exportCommand, command)) +
    shortened(lines, 'warnings') +
    labelsNote(labels) +
    hiddenMail(hidden) +
    rowsNote(ledger, ledgerFile)
  );
}

/** A label of an incident that is not there does nothing, and nobody would see it. */
function labelsNote({ given, found }: NonNullable<Notes['labels']> = { given: 0, found: 0 }): string {
  if (given === 0) return '';
  const rest = found === given ? '' : '; the others are not in these rows (ids depend on --tenant and on the rows)';
  return `labels: ${formatCount(found)} of ${counted(given, 'incident')} found${rest}\n`;
}

/** Entries that hid nothing are left out: they say nothing about these rows. */
function hiddenMail(hidden: readonly HiddenMail[]): string {
  const lines = hidden.filter(({ recipients, shown }) => recipients + shown > 0).map(hiddenLine);
  const more = lines.length > LINES_SHOWN ? [`and ${formatCount(lines.length - LINES_SHOWN)} more entries of it`] : [];
  return [...lines.slice(0, LINES_SHOWN), ...more].map((line) => `${line}\n`).join('');
}

function hiddenLine({ name, owner, recipients, shown }: HiddenMail): string {
  const counts = `${counted(recipients, 'recipient')} of ${terminalSafe(name)}`;
  const others =
    shown === 0 ? '' : `; ${formatCount(shown)} more counted, as too many, refused, or through a new way in`;
  return `allow-list: ${counts} left out of detection (${terminalSafe(owner)})${others}`;
}

function inferredNote(
  { domains, from }: NonNullable<Notes['inferred']>,
  exportCommand: string,
  command: Notes['command'],
): string {
  const names = domains.slice(0, DOMAINS_SHOWN).map((domain) => terminalSafe(domain.name));
  if (domains.length > names.length) names.push(`${formatCount(domains.length - names.length)} more`);
  const what =
    names.length === 0
      ? 'No --accepted-domains was given and none could be told from the rows, so every sender counts as unregistered.'
      : `No --accepted-domains was given. Taken as registered, from ${terminalSafe(from)}:\n  ${names.join(', ')}`;
  return `${what}
Unregistered senders can only be told with the real list. Export it in Exchange Online PowerShell:
  ${exportCommand}
and ${command} again with --accepted-domains accepted-domains.csv
`;
}

function rowsNote(ledger: Ledger, ledgerFile: string | null): string {
  const { files, refused, rows } = ledger.totals;
  const read = files - refused;
  if (read === 0) return '';
  const letters = sum(rows.dead_lettered);
  const dropped = sum(rows.dropped);
  const parts = [`${formatCount(rows.accepted)} new`];
  if (rows.updated > 0) parts.push(`${formatCount(rows.updated)} with a new status`);
  if (rows.duplicate > 0) parts.push(`${formatCount(rows.duplicate)} known`);
  if (rows.folded > 0) parts.push(`${formatCount(rows.folded)} further events`);
  if (dropped > 0) parts.push(`${formatCount(dropped)} left out (${reasons(rows.dropped)})`);
  if (letters > 0) parts.push(`${formatCount(letters)} unreadable (${reasons(rows.dead_lettered)})`);
  const more = letters > 0 && ledgerFile === null ? '; --dead-letters FILE keeps them' : '';
  return `${counted(read, 'file')}, ${counted(rows.read, 'row')}: ${parts.join(', ')}${more}\n`;
}

function sum(counts: RowCounts['dropped'] | RowCounts['dead_lettered']): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function reasons(counts: RowCounts['dropped'] | RowCounts['dead_lettered']): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason.replaceAll('_', ' ')} ${formatCount(count)}`)
    .join(', ');
}

function shortened(lines: readonly string[], what: string): string {
  const shown = lines.slice(0, LINES_SHOWN);
  if (lines.length > shown.length) {
    shown.push(`and ${formatCount(lines.length - shown.length)} more ${what}; --ledger FILE names all`);
  }
  return shown.map((line) => `${line}\n`).join('');
}

/** Files that were refused, for the exit code. */
export function anyRefused(files: readonly FileLedger[]): boolean {
  return files.some((file) => file.refused !== null);
}

/** Not one file could be read: there is nothing to report about. */
export function allRefused(files: readonly FileLedger[]): boolean {
  return files.every((file) => file.refused !== null);
}

/**
 * `--accepted-domains`: names behind commas, or a file. A file is what `Get-AcceptedDomain` gives, as
 * CSV or JSON of any PowerShell, or one name per line. Anything else is refused with what it looks
 * like: a wrong list would make every incident wrong.
 */

import { domainToASCII } from 'node:url';
import { RelaywatchError } from '../core/outcome.ts';
import type { AcceptedDomain } from '../core/settings.ts';
import { createDecoder, detectEncoding } from '../readers/encoding.ts';

export const EXPORT_COMMAND =
  'Get-AcceptedDomain -ResultSize Unlimited | Export-Csv accepted-domains.csv -NoTypeInformation -Encoding UTF8';

/** What to do without a list of accepted domains. */
export const EXPORT_HINT = `Export the list in Exchange Online PowerShell:
  ${EXPORT_COMMAND}
or name the domains themselves: --accepted-domains contoso.com,fabrikam.com`;

export interface AcceptedDomainList {
  /** Lower case, IDNA ASCII, each name once, ordered by name. */
  domains: AcceptedDomain[];
  /** What makes the list doubtful, and what to do; for people. */
  warnings: string[];
}

/** Reads the whole file at a path; null where there is none. */
export type ReadFile = (path: string) => Promise<Uint8Array | null>;

/** Values of one row by column name: lower case, letters and digits only. */
type Row = Map<string, unknown>;

export async function readAcceptedDomains(argument: string, readFile: ReadFile): Promise<AcceptedDomainList> {
  if (argument.trim() === '') {
    throw refusal('--accepted-domains has no value', EXPORT_HINT);
  }
  const bytes = argument === '-' ? null : await readFile(argument);
  if (bytes !== null) return listFromFile(argument, bytes);
  if (!looksLikePath(argument)) return listFromNames(argument);
  throw refusal(
    argument === '-' ? '--accepted-domains cannot be read from stdin' : `--accepted-domains ${argument} does not exist`,
    `Check the path. ${EXPORT_HINT}`,
  );
}

/** File names that people give such lists; none of these endings is a top-level domain. */
const FILE_ENDING = /\.(?:csv|json|txt|tsv|xlsx?|log|xml|ndjson)$/i;

function looksLikePath(argument: string): boolean {
  return argument === '-' || (!argument.includes(',') && (/[\\/]/.test(argument) || FILE_ENDING.test(argument)));
}

function listFromNames(argument: string): AcceptedDomainList {
  const names = argument.split(',').filter((name) => name.trim() !== '');
  const domains = names.map((name) => {
    const domain = acceptedDomain(name);
    if (domain === null) throw refusal(`--accepted-domains: ${quoted(name)} is no domain and no file`, EXPORT_HINT);
    return domain;
  });
  return { domains: uniqueDomains(domains), warnings: [] };
}

async function listFromFile(path: string, bytes: Uint8Array): Promise<AcceptedDomainList> {
  const text = decode(path, bytes);
  const start = text.trimStart();
  if (start === '') throw notTheList(path, 'it is empty');
  if (start.startsWith('[') || start.startsWith('{')) return listFromRows(path, rowsOfJson(path, start));
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.some((line) => /^-{3,}(?: +-{3,})* *$/.test(line))) {
    throw notTheList(path, 'it looks like text from the screen (Format-Table), in which names may be cut');
  }
  if (/^#software: *microsoft exchange/i.test(start)) throw notTheList(path, 'it looks like a message tracking log');
  const header = headerLine(lines);
  if (header === -1) throw notTheList(path, 'it holds nothing but comments');
  const delimiter = delimiterOf(lines[header]);
  const cells = lines[header].split(delimiter);
  const namesInOneLine = cells.every((cell) => cell.trim() === '' || acceptedDomain(cell) !== null);
  if (!namesInOneLine && (cells.length > 1 || isColumn(columnName(cells[0])))) {
    return listFromRows(path, await rowsOfCsv(path, lines.slice(header).join('\n'), delimiter));
  }
  return listFromLines(path, lines);
}

function decode(path: string, bytes: Uint8Array): string {
  const { encoding, bomBytes } = detectEncoding(bytes);
  if (encoding === 'binary') throw notTheList(path, binaryKind(bytes));
  const decoder = createDecoder(encoding, { skipBytes: bomBytes });
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  return utf8.decode(Buffer.concat([decoder.decode(bytes), decoder.flush()]));
}

function binaryKind(bytes: Uint8Array): string {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return 'it is a zip archive or an Excel workbook';
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'it is compressed (gzip)';
  return 'it is no text';
}

/** Index of the first line that is no `#TYPE`, `sep=` or comment line and not empty; -1 without one. */
function headerLine(lines: readonly string[]): number {
  return lines.findIndex((line) => line.trim() !== '' && !line.startsWith('#') && !/^sep=.$/i.test(line));
}

const DELIMITERS = [',', ';', '\t', '|'] as const;

function delimiterOf(header: string): string {
  const counts = DELIMITERS.map((delimiter) => header.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))];
}

function columnName(cell: string): string {
  return cell.toLowerCase().replace(/[^a-z0-9]/g, '');
}

function isColumn(name: string): boolean {
  return name === 'domainname' || name === 'name' || name === 'domain' || name === 'domains';
}

function listFromLines(path: string, lines: readonly string[]): AcceptedDomainList {
  const domains: AcceptedDomain[] = [];
  for (const [index, line] of lines.entries()) {
    for (const name of line.replace(/#.*/, '').split(/[\s,;]+/)) {
      if (name === '') continue;
      const domain = acceptedDomain(name);
      if (domain === null) throw notTheList(path, `line ${index + 1} holds ${quoted(name)}, which is no domain`);
      domains.push(domain);
    }
  }
  return { domains: uniqueDomains(domains), warnings: [] };
}

async function rowsOfCsv(path: string, text: string, delimiter: string): Promise<Row[]> {
  const { parseString } = await import('fast-csv');
  return new Promise((resolve, reject) => {
    let header: string[] | null = null;
    const rows: Row[] = [];
    parseString<string[], string[]>(text, { headers: false, delimiter, ignoreEmpty: true })
      .on('error', (error) => reject(notTheList(path, `its CSV is broken (${error.message.split('.')[0]})`)))
      .on('data', (cells: string[]) => {
        if (header === null) header = cells.map(columnName);
        else rows.push(new Map(header.map((column, index) => [column, cells[index] ?? ''])));
      })
      .on('end', () => resolve(rows.length > 0 ? rows : [new Map((header ?? []).map((column) => [column, null]))]));
  });
}

function rowsOfJson(path: string, text: string): Row[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw notTheList(path, `its JSON is broken (${(error as Error).message.split(' in JSON')[0]})`);
  }
  const wrapped = (parsed as { value?: unknown } | null)?.value;
  const list = Array.isArray(parsed) ? parsed : Array.isArray(wrapped) ? wrapped : [parsed];
  const objects = list.filter((element) => element !== null);
  if (objects.length === 0)
    throw notTheList(path, 'the export holds no domain ("[null]" is what exporting nothing gives)');
  return objects.map((element) => {
    if (typeof element === 'string') return new Map([['domainname', element]]);
    if (typeof element !== 'object') throw notTheList(path, 'its JSON holds no objects');
    return new Map(Object.entries(element as object).map(([name, value]) => [columnName(name), value]));
  });
}

function listFromRows(path: string, rows: readonly Row[]): AcceptedDomainList {
  const columns = new Set(rows.flatMap((row) => [...row.keys()]));
  const problem = notAcceptedDomains(columns);
  if (problem !== null) throw notTheList(path, problem);
  const domains: AcceptedDomain[] = [];
  const unreadable: string[] = [];
  const disabled: string[] = [];
  let external = 0;
  let withDefault = 0;
  for (const row of rows) {
    if ([...row.values()].every((value) => value === null || value === '')) continue;
    const text = nameOf(row.get('domainname')) || nameOf(row.get('name')) || nameOf(row.get('domain'));
    const domain = TYPE_NAME.test(text) ? null : acceptedDomain(text);
    if (domain === null) {
      unreadable.push(text);
      continue;
    }
    if (isTrue(row.get('matchsubdomains'))) domain.matchSubDomains = true;
    domains.push(domain);
    if (isTrue(row.get('default'))) withDefault++;
    if (isTrue(row.get('sendingfromdomaindisabled'))) disabled.push(domain.name);
    if (String(row.get('domaintype')).toLowerCase() === 'externalrelay') external++;
  }
  if (domains.length === 0) {
    throw notTheList(
      path,
      unreadable.length > 0 ? `it holds ${quoted(unreadable[0])} instead of a domain` : 'it has no row',
    );
  }
  const warnings: string[] = [];
  if (unreadable.length > 0) {
    warnings.push(
      `${path}: ${unreadable.length} of ${rows.length} rows name no domain (the first: ${quoted(unreadable[0])}) and were left out. ${EXPORT_HINT}`,
    );
  }
  if (columns.has('default') && withDefault === 0) {
    warnings.push(
      `${path}: no domain is marked Default=True, so the list is probably not complete; domains that are missing count as unregistered. ${EXPORT_HINT}`,
    );
  }
  if (disabled.length > 0) {
    warnings.push(
      `${path}: sending is switched off (SendingFromDomainDisabled) for ${disabled.sort().join(', ')}; mail from there still counts as registered.`,
    );
  }
  if (external > 0) {
    warnings.push(
      `${path}: ${external} domains are of type ExternalRelay, which Exchange Online does not have: the list comes from an Exchange server. Microsoft judges by the list of Exchange Online; export that one.`,
    );
  }
  return { domains: uniqueDomains(domains), warnings };
}

/** What Export-Csv writes for a value of several parts, such as `System.Collections.ArrayList`. */
const TYPE_NAME = /^(?:System|Microsoft\.Exchange)\./;

/** Columns that only one other export has, and what it is. The first match counts. */
const OTHER_EXPORTS: readonly (readonly [column: string, what: string])[] = [
  ['messagetraceid', 'a message trace (Get-MessageTrace)'],
  ['networkmessageid', 'a message trace (historical search, or EmailEvents)'],
  ['recipientstatus', 'a message trace (historical search)'],
  ['recipientaddress', 'a message trace'],
  ['smarthosts', 'an export of Get-OutboundConnector'],
  ['senderipaddresses', 'an export of Get-InboundConnector'],
  ['senderdomains', 'an export of Get-InboundConnector'],
  ['allowedooftype', 'an export of Get-RemoteDomain'],
  ['selector1cname', 'an export of Get-DkimSigningConfig'],
  ['primarysmtpaddress', 'an export of mailboxes or recipients'],
  ['userprincipalname', 'an export of users'],
];

function notAcceptedDomains(columns: ReadonlySet<string>): string | null {
  for (const [column, what] of OTHER_EXPORTS) {
    if (columns.has(column)) return `it looks like ${what}`;
  }
  if (columns.has('domainname') || (columns.has('name') && columns.has('domaintype'))) return null;
  if (columns.size === 1 && isColumn([...columns][0])) return null;
  const shown = [...columns].slice(0, 4).join(', ');
  return `it has no column DomainName (its columns: ${shown}${columns.size > 4 ? ', ...' : ''})`;
}

/** The text of a name: on-premises Exchange gives an object with the parts of the domain. */
function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  const { Address: address, Domain: domain } = value as { Address?: unknown; Domain?: unknown };
  return typeof address === 'string' ? address : typeof domain === 'string' ? domain : '';
}

function isTrue(value: unknown): boolean {
  return value === true || (typeof value === 'string' && value.trim().toLowerCase() === 'true');
}

/** Labels of letters, digits, hyphens and underscores; the last one not of digits alone. */
const DOMAIN = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** `Contoso.com`, `*.contoso.com` or `@contoso.com` as an entry; null where it is no domain. */
export function acceptedDomain(text: string): AcceptedDomain | null {
  if (text.length > 1_024) return null;
  let name = text
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
  const matchSubDomains = name.startsWith('*.');
  if (matchSubDomains) name = name.slice(2);
  else if (name.startsWith('@')) name = name.slice(1);
  if (/[^\x20-\x7e]/.test(name)) name = domainToASCII(name.normalize('NFC'));
  // What everybody's tenant is below is nobody's own.
  if (name.length > 253 || !DOMAIN.test(name) || name === 'onmicrosoft.com') return null;
  return { name, matchSubDomains };
}

/** Each name once, ordered by name. */
export function uniqueDomains(domains: readonly AcceptedDomain[]): AcceptedDomain[] {
  const byName = new Map<string, AcceptedDomain>();
  for (const { name, matchSubDomains } of domains) {
    byName.set(name, { name, matchSubDomains: matchSubDomains || (byName.get(name)?.matchSubDomains ?? false) });
  }
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A value from the file, short and in one line. */
function quoted(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return `"${line.length > 60 ? `${line.slice(0, 57)}...` : line}"`;
}

function notTheList(path: string, what: string): RelaywatchError {
  return refusal(`--accepted-domains ${path} is no list of accepted domains: ${what}`, EXPORT_HINT);
}

function refusal(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'accepted_domains', message, hint, exitCode: 2 });
}

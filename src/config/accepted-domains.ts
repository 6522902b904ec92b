/**
 * `--accepted-domains`: names behind commas, or a file. A file is what `Get-AcceptedDomain` gives, as
 * CSV or JSON of any PowerShell, or one name per line. Anything else is refused with what it looks
 * like: a wrong list would make every incident wrong.
 */

import { domainToASCII } from 'node:url';
import { RelaywatchError } from '../core/outcome.ts';
import type { AcceptedDomain } from '../core/settings.ts';
import {
  columnName,
  isJson,
  isTrue,
  jsonElements,
  quoted,
  type ReadFile,
  type ReferenceRow,
  referenceTable,
  referenceText,
  rowOf,
  TYPE_NAME,
  tableRows,
} from './reference-rows.ts';

export type { ReadFile };

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

export async function readAcceptedDomains(argument: string, readFile: ReadFile): Promise<AcceptedDomainList> {
  if (argument.trim() === '') {
    throw refusal('--accepted-domains has no value', EXPORT_HINT);
  }
  const bytes = argument === '-' ? null : await readFile(argument, '--accepted-domains');
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
  const refuse = (what: string): RelaywatchError => notTheList(path, what);
  const text = referenceText(bytes, refuse);
  if (isJson(text)) return listFromRows(path, objectsOf(path, text));
  const table = referenceTable(text, refuse);
  const cells = table.header;
  const namesInOneLine = cells.every((cell) => cell.trim() === '' || acceptedDomain(cell) !== null);
  if (!namesInOneLine && (cells.length > 1 || isColumn(columnName(cells[0])))) {
    return listFromRows(path, await tableRows(table, refuse));
  }
  return listFromLines(path, table.lines);
}

function objectsOf(path: string, text: string): ReferenceRow[] {
  const refuse = (what: string): RelaywatchError => notTheList(path, what);
  const elements = jsonElements(text, refuse);
  if (elements.length === 0) throw refuse('the export holds no domain ("[null]" is what exporting nothing gives)');
  return elements.map((element) =>
    typeof element === 'string' ? new Map([['domainname', element]]) : rowOf(element, refuse),
  );
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

function listFromRows(path: string, rows: readonly ReferenceRow[]): AcceptedDomainList {
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

function notTheList(path: string, what: string): RelaywatchError {
  return refusal(`--accepted-domains ${path} is no list of accepted domains: ${what}`, EXPORT_HINT);
}

function refusal(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'accepted_domains', message, hint, exitCode: 2 });
}

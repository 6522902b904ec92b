/**
 * `--connectors`: what Get-InboundConnector and Get-OutboundConnector give, as CSV or JSON of any PowerShell. In CSV
 * the lists of domains and addresses are often gone (`Microsoft.Exchange.Data.MultiValuedProperty...`); names and
 * times are there still, and that is told.
 */

import type { Connector } from '../core/connectors.ts';
import { type DateOrder, dateOrderEvidence, EVIDENCE_DMY, EVIDENCE_MDY, parseEventTime } from '../core/event-time.ts';
import { RelaywatchError } from '../core/outcome.ts';
import {
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

export const CONNECTOR_COMMAND =
  '@(Get-InboundConnector) + @(Get-OutboundConnector) | ConvertTo-Json -Depth 4 > connectors.json';
const HINT = `Export them in Exchange Online PowerShell:\n  ${CONNECTOR_COMMAND}`;

export interface ConnectorList {
  /** Each name of a direction once, ordered by direction and name. */
  connectors: Connector[];
  /** What could not be read, and what to do; for people. */
  warnings: string[];
}

/** Reads the export at a path. Throws a RelaywatchError (exit 2) where it is none. */
export async function readConnectors(path: string, readFile: ReadFile): Promise<ConnectorList> {
  const bytes = path === '' || path === '-' ? null : await readFile(path, '--connectors');
  if (bytes === null) {
    const what = path === '' ? 'has no value' : path === '-' ? 'cannot be read from stdin' : `${path} does not exist`;
    throw refusal(`--connectors ${what}`);
  }
  const refuse = (what: string): RelaywatchError => refusal(`--connectors ${path} is no export of connectors: ${what}`);
  const text = referenceText(bytes, refuse);
  const isObjects = isJson(text);
  const rows = isObjects
    ? jsonElements(text, refuse).map((element) => rowOf(element, refuse))
    : await tableRows(referenceTable(text, refuse), refuse);
  const table = new ConnectorRows(path, rows, refuse);
  return { connectors: uniqueConnectors(table.read()), warnings: table.warnings };
}

/** Columns that only one kind of export has, and what it is otherwise. */
const INBOUND_COLUMNS = [
  'senderipaddresses',
  'senderdomains',
  'tlssendercertificatename',
  'restrictdomainstoipaddresses',
];
const OUTBOUND_COLUMNS = ['smarthosts', 'usemxrecord', 'recipientdomains', 'routeallmessagesviaonpremises'];
const OTHER_EXPORTS: readonly (readonly [column: string, what: string])[] = [
  ['messagetraceid', 'a message trace'],
  ['recipientaddress', 'a message trace'],
  ['domaintype', 'an export of Get-AcceptedDomain; pass it with --accepted-domains'],
  ['addressspaces', 'an export of Get-SendConnector, which an Exchange server has; that of Exchange Online is needed'],
  [
    'remoteipranges',
    'an export of Get-ReceiveConnector, which an Exchange server has; that of Exchange Online is needed',
  ],
  ['allowedooftype', 'an export of Get-RemoteDomain'],
];

/** Connectors of one direction and name belong together; exports of several days hold them several times. */
function uniqueConnectors(connectors: readonly Connector[]): Connector[] {
  const byKey = new Map<string, Connector>();
  for (const connector of connectors) {
    const key = `${connector.direction} ${connector.name.toLowerCase()}`;
    const known = byKey.get(key);
    if (known === undefined || isNewer(connector, known)) byKey.set(key, connector);
  }
  return [...byKey.keys()].sort().map((key) => byKey.get(key) as Connector);
}

/** By the time of change, then of creation: one that was made again under an old name is the newer. */
function isNewer(one: Connector, other: Connector): boolean {
  const changed = (one.changedMs ?? -1) - (other.changedMs ?? -1);
  return changed > 0 || (changed === 0 && (one.createdMs ?? -1) > (other.createdMs ?? -1));
}

class ConnectorRows {
  readonly warnings: string[] = [];
  readonly #path: string;
  readonly #rows: readonly ReferenceRow[];
  readonly #dateOrder: DateOrder | null;
  readonly #unreadable = new Set<string>();
  readonly #lost = new Set<string>();

  constructor(path: string, rows: readonly ReferenceRow[], refuse: (what: string) => RelaywatchError) {
    this.#path = path;
    this.#rows = rows.filter((row) => [...row.values()].some((value) => value !== null && value !== ''));
    const columns = new Set(rows.flatMap((row) => [...row.keys()]));
    const other = OTHER_EXPORTS.find(([column]) => columns.has(column));
    if (other !== undefined) throw refuse(`it looks like ${other[1]}`);
    if (rows.length > 0 && !columns.has('name') && !columns.has('identity')) {
      throw refuse(`it has no column Name (its columns: ${[...columns].slice(0, 4).join(', ')})`);
    }
    const isConnector = [...INBOUND_COLUMNS, ...OUTBOUND_COLUMNS, 'connectortype'].some((name) => columns.has(name));
    if (rows.length > 0 && !isConnector) throw refuse('it has no column of connectors, such as ConnectorType');
    this.#dateOrder = dateOrderOf(this.#rows);
  }

  read(): Connector[] {
    const connectors = this.#rows.flatMap((row) => this.#connector(row) ?? []);
    const path = this.#path;
    if (connectors.length === 0) {
      this.warnings.push(`${path}: it holds no connector ("[null]" is what exporting nothing gives).`);
    }
    if (this.#lost.size > 0) {
      const columns = [...this.#lost].sort().join(', ');
      this.warnings.push(
        `${path}: Export-Csv has written the name of a type in place of the values of ${columns}; they are not known. ${HINT}`,
      );
    }
    for (const text of [...this.#unreadable].sort().slice(0, 3)) {
      this.warnings.push(`${path}: the time ${quoted(text)} cannot be read without doubt and was left out. ${HINT}`);
    }
    return connectors;
  }

  #connector(row: ReferenceRow): Connector | null {
    const name = textOf(row.get('name')) || textOf(row.get('identity'));
    if (name === '' || TYPE_NAME.test(name)) return null;
    const isInbound = INBOUND_COLUMNS.some((column) => row.has(column));
    const isOutbound = OUTBOUND_COLUMNS.some((column) => row.has(column));
    // Columns that were selected may not tell; what an attacker makes is inbound.
    const direction = isOutbound && !isInbound ? 'outbound' : 'inbound';
    return {
      name,
      direction,
      isEnabled: !row.has('enabled') || isTrue(row.get('enabled')),
      type: textOf(row.get('connectortype')),
      senderAddresses: this.#list(row, 'senderipaddresses'),
      senderDomains: [...new Set(this.#list(row, 'senderdomains').map(domainPattern))].sort(),
      createdMs: this.#time(row, 'whencreatedutc') ?? this.#time(row, 'whencreated'),
      changedMs: this.#time(row, 'whenchangedutc') ?? this.#time(row, 'whenchanged'),
    };
  }

  /** The values of a list; none where the export does not have them. */
  #list(row: ReferenceRow, column: string): string[] {
    const given = row.get(column);
    // Windows PowerShell writes some lists as `{"value":[...],"Count":2}`.
    const wrapped = (given as { value?: unknown } | null | undefined)?.value;
    const value = Array.isArray(wrapped) ? wrapped : given;
    const parts = Array.isArray(value) ? value.map(textOf) : textOf(value).split(/[\s,]+/);
    const found = parts.map((part) => part.trim()).filter((part) => part !== '');
    if (!found.some((part) => TYPE_NAME.test(part))) return [...new Set(found)].sort();
    this.#lost.add(column);
    return [];
  }

  /** UTC milliseconds. A time of the exporter's zone counts only where the text itself says which. */
  #time(row: ReferenceRow, column: string): number | null {
    const text = timeText(row.get(column));
    if (text === '') return null;
    const isUtc = column.endsWith('utc') || /Z$|[+-]\d\d:?\d\d$|^\\?\/Date\(/.test(text);
    const bytes = Buffer.from(text);
    const times = new Float64Array(1);
    if (isUtc && parseEventTime(bytes, 0, bytes.length, this.#dateOrder, times, 0)) return times[0];
    if (isUtc || !row.has(`${column}utc`)) this.#unreadable.add(text);
    return null;
  }
}

const TIME_COLUMNS = ['whencreatedutc', 'whenchangedutc', 'whencreated', 'whenchanged'];

/** The order of day and month where any time of the export proves it. */
function dateOrderOf(rows: readonly ReferenceRow[]): DateOrder | null {
  const orders = new Set<DateOrder>();
  for (const row of rows) {
    for (const column of TIME_COLUMNS) {
      const bytes = Buffer.from(timeText(row.get(column)));
      const evidence = dateOrderEvidence(bytes, 0, bytes.length);
      if (evidence === EVIDENCE_MDY) orders.add('mdy');
      if (evidence === EVIDENCE_DMY) orders.add('dmy');
    }
  }
  return orders.size === 1 ? [...orders][0] : null;
}

/** Windows PowerShell may write a time as an object: its value counts. */
function timeText(value: unknown): string {
  if (typeof value === 'object' && value !== null) return textOf((value as { value?: unknown }).value);
  return textOf(value);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

/** `smtp:*.Fabrikam.example;1` is a pattern with its cost (Get-InboundConnector, SenderDomains). */
function domainPattern(text: string): string {
  return text
    .replace(/^smtp:/i, '')
    .replace(/;\d+$/, '')
    .toLowerCase();
}

function refusal(message: string): RelaywatchError {
  return new RelaywatchError({ code: 'connectors', message, hint: HINT, exitCode: 2 });
}

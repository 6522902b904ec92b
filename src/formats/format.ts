/**
 * The contract of every export format: which columns it has, what they mean, and how sure a header
 * makes us. A format is data; `row.ts` does the work. A new format is one file and a line in
 * `config/registry.ts`.
 */

/** What a column of an export means to relaywatch. */
export type ColumnRole =
  | 'event_time'
  /** P1 sender (MAIL FROM) where the source has it. */
  | 'sender'
  /** P2 sender (From), or its domain, beside P1. */
  | 'header_sender'
  | 'recipient'
  /** Several recipients with their events in one cell: `ann@a.example##Receive, Send;bob@...`. */
  | 'recipient_status'
  /** In formats with a row for each event: what happened, and the component that says so. */
  | 'event'
  | 'event_source'
  /** Replies of servers to the recipients of an event, in their order, and what else is said of it. */
  | 'replies'
  | 'context'
  /** The server that an event names: the one that a message was sent to. */
  | 'server_name'
  /** The group or the alias that an event replaced by its recipients. */
  | 'related_recipient'
  | 'status'
  /** What a server said to refuse the message: from details that somebody joined to a trace. */
  | 'reason'
  /** Where Defender saw the message end, and what was done with it: together they say the status. */
  | 'delivery_location'
  | 'delivery_action'
  | 'subject'
  | 'message_id'
  /** Network message id. */
  | 'message_trace_id'
  | 'to_ip'
  | 'from_ip'
  /** Where addresses of version 6 have a column of their own: used where `from_ip` is empty. */
  | 'from_ip_v6'
  /** The server or program that submitted the message, in the row of its arrival; used where `from_ip` is empty. */
  | 'client_ip'
  | 'direction'
  | 'connector'
  /** Name or GUID of the tenant, the same in every row. */
  | 'organization'
  /** The table that a record of a stream says it is of; see `proof`. */
  | 'table'
  /** Bounds of the query that made the export: they can settle the order of day and month. */
  | 'start_date'
  | 'end_date';

/** How the records of a file are written. */
export type FileShape = 'csv' | 'json' | 'xml';

export interface TraceFormat {
  /** Name on the command line and in the ledger. */
  id: string;
  /** What a person calls it. */
  title: string;
  /** Where it comes from. */
  source: string;
  /** What an admin types, asks or clicks to get it. */
  command: string;
  /** What it cannot tell; the comment of its file says more. */
  lacks: readonly string[];
  shapes: readonly FileShape[];
  /**
   * Rank when two formats tell the same field of a pair: 1 (believed first) to 7. Formats whose
   * fields are documented and exact come before those that leave open which sender they show.
   */
  rank: number;
  /**
   * Names of each role's column, canonical (lower case, letters and digits alone), the documented
   * name first: where a header has two of them, the earlier one counts.
   */
  columns: Readonly<Partial<Record<ColumnRole, readonly string[]>>>;
  /** Of each group at least one role must be there. */
  required: readonly (readonly ColumnRole[])[];
  /** Columns of other exports: a header with one of them is not this format. */
  foreign: readonly string[];
  /**
   * A record without a value in any of these columns is of another table: streams mix them. It is left out where it
   * says so itself, in the column `table`, and refused otherwise. Counts where a file has all of the columns.
   */
  proof?: readonly ColumnRole[];
  /** Connectors named `SERVER\\name` are the service's own and not the tenant's: they are left out. */
  hasServersOwnConnectors?: true;
  /** Columns of copies that have lost their header, one list for each number of columns. Rows begin with an ISO time. */
  withoutHeader?: readonly (readonly string[])[];
}

/** An export that people have and that cannot be read as a trace: what it is, and what it is for. */
export interface OtherExport {
  title: string;
  /** Canonical column names that are all there. */
  columns: readonly string[];
  hint: string;
}

/** Index of each role's column in a file; -1 where the file has none. */
export type RoleColumns = Readonly<Record<ColumnRole, number>>;

export interface FormatMatch {
  format: TraceFormat;
  roles: RoleColumns;
  /** Columns recognised by their documented name; decides between two formats that both fit. */
  documented: number;
}

const ROLES: readonly ColumnRole[] = [
  'event_time',
  'sender',
  'header_sender',
  'recipient',
  'recipient_status',
  'event',
  'event_source',
  'replies',
  'context',
  'server_name',
  'related_recipient',
  'status',
  'reason',
  'delivery_location',
  'delivery_action',
  'subject',
  'message_id',
  'message_trace_id',
  'to_ip',
  'from_ip',
  'from_ip_v6',
  'client_ip',
  'direction',
  'connector',
  'organization',
  'table',
  'start_date',
  'end_date',
];

/** `Sender Address`, `sender_address` and `SenderAddress` are one name. */
export function canonicalColumn(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{Nd}]/gu, '');
}

/** Fits a format to the canonical names of a header; null where a required role is missing. */
export function matchFormat(format: TraceFormat, header: readonly string[]): FormatMatch | null {
  if (missingRoles(format, header).length > 0) return null;
  if (format.foreign.some((name) => header.includes(name))) return null;
  const roles = {} as Record<ColumnRole, number>;
  let documented = 0;
  for (const role of ROLES) {
    const names = format.columns[role] ?? [];
    const found = names.find((name) => header.includes(name));
    roles[role] = found === undefined ? -1 : header.indexOf(found);
    if (found !== undefined && found === names[0]) documented += 1;
  }
  return { format, roles, documented };
}

/** The format that fits a header best; null where none does. */
export function recogniseFormat(formats: readonly TraceFormat[], header: readonly string[]): FormatMatch | null {
  let best: FormatMatch | null = null;
  for (const format of formats) {
    const match = matchFormat(format, header);
    if (match !== null && (best === null || match.documented > best.documented)) best = match;
  }
  return best;
}

const ISO_TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:/;

/** The columns of a file whose first record is a row already, by its cells; null where no format has such rows. */
export function columnsWithoutHeader(
  formats: readonly TraceFormat[],
  cells: readonly string[],
): readonly string[] | null {
  if (cells.length === 0 || !ISO_TIME.test(cells[0])) return null;
  const lists = formats.flatMap(({ withoutHeader = [] }) => withoutHeader);
  return lists.find((columns) => columns.length === cells.length) ?? null;
}

/** Documented names of what a header lacks for a format, one text per missing group. */
export function missingRoles(format: TraceFormat, header: readonly string[]): string[] {
  const missing: string[] = [];
  for (const group of format.required) {
    const names = group.map((role) => format.columns[role] ?? []);
    if (!names.flat().some((name) => header.includes(name))) missing.push(names.map((some) => some[0]).join(' or '));
  }
  return missing;
}

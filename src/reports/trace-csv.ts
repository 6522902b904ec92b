/** Canonical rows as CSV, written by fast-csv: for Excel, or as they are for programs. */

import { writeToString } from 'fast-csv';
import type { CanonicalRow } from '../core/canonical-row.ts';
import type { Organization } from './trace-document.ts';

type Cell = (row: CanonicalRow, organization: Organization | null) => string;

const COLUMNS: readonly (readonly [name: string, cell: Cell])[] = [
  ['event_time', (row) => new Date(row.eventMs).toISOString()],
  ['direction', (row) => row.direction ?? ''],
  ['sender_domain_status', (row) => row.senderStatus ?? ''],
  ['sender', (row) => row.sender],
  ['sender_domain', (row) => row.senderDomain],
  ['rewritten_from', (row) => row.rewrittenSender ?? ''],
  ['recipient', (row) => row.recipient],
  ['recipient_domain', (row) => row.recipientDomain],
  ['subject', (row) => row.subject],
  ['status', (row) => row.status],
  ['statuses_seen', (row) => row.statusesSeen.join(' ')],
  ['from_ip', (row) => row.sourceIp],
  ['connector', (row) => row.connector],
  ['sent_on', (row) => String(row.isSentOn)],
  ['refusal', (row) => row.refusal ?? ''],
  ['message_trace_id', (row) => row.messageTraceId],
  ['message_id', (row) => row.messageId],
  ['organization', (_, organization) => organization?.name ?? organization?.id ?? ''],
  ['pair', (row) => row.pair],
];
const HEADER = COLUMNS.map(([name]) => name);
/** Without it Excel reads UTF-8 as the code page of the machine. */
const BYTE_ORDER_MARK = '\ufeff';
const FORMAT = { quoteColumns: true, rowDelimiter: '\r\n', includeEndRowDelimiter: true };

/** The line of column names. `isRaw`: for programs, without the mark that Excel needs. */
export async function traceCsvHeader(isRaw: boolean): Promise<string> {
  return (isRaw ? '' : BYTE_ORDER_MARK) + (await writeToString([HEADER], FORMAT));
}

/** A line for each row, every cell in quotes. Unless `isRaw` no cell is one that Excel would run as a formula. */
export async function traceCsv(
  rows: readonly CanonicalRow[],
  organization: Organization | null,
  isRaw: boolean,
): Promise<string> {
  if (rows.length === 0) return '';
  const text = isRaw ? (cell: string) => cell : harmlessCell;
  return writeToString(
    rows.map((row) => COLUMNS.map(([, cell]) => text(cell(row, organization)))),
    FORMAT,
  );
}

/** `=`, `+`, `-` and `@`, half and full width: where a spreadsheet finds one first, the cell is a formula. */
const FORMULA = '[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20]';
/** Quotes, white space and invisible characters before it are no protection. */
const BEFORE = '\\s"\\u0000-\\u001f\\u007f-\\u00a0\\u00ad\\u200b-\\u200f\\u2060\\ufeff';
const STARTS_A_FORMULA = new RegExp(`^(?=[${BEFORE}]*${FORMULA})`);
/**
 * Where the list separator is a semicolon or a tab, Excel cuts cells there, quotes or not: what follows is a cell.
 * Line breaks end a row for programs that know no quotes. It always takes a whole run of them: linear time.
 */
const BEHIND_SEPARATOR = new RegExp(`([;\\t\\r\\n][;${BEFORE}]*)(${FORMULA}?)`, 'g');
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/**
 * A cell that no spreadsheet takes for a formula (OWASP, CSV Injection): an apostrophe stands before what would
 * begin one, which Excel shows. Control characters become U+FFFD.
 */
export function harmlessCell(cell: string): string {
  if (cell === '') return cell;
  const harmless = cell.replace(CONTROLS, '\ufffd').replace(STARTS_A_FORMULA, "'");
  return harmless.replace(BEHIND_SEPARATOR, (all, before: string, formula: string) =>
    formula === '' ? all : `${before}'${formula}`,
  );
}

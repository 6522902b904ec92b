/**
 * The rows of a reference export, such as Get-AcceptedDomain or Get-InboundConnector, as CSV or JSON of any
 * PowerShell. What is no such file is refused by the caller's words: it knows what the file should be.
 */

import type { RelaywatchError } from '../core/outcome.ts';
import { createDecoder, detectEncoding } from '../readers/encoding.ts';

/** Reads the whole file at a path that an option named; null where there is none. */
export type ReadFile = (path: string, option: string) => Promise<Uint8Array | null>;

/** Values of one row by column name: lower case, letters and digits only. */
export type ReferenceRow = Map<string, unknown>;

/** Makes the error for what is wrong with the file. */
export type Refuse = (what: string) => RelaywatchError;

/** What Export-Csv writes for a value of several parts, such as `System.Collections.ArrayList`. */
export const TYPE_NAME = /^(?:System|Microsoft\.Exchange)\.\S*$/;

/** The text of a file that is not empty. */
export function referenceText(bytes: Uint8Array, refuse: Refuse): string {
  const decoded = decodedText(bytes);
  if ('binary' in decoded) throw refuse(decoded.binary);
  if (decoded.text.trim() === '') throw refuse('it is empty');
  return decoded.text;
}

/** The text of a file in any encoding of PowerShell, or what it is instead. */
export function decodedText(bytes: Uint8Array): { text: string } | { binary: string } {
  const { encoding, bomBytes } = detectEncoding(bytes);
  if (encoding === 'binary') return { binary: binaryKind(bytes) };
  const decoder = createDecoder(encoding, { skipBytes: bomBytes });
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  return { text: utf8.decode(Buffer.concat([decoder.decode(bytes), decoder.flush()])) };
}

function binaryKind(bytes: Uint8Array): string {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return 'it is a zip archive or an Excel workbook';
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'it is compressed (gzip)';
  return 'it is no text';
}

export function isJson(text: string): boolean {
  return /^\s*[[{]/.test(text);
}

/** The elements of an array, of `{"value":[...]}`, or the one object; `null`, which exporting nothing gives, is none. */
export function jsonElements(text: string, refuse: Refuse): unknown[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw refuse(`its JSON is broken (${(error as Error).message.split(' in JSON')[0]})`);
  }
  const wrapped = (parsed as { value?: unknown } | null)?.value;
  const list = Array.isArray(parsed) ? parsed : Array.isArray(wrapped) ? wrapped : [parsed];
  return list.filter((element) => element !== null);
}

export function rowOf(element: unknown, refuse: Refuse): ReferenceRow {
  if (typeof element !== 'object' || element === null) throw refuse('its JSON holds no objects');
  return new Map(Object.entries(element).map(([name, value]) => [columnName(name), value]));
}

/** A text of lines, with what its first line of values says. */
export interface ReferenceTable {
  lines: string[];
  /** Index of the first line that is no `#TYPE`, `sep=` or comment line and not empty. */
  headerLine: number;
  delimiter: string;
  /** Cells of that line. */
  header: string[];
}

const DELIMITERS = [',', ';', '\t', '|'] as const;

export function referenceTable(text: string, refuse: Refuse): ReferenceTable {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.some((line) => /^-{3,}(?: +-{3,})* *$/.test(line))) {
    throw refuse('it looks like text from the screen (Format-Table), in which names may be cut');
  }
  if (/^\s*#software: *microsoft exchange/i.test(text)) throw refuse('it looks like a message tracking log');
  const headerLine = lines.findIndex((line) => line.trim() !== '' && !line.startsWith('#') && !/^sep=.$/i.test(line));
  if (headerLine === -1) throw refuse('it holds nothing but comments');
  const counts = DELIMITERS.map((delimiter) => lines[headerLine].split(delimiter).length);
  const delimiter = DELIMITERS[counts.indexOf(Math.max(...counts))];
  return { lines, headerLine, delimiter, header: lines[headerLine].split(delimiter) };
}

/** The rows of a table; a table without rows gives one of nulls, which has its columns. */
export async function tableRows(table: ReferenceTable, refuse: Refuse): Promise<ReferenceRow[]> {
  const { parseString } = await import('fast-csv');
  const text = table.lines.slice(table.headerLine).join('\n');
  return new Promise((resolve, reject) => {
    let header: string[] | null = null;
    const rows: ReferenceRow[] = [];
    parseString<string[], string[]>(text, { headers: false, delimiter: table.delimiter, ignoreEmpty: true })
      .on('error', (error) => reject(refuse(`its CSV is broken (${error.message.split('.')[0]})`)))
      .on('data', (cells: string[]) => {
        if (header === null) header = cells.map(columnName);
        else rows.push(new Map(header.map((column, index) => [column, cells[index] ?? ''])));
      })
      .on('end', () => resolve(rows.length > 0 ? rows : [new Map((header ?? []).map((column) => [column, null]))]));
  });
}

export function columnName(cell: string): string {
  return cell.toLowerCase().replace(/[^a-z0-9]/g, '');
}

export function isTrue(value: unknown): boolean {
  return value === true || (typeof value === 'string' && value.trim().toLowerCase() === 'true');
}

/** A value from the file for a message, short and in one line. */
export function quoted(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return `"${line.length > 60 ? `${line.slice(0, 57)}...` : line}"`;
}

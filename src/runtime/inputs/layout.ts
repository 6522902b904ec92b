/** The layout of an export, told from its first bytes: encoding, shape, columns, format, first record. */

import { excerpt } from '../../formats/cells.ts';
import {
  canonicalColumn,
  columnsWithoutHeader,
  type FileShape,
  type FormatMatch,
  matchFormat,
  missingRoles,
  type OtherExport,
  recogniseFormat,
  type TraceFormat,
} from '../../formats/format.ts';
import { createCsvByteReader } from '../../readers/csv-bytes.ts';
import { createDecoder, detectEncoding, type TextEncoding } from '../../readers/encoding.ts';
import { readJsonKeys } from '../../readers/json.ts';
import { DOCUMENT_TYPE, readXmlHead } from '../../readers/xml.ts';

export interface FileLayout {
  encoding: TextEncoding;
  /** The encoding is a guess: neither UTF-8 nor UTF-16. */
  assumedEncoding: boolean;
  shape: FileShape;
  /** Byte between the fields of a CSV file; 0 in JSON and XML. */
  delimiter: number;
  /** Columns as the file names them. */
  columns: readonly string[];
  /** Their canonical names. */
  header: readonly string[];
  match: FormatMatch;
  /** Stored offset and physical line of the first record. */
  dataOffset: number;
  dataLine: number;
}

export type LayoutResult =
  | { kind: 'layout'; layout: FileLayout }
  /** Nothing but blanks. */
  | { kind: 'empty' }
  | { kind: 'binary'; message: string }
  | { kind: 'unknown_format'; message: string };

const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const COLON = 0x3a;
const FIELDS_LINE = /^#Fields:/i;
const DELIMITERS = [0x2c, 0x3b, 0x09];
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/** Tells the layout from the head of a file: its first megabyte, or all of a shorter file. */
export function readLayout(
  head: Uint8Array,
  formats: readonly TraceFormat[],
  others: readonly OtherExport[],
  wanted: TraceFormat | null,
): LayoutResult {
  const guess = detectEncoding(head);
  if (guess.encoding === 'binary') return { kind: 'binary', message: binaryMessage(head) };
  const decoder = createDecoder(guess.encoding, { skipBytes: guess.bomBytes });
  const bytes = decoder.decode(head);
  const common = { encoding: guess.encoding, assumedEncoding: guess.assumed };
  const recognise = (
    columns: readonly string[],
    more: Pick<FileLayout, 'shape' | 'delimiter' | 'dataOffset' | 'dataLine'>,
  ): LayoutResult => {
    const header = columns.map(canonicalColumn);
    const candidates = formats.filter(({ shapes }) => shapes.includes(more.shape));
    const match = wanted === null ? recogniseFormat(candidates, header) : matchFormat(wanted, header);
    if (match !== null) return { kind: 'layout', layout: { ...common, ...more, columns, header, match } };
    return { kind: 'unknown_format', message: unknownFormat(header, columns, formats, others, wanted) };
  };
  const keys = readJsonKeys(bytes);
  if (keys !== null) {
    if (keys.length === 0 && isEmptyJson(bytes)) return { kind: 'empty' };
    return recognise(keys, { shape: 'json', delimiter: 0, dataOffset: guess.bomBytes, dataLine: 1 });
  }
  const xml = readXmlHead(bytes);
  if (xml !== null) {
    if (xml.hasDocumentType) return { kind: 'unknown_format', message: DOCUMENT_TYPE };
    if (xml.names.length === 0) return xmlWithoutRecords(bytes);
    return recognise(xml.names, { shape: 'xml', delimiter: 0, dataOffset: guess.bomBytes, dataLine: 1 });
  }
  const preamble = skipPreamble(bytes);
  if (preamble.start === bytes.length) return { kind: 'empty' };
  const delimiter = preamble.delimiter ?? sniffDelimiter(bytes, preamble.start);
  const found = readHeader(bytes, preamble.start, delimiter);
  const storedAt = (index: number) => guess.bomBytes + decoder.storedLength(bytes, 0, index);
  const columns = columnsWithoutHeader(wanted === null ? formats : [wanted], found.columns);
  if (columns !== null) {
    const start = { dataOffset: storedAt(preamble.start), dataLine: preamble.line };
    return recognise(columns, { shape: 'csv', delimiter, ...start });
  }
  const start = { dataOffset: storedAt(found.end), dataLine: preamble.line + found.lines };
  return recognise(found.columns, { shape: 'csv', delimiter, ...start });
}

/** What ConvertTo-Json makes of no rows, and web services of an empty answer: JSON without an object of values. */
function isEmptyJson(bytes: Uint8Array): boolean {
  if (bytes.length > 65_536) return false;
  try {
    const value: unknown = JSON.parse(DECODER.decode(bytes));
    return !Array.isArray(value) || value.every((element) => element === null);
  } catch {
    return false;
  }
}

/** A feed whose answer was empty, or another document. */
function xmlWithoutRecords(bytes: Uint8Array): LayoutResult {
  const start = DECODER.decode(bytes.subarray(0, 4096));
  if (/<feed[\s>]/.test(start)) return { kind: 'empty' };
  const [root] = /<[^?!][^\s/>]*/.exec(start) ?? ['<'];
  const message = /^<Objs/.test(root)
    ? 'it is an export of Export-Clixml: export again with Export-Csv or ConvertTo-Json'
    : `it is XML without records of a message trace; it begins with ${shownName(root)}>`;
  return { kind: 'unknown_format', message };
}

function binaryMessage(head: Uint8Array): string {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'it is compressed with gzip: unpack it first';
  if (head[0] === 0x50 && head[1] === 0x4b)
    return 'it is a ZIP archive or an Excel workbook: unpack it, or save it as CSV UTF-8';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f) return 'it is compressed with zstd: unpack it first';
  return 'it is no text: scan reads CSV and JSON exports';
}

/**
 * What may stand before the header: blank lines, the `#TYPE` line of Export-Csv, the `sep=;` line that
 * Excel reads, the head of a tracking log, whose `#Fields:` line holds the columns. `start` is where
 * the header begins.
 */
function skipPreamble(bytes: Uint8Array): { start: number; line: number; delimiter: number | null } {
  let start = 0;
  let line = 1;
  let delimiter: number | null = null;
  while (start < bytes.length) {
    const lineFeed = bytes.indexOf(LINE_FEED, start);
    const end = lineFeed < 0 ? bytes.length : lineFeed;
    const text = DECODER.decode(bytes.subarray(start, Math.min(end, start + 256))).trim();
    const separator = /^"?sep=(.)"?$/i.exec(text);
    if (separator !== null && DELIMITERS.includes(separator[1].charCodeAt(0))) delimiter = separator[1].charCodeAt(0);
    else if (/^"?sep=$/i.test(text)) delimiter = 0x09;
    else if (FIELDS_LINE.test(text)) return { start: bytes.indexOf(COLON, start) + 1, line, delimiter };
    else if (text !== '' && !text.startsWith('#') && !text.startsWith('"#TYPE ')) break;
    start = lineFeed < 0 ? bytes.length : lineFeed + 1;
    line += 1;
  }
  return { start, line, delimiter };
}

/** The delimiter that the header line has most of, outside quotes; a comma where it has none. */
function sniffDelimiter(bytes: Uint8Array, start: number): number {
  const counts = DELIMITERS.map(() => 0);
  let quoted = false;
  for (let i = start; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) quoted = !quoted;
    else if (!quoted && byte === LINE_FEED) break;
    else if (!quoted && DELIMITERS.includes(byte)) counts[DELIMITERS.indexOf(byte)] += 1;
  }
  const most = Math.max(...counts);
  return most === 0 ? 0x2c : DELIMITERS[counts.indexOf(most)];
}

/** The header record: its columns, where the bytes after it begin, and how many lines it takes. */
function readHeader(
  bytes: Uint8Array,
  start: number,
  delimiter: number,
): { columns: string[]; end: number; lines: number } {
  let columns: string[] | null = null;
  let end = start;
  let lines = 0;
  const options = { delimiter, columns: null, startOffset: 0, startLine: 1, storedLength: lengthItself };
  const reader = createCsvByteReader(options, {
    record(view) {
      if (columns !== null) return;
      columns = [];
      for (let i = 0; i < view.count; i++)
        columns.push(DECODER.decode(view.bytes.subarray(view.starts[i], view.ends[i])));
      end = start + view.offset + view.length;
    },
    reject() {
      columns ??= [];
    },
  });
  // A copy: the reader may modify what it is given. The longest header has a few kilobytes.
  const copy = new Uint8Array(bytes.subarray(start, start + 65_536));
  reader.push(copy, 0, copy.length);
  if (columns === null) reader.finish();
  while (end < bytes.length && bytes[end] !== LINE_FEED) end++;
  if (end < bytes.length) end++;
  for (let i = start; i < end; i++) if (bytes[i] === LINE_FEED) lines++;
  return { columns: columns ?? [], end, lines };
}

function lengthItself(_bytes: Uint8Array, start: number, end: number): number {
  return end - start;
}

function unknownFormat(
  header: readonly string[],
  columns: readonly string[],
  formats: readonly TraceFormat[],
  others: readonly OtherExport[],
  wanted: TraceFormat | null,
): string {
  const other = others.find((some) => some.columns.every((name) => header.includes(name)));
  if (other !== undefined) return `it looks like ${other.title}: ${other.hint}`;
  const shown = columns.slice(0, 20).map(shownName);
  const found = `its columns are ${shown.join(', ')}${columns.length > 20 ? ` and ${columns.length - 20} more` : ''}`;
  if (columns.length === 0) return 'its first line cannot be read as the names of columns';
  if (columns.length === 1) return `it is no table: its first line is "${shownName(columns[0])}"`;
  // Not `@timestamp`, which is a name.
  if (columns.some((name) => /[^\s@]@[^\s@]/.test(name))) {
    return 'its first line holds a row and no names of columns: export without -NoHeader, and files that were split need the header again';
  }
  const zoned = columns.find((name) => /(?:UTC|GMT) ?[+-] ?\d/i.test(name));
  if (zoned !== undefined) {
    return `the times in its column "${shownName(zoned)}" are of a zone: set the time zone to UTC where it was exported, and export again`;
  }
  const nearest = wanted ?? nearestFormat(header, formats);
  if (nearest === null) return `it is no message trace; ${found}`;
  const missing = missingRoles(nearest, header);
  const lacks = missing.length > 0 ? ` but lacks ${missing.join(', ')}` : ' but has columns of another export';
  return `it looks like ${nearest.title}${lacks}; ${found}`;
}

function shownName(name: string): string {
  const bytes = new TextEncoder().encode(name);
  return excerpt(bytes, 0, bytes.length);
}

/** The format with the most documented columns in a header; null where not even two are there. */
function nearestFormat(header: readonly string[], formats: readonly TraceFormat[]): TraceFormat | null {
  let best: TraceFormat | null = null;
  let most = 1;
  for (const format of formats) {
    const count = Object.values(format.columns).filter((names) => names.some((name) => header.includes(name))).length;
    if (count > most) {
      most = count;
      best = format;
    }
  }
  return best;
}

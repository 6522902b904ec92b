/**
 * The dialect of a CSV export, told from its head: what stands before the header, the delimiter, and
 * the header's fields.
 */

import { createCsvByteReader } from './csv-bytes.ts';

export interface CsvDialect {
  /** Byte between fields. */
  delimiter: number;
  /** Fields of the header as the file names them; the last one is empty where the line ends with a delimiter. */
  header: string[];
  /** Index in the head, and physical line (from 1), of the first byte after the header. */
  dataStart: number;
  dataLine: number;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COMMA = 0x2c;
const TAB = 0x09;
/** In order of preference where two find as many fields. */
const DELIMITERS = [COMMA, 0x3b, TAB];
/** The longest header that is looked for; real ones have less than 2 KB. */
const MAX_HEADER_BYTES = 65_536;
const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Reads the dialect from the decoded head of a file, its byte order mark left out; null where there is
 * no header: the file is empty, or its first line cannot be read as CSV.
 */
export function readDialect(head: Uint8Array): CsvDialect | null {
  const preamble = skipPreamble(head);
  const candidates = preamble.delimiter === null ? DELIMITERS : [preamble.delimiter];
  let best: CsvDialect | null = null;
  for (const delimiter of candidates) {
    const found = readHeader(head, preamble.start, preamble.line, delimiter);
    if (found !== null && (best === null || found.header.length > best.header.length)) best = found;
  }
  return best;
}

/**
 * What may stand before a header: blank lines, the `#TYPE` line of Export-Csv in Windows PowerShell
 * (in quotes where a tool has read and written the file again), and the `sep=;` line that Excel reads.
 */
function skipPreamble(head: Uint8Array): { start: number; line: number; delimiter: number | null } {
  let start = 0;
  let line = 1;
  let delimiter: number | null = null;
  while (start < head.length) {
    const lineFeed = head.indexOf(LINE_FEED, start);
    const end = lineFeed < 0 ? head.length : lineFeed;
    const text = TEXT.decode(head.subarray(start, Math.min(end, start + 256)));
    const separator = /^"?sep=([,;\t])"?\s*$/i.exec(text);
    if (separator !== null) delimiter = separator[1].charCodeAt(0);
    else if (!/^[\s,;]*$/.test(text) && !/^"?#TYPE /i.test(text)) break;
    start = lineFeed < 0 ? head.length : lineFeed + 1;
    line += 1;
  }
  return { start, line, delimiter };
}

function readHeader(head: Uint8Array, start: number, line: number, delimiter: number): CsvDialect | null {
  let header: string[] | null = null;
  let isRefused = false;
  let next = start;
  const reader = createCsvByteReader(
    { delimiter, columns: null, startOffset: start, startLine: line, storedLength: (_bytes, from, to) => to - from },
    {
      record({ bytes, starts, ends, count, offset, length }) {
        if (header !== null || isRefused) return;
        header = Array.from({ length: count }, (_, field) => TEXT.decode(bytes.subarray(starts[field], ends[field])));
        next = offset + length;
      },
      reject() {
        isRefused = true;
      },
    },
  );
  // A copy, because the reader undoes doubled quotes in place.
  const bytes = Uint8Array.from(head.subarray(start, start + MAX_HEADER_BYTES));
  reader.push(bytes, 0, bytes.length);
  if (start + bytes.length === head.length) reader.finish();
  if (header === null) return null;
  if (head[next] === CARRIAGE_RETURN) next += 1;
  if (head[next] === LINE_FEED) next += 1;
  let dataLine = line;
  for (let at = start; at < next; at += 1) if (head[at] === LINE_FEED) dataLine += 1;
  return { delimiter, header, dataStart: next, dataLine };
}

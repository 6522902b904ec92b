/** What the tests of both CSV readers share: reading a document in chosen pushes, and the nasty documents. */

import type { DeadLetter } from '../../src/core/ports.ts';
import type { CsvReaderOptions } from '../../src/readers/csv-scanner.ts';
import type { RecordHandler, RecordReader } from '../../src/readers/reader.ts';

export type CreateCsvReader = (options: CsvReaderOptions, handler: RecordHandler) => RecordReader;

export interface ReadRecord {
  fields: string[];
  offset: number;
  length: number;
  line: number;
}

export interface ReadResult {
  records: ReadRecord[];
  letters: DeadLetter[];
}

export const COMMA = 0x2c;

export function plainOptions(columns: number | null, delimiter = COMMA): CsvReaderOptions {
  return { delimiter, columns, startOffset: 0, startLine: 1, storedLength: (_bytes, start, end) => end - start };
}

/** A handler that keeps everything as strings; bytes that are not UTF-8 show as U+FFFD. */
export function collectRecords(): ReadResult & { handler: RecordHandler } {
  const records: ReadRecord[] = [];
  const letters: DeadLetter[] = [];
  const handler: RecordHandler = {
    record(view) {
      const fields = Array.from({ length: view.count }, (_, field) =>
        Buffer.from(view.bytes.subarray(view.starts[field], view.ends[field])).toString('utf8'),
      );
      records.push({ fields, offset: view.offset, length: view.length, line: view.line });
    },
    reject: (letter) => void letters.push(letter),
  };
  return { records, letters, handler };
}

/**
 * Reads a document, cut into pushes before the bytes at `cuts`. Every push lies in the middle of a buffer
 * whose other bytes would break the document, and is overwritten after the call.
 */
export async function readCsv(
  create: CreateCsvReader,
  document: Uint8Array,
  options: CsvReaderOptions,
  cuts: readonly number[] = [],
): Promise<ReadResult> {
  const { records, letters, handler } = collectRecords();
  const reader = create(options, handler);
  const edges = [0, ...cuts, document.length];
  for (let piece = 0; piece + 1 < edges.length; piece += 1) {
    const bytes = document.subarray(edges[piece], edges[piece + 1]);
    const buffer = new Uint8Array(bytes.length + 6).fill(0x22);
    buffer.set(bytes, 3);
    await reader.push(buffer, 3, 3 + bytes.length);
    buffer.fill(0x22);
  }
  await reader.finish();
  return { records, letters };
}

/** Cuts before every byte: pushes of one byte. */
export function everyByte(document: Uint8Array): number[] {
  return Array.from({ length: Math.max(0, document.length - 1) }, (_, index) => index + 1);
}

export interface CsvCase {
  name: string;
  text: string;
  columns: number;
  delimiter?: number;
  rows: string[][];
  /** Code and line of each refused record. */
  refused?: [code: string, line: number][];
}

/** Documents that have broken CSV readers, and what a person reads in them. */
export const CSV_CASES: readonly CsvCase[] = [
  { name: 'nothing', text: '', columns: 2, rows: [] },
  {
    name: 'LF',
    text: 'a,b\nc,d\n',
    columns: 2,
    rows: [
      ['a', 'b'],
      ['c', 'd'],
    ],
  },
  {
    name: 'CRLF',
    text: 'a,b\r\nc,d\r\n',
    columns: 2,
    rows: [
      ['a', 'b'],
      ['c', 'd'],
    ],
  },
  {
    name: 'no newline at the end',
    text: 'a,b\nc,d',
    columns: 2,
    rows: [
      ['a', 'b'],
      ['c', 'd'],
    ],
  },
  {
    name: 'the end between CR and LF',
    text: 'a,b\r\nc,d\r',
    columns: 2,
    rows: [
      ['a', 'b'],
      ['c', 'd'],
    ],
  },
  {
    name: 'semicolons',
    text: 'a;"b;c"\nd,e;f\n',
    columns: 2,
    delimiter: 0x3b,
    rows: [
      ['a', 'b;c'],
      ['d,e', 'f'],
    ],
  },
  {
    name: 'tabs',
    text: 'a\t"b\tc"\r\n\t\r\n',
    columns: 2,
    delimiter: 0x09,
    rows: [
      ['a', 'b\tc'],
      ['', ''],
    ],
  },
  {
    name: 'empty fields',
    text: ',,\n"",,""\n,"",\r\n',
    columns: 3,
    rows: [
      ['', '', ''],
      ['', '', ''],
      ['', '', ''],
    ],
  },
  { name: 'one column', text: 'a\n\n""\n "b\n', columns: 1, rows: [['a'], [''], [' "b']] },
  {
    name: 'spaces are text',
    text: ' a , b\n  ,\t\n',
    columns: 2,
    rows: [
      [' a ', ' b'],
      ['  ', '\t'],
    ],
  },
  {
    name: 'blank lines',
    text: '\n\r\na,b\n\n   \r\nc,d\n\n',
    columns: 2,
    rows: [
      ['a', 'b'],
      ['c', 'd'],
    ],
  },
  { name: 'only blank lines', text: '\r\n\n  ', columns: 2, rows: [] },
  {
    name: 'newlines in quotes',
    text: '"a\nb","\r\nc\rd\r"\r\ne,f\r\n',
    columns: 2,
    rows: [
      ['a\nb', '\r\nc\rd\r'],
      ['e', 'f'],
    ],
  },
  {
    name: 'doubled quotes',
    text: '"""a""","b"""""\n"""",""""""\n',
    columns: 2,
    rows: [
      ['"a"', 'b""'],
      ['"', '""'],
    ],
  },
  { name: 'doubled quotes and newlines', text: '"""\n""","""\r\n"""\n', columns: 2, rows: [['"\n"', '"\r\n"']] },
  {
    name: 'a quote inside an unquoted field',
    text: 'a"b,c""\n"d"\r\n',
    columns: 2,
    rows: [['a"b', 'c""']],
    refused: [['malformed_record', 2]],
  },
  { name: 'a quote after a space', text: ' "a, b"\n', columns: 2, rows: [[' "a', ' b"']] },
  {
    name: 'a lone CR outside quotes',
    text: 'a\rb,\rc\n\r,d\r\r\n',
    columns: 2,
    rows: [
      ['a\rb', '\rc'],
      ['\r', 'd\r'],
    ],
  },
  {
    name: 'a CR after the closing quote',
    text: '"a","b"\rc\nd,e\n',
    columns: 2,
    rows: [['d', 'e']],
    refused: [['malformed_record', 1]],
  },
  {
    name: 'a CR between the closing quote and the delimiter',
    text: '"a"\r,b\nc,d\n',
    columns: 2,
    rows: [['c', 'd']],
    refused: [['malformed_record', 1]],
  },
  { name: 'spaces alone in one column', text: 'a\n  \nb\n', columns: 1, rows: [['a'], ['  '], ['b']] },
  {
    name: 'two CRs after the closing quote',
    text: 'a,"b"\r\r\nd,e\n',
    columns: 2,
    rows: [['d', 'e']],
    refused: [['malformed_record', 1]],
  },
  {
    name: 'emoji, right to left, combining',
    text: '"😀, 👩‍👩‍👧",שלום\nمرحبا,e\u0301\ufeff\n',
    columns: 2,
    rows: [
      ['😀, 👩‍👩‍👧', 'שלום'],
      ['مرحبا', 'e\u0301\ufeff'],
    ],
  },
  {
    name: 'control characters and NUL',
    text: 'a\u0000b,\u0001\n\u001a,\u2028\n',
    columns: 2,
    rows: [
      ['a\u0000b', '\u0001'],
      ['\u001a', '\u2028'],
    ],
  },
  {
    name: 'too few fields',
    text: 'a,b\nc\nd,e\n',
    columns: 2,
    rows: [
      ['a', 'b'],
      ['d', 'e'],
    ],
    refused: [['malformed_record', 2]],
  },
  {
    name: 'too many fields',
    text: 'a,b\nc,c,c,"\nd,e\n',
    columns: 2,
    rows: [
      ['a', 'b'],
      ['d', 'e'],
    ],
    refused: [['malformed_record', 2]],
  },
  {
    name: 'a trailing delimiter',
    text: 'a,b,\nc,d\n',
    columns: 3,
    rows: [['a', 'b', '']],
    refused: [['malformed_record', 2]],
  },
  {
    name: 'text after the closing quote',
    text: '"a"b,c\n"d" ,e\nf,g\n',
    columns: 2,
    rows: [['f', 'g']],
    refused: [
      ['malformed_record', 1],
      ['malformed_record', 2],
    ],
  },
  {
    name: 'a quote that is never closed',
    text: 'a,b\nc,"d\ne,f\ng,h\n',
    columns: 2,
    rows: [
      ['a', 'b'],
      ['e', 'f'],
      ['g', 'h'],
    ],
    refused: [['malformed_record', 2]],
  },
  {
    name: 'a quote that the next quoted field closes',
    text: 'a,"b\nc,"d"\ne,"f"\n',
    columns: 2,
    rows: [
      ['c', 'd'],
      ['e', 'f'],
    ],
    refused: [['malformed_record', 1]],
  },
  {
    name: 'a missing closing quote among quoted fields',
    text: '"a","b"\n"c","d\n"e","f"\n',
    columns: 2,
    rows: [
      ['a', 'b'],
      ['e', 'f'],
    ],
    refused: [['malformed_record', 2]],
  },
  {
    name: 'a missing opening quote',
    text: '"a",b"\n"c","d"\n',
    columns: 2,
    rows: [
      ['a', 'b"'],
      ['c', 'd'],
    ],
  },
  {
    name: 'a quote that takes the whole file',
    text: '"a,b\nc,d\ne,f',
    columns: 2,
    rows: [
      ['c', 'd'],
      ['e', 'f'],
    ],
    refused: [['malformed_record', 1]],
  },
  { name: 'a cut last line', text: 'a,b\nc', columns: 2, rows: [['a', 'b']], refused: [['cut_record', 2]] },
  {
    name: 'a last line cut after a delimiter',
    text: 'a,b,c\nd,e,',
    columns: 3,
    rows: [
      ['a', 'b', 'c'],
      ['d', 'e', ''],
    ],
  },
  {
    name: 'a last line cut inside quotes',
    text: 'a,b\nc,"d""',
    columns: 2,
    rows: [['a', 'b']],
    refused: [['cut_record', 2]],
  },
  {
    name: 'a last line with too many fields',
    text: 'a,b\nc,d,',
    columns: 2,
    rows: [['a', 'b']],
    refused: [['malformed_record', 2]],
  },
  { name: 'a last field that is quoted', text: 'a,"b"', columns: 2, rows: [['a', 'b']] },
  { name: 'a last field that is quoted, and CR', text: 'a,"b"\r', columns: 2, rows: [['a', 'b']] },
  { name: 'text after a quote at the end', text: 'a,"b"\rc', columns: 2, rows: [], refused: [['malformed_record', 1]] },
  {
    name: 'a record cut in its second line',
    text: 'a,"b\nc',
    columns: 2,
    rows: [],
    refused: [
      ['malformed_record', 1],
      ['cut_record', 2],
    ],
  },
  {
    name: 'refused lines end with CRLF',
    text: '"a"b\r\n\r\nc,d\r\ne\r\n',
    columns: 2,
    rows: [['c', 'd']],
    refused: [
      ['malformed_record', 1],
      ['malformed_record', 4],
    ],
  },
  {
    name: 'lines are counted inside quotes',
    text: '"a\n\nb",c\nd\n',
    columns: 2,
    rows: [['a\n\nb', 'c']],
    refused: [['malformed_record', 4]],
  },
];

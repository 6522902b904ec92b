/**
 * The CSV reader that lets fast-csv read the fields: an independent second opinion on every record
 * (`--reader fast-csv` must give the same incidents), some twenty times slower than the byte reader.
 *
 * fast-csv alone gives no positions, stops for good at the first malformed record and needs quadratic
 * time for an unclosed quote. So the scanner of the byte reader finds and refuses records, and fast-csv
 * gets the text of good ones, in batches, one line feed after each. Its rows come back in that order.
 *
 * The text is given as latin1, one character a byte, so that fields come back as the bytes they were,
 * valid UTF-8 or not, and so that it never finds a byte order mark to remove (fast-csv 5.0 removes
 * U+FEFF at the start of any chunk). Where it would read an unquoted field in its own way it gets the
 * field in quotes: it takes white space before a quote for no part of the field, loses white space
 * that is all of the first field, and ends a record at a lone CR.
 */

import { Buffer } from 'node:buffer';
import { parse } from 'fast-csv';
import type { DeadLetter } from '../core/ports.ts';
import { type CsvReaderOptions, type CsvScanner, createCsvScanner, type ScannedRecord } from './csv-scanner.ts';
import type { RecordHandler, RecordReader, RecordView } from './reader.ts';

/** Bytes scanned, and so parsed, at a time. fast-csv is fastest with small chunks. */
const BATCH_BYTES = 16_384;

const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const NO_BREAK_SPACE = 0xa0;

/** Reads CSV through fast-csv, with the records, positions and refusals of the byte reader. One push at a time. */
export function createFastCsvReader(options: CsvReaderOptions, handler: RecordHandler): RecordReader {
  return new FastCsvReader(options, handler);
}

/** A record whose fields fast-csv still has to read. */
interface FoundRecord {
  count: number;
  offset: number;
  length: number;
  line: number;
  /** Bytes of its fields at most. */
  size: number;
}

class FastCsvReader implements RecordReader {
  private readonly scanner: CsvScanner;
  private readonly handler: RecordHandler;
  private readonly stream: ReturnType<typeof parse<string[], string[]>>;
  private readonly delimiter: number;

  /** The batch: what was found, the text of its records, and their rows. */
  private found: (FoundRecord | { letter: DeadLetter })[] = [];
  private records = 0;
  private text = Buffer.allocUnsafe(2 * BATCH_BYTES);
  private textLength = 0;
  private rows: string[][] = [];

  private readonly view: RecordView;
  private scratch = Buffer.allocUnsafe(BATCH_BYTES);

  constructor(options: CsvReaderOptions, handler: RecordHandler) {
    this.handler = handler;
    this.delimiter = options.delimiter;
    this.scanner = createCsvScanner(options, {
      record: (record) => this.addRecord(record),
      reject: (letter) => void this.found.push({ letter }),
    });
    this.stream = parse<string[], string[]>({
      headers: false,
      delimiter: String.fromCharCode(options.delimiter),
      encoding: 'latin1',
    });
    this.stream.on('data', (row: string[]) => void this.rows.push(row));
    // Without a listener the process would end; the error comes to the write that it belongs to, too.
    this.stream.on('error', () => undefined);
    this.view = {
      bytes: this.scratch,
      starts: new Int32Array(0),
      ends: new Int32Array(0),
      count: 0,
      offset: 0,
      length: 0,
      line: 0,
    };
  }

  async push(bytes: Uint8Array, start: number, end: number): Promise<void> {
    for (let next = start; next < end; next += BATCH_BYTES) {
      this.scanner.push(bytes, next, Math.min(end, next + BATCH_BYTES));
      await this.parseBatch();
    }
  }

  async finish(): Promise<void> {
    this.scanner.finish();
    await this.parseBatch();
    this.stream.destroy();
  }

  private addRecord(record: ScannedRecord): void {
    const { bytes, starts, ends, count, start, end, offset, length, line } = record;
    // In quotes, a field is at most twice as long, and has two quotes and a delimiter more.
    const needed = this.textLength + 2 * (end - start) + 3 * count + 1;
    if (needed > this.text.length) {
      const text = Buffer.allocUnsafe(2 * needed);
      this.text.copy(text, 0, 0, this.textLength);
      this.text = text;
    }
    const { text } = this;
    let at = this.textLength;
    if (isReadAlike(record)) {
      text.set(bytes.subarray(start, end), at);
      at += end - start;
    } else {
      for (let field = 0; field < count; field += 1) {
        if (field > 0) text[at++] = this.delimiter;
        text[at++] = QUOTE;
        const quoted = isQuoted(record, field);
        for (let from = starts[field]; from < ends[field]; from += 1) {
          if (bytes[from] === QUOTE && !quoted) text[at++] = QUOTE;
          text[at++] = bytes[from];
        }
        text[at++] = QUOTE;
      }
    }
    text[at] = LINE_FEED;
    this.textLength = at + 1;
    this.found.push({ count, offset, length, line, size: end - start });
    this.records += 1;
  }

  /** Lets fast-csv read the batch and hands out what was found. */
  private async parseBatch(): Promise<void> {
    if (this.textLength > 0) await this.parseText(this.text.subarray(0, this.textLength));
    const { found, rows } = this;
    if (rows.length !== this.records) throw new Error(`fast-csv read ${rows.length} of ${this.records} records`);
    this.found = [];
    this.rows = [];
    this.records = 0;
    this.textLength = 0;
    let row = 0;
    for (const item of found) {
      if ('letter' in item) this.handler.reject(item.letter);
      else this.handler.record(this.fill(item, rows[row++]));
    }
  }

  /** Waits until fast-csv has taken the text and given all its rows. */
  private parseText(text: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.stream.write(text, (error) => {
        while (this.stream.read() !== null);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  private fill(found: FoundRecord, row: string[]): RecordView {
    const { view } = this;
    if (row.length !== found.count) {
      throw new Error(`fast-csv read ${row.length} fields of ${found.count} in line ${found.line}`);
    }
    if (found.count > view.starts.length) {
      view.starts = new Int32Array(found.count);
      view.ends = new Int32Array(found.count);
    }
    if (found.size > this.scratch.length) this.scratch = Buffer.allocUnsafe(2 * found.size);
    let at = 0;
    for (let field = 0; field < found.count; field += 1) {
      view.starts[field] = at;
      at += this.scratch.write(row[field], at, 'latin1');
      view.ends[field] = at;
    }
    view.bytes = this.scratch;
    view.count = found.count;
    view.offset = found.offset;
    view.length = found.length;
    view.line = found.line;
    return view;
  }
}

function isQuoted(record: ScannedRecord, field: number): boolean {
  const start = record.starts[field];
  return start > record.start && record.bytes[start - 1] === QUOTE;
}

/** Whether fast-csv reads the record as it stands as the scanner does. */
function isReadAlike(record: ScannedRecord): boolean {
  const { bytes, starts, ends, count } = record;
  for (let field = 0; field < count; field += 1) {
    const start = starts[field];
    const end = ends[field];
    if (start === end || isQuoted(record, field)) continue;
    if (bytes[start] <= SPACE || bytes[start] === NO_BREAK_SPACE) return false;
    const carriageReturn = bytes.indexOf(CARRIAGE_RETURN, start);
    if (carriageReturn >= 0 && carriageReturn < end) return false;
  }
  return true;
}

/**
 * Finds the records and fields of a CSV stream, byte by byte, without making strings. Both CSV
 * readers stand on it, so both accept and refuse the same records.
 *
 * The grammar is RFC 4180 as Python's csv module reads it (not strict), wherever a person would read
 * it so: a field is quoted if its first byte is a quote; a quote elsewhere in an unquoted field is
 * text; records end with LF or CRLF; CR and LF inside quotes are text, and so is a lone CR outside.
 * Unlike Python's, a closing quote must be followed by a delimiter or the end of the record, and a
 * record must have as many fields as the header. Lines without anything in them are skipped.
 *
 * A record that breaks this costs its first physical line: reading goes on with the next one.
 * That can make bytes be read again, but never often. A scan goes past its first line only inside
 * quotes. Let scans that start at lines i < j both pass byte x and fail. The scan from j opened a
 * quote in line j that its end did not close. The scan from i entered line j inside quotes and left
 * it inside quotes; had it closed none there, all quotes of line j would stand in doubled pairs, and
 * then no field of line j could have opened without closing. So it closed at least one field in
 * line j. A scan has at most `columns` fields, hence no byte is read more than `columns` + 1 times,
 * nor more than MAX_RECORD_BYTES past the record's start: time is linear in the file whatever is in it.
 * `rescannedBytes` counts what was read again; one stray quote costs at most MAX_RECORD_BYTES. A scan here
 * may be two passes: a quick one, which knows ordinary records alone, and one that knows all cases.
 */

import { findEither } from '../core/find-bytes.ts';
import type { DeadLetter } from '../core/ports.ts';
import type { StoredLength } from './encoding.ts';
import { MAX_FIELDS, MAX_RECORD_BYTES, type RecordReader, type RecordView } from './reader.ts';

export interface CsvReaderOptions {
  /** Byte between fields: comma, semicolon or tab. */
  delimiter: number;
  /** Fields that a record must have, those of the header; null where that is not known. */
  columns: number | null;
  /** Stored offset of the first byte pushed. */
  startOffset: number;
  /** Physical line of the first byte pushed, from 1. */
  startLine: number;
  /** The decoder's. */
  storedLength: StoredLength;
}

/** A record as it stands in the stream: the ranges leave out enclosing quotes, but doubled quotes are still doubled. */
export interface ScannedRecord extends RecordView {
  /** The record is `bytes[start .. end)`, without its line end. */
  start: number;
  end: number;
  /** The first field that holds doubled quotes, and where the first of them is; -1 without any. */
  doubledField: number;
  doubledAt: number;
}

/** Takes what the scanner finds. A scanned record is valid only during the call. */
export interface ScannerSink {
  record(record: ScannedRecord): void;
  reject(letter: DeadLetter): void;
}

export interface CsvScanner extends RecordReader {
  push(bytes: Uint8Array, start: number, end: number): void;
  finish(): void;
  /** Decoded bytes read again after a refused record. */
  readonly rescannedBytes: number;
}

const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/* States between two bytes. */
const FIELD_START = 0;
const UNQUOTED = 1;
const QUOTED = 2;
/** After a quote inside a quoted field: the first of two, or the closing one. */
const QUOTE_SEEN = 3;
/** After a closing quote and CR. */
const CLOSED_AND_CR = 4;
/** In the rest of a refused line that has not ended yet. */
const SKIPPING = 5;

const MIN_CARRY_BYTES = 4_096;

export function createCsvScanner(options: CsvReaderOptions, sink: ScannerSink): CsvScanner {
  return new Scanner(options, sink);
}

class Scanner implements CsvScanner {
  rescannedBytes = 0;

  private readonly delimiter: number;
  private readonly columns: number | null;
  private readonly maxFields: number;
  private readonly storedLength: StoredLength;
  private readonly sink: ScannerSink;
  /** The record handed out, the same object every time; its `starts` and `ends` are filled during the scan. */
  private readonly view: ScannedRecord;

  /** Stored offset and physical line of the current record's first byte. */
  private offset: number;
  private line: number;

  /* Where the scan stands: indices into the buffer that holds the current record, a push or the carry. */
  private state = FIELD_START;
  private recordStart = 0;
  private at = 0;
  private count = 0;
  /** See ScannedRecord. */
  private doubledField = -1;
  private doubledAt = -1;
  /** LFs inside the record's quotes, and the first of them: where its first line ends; -1 for none. */
  private innerLines = 0;
  private firstLineEnd = -1;
  /** The refused line whose end has not come yet: its stored length so far, and why. */
  private skippedLength = 0;
  private refusalCode: DeadLetter['code'] = 'malformed_record';
  private refusalReason = '';

  /** A record cut by the end of the last push: `[recordStart, carryEnd)`. `carryEnd` is 0 where nothing is carried. */
  private carry = new Uint8Array(MIN_CARRY_BYTES);
  private carryEnd = 0;

  /** A view of the bytes that are being scanned, and those bytes. */
  private words: DataView = new DataView(this.carry.buffer);
  private wordBytes: Uint8Array = this.carry;

  constructor(options: CsvReaderOptions, sink: ScannerSink) {
    this.delimiter = options.delimiter;
    this.columns = options.columns;
    this.maxFields = options.columns ?? MAX_FIELDS;
    this.storedLength = options.storedLength;
    this.offset = options.startOffset;
    this.line = options.startLine;
    this.sink = sink;
    const slots = this.maxFields + 1;
    this.view = {
      bytes: this.carry,
      starts: new Int32Array(slots),
      ends: new Int32Array(slots),
      count: 0,
      offset: 0,
      length: 0,
      line: 0,
      start: 0,
      end: 0,
      doubledField: -1,
      doubledAt: -1,
    };
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    if (this.carryEnd === 0) this.moveTo(start);
    let next = start;
    // First complete what the last push cut. A piece is at most as long as what is carried already, so
    // what is copied stays in proportion to the record, and the rest of the push is scanned in place.
    while (this.carryEnd > 0) {
      if (next === end) return;
      const piece = Math.min(end - next, Math.max(MIN_CARRY_BYTES, this.carryEnd - this.recordStart));
      this.append(bytes, next, next + piece);
      next += piece;
      this.scan(this.carry, this.carryEnd);
      const left = this.carryEnd - this.recordStart;
      if (left <= piece) {
        // The record that is being read now starts in this push.
        this.moveTo(next - left);
        this.carryEnd = 0;
      }
    }
    this.scan(bytes, end);
    const cut = this.recordStart;
    this.moveTo(0);
    if (cut < end) this.append(bytes, cut, end);
  }

  finish(): void {
    while (this.finishRecord(this.carry, this.carryEnd)) this.scan(this.carry, this.carryEnd);
    this.carryEnd = 0;
  }

  /** Reads on to `end`, handing out every record that ends before it. */
  private scan(bytes: Uint8Array, end: number): void {
    if (this.state === SKIPPING && !this.skipLine(bytes, end)) return;
    if (this.at > this.recordStart && !this.scanRecord(bytes, end)) return;
    while (this.scanWhole(bytes, end) || this.scanRecord(bytes, end)) {
      // The next one.
    }
  }

  /**
   * The hot loop: reads a record from its start and hands it out, if it ends well before `end` and nothing is
   * wrong with it. False otherwise, and nothing has happened: `scanRecord` reads it again, and knows all cases.
   */
  private scanWhole(bytes: Uint8Array, end: number): boolean {
    const { delimiter, maxFields, columns, recordStart } = this;
    const { starts, ends } = this.view;
    const words = this.wordsOf(bytes);
    // Two bytes may be looked at behind a quote.
    const limit = Math.min(end - 2, recordStart + MAX_RECORD_BYTES);
    let at = recordStart;
    let innerLines = 0;
    let doubledField = -1;
    let doubledAt = -1;
    for (let field = 0; field < maxFields && at < limit; field += 1, at += 1) {
      let fieldEnd: number;
      if (bytes[at] === QUOTE) {
        at += 1;
        starts[field] = at;
        for (;;) {
          at = findEither(words, bytes, at, limit, QUOTE, LINE_FEED);
          if (at >= limit) return false;
          if (bytes[at] === LINE_FEED) {
            innerLines += 1;
            at += 1;
          } else if (bytes[at + 1] === QUOTE) {
            if (doubledField < 0) {
              doubledField = field;
              doubledAt = at;
            }
            at += 2;
          } else {
            break;
          }
        }
        fieldEnd = at;
        at += bytes[at + 1] === CARRIAGE_RETURN && bytes[at + 2] === LINE_FEED ? 2 : 1;
      } else {
        starts[field] = at;
        at = findEither(words, bytes, at, limit, delimiter, LINE_FEED);
        if (at >= limit) return false;
        fieldEnd = at;
      }
      ends[field] = fieldEnd;
      const byte = bytes[at];
      if (byte === delimiter) continue;
      // One field alone may be a blank line.
      if (byte !== LINE_FEED || field === 0 || (columns !== null && field + 1 < columns)) return false;
      const recordEnd = lineEndBefore(bytes, recordStart, at);
      if (fieldEnd > recordEnd) ends[field] = recordEnd;
      this.innerLines = innerLines;
      this.doubledField = doubledField;
      this.doubledAt = doubledAt;
      this.handOut(bytes, field + 1, recordEnd, at + 1);
      return true;
    }
    return false;
  }

  /**
   * Reads on to the end of the current record; false where `end` comes first. The states are only looked at
   * where a field starts or a push cut one, and the two inner loops touch every byte once.
   */
  private scanRecord(bytes: Uint8Array, end: number): boolean {
    const { delimiter, maxFields } = this;
    const { starts, ends } = this.view;
    const limit = Math.min(end, this.recordStart + MAX_RECORD_BYTES + 1);
    let { state, at, count } = this;
    fields: while (at < limit) {
      let byte = bytes[at];
      if (state === FIELD_START) {
        if (count === maxFields) return this.refuse('malformed_record', this.tooManyFields(), bytes, at, end);
        if (byte === QUOTE) {
          at += 1;
          state = QUOTED;
        } else {
          state = UNQUOTED;
        }
        starts[count] = at;
      }
      if (state === UNQUOTED) {
        while (byte !== delimiter && byte !== LINE_FEED) {
          at += 1;
          if (at === limit) break fields;
          byte = bytes[at];
        }
        if (byte === LINE_FEED) {
          ends[count] = lineEndBefore(bytes, starts[count], at);
          return this.endRecord(bytes, count + 1, at, end);
        }
        ends[count] = at;
      } else {
        for (;;) {
          if (state === QUOTED) {
            while (at < limit) {
              byte = bytes[at];
              if (byte === QUOTE) break;
              if (byte === LINE_FEED) this.countInnerLine(at);
              at += 1;
            }
            if (at === limit) break fields;
            state = QUOTE_SEEN;
            at += 1;
            if (at === limit) break fields;
            byte = bytes[at];
          }
          if (byte !== QUOTE || state !== QUOTE_SEEN) break;
          if (this.doubledField < 0) {
            this.doubledField = count;
            this.doubledAt = at - 1;
          }
          state = QUOTED;
          at += 1;
        }
        let closed = at - 1;
        if (state === CLOSED_AND_CR) {
          closed -= 1;
        } else if (byte === CARRIAGE_RETURN) {
          state = CLOSED_AND_CR;
          at += 1;
          if (at === limit) break;
          byte = bytes[at];
        }
        ends[count] = closed;
        if (byte === LINE_FEED) return this.endRecord(bytes, count + 1, at, end);
        if (byte !== delimiter || state === CLOSED_AND_CR) {
          return this.refuse('malformed_record', textAfterQuote(count), bytes, at, end);
        }
      }
      count += 1;
      at += 1;
      state = FIELD_START;
    }
    if (at - this.recordStart > MAX_RECORD_BYTES) return this.refuse('too_long', TOO_LONG, bytes, at, end);
    this.state = state;
    this.at = at;
    this.count = count;
    return false;
  }

  /** The bytes as words of four, at any place. */
  private wordsOf(bytes: Uint8Array): DataView {
    if (bytes !== this.wordBytes) {
      this.wordBytes = bytes;
      this.words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    return this.words;
  }

  private tooManyFields(): string {
    return `more than ${this.maxFields} fields${this.columns === null ? '' : ', as many as the header has'}`;
  }

  private countInnerLine(at: number): void {
    if (this.firstLineEnd < 0) this.firstLineEnd = at;
    this.innerLines += 1;
  }

  /** The current record ends with the line feed at `lineFeed`: hands it out, skips it or refuses it. */
  private endRecord(bytes: Uint8Array, count: number, lineFeed: number, end: number): boolean {
    const { columns } = this;
    const recordEnd = lineEndBefore(bytes, this.recordStart, lineFeed);
    if (this.isBlank(bytes, recordEnd)) {
      this.beginRecord(lineFeed + 1, this.storedLength(bytes, this.recordStart, lineFeed + 1), 1);
    } else if (columns !== null && count < columns) {
      return this.refuse('malformed_record', tooFewFields(count, columns), bytes, lineFeed, end);
    } else {
      this.handOut(bytes, count, recordEnd, lineFeed + 1);
    }
    return true;
  }

  private handOut(bytes: Uint8Array, count: number, recordEnd: number, next: number): void {
    const { view, recordStart } = this;
    const length = this.storedLength(bytes, recordStart, recordEnd);
    view.bytes = bytes;
    view.count = count;
    view.offset = this.offset;
    view.length = length;
    view.line = this.line;
    view.start = recordStart;
    view.end = recordEnd;
    view.doubledField = this.doubledField;
    view.doubledAt = this.doubledAt;
    this.beginRecord(next, length + this.storedLength(bytes, recordEnd, next), 1 + this.innerLines);
    this.sink.record(view);
  }

  /** A line of nothing, or of spaces where that cannot be a record. */
  private isBlank(bytes: Uint8Array, recordEnd: number): boolean {
    let at = this.recordStart;
    if (this.columns !== 1) while (at < recordEnd && bytes[at] === SPACE) at += 1;
    return at === recordEnd;
  }

  private beginRecord(next: number, storedLength: number, lines: number): void {
    this.offset += storedLength;
    this.line += lines;
    this.recordStart = next;
    this.at = next;
    this.state = FIELD_START;
    this.count = 0;
    this.doubledField = -1;
    this.doubledAt = -1;
    this.innerLines = 0;
    this.firstLineEnd = -1;
  }

  /**
   * Refuses the first physical line of the current record, which cannot go on as one at `reached`, and begins
   * a record at the next line; false where that line starts after `end`.
   */
  private refuse(code: DeadLetter['code'], reason: string, bytes: Uint8Array, reached: number, end: number): boolean {
    if (this.firstLineEnd < 0) {
      this.state = SKIPPING;
      this.at = reached;
      this.skippedLength = 0;
      this.refusalCode = code;
      this.refusalReason = reason;
      return this.skipLine(bytes, end);
    }
    const lineEnd = lineEndBefore(bytes, this.recordStart, this.firstLineEnd);
    const next = this.firstLineEnd + 1;
    const length = this.storedLength(bytes, this.recordStart, lineEnd);
    const letter = { code, reason, offset: this.offset, length, line: this.line };
    this.rescannedBytes += reached - next;
    this.beginRecord(next, length + this.storedLength(bytes, lineEnd, next), 1);
    this.sink.reject(letter);
    return true;
  }

  /** Reads on to the end of a refused line, keeping nothing of it but a last CR, which may belong to the line end. */
  private skipLine(bytes: Uint8Array, end: number): boolean {
    let { at } = this;
    while (at < end && bytes[at] !== LINE_FEED) at += 1;
    const lineEnd = lineEndBefore(bytes, this.recordStart, at);
    this.skippedLength += this.storedLength(bytes, this.recordStart, lineEnd);
    this.recordStart = lineEnd;
    this.at = at;
    if (at === end) return false;
    const letter = this.skippedLine();
    this.beginRecord(at + 1, this.skippedLength + this.storedLength(bytes, lineEnd, at + 1), 1);
    this.sink.reject(letter);
    return true;
  }

  private skippedLine(): DeadLetter {
    const { refusalCode: code, refusalReason: reason, offset, skippedLength: length, line } = this;
    return { code, reason, offset, length, line };
  }

  /** What the end of the file makes of the bytes after the last line feed; true where lines are left to scan. */
  private finishRecord(bytes: Uint8Array, end: number): boolean {
    const { state, columns, recordStart } = this;
    if (state === SKIPPING) {
      this.sink.reject(this.skippedLine());
      return false;
    }
    const recordEnd = lineEndBefore(bytes, recordStart, end);
    if (this.isBlank(bytes, recordEnd)) return false;
    const isCut = state === QUOTED || (columns !== null && this.count + 1 < columns);
    if (isCut || this.count === this.maxFields) {
      const code = isCut && this.firstLineEnd < 0 ? 'cut_record' : 'malformed_record';
      const reason = isCut ? cutAtEnd(state, this.count, columns) : this.tooManyFields();
      const goesOn = this.refuse(code, reason, bytes, end, end);
      if (!goesOn) this.sink.reject(this.skippedLine());
      return goesOn;
    }
    const { starts, ends } = this.view;
    if (state === FIELD_START) starts[this.count] = end;
    ends[this.count] = state === QUOTE_SEEN || state === CLOSED_AND_CR ? recordEnd - 1 : recordEnd;
    this.handOut(bytes, this.count + 1, recordEnd, end);
    return false;
  }

  /** The bytes of the current record are in another buffer now, and its first one at `start`. */
  private moveTo(start: number): void {
    const distance = start - this.recordStart;
    this.recordStart = start;
    this.at += distance;
    if (this.firstLineEnd >= 0) this.firstLineEnd += distance;
    if (this.doubledAt >= 0) this.doubledAt += distance;
    for (let field = 0; field <= this.count; field += 1) {
      this.view.starts[field] += distance;
      this.view.ends[field] += distance;
    }
  }

  /** Adds bytes to the carry, which keeps nothing before the current record and at least doubles when it grows. */
  private append(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.carryEnd + length > this.carry.length) {
      const kept = this.carryEnd - this.recordStart;
      const from = this.carry;
      if ((kept + length) * 2 > from.length) this.carry = new Uint8Array((kept + length) * 2);
      this.carry.set(from.subarray(this.recordStart, this.carryEnd), 0);
      this.moveTo(0);
      this.carryEnd = kept;
    }
    this.carry.set(bytes.subarray(start, end), this.carryEnd);
    this.carryEnd += length;
  }
}

/** Where the text of a line ends: before its line feed, and before the CR that belongs to it. */
function lineEndBefore(bytes: Uint8Array, start: number, lineFeed: number): number {
  return lineFeed > start && bytes[lineFeed - 1] === CARRIAGE_RETURN ? lineFeed - 1 : lineFeed;
}

const TOO_LONG = `a record may have ${MAX_RECORD_BYTES} bytes`;

function textAfterQuote(count: number): string {
  return `text after the closing quote of field ${count + 1}`;
}

function tooFewFields(count: number, columns: number): string {
  return `${count} ${count === 1 ? 'field' : 'fields'} where the header has ${columns}`;
}

function cutAtEnd(state: number, count: number, columns: number | null): string {
  return state === QUOTED
    ? `the quote that opens field ${count + 1} is not closed before the end of the file`
    : `the file ends in field ${count + 1} of ${columns}`;
}

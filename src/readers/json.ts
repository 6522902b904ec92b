/**
 * Reads JSON exports: an array of objects, one object, objects one per line or one after the other, and
 * the wrappers of web services, `{"value":[...]}`, `{"d":{"results":[...]}}`, `{"records":[...]}`,
 * `{"Results":[...]}` and `{"hits":{"hits":[...]}}`. Every object that is an element becomes a record with the
 * columns that were asked for, so what follows cannot tell it from a row of CSV.
 *
 * A splitter over bytes (depth, inside a string, escaped) finds each element and `JSON.parse` reads it,
 * so memory is bounded by MAX_RECORD_BYTES whatever the file's length. Between elements, commas and
 * brackets are as good as blanks: one loop reads all shapes, and a file of several shapes too.
 *
 * An element that is no JSON is refused. Where its end is known, reading goes on there. Where it is not
 * (a quote or a brace is missing), the element is looked through again for what looks like the next
 * one: a `{` that is first on its line, or that follows a comma. Looking again is bounded: once more
 * bytes were read again than read, the refused element is all that was scanned for it.
 */

import type { DeadLetter } from '../core/ports.ts';
import { ByteWindow, PIECE_BYTES, type WindowStart } from './byte-window.ts';
import { type FieldOptions, FieldWriter } from './field-writer.ts';
import { forEachValue, MAX_DEPTH, recordMembers, textOf, valueNames } from './json-members.ts';
import { MAX_RECORD_BYTES, type RecordHandler, type RecordReader } from './reader.ts';

export interface JsonReaderOptions extends FieldOptions, WindowStart {
  /** Objects around the first byte pushed, where reading begins in the middle of a file; 0 by default. */
  startWrappers?: number;
}

export interface JsonReader extends RecordReader {
  push(bytes: Uint8Array, start: number, end: number): void;
  finish(): void;
  /** Objects around the elements that are being read: the `startWrappers` of who begins with the record handed out. */
  readonly wrappers: number;
  /** Decoded bytes looked at again after a refused element. */
  readonly rescannedBytes: number;
}

/** Reads records from JSON. */
export function createJsonReader(options: JsonReaderOptions, handler: RecordHandler): JsonReader {
  const fields = new FieldWriter(options);
  const take = (name: string, value: unknown): void => {
    const column = fields.columnOf(name);
    if (column >= 0 && fields.isEmpty(column)) fields.set(column, textOf(value));
  };
  return new ElementSplitter(options, {
    element(element, offset, length, line) {
      forEachValue(recordMembers(element), take);
      handler.record(fields.write(offset, length, line));
    },
    reject: (letter) => handler.reject(letter),
  });
}

/** Records whose keys are looked at: exports of PowerShell leave no key out, but those of others do. */
const SAMPLED_RECORDS = 100;

/**
 * Keys of the first records in the head of a file, in order of appearance; null where its first
 * character begins no JSON object or array. The head may end inside a record.
 */
export function readJsonKeys(head: Uint8Array): string[] | null {
  let at = 0;
  while (at < head.length && isBlank(head[at])) at += 1;
  if (head[at] !== OPEN_BRACE && head[at] !== OPEN_BRACKET) return null;
  const keys = new Set<string>();
  let records = 0;
  const options = { startOffset: 0, startLine: 1, storedLength: () => 0 };
  const splitter = new ElementSplitter(options, {
    element(element) {
      records += 1;
      if (records <= SAMPLED_RECORDS) for (const name of valueNames(recordMembers(element))) keys.add(name);
    },
    reject: () => undefined,
  });
  for (let piece = at; piece < head.length && records < SAMPLED_RECORDS; piece += PIECE_BYTES) {
    splitter.push(head, piece, Math.min(head.length, piece + PIECE_BYTES));
  }
  return [...keys];
}

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const NULL = [0x6e, 0x75, 0x6c, 0x6c];

/** Blanks of JSON (RFC 8259), and the bytes of a byte order mark, which stays behind where files were joined. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0xef || byte === 0xbb || byte === 0xbf;
}

/* States of the splitter. */
const BETWEEN = 0;
/** In an object that is an element, or that wraps the elements. */
const ELEMENT = 1;
/** In a member that a wrapper has beside its elements: `"odata.nextLink":"https://..."`. */
const MEMBER = 2;
/** In what a refused element leaves behind. */
const SEEKING = 3;

/** Keys, in lower case, whose array in a wrapper holds the records. */
const ARRAY_KEYS = ['value', 'records', 'results', 'd'];
/** Keys whose object holds the records, under another key (OData 2, Elasticsearch). */
const NESTED_ARRAY_KEYS: Readonly<Record<string, string>> = { d: 'results', hits: 'hits' };
const LONGEST_ARRAY_KEY = 7;

interface ElementSink {
  element(element: Record<string, unknown>, offset: number, length: number, line: number): void;
  reject(letter: DeadLetter): void;
}

type SplitterOptions = WindowStart & Pick<JsonReaderOptions, 'startWrappers'>;

class ElementSplitter extends ByteWindow implements JsonReader {
  rescannedBytes = 0;

  private readonly sink: ElementSink;

  private state = BETWEEN;
  wrappers: number;

  /* Where the scan of an element or member stands; it began at `mark`. */
  private depth = 0;
  private inString = false;
  private escaped = false;
  private afterColon = false;
  /** The last string near the top, which is the key if a colon follows. */
  private keyStart = 0;
  private keyEnd = 0;
  /** Key whose array holds the records inside the object that opened near the top; empty for none. */
  private arrayKey = '';

  /* The refused element, while the next one is sought. */
  private refusal: DeadLetter = { code: 'malformed_json', reason: '', offset: 0, length: 0, line: 0 };
  /** End of the last text seen: an index, and the stored offset of what is not kept any more. */
  private textEnd = 0;
  private isFirstOnLine = false;
  private previous = 0;

  constructor(options: SplitterOptions, sink: ElementSink) {
    super(options);
    this.wrappers = options.startWrappers ?? 0;
    this.sink = sink;
  }

  finish(): void {
    for (;;) {
      if (this.state === SEEKING) {
        this.endRefusal(this.refusal.code);
        return;
      }
      if (this.state === MEMBER || this.mark === this.end) return;
      if (this.state === ELEMENT) this.refuse('cut_record', 'the file ends inside a JSON object');
      else this.refuse('malformed_json', NO_OBJECT);
      this.scan();
    }
  }

  protected scan(): void {
    let goesOn = true;
    while (goesOn) {
      if (this.state === BETWEEN) goesOn = this.scanBetween();
      else if (this.state === SEEKING) goesOn = this.scanRefused();
      else goesOn = this.scanElement();
    }
  }

  /** Goes on to the next element; false where the bytes end first. */
  private scanBetween(): boolean {
    const { bytes, end } = this;
    let { at } = this;
    while (at < end) {
      const byte = bytes[at];
      if (byte === CLOSE_BRACE) this.wrappers = Math.max(0, this.wrappers - 1);
      if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte === OPEN_BRACKET || byte === COMMA || isBlank(byte)) {
        at += 1;
        continue;
      }
      this.advance(at);
      if (byte === OPEN_BRACE) return this.beginElement(ELEMENT);
      if (byte === QUOTE && this.wrappers > 0) return this.beginElement(MEMBER);
      // `null` is what ConvertTo-Json makes of nothing.
      const isNull = NULL.every((letter, index) => at + index >= end || bytes[at + index] === letter);
      if (!isNull) return this.refuse('malformed_json', NO_OBJECT);
      if (at + NULL.length > end) return false;
      at += NULL.length;
    }
    this.advance(end);
    return false;
  }

  private beginElement(state: typeof ELEMENT | typeof MEMBER): true {
    this.state = state;
    this.depth = 0;
    this.inString = false;
    this.escaped = false;
    this.afterColon = false;
    this.arrayKey = '';
    return true;
  }

  /** Goes on to the end of the current element or member; false where the bytes end first. */
  private scanElement(): boolean {
    const { bytes } = this;
    const limit = Math.min(this.end, this.mark + MAX_RECORD_BYTES);
    while (this.at < limit) {
      if (this.inString) {
        this.at = this.findStringEnd(limit);
        if (this.at === limit) break;
        if (bytes[this.at] === LINE_FEED) return this.refuse('malformed_json', 'a line ends inside a string');
        this.keyEnd = this.at;
        this.inString = false;
        this.at += 1;
        continue;
      }
      const byte = bytes[this.at];
      if (byte === QUOTE) {
        this.inString = true;
        this.keyStart = this.at + 1;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.depth === MAX_DEPTH) return this.refuse('malformed_json', `more than ${MAX_DEPTH} levels`);
        if (this.afterColon && this.isWrapper(byte)) {
          this.wrappers += this.depth;
          return this.leaveElement(this.at + 1);
        }
        this.depth += 1;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.depth === 0) return this.leaveElement(this.at);
        this.depth -= 1;
        if (this.depth === 0 && this.state === ELEMENT) return this.endElement(this.at + 1);
      } else if (byte === COMMA && this.depth === 0) {
        return this.leaveElement(this.at);
      }
      if (!isBlank(byte)) this.afterColon = byte === COLON;
      this.at += 1;
    }
    if (this.at - this.mark < MAX_RECORD_BYTES) return false;
    return this.refuse('too_long', `a JSON object may have ${MAX_RECORD_BYTES} bytes`);
  }

  /** Index of the quote that ends the current string, of a line feed before it, or `limit`. */
  private findStringEnd(limit: number): number {
    const { bytes } = this;
    let { at, escaped } = this;
    for (; at < limit; at += 1) {
      const byte = bytes[at];
      if (byte === LINE_FEED) break;
      if (escaped) escaped = false;
      else if (byte === BACKSLASH) escaped = true;
      else if (byte === QUOTE) break;
    }
    this.escaped = escaped;
    return at;
  }

  /** Whether the array that opens here holds the records. An object that opens here may hold that array. */
  private isWrapper(byte: number): boolean {
    if (this.state === ELEMENT && this.wrappers > 0) return false;
    const top = this.state === ELEMENT ? 1 : 0;
    if (this.depth > top + 1 || this.keyEnd - this.keyStart > LONGEST_ARRAY_KEY) return false;
    const key = this.bytes.toString('latin1', this.keyStart, this.keyEnd).toLowerCase();
    if (byte === OPEN_BRACE) {
      if (this.depth === top) {
        this.arrayKey = Object.hasOwn(NESTED_ARRAY_KEYS, key) ? NESTED_ARRAY_KEYS[key] : '';
      }
      return false;
    }
    return this.depth === top ? ARRAY_KEYS.includes(key) : this.arrayKey !== '' && key === this.arrayKey;
  }

  /** What was read of the element is no record: a wrapper up to its records, or a member of one. */
  private leaveElement(next: number): true {
    this.state = BETWEEN;
    this.advance(next);
    return true;
  }

  private endElement(next: number): true {
    const { bytes, mark, offset, line } = this;
    const length = this.storedLength(bytes, mark, next);
    let element: Record<string, unknown> | null;
    try {
      element = JSON.parse(bytes.toString('utf8', mark, next));
    } catch {
      element = null;
    }
    this.leaveElement(next);
    if (element !== null) this.sink.element(element, offset, length, line);
    else this.sink.reject({ code: 'malformed_json', reason: 'the object is no valid JSON', offset, length, line });
    return true;
  }

  /**
   * Refuses what begins at `mark` and cannot go on at `at`, and looks for the next element in it. Bytes that were
   * read are read again for that, until that happened as often as bytes were read at all.
   */
  private refuse(code: DeadLetter['code'], reason: string): true {
    const again = this.at - this.mark - 1;
    this.refusal = { code, reason, offset: this.offset, length: 0, line: this.line };
    this.state = SEEKING;
    this.isFirstOnLine = false;
    this.previous = 0;
    if (again <= 0 || this.rescannedBytes <= this.position + this.mark + MAX_RECORD_BYTES) {
      this.rescannedBytes += Math.max(0, again);
      this.at = this.mark + 1;
    }
    this.textEnd = this.at;
    return true;
  }

  /** Looks for what may be the next element; false where the bytes end first. */
  private scanRefused(): boolean {
    const { bytes, end } = this;
    for (; this.at < end; this.at += 1) {
      const byte = bytes[this.at];
      if (byte === LINE_FEED) this.isFirstOnLine = true;
      if (isBlank(byte)) continue;
      if (byte === OPEN_BRACE && (this.isFirstOnLine || this.previous === COMMA)) {
        this.endRefusal(this.refusal.code === 'cut_record' ? 'malformed_json' : this.refusal.code);
        return true;
      }
      this.isFirstOnLine = false;
      this.previous = byte;
      this.textEnd = this.at + 1;
    }
    this.dropRefused();
    return false;
  }

  /** Forgets the refused bytes before `at`, but for where their text ends. */
  private dropRefused(): void {
    const { at } = this;
    if (this.textEnd > this.mark) {
      this.advance(this.textEnd);
      this.refusal.length = this.offset - this.refusal.offset;
    }
    this.advance(at);
    this.textEnd = 0;
  }

  private endRefusal(code: DeadLetter['code']): void {
    this.dropRefused();
    this.state = BETWEEN;
    this.sink.reject({ ...this.refusal, code });
  }

  protected moved(by: number): void {
    this.keyStart -= by;
    this.keyEnd -= by;
  }
}

const NO_OBJECT = 'an element is no JSON object';

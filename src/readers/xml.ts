/**
 * Reads Atom feeds of OData services, as the Reporting Web Service writes them: every element `properties`
 * (`<m:properties><d:Received m:type="Edm.DateTime">...`) becomes a record, its children are the values. Prefixes
 * do not matter, since exports that were cut or joined have lost where they are declared.
 *
 * Files may come from anybody, so nothing is kept but one record of MAX_RECORD_BYTES: a scan over bytes finds where
 * a record ends, then its text is read. No entities are expanded but the five of XML and those of characters; a
 * document type, which no feed has and which could declare others, is refused, and so are files, addresses or
 * anything else outside: nothing is ever fetched. A parser of whole documents would hold a file of any size in memory
 * and read all of it to find one broken tag; here the record is refused and reading goes on at the next one.
 */

import { Buffer } from 'node:buffer';
import type { DeadLetter } from '../core/ports.ts';
import { ByteWindow, PIECE_BYTES, type WindowStart } from './byte-window.ts';
import { type FieldOptions, FieldWriter } from './field-writer.ts';
import { MAX_RECORD_BYTES, type RecordHandler, type RecordReader } from './reader.ts';
import { readXmlValues, XmlProblem } from './xml-values.ts';

export type XmlReaderOptions = FieldOptions & WindowStart;

export const DOCUMENT_TYPE = 'it declares a document type (DOCTYPE), which no export has and which could do harm';

/** Reads records from XML. */
export function createXmlReader(options: XmlReaderOptions, handler: RecordHandler): RecordReader {
  const fields = new FieldWriter(options);
  return new XmlSplitter(options, {
    record(values, offset, length, line) {
      for (const [name, text] of values) {
        const column = fields.columnOf(name);
        if (column >= 0 && fields.isEmpty(column)) fields.set(column, text);
      }
      handler.record(fields.write(offset, length, line));
    },
    reject: (letter) => handler.reject(letter),
  });
}

/** Records whose names are looked at: feeds leave no property out, but what others made of them may. */
const SAMPLED_RECORDS = 100;

/** What the head of a file says. */
export interface XmlHead {
  /** Names of the values of its first records, in order of appearance. */
  names: string[];
  hasDocumentType: boolean;
}

/** Looks at the head of a file, which may end inside a record; null where its first character begins no XML. */
export function readXmlHead(head: Uint8Array): XmlHead | null {
  let at = 0;
  while (at < head.length && isBlank(head[at])) at += 1;
  if (head[at] !== LESS) return null;
  const names = new Set<string>();
  let records = 0;
  let hasDocumentType = false;
  const splitter = new XmlSplitter(
    { startOffset: 0, startLine: 1, storedLength: () => 0 },
    {
      record(values) {
        records += 1;
        if (records <= SAMPLED_RECORDS) for (const [name] of values) names.add(name);
      },
      reject(letter) {
        hasDocumentType ||= letter.reason === DOCUMENT_TYPE;
      },
    },
  );
  for (let piece = at; piece < head.length && records < SAMPLED_RECORDS; piece += PIECE_BYTES) {
    splitter.push(head, piece, Math.min(head.length, piece + PIECE_BYTES));
  }
  return { names: [...names], hasDocumentType };
}

const BANG = 0x21;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const DASH = 0x2d;
const SLASH = 0x2f;
const COLON = 0x3a;
const LESS = 0x3c;
const GREATER = 0x3e;
const QUESTION = 0x3f;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Blanks of XML, and the bytes of a byte order mark, which stays behind where files were joined. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d || isMark(byte);
}

function isMark(byte: number): boolean {
  return byte === 0xef || byte === 0xbb || byte === 0xbf;
}

/* What the scan is in. */
const TEXT = 0;
/** Behind a `<`, whose next bytes say what it begins. */
const OPENED = 1;
const TAG = 2;
const COMMENT = 3;
const CDATA = 4;
const INSTRUCTION = 5;
/** In what a refused record leaves behind. */
const SEEKING = 6;

const RECORD_NAME = Buffer.from('properties');
/** The longest name of an element looked at, with its prefix. */
const LONGEST_NAME = 64;
const CDATA_OPEN = Buffer.from('<![CDATA[');

interface XmlSink {
  record(
    values: readonly (readonly [name: string, text: string])[],
    offset: number,
    length: number,
    line: number,
  ): void;
  reject(letter: DeadLetter): void;
}

class XmlSplitter extends ByteWindow implements RecordReader {
  private readonly sink: XmlSink;

  private state = TEXT;
  /** Where the current tag, comment, section or instruction began. */
  private opened = 0;
  /** The quote that the scan is in, inside a tag; 0 outside. */
  private quote = 0;
  /** A record began at `mark`. */
  private inRecord = false;
  private refusal: DeadLetter = { code: 'malformed_xml', reason: '', offset: 0, length: 0, line: 0 };
  /** Bytes looked at again after refused records. */
  private rescannedBytes = 0;

  constructor(options: WindowStart, sink: XmlSink) {
    super(options);
    this.sink = sink;
  }

  finish(): void {
    for (;;) {
      if (this.state === SEEKING) {
        this.advance(this.end);
        this.endRefusal();
        return;
      }
      if (!this.inRecord && this.state === TEXT) return;
      this.refuse('cut_record', this.inRecord ? 'the file ends inside a record' : 'the file ends inside a tag');
      this.scan();
    }
  }

  protected scan(): void {
    let goesOn = true;
    while (goesOn) {
      if (this.state === SEEKING) goesOn = this.seek();
      else if (this.state === TEXT) goesOn = this.scanText();
      else if (this.state === OPENED) goesOn = this.open();
      else goesOn = this.scanToEnd();
      if (goesOn || this.state === SEEKING) continue;
      if (this.at - this.mark < MAX_RECORD_BYTES) return;
      const what = this.inRecord ? 'a record' : 'a tag or comment';
      goesOn = this.refuse('too_long', `${what} may have ${MAX_RECORD_BYTES} bytes`);
    }
  }

  private scanText(): boolean {
    const { bytes, end } = this;
    const found = bytes.subarray(0, end).indexOf(LESS, this.at);
    this.at = found < 0 ? end : found;
    if (!this.inRecord) this.advance(this.at);
    if (found < 0) return false;
    this.state = OPENED;
    this.opened = this.at;
    return true;
  }

  /** Tells what a `<` begins; false where its next bytes have not come yet. */
  private open(): boolean {
    const { bytes, opened, end } = this;
    if (end - opened < 2) return false;
    const second = bytes[opened + 1];
    if (second === QUESTION) return this.enter(INSTRUCTION, 2);
    if (second !== BANG) return this.enter(TAG, 1);
    if (end - opened < 4) return false;
    const third = bytes[opened + 2];
    if (third === DASH && bytes[opened + 3] === DASH) return this.enter(COMMENT, 4);
    if (third !== OPEN_BRACKET) return this.refuse('malformed_xml', DOCUMENT_TYPE);
    if (end - opened < CDATA_OPEN.length) return false;
    const isSection = CDATA_OPEN.equals(bytes.subarray(opened, opened + CDATA_OPEN.length));
    return isSection ? this.enter(CDATA, CDATA_OPEN.length) : this.refuse('malformed_xml', BROKEN_TAG);
  }

  private enter(state: number, length: number): true {
    this.state = state;
    this.quote = 0;
    this.at = this.opened + length;
    return true;
  }

  /** Goes on to the `>` that ends what `opened` began; false where the bytes end first. */
  private scanToEnd(): boolean {
    const { bytes, state } = this;
    const limit = Math.min(this.end, this.mark + MAX_RECORD_BYTES);
    for (; this.at < limit; this.at += 1) {
      const byte = bytes[this.at];
      if (state === TAG) {
        if (this.quote !== 0) {
          if (byte === this.quote) this.quote = 0;
          continue;
        }
        if (byte === QUOTE || byte === APOSTROPHE) this.quote = byte;
        if (byte === LESS) return this.refuse('malformed_xml', BROKEN_TAG);
      }
      if (byte === GREATER && this.isEnd()) return state === TAG ? this.endTag() : this.leave();
    }
    return false;
  }

  /** Whether the `>` at `at` ends what the scan is in. */
  private isEnd(): boolean {
    const { bytes, at, opened } = this;
    switch (this.state) {
      case COMMENT:
        return at - opened >= 6 && bytes[at - 1] === DASH && bytes[at - 2] === DASH;
      case CDATA:
        return at - opened >= 11 && bytes[at - 1] === CLOSE_BRACKET && bytes[at - 2] === CLOSE_BRACKET;
      case INSTRUCTION:
        return at - opened >= 3 && bytes[at - 1] === QUESTION;
      default:
        return true;
    }
  }

  private leave(): true {
    this.state = TEXT;
    this.at += 1;
    if (!this.inRecord) this.advance(this.at);
    return true;
  }

  private endTag(): true {
    const { bytes, opened, at } = this;
    const isClosing = bytes[opened + 1] === SLASH;
    if (!isRecordName(bytes, opened + (isClosing ? 2 : 1), at)) return this.leave();
    if (isClosing) return this.inRecord ? this.endRecord(at + 1) : this.leave();
    if (this.inRecord) {
      this.refuse('malformed_xml', 'a record begins inside another');
      this.advance(opened);
      this.endRefusal();
      return true;
    }
    if (bytes[at - 1] === SLASH) return this.leave();
    this.inRecord = true;
    this.state = TEXT;
    this.at = at + 1;
    return true;
  }

  private endRecord(next: number): true {
    const { bytes, mark, offset, line } = this;
    const length = this.storedLength(bytes, mark, next);
    let values: [string, string][] | null = null;
    let reason = '';
    try {
      values = readXmlValues(bytes.toString('utf8', mark, next));
    } catch (error) {
      if (!(error instanceof XmlProblem)) throw error;
      reason = error.message;
    }
    this.inRecord = false;
    this.state = TEXT;
    this.advance(next);
    if (values !== null) this.sink.record(values, offset, length, line);
    else this.sink.reject({ code: 'malformed_xml', reason, offset, length, line });
    return true;
  }

  /**
   * Refuses what begins at `mark`, and looks for the next record in it. Bytes that were read are read again for that,
   * until that happened as often as bytes were read at all.
   */
  private refuse(code: DeadLetter['code'], reason: string): true {
    this.refusal = { code, reason, offset: this.offset, length: 0, line: this.line };
    const again = this.at - this.mark - 1;
    if (again <= 0 || this.rescannedBytes <= this.position + this.mark + MAX_RECORD_BYTES) {
      this.rescannedBytes += Math.max(0, again);
      this.at = Math.min(this.mark + 1, this.end);
    }
    this.inRecord = false;
    this.state = SEEKING;
    return true;
  }

  /** Looks for the tag of the next record; false where the bytes end first. */
  private seek(): boolean {
    const { bytes, end } = this;
    while (this.at < end) {
      const found = bytes.subarray(0, end).indexOf(LESS, this.at);
      if (found < 0) break;
      const nameEnd = nameEndOf(bytes, found + 1, end);
      if (nameEnd === end && end - found <= LONGEST_NAME) {
        // The name may go on in the bytes that come.
        this.at = found;
        this.advance(found);
        return false;
      }
      this.at = found + 1;
      if (!isRecordName(bytes, found + 1, nameEnd)) continue;
      this.advance(found);
      this.endRefusal();
      return true;
    }
    this.advance(end);
    return false;
  }

  private endRefusal(): void {
    this.state = TEXT;
    this.sink.reject({ ...this.refusal, length: this.offset - this.refusal.offset });
  }

  protected moved(by: number): void {
    this.opened -= by;
  }
}

const BROKEN_TAG = 'a tag is broken';

/** Index behind the name that begins at `start`. */
function nameEndOf(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && at - start <= LONGEST_NAME && bytes[at] > 0x20 && bytes[at] !== GREATER && bytes[at] !== SLASH) {
    at += 1;
  }
  return at;
}

/** Whether the name at `start` is that of a record, with any prefix. */
function isRecordName(bytes: Buffer, start: number, end: number): boolean {
  const nameEnd = nameEndOf(bytes, start, end);
  const local = nameEnd - RECORD_NAME.length;
  if (local < start || !RECORD_NAME.equals(bytes.subarray(local, nameEnd))) return false;
  return local === start || bytes[local - 1] === COLON;
}

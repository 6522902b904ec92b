/**
 * Reads a damaged export as scan does, and checks what must hold for any bytes: every record is used, dropped or
 * refused, places are in the file, in order and apart, however the file is cut into chunks; every pair can be read
 * again from its place; nothing else has changed.
 */

import { knownOtherExports, traceFormats } from '../../src/config/registry.ts';
import { AddressReader } from '../../src/core/address.ts';
import { Dictionary } from '../../src/core/dictionary.ts';
import type { DateOrder } from '../../src/core/event-time.ts';
import { KeyedHash } from '../../src/core/hash.ts';
import type { DeadLetter } from '../../src/core/ports.ts';
import { fileOf, offsetOf, RECIPIENT_HI, RECIPIENT_LO } from '../../src/core/record.ts';
import { RowExtractor } from '../../src/formats/row.ts';
import { createCsvByteReader } from '../../src/readers/csv-bytes.ts';
import { type FileLayout, readLayout } from '../../src/runtime/inputs/layout.ts';
import { createStoredRecordReader, recordStart } from '../../src/runtime/inputs/records.ts';
import { createTextSource } from '../../src/runtime/inputs/text-source.ts';
import type { DamagedExport } from './exports.ts';

const NOW_MS = Date.UTC(2026, 11, 1);
/** Pairs of an export that are read again. */
const READ_AGAIN = 5;

export interface FuzzResult {
  /** Null where the file was refused whole. */
  format: string | null;
  records: number;
  pairs: number;
  deadLetters: number;
}

/** Throws where something does not hold. */
export function checkDamagedExport({ bytes, cuts }: DamagedExport): FuzzResult {
  const result = readLayout(Uint8Array.from(bytes), traceFormats, knownOtherExports, null);
  if (result.kind !== 'layout') {
    if ('message' in result && /[\0-\x08\x0b-\x1f\x7f]/.test(result.message))
      throw new Error(`control characters in "${result.message}"`);
    return { format: null, records: 0, pairs: 0, deadLetters: 0 };
  }
  const { layout } = result;
  const order: DateOrder | null = cuts.length % 2 === 0 ? 'mdy' : null;
  const whole = new Reading(layout, order, bytes);
  whole.read([]);
  whole.check();
  whole.readAgain();
  const inChunks = new Reading(layout, order, bytes);
  inChunks.read(cutsOf(bytes, cuts));
  if (inChunks.lines.join('\n') !== whole.lines.join('\n')) {
    const at = whole.lines.findIndex((line, index) => line !== inChunks.lines[index]);
    throw new Error(`cut at ${cuts}: ${inChunks.lines[at]} instead of ${whole.lines[at]}`);
  }
  const polluted = [...Object.keys(Object.prototype), ...Object.keys(Array.prototype)];
  if (polluted.length > 0 || 'polluted' in {}) throw new Error(`prototypes have ${polluted}`);
  return {
    format: layout.match.format.id,
    records: whole.records,
    pairs: whole.pairs.length,
    deadLetters: whole.letters.length,
  };
}

/** Bytes behind which a cut is hard on a reader: escapes, quotes, CR, tags, and the first bytes of characters. */
const HARD = new Set([0x5c, 0x22, 0x0d, 0x3c, 0x21, 0x2d, 0x5d, 0x26, 0x7b, 0x00, 0xc3, 0xe2, 0xef, 0xf0, 0xd8]);

/** Places to cut at: some anywhere, most just behind the next byte that is hard. */
function cutsOf(bytes: Uint8Array, shares: readonly number[]): number[] {
  const places = shares.map((share, index) => {
    let at = Math.floor(share * bytes.length);
    if (index % 3 === 0) return at;
    while (at < bytes.length && !HARD.has(bytes[at])) at++;
    return Math.min(at + 1, bytes.length);
  });
  return places.sort((one, other) => one - other);
}

interface Pair {
  offset: number;
  lo: number;
  hi: number;
}

class Reading {
  records = 0;
  readonly pairs: Pair[] = [];
  readonly letters: DeadLetter[] = [];
  /** Everything that came out, as text, in order. */
  readonly lines: string[] = [];
  readonly #layout: FileLayout;
  readonly #order: DateOrder | null;
  readonly #bytes: Uint8Array;
  readonly #places: { offset: number; length: number; line: number }[] = [];
  #used = 0;

  constructor(layout: FileLayout, order: DateOrder | null, bytes: Uint8Array) {
    this.#layout = layout;
    this.#order = order;
    this.#bytes = bytes;
  }

  read(cuts: readonly number[]): void {
    const hash = new KeyedHash('fuzz');
    const context = {
      hash,
      addresses: new AddressReader(hash),
      domains: new Dictionary(hash),
      sources: new Dictionary(hash),
      connectors: new Dictionary(hash),
      organizations: { ids: [], names: [] },
      sinceMs: null,
      untilMs: Date.UTC(2026, 10, 1),
      nowMs: NOW_MS,
    };
    const { match, header } = this.#layout;
    const file = { match, header, dateOrder: this.#order, number: 7 };
    const refuse = (letter: DeadLetter): void => {
      this.letters.push(letter);
      this.lines.push(JSON.stringify(letter));
      this.#used += 1;
    };
    const sink = {
      add: ({ words, doubles }: { words: Uint32Array; doubles: Float64Array }): void => {
        this.#used += 1;
        if (fileOf(words, 0) !== 7) throw new Error('a pair of another file');
        this.pairs.push({ offset: offsetOf(words, 0), lo: words[RECIPIENT_LO], hi: words[RECIPIENT_HI] });
        this.lines.push(`${doubles[0]} ${words.join(' ')}`);
      },
    };
    const drop = (reason: string): void => {
      this.#used += 1;
      this.lines.push(reason);
    };
    const extractor = new RowExtractor(context, file, sink, { drop, deadLetter: refuse });
    const reader = createStoredRecordReader(this.#layout, createCsvByteReader, recordStart(this.#layout), {
      record: (view) => {
        this.records += 1;
        const { offset, length, line } = view;
        this.#places.push({ offset, length, line });
        this.#checkEnd(offset + length);
        const usedBefore = this.#used;
        extractor.record(view);
        if (this.#used === usedBefore) throw new Error(`the record at ${offset} was lost`);
      },
      reject: (letter) => {
        this.records += 1;
        this.#places.push(letter);
        refuse(letter);
      },
    });
    const edges = [0, ...cuts, this.#bytes.length];
    for (let piece = 0; piece + 1 < edges.length; piece++) {
      reader.push(Uint8Array.from(this.#bytes.subarray(edges[piece], edges[piece + 1])));
    }
    reader.finish();
    if (extractor.rows !== this.pairs.length) throw new Error(`${extractor.rows} rows, ${this.pairs.length} pairs`);
  }

  /** A record of JSON or XML ends with the mark that ends its object or element. */
  #checkEnd(end: number): void {
    const { shape, encoding } = this.#layout;
    const mark = { csv: 0, json: 0x7d, xml: 0x3e }[shape];
    const last = this.#bytes[end - (encoding === 'utf-16le' ? 2 : 1)];
    if (mark !== 0 && last !== mark) throw new Error(`a record ends at ${end} with byte ${last}`);
  }

  /** Records and refused texts lie in the file, one behind the other. */
  check(): void {
    let end = this.#layout.dataOffset;
    let line = 1;
    for (const place of this.#places) {
      if (place.offset < end || place.line < line)
        throw new Error(`${JSON.stringify(place)} begins before ${end}, line ${line}`);
      end = place.offset + place.length;
      line = place.line;
    }
    // The BOM and the last byte of a character that was cut may be missing or doubled, nothing else.
    if (end > this.#bytes.length + 3) throw new Error(`a record ends at ${end} of ${this.#bytes.length}`);
  }

  /** What an incident shows of a pair is read again from its place. */
  readAgain(): void {
    const stored = {
      size: () => this.#bytes.length,
      read: (_: number, offset: number, into: Uint8Array): number => {
        const part = this.#bytes.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
    };
    const texts = createTextSource('fuzz', () => this.#layout, stored);
    for (const { offset, lo, hi } of this.pairs.slice(-READ_AGAIN)) {
      const { recipient } = texts.read(7, offset, lo, hi);
      if (recipient === '') throw new Error(`no recipient is read again at ${offset}`);
    }
  }
}

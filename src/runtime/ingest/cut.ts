/**
 * Where an export is cut into envelopes: between two records, found by the reader that would read them, so
 * that an envelope read alone gives the same records, positions and refusals as the whole export.
 *
 * Where the cuts fall depends on the records alone, never on chunks or on where reading was resumed, so an
 * export that is sent again comes in the same envelopes.
 */

import {
  ENVELOPE_BYTES,
  ENVELOPE_ROWS,
  ENVELOPE_SCHEMA,
  type Envelope,
  type EnvelopeFile,
  type EnvelopeLayout,
  type RowsHeader,
} from '../../core/envelope.ts';
import type { DeadLetter } from '../../core/ports.ts';
import { MAX_RECORD_BYTES, type RecordHandler, type RecordView } from '../../readers/reader.ts';
import type { RecordStart } from '../inputs/records.ts';
import { readEnvelopeRecords } from './envelope-records.ts';

export interface CutBounds {
  rows: number;
  bytes: number;
  /** A longer stretch without records, such as a megabyte of blank lines, travels in no envelope. */
  gapBytes: number;
}

const BOUNDS: CutBounds = { rows: ENVELOPE_ROWS, bytes: ENVELOPE_BYTES, gapBytes: 65_536 };
/** Headers carry no more: exports have two at most, and closing braces that are missed then mean nothing. */
const MAX_WRAPPERS = 64;

/** A record or a refused record, where it stands. */
interface Item {
  offset: number;
  length: number;
  line: number;
  wrappers: number;
  letter: DeadLetter | null;
}

/** The records of one envelope, or of a few where some are refused: bytes `[offset, end)` of the export. */
export interface Cut {
  offset: number;
  line: number;
  wrappers: number;
  end: number;
  records: number;
  /** All of them, where one is refused: reading the payload alone must then be tried. Null otherwise. */
  items: readonly Item[] | null;
}

/** Collects records into cuts. */
export class EnvelopeCutter implements RecordHandler {
  /** Cuts that are complete, to be taken away by who pushes. */
  cuts: Cut[] = [];
  /** Records so far, refused ones with them. */
  records = 0;
  /** Start of the last record: reading can be taken up there again when the file has grown. */
  last: RecordStart | null = null;

  readonly #wrappers: () => number;
  readonly #bounds: CutBounds;
  readonly #start: { offset: number; line: number; wrappers: number };
  /* The records of the cut that is being collected. */
  #count = 0;
  #refused = 0;
  readonly #offsets: Float64Array;
  readonly #lengths: Float64Array;
  readonly #lines: Float64Array;
  readonly #wrapperCounts: Int32Array;
  readonly #letters: (DeadLetter | null)[] = [];
  #cut = { offset: 0, line: 0, wrappers: 0 };
  #end: number;

  /** `wrappers` tells the JSON objects around the record that is handed out. */
  constructor(start: RecordStart, wrappers: () => number, bounds: CutBounds = BOUNDS) {
    this.#wrappers = wrappers;
    this.#bounds = bounds;
    this.#offsets = new Float64Array(bounds.rows);
    this.#lengths = new Float64Array(bounds.rows);
    this.#lines = new Float64Array(bounds.rows);
    this.#wrapperCounts = new Int32Array(bounds.rows);
    this.#start = { offset: start.offset, line: start.line, wrappers: start.wrappers ?? 0 };
    this.#end = start.offset;
  }

  record(view: RecordView): void {
    this.#add(view.offset, view.length, view.line, null);
  }

  reject(letter: DeadLetter): void {
    this.#add(letter.offset, letter.length, letter.line, letter);
  }

  /** Where the last record ends. */
  get end(): number {
    return this.#end;
  }

  /** The bytes end at `end`: the last cut. */
  finish(end: number): void {
    this.#close(end);
  }

  #add(offset: number, length: number, line: number, letter: DeadLetter | null): void {
    const end = offset + length;
    const { rows, bytes, gapBytes } = this.#bounds;
    const isFull = this.#count === rows || end - this.#cut.offset > bytes;
    if (this.#count > 0 && (isFull || offset - this.#end > gapBytes)) this.#close(offset);
    const wrappers = Math.min(this.#wrappers(), MAX_WRAPPERS);
    if (this.#count === 0) {
      const isFirst = this.records === 0 && offset - this.#start.offset <= gapBytes;
      this.#cut = isFirst ? this.#start : { offset, line, wrappers };
    }
    const slot = this.#count++;
    this.#offsets[slot] = offset;
    this.#lengths[slot] = length;
    this.#lines[slot] = line;
    this.#wrapperCounts[slot] = wrappers;
    this.#letters[slot] = letter;
    if (letter !== null) this.#refused += 1;
    this.#end = end;
    this.records += 1;
    this.last = { pushedOffset: offset, offset, line, wrappers };
  }

  /** Ends the current cut where the next record, or the end of the file, begins. */
  #close(next: number): void {
    const count = this.#count;
    if (count === 0) return;
    const end = next - this.#end > this.#bounds.gapBytes ? this.#end : next;
    const items = this.#refused === 0 ? null : Array.from({ length: count }, (_, slot) => this.#item(slot));
    this.cuts.push({ ...this.#cut, end, records: count, items });
    this.#count = 0;
    this.#refused = 0;
  }

  #item(slot: number): Item {
    return {
      offset: this.#offsets[slot],
      length: this.#lengths[slot],
      line: this.#lines[slot],
      wrappers: this.#wrapperCounts[slot],
      letter: this.#letters[slot],
    };
  }
}

/** What the envelopes of one export share. */
export interface EnvelopeOrigin {
  tenant: string;
  file: EnvelopeFile;
  layout: EnvelopeLayout;
}

/** Bytes of a cut that are needed: of one that is a single refused record, which can be endless, only its start. */
export function payloadLength(cut: Cut): number {
  const length = cut.end - cut.offset;
  return cut.items !== null && cut.records === 1 ? Math.min(length, MAX_RECORD_BYTES) : length;
}

/**
 * The envelopes of a cut: one, but where refused records would be read in another way in it (a quote whose
 * end was looked for further on, a line longer than any record) each of them is one of its own.
 */
export function envelopesOfCut(origin: EnvelopeOrigin, cut: Cut, payload: Uint8Array): Envelope[] {
  const { offset, line, wrappers, records, items } = cut;
  const whole = rowsEnvelope(origin, { offset, line, wrappers, records }, payload);
  if (items === null || readsAlike(whole, cut, items)) return [whole];
  const envelopes: Envelope[] = [];
  for (let from = 0; from < items.length; ) {
    const { letter } = items[from];
    let to = from + 1;
    if (letter === null) while (to < items.length && items[to].letter === null) to++;
    // Blanks before the first record belong to it.
    const place = from === 0 ? cut : items[from];
    const next = to < items.length ? items[to].offset - offset : payload.length;
    const bytes = payload.subarray(place.offset - offset, next);
    const header = { offset: place.offset, line: place.line, wrappers: place.wrappers, records: to - from };
    if (letter === null) envelopes.push(rowsEnvelope(origin, header, bytes));
    else envelopes.push(rowsEnvelope(origin, { ...header, refusal: letter }, bytes.subarray(0, MAX_RECORD_BYTES)));
    from = to;
  }
  return envelopes;
}

function rowsEnvelope(
  origin: EnvelopeOrigin,
  more: Pick<RowsHeader, 'offset' | 'line' | 'records' | 'wrappers' | 'refusal'>,
  payload: Uint8Array,
): Envelope {
  const { wrappers, ...rest } = more;
  const header: RowsHeader = { kind: 'rows', schema: ENVELOPE_SCHEMA, ...origin, ...rest };
  if (wrappers !== undefined && wrappers > 0) header.wrappers = wrappers;
  return { header, payload };
}

/** Whether the payload, read alone, gives just these records and refusals. */
function readsAlike({ header, payload }: Envelope, cut: Cut, items: readonly Item[]): boolean {
  if (payload.length < cut.end - cut.offset) return false;
  let at = 0;
  let isAlike = true;
  const compare = (offset: number, length: number, line: number, letter: DeadLetter | null): void => {
    const item = items[at++];
    isAlike &&=
      item !== undefined &&
      item.offset === offset &&
      item.length === length &&
      item.line === line &&
      item.letter?.code === letter?.code &&
      item.letter?.reason === letter?.reason;
  };
  // A copy: reading may modify it.
  readEnvelopeRecords(header as RowsHeader, new Uint8Array(payload), {
    record: (view) => compare(view.offset, view.length, view.line, null),
    reject: (letter) => compare(letter.offset, letter.length, letter.line, letter),
  });
  return isAlike && at === items.length;
}

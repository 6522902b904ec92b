/**
 * The envelopes whose rows may still be shown, compressed in memory, and the texts of rows that outlived
 * theirs. Records refer to both by position: file 0 is the texts, every other file number an envelope.
 */

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { RowsHeader } from '../../core/envelope.ts';
import { ChosenTexts } from '../../core/identity.ts';
import type { PairText, TextSource } from '../../core/ports.ts';
import { MAX_FILES, positionFile, positionOffset } from '../../core/record.ts';
import type { StatePlace } from '../../core/walk/state-places.ts';
import { layoutOfEnvelope } from '../ingest/envelope-records.ts';
import type { FileLayout } from '../inputs/layout.ts';
import { createTextSource } from '../inputs/text-source.ts';

/** Envelopes kept decompressed: evidence of an incident stands in few of them. */
const OPENED = 8;
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const LOST_TEXT = { messageTraceId: '', messageId: '', sender: '', recipient: '', subject: '', length: 0 };

interface StoredEnvelope {
  layout: FileLayout;
  /** Offset of the payload in its export. */
  offset: number;
  compressed: Uint8Array;
  length: number;
  /** Offset in the log. */
  logOffset: number;
  /** Latest event time among its rows. */
  latestMs: number;
}

/** What survives the process: texts, and which envelopes of the log have which number and latest event time. */
export interface EnvelopeStoreState {
  texts: PairText[];
  envelopes: [number: number, logOffset: number, latestMs: number][];
}

export class EnvelopeStore implements TextSource {
  readonly #rows: TextSource;
  readonly #chosen: ChosenTexts;
  #texts: PairText[] = [];
  /** In the order of their offsets, as the log hands them out. */
  readonly #envelopes = new Map<number, StoredEnvelope>();
  readonly #opened = new Map<number, Uint8Array>();
  /** What a saved state knows of envelopes that are still to be replayed, by offset in the log, in order. */
  readonly #reserved = new Map<number, { number: number; latestMs: number }>();
  readonly #taken = new Set<number>([0]);
  #next = 1;

  constructor(hashKey: string, chosen: ChosenTexts) {
    this.#chosen = chosen;
    this.#rows = createTextSource(hashKey, (file) => this.#envelopes.get(file)?.layout ?? null, {
      size: (file) => {
        const envelope = this.#envelope(file);
        return envelope.offset + envelope.length;
      },
      read: (file, offset, bytes) => {
        const from = offset - this.#envelope(file).offset;
        const part = this.#open(file).subarray(from, from + bytes.length);
        bytes.set(part);
        return part.length;
      },
    });
  }

  /** Number of envelopes kept. */
  get size(): number {
    return this.#envelopes.size;
  }

  /** Offset in the log of the oldest envelope that is kept or still to be replayed; null for none. */
  get oldestLogOffset(): number | null {
    const { value: kept } = this.#envelopes.values().next();
    const { value: reserved } = this.#reserved.keys().next();
    if (kept === undefined || reserved === undefined) return kept?.logOffset ?? reserved ?? null;
    return Math.min(kept.logOffset, reserved);
  }

  /**
   * Keeps an envelope and gives it the file number for its records. `compressed` is its payload as the log has it,
   * which is compressed here where the log says nothing. `latestMs` is the latest event time among its rows
   * where a saved state knows it; else it is to be noted.
   * @throws RelaywatchError `envelope_layout` for a layout that this version does not know.
   */
  add(
    header: RowsHeader,
    payload: Uint8Array,
    compressed: Uint8Array,
    logOffset: number,
  ): { number: number; latestMs: number | null } {
    const layout = layoutOfEnvelope(header.layout);
    const reserved = this.#reserved.get(logOffset);
    const number = reserved?.number ?? this.#freeNumber();
    this.#reserved.delete(logOffset);
    this.#taken.add(number);
    this.#envelopes.set(number, {
      layout,
      offset: header.offset,
      // A copy: what came, or what zlib gives, may be a part of something much larger.
      compressed: new Uint8Array(compressed.length > 0 ? compressed : zstdCompressSync(payload, COMPRESSION)),
      length: payload.length,
      logOffset,
      latestMs: reserved?.latestMs ?? 0,
    });
    return { number, latestMs: reserved?.latestMs ?? null };
  }

  noteTime(number: number, latestMs: number): void {
    const envelope = this.#envelope(number);
    envelope.latestMs = Math.max(envelope.latestMs, latestMs);
  }

  /** Empty texts of a row whose envelope the log has lost before it was replayed. */
  read(file: number, offset: number, recipientLo: number, recipientHi: number): PairText {
    if (file === 0) return this.#texts[offset];
    if (!this.#envelopes.has(file)) return { ...LOST_TEXT, file, offset };
    return this.#rows.read(file, offset, recipientLo, recipientHi);
  }

  /** The log has lost the entries before `logOffset`: they will not be replayed. */
  loseBefore(logOffset: number): void {
    for (const offset of this.#reserved.keys()) if (offset < logOffset) this.#reserved.delete(offset);
  }

  /**
   * Prepares for letting envelopes go whose rows are all before `beforeMs`: what `move` is called for stays
   * readable. Call `forget` once the state has moved.
   */
  moving(beforeMs: number): { move: <Place extends StatePlace>(place: Place) => Place; forget: () => void } {
    const texts: PairText[] = [];
    return {
      move: (place) => {
        const file = positionFile(place.positionHi);
        const envelope = this.#envelopes.get(file);
        if (envelope !== undefined && envelope.latestMs >= beforeMs) return place;
        const offset = positionOffset(place.positionLo, place.positionHi);
        const text = this.read(file, offset, place.recipientLo, place.recipientHi);
        texts.push({ ...text, ...this.#chosen.get(ChosenTexts.keyOf(place)) });
        // A number below 2^32 in file 0 has no high word.
        return { ...place, positionLo: texts.length - 1, positionHi: 0 };
      },
      forget: () => {
        this.#texts = texts;
        for (const [number, { latestMs }] of this.#envelopes) {
          if (latestMs >= beforeMs) continue;
          this.#envelopes.delete(number);
          this.#opened.delete(number);
          this.#taken.delete(number);
        }
      },
    };
  }

  save(): EnvelopeStoreState {
    return {
      texts: this.#texts,
      envelopes: [...this.#envelopes].map(([number, { logOffset, latestMs }]) => [number, logOffset, latestMs]),
    };
  }

  load(state: EnvelopeStoreState): void {
    this.#texts = state.texts;
    for (const [number, logOffset, latestMs] of state.envelopes) {
      this.#reserved.set(logOffset, { number, latestMs });
      this.#taken.add(number);
    }
  }

  #envelope(number: number): StoredEnvelope {
    const envelope = this.#envelopes.get(number);
    if (envelope === undefined) throw new RangeError(`envelope ${number} is not kept any more`);
    return envelope;
  }

  #open(number: number): Uint8Array {
    const known = this.#opened.get(number);
    if (known !== undefined) return known;
    const payload = zstdDecompressSync(this.#envelope(number).compressed);
    if (this.#opened.size >= OPENED) this.#opened.delete(this.#opened.keys().next().value as number);
    this.#opened.set(number, payload);
    return payload;
  }

  #freeNumber(): number {
    if (this.#taken.size >= MAX_FILES) throw new RangeError('more than a million envelopes of open days');
    while (this.#taken.has(this.#next)) this.#next = (this.#next + 1) % MAX_FILES;
    return this.#next;
  }
}

/** What the first records of a file show of how it was exported: times of two kinds, letters that were lost. */

import { excerpt } from '../../formats/cells.ts';
import type { RecordView } from '../../readers/reader.ts';
import type { FileLayout } from './layout.ts';

const ZONE = /(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$/i;
/** `/Date(1780000000000)/`: milliseconds since 1970 UTC. */
const EPOCH_DATE = /^\\?\/Date\(/;
/** Question marks where letters were: inside a word, or all of a word. */
const LOST_LETTERS = /\p{L}\?+\p{L}|(?:^|\s)\?{2,}(?:\s|$)/u;
/** Rows with lost letters from which on nobody meant the question marks: so many, and this share. */
const LEAST_LOST = 3;
const LEAST_LOST_SHARE = 0.005;
/** Bytes of a subject that are looked at. */
const SUBJECT_BYTES = 200;
const DECODER = new TextDecoder();

export class Symptoms {
  readonly #layout: FileLayout;
  #records = 0;
  #zoned = 0;
  #zoneless = 0;
  #zonelessExample = '';
  #lost = 0;
  #lostExample = '';
  #isAscii = true;

  constructor(layout: FileLayout) {
    this.#layout = layout;
  }

  record(view: RecordView): void {
    const { event_time, subject } = this.#layout.match.roles;
    this.#records += 1;
    this.#noteTime(excerpt(view.bytes, view.starts[event_time], view.ends[event_time]));
    if (subject >= 0) this.#noteSubject(view, view.starts[subject], view.ends[subject]);
  }

  #noteTime(text: string): void {
    if (text === '') return;
    if (ZONE.test(text) || EPOCH_DATE.test(text)) {
      this.#zoned += 1;
      return;
    }
    this.#zoneless += 1;
    if (this.#zonelessExample === '' || text < this.#zonelessExample) this.#zonelessExample = text;
  }

  #noteSubject({ bytes }: RecordView, start: number, end: number): void {
    const text = DECODER.decode(bytes.subarray(start, Math.min(end, start + SUBJECT_BYTES)));
    this.#isAscii &&= /^[\u0000-\u007f]*$/.test(text);
    if (!LOST_LETTERS.test(text)) return;
    this.#lost += 1;
    if (this.#lostExample === '' || text < this.#lostExample) this.#lostExample = text;
  }

  /** For people, for the ledger line of the file. */
  warnings(): string[] {
    const warnings: string[] = [];
    if (this.#zoned > 0 && this.#zoneless > 0) {
      warnings.push(
        `some of its times have a time zone and some have none, such as "${this.#zonelessExample}": those are read as UTC; were exports joined?`,
      );
    }
    const isWindowsPowerShell = this.#layout.shape === 'csv' && this.#layout.encoding === 'utf-8' && this.#isAscii;
    if (isWindowsPowerShell && this.#lost >= LEAST_LOST && this.#lost >= this.#records * LEAST_LOST_SHARE) {
      const bytes = new TextEncoder().encode(this.#lostExample);
      warnings.push(
        `letters of subjects were lost as "?", such as "${excerpt(bytes, 0, bytes.length)}": Windows PowerShell writes ASCII; export with -Encoding UTF8`,
      );
    }
    return warnings;
  }
}

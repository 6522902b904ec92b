/**
 * The people outside to whom somebody here wrote on a sealed day: spam goes to strangers, and honest
 * bulk mail mostly does not. Learned at seals from the rows of the log, so that every row of a day is
 * judged by the same knowledge.
 */

import { HashTable, type HashTableState } from '../hash-table.ts';
import { LOG_RECIPIENT_HI, LOG_RECIPIENT_LO, type RowLog } from './row-log.ts';

/** Recipients are forgotten when nobody wrote to them for so many days. */
const KEPT_DAYS = 60;
/** Of more recipients those of the latest days are kept. */
const MOST_RECIPIENTS = 1_000_000;

export interface KnownRecipientsState {
  lastDay: HashTableState;
  leastDay: number;
}

export class KnownRecipients {
  /** Last sealed day with mail to the recipient, by the hash of the address. */
  readonly #lastDay = new HashTable();
  /** Recipients of earlier days are forgotten, whether they are still in the table or not. */
  #leastDay = Number.NEGATIVE_INFINITY;
  /** The last copy, until something is learned: saved states share it. */
  #saved: KnownRecipientsState | null = null;

  save(): KnownRecipientsState {
    this.#saved ??= { lastDay: this.#lastDay.save(), leastDay: this.#leastDay };
    return this.#saved;
  }

  load(state: Readonly<KnownRecipientsState>): void {
    if (state === this.#saved) return;
    this.#lastDay.load(state.lastDay);
    this.#leastDay = state.leastDay;
    this.#saved = state;
  }

  isKnown(lo: number, hi: number): boolean {
    const day = this.#lastDay.get(lo, hi);
    return day !== undefined && day >= this.#leastDay;
  }

  /** Learns the rows of a sealed day, which are in the log from `first` to before `end`, but for those of abuse. */
  seal(
    day: number,
    log: RowLog,
    first: number,
    end: number,
    isAbuse: (words: Uint32Array, base: number) => boolean = () => false,
  ): void {
    this.#saved = null;
    const { words } = log;
    for (let sequence = first; sequence < end; sequence++) {
      const base = log.base(sequence);
      if (isAbuse(words, base)) continue;
      this.#lastDay.set(words[base + LOG_RECIPIENT_LO], words[base + LOG_RECIPIENT_HI], day);
    }
    this.#leastDay = Math.max(this.#leastDay, day - KEPT_DAYS);
    this.#lastDay.forgetBelow(this.#leastDay);
    while (this.#lastDay.size > MOST_RECIPIENTS && this.#leastDay < day) {
      this.#leastDay++;
      this.#lastDay.forgetAllBelow(this.#leastDay);
    }
  }
}

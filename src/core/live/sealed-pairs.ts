/**
 * What is remembered of pairs whose day is sealed: enough to tell a copy that says nothing new from a
 * row that came too late. Pairs are known by 64 bits of their hash.
 */

import { DAY_MS } from '../calendar.ts';
import { HashTable, type HashTableState } from '../hash-table.ts';
import { FLAGS, MESSAGE_HI, MESSAGE_LO, RECIPIENT_HI, RECIPIENT_LO, STATUSES_SEEN_SHIFT } from '../record.ts';

/** How long a pair is remembered after its day was sealed. */
const REMEMBERED_MS = 10 * DAY_MS;
/** Event time and the eight bits of statuses share one number: 41 + 8 bits stay exact. */
const STATUS_STEPS = 256;

/** What a row behind the seal is to us: nothing new, another status or an earlier time, or a pair never seen. */
export type SealedAnswer = 'duplicate' | 'updated' | 'earlier' | 'unknown';

/** `knownMs` is the time at which the sealed state has the pair; infinite where it has none. */
export interface SealedObservation {
  answer: SealedAnswer;
  knownMs: number;
}

const UNKNOWN: SealedObservation = { answer: 'unknown', knownMs: Number.POSITIVE_INFINITY };

export class SealedPairs {
  readonly #pairs = new HashTable();

  /** Remembers the merged record at `words[base]`. */
  remember(words: Uint32Array, base: number, timeMs: number): void {
    const statuses = (words[base + FLAGS] >>> STATUSES_SEEN_SHIFT) & (STATUS_STEPS - 1);
    this.#pairs.set(pairLo(words, base), pairHi(words, base), timeMs * STATUS_STEPS + statuses);
  }

  /** Compares an observation with what is remembered, and remembers what it adds. */
  observe(words: Uint32Array, base: number, timeMs: number): SealedObservation {
    const lo = pairLo(words, base);
    const hi = pairHi(words, base);
    const known = this.#pairs.get(lo, hi);
    if (known === undefined) return UNKNOWN;
    const statuses = (words[base + FLAGS] >>> STATUSES_SEEN_SHIFT) & (STATUS_STEPS - 1);
    const knownStatuses = known % STATUS_STEPS;
    const knownMs = Math.floor(known / STATUS_STEPS);
    const isEarlier = timeMs < knownMs;
    const isUpdated = (knownStatuses | statuses) !== knownStatuses;
    if (!isEarlier && !isUpdated) return { answer: 'duplicate', knownMs };
    this.#pairs.set(lo, hi, Math.min(knownMs, timeMs) * STATUS_STEPS + (knownStatuses | statuses));
    return { answer: isUpdated ? 'updated' : 'earlier', knownMs };
  }

  /** Forgets pairs whose day was sealed more than ten days before `sealedMs`. */
  forgetBefore(sealedMs: number): void {
    const oldest = (sealedMs - REMEMBERED_MS) * STATUS_STEPS;
    this.#pairs.forgetBelow(oldest);
  }

  save(): HashTableState {
    return this.#pairs.save();
  }

  load(state: Readonly<HashTableState>): void {
    this.#pairs.load(state);
  }
}

function pairLo(words: Uint32Array, base: number): number {
  return (words[base + MESSAGE_LO] ^ Math.imul(words[base + RECIPIENT_HI], 0x9e3779b1)) >>> 0;
}

function pairHi(words: Uint32Array, base: number): number {
  return (words[base + MESSAGE_HI] ^ Math.imul(words[base + RECIPIENT_LO], 0x85ebca6b)) >>> 0;
}

/**
 * What is remembered of pairs whose day is sealed: enough to tell a copy that says nothing new from a
 * row that came too late. Pairs are known by 64 bits of their hash.
 */

import { DAY_MS } from '../calendar.ts';
import { HashTable, type HashTableState } from '../hash-table.ts';
import { countStatuses, type ObservationKind } from '../identity.ts';
import {
  CONNECTOR,
  EVENT_ROW,
  EVENT_STATUS_SHIFT,
  FLAGS,
  MESSAGE_HI,
  MESSAGE_LO,
  RECIPIENT_HI,
  RECIPIENT_LO,
  STATUSES_SEEN_SHIFT,
} from '../record.ts';

/** How long a pair is remembered after its day was sealed. */
const REMEMBERED_MS = 10 * DAY_MS;
/** Sets of statuses seen, with a bit for each. */
const SEEN_STEPS = 256;
/** No event row, or the highest status of some: 0 to 8. */
const EVENT_STEPS = 9;
/** Event time, the status of the event rows and the statuses seen share one number, which stays exact until 2093. */
const STEPS = SEEN_STEPS * EVENT_STEPS;

/** How a row behind the seal is counted; `unknown`: its pair was never seen. */
export type SealedAnswer = ObservationKind | 'unknown';

export interface SealedObservation {
  answer: SealedAnswer;
  /** Statuses that the observations of the pair have more than before; below zero where an event ended as others said. */
  updates: number;
  /** Whether it changes what the sealed state has: another status or an earlier time. */
  isNew: boolean;
  /** The time at which the sealed state has the pair; infinite where it has none. */
  knownMs: number;
}

const UNKNOWN: SealedObservation = {
  answer: 'unknown',
  updates: 0,
  isNew: true,
  knownMs: Number.POSITIVE_INFINITY,
};

export class SealedPairs {
  readonly #pairs = new HashTable();

  /** Remembers the merged record at `words[base]`. */
  remember(words: Uint32Array, base: number, timeMs: number): void {
    this.#pairs.set(pairLo(words, base), pairHi(words, base), timeMs * STEPS + statusesOf(words, base));
  }

  /** Compares an observation with what is remembered, and remembers what it adds. */
  observe(words: Uint32Array, base: number, timeMs: number): SealedObservation {
    const lo = pairLo(words, base);
    const hi = pairHi(words, base);
    const known = this.#pairs.get(lo, hi);
    if (known === undefined) return UNKNOWN;
    const statuses = statusesOf(words, base);
    const knownStatuses = known % STEPS;
    const knownMs = Math.floor(known / STEPS);
    const events = Math.max(Math.floor(knownStatuses / SEEN_STEPS), Math.floor(statuses / SEEN_STEPS));
    const merged = events * SEEN_STEPS + ((knownStatuses | statuses) % SEEN_STEPS);
    const isFolded = statuses >= SEEN_STEPS && knownStatuses >= SEEN_STEPS;
    const updates = countStatuses(observed(merged)) - countStatuses(observed(knownStatuses));
    const isNew = timeMs < knownMs || highest(merged) !== highest(knownStatuses) || updates > 0;
    if (timeMs < knownMs || merged !== knownStatuses)
      this.#pairs.set(lo, hi, Math.min(knownMs, timeMs) * STEPS + merged);
    return { answer: isFolded ? 'folded' : 'duplicate', updates, isNew, knownMs };
  }

  /** Forgets pairs whose day was sealed more than ten days before `sealedMs`. */
  forgetBefore(sealedMs: number): void {
    const oldest = (sealedMs - REMEMBERED_MS) * STEPS;
    this.#pairs.prune(oldest);
  }

  save(): HashTableState {
    return this.#pairs.save();
  }

  load(state: Readonly<HashTableState>): void {
    this.#pairs.load(state);
  }
}

/** Of a record: the statuses seen, and 256 times one more than the status of its event rows, 0 where it has none. */
function statusesOf(words: Uint32Array, base: number): number {
  const seen = (words[base + FLAGS] >>> STATUSES_SEEN_SHIFT) & (SEEN_STEPS - 1);
  const connector = words[base + CONNECTOR];
  return (connector & EVENT_ROW) === 0 ? seen : seen + ((connector >>> EVENT_STATUS_SHIFT) + 1) * SEEN_STEPS;
}

/** The set of statuses of all observations. */
function observed(statuses: number): number {
  const events = Math.floor(statuses / SEEN_STEPS);
  return events === 0 ? statuses : (statuses % SEEN_STEPS) | (1 << (events - 1));
}

function highest(statuses: number): number {
  return 31 - Math.clz32(observed(statuses));
}

function pairLo(words: Uint32Array, base: number): number {
  return (words[base + MESSAGE_LO] ^ Math.imul(words[base + RECIPIENT_HI], 0x9e3779b1)) >>> 0;
}

function pairHi(words: Uint32Array, base: number): number {
  return (words[base + MESSAGE_HI] ^ Math.imul(words[base + RECIPIENT_LO], 0x85ebca6b)) >>> 0;
}

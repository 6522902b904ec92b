/**
 * What is remembered of pairs whose day is sealed: enough to tell a copy that says nothing new from a
 * row that came too late. Pairs are known by 64 bits of their hash.
 *
 * Ten days of a large tenant are millions of pairs, which are saved with every seal. So they lie side by side in
 * columns, 16 bytes a pair, those with the same first bits of their hash together; only what came since the seal
 * is in a table of its own.
 */

import { DAY_MS } from '../calendar.ts';
import { HashTable } from '../hash-table.ts';
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

/** Columns of all pairs. Valid until the next row. */
export interface SealedPairsState {
  /** High words of the hashes, each but the first combined with the one before (xor): neighbours are alike. */
  his: Uint32Array;
  los: Uint32Array;
  values: Float64Array;
}

/** Pairs of a bucket on average, so that one is found with few looks and buckets cost little beside pairs. */
const BUCKET_PAIRS = 4;

export class SealedPairs {
  #his = new Uint32Array(0);
  #los: Uint32Array = new Uint32Array(0);
  #values: Float64Array = new Float64Array(0);
  /** Where the pairs of each bucket begin, and at the end their number. */
  #starts = new Uint32Array(2);
  /** A hash belongs into the bucket `hi >>> #shift`; with 32, which shifts nothing, there is one bucket only. */
  #shift = 32;
  #recent = new HashTable();

  /** Pairs that are remembered. */
  get size(): number {
    return this.#his.length + this.#recent.size;
  }

  /** Remembers the merged record at `words[base]`. */
  remember(words: Uint32Array, base: number, timeMs: number): void {
    const lo = pairLo(words, base);
    const hi = pairHi(words, base);
    const value = timeMs * STEPS + statusesOf(words, base);
    const place = this.#find(lo, hi);
    if (place < 0) this.#recent.set(lo, hi, value);
    else this.#values[place] = value;
  }

  /** Compares an observation with what is remembered, and remembers what it adds. */
  observe(words: Uint32Array, base: number, timeMs: number): SealedObservation {
    const lo = pairLo(words, base);
    const hi = pairHi(words, base);
    const place = this.#find(lo, hi);
    const known = place < 0 ? this.#recentOf(lo, hi) : this.#values[place];
    if (known === undefined) return UNKNOWN;
    const statuses = statusesOf(words, base);
    const knownStatuses = known % STEPS;
    const knownMs = Math.floor(known / STEPS);
    const events = Math.max(Math.floor(knownStatuses / SEEN_STEPS), Math.floor(statuses / SEEN_STEPS));
    const merged = events * SEEN_STEPS + ((knownStatuses | statuses) % SEEN_STEPS);
    const isFolded = statuses >= SEEN_STEPS && knownStatuses >= SEEN_STEPS;
    const updates = countStatuses(observed(merged)) - countStatuses(observed(knownStatuses));
    const isNew = timeMs < knownMs || highest(merged) !== highest(knownStatuses) || updates > 0;
    if (timeMs < knownMs || merged !== knownStatuses) {
      const value = Math.min(knownMs, timeMs) * STEPS + merged;
      if (place < 0) this.#recent.set(lo, hi, value);
      else this.#values[place] = value;
    }
    return { answer: isFolded ? 'folded' : 'duplicate', updates, isNew, knownMs };
  }

  /** Forgets pairs whose day was sealed more than ten days before `sealedMs`. */
  forgetBefore(sealedMs: number): void {
    this.#rebuild((sealedMs - REMEMBERED_MS) * STEPS);
  }

  save(): SealedPairsState {
    if (this.#recent.size > 0) this.#rebuild(Number.NEGATIVE_INFINITY);
    const his = this.#his.slice();
    for (let place = his.length - 1; place > 0; place--) his[place] ^= his[place - 1];
    return { his, los: this.#los, values: this.#values };
  }

  /** Goes on from a saved state, whose columns are its own from now on. */
  load({ his, los, values }: Readonly<SealedPairsState>): void {
    const known = his.slice();
    for (let place = 1; place < known.length; place++) known[place] ^= known[place - 1];
    this.#his = known;
    this.#los = los;
    this.#values = values;
    this.#recent = new HashTable();
    this.#shift = shiftFor(known.length);
    this.#starts = new Uint32Array(bucketsOf(this.#shift) + 1);
    for (const hi of known) this.#starts[bucketOf(hi, this.#shift) + 1]++;
    for (let bucket = 1; bucket < this.#starts.length; bucket++) this.#starts[bucket] += this.#starts[bucket - 1];
  }

  /** Mostly there are none, and looking would be a miss of the cache for every row. */
  #recentOf(lo: number, hi: number): number | undefined {
    return this.#recent.size === 0 ? undefined : this.#recent.get(lo, hi);
  }

  /** The place of a pair in the columns; -1 where it has none. */
  #find(lo: number, hi: number): number {
    const bucket = bucketOf(hi, this.#shift);
    const end = this.#starts[bucket + 1];
    for (let place = this.#starts[bucket]; place < end; place++) {
      if (this.#his[place] === hi && this.#los[place] === lo) return place;
    }
    return -1;
  }

  /** Makes columns of everything whose value is not below `least`. */
  #rebuild(least: number): void {
    const { size } = this;
    const shift = shiftFor(size);
    const starts = new Uint32Array(bucketsOf(shift) + 1);
    this.#forEach((_lo, hi, value) => {
      if (value >= least) starts[bucketOf(hi, shift) + 1]++;
    });
    for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket] += starts[bucket - 1];
    const kept = starts[starts.length - 1];
    const his = new Uint32Array(kept);
    const los = new Uint32Array(kept);
    const values = new Float64Array(kept);
    const next = starts.slice();
    this.#forEach((lo, hi, value) => {
      if (value < least) return;
      const place = next[bucketOf(hi, shift)]++;
      his[place] = hi;
      los[place] = lo;
      values[place] = value;
    });
    this.#his = his;
    this.#los = los;
    this.#values = values;
    this.#starts = starts;
    this.#shift = shift;
    this.#recent = new HashTable();
  }

  #forEach(visit: (lo: number, hi: number, value: number) => void): void {
    const values = this.#values;
    for (let place = 0; place < values.length; place++) visit(this.#los[place], this.#his[place], values[place]);
    this.#recent.forEach(visit);
  }
}

/** How far hashes of so many pairs are shifted: as many buckets as make a few pairs each. */
function shiftFor(pairs: number): number {
  let shift = 32;
  for (let filled = BUCKET_PAIRS; filled < pairs && shift > 8; filled *= 2) shift--;
  return shift;
}

function bucketsOf(shift: number): number {
  return 1 << (32 - shift);
}

function bucketOf(hi: number, shift: number): number {
  return shift === 32 ? 0 : hi >>> shift;
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

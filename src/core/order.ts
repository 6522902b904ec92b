/** Order is made, not assumed: merged records sorted by (event time, pair), handed out in blocks. */

import { DAY_MS, dayOf } from './calendar.ts';
import {
  MESSAGE_HI,
  MESSAGE_LO,
  RECIPIENT_HI,
  RECIPIENT_LO,
  RECORD_BYTES,
  RECORD_DOUBLES,
  RECORD_WORDS,
} from './record.ts';

/** Records of one stretch of time, sorted by (event time, message, recipient). Blocks never share an event time. */
export interface SortedBlock {
  words: Uint32Array;
  doubles: Float64Array;
  count: number;
}

/** Records in any order: a table of pairs, or a run read back from disk. */
export interface RecordSource {
  readonly size: number;
  timeOf(index: number): number;
  /** Copies record `index` to `target[base]`. */
  copyTo(index: number, target: Uint32Array, base: number): void;
  /** Record `index` will not be asked for again. */
  forget?(index: number): void;
}

/** Calls `visit` with the blocks of `sortedBlocks`. */
export function visitDays(table: RecordSource, visit: (block: SortedBlock) => void): void {
  for (const block of sortedBlocks(table)) visit(block);
}

/**
 * The records of a table in sorted blocks, oldest first, each within a UTC day; the table may be empty then. A block
 * is good until the next is asked for.
 */
export function* sortedBlocks(table: RecordSource): Generator<SortedBlock> {
  const { size } = table;
  const counts = new Map<number, number>();
  // Most records are of the same day as the one before: one look at the map for a whole stretch.
  for (let index = 0; index < size; ) {
    const first = index;
    const day = dayOf(table.timeOf(first));
    index = endOfStretch(table, first, day);
    counts.set(day, (counts.get(day) ?? 0) + index - first);
  }
  const days = [...counts.keys()].sort((a, b) => a - b);
  const starts = new Map<number, number>();
  let start = 0;
  let largest = 0;
  for (const day of days) {
    const count = counts.get(day) as number;
    starts.set(day, start);
    start += count;
    if (count > largest) largest = count;
  }
  const byDay = new Uint32Array(size);
  const next = new Map(starts);
  for (let index = 0; index < size; ) {
    const day = dayOf(table.timeOf(index));
    const end = endOfStretch(table, index, day);
    let place = next.get(day) as number;
    for (; index < end; index++) byDay[place++] = index;
    next.set(day, place);
  }
  const sorter = new DaySorter(table, largest);
  for (const day of days) {
    const first = starts.get(day) as number;
    yield* sorter.blocks(byDay.subarray(first, first + (counts.get(day) as number)), day);
  }
}

/** Where the records from `first` on, which is of `day`, go on with another day. */
function endOfStretch(table: RecordSource, first: number, day: number): number {
  const dayStart = day * DAY_MS;
  let index = first + 1;
  for (; index < table.size; index++) {
    const time = table.timeOf(index) - dayStart;
    if (time < 0 || time >= DAY_MS) break;
  }
  return index;
}

const RADIX_BITS = 9;
const RADIX_SIZE = 1 << RADIX_BITS;

/** Records of a block: few enough to stay in the cache until they are walked. More only where they are of one time. */
const BLOCK_RECORDS = 4096;

/** Sorts the records of one day at a time; its buffers are reused, so a block lives until the next. */
class DaySorter {
  readonly #table: RecordSource;
  readonly #keys: Uint32Array;
  #from: Uint32Array;
  #to: Uint32Array;
  #words = new Uint32Array(0);
  #doubles = new Float64Array(0);

  constructor(table: RecordSource, largest: number) {
    this.#table = table;
    this.#keys = new Uint32Array(largest);
    this.#from = new Uint32Array(largest);
    this.#to = new Uint32Array(largest);
  }

  /** The records of a day, whose indexes these are, in blocks. */
  *blocks(indexes: Uint32Array, day: number): Generator<SortedBlock> {
    this.#sort(indexes, day);
    const table = this.#table;
    const order = this.#from;
    const keys = this.#keys;
    const count = indexes.length;
    for (let start = 0; start < count; ) {
      let end = Math.min(start + BLOCK_RECORDS, count);
      while (end < count && keys[order[end]] === keys[order[end - 1]]) end++;
      this.#makeRoom(end - start);
      const words = this.#words;
      for (let place = start; place < end; place++) {
        const index = indexes[order[place]];
        table.copyTo(index, words, (place - start) * RECORD_WORDS);
        table.forget?.(index);
      }
      this.#orderEqualTimes(end - start);
      yield { words, doubles: this.#doubles, count: end - start };
      start = end;
    }
  }

  #makeRoom(records: number): void {
    if (this.#words.length >= records * RECORD_WORDS) return;
    const buffer = new ArrayBuffer(Math.max(records, BLOCK_RECORDS) * RECORD_BYTES);
    this.#words = new Uint32Array(buffer);
    this.#doubles = new Float64Array(buffer);
  }

  /** Makes `#from` the places in `indexes` in order of time, and `#keys` the times by place. */
  #sort(indexes: Uint32Array, day: number): void {
    const count = indexes.length;
    const keys = this.#keys;
    const dayStart = day * DAY_MS;
    let isSorted = true;
    for (let place = 0; place < count; place++) {
      keys[place] = this.#table.timeOf(indexes[place]) - dayStart;
      this.#from[place] = place;
      if (place > 0 && keys[place] < keys[place - 1]) isSorted = false;
    }
    if (isSorted) return;
    // Milliseconds of the day need 27 bits: three passes of nine.
    for (let shift = 0; shift < 27; shift += RADIX_BITS) {
      const from = this.#from;
      const to = this.#to;
      const ends = new Uint32Array(RADIX_SIZE + 1);
      for (let place = 0; place < count; place++) ends[((keys[place] >>> shift) & (RADIX_SIZE - 1)) + 1]++;
      for (let digit = 0; digit < RADIX_SIZE; digit++) ends[digit + 1] += ends[digit];
      for (let place = 0; place < count; place++) {
        const item = from[place];
        to[ends[(keys[item] >>> shift) & (RADIX_SIZE - 1)]++] = item;
      }
      this.#from = to;
      this.#to = from;
    }
  }

  #orderEqualTimes(count: number): void {
    let start = 0;
    while (start < count) {
      const time = this.#doubles[start * RECORD_DOUBLES];
      let end = start + 1;
      while (end < count && this.#doubles[end * RECORD_DOUBLES] === time) end++;
      if (end - start > 1) orderByPair(this.#words, start, end);
      start = end;
    }
  }
}

/** More records than this of one time are sorted by their places, and moved once. */
const FEW_RECORDS = 16;

/** Sorts records `[start, end)`, all of one time, by message and recipient. */
function orderByPair(words: Uint32Array, start: number, end: number): void {
  if (end - start > FEW_RECORDS) {
    orderManyByPair(words, start, end);
    return;
  }
  for (let place = start + 1; place < end; place++) {
    let base = place * RECORD_WORDS;
    while (base > start * RECORD_WORDS && comparePairs(words, base - RECORD_WORDS, base) > 0) {
      swapRecords(words, base - RECORD_WORDS, base);
      base -= RECORD_WORDS;
    }
  }
}

function swapRecords(words: Uint32Array, left: number, right: number): void {
  for (let word = 0; word < RECORD_WORDS; word++) {
    const kept = words[left + word];
    words[left + word] = words[right + word];
    words[right + word] = kept;
  }
}

function orderManyByPair(words: Uint32Array, start: number, end: number): void {
  const places = Uint32Array.from({ length: end - start }, (_, place) => start + place);
  places.sort((left, right) => comparePairs(words, left * RECORD_WORDS, right * RECORD_WORDS));
  const copy = words.slice(start * RECORD_WORDS, end * RECORD_WORDS);
  for (let place = 0; place < places.length; place++) {
    const from = (places[place] - start) * RECORD_WORDS;
    words.set(copy.subarray(from, from + RECORD_WORDS), (start + place) * RECORD_WORDS);
  }
}

function comparePairs(words: Uint32Array, left: number, right: number): number {
  return (
    words[left + MESSAGE_HI] - words[right + MESSAGE_HI] ||
    words[left + MESSAGE_LO] - words[right + MESSAGE_LO] ||
    words[left + RECIPIENT_HI] - words[right + RECIPIENT_HI] ||
    words[left + RECIPIENT_LO] - words[right + RECIPIENT_LO]
  );
}

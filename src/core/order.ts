/** Order is made, not assumed: merged records sorted by (event time, pair) into blocks of a UTC day. */

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

/** Records of one stretch of time, sorted by (event time, message, recipient). */
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
}

/** Calls `visit` with a sorted block per UTC day that has records, oldest first. */
export function visitDays(table: RecordSource, visit: (block: SortedBlock) => void): void {
  const days = new Map<number, number>();
  for (let index = 0; index < table.size; index++) {
    const day = dayOf(table.timeOf(index));
    days.set(day, (days.get(day) ?? 0) + 1);
  }
  const ordered = [...days.keys()].sort((a, b) => a - b);
  const starts = new Map<number, number>();
  let start = 0;
  let largest = 0;
  for (const day of ordered) {
    const count = days.get(day) as number;
    starts.set(day, start);
    start += count;
    if (count > largest) largest = count;
  }
  const byDay = new Uint32Array(table.size);
  const next = new Map(starts);
  for (let index = 0; index < table.size; index++) {
    const day = dayOf(table.timeOf(index));
    const place = next.get(day) as number;
    byDay[place] = index;
    next.set(day, place + 1);
  }
  const sorter = new DaySorter(largest);
  for (const day of ordered) {
    const first = starts.get(day) as number;
    const indexes = byDay.subarray(first, first + (days.get(day) as number));
    visit(sorter.sort(table, indexes, day));
  }
}

const RADIX_BITS = 9;
const RADIX_SIZE = 1 << RADIX_BITS;

/** Sorts the records of one day at a time; its buffers are reused, so a block lives until the next. */
class DaySorter {
  readonly #keys: Uint32Array;
  readonly #from: Uint32Array;
  readonly #to: Uint32Array;
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;

  constructor(largest: number) {
    this.#keys = new Uint32Array(largest);
    this.#from = new Uint32Array(largest);
    this.#to = new Uint32Array(largest);
    const buffer = new ArrayBuffer(largest * RECORD_BYTES);
    this.#words = new Uint32Array(buffer);
    this.#doubles = new Float64Array(buffer);
  }

  sort(table: RecordSource, indexes: Uint32Array, day: number): SortedBlock {
    const count = indexes.length;
    const dayStart = day * DAY_MS;
    for (let place = 0; place < count; place++) {
      // Milliseconds of the day need 27 bits: three passes of nine.
      this.#keys[place] = table.timeOf(indexes[place]) - dayStart;
      this.#from[place] = place;
    }
    let from = this.#from;
    let to = this.#to;
    for (let shift = 0; shift < 27; shift += RADIX_BITS) {
      const ends = new Uint32Array(RADIX_SIZE + 1);
      for (let place = 0; place < count; place++) ends[((this.#keys[place] >>> shift) & (RADIX_SIZE - 1)) + 1]++;
      for (let digit = 0; digit < RADIX_SIZE; digit++) ends[digit + 1] += ends[digit];
      for (let place = 0; place < count; place++) {
        const item = from[place];
        to[ends[(this.#keys[item] >>> shift) & (RADIX_SIZE - 1)]++] = item;
      }
      [from, to] = [to, from];
    }
    for (let place = 0; place < count; place++) table.copyTo(indexes[from[place]], this.#words, place * RECORD_WORDS);
    this.#orderEqualTimes(count);
    return { words: this.#words, doubles: this.#doubles, count };
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

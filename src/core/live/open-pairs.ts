/** The merged pairs of open days, and what has changed among them since they were walked. */

import { HOUR_MS } from '../calendar.ts';
import type { PairTable } from '../identity.ts';
import type { RecordSource } from '../order.ts';
import { CONNECTOR, createRecordScratch, EVENT_ROW, RECORD_WORDS, type RecordScratch } from '../record.ts';

export class OpenPairs {
  readonly #createTable: () => PairTable;
  #table: PairTable;
  /**
   * Indexes of records by the hour of their time; one that moved to an earlier hour stays in the later one too.
   * Null while pairs are replayed, whose indexes are not settled: it is made when it is asked for.
   */
  #hours: Map<number, number[]> | null = new Map();
  /** Indexes of the records that were added since `settled` was called; null where some were replayed. */
  #added: number[] | null = [];
  #changedFromMs = Number.POSITIVE_INFINITY;
  readonly #before = createRecordScratch();
  readonly #after = createRecordScratch();

  constructor(createTable: () => PairTable) {
    this.#createTable = createTable;
    this.#table = createTable();
  }

  get size(): number {
    return this.#table.size;
  }

  /** Earliest time of a pair that was added or changed since `settled` was called; infinite where none was. */
  get changedFromMs(): number {
    return this.#changedFromMs;
  }

  settled(): void {
    this.#changedFromMs = Number.POSITIVE_INFINITY;
    this.#added = [];
  }

  /** Calls `visit` with the key of every pair, as `ChosenTexts` has it. */
  forEachKey(visit: (key: string) => void): void {
    this.#table.forEachKey(visit);
  }

  /** Everything is to be walked again. */
  changeAll(): void {
    if (this.#table.size > 0) this.#changedFromMs = Number.NEGATIVE_INFINITY;
  }

  /** Index of the pair of an observation; -1 where it is not known. */
  find(observation: RecordScratch): number {
    return this.#table.find(observation.words, 0);
  }

  /** Adds an observation whose pair is not known. */
  add(observation: RecordScratch): void {
    const timeMs = observation.doubles[0];
    this.#table.add(observation);
    const index = this.#table.size - 1;
    this.#added?.push(index);
    this.#remember(index, timeMs);
    this.#changedFromMs = Math.min(this.#changedFromMs, timeMs);
  }

  /**
   * Adds an observation whose pair may be known: faster than to find it and to add or merge it, where many follow
   * one another. All is to be walked from its time on, whether it says anything new or not.
   */
  replay(observation: RecordScratch): void {
    this.#hours = null;
    this.#added = null;
    this.#table.add(observation);
    this.#changedFromMs = Math.min(this.#changedFromMs, observation.doubles[0]);
  }

  /** Whether an observation is another event row of the pair. */
  isFolded(index: number, observation: RecordScratch): boolean {
    this.#table.copyTo(index, this.#before.words, 0);
    return (this.#before.words[CONNECTOR] & observation.words[CONNECTOR] & EVENT_ROW) !== 0;
  }

  /** Merges an observation with what is known of its pair. */
  merge(index: number, observation: RecordScratch): void {
    const table = this.#table;
    table.copyTo(index, this.#before.words, 0);
    table.add(observation);
    table.copyTo(index, this.#after.words, 0);
    const beforeMs = this.#before.doubles[0];
    const afterMs = this.#after.doubles[0];
    if (afterMs === beforeMs && !differs(this.#before.words, this.#after.words)) return;
    this.#changedFromMs = Math.min(this.#changedFromMs, afterMs);
    // Within its hour it is known already, and would be walked twice.
    if (Math.floor(afterMs / HOUR_MS) !== Math.floor(beforeMs / HOUR_MS)) this.#remember(index, afterMs);
  }

  /** The pairs that were added since `settled` was called; null where that is not known. */
  get added(): RecordSource | null {
    return this.#added === null ? null : this.#records(this.#added);
  }

  /** The pairs with a time in `(afterMs, untilMs)`, in any order. */
  between(afterMs: number, untilMs: number): RecordSource {
    const table = this.#table;
    const indexes: number[] = [];
    const lastHour = Math.ceil(untilMs / HOUR_MS);
    for (const [hour, members] of this.#byHour()) {
      if (hour > lastHour || (hour + 1) * HOUR_MS <= afterMs) continue;
      for (const index of members) {
        const timeMs = table.timeOf(index);
        if (timeMs > afterMs && timeMs < untilMs && Math.floor(timeMs / HOUR_MS) === hour) indexes.push(index);
      }
    }
    return this.#records(indexes);
  }

  #records(indexes: readonly number[]): RecordSource {
    const table = this.#table;
    return {
      size: indexes.length,
      timeOf: (index) => table.timeOf(indexes[index]),
      copyTo: (index, target, base) => table.copyTo(indexes[index], target, base),
    };
  }

  /** Takes out the pairs before `timeMs` and hands each to `visit`. */
  removeBefore(timeMs: number, visit: (words: Uint32Array, base: number, timeMs: number) => void): void {
    const kept = this.#createTable();
    this.#hours = null;
    this.#added = null;
    const previous = this.#table;
    this.#table = kept;
    previous.forEach((words, doubles, base, doubleBase) => {
      const recordMs = doubles[doubleBase];
      if (recordMs < timeMs) {
        visit(words, base, recordMs);
        return;
      }
      kept.addAt(words, doubles, base, doubleBase, true);
    });
  }

  #remember(index: number, timeMs: number): void {
    if (this.#hours !== null) enter(this.#hours, index, timeMs);
  }

  #byHour(): ReadonlyMap<number, number[]> {
    if (this.#hours !== null) return this.#hours;
    const table = this.#table;
    const hours = new Map<number, number[]>();
    const { size } = table;
    for (let index = 0; index < size; index++) enter(hours, index, table.timeOf(index));
    this.#hours = hours;
    return hours;
  }
}

function enter(hours: Map<number, number[]>, index: number, timeMs: number): void {
  const hour = Math.floor(timeMs / HOUR_MS);
  const members = hours.get(hour);
  if (members === undefined) hours.set(hour, [index]);
  else members.push(index);
}

/** Whether records differ in anything but their position. */
function differs(before: Uint32Array, after: Uint32Array): boolean {
  for (let word = 0; word < RECORD_WORDS; word++) if (before[word] !== after[word]) return true;
  return false;
}

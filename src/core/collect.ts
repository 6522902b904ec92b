/**
 * Collecting: observations in, merged pairs in event-time order out, within a bound of memory. Above
 * the bound records go to runs by pair, which are merged one at a time, and from there to runs by
 * time, which are sorted one at a time.
 */

import { HOUR_MS } from './calendar.ts';
import { type ChosenTexts, type MergeTexts, type ObservationCounts, PairTable } from './identity.ts';
import { type RecordSource, type SortedBlock, sortedBlocks } from './order.ts';
import type { PairSink, SpillStore, TextSource } from './ports.ts';
import { MESSAGE_HI, RECORD_DOUBLES, RECORD_WORDS, type RecordScratch } from './record.ts';

/** Runs by pair: each must fit into memory alone. */
const PAIR_RUNS = 64;
/** Runs by time hold six hours; blocks never share an event time. */
const TIME_RUN_MS = 6 * HOUR_MS;
/** Records that are handed to the store at once. */
const BATCH_RECORDS = 512;
const TIME_BATCH_RECORDS = 64;

export interface CollectorOptions {
  counts: ObservationCounts;
  chosen: ChosenTexts;
  ids: MergeTexts;
  texts: TextSource;
  /** Bytes of records kept in memory before they are spilled. */
  memoryBytes: number;
  spill: SpillStore;
}

export class PairCollector implements PairSink {
  readonly #options: CollectorOptions;
  #table: PairTable;
  /** Buffers of the runs by pair; null as long as everything is in memory. */
  #batches: RecordBatch[] | null = null;
  /** Six-hour steps that have records, ascending, once they are merged. */
  #timeRuns: number[] = [];
  /** Merged records at the head of each run by pair, which were counted before. */
  readonly #countedRecords = new Array<number>(PAIR_RUNS).fill(0);

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#table = this.#emptyTable();
  }

  add(observation: RecordScratch): void {
    if (this.#batches === null) {
      this.#table.add(observation);
      if (this.#table.bytesUsed > this.#options.memoryBytes) this.#spillTable();
      return;
    }
    this.#batches[pairRun(observation.words, 0)].add(observation.words, 0);
  }

  /** All observations are in: calls `visit` with every merged pair, in any order. To be called once. */
  merge(visit: (words: Uint32Array, base: number) => void): void {
    if (this.#batches === null) {
      this.#table.seal();
      this.#table.forEach((words, _doubles, base) => {
        visit(words, base);
      });
      return;
    }
    for (const batch of this.#batches) batch.flush();
    const timeBatches = new Map<number, RecordBatch>();
    for (let run = 0; run < PAIR_RUNS; run++) {
      this.#mergeRun(run).forEach((words, doubles, base, doubleBase) => {
        visit(words, base);
        const step = Math.floor(doubles[doubleBase] / TIME_RUN_MS);
        let batch = timeBatches.get(step);
        if (batch === undefined) {
          batch = new RecordBatch(this.#options.spill, `time-${step}`, TIME_BATCH_RECORDS);
          timeBatches.set(step, batch);
        }
        batch.add(words, base);
      });
    }
    for (const batch of timeBatches.values()) batch.flush();
    this.#timeRuns = [...timeBatches.keys()].sort((left, right) => left - right);
  }

  /** Calls `visit` with the blocks of `blocks`. */
  visitBlocks(visit: (block: SortedBlock) => void): void {
    for (const block of this.blocks()) visit(block);
  }

  /** Sorted blocks of merged pairs, oldest first; each is good until the next. To be called once, after `merge`. */
  *blocks(): Generator<SortedBlock> {
    if (this.#batches === null) {
      yield* sortedBlocks(this.#table);
      return;
    }
    for (const step of this.#timeRuns) {
      yield* sortedBlocks(new RecordRun(this.#options.spill.read(`time-${step}`)));
      this.#options.spill.remove(`time-${step}`);
    }
  }

  #emptyTable(): PairTable {
    const { counts, chosen, ids, texts } = this.#options;
    return new PairTable(counts, chosen, ids, texts);
  }

  #spillTable(): void {
    const batches = Array.from(
      { length: PAIR_RUNS },
      (_, run) => new RecordBatch(this.#options.spill, `pairs-${run}`, BATCH_RECORDS),
    );
    this.#table.forEach((words, _doubles, base) => {
      const run = pairRun(words, base);
      batches[run].add(words, base);
      this.#countedRecords[run]++;
    });
    this.#batches = batches;
    this.#table = this.#emptyTable();
  }

  #mergeRun(run: number): PairTable {
    const words = this.#options.spill.read(`pairs-${run}`);
    this.#options.spill.remove(`pairs-${run}`);
    const doubles = new Float64Array(words.buffer);
    const table = this.#emptyTable();
    for (let record = 0; record * RECORD_WORDS < words.length; record++) {
      const isCounted = record < this.#countedRecords[run];
      table.addAt(words, doubles, record * RECORD_WORDS, record * RECORD_DOUBLES, isCounted);
    }
    table.seal();
    return table;
  }
}

/** The table spreads pairs by low words; runs go by bits that it does not use. */
function pairRun(words: Uint32Array, base: number): number {
  return words[base + MESSAGE_HI] % PAIR_RUNS;
}

/** Records on their way to a run. */
class RecordBatch {
  readonly #store: SpillStore;
  readonly #run: string;
  readonly #records: Uint32Array;
  #used = 0;

  constructor(store: SpillStore, run: string, records: number) {
    this.#store = store;
    this.#run = run;
    this.#records = new Uint32Array(records * RECORD_WORDS);
  }

  add(words: Uint32Array, base: number): void {
    for (let word = 0; word < RECORD_WORDS; word++) this.#records[this.#used + word] = words[base + word];
    this.#used += RECORD_WORDS;
    if (this.#used === this.#records.length) this.flush();
  }

  flush(): void {
    if (this.#used === 0) return;
    this.#store.append(this.#run, this.#records.subarray(0, this.#used));
    this.#used = 0;
  }
}

class RecordRun implements RecordSource {
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;

  constructor(words: Uint32Array) {
    this.#words = words;
    this.#doubles = new Float64Array(words.buffer);
  }

  get size(): number {
    return this.#words.length / RECORD_WORDS;
  }

  timeOf(index: number): number {
    return this.#doubles[index * RECORD_DOUBLES];
  }

  copyTo(index: number, target: Uint32Array, base: number): void {
    const from = index * RECORD_WORDS;
    for (let word = 0; word < RECORD_WORDS; word++) target[base + word] = this.#words[from + word];
  }
}

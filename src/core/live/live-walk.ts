/**
 * The walk over rows that keep arriving, in any order and more than once. Pairs of open days are kept
 * and merged; a row behind the head goes back to the last snapshot before it and walks again; days that
 * the watermark has passed by the allowed lateness are sealed: their rows go, their effect stays. The
 * incidents are those of one walk over all rows, whatever the order in which they came.
 */

import { DAY_MS, HOUR_MS } from '../calendar.ts';
import type { ObservationCounts, ObservationKind, PairTable } from '../identity.ts';
import { type RecordSource, type SortedBlock, visitDays } from '../order.ts';
import { fileOf, RECORD_DOUBLES, RECORD_WORDS, type RecordScratch } from '../record.ts';
import { movePlaces, type StatePlace } from '../walk/state-places.ts';
import type { Walk, WalkState } from '../walk/walk.ts';
import { forgetClosed } from './closed-incidents.ts';
import { OpenPairs } from './open-pairs.ts';
import { SealedPairs } from './sealed-pairs.ts';

/** L: a day is sealed when the watermark passes its end by this. */
export const ALLOWED_LATENESS_MS = DAY_MS;
/** Snapshots of the last day are taken at each step of event time. */
const STEP_MS = 6 * HOUR_MS;
/** Steps further behind the latest row get none: rows so late are rare, and snapshots of a large tenant are too. */
const STEPS_KEPT_MS = DAY_MS;
/** Rows between snapshots near the head, where most late rows fall, and how many of them are kept. */
const HEAD_ROWS = 2_000;
const HEADS_KEPT = 3;

interface Snapshot {
  /** All rows up to this time were walked, none after it. */
  throughMs: number;
  isHead: boolean;
  state: WalkState;
}

/** What survives the process: everything about sealed days. Open days are replayed from the log. */
export interface SealedState {
  /** First open day; null while nothing is sealed. */
  openDay: number | null;
  walk: WalkState | null;
  pairs: ReturnType<SealedPairs['save']>;
}

export interface LiveWalkOptions {
  createWalk: () => Walk;
  createTable: () => PairTable;
  counts: ObservationCounts;
}

export class LiveWalk {
  readonly #options: LiveWalkOptions;
  readonly #pairs: OpenPairs;
  readonly #sealed = new SealedPairs();
  #walk: Walk;
  #base: WalkState | null = null;
  #openDay: number | null = null;
  #headMs = Number.NEGATIVE_INFINITY;
  #rowsSinceSnapshot = 0;
  #snapshots: Snapshot[] = [];
  #watermarkMs = Number.NEGATIVE_INFINITY;
  #lateFromMs = Number.POSITIVE_INFINITY;

  constructor(options: LiveWalkOptions) {
    this.#options = options;
    this.#pairs = new OpenPairs(options.createTable);
    this.#walk = options.createWalk();
  }

  /** The walk as far as `settle` brought it. */
  get walk(): Walk {
    return this.#walk;
  }

  /** Latest event time accepted, never past the present at which its row came. */
  get watermarkMs(): number {
    return this.#watermarkMs;
  }

  /** Start of the first open day; rows before are behind the seal. */
  get openFromMs(): number {
    return this.#openDay === null ? Number.NEGATIVE_INFINITY : this.#openDay * DAY_MS;
  }

  /** Pairs of open days. */
  get openPairs(): number {
    return this.#pairs.size;
  }

  /** Calls `visit` with the key of every open pair, as `ChosenTexts` has it. */
  forEachOpenKey(visit: (key: string) => void): void {
    this.#pairs.forEachKey(visit);
  }

  /** Earliest time behind the seal that rows came for since it was last asked; infinite for none. */
  takeLateFromMs(): number {
    const lateFromMs = this.#lateFromMs;
    this.#lateFromMs = Number.POSITIVE_INFINITY;
    return lateFromMs;
  }

  /**
   * Takes an observation that came at `nowMs`. It counts in the ledger at once and in the walk with `settle`. Returns
   * whether its pair is seen for the first time.
   */
  observe(observation: RecordScratch, nowMs: number): boolean {
    const timeMs = observation.doubles[0];
    const isBehind = timeMs < this.openFromMs;
    const index = this.#pairs.find(observation);
    if (index >= 0) {
      if (isBehind) this.#late(observation, this.#pairs.isFolded(index, observation) ? 'folded' : 'duplicate', timeMs);
      else this.#pairs.merge(index, observation);
      return false;
    }
    const { answer, updates, isNew, knownMs } = this.#sealed.observe(observation.words, 0, timeMs);
    if (answer !== 'unknown') {
      // The sealed walk has the pair at the known time: from the earlier one on it may be different.
      if (isNew) this.#late(observation, answer, Math.min(knownMs, timeMs));
      else this.#count(observation, answer);
      if (updates !== 0) this.#options.counts.shift(fileOf(observation.words, 0), updates);
      return false;
    }
    if (isBehind) {
      this.#sealed.remember(observation.words, 0, timeMs);
      this.#late(observation, 'accepted', timeMs);
      return true;
    }
    this.#pairs.add(observation);
    this.#watermarkMs = Math.max(this.#watermarkMs, Math.min(timeMs, nowMs));
    return true;
  }

  /**
   * Takes an observation again that came before the state was loaded, in the order in which they came then. The
   * ledger has counted it: what is counted here says nothing.
   */
  replay(observation: RecordScratch, nowMs: number): void {
    const timeMs = observation.doubles[0];
    if (timeMs < this.openFromMs) {
      this.observe(observation, nowMs);
      return;
    }
    // No pair is both open and sealed. What a seal knows was late when it came, and is on its way to a rescan.
    if (this.#sealed.observe(observation.words, 0, timeMs).answer !== 'unknown') return;
    this.#pairs.replay(observation);
    this.#watermarkMs = Math.max(this.#watermarkMs, Math.min(timeMs, nowMs));
  }

  /**
   * Walks what has arrived. Returns the time from which on anything may be different now, null where
   * nothing has changed.
   */
  settle(): number | null {
    const changedFromMs = this.#pairs.changedFromMs;
    if (changedFromMs === Number.POSITIVE_INFINITY) return null;
    const added = changedFromMs > this.#headMs ? this.#pairs.added : null;
    if (changedFromMs <= this.#headMs) this.#rewind(changedFromMs);
    if (added === null) this.#walkTo(Number.POSITIVE_INFINITY);
    else this.#walkRows(added);
    this.#snapshotHead();
    this.#pairs.settled();
    return changedFromMs;
  }

  /** Walks everything again from the seal on: what the walk is made of has changed. */
  rewalk(): void {
    this.#snapshots = [];
    this.#walk = this.#options.createWalk();
    this.#toBase();
    this.#pairs.changeAll();
  }

  /** The day that would be the first open one if all were sealed that the watermark allows; null for no change. */
  get sealableDay(): number | null {
    if (this.#watermarkMs === Number.NEGATIVE_INFINITY) return null;
    const day = Math.floor((this.#watermarkMs - ALLOWED_LATENESS_MS) / DAY_MS);
    return this.#openDay === null || day > this.#openDay ? day : null;
  }

  /**
   * Seals the days before `openDay`. `move` is asked for every row that incidents and mailboxes of the
   * sealed days may still show, and answers with the place where its texts stay readable. `onSealed` is called with
   * every pair of those days.
   */
  seal(
    openDay: number,
    move: <Place extends StatePlace>(place: Place) => Place,
    onSealed: (words: Uint32Array, base: number, timeMs: number) => void = () => {},
  ): void {
    this.settle();
    const openFromMs = openDay * DAY_MS;
    if (this.#headMs >= openFromMs) this.#rewind(openFromMs);
    this.#walkTo(openFromMs);
    const base = this.#walk.save();
    // As of the seal before: what has closed since then is still to be written.
    forgetClosed(base.book, this.openFromMs);
    movePlaces(base, move);
    this.#base = base;
    this.#openDay = openDay;
    this.#pairs.removeBefore(openFromMs, (words, record, timeMs) => {
      this.#sealed.remember(words, record, timeMs);
      onSealed(words, record, timeMs);
    });
    this.#sealed.forgetBefore(openFromMs);
    // Later snapshots still show rows at their old places.
    this.#snapshots = [];
    this.#toBase();
    this.#walkTo(Number.POSITIVE_INFINITY);
    this.#snapshotHead();
  }

  save(): SealedState {
    return { openDay: this.#openDay, walk: this.#base, pairs: this.#sealed.save() };
  }

  /** Goes on from a saved state, without open rows: they are replayed. To be called before any row. */
  load(state: SealedState): void {
    this.#openDay = state.openDay;
    this.#base = state.walk;
    this.#sealed.load(state.pairs);
    this.rewalk();
  }

  #late(observation: RecordScratch, counted: ObservationKind, timeMs: number): void {
    this.#lateFromMs = Math.min(this.#lateFromMs, timeMs);
    this.#count(observation, counted);
  }

  #count(observation: RecordScratch, counted: ObservationKind): void {
    this.#options.counts.count(counted, fileOf(observation.words, 0));
  }

  #rewind(beforeMs: number): void {
    while ((this.#snapshots.at(-1)?.throughMs ?? Number.NEGATIVE_INFINITY) >= beforeMs) this.#snapshots.pop();
    const snapshot = this.#snapshots.at(-1);
    if (snapshot === undefined) {
      this.#toBase();
      return;
    }
    this.#walk.load(snapshot.state);
    this.#headMs = snapshot.throughMs;
    this.#rowsSinceSnapshot = 0;
  }

  #toBase(): void {
    if (this.#base === null) this.#walk = this.#options.createWalk();
    else this.#walk.load(this.#base);
    // Event times are whole milliseconds: nothing lies between.
    this.#headMs = this.openFromMs - 1;
    this.#rowsSinceSnapshot = 0;
  }

  #walkTo(untilMs: number): void {
    this.#walkRows(this.#pairs.between(this.#headMs, untilMs));
  }

  /** Walks rows that are all after the head. */
  #walkRows(rows: RecordSource): void {
    if (rows.size === 0) return;
    const latestMs = latestOf(rows);
    visitDays(rows, (block) => this.#walkBlock(block, latestMs));
  }

  #snapshotHead(): void {
    if (this.#rowsSinceSnapshot >= HEAD_ROWS) this.#snapshot(true);
  }

  /** Walks a block in steps, with a snapshot before the first row of each. */
  #walkBlock(block: SortedBlock, latestMs: number): void {
    let first = 0;
    while (first < block.count) {
      const firstMs = block.doubles[first * RECORD_DOUBLES];
      const step = Math.floor(firstMs / STEP_MS);
      let end = first + 1;
      while (end < block.count && block.doubles[end * RECORD_DOUBLES] < (step + 1) * STEP_MS) end++;
      const isNewStep = this.#rowsSinceSnapshot > 0 && Math.floor(this.#headMs / STEP_MS) !== step;
      if (isNewStep && firstMs > latestMs - STEPS_KEPT_MS) this.#snapshot(false);
      this.#walk.block({
        words: block.words.subarray(first * RECORD_WORDS, end * RECORD_WORDS),
        doubles: block.doubles.subarray(first * RECORD_DOUBLES, end * RECORD_DOUBLES),
        count: end - first,
      });
      this.#headMs = block.doubles[(end - 1) * RECORD_DOUBLES];
      this.#rowsSinceSnapshot += end - first;
      first = end;
    }
  }

  #snapshot(isHead: boolean): void {
    this.#snapshots.push({ throughMs: this.#headMs, isHead, state: this.#walk.save() });
    this.#rowsSinceSnapshot = 0;
    let heads = 0;
    const oldestMs = this.#headMs - STEPS_KEPT_MS;
    for (let index = this.#snapshots.length - 1; index >= 0; index--) {
      const { throughMs, isHead: head } = this.#snapshots[index];
      if (head) heads++;
      if (head ? heads > HEADS_KEPT : throughMs < oldestMs) this.#snapshots.splice(index, 1);
    }
  }
}

function latestOf(rows: RecordSource): number {
  let latestMs = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < rows.size; index++) latestMs = Math.max(latestMs, rows.timeOf(index));
  return latestMs;
}

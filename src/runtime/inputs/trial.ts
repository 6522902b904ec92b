/**
 * A trial reading of a file's first records: nothing is added, but a file of which most records cannot
 * be used is refused before any row of it counts (design: the ledger).
 */

import { AddressReader } from '../../core/address.ts';
import { Dictionary } from '../../core/dictionary.ts';
import { type DateOrder, dateOrderEvidence, EVIDENCE_NONE } from '../../core/event-time.ts';
import { KeyedHash } from '../../core/hash.ts';
import type { DeadLetter } from '../../core/ports.ts';
import { RowExtractor } from '../../formats/row.ts';
import type { RecordHandler, RecordView } from '../../readers/reader.ts';
import type { FileLayout } from './layout.ts';

export const TRIAL_RECORDS = 1000;

/** What the first records give when their dates are read in one order. */
export interface TrialResult {
  order: DateOrder | null;
  refused: number;
  /** Most frequent dead letters first. */
  reasons: Reason[];
}

interface Reason {
  code: DeadLetter['code'];
  reason: string;
  count: number;
}

export interface TrialOutcome {
  records: number;
  /** Dates are written such that an order is needed to read them. */
  hasCultureDates: boolean;
  /** One for each order that was tried. */
  results: readonly TrialResult[];
}

/** Whether most records are refused in every order. */
export function isHopeless({ records, results }: TrialOutcome): boolean {
  return results.every(({ refused }) => refused * 2 > records);
}

/** The result in an order that was tried; any of them where the dates need none. */
export function resultIn({ results }: TrialOutcome, order: DateOrder | null): TrialResult {
  return results.find((result) => result.order === order) ?? results[0];
}

/** What the first records say: their dates, and how many are refused under each order of the date. */
export class Trial implements RecordHandler {
  #hasCultureDates = false;
  #records = 0;
  readonly #timeColumn: number;
  readonly #readings: Reading[];

  constructor(layout: FileLayout, orders: readonly (DateOrder | null)[], nowMs: number) {
    this.#timeColumn = layout.match.roles.event_time;
    this.#readings = orders.map((order) => new Reading(layout, order, nowMs));
  }

  get isDone(): boolean {
    return this.#records >= TRIAL_RECORDS;
  }

  record(view: RecordView): void {
    if (this.isDone) return;
    this.#records += 1;
    if (!this.#hasCultureDates) {
      const evidence = dateOrderEvidence(view.bytes, view.starts[this.#timeColumn], view.ends[this.#timeColumn]);
      this.#hasCultureDates = evidence !== EVIDENCE_NONE;
    }
    for (const reading of this.#readings) reading.record(view);
  }

  reject(letter: DeadLetter): void {
    if (this.isDone) return;
    this.#records += 1;
    for (const reading of this.#readings) reading.reject(letter);
  }

  /** What the trial found, without what it was found with. */
  outcome(): TrialOutcome {
    const results = this.#readings.map(({ order, refused, reasons }) => ({
      order,
      refused,
      reasons: [...reasons.values()].sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1)),
    }));
    return { records: this.#records, hasCultureDates: this.#hasCultureDates, results };
  }
}

class Reading {
  refused = 0;
  readonly order: DateOrder | null;
  readonly #extractor: RowExtractor;
  readonly reasons = new Map<DeadLetter['code'], Reason>();
  #letters = 0;
  #drops = 0;

  constructor(layout: FileLayout, order: DateOrder | null, nowMs: number) {
    this.order = order;
    const hash = new KeyedHash('trial');
    const context = {
      hash,
      addresses: new AddressReader(hash),
      domains: new Dictionary(hash),
      sources: new Dictionary(hash),
      connectors: new Dictionary(hash),
      organizations: { ids: [], names: [] },
      sinceMs: null,
      untilMs: null,
      nowMs,
    };
    const file = { match: layout.match, header: layout.header, dateOrder: order, number: 0 };
    this.#extractor = new RowExtractor(context, file, NO_SINK, {
      drop: () => {
        this.#drops += 1;
      },
      deadLetter: (letter) => this.#note(letter),
    });
  }

  record(view: RecordView): void {
    const lettersBefore = this.#letters;
    const usedBefore = this.#extractor.rows + this.#drops;
    this.#extractor.record(view);
    if (this.#letters > lettersBefore && this.#extractor.rows + this.#drops === usedBefore) this.refused += 1;
  }

  reject(letter: DeadLetter): void {
    this.refused += 1;
    this.#note(letter);
  }

  #note(letter: DeadLetter): void {
    this.#letters += 1;
    const known = this.reasons.get(letter.code);
    if (known === undefined) this.reasons.set(letter.code, { code: letter.code, reason: letter.reason, count: 1 });
    else known.count += 1;
  }
}

const NO_SINK = { add: () => {} };

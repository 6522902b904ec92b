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

export interface TrialResult {
  records: number;
  refused: number;
  /** Most frequent dead letters first. */
  reasons: { code: DeadLetter['code']; reason: string; count: number }[];
}

/** What the first records say: their dates, and how many are refused under each order of the date. */
export class Trial implements RecordHandler {
  /** Dates are written such that an order is needed to read them. */
  hasCultureDates = false;
  records = 0;
  readonly #timeColumn: number;
  readonly #readings: Reading[];

  constructor(layout: FileLayout, orders: readonly (DateOrder | null)[], nowMs: number) {
    this.#timeColumn = layout.match.roles.event_time;
    this.#readings = orders.map((order) => new Reading(layout, order, nowMs));
  }

  get isDone(): boolean {
    return this.records >= TRIAL_RECORDS;
  }

  record(view: RecordView): void {
    if (this.isDone) return;
    this.records += 1;
    if (!this.hasCultureDates) {
      const evidence = dateOrderEvidence(view.bytes, view.starts[this.#timeColumn], view.ends[this.#timeColumn]);
      this.hasCultureDates = evidence !== EVIDENCE_NONE;
    }
    for (const reading of this.#readings) reading.record(view);
  }

  reject(letter: DeadLetter): void {
    if (this.isDone) return;
    this.records += 1;
    for (const reading of this.#readings) reading.reject(letter);
  }

  /** The result under an order that was tried; under any where dates need none. */
  result(order: DateOrder | null): TrialResult {
    const reading = this.#readings.find((some) => some.order === order) ?? this.#readings[0];
    return { records: this.records, refused: reading.refused, reasons: reading.reasons() };
  }

  /** Whether most records are refused in every order. */
  get isHopeless(): boolean {
    return this.#readings.every((reading) => reading.refused * 2 > this.records);
  }
}

class Reading {
  refused = 0;
  readonly order: DateOrder | null;
  readonly #extractor: RowExtractor;
  readonly #reasons = new Map<string, { code: DeadLetter['code']; reason: string; count: number }>();
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

  reasons(): { code: DeadLetter['code']; reason: string; count: number }[] {
    return [...this.#reasons.values()].sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1));
  }

  #note(letter: DeadLetter): void {
    this.#letters += 1;
    const known = this.#reasons.get(letter.code);
    if (known === undefined) this.#reasons.set(letter.code, { code: letter.code, reason: letter.reason, count: 1 });
    else known.count += 1;
  }
}

const NO_SINK = { add: () => {} };

/**
 * The product's walk, fed a day of messages at a time and without files: the messages become pair
 * records in memory, and the product's own order, walk and documents take it from there. Its state can be saved
 * and loaded again, so that many variations go on from one background. What it says about a tenant is what
 * `scan` says about the tenant's exports (a test compares the two).
 */

import { type DocumentOptions, describeIncidents } from '../../src/core/documents.ts';
import { ChosenTexts } from '../../src/core/identity.ts';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { type RecordSource, visitDays } from '../../src/core/order.ts';
import type { DetectionSettings } from '../../src/core/series-settings.ts';
import type { Walk, WalkState } from '../../src/core/walk/walk.ts';
import type { TrafficMessage } from '../traffic/message.ts';
import { type EncodedRows, RowEncoder, type WalkedTenant } from './row-encoder.ts';

/** Two sets of records as one. */
class BothRows implements RecordSource {
  readonly #first: EncodedRows;
  readonly #second: EncodedRows;

  constructor(first: EncodedRows, second: EncodedRows) {
    this.#first = first;
    this.#second = second;
  }

  get size(): number {
    return this.#first.size + this.#second.size;
  }

  timeOf(index: number): number {
    const { size } = this.#first;
    return index < size ? this.#first.timeOf(index) : this.#second.timeOf(index - size);
  }

  copyTo(index: number, target: Uint32Array, base: number): void {
    const { size } = this.#first;
    if (index < size) this.#first.copyTo(index, target, base);
    else this.#second.copyTo(index - size, target, base);
  }
}

/** Where a walk can go on from. */
export interface RecordWalkState {
  walk: WalkState;
  texts: number;
}

export class RecordWalk {
  readonly #tenant: WalkedTenant;
  readonly #rows: RowEncoder;
  readonly #walk: Walk;

  constructor(tenant: WalkedTenant, settings: DetectionSettings) {
    this.#tenant = tenant;
    this.#rows = new RowEncoder(tenant);
    this.#walk = this.#rows.createWalk(settings);
  }

  /** Records of messages, to be walked once or more often. */
  encode(messages: readonly TrafficMessage[]): EncodedRows {
    return this.#rows.encode(messages);
  }

  /** Walks rows, which are all later than those before. */
  walk(rows: EncodedRows, more: EncodedRows | null = null): void {
    visitDays(more === null ? rows : new BothRows(rows, more), (block) => this.#walk.block(block));
  }

  save(): RecordWalkState {
    return { walk: this.#walk.save(), texts: this.#rows.texts.size };
  }

  /** Goes back to a saved state; rows encoded since are gone. */
  load(state: RecordWalkState): void {
    this.#walk.load(state.walk);
    this.#rows.texts.truncate(state.texts);
  }

  /** The walk has come to its end: all incidents as they are now. */
  documents(nowMs: number | null = null): IncidentDocument[] {
    this.#walk.finish(nowMs ?? this.#walk.seen.lastMs ?? this.#tenant.startMs);
    return describeIncidents(this.#walk, this.#rows.texts, new ChosenTexts(), documentOptions(this.#tenant), null)
      .incidents;
  }

  /** Number of rows encoded so far: what `forgetBefore` counts in. */
  get position(): number {
    return this.#rows.texts.size;
  }

  /** Texts of rows before a position are no longer needed whole. */
  forgetBefore(position: number): void {
    this.#rows.texts.forgetBefore(position);
  }
}

export function documentOptions({ tenant }: WalkedTenant): DocumentOptions {
  return { tenantKey: tenant, organization: null, evidenceRows: 5 };
}

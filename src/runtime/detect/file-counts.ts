/**
 * The ledger of a detector: what became of the rows of every export, envelope by envelope.
 *
 * The log may have an envelope more than once: Kafka was asked again after an answer that was lost, an ingest worker
 * was killed and its file begun again, a file was submitted a second time. What was counted is known by its bytes in
 * the file, so repeats add nothing; the line of a file that comes again as a whole stays as it was. An envelope
 * that is in part new counts as a whole, with the rows that it repeats among the duplicates: so does the last
 * record of a growing file, which is sent again with what follows it.
 */

import { createHash } from 'node:crypto';
import { DAY_MS, formatTime, HOUR_MS } from '../../core/calendar.ts';
import type { ReplaceWrite } from '../../core/delivery.ts';
import type { FileEndHeader, RowsHeader } from '../../core/envelope.ts';
import { ECS_VERSION } from '../../core/incident-document.ts';
import { emptyRowCounts, type FileLedger, type RowCounts } from '../../core/ledger.ts';
import { unfinishedFinding } from './findings.ts';

/** The line of an export that has not ended, such as a stream that never does, is written at most this often. */
const GROWTH_EVERY_MS = HOUR_MS;
/** Ended exports that are remembered: an export that comes again goes on with its counts. */
const ENDED_KEPT = 1000;
/** And not when nothing was heard of it for so long, while others came: its pairs are forgotten long before. */
const REMEMBERED_MS = 35 * DAY_MS;
/** Exports that are remembered in all: more than these begin only where somebody makes them up, and none of them ends. */
const MOST_KEPT = 5000;
/** An export of which nothing came for so long, while others came, is not in the middle any more. */
const PAUSE_MS = HOUR_MS;
/** An export whose end is still missing then is a finding: who reads it was ended, and nobody went on. */
const UNFINISHED_MS = DAY_MS;
/** What Defender streams never ends. */
const STREAMED_FORMAT = 'email-events';
/** Ranges of a file that are told apart. Above it the smallest hole is taken for counted. */
const MOST_RANGES = 8;

/** What one envelope adds. */
export interface EnvelopeCounts {
  /** Length of its payload. Where it is not said, no repeat is told. */
  bytes?: number;
  read: number;
  accepted: number;
  duplicate: number;
  updated: number;
  folded: number;
  dropped: ReadonlyMap<string, number>;
  dead: ReadonlyMap<string, number>;
  firstMs: number | null;
  lastMs: number | null;
}

interface CountedFile {
  id: string;
  ledger: FileLedger;
  firstMs: number | null;
  lastMs: number | null;
  hasEnded: boolean;
  /** When the last of its rows, or its end, came; milliseconds. */
  heardMs: number;
  /** That its end is missing stands as a finding. */
  isMissed: boolean;
  /** Ranges of its bytes that were counted, from `[0]` up to `[1]`, in order. Absent in states of earlier versions. */
  counted?: [number, number][];
}

export type FileCountsState = CountedFile[];

export class FileCounts {
  readonly #tenant: string;
  readonly #files = new Map<string, CountedFile>();
  readonly #changed = new Set<string>();
  /** Those that `save` has not given out as they are now. */
  readonly #unsaved = new Set<string>();
  /** When the line of an export that had not ended was last written. */
  readonly #writtenMs = new Map<string, number>();

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  /** All exports that are remembered. `changes` counts from here. */
  save(): FileCountsState {
    this.#unsaved.clear();
    return [...this.#files.values()];
  }

  /** The exports that were heard of since `save` was called, or since ever. */
  changes(): FileCountsState {
    return [...this.#unsaved].flatMap((id) => this.#files.get(id) ?? []);
  }

  /** Goes on from what was saved; to be called before anything else, with what has changed since after it. */
  load(saved: FileCountsState, changes: FileCountsState): void {
    for (const file of saved) this.#files.set(file.id, file);
    for (const file of changes) this.#keep(file);
    // What waited for its next minute is not in the saved state.
    for (const { id, hasEnded } of this.#files.values()) if (!hasEnded) this.#changed.add(id);
  }

  /** No export is in the middle: all of those of which rows came lately have ended. */
  get isBetweenFiles(): boolean {
    const lately = this.#heardMs - PAUSE_MS;
    return [...this.#files.values()].every(({ hasEnded, heardMs }) => hasEnded || heardMs < lately);
  }

  /** When anything was last heard of any export. */
  get #heardMs(): number {
    return [...this.#files.values()].reduce((latest, { heardMs }) => Math.max(latest, heardMs), 0);
  }

  /**
   * Takes the counts of an envelope that came at `heardMs`. Returns whether it was counted; one that repeats what was
   * counted already is not.
   */
  add({ file, layout, offset, records, refusal }: RowsHeader, counts: EnvelopeCounts, heardMs: number): boolean {
    const counted = this.#files.get(file.id) ?? newFile(file.id, file.name, heardMs);
    counted.heardMs = Math.max(counted.heardMs, heardMs);
    this.#keep(counted);
    if (counts.bytes !== undefined) {
      // Of a refused record only the start may be in the payload.
      const end = Math.max(offset + counts.bytes, refusal === undefined ? 0 : refusal.offset + refusal.length);
      const ranges = counted.counted ?? [];
      if (ranges.some(([from, to]) => from <= offset && end <= to)) return false;
      counted.counted = withRange(ranges, offset, end);
    }
    const { ledger } = counted;
    ledger.format = layout.format;
    ledger.encoding = layout.encoding;
    ledger.delimiter = layout.shape !== 'csv' ? null : String.fromCharCode(layout.delimiter);
    ledger.date_order = layout.dateOrder;
    ledger.records += records;
    const { rows } = ledger;
    for (const name of ['read', 'accepted', 'duplicate', 'updated', 'folded'] as const) rows[name] += counts[name];
    this.#settleDebts(rows);
    addAll(rows.dropped, counts.dropped);
    addAll(rows.dead_lettered, counts.dead);
    if (counts.firstMs !== null) counted.firstMs = Math.min(counted.firstMs ?? counts.firstMs, counts.firstMs);
    if (counts.lastMs !== null) counted.lastMs = Math.max(counted.lastMs ?? counts.lastMs, counts.lastMs);
    ledger.first = counted.firstMs === null ? null : formatTime(counted.firstMs);
    ledger.last = counted.lastMs === null ? null : formatTime(counted.lastMs);
    this.#changed.add(file.id);
    return true;
  }

  /**
   * An event row may show that a row of another export was an update, or was none: a count below zero is made good by
   * exchanging rows with an export that has such ones. Where none is remembered, the line keeps its sum.
   */
  #settleDebts(rows: RowCounts): void {
    for (const [owed, other] of [
      ['updated', 'duplicate'],
      ['duplicate', 'updated'],
    ] as const) {
      for (const [id, { ledger }] of rows[owed] < 0 ? this.#files : []) {
        const moved = Math.min(-rows[owed], ledger.rows[owed]);
        if (moved <= 0) continue;
        exchange(rows, owed, other, moved);
        exchange(ledger.rows, other, owed, moved);
        this.#changed.add(id);
        this.#unsaved.add(id);
      }
      if (rows[owed] < 0) exchange(rows, owed, other, -rows[owed]);
    }
  }

  /** The export is complete, which was said at `heardMs`: what the reader of the whole file knows is taken over. */
  end({ file, ledger }: FileEndHeader, heardMs: number): void {
    const counted = this.#files.get(file.id) ?? newFile(file.id, file.name, heardMs);
    const { rows, first, last } = counted.ledger;
    const newest = Math.max(counted.heardMs, heardMs);
    this.#keep({ ...counted, ledger: { ...ledger, rows, first, last }, hasEnded: true, heardMs: newest });
    this.#changed.add(file.id);
    const ended = [...this.#files.values()].filter(({ hasEnded }) => hasEnded);
    for (const { id } of ended.slice(0, Math.max(0, ended.length - ENDED_KEPT))) {
      if (!this.#changed.has(id)) this.#drop(id);
    }
  }

  /** Forgets exports that nothing was heard of for long: to be called now and then. */
  forget(): void {
    const beforeMs = this.#heardMs - REMEMBERED_MS;
    for (const { id, hasEnded, heardMs } of this.#files.values()) {
      if (heardMs < beforeMs && !(hasEnded && this.#changed.has(id))) this.#drop(id);
    }
  }

  #drop(id: string): void {
    this.#files.delete(id);
    this.#changed.delete(id);
    this.#unsaved.delete(id);
    this.#writtenMs.delete(id);
  }

  /** Findings that open or close now: exports whose end is missing. */
  findings(nowMs: number): ReplaceWrite[] {
    return [...this.#files.values()].flatMap((file) => {
      const isMissing =
        !file.hasEnded && file.ledger.format !== STREAMED_FORMAT && nowMs - file.heardMs >= UNFINISHED_MS;
      if (isMissing === file.isMissed) return [];
      file.isMissed = isMissing;
      this.#unsaved.add(file.id);
      return [unfinishedFinding(this.#tenant, file.id, file.ledger.path, file.heardMs, isMissing, nowMs)];
    });
  }

  /** As the one that was heard of last: those that were silent for the longest are forgotten first. */
  #keep(file: CountedFile): void {
    this.#files.delete(file.id);
    this.#files.set(file.id, file);
    this.#unsaved.delete(file.id);
    this.#unsaved.add(file.id);
    if (this.#files.size <= MOST_KEPT) return;
    const oldest = this.#files.keys().next().value as string;
    // What is not written yet is, with the next delivery.
    if (!this.#changed.has(oldest)) this.#drop(oldest);
  }

  /** Lines of the ledger that changed since they were written and are due. */
  writes(nowMs: number, sequence: number): ReplaceWrite[] {
    const due = [...this.#changed].filter((id) => this.#isDue(id, nowMs));
    return due.map((id): ReplaceWrite => {
      const { ledger, hasEnded } = this.#files.get(id) as CountedFile;
      this.#changed.delete(id);
      if (hasEnded) this.#writtenMs.delete(id);
      else this.#writtenMs.set(id, nowMs);
      return {
        kind: 'ledger',
        id: `rwl-${createHash('sha256')
          .update(JSON.stringify([this.#tenant, id]))
          .digest('hex')
          .slice(0, 24)}`,
        sequence,
        document: {
          '@timestamp': formatTime(nowMs),
          ecs: { version: ECS_VERSION },
          event: { kind: 'metric', module: 'relaywatch', dataset: 'relaywatch.ledger' },
          relaywatch: { tenant: this.#tenant, ledger: { ...structuredClone(ledger), is_complete: hasEnded } },
        },
      };
    });
  }

  #isDue(id: string, nowMs: number): boolean {
    if (this.#files.get(id)?.hasEnded === true) return true;
    return nowMs >= (this.#writtenMs.get(id) ?? Number.NEGATIVE_INFINITY) + GROWTH_EVERY_MS;
  }
}

function newFile(id: string, name: string, heardMs: number): CountedFile {
  const ledger: FileLedger = {
    path: name,
    sha256: null,
    bytes: 0,
    format: null,
    encoding: null,
    delimiter: null,
    date_order: null,
    records: 0,
    rows: emptyRowCounts(),
    first: null,
    last: null,
    refused: null,
    warnings: [],
  };
  return { id, ledger, firstMs: null, lastMs: null, hasEnded: false, heardMs, isMissed: false, counted: [] };
}

/** Ranges in order that do not touch, with one more. */
function withRange(ranges: readonly [number, number][], from: number, to: number): [number, number][] {
  const joined: [number, number][] = [];
  for (const [start, end] of [...ranges, [from, to]].sort((left, right) => left[0] - right[0])) {
    const last = joined.at(-1);
    if (last === undefined || start > last[1]) joined.push([start, end]);
    else last[1] = Math.max(last[1], end);
  }
  while (joined.length > MOST_RANGES) {
    const holes = joined.slice(1).map(([start], index) => start - joined[index][1]);
    const smallest = holes.indexOf(Math.min(...holes));
    joined[smallest][1] = joined[smallest + 1][1];
    joined.splice(smallest + 1, 1);
  }
  return joined;
}

/** So many rows count as the one and no longer as the other. */
function exchange(rows: RowCounts, to: 'updated' | 'duplicate', from: 'updated' | 'duplicate', count: number): void {
  rows[to] += count;
  rows[from] -= count;
}

/** Names are those of the closed lists that the counts were made with. */
function addAll(target: Partial<Record<string, number>>, counts: ReadonlyMap<string, number>): void {
  for (const [name, count] of counts) target[name] = (target[name] ?? 0) + count;
}

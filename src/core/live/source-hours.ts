/**
 * The ledger of a tenant by hours of event time: how many pairs there are of each hour, when they came first, and
 * how far the hour is done. An hour is settled when the watermark has passed its end: later rows of it are
 * late. It is evaluated when its day is sealed: what it says is final, and rows that come for it after that
 * are counted apart, as they wait for a rescan.
 */

import { createHash } from 'node:crypto';
import { formatTime, HOUR_MS } from '../calendar.ts';
import type { ReplaceWrite } from '../delivery.ts';
import { ECS_VERSION } from '../incident-document.ts';

/** A growing hour is written at most this often: a document per thousand rows is the aim. */
const GROWTH_EVERY_MS = HOUR_MS;
/** Hours with rows behind the seal that are remembered: their counts grow with every late export. */
const LATE_HOURS_KEPT = 1_000;

type Stage = 'open' | 'settled' | 'evaluated';

/** One hour. Plain JSON. */
export interface SourceHour {
  /** Whole hours since 1970. */
  hour: number;
  rows: number;
  /** Wall times at which the first and the last of the rows came, milliseconds. */
  firstSeenMs: number;
  lastSeenMs: number;
  /** As it was written last; null where it was not. */
  written: { atMs: number; stage: Stage; rows: number } | null;
}

/** Plain JSON. */
export interface SourceHoursState {
  hours: SourceHour[];
  /** Those that changed since `saveLate` gave out all. */
  late: SourceHour[];
  /** Null for none yet. */
  watermarkMs: number | null;
  sealMs: number | null;
}

export class SourceHours {
  readonly #tenant: string;
  readonly #hours = new Map<number, SourceHour>();
  readonly #late = new Map<number, SourceHour>();
  /** Late hours that `saveLate` has not given out as they are now. */
  readonly #unsaved = new Set<number>();
  #watermarkMs = Number.NEGATIVE_INFINITY;
  #sealMs = Number.NEGATIVE_INFINITY;
  /** Rows that follow each other are mostly of one hour. */
  #last: SourceHour | null = null;

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  /** Counts a row of that event time, the first of its pair, which came at `seenMs`. */
  add(timeMs: number, seenMs: number): void {
    const number = Math.floor(timeMs / HOUR_MS);
    const hour = this.#last !== null && this.#last.hour === number ? this.#last : this.#find(number, seenMs);
    hour.rows++;
    if (number * HOUR_MS < this.#sealMs) this.#unsaved.add(number);
    if (seenMs > hour.lastSeenMs) hour.lastSeenMs = seenMs;
    else if (seenMs < hour.firstSeenMs) hour.firstSeenMs = seenMs;
  }

  /** Takes over how far the walk is: its watermark, and the start of the first open day. Neither goes back. */
  advance(watermarkMs: number, sealMs: number): void {
    this.#watermarkMs = Math.max(this.#watermarkMs, watermarkMs);
    if (sealMs <= this.#sealMs) return;
    this.#sealMs = sealMs;
    this.#last = null;
  }

  /** Hours that have to be written now. `sequence` grows with every call. */
  writes(nowMs: number, sequence: number): ReplaceWrite[] {
    const writes: ReplaceWrite[] = [];
    for (const hour of this.#hours.values()) {
      const stage = this.#stageOf(hour);
      if (isDue(hour, stage, nowMs)) writes.push(this.#write(hour, stage, false, nowMs, sequence));
      if (stage === 'evaluated') this.#hours.delete(hour.hour);
    }
    for (const hour of this.#late.values()) {
      if (hour.written === null || isDue(hour, 'settled', nowMs)) {
        this.#unsaved.add(hour.hour);
        writes.push(this.#write(hour, 'settled', true, nowMs, sequence));
      }
    }
    this.#forgetLate();
    return writes;
  }

  /** All late hours that are remembered. The others are in what `save` gives from here on. */
  saveLate(): SourceHour[] {
    this.#unsaved.clear();
    return structuredClone([...this.#late.values()]);
  }

  save(): SourceHoursState {
    return {
      hours: structuredClone([...this.#hours.values()]),
      late: structuredClone([...this.#unsaved].flatMap((hour) => this.#late.get(hour) ?? [])),
      watermarkMs: Number.isFinite(this.#watermarkMs) ? this.#watermarkMs : null,
      sealMs: Number.isFinite(this.#sealMs) ? this.#sealMs : null,
    };
  }

  /** Goes on from a saved state, and the late hours that were saved before; to be called before any row. */
  load(state: SourceHoursState, late: readonly SourceHour[]): void {
    for (const hour of structuredClone(state.hours)) this.#hours.set(hour.hour, hour);
    for (const hour of structuredClone([...late, ...state.late])) this.#late.set(hour.hour, hour);
    for (const { hour } of state.late) this.#unsaved.add(hour);
    this.#watermarkMs = state.watermarkMs ?? Number.NEGATIVE_INFINITY;
    this.#sealMs = state.sealMs ?? Number.NEGATIVE_INFINITY;
  }

  #find(number: number, seenMs: number): SourceHour {
    const hours = number * HOUR_MS < this.#sealMs ? this.#late : this.#hours;
    let hour = hours.get(number);
    if (hour === undefined) {
      hour = { hour: number, rows: 0, firstSeenMs: seenMs, lastSeenMs: seenMs, written: null };
      hours.set(number, hour);
    }
    this.#last = hour;
    return hour;
  }

  #stageOf({ hour }: SourceHour): Stage {
    const endMs = (hour + 1) * HOUR_MS;
    if (endMs <= this.#sealMs) return 'evaluated';
    return endMs <= this.#watermarkMs ? 'settled' : 'open';
  }

  #write(hour: SourceHour, stage: Stage, isLate: boolean, nowMs: number, sequence: number): ReplaceWrite {
    hour.written = { atMs: nowMs, stage, rows: hour.rows };
    const start = formatTime(hour.hour * HOUR_MS);
    const id = createHash('sha256').update(JSON.stringify([this.#tenant, start, isLate]));
    return {
      kind: 'ledger',
      id: `rwh-${id.digest('hex').slice(0, 24)}`,
      sequence,
      document: {
        '@timestamp': start,
        ecs: { version: ECS_VERSION },
        event: { kind: 'metric', module: 'relaywatch', dataset: 'relaywatch.ledger_hour' },
        relaywatch: {
          tenant: this.#tenant,
          ledger_hour: {
            hour: start,
            rows: hour.rows,
            first_seen: formatTime(hour.firstSeenMs),
            last_seen: formatTime(hour.lastSeenMs),
            is_late: isLate,
            is_settled: stage !== 'open',
            is_evaluated: stage === 'evaluated',
          },
        },
      },
    };
  }

  #forgetLate(): void {
    let tooMany = this.#late.size - LATE_HOURS_KEPT;
    for (const hour of this.#late.values()) {
      if (tooMany <= 0) return;
      if (hour.rows !== hour.written?.rows) continue;
      this.#late.delete(hour.hour);
      if (this.#last === hour) this.#last = null;
      tooMany--;
    }
  }
}

function isDue({ rows, firstSeenMs, written }: SourceHour, stage: Stage, nowMs: number): boolean {
  if (stage !== (written?.stage ?? 'open')) return true;
  return rows !== (written?.rows ?? 0) && nowMs >= (written?.atMs ?? firstSeenMs) + GROWTH_EVERY_MS;
}

/**
 * The order of day and month in culture dates, settled by a look at all inputs before any row is
 * read, so that neither the order of rows nor that of files matters. What settles it: a part above 12
 * anywhere in a file, or the bounds of its query (StartDate, EndDate), else other files of the run in
 * the same format.
 */

import {
  type DateOrder,
  dateOrderEvidence,
  EVIDENCE_DMY,
  EVIDENCE_EITHER,
  EVIDENCE_MDY,
  parseEventTime,
} from '../../core/event-time.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { excerpt } from '../../formats/cells.ts';
import type { RoleColumns } from '../../formats/format.ts';
import type { RecordHandler, RecordView } from '../../readers/reader.ts';

const DAY_MS = 86_400_000;
/** The longest span that Get-MessageTrace and Get-MessageTraceV2 take (Microsoft: 10 days a query). */
const MAX_QUERY_MS = 10 * DAY_MS;
/** Bounds may be in another time zone; wrong readings are off by weeks. */
const BOUND_TOLERANCE_MS = DAY_MS;

type CultureOrder = 'mdy' | 'dmy';

/** The smallest of the texts noted, so that messages do not depend on the order of rows. */
class Smallest {
  count = 0;
  #bytes = new Uint8Array(0);

  note(bytes: Uint8Array, start: number, end: number): void {
    const text = bytes.subarray(start, end);
    if (this.count === 0 || compareBytes(text, this.#bytes) < 0) this.#bytes = new Uint8Array(text);
    this.count += 1;
  }

  get text(): string {
    return excerpt(this.#bytes, 0, this.#bytes.length);
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** Reads all dates of one file for what they say about their order. */
export class DateOrderScan implements RecordHandler {
  /** Dates that can be read both ways. */
  readonly either = new Smallest();
  /** Dates that are one in this order alone. */
  readonly only = { mdy: new Smallest(), dmy: new Smallest() };
  /** Rows that lie outside their query in this order. */
  readonly #outside = { mdy: 0, dmy: 0 };
  readonly #roles: RoleColumns;
  readonly #times = new Float64Array(3);

  constructor(roles: RoleColumns) {
    this.#roles = roles;
  }

  record(view: RecordView): void {
    const { event_time, start_date, end_date } = this.#roles;
    const evidence = this.#note(view, event_time);
    if (evidence === EVIDENCE_EITHER) this.either.note(view.bytes, view.starts[event_time], view.ends[event_time]);
    if (start_date < 0 || end_date < 0) return;
    this.#note(view, start_date);
    this.#note(view, end_date);
    if (evidence !== EVIDENCE_EITHER) return;
    if (!this.#isInsideQuery(view, 'mdy')) this.#outside.mdy += 1;
    if (!this.#isInsideQuery(view, 'dmy')) this.#outside.dmy += 1;
  }

  reject(): void {}

  /** The file holds dates of both orders. */
  get isContradictory(): boolean {
    return this.only.mdy.count > 0 && this.only.dmy.count > 0;
  }

  /** The order that the file itself proves; null where it proves none. */
  get proved(): CultureOrder | null {
    if (this.isContradictory) return null;
    if (this.only.mdy.count > 0) return 'mdy';
    if (this.only.dmy.count > 0) return 'dmy';
    const outside = this.#outside;
    if (outside.mdy > 0 !== outside.dmy > 0) return outside.mdy > 0 ? 'dmy' : 'mdy';
    return null;
  }

  /** What proves the order, for people. */
  get evidence(): string {
    const { count, text } = this.only.mdy.count > 0 ? this.only.mdy : this.only.dmy;
    if (count === 0) return 'read the other way, rows would lie outside the StartDate and EndDate of their query';
    return `${count === 1 ? 'a date has' : `${count} dates have`} a part above 12, such as "${text}"`;
  }

  #note(view: RecordView, column: number): number {
    const start = view.starts[column];
    const end = view.ends[column];
    const evidence = dateOrderEvidence(view.bytes, start, end);
    if (evidence === EVIDENCE_MDY) this.only.mdy.note(view.bytes, start, end);
    else if (evidence === EVIDENCE_DMY) this.only.dmy.note(view.bytes, start, end);
    return evidence;
  }

  #isInsideQuery(view: RecordView, order: CultureOrder): boolean {
    const { event_time, start_date, end_date } = this.#roles;
    const times = this.#times;
    let slot = 0;
    for (const column of [event_time, start_date, end_date]) {
      const isRead = parseEventTime(view.bytes, view.starts[column], view.ends[column], order, times, slot++);
      if (!isRead) return true;
    }
    const [event, from, to] = times;
    if (to - from > MAX_QUERY_MS || to < from) return false;
    return event >= from - BOUND_TOLERANCE_MS && event <= to + BOUND_TOLERANCE_MS;
  }
}

export interface DatedFile {
  path: string;
  formatId: string;
  scan: DateOrderScan;
}

/** The order of a file's dates and what proves it, for people. */
export interface SettledOrder {
  order: DateOrder;
  evidence: string;
}

/**
 * The order of every file, by index; null where its dates need none. Throws (exit 2) where a file's
 * dates can be read both ways and no other file of its format settles it.
 */
export function settleDateOrders(files: readonly DatedFile[]): (SettledOrder | null)[] {
  const provedByFormat = new Map<string, Set<CultureOrder>>();
  for (const { formatId, scan } of files) {
    const orders = provedByFormat.get(formatId) ?? new Set<CultureOrder>();
    if (scan.proved !== null) orders.add(scan.proved);
    provedByFormat.set(formatId, orders);
  }
  return files.map(({ path, formatId, scan }) => {
    if (scan.proved !== null) return { order: scan.proved, evidence: scan.evidence };
    if (scan.isContradictory) throw contradictoryDates(path, scan);
    if (scan.either.count === 0) return null;
    const orders = [...(provedByFormat.get(formatId) ?? [])];
    if (orders.length === 1) {
      return { order: orders[0], evidence: `as in other files of the run; "${scan.either.text}" could be both` };
    }
    throw ambiguousDates(path, scan.either.text, orders.length > 1);
  });
}

const HINT = 'say which with --date-order mdy (month first) or --date-order dmy (day first), or export with ISO dates';

function ambiguousDates(path: string, example: string, disagree: boolean): RelaywatchError {
  const others = disagree ? ', and the other files of this format disagree' : '';
  return new RelaywatchError({
    code: 'ambiguous_dates',
    message:
      `${path}: day and month cannot be told apart${others}: "${example}" is ` +
      `${reading(example, 'mdy')} or ${reading(example, 'dmy')}`,
    hint: HINT,
    exitCode: 2,
  });
}

function contradictoryDates(path: string, scan: DateOrderScan): RelaywatchError {
  return new RelaywatchError({
    code: 'ambiguous_dates',
    message:
      `${path} holds dates of both orders: "${scan.only.mdy.text}" has the month first, ` +
      `"${scan.only.dmy.text}" the day`,
    hint: `export each part again, or ${HINT}; rows in the other order then become dead letters`,
    exitCode: 2,
  });
}

/** A date text as a person would say it, in one order. */
function reading(text: string, order: CultureOrder): string {
  const bytes = new TextEncoder().encode(text);
  const out = new Float64Array(1);
  if (!parseEventTime(bytes, 0, bytes.length, order, out, 0)) return 'no date';
  const format = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
  return `${format.format(out[0])} (${order})`;
}

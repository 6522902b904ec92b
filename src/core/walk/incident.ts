/** An incident as the walk keeps it: its campaign, what its rows add up to, and how it went on. */

import { HashTable } from '../hash-table.ts';
import type { Family, IncidentType, SeriesName, Statistic } from '../incident-document.ts';
import { type CampaignKey, CampaignRows, keyId } from './campaign.ts';
import {
  LOG_DOMAIN,
  LOG_MAILBOX,
  LOG_MESSAGE_HI,
  LOG_MESSAGE_LO,
  LOG_POSITION_HI,
  LOG_POSITION_LO,
  LOG_RECIPIENT_HI,
  LOG_RECIPIENT_LO,
  LOG_STATUS,
  LOG_SUBJECT,
  type RowLog,
} from './row-log.ts';
import { RowTraits } from './traits.ts';

/** Index into SEVERITIES: 0 low, 1 medium, 2 high, 3 critical. */
export type SeverityRank = 0 | 1 | 2 | 3;

/** A row that may be shown: where it stands and who it is. */
export interface RowPlace {
  timeMs: number;
  messageLo: number;
  messageHi: number;
  recipientLo: number;
  recipientHi: number;
  positionLo: number;
  positionHi: number;
  status: number;
  domain: number;
  mailbox: number;
}

export interface SubjectCount {
  count: number;
  place: RowPlace;
}

const FIRST_ROWS = 8;
const SAMPLE_ROWS = 128;

/** What the rows of a campaign add up to. Rows are pairs, each added once. */
export class CampaignTotals {
  readonly traits = new RowTraits();
  readonly subjects = new Map<number, SubjectCount>();
  messages = 0;
  lastMs = Number.NEGATIVE_INFINITY;
  readonly firstRows: RowPlace[] = [];
  readonly #messages = new HashTable();
  #sample: { order: number; place: RowPlace }[] = [];
  /** Rows of a higher order cannot get into the sample any more. */
  #sampleOrder = 0xffffffff;

  get recipients(): number {
    return this.traits.pairs;
  }

  /** The first rows and a uniform sample of all, without doubles. */
  get sample(): RowPlace[] {
    const sample = [...this.#sample].sort(bySampleOrder).slice(0, SAMPLE_ROWS);
    const places = new Map<string, RowPlace>();
    for (const place of [...this.firstRows, ...sample.map((entry) => entry.place)]) places.set(pairId(place), place);
    return [...places.values()];
  }

  add(log: RowLog, sequence: number): void {
    const words = log.words;
    const base = log.base(sequence);
    this.traits.add(words, base);
    const timeMs = log.time(sequence);
    if (timeMs > this.lastMs) this.lastMs = timeMs;
    if (this.#messages.get(words[base + LOG_MESSAGE_LO], words[base + LOG_MESSAGE_HI]) === undefined) {
      this.#messages.set(words[base + LOG_MESSAGE_LO], words[base + LOG_MESSAGE_HI], 1);
      this.messages++;
    }
    const subject = words[base + LOG_SUBJECT];
    if (subject !== 0) {
      const known = this.subjects.get(subject);
      if (known === undefined) this.subjects.set(subject, { count: 1, place: placeOf(words, base, timeMs) });
      else known.count++;
    }
    if (this.firstRows.length < FIRST_ROWS) this.firstRows.push(placeOf(words, base, timeMs));
    // The hash of the pair orders the rows at random, but the same in every run.
    const order = (Math.imul(words[base + LOG_MESSAGE_LO], 0x9e3779b1) ^ words[base + LOG_RECIPIENT_HI]) >>> 0;
    if (order > this.#sampleOrder) return;
    this.#sample.push({ order, place: placeOf(words, base, timeMs) });
    if (this.#sample.length >= SAMPLE_ROWS * 2) {
      this.#sample = this.#sample.sort(bySampleOrder).slice(0, SAMPLE_ROWS);
      this.#sampleOrder = this.#sample[SAMPLE_ROWS - 1].order;
    }
  }
}

function bySampleOrder(left: { order: number; place: RowPlace }, right: { order: number; place: RowPlace }): number {
  return left.order - right.order || (pairId(left.place) < pairId(right.place) ? -1 : 1);
}

export function pairId(place: RowPlace): string {
  return `${place.messageHi}.${place.messageLo}.${place.recipientHi}.${place.recipientLo}`;
}

function placeOf(words: Uint32Array, base: number, timeMs: number): RowPlace {
  return {
    timeMs,
    messageLo: words[base + LOG_MESSAGE_LO],
    messageHi: words[base + LOG_MESSAGE_HI],
    recipientLo: words[base + LOG_RECIPIENT_LO],
    recipientHi: words[base + LOG_RECIPIENT_HI],
    positionLo: words[base + LOG_POSITION_LO],
    positionHi: words[base + LOG_POSITION_HI],
    status: words[base + LOG_STATUS],
    domain: words[base + LOG_DOMAIN],
    mailbox: words[base + LOG_MAILBOX],
  };
}

/** The numbers with which an incident was raised. */
export interface DetectionNumbers {
  observed: number;
  expected: number | null;
  expectedP95: number | null;
  window: number;
  statistic: Statistic;
  score: number;
}

/** A key of a series, or a ceiling of a mailbox, that raised the incident. */
export interface Member {
  /** Counts of the four windows at the last notification. */
  notified: number[];
  /** Count per window when the hit was last attributed; 0 where it never was. */
  attributed: number[];
}

export interface LimitNumbers {
  name: string;
  used: number;
  budget: number;
  forecastMs: number | null;
}

export interface Notification {
  atMs: number;
  observed: number;
  severity: SeverityRank;
}

export class Incident {
  readonly family: Family;
  readonly key: CampaignKey;
  readonly detectedMs: number;
  readonly startMs: number;
  readonly numbers: DetectionNumbers;
  readonly startingRank: SeverityRank;
  readonly rows = new CampaignRows();
  readonly totals = new CampaignTotals();
  readonly keys = new Set<string>();
  readonly series = new Set<SeriesName>();
  readonly members = new Map<string, Member>();
  readonly escalations: Notification[] = [];
  type: IncidentType;
  severity: SeverityRank;
  limit: LimitNumbers | null = null;
  recipientsAtDetection = 0;
  reopenedCount = 0;
  /** Highest share of a limit that was notified. */
  notifiedMark = 0;
  lastActiveMs: number;
  closedMs: number | null = null;
  /** Rows before this sequence number are counted or were no rows of the campaign. */
  countedUntil: number;
  /** Rows before this sequence number are never counted. */
  countedFrom: number;
  /** Tenant rows were known for a week before the onset: new sources mean something. */
  readonly startedAfterWeek: boolean;

  constructor(fields: {
    family: Family;
    key: CampaignKey;
    type: IncidentType;
    startingRank: SeverityRank;
    detectedMs: number;
    startMs: number;
    startedAfterWeek: boolean;
    firstSequence: number;
    numbers: DetectionNumbers;
  }) {
    this.family = fields.family;
    this.key = fields.key;
    this.type = fields.type;
    this.startingRank = fields.startingRank;
    this.severity = fields.startingRank;
    this.detectedMs = fields.detectedMs;
    this.startMs = fields.startMs;
    this.startedAfterWeek = fields.startedAfterWeek;
    this.numbers = fields.numbers;
    this.lastActiveMs = fields.detectedMs;
    this.countedFrom = fields.firstSequence;
    this.countedUntil = fields.firstSequence;
  }

  get isOpen(): boolean {
    return this.closedMs === null;
  }

  /** Takes a campaign key in; rows already passed over that only it covers are counted now. */
  widen(key: CampaignKey, bits: number, log: RowLog): void {
    this.keys.add(keyId(key));
    const first = Math.max(this.countedFrom, log.first);
    const covered: boolean[] = [];
    for (let sequence = first; sequence < this.countedUntil; sequence++) {
      covered.push(this.rows.matches(log.words, log.base(sequence)));
    }
    if (!this.rows.widen(key, bits)) return;
    for (let sequence = first; sequence < this.countedUntil; sequence++) {
      if (!covered[sequence - first] && this.rows.matches(log.words, log.base(sequence)))
        this.totals.add(log, sequence);
    }
  }

  /** Counts the rows of the campaign up to now: the incident was active in the last of them. */
  countRows(log: RowLog): void {
    for (let sequence = Math.max(this.countedUntil, log.first); sequence < log.next; sequence++) {
      if (this.rows.matches(log.words, log.base(sequence))) this.totals.add(log, sequence);
    }
    this.countedUntil = log.next;
  }
}

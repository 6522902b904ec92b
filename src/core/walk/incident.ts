/** An incident as the walk keeps it: its campaign, what its rows add up to, and how it went on. */

import type { Label } from '../feedback.ts';
import { HashTable, type HashTableState } from '../hash-table.ts';
import type { Family, IncidentType, SeriesName, Statistic } from '../incident-document.ts';
import { Peaks, type PeaksState } from './allowances.ts';
import { type CampaignKey, CampaignRows, type CampaignRowsState, keyId, linkedWordOf } from './campaign.ts';
import type { SeverityRank } from './incident-type.ts';
import {
  LOG_DOMAIN,
  LOG_MAILBOX,
  LOG_MESSAGE_HI,
  LOG_MESSAGE_LO,
  LOG_POSITION_HI,
  LOG_POSITION_LO,
  LOG_RECIPIENT_HI,
  LOG_RECIPIENT_LO,
  LOG_SUBJECT,
  type RowLog,
  statusOf,
  weightOf,
} from './row-log.ts';
import { RowTraits, type RowTraitsState } from './traits.ts';

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
/** Different subjects that are counted, the first ones: a run with a subject of its own per message has no top subject. */
const SUBJECTS = 5000;

interface SampledRow {
  order: number;
  place: RowPlace;
}

export interface CampaignTotalsState {
  traits: RowTraitsState;
  subjects: Map<number, SubjectCount>;
  messages: number;
  lastMs: number;
  firstRows: RowPlace[];
  knownMessages: HashTableState;
  sample: SampledRow[];
  sampleOrder: number;
}

/** What the rows of a campaign add up to. Rows are pairs, each added once. */
export class CampaignTotals {
  readonly traits = new RowTraits();
  subjects = new Map<number, SubjectCount>();
  messages = 0;
  lastMs = Number.NEGATIVE_INFINITY;
  firstRows: RowPlace[] = [];
  readonly #messages = new HashTable(8);
  #sample: SampledRow[] = [];
  /** Rows of a higher order cannot get into the sample any more. */
  #sampleOrder = 0xffffffff;

  /** Places of rows are shared with the state: they never change. */
  save(): CampaignTotalsState {
    return {
      traits: this.traits.save(),
      knownMessages: this.#messages.save(),
      subjects: copyOfCounts(this.subjects),
      messages: this.messages,
      lastMs: this.lastMs,
      firstRows: this.firstRows.slice(),
      sample: this.#sample.slice(),
      sampleOrder: this.#sampleOrder,
    };
  }

  load(state: Readonly<CampaignTotalsState>): void {
    this.traits.load(state.traits);
    this.#messages.load(state.knownMessages);
    this.subjects = copyOfCounts(state.subjects);
    this.messages = state.messages;
    this.lastMs = state.lastMs;
    this.firstRows = state.firstRows.slice();
    this.#sample = state.sample.slice();
    this.#sampleOrder = state.sampleOrder;
  }

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
    this.#messages.set(words[base + LOG_MESSAGE_LO], words[base + LOG_MESSAGE_HI], 1);
    this.messages = this.#messages.size;
    const subject = words[base + LOG_SUBJECT];
    if (subject !== 0) {
      const known = this.subjects.get(subject);
      if (known !== undefined) known.count++;
      else if (this.subjects.size < SUBJECTS) {
        this.subjects.set(subject, { count: 1, place: placeOf(words, base, timeMs) });
      }
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

function copyOfCounts(subjects: ReadonlyMap<number, SubjectCount>): Map<number, SubjectCount> {
  return new Map([...subjects].map(([hash, { count, place }]) => [hash, { count, place }]));
}

function bySampleOrder(left: SampledRow, right: SampledRow): number {
  return left.order - right.order || (pairId(left.place) < pairId(right.place) ? -1 : 1);
}

function pairId(place: RowPlace): string {
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
    status: statusOf(words, base),
    domain: words[base + LOG_DOMAIN],
    mailbox: words[base + LOG_MAILBOX],
  };
}

/** The numbers with which an incident was raised; of a block there are none. */
export interface DetectionNumbers {
  observed: number | null;
  expected: number | null;
  expectedP95: number | null;
  /** `15m`, `1h`, `6h`, `24h`, or the hours since a ramp began. */
  window: string | null;
  statistic: Statistic | null;
  score: number | null;
}

/** A key of a series, or a ceiling of a mailbox, that raised the incident. */
export interface Member {
  /** Counts of the four windows at the last notification. */
  notified: number[];
  /** Count per window, and of the ramp, when the hit was last attributed; 0 where it never was. */
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

/** Everything of an incident that is plain data; its rows and totals are kept beside it. */
export interface IncidentFacts {
  readonly family: Family;
  readonly key: CampaignKey;
  readonly detectedMs: number;
  readonly startMs: number;
  readonly numbers: DetectionNumbers;
  /** Tenant rows were known for a week before the onset: new sources mean something. */
  readonly startedAfterWeek: boolean;
  /** Position among all incidents of the walk. */
  readonly order: number;
  /** What an analyst said of it; null for nothing. */
  readonly label: Label | null;
  readonly keys: Map<string, CampaignKey>;
  readonly series: Set<SeriesName>;
  readonly members: Map<string, Member>;
  readonly escalations: Notification[];
  type: IncidentType;
  severity: SeverityRank;
  limit: LimitNumbers | null;
  recipientsAtDetection: number;
  reopenedCount: number;
  /** Highest share of a limit that was notified. */
  notifiedMark: number;
  lastActiveMs: number;
  closedMs: number | null;
  /** Rows before this sequence number are counted or were no rows of the campaign. */
  countedUntil: number;
  /** Rows before this sequence number are never counted. */
  countedFrom: number;
}

export interface IncidentState {
  facts: IncidentFacts;
  rows: CampaignRowsState;
  totals: CampaignTotalsState;
  peaks: PeaksState | null;
}

export class Incident implements IncidentFacts {
  readonly family: Family;
  readonly key: CampaignKey;
  readonly detectedMs: number;
  readonly startMs: number;
  readonly numbers: DetectionNumbers;
  readonly startedAfterWeek: boolean;
  readonly order: number;
  label: Label | null;
  /** The campaign's own key and those it was widened to, by their id. */
  readonly keys: Map<string, CampaignKey>;
  readonly series: Set<SeriesName>;
  readonly members: Map<string, Member>;
  readonly escalations: Notification[];
  type: IncidentType;
  severity: SeverityRank;
  limit: LimitNumbers | null;
  recipientsAtDetection: number;
  reopenedCount: number;
  notifiedMark: number;
  lastActiveMs: number;
  closedMs: number | null;
  countedUntil: number;
  countedFrom: number;
  readonly rows = new CampaignRows();
  readonly totals = new CampaignTotals();
  /** Of an incident labelled as benign. */
  #peaks: Peaks | null = null;

  constructor(facts: IncidentFacts) {
    this.family = facts.family;
    this.key = facts.key;
    this.detectedMs = facts.detectedMs;
    this.startMs = facts.startMs;
    this.numbers = facts.numbers;
    this.startedAfterWeek = facts.startedAfterWeek;
    this.order = facts.order;
    this.label = facts.label;
    this.keys = facts.keys;
    this.series = facts.series;
    this.members = facts.members;
    this.escalations = facts.escalations;
    this.type = facts.type;
    this.severity = facts.severity;
    this.limit = facts.limit;
    this.recipientsAtDetection = facts.recipientsAtDetection;
    this.reopenedCount = facts.reopenedCount;
    this.notifiedMark = facts.notifiedMark;
    this.lastActiveMs = facts.lastActiveMs;
    this.closedMs = facts.closedMs;
    this.countedUntil = facts.countedUntil;
    this.countedFrom = facts.countedFrom;
  }

  /** An incident detected now, before its first row is counted. */
  static opened(fields: {
    order: number;
    family: Family;
    key: CampaignKey;
    type: IncidentType;
    severity: SeverityRank;
    detectedMs: number;
    startMs: number;
    startedAfterWeek: boolean;
    firstSequence: number;
    numbers: DetectionNumbers;
  }): Incident {
    const { firstSequence, ...known } = fields;
    return new Incident({
      ...known,
      label: null,
      keys: new Map(),
      series: new Set(),
      members: new Map(),
      escalations: [],
      limit: null,
      recipientsAtDetection: 0,
      reopenedCount: 0,
      notifiedMark: 0,
      lastActiveMs: fields.detectedMs,
      closedMs: null,
      countedUntil: firstSequence,
      countedFrom: firstSequence,
    });
  }

  static load(state: Readonly<IncidentState>): Incident {
    const incident = new Incident(structuredClone(state.facts));
    incident.rows.load(state.rows);
    incident.totals.load(state.totals);
    if (state.peaks !== null) incident.#peaks = Peaks.load(state.peaks);
    return incident;
  }

  save(): IncidentState {
    const { rows, totals, ...facts } = this;
    const peaks = this.#peaks?.save() ?? null;
    return { facts: structuredClone(facts), rows: rows.save(), totals: totals.save(), peaks };
  }

  /** Notes what an analyst said, before the first row is counted. */
  takeLabel(label: Label): void {
    this.label = label;
    if (label.verdict === 'benign') this.#peaks = new Peaks();
  }

  get peaks(): Peaks | null {
    return this.#peaks;
  }

  get campaignKeys(): Iterable<CampaignKey> {
    return this.keys.values();
  }

  get isOpen(): boolean {
    return this.closedMs === null;
  }

  /** Takes a campaign key in; rows already passed over that only it covers are counted now. */
  widen(key: CampaignKey, bits: number, log: RowLog): void {
    if (this.keys.has(keyId(key)) && this.rows.covers(key, bits)) return;
    this.keys.set(keyId(key), key);
    const first = Math.max(this.countedFrom, log.first);
    const { words } = log;
    // Only rows with the key can be new; the latest is found first.
    const keyWord = linkedWordOf(key);
    const uncovered: number[] = [];
    for (let sequence = log.last(keyWord, key.a); sequence >= first; sequence = log.before(sequence, keyWord)) {
      if (sequence < this.countedUntil && !this.rows.matches(words, log.base(sequence))) uncovered.push(sequence);
    }
    this.rows.widen(key, bits);
    for (let index = uncovered.length - 1; index >= 0; index--) {
      if (this.rows.matches(words, log.base(uncovered[index]))) this.#add(log, uncovered[index]);
    }
  }

  /** Counts the rows of the campaign up to now: the incident was active in the last of them. */
  countRows(log: RowLog): void {
    const first = Math.max(this.countedUntil, log.first);
    if (log.next - first > this.keys.size && this.#hasOnlyLinkedKeys()) {
      for (const sequence of this.#linkedRows(log, first)) this.#add(log, sequence);
    } else {
      for (let sequence = first; sequence < log.next; sequence++) {
        if (this.rows.matches(log.words, log.base(sequence))) this.#add(log, sequence);
      }
    }
    this.countedUntil = log.next;
  }

  #add(log: RowLog, sequence: number): void {
    this.totals.add(log, sequence);
    this.#peaks?.add(log.time(sequence), weightOf(log.words, log.base(sequence)));
  }

  #hasOnlyLinkedKeys(): boolean {
    for (const key of this.keys.values()) if (linkedWordOf(key) === null) return false;
    return true;
  }

  /** The rows of the campaign from `first` on, oldest first, found by their keys instead of among all rows. */
  #linkedRows(log: RowLog, first: number): number[] {
    const found = new Set<number>();
    for (const key of this.keys.values()) {
      const keyWord = linkedWordOf(key);
      for (let sequence = log.last(keyWord, key.a); sequence >= first; sequence = log.before(sequence, keyWord)) {
        if (this.rows.matches(log.words, log.base(sequence))) found.add(sequence);
      }
    }
    return [...found].sort((left, right) => left - right);
  }
}

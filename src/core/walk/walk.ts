/**
 * The walk: merged pairs in event-time order go in, incidents come out. A pure, sequential state
 * machine; rows of equal time are one batch. What drives it (a scan, a rescan, a worker, a test) hands
 * it sorted blocks and tells it when now is.
 */

import { DAY_MS, dayOf, HOUR_MS, type HourSlots, MINUTE_MS } from '../calendar.ts';
import type { Explanation, SeverityMark } from '../explanation.ts';
import type { HashTableState } from '../hash-table.ts';
import type { SeriesName } from '../incident-document.ts';
import type { SortedBlock } from '../order.ts';
import {
  CONNECTOR,
  CONNECTOR_ID_MASK,
  FLAGS,
  HEADER_SENDER_DIFFERS,
  MESSAGE_HI,
  MESSAGE_LO,
  POSITION_HI,
  POSITION_LO,
  RECIPIENT_DOMAIN,
  RECIPIENT_HI,
  RECIPIENT_LO,
  RECORD_DOUBLES,
  RECORD_WORDS,
  REFUSAL_ADDRESS_BLOCKED,
  REFUSAL_MASK,
  REFUSAL_SHIFT,
  SENDER_DOMAIN,
  SENDER_HI,
  SENDER_KIND_SHIFT,
  SENDER_LO,
  SENDER_NULL,
  SENDER_SYSTEM,
  SOURCE,
  STATUS_EXPANDED,
  STATUS_FAILED,
  STATUS_FILTERED_AS_SPAM,
  STATUS_MASK,
  SUBJECT,
} from '../record.ts';
import type { DetectionSettings, SeriesSettings, ServiceLimit } from '../series-settings.ts';
import type { ScanSummary } from '../summary.ts';
import { DOMAIN_ACCEPTED, type IdTexts, type TenantModel } from '../tenant.ts';
import { type AllowedRow, type AllowedVolume, AllowList, type AllowListState } from './allow-list.ts';
import { DayClock, type DayClockState, WINDOW_MS, WINDOW_NAMES } from './day-clock.ts';
import { Correspondents, Forwards, type ForwardsState, type ForwardVerdict, MessageWeights } from './forwards.ts';
import type { Hit, LimitHit, MemberCounts } from './hit-facts.ts';
import type { Incident, LimitNumbers } from './incident.ts';
import { IncidentBook, type IncidentBookState } from './incident-book.ts';
import { KeyCounts } from './key-counts.ts';
import { type Finding, KeyedSeries, type KeyedSeriesState, YOUNG_DAYS } from './keyed-series.ts';
import { KnownRecipients, type KnownRecipientsState } from './known-recipients.ts';
import { CeilingMember, SeriesMember } from './members.ts';
import { RampTest, type RampTestState } from './ramp-test.ts';
import {
  LOG_BITS,
  LOG_CONNECTOR,
  LOG_DOMAIN,
  LOG_MAILBOX,
  LOG_MESSAGE_HI,
  LOG_MESSAGE_LO,
  LOG_POSITION_HI,
  LOG_POSITION_LO,
  LOG_RECIPIENT_HI,
  LOG_RECIPIENT_LO,
  LOG_SENDER_HI,
  LOG_SENDER_LO,
  LOG_SOURCE,
  LOG_SUBJECT,
  ROW_EXTERNAL,
  ROW_FORWARD,
  ROW_HEADER_DIFFERS,
  ROW_KNOWN_SENDER,
  ROW_LIMITED,
  ROW_MAILBOX,
  ROW_MAILBOX_TO_STRANGER,
  ROW_NEW,
  ROW_NULL_SENDER,
  ROW_ONMICROSOFT,
  ROW_RECOGNISED_FORWARD,
  ROW_REFUSED,
  ROW_RELAYED,
  ROW_STRANGER,
  ROW_TRUE_NDR,
  ROW_UNREGISTERED,
  ROW_WEIGHED,
  RowLog,
  type RowLogState,
  refusalBits,
  statusBits,
  weightOf,
} from './row-log.ts';
import {
  DictionaryKeys,
  type DictionaryKeysState,
  MailboxKeys,
  type MailboxKeysState,
  type MailboxPlace,
  sourceKeyText,
} from './series-keys.ts';
import { SourceActivity, type SourceActivityState } from './source-activity.ts';
import { countForScore, SCORE_95, scanScore } from './statistics.ts';

/** A series and how its rows are found in the log. */
interface Counter {
  series: KeyedSeries;
  /** Names the counter in member ids; connectors and sources are two counters of one series. */
  name: string;
  bits: number;
  campaignBits: number;
  keyWord: number | null;
  weighted: boolean;
  touched: KeyCounts;
  ramp: RampTest | null;
  /** Members made of keys that hit, or were asked for, while an incident was open. */
  members: Map<number, MemberCounts>;
}

/** The bits by which counters choose their rows. */
const COUNTED_BITS =
  ROW_RELAYED | ROW_UNREGISTERED | ROW_NULL_SENDER | ROW_MAILBOX | ROW_EXTERNAL | ROW_MAILBOX_TO_STRANGER | ROW_NEW;

/** Which rows the series count, and which their campaigns do. */
const SERIES_BITS: Record<SeriesSettings['rows'], { counted: number; campaign: number }> = {
  unregistered: { counted: ROW_UNREGISTERED, campaign: ROW_UNREGISTERED },
  unregistered_not_forwarded: { counted: ROW_RELAYED, campaign: ROW_RELAYED },
  unregistered_new: { counted: ROW_NEW, campaign: ROW_RELAYED },
  accepted_mailbox: { counted: ROW_MAILBOX, campaign: ROW_MAILBOX },
  accepted_mailbox_to_stranger: { counted: ROW_MAILBOX_TO_STRANGER, campaign: ROW_MAILBOX },
  external: { counted: ROW_EXTERNAL, campaign: ROW_EXTERNAL },
};
/** What appeared is new for so long. */
const NEW_MS = 14 * DAY_MS;

/** Microsoft's limits count a trailing 24 hours. */
const LIMIT_WINDOW = 3;
/** From this day of the tenant on so many recipients are known that the others are strangers. */
const STRANGERS_FROM_DAY = 14;
const KNOWN_WAY_IN_MS = DAY_MS;

/** Everything a walk remembers, as plain data. Keys of domains, connectors and sources are dictionary ids. */
export interface WalkState {
  clock: DayClockState;
  log: RowLogState;
  forwards: ForwardsState;
  correspondents: HashTableState;
  weights: HashTableState;
  domainKeys: DictionaryKeysState;
  connectorKeys: DictionaryKeysState;
  sourceKeys: DictionaryKeysState;
  mailboxKeys: MailboxKeysState;
  series: KeyedSeriesState[];
  ramps: (RampTestState | null)[];
  knownRecipients: KnownRecipientsState;
  sourceActivity: SourceActivityState;
  allowList: AllowListState;
  book: IncidentBookState;
  windowFirst: number[];
  sourceSeenMs: Float64Array;
  sourceKeySeenMs: number[];
  connectorSeenMs: number[];
  domainSeenMs: number[];
  counts: WalkCounts;
}

/** Numbers that only grow or pass through: what was seen, and what counts against Microsoft's limits. */
interface WalkCounts {
  limitedRecipients: number;
  onMicrosoftRecipients: number;
  firstMs: number;
  lastMs: number;
  days: number;
  pairs: number;
  external: number;
  unregistered: number;
}

export interface WalkOptions {
  /** Seeds the hashes of the rows. */
  tenantKey: string;
  /** The id under which an incident is published; asked only where there are labels. */
  idOf(incident: Incident): string;
  /** Told of every incident that a count has raised, and why; `explain()` works the numbers out. */
  onOpened?(incident: Incident, explain: () => Explanation): void;
}

export class Walk {
  readonly #settings: DetectionSettings;
  readonly #tenant: TenantModel;
  readonly #clock: DayClock;
  readonly #log = new RowLog();
  readonly #forwards = new Forwards();
  readonly #correspondents = new Correspondents();
  readonly #weights = new MessageWeights();
  readonly #domainKeys: DictionaryKeys;
  readonly #connectorKeys: DictionaryKeys;
  readonly #sourceKeys: DictionaryKeys;
  readonly #mailboxKeys = new MailboxKeys();
  readonly #knownRecipients = new KnownRecipients();
  readonly #sourceActivity: SourceActivity;
  readonly #allowList: AllowList;
  readonly #allowedRow: AllowedRow = {
    domain: 0,
    connector: 0,
    source: 0,
    senderLo: 0,
    senderHi: 0,
    isRefused: false,
    isKnownWayIn: true,
  };
  readonly #counters: Counter[] = [];
  /** The counters of a row, by those of its bits that counters choose by. */
  readonly #countersByBits: Counter[][];
  readonly #counterByName = new Map<string, Counter>();
  readonly #recipientCounter: Counter;
  readonly #mailboxCounter: Counter;
  readonly #domainCounter: Counter;
  readonly #ramped: { ramp: RampTest; name: string }[] = [];
  /** Our ceilings on a mailbox, by index of their window. */
  readonly #ceilings: readonly { window: number; recipients: number }[];
  readonly #book: IncidentBook;
  /** Sequence number of the first row inside each window. */
  #windowFirst = [0, 0, 0, 0];
  /** First event time by dictionary id of the source, and by connector key. */
  #sourceSeenMs: Float64Array = new Float64Array(1024);
  #sourceKeySeenMs: number[] = [0];
  #connectorSeenMs: number[] = [0];
  #domainSeenMs: number[] = [0];
  /** Kinds of refusal by which the tenant is blocked, in this batch. */
  readonly #blocks = new Set<number>();
  #counts: WalkCounts = {
    limitedRecipients: 0,
    onMicrosoftRecipients: 0,
    firstMs: Number.NaN,
    lastMs: Number.NEGATIVE_INFINITY,
    days: 0,
    pairs: 0,
    external: 0,
    unregistered: 0,
  };

  constructor(
    settings: DetectionSettings,
    tenant: TenantModel,
    slotsOf: HourSlots,
    texts: IdTexts,
    { tenantKey, idOf, onOpened }: WalkOptions = { tenantKey: 'default', idOf: () => '' },
  ) {
    this.#settings = settings;
    this.#tenant = tenant;
    this.#clock = new DayClock(slotsOf);
    this.#sourceActivity = new SourceActivity(this.#clock);
    this.#allowList = new AllowList(
      settings.feedback.allow,
      tenantKey,
      texts,
      this.#tenantServiceLimit()?.budget ?? null,
    );
    this.#domainKeys = new DictionaryKeys((id) => texts.domain(id));
    this.#connectorKeys = new DictionaryKeys((id) => texts.connector(id));
    this.#sourceKeys = new DictionaryKeys(
      (id) => sourceKeyText(texts.source(id)),
      (text) => text.endsWith('/64'),
    );
    for (const series of settings.series) this.#addCounters(series);
    this.#countersByBits = Array.from({ length: COUNTED_BITS + 1 }, (_, bits) =>
      this.#counters.filter((counter) => (counter.bits & bits) !== 0),
    );
    const bySeries = (name: string) => (this.#counterByName.get(name) as Counter).series;
    this.#recipientCounter = this.#counterByName.get('mailbox_recipients') as Counter;
    this.#mailboxCounter = this.#counterByName.get('mailbox') as Counter;
    this.#domainCounter = this.#counterByName.get('unregistered_domain') as Counter;
    this.#ceilings = settings.ceilings.mailbox.map(({ window, recipients }) => ({
      window: WINDOW_NAMES.indexOf(window),
      recipients,
    }));
    const changes = new Map<string, number>();
    for (const { name, createdMs, changedMs } of settings.feedback.connectors ?? []) {
      const latestMs = Math.max(createdMs ?? 0, changedMs ?? 0, changes.get(name.toLowerCase()) ?? 0);
      if (latestMs > 0) changes.set(name.toLowerCase(), latestMs);
    }
    this.#book = new IncidentBook({
      log: this.#log,
      labels: new Map(settings.feedback.labels.map((label) => [label.incident, label])),
      idOf,
      opened: (incident, hit, timeMs) => onOpened?.(incident, () => this.#explain(hit, timeMs)),
      teachNothing: (incident, timeMs) => this.#teachNothing(incident, timeMs),
      explain: (id) => this.#counterByName.get(id.split('|')[0])?.ramp?.explain(),
      connectors: bySeries('unregistered_source:connector'),
      sources: bySeries('unregistered_source:source'),
      domains: bySeries('unregistered_domain'),
      mailboxes: bySeries('mailbox'),
      textOf: (kind, key) => this.keyText(kind, key),
      member: (id) => this.#member(id),
      touchedMembers: () => this.#touchedMembers(),
      tenantFirstMs: () => this.#counts.firstMs,
      sourceFirstSeenMs: (key) => this.#sourceKeySeenMs[key],
      connectorFirstSeenMs: (key) => this.#connectorSeenMs[key],
      domainFirstSeenMs: (key) => this.#domainSeenMs[key],
      connectorChangedMs: (key) => changes.get(this.#connectorKeys.text(key).toLowerCase()) ?? null,
      flushOf: (source, timeMs) => this.#sourceActivity.flushOf(source, timeMs),
      tenantSeries: (name) => this.#tenantSeries(name),
      knowsRecipients: () => this.#clock.tenantDay >= STRANGERS_FROM_DAY,
      tenantBudget: () => this.#tenantServiceLimit()?.budget ?? null,
      tenantLimit: (timeMs) => this.#tenantLimit(timeMs),
      limitForecast: (limit, timeMs, bits, mailbox) => this.#forecast(limit, timeMs, bits, mailbox),
    });
  }

  /** A copy of the state, from which the same walk can go on. */
  save(): WalkState {
    return {
      clock: this.#clock.save(),
      log: this.#log.save(),
      forwards: this.#forwards.save(),
      correspondents: this.#correspondents.save(),
      weights: this.#weights.save(),
      domainKeys: this.#domainKeys.save(),
      connectorKeys: this.#connectorKeys.save(),
      sourceKeys: this.#sourceKeys.save(),
      mailboxKeys: this.#mailboxKeys.save(),
      series: this.#counters.map((counter) => counter.series.save()),
      ramps: this.#counters.map((counter) => counter.ramp?.save() ?? null),
      knownRecipients: this.#knownRecipients.save(),
      sourceActivity: this.#sourceActivity.save(),
      allowList: this.#allowList.save(),
      book: this.#book.save(),
      windowFirst: this.#windowFirst.slice(),
      sourceSeenMs: this.#sourceSeenMs.slice(),
      sourceKeySeenMs: this.#sourceKeySeenMs.slice(),
      connectorSeenMs: this.#connectorSeenMs.slice(),
      domainSeenMs: this.#domainSeenMs.slice(),
      counts: { ...this.#counts },
    };
  }

  /** Goes back, or on, to a saved state; it may be loaded again. */
  load(state: Readonly<WalkState>): void {
    this.#clock.load(state.clock);
    this.#log.load(state.log);
    this.#forwards.load(state.forwards);
    this.#correspondents.load(state.correspondents);
    this.#weights.load(state.weights);
    this.#domainKeys.load(state.domainKeys);
    this.#connectorKeys.load(state.connectorKeys);
    this.#sourceKeys.load(state.sourceKeys);
    this.#mailboxKeys.load(state.mailboxKeys);
    this.#counters.forEach((counter, index) => {
      counter.series.load(state.series[index]);
      const ramp = state.ramps[index];
      if (ramp !== null) counter.ramp?.load(ramp);
    });
    this.#knownRecipients.load(state.knownRecipients);
    this.#sourceActivity.load(state.sourceActivity);
    this.#allowList.load(state.allowList);
    this.#book.load(state.book);
    this.#windowFirst = state.windowFirst.slice();
    this.#sourceSeenMs = state.sourceSeenMs.slice();
    this.#sourceKeySeenMs = state.sourceKeySeenMs.slice();
    this.#connectorSeenMs = state.connectorSeenMs.slice();
    this.#domainSeenMs = state.domainSeenMs.slice();
    this.#counts = { ...state.counts };
  }

  get incidents(): readonly Incident[] {
    return this.#book.incidents;
  }

  /** The incidents as they would be if `nowMs` were the end; the walk can go on. */
  incidentsAt(nowMs: number): readonly Incident[] {
    return this.#book.at(nowMs);
  }

  /** What raises the severity of an incident, by a step each. */
  marksOf(incident: Incident): SeverityMark[] {
    return this.#book.marksOf(incident);
  }

  /** What each entry of the allow-list has hidden, in the order of the list. */
  get allowed(): readonly AllowedVolume[] {
    return this.#allowList.volumes;
  }

  /** First and last event time, days with rows, and distinct pairs: what was looked at. */
  get seen(): Omit<ScanSummary, 'acceptedDomains'> {
    const none = this.#counts.days === 0;
    return {
      firstMs: none ? null : this.#counts.firstMs,
      lastMs: none ? null : this.#counts.lastMs,
      days: this.#counts.days,
      pairs: this.#counts.pairs,
      external: this.#counts.external,
      unregistered: this.#counts.unregistered,
    };
  }

  /** The text of a campaign key; for a mailbox the hash, since its address is read from the export. */
  keyText(kind: 'connector' | 'source' | 'domain' | 'mailbox', key: number): string {
    if (kind === 'connector') return this.#connectorKeys.text(key);
    if (kind === 'source') return this.#sourceKeys.text(key);
    if (kind === 'domain') return this.#domainKeys.text(key);
    const place = this.#mailboxKeys.place(key);
    return `${place.mailboxHi}.${place.mailboxLo}`;
  }

  mailboxPlace(key: number): MailboxPlace {
    return this.#mailboxKeys.place(key);
  }

  /** Walks a sorted block; blocks come in order of time and never share an event time. */
  block(block: SortedBlock): void {
    const { doubles, count } = block;
    let first = 0;
    while (first < count) {
      const timeMs = doubles[first * RECORD_DOUBLES];
      let end = first + 1;
      while (end < count && doubles[end * RECORD_DOUBLES] === timeMs) end++;
      this.#batch(block.words, first, end, timeMs);
      first = end;
    }
  }

  /** All rows are in; `nowMs` decides what is still open. */
  finish(nowMs: number): void {
    this.#book.finish(nowMs);
  }

  #batch(words: Uint32Array, first: number, end: number, timeMs: number): void {
    const day = dayOf(timeMs);
    if (day !== this.#clock.day) this.#enterDay(day, timeMs);
    this.#counts.lastMs = timeMs;
    if (this.#book.hasOpen) this.#closeBefore(timeMs);
    for (const { ramp, name } of this.#ramped) ramp.moveTo(timeMs, this.#book.isOpenFor(`${name}|0`));
    let leaves = false;
    for (let index = first; index < end; index++) {
      const base = index * RECORD_WORDS;
      if ((words[base + FLAGS] & STATUS_MASK) === STATUS_EXPANDED) continue;
      this.#counts.pairs++;
      this.#noteSource(words, base, timeMs);
      if (this.#tenant.domainClass(words[base + RECIPIENT_DOMAIN]) === DOMAIN_ACCEPTED) {
        this.#arrival(words, base, timeMs);
      } else {
        leaves = true;
      }
    }
    if (!leaves) return;
    this.#expire(timeMs);
    const batchFirst = this.#log.next;
    const { limitedRecipients, onMicrosoftRecipients } = this.#counts;
    for (let index = first; index < end; index++) {
      const base = index * RECORD_WORDS;
      if ((words[base + FLAGS] & STATUS_MASK) === STATUS_EXPANDED) continue;
      if (this.#tenant.domainClass(words[base + RECIPIENT_DOMAIN]) !== DOMAIN_ACCEPTED) {
        this.#departure(words, base, timeMs);
      }
    }
    const hits = this.#test(timeMs);
    const limitHits = this.#testLimits(limitedRecipients, onMicrosoftRecipients);
    if (hits.length > 0 || limitHits.length > 0 || this.#blocks.size > 0 || this.#book.hasOpen) {
      this.#book.takeBatch(timeMs, batchFirst, hits, limitHits, this.#blocks);
      this.#blocks.clear();
    }
    for (const counter of this.#counters) counter.touched.clear();
  }

  #enterDay(day: number, timeMs: number): void {
    if (this.#counts.days === 0) this.#counts.firstMs = timeMs;
    else {
      const walked = this.#clock.day;
      for (const { ramp, name } of this.#ramped) ramp.endDay(walked, this.#book.isOpenFor(`${name}|0`));
      for (const counter of this.#counters) counter.series.endDay(walked);
      this.#forwards.endDay(walked);
      this.#sourceActivity.endDay(walked);
    }
    this.#counts.days++;
    this.#clock.enter(day, timeMs, (sealed, exposure) => {
      const first = this.#log.firstAfter(sealed * DAY_MS - 1);
      const end = this.#log.firstAfter((sealed + 1) * DAY_MS - 1);
      const keyed = this.#counters.filter(({ keyWord }) => keyWord !== null);
      this.#knownRecipients.seal(sealed, this.#log, first, end, (words, base) =>
        keyed.some(({ series, keyWord }) => series.isAbused(words[base + (keyWord as number)], sealed)),
      );
      for (const counter of this.#counters) counter.series.seal(sealed, exposure);
      this.#forwards.seal(sealed);
      this.#sourceActivity.seal(sealed);
    });
    this.#expire(day * DAY_MS);
    for (const counter of this.#counters) counter.series.beginDay(day);
    for (const { ramp } of this.#ramped) ramp.beginDay(day);
    this.#allowList.beginDay();
    this.#correspondents.forgetBefore(day * DAY_MS);
    this.#weights.forgetBefore(day * DAY_MS);
    this.#log.forgetBefore((day - 1) * DAY_MS);
    for (let window = 0; window < 4; window++) {
      if (this.#windowFirst[window] < this.#log.first) this.#windowFirst[window] = this.#log.first;
    }
  }

  /** Closes incidents; with that of its series a ramp begins anew. */
  #closeBefore(timeMs: number): void {
    const open = this.#ramped.filter(({ name }) => this.#book.isOpenFor(`${name}|0`));
    this.#book.closeBefore(timeMs);
    for (const { ramp, name } of open) if (!this.#book.isOpenFor(`${name}|0`)) ramp.reset();
  }

  /** Mail to a mailbox here: the way in of forwards, and what true NDRs answer to. */
  #arrival(words: Uint32Array, base: number, timeMs: number): void {
    this.#forwards.wayIn(timeMs, words, base);
    const kind = (words[base + FLAGS] >>> SENDER_KIND_SHIFT) & 3;
    if (kind === SENDER_NULL) return;
    if (this.#tenant.domainClass(words[base + SENDER_DOMAIN]) === DOMAIN_ACCEPTED) return;
    this.#correspondents.wrote(timeMs, words[base + SENDER_LO], words[base + SENDER_HI]);
  }

  /** Mail to an external recipient: into the log and the series. */
  #departure(words: Uint32Array, base: number, timeMs: number): void {
    this.#counts.external++;
    const log = this.#log;
    const weight = this.#weights.weigh(timeMs, words[base + MESSAGE_LO], words[base + MESSAGE_HI]);
    this.#clock.count(timeMs, weight);
    const flags = words[base + FLAGS];
    const kind = (flags >>> SENDER_KIND_SHIFT) & 3;
    const senderDomain = words[base + SENDER_DOMAIN];
    const isAccepted = this.#tenant.domainClass(senderDomain) === DOMAIN_ACCEPTED;
    // An accepted domain is never the key of a campaign.
    const domain = isAccepted ? 0 : this.#domainKeys.key(senderDomain);
    const recipientLo = words[base + RECIPIENT_LO];
    const recipientHi = words[base + RECIPIENT_HI];
    const isStranger =
      this.#clock.tenantDay >= STRANGERS_FROM_DAY && !this.#knownRecipients.isKnown(recipientLo, recipientHi);
    let bits = ROW_EXTERNAL;
    let mailbox = 0;
    if (kind === SENDER_NULL) {
      bits |= this.#correspondents.isKnown(timeMs, recipientLo, recipientHi) ? ROW_TRUE_NDR : ROW_NULL_SENDER;
    } else if (isAccepted) {
      if (kind !== SENDER_SYSTEM) {
        bits |= ROW_MAILBOX | ROW_LIMITED;
        if (isStranger) bits |= ROW_MAILBOX_TO_STRANGER;
        mailbox = this.#senderKey(words, base);
        if (this.#mailboxCounter.series.hasLearned(mailbox)) bits |= ROW_KNOWN_SENDER;
        if (this.#tenant.isOnMicrosoft(senderDomain)) bits |= ROW_ONMICROSOFT;
      }
    } else if (senderDomain !== 0) {
      this.#counts.unregistered++;
      bits |= ROW_UNREGISTERED | ROW_LIMITED;
      if (this.#domainCounter.series.hasLearned(domain)) bits |= ROW_KNOWN_SENDER;
      const verdict = this.#forwards.judge(timeMs, words, base);
      if (verdict.isForward) {
        bits |= ROW_FORWARD;
        mailbox = this.#forwarderKey(verdict);
      }
      bits |= verdict.isRecognised ? ROW_RECOGNISED_FORWARD : ROW_RELAYED;
    }
    const status = flags & STATUS_MASK;
    if (status === STATUS_FAILED || status === STATUS_FILTERED_AS_SPAM) bits |= ROW_REFUSED;
    if (weight === 1) bits |= ROW_WEIGHED;
    if (isStranger) bits |= ROW_STRANGER;
    const traits = words[base + CONNECTOR];
    if ((traits & HEADER_SENDER_DIFFERS) !== 0) bits |= ROW_HEADER_DIFFERS;
    const refusal = (traits >>> REFUSAL_SHIFT) & REFUSAL_MASK;
    if (refusal >= REFUSAL_ADDRESS_BLOCKED) this.#blocks.add(refusal);

    const sequence = log.append(timeMs);
    const row = log.base(sequence);
    const target = log.words;
    target[row + LOG_BITS] = bits | statusBits(status) | refusalBits(refusal);
    target[row + LOG_DOMAIN] = domain;
    target[row + LOG_CONNECTOR] = this.#connectorKeys.key(traits & CONNECTOR_ID_MASK);
    target[row + LOG_SOURCE] = this.#sourceKeys.key(words[base + SOURCE]);
    target[row + LOG_SENDER_LO] = words[base + SENDER_LO];
    target[row + LOG_SENDER_HI] = words[base + SENDER_HI];
    target[row + LOG_MAILBOX] = mailbox;
    target[row + LOG_MESSAGE_LO] = words[base + MESSAGE_LO];
    target[row + LOG_MESSAGE_HI] = words[base + MESSAGE_HI];
    target[row + LOG_RECIPIENT_LO] = recipientLo;
    target[row + LOG_RECIPIENT_HI] = recipientHi;
    target[row + LOG_SUBJECT] = words[base + SUBJECT];
    target[row + LOG_POSITION_LO] = words[base + POSITION_LO];
    target[row + LOG_POSITION_HI] = words[base + POSITION_HI];
    this.#noteSourceKey(target[row + LOG_SOURCE], words[base + SOURCE]);
    if (domain === this.#domainSeenMs.length) this.#domainSeenMs.push(timeMs);
    if ((bits & ROW_RELAYED) !== 0 && this.#isNew(target, row, timeMs)) target[row + LOG_BITS] |= ROW_NEW;
    if (target[row + LOG_SOURCE] !== 0) this.#sourceActivity.add(target[row + LOG_SOURCE], timeMs);
    if (!this.#allowList.isEmpty && this.#isHidden(words, base, target, row, timeMs)) {
      // What is wanted is counted against the limits alone, and belongs to no campaign.
      target[row + LOG_BITS] &= ~COUNTED_BITS;
    }
    log.link(sequence);
    this.#countRow(target, row, timeMs);
  }

  /** Whether the domain, source or connector of a row appeared lately; in the tenant's first week everything does. */
  #isNew(target: Uint32Array, row: number, timeMs: number): boolean {
    if (this.#clock.tenantDay < YOUNG_DAYS) return false;
    // A forward whose way in has not arrived yet is no news.
    if (this.#forwards.isTarget(target[row + LOG_RECIPIENT_LO], target[row + LOG_RECIPIENT_HI])) return false;
    const sinceMs = Math.max(timeMs - NEW_MS, (dayOf(this.#counts.firstMs) + YOUNG_DAYS) * DAY_MS);
    return (
      this.#domainSeenMs[target[row + LOG_DOMAIN]] > sinceMs ||
      this.#sourceKeySeenMs[target[row + LOG_SOURCE]] > sinceMs ||
      this.#connectorSeenMs[target[row + LOG_CONNECTOR]] > sinceMs
    );
  }

  /** Whether the allow-list hides a row from the series. */
  #isHidden(words: Uint32Array, base: number, target: Uint32Array, row: number, timeMs: number): boolean {
    const allowed = this.#allowedRow;
    allowed.domain = words[base + SENDER_DOMAIN];
    allowed.connector = words[base + CONNECTOR] & CONNECTOR_ID_MASK;
    allowed.source = words[base + SOURCE];
    allowed.senderLo = words[base + SENDER_LO];
    allowed.senderHi = words[base + SENDER_HI];
    allowed.isRefused = (target[row + LOG_BITS] & ROW_REFUSED) !== 0;
    const connector = target[row + LOG_CONNECTOR];
    const source = target[row + LOG_SOURCE];
    const knownMs = timeMs - KNOWN_WAY_IN_MS;
    allowed.isKnownWayIn =
      this.#clock.tenantDay < YOUNG_DAYS ||
      ((connector === 0 || this.#connectorSeenMs[connector] <= knownMs) &&
        (source === 0 || this.#sourceKeySeenMs[source] <= knownMs));
    return this.#allowList.hides(allowed, timeMs);
  }

  #countRow(words: Uint32Array, row: number, timeMs: number): void {
    const bits = words[row + LOG_BITS];
    const weight = weightOf(words, row);
    for (const counter of this.#countersByBits[bits & COUNTED_BITS]) {
      const key = counter.keyWord === null ? 0 : words[row + counter.keyWord];
      if (counter.keyWord !== null && key === 0) continue;
      const amount = counter.weighted ? weight : 1;
      if (amount === 0) continue;
      counter.series.add(key, amount, timeMs);
      counter.ramp?.add(amount, timeMs);
      counter.touched.add(key, 1);
    }
    if ((bits & ROW_LIMITED) !== 0) this.#counts.limitedRecipients++;
    if ((bits & ROW_ONMICROSOFT) !== 0) this.#counts.onMicrosoftRecipients++;
  }

  /** Takes the rows out of the windows (t−W, t]. */
  #expire(timeMs: number): void {
    const log = this.#log;
    for (let window = 0; window < 4; window++) {
      const untilMs = timeMs - WINDOW_MS[window];
      let sequence = this.#windowFirst[window];
      while (sequence < log.next && log.time(sequence) <= untilMs) {
        this.#expireRow(log.words, log.base(sequence), window);
        sequence++;
      }
      this.#windowFirst[window] = sequence;
    }
  }

  #expireRow(words: Uint32Array, row: number, window: number): void {
    const bits = words[row + LOG_BITS];
    const weight = weightOf(words, row);
    for (const counter of this.#countersByBits[bits & COUNTED_BITS]) {
      const key = counter.keyWord === null ? 0 : words[row + counter.keyWord];
      if (counter.keyWord !== null && key === 0) continue;
      const amount = counter.weighted ? weight : 1;
      if (amount !== 0) counter.series.expire(key, window, amount);
    }
    if (window !== LIMIT_WINDOW) return;
    if ((bits & ROW_LIMITED) !== 0) this.#counts.limitedRecipients--;
    if ((bits & ROW_ONMICROSOFT) !== 0) this.#counts.onMicrosoftRecipients--;
  }

  #test(timeMs: number): Hit[] {
    const hits: Hit[] = [];
    for (const counter of this.#counters) {
      const { series, touched } = counter;
      for (let index = 0; index < touched.size; index++) {
        const key = touched.keys[index];
        const finding = series.test(key, timeMs);
        const hit = finding === null ? this.#testRamp(counter, timeMs) : windowHit(finding);
        if (hit === null) continue;
        series.markIncident(key);
        hits.push({
          ...hit,
          member: this.#seriesMember(counter, key),
          series: series.settings.name,
          family: series.settings.family,
          rows: { bits: counter.bits, keyWord: counter.keyWord, key, weighted: counter.weighted },
          campaignBits: counter.campaignBits,
        });
      }
    }
    this.#testCeilings(hits);
    return hits;
  }

  #testRamp({ ramp, series }: Counter, timeMs: number): HitNumbers | null {
    const finding = ramp?.test(timeMs) ?? null;
    if (finding === null) return null;
    const { mean, inverseSize } = series.expectation(0, LIMIT_WINDOW, timeMs);
    return {
      statistic: 'cusum',
      window: LIMIT_WINDOW,
      windowName: `${Math.max(1, Math.ceil((timeMs - finding.sinceMs) / HOUR_MS))}h`,
      startMs: finding.firstRowMs,
      observed: finding.observed,
      mean: finding.mean,
      inverseSize,
      score: finding.nats,
      counted: series.count(0, LIMIT_WINDOW),
      expected: mean,
    };
  }

  /** Our own ceilings on mailboxes. */
  #testCeilings(hits: Hit[]): void {
    const counter = this.#recipientCounter;
    const { touched } = counter;
    for (let index = 0; index < touched.size; index++) {
      const key = touched.keys[index];
      let best: { window: number; observed: number; share: number } | null = null;
      for (const { window, recipients } of this.#ceilings) {
        const observed = counter.series.count(key, window);
        if (observed < recipients) continue;
        const limit = this.#ceiling(key, window, recipients);
        if (observed < limit || (best !== null && observed / limit <= best.share)) continue;
        best = { window, observed, share: observed / limit };
      }
      if (best === null) continue;
      hits.push({
        member: this.#member(`ceiling|${key}`),
        series: 'ceiling',
        family: 'bulk',
        statistic: 'ceiling',
        window: best.window,
        windowName: WINDOW_NAMES[best.window],
        startMs: null,
        observed: best.observed,
        mean: null,
        inverseSize: 0,
        score: best.share,
        counted: best.observed,
        expected: 0,
        rows: { bits: ROW_MAILBOX, keyWord: LOG_MAILBOX, key, weighted: false },
        campaignBits: ROW_MAILBOX,
      });
    }
  }

  #ceiling(key: number, window: number, recipients: number): number {
    const { records } = this.#recipientCounter.series;
    if (records === null || records.knownDays(key) < 7) return recipients;
    return Math.max(recipients, this.#settings.ceilings.recordFactor * records.own(key, window));
  }

  /** Microsoft's limits, where the batch counted against them; the counts are those before it. */
  #testLimits(limitedBefore: number, onMicrosoftBefore: number): LimitHit[] {
    const hits: LimitHit[] = [];
    for (const limit of this.#settings.ceilings.limits) {
      const lowest = limit.marks[0] * limit.budget;
      if (limit.scope === 'mailbox') {
        const counter = this.#recipientCounter;
        const { touched } = counter;
        for (let index = 0; index < touched.size; index++) {
          const key = touched.keys[index];
          const used = counter.series.count(key, LIMIT_WINDOW);
          if (used >= lowest) hits.push({ ...limitHit(limit, used), mailbox: key, bits: ROW_MAILBOX });
        }
        continue;
      }
      const isTenant = limit.scope === 'tenant';
      const used = isTenant ? this.#counts.limitedRecipients : this.#counts.onMicrosoftRecipients;
      if (used >= lowest && used > (isTenant ? limitedBefore : onMicrosoftBefore)) {
        hits.push({ ...limitHit(limit, used), mailbox: 0, bits: isTenant ? ROW_LIMITED : ROW_ONMICROSOFT });
      }
    }
    return hits;
  }

  #tenantServiceLimit(): ServiceLimit | undefined {
    return this.#settings.ceilings.limits.find((candidate) => candidate.scope === 'tenant');
  }

  #tenantLimit(timeMs: number): LimitNumbers | null {
    const limit = this.#tenantServiceLimit();
    if (limit === undefined) return null;
    const used = this.#counts.limitedRecipients;
    const forecastMs = this.#forecast({ used, budget: limit.budget }, timeMs, ROW_LIMITED, 0);
    return { name: limit.name, used, budget: limit.budget, forecastMs };
  }

  /**
   * The first minute within 24 h at which the rows still in the window plus the last hour's rate
   * reach the budget; null where none does.
   */
  #forecast(limit: { used: number; budget: number }, timeMs: number, bits: number, mailbox: number): number | null {
    if (limit.used >= limit.budget) return timeMs;
    const log = this.#log;
    const counts = (sequence: number) => {
      const row = log.base(sequence);
      return (log.words[row + LOG_BITS] & bits) !== 0 && (mailbox === 0 || log.words[row + LOG_MAILBOX] === mailbox);
    };
    let lastHour = 0;
    for (let sequence = this.#windowFirst[1]; sequence < log.next; sequence++) if (counts(sequence)) lastHour++;
    let leaving = this.#windowFirst[LIMIT_WINDOW];
    let remaining = limit.used;
    for (let minute = 1; minute <= 24 * 60; minute++) {
      const atMs = (Math.floor(timeMs / MINUTE_MS) + minute) * MINUTE_MS;
      while (leaving < log.next && log.time(leaving) <= atMs - DAY_MS) {
        if (counts(leaving)) remaining--;
        leaving++;
      }
      if (remaining + (lastHour * (atMs - timeMs)) / HOUR_MS >= limit.budget) return atMs;
    }
    return null;
  }

  #explain(hit: Hit, timeMs: number): Explanation {
    const [name, keyText] = hit.member.id.split('|');
    const key = Number(keyText);
    const counter = this.#counterByName.get(name) ?? this.#recipientCounter;
    const { series, ramp, keyWord } = counter;
    const isCeiling = hit.statistic === 'ceiling';
    const counts = hit.member.counts();
    const critical = hit.statistic === 'cusum' ? (series.settings.ramp?.threshold ?? 0) : hit.member.zCritical;
    const keyKind =
      keyWord === null
        ? 'tenant'
        : keyWord === LOG_DOMAIN
          ? 'domain'
          : keyWord === LOG_CONNECTOR
            ? 'connector'
            : keyWord === LOG_SOURCE
              ? 'source'
              : 'mailbox';
    return {
      series: hit.series,
      statistic: hit.statistic,
      rows: series.settings.rows,
      key: keyKind === 'tenant' ? '' : this.keyText(keyKind, key),
      keyNumber: keyKind === 'tenant' ? 0 : key,
      keyKind,
      unit: series.settings.unit,
      atMs: timeMs,
      critical,
      levelPerDay: isCeiling ? null : series.level(key),
      learnedDays: this.#clock.days,
      windows: counts.map((count, window) => {
        const floor = hit.member.floor(window);
        const numbers = { window: WINDOW_NAMES[window], count, floor };
        if (isCeiling)
          return { ...numbers, expected: null, expectedP95: null, variance: null, score: null, needed: null };
        const { mean, inverseSize } = series.expectation(key, window, timeMs);
        return {
          ...numbers,
          expected: mean,
          expectedP95: countForScore(SCORE_95, mean, inverseSize),
          variance: inverseSize,
          score: scanScore(count, mean, inverseSize),
          needed: Math.max(Math.ceil(floor), countForScore(hit.member.zCritical, mean, inverseSize)),
        };
      }),
      expectedByHour: isCeiling ? [] : this.#expectedByHour(series, key, timeMs),
      ramp: ramp?.path ?? null,
    };
  }

  #expectedByHour(series: KeyedSeries, key: number, timeMs: number): number[] {
    const perHour = series.level(key) / 24;
    const endMs = (Math.floor(timeMs / HOUR_MS) + 1) * HOUR_MS;
    return Array.from({ length: 24 }, (_, hour) => {
      const fromMs = endMs - (24 - hour) * HOUR_MS;
      return perHour * this.#clock.seasonHours(fromMs, fromMs + HOUR_MS);
    });
  }

  #member(id: string): MemberCounts {
    const [name, keyText] = id.split('|');
    const key = Number(keyText);
    if (name !== 'ceiling') return this.#seriesMember(this.#counterByName.get(name) as Counter, key);
    return new CeilingMember(id, this.#recipientCounter.series, key, this.#settings.ceilings.mailbox);
  }

  #seriesMember(counter: Counter, key: number): MemberCounts {
    let member = counter.members.get(key);
    if (member === undefined) {
      member = new SeriesMember(`${counter.name}|${key}`, counter.series, key);
      counter.members.set(key, member);
    }
    return member;
  }

  #touchedMembers(): MemberCounts[] {
    const members: MemberCounts[] = [];
    for (const counter of this.#counters) {
      const { touched } = counter;
      for (let index = 0; index < touched.size; index++) members.push(this.#seriesMember(counter, touched.keys[index]));
    }
    return members;
  }

  #addCounters(settings: SeriesSettings): void {
    const { counted, campaign } = SERIES_BITS[settings.rows];
    const add = (name: string, keyWord: number | null, more = 0) => {
      const series = new KeyedSeries(settings, this.#clock);
      const counter: Counter = {
        series,
        name,
        bits: counted | more,
        campaignBits: campaign | more,
        keyWord,
        weighted: settings.unit === 'weight',
        touched: new KeyCounts(),
        ramp: settings.ramp === null ? null : new RampTest(settings.ramp, series, this.#clock),
        members: new Map(),
      };
      this.#counters.push(counter);
      this.#counterByName.set(name, counter);
      if (counter.ramp !== null) this.#ramped.push({ ramp: counter.ramp, name });
    };
    if (settings.key === 'source') {
      // Null senders count for the source they come through, unless they are true NDRs.
      add(`${settings.id}:connector`, LOG_CONNECTOR, ROW_NULL_SENDER);
      add(`${settings.id}:source`, LOG_SOURCE, ROW_NULL_SENDER);
    } else if (settings.key === 'tenant') add(settings.id, null);
    else add(settings.id, settings.key === 'domain' ? LOG_DOMAIN : LOG_MAILBOX);
  }

  #tenantSeries(name: SeriesName): KeyedSeries | null {
    const counter = this.#counterByName.get(name);
    return counter === undefined || counter.keyWord !== null ? null : counter.series;
  }

  /** The day of an incident that is abuse, and the day before, teach nothing about its members and the whole tenant. */
  #teachNothing(incident: Incident, timeMs: number): void {
    const today = dayOf(timeMs);
    const first = Math.max(dayOf(incident.startMs), today - 1);
    for (let day = first; day <= today; day++) {
      for (const counter of this.#counters) if (counter.keyWord === null) counter.series.teachNothing(0, day);
      for (const id of incident.members.keys()) {
        const [name, key] = id.split('|');
        this.#counterByName.get(name)?.series.teachNothing(Number(key), day);
      }
    }
  }

  #senderKey(words: Uint32Array, base: number): number {
    const mailboxLo = words[base + SENDER_LO];
    const mailboxHi = words[base + SENDER_HI];
    return (
      this.#mailboxKeys.find(mailboxLo, mailboxHi) ||
      this.#mailboxKeys.add({
        mailboxLo,
        mailboxHi,
        positionLo: words[base + POSITION_LO],
        positionHi: words[base + POSITION_HI],
        messageLo: words[base + MESSAGE_LO],
        messageHi: words[base + MESSAGE_HI],
        recipientLo: words[base + RECIPIENT_LO],
        recipientHi: words[base + RECIPIENT_HI],
        isRecipient: false,
      })
    );
  }

  #forwarderKey(verdict: Readonly<ForwardVerdict>): number {
    const { mailboxLo, mailboxHi, positionLo, positionHi } = verdict;
    return (
      this.#mailboxKeys.find(mailboxLo, mailboxHi) ||
      this.#mailboxKeys.add({
        mailboxLo,
        mailboxHi,
        positionLo,
        positionHi,
        messageLo: 0,
        messageHi: 0,
        recipientLo: mailboxLo,
        recipientHi: mailboxHi,
        isRecipient: true,
      })
    );
  }

  #noteSource(words: Uint32Array, base: number, timeMs: number): void {
    const source = words[base + SOURCE];
    if (source !== 0) {
      if (source >= this.#sourceSeenMs.length) {
        const seen = new Float64Array(Math.max(source + 1, this.#sourceSeenMs.length * 2));
        seen.set(this.#sourceSeenMs);
        this.#sourceSeenMs = seen;
      }
      if (this.#sourceSeenMs[source] === 0) this.#sourceSeenMs[source] = timeMs;
    }
    const connector = this.#connectorKeys.key(words[base + CONNECTOR] & CONNECTOR_ID_MASK);
    if (connector === this.#connectorSeenMs.length) this.#connectorSeenMs.push(timeMs);
  }

  /** The first time of a source key is that of the first of its addresses that sent something out. */
  #noteSourceKey(key: number, source: number): void {
    if (key === 0) return;
    const seenMs = this.#sourceSeenMs[source];
    if (key === this.#sourceKeySeenMs.length) this.#sourceKeySeenMs.push(seenMs);
    else if (seenMs < this.#sourceKeySeenMs[key]) this.#sourceKeySeenMs[key] = seenMs;
  }
}

/** What a test found, without whose it is. */
type HitNumbers = Omit<Hit, 'member' | 'series' | 'family' | 'rows' | 'campaignBits'>;

function windowHit(finding: Finding): HitNumbers {
  const { window, observed, mean, inverseSize, score } = finding;
  return {
    statistic: 'scan',
    window,
    windowName: WINDOW_NAMES[window],
    startMs: null,
    observed,
    mean,
    inverseSize,
    score,
    counted: observed,
    expected: mean,
  };
}

function limitHit(limit: ServiceLimit, used: number): Omit<LimitHit, 'mailbox' | 'bits'> {
  return { name: limit.name, used, budget: limit.budget, marks: limit.marks };
}

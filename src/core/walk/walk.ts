/**
 * The walk: merged pairs in event-time order go in, incidents come out. A pure, sequential state
 * machine; rows of equal time are one batch. What drives it (a scan, a rescan, a worker, a test) hands
 * it sorted blocks and tells it when now is.
 */

import { DAY_MS, dayOf, HOUR_MS, type HourSlots, MINUTE_MS } from '../calendar.ts';
import type { HashTableState } from '../hash-table.ts';
import type { SortedBlock } from '../order.ts';
import {
  CONNECTOR,
  CONNECTOR_ID_MASK,
  FLAGS,
  MESSAGE_HI,
  MESSAGE_LO,
  POSITION_HI,
  POSITION_LO,
  RECIPIENT_DOMAIN,
  RECIPIENT_HI,
  RECIPIENT_LO,
  RECORD_DOUBLES,
  RECORD_WORDS,
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
import { DayClock, type DayClockState, WINDOW_MS, WINDOW_NAMES } from './day-clock.ts';
import { Correspondents, Forwards, type ForwardsState, type ForwardVerdict, MessageWeights } from './forwards.ts';
import type { Incident, LimitNumbers } from './incident.ts';
import { type Hit, IncidentBook, type IncidentBookState, type LimitHit, type MemberCounts } from './incident-book.ts';
import { KeyCounts } from './key-counts.ts';
import { KeyedSeries, type KeyedSeriesState } from './keyed-series.ts';
import { CeilingMember, SeriesMember } from './members.ts';
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
  LOG_SOURCE,
  LOG_SUBJECT,
  ROW_FORWARD,
  ROW_LIMITED,
  ROW_MAILBOX,
  ROW_NULL_SENDER,
  ROW_ONMICROSOFT,
  ROW_RECOGNISED_FORWARD,
  ROW_REFUSED,
  ROW_RELAYED,
  ROW_UNREGISTERED,
  ROW_WEIGHED,
  RowLog,
  type RowLogState,
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

/** A series and how its rows are found in the log. */
interface Counter {
  series: KeyedSeries;
  /** Names the counter in member ids; connectors and sources are two counters of one series. */
  name: string;
  bits: number;
  keyWord: number | null;
  weighted: boolean;
  touched: KeyCounts;
  /** Members made of keys that hit, or were asked for, while an incident was open. */
  members: Map<number, MemberCounts>;
}

/** The bits by which counters choose their rows. */
const COUNTED_BITS = ROW_RELAYED | ROW_UNREGISTERED | ROW_NULL_SENDER | ROW_MAILBOX;

/** Microsoft's limits count a trailing 24 hours. */
const LIMIT_WINDOW = 3;

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
  book: IncidentBookState;
  windowFirst: number[];
  sourceSeenMs: Float64Array;
  sourceKeySeenMs: number[];
  connectorSeenMs: number[];
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
  readonly #counters: Counter[] = [];
  /** The counters of a row, by those of its bits that counters choose by. */
  readonly #countersByBits: Counter[][];
  readonly #counterByName = new Map<string, Counter>();
  readonly #recipientCounter: Counter;
  /** Our ceilings on a mailbox, by index of their window. */
  readonly #ceilings: readonly { window: number; recipients: number }[];
  readonly #book: IncidentBook;
  /** Sequence number of the first row inside each window. */
  #windowFirst = [0, 0, 0, 0];
  /** First event time by dictionary id of the source, and by connector key. */
  #sourceSeenMs: Float64Array = new Float64Array(1024);
  #sourceKeySeenMs: number[] = [0];
  #connectorSeenMs: number[] = [0];
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

  constructor(settings: DetectionSettings, tenant: TenantModel, slotsOf: HourSlots, texts: IdTexts) {
    this.#settings = settings;
    this.#tenant = tenant;
    this.#clock = new DayClock(slotsOf);
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
    this.#ceilings = settings.ceilings.mailbox.map(({ window, recipients }) => ({
      window: WINDOW_NAMES.indexOf(window),
      recipients,
    }));
    this.#book = new IncidentBook({
      log: this.#log,
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
      book: this.#book.save(),
      windowFirst: this.#windowFirst.slice(),
      sourceSeenMs: this.#sourceSeenMs.slice(),
      sourceKeySeenMs: this.#sourceKeySeenMs.slice(),
      connectorSeenMs: this.#connectorSeenMs.slice(),
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
    });
    this.#book.load(state.book);
    this.#windowFirst = state.windowFirst.slice();
    this.#sourceSeenMs = state.sourceSeenMs.slice();
    this.#sourceKeySeenMs = state.sourceKeySeenMs.slice();
    this.#connectorSeenMs = state.connectorSeenMs.slice();
    this.#counts = { ...state.counts };
  }

  get incidents(): readonly Incident[] {
    return this.#book.incidents;
  }

  /** The incidents as they would be if `nowMs` were the end; the walk can go on. */
  incidentsAt(nowMs: number): readonly Incident[] {
    return this.#book.at(nowMs);
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
    if (this.#book.hasOpen) this.#book.closeBefore(timeMs);
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
    if (hits.length > 0 || limitHits.length > 0 || this.#book.hasOpen) {
      this.#book.takeBatch(timeMs, batchFirst, hits, limitHits);
    }
    for (const counter of this.#counters) counter.touched.clear();
  }

  #enterDay(day: number, timeMs: number): void {
    if (this.#counts.days === 0) this.#counts.firstMs = timeMs;
    else {
      const walked = this.#clock.day;
      for (const counter of this.#counters) counter.series.endDay(walked);
      this.#forwards.endDay(walked);
    }
    this.#counts.days++;
    this.#clock.enter(day, timeMs, (sealed, exposure) => {
      for (const counter of this.#counters) counter.series.seal(sealed, exposure);
      this.#forwards.seal(sealed);
    });
    this.#expire(day * DAY_MS);
    for (const counter of this.#counters) counter.series.beginDay(day);
    this.#correspondents.forgetBefore(day * DAY_MS);
    this.#weights.forgetBefore(day * DAY_MS);
    this.#log.forgetBefore((day - 1) * DAY_MS);
    for (let window = 0; window < 4; window++) {
      if (this.#windowFirst[window] < this.#log.first) this.#windowFirst[window] = this.#log.first;
    }
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
    let bits = 0;
    let mailbox = 0;
    if (kind === SENDER_NULL) {
      if (!this.#correspondents.isKnown(timeMs, words[base + RECIPIENT_LO], words[base + RECIPIENT_HI])) {
        bits |= ROW_NULL_SENDER;
      }
    } else if (isAccepted) {
      if (kind !== SENDER_SYSTEM) {
        bits |= ROW_MAILBOX | ROW_LIMITED;
        mailbox = this.#senderKey(words, base);
      }
      if (this.#tenant.isOnMicrosoft(senderDomain) && kind !== SENDER_SYSTEM) bits |= ROW_ONMICROSOFT;
    } else if (senderDomain !== 0) {
      this.#counts.unregistered++;
      bits |= ROW_UNREGISTERED | ROW_LIMITED;
      const verdict = this.#forwards.judge(timeMs, words, base);
      if (verdict.isForward) {
        bits |= ROW_FORWARD;
        mailbox = this.#forwarderKey(verdict);
      }
      bits |= verdict.isRecognised ? ROW_RECOGNISED_FORWARD : ROW_RELAYED;
    }
    if (bits === 0) return;
    const status = flags & STATUS_MASK;
    if (status === STATUS_FAILED || status === STATUS_FILTERED_AS_SPAM) bits |= ROW_REFUSED;
    if (weight === 1) bits |= ROW_WEIGHED;

    const sequence = log.append(timeMs);
    const row = log.base(sequence);
    const target = log.words;
    target[row + LOG_BITS] = bits | statusBits(status);
    // An accepted domain is never the key of a campaign.
    target[row + LOG_DOMAIN] = isAccepted ? 0 : this.#domainKeys.key(senderDomain);
    target[row + LOG_CONNECTOR] = this.#connectorKeys.key(words[base + CONNECTOR] & CONNECTOR_ID_MASK);
    target[row + LOG_SOURCE] = this.#sourceKeys.key(words[base + SOURCE]);
    target[row + LOG_MAILBOX] = mailbox;
    target[row + LOG_MESSAGE_LO] = words[base + MESSAGE_LO];
    target[row + LOG_MESSAGE_HI] = words[base + MESSAGE_HI];
    target[row + LOG_RECIPIENT_LO] = words[base + RECIPIENT_LO];
    target[row + LOG_RECIPIENT_HI] = words[base + RECIPIENT_HI];
    target[row + LOG_SUBJECT] = words[base + SUBJECT];
    target[row + LOG_POSITION_LO] = words[base + POSITION_LO];
    target[row + LOG_POSITION_HI] = words[base + POSITION_HI];
    log.link(sequence);
    this.#noteSourceKey(target[row + LOG_SOURCE], words[base + SOURCE]);
    this.#countRow(target, row, timeMs);
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
        if (finding === null) continue;
        series.markIncident(key);
        hits.push({
          member: this.#seriesMember(counter, key),
          series: series.settings.name,
          family: series.settings.family,
          statistic: 'scan',
          window: finding.window,
          observed: finding.observed,
          mean: finding.mean,
          inverseSize: finding.inverseSize,
          score: finding.score,
          rows: { bits: counter.bits, keyWord: counter.keyWord, key, weighted: counter.weighted },
        });
      }
    }
    this.#testCeilings(hits);
    return hits;
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
        observed: best.observed,
        mean: null,
        inverseSize: 0,
        score: best.share,
        rows: { bits: ROW_MAILBOX, keyWord: LOG_MAILBOX, key, weighted: false },
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
    const bits =
      settings.rows === 'accepted_mailbox'
        ? ROW_MAILBOX
        : settings.rows === 'unregistered'
          ? ROW_UNREGISTERED
          : ROW_RELAYED;
    const add = (name: string, keyWord: number | null, counted: number) => {
      const counter: Counter = {
        series: new KeyedSeries(settings, this.#clock),
        name,
        bits: counted,
        keyWord,
        weighted: settings.unit === 'weight',
        touched: new KeyCounts(),
        members: new Map(),
      };
      this.#counters.push(counter);
      this.#counterByName.set(name, counter);
    };
    if (settings.key === 'source') {
      // Null senders count for the source they come through, unless they are true NDRs.
      add(`${settings.name}:connector`, LOG_CONNECTOR, bits | ROW_NULL_SENDER);
      add(`${settings.name}:source`, LOG_SOURCE, bits | ROW_NULL_SENDER);
    } else if (settings.key === 'tenant') add(settings.name, null, bits);
    else add(settings.name, settings.key === 'domain' ? LOG_DOMAIN : LOG_MAILBOX, bits);
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

function limitHit(limit: ServiceLimit, used: number): Omit<LimitHit, 'mailbox' | 'bits'> {
  return { name: limit.name, used, budget: limit.budget, marks: limit.marks };
}

/**
 * The walk: merged pairs in event-time order go in, incidents come out. A pure, sequential state
 * machine; rows of equal time are one batch. What drives it (a scan, a rescan, a worker, a test) hands
 * it sorted blocks and tells it when now is.
 */

import { DAY_MS, dayOf, type HourSlots } from '../calendar.ts';
import type { Explanation, SeverityMark } from '../explanation.ts';
import type { SortedBlock } from '../order.ts';
import { FLAGS, RECIPIENT_DOMAIN, RECORD_DOUBLES, RECORD_WORDS, STATUS_EXPANDED, STATUS_MASK } from '../record.ts';
import type { DetectionSettings } from '../series-settings.ts';
import type { ScanSummary } from '../summary.ts';
import { DOMAIN_ACCEPTED, type IdTexts, type TenantModel } from '../tenant.ts';
import { type AllowedVolume, AllowList, type AllowListState } from './allow-list.ts';
import { Counters } from './counters.ts';
import { DayClock, type DayClockState, WINDOW_MS } from './day-clock.ts';
import { Departures, type DeparturesState } from './departures.ts';
import { FirstSeen, type FirstSeenState } from './first-seen.ts';
import { explainHit } from './hit-explanation.ts';
import type { Incident } from './incident.ts';
import { IncidentBook, type IncidentBookState } from './incident-book.ts';
import type { KeyedSeriesState } from './keyed-series.ts';
import { LIMIT_WINDOW, Limits, tenantLimitOf } from './limits.ts';
import type { RampTestState } from './ramp-test.ts';
import { LOG_BITS, RowLog, type RowLogState } from './row-log.ts';
import type { DictionaryKeysState, MailboxKeysState, MailboxPlace } from './series-keys.ts';
import { testSeries } from './series-tests.ts';
import { TenantKeys } from './tenant-keys.ts';

/** Everything a walk remembers, as plain data. Keys of domains, connectors and sources are dictionary ids. */
export interface WalkState extends DeparturesState, FirstSeenState {
  clock: DayClockState;
  log: RowLogState;
  domainKeys: DictionaryKeysState;
  connectorKeys: DictionaryKeysState;
  sourceKeys: DictionaryKeysState;
  mailboxKeys: MailboxKeysState;
  series: KeyedSeriesState[];
  ramps: (RampTestState | null)[];
  allowList: AllowListState;
  book: IncidentBookState;
  windowFirst: number[];
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
  readonly #tenant: TenantModel;
  readonly #clock: DayClock;
  readonly #log = new RowLog();
  readonly #keys: TenantKeys;
  readonly #firstSeen: FirstSeen;
  readonly #counters: Counters;
  readonly #limits: Limits;
  readonly #allowList: AllowList;
  readonly #departures: Departures;
  readonly #book: IncidentBook;
  /** Sequence number of the first row inside each window. */
  readonly #windowFirst = [0, 0, 0, 0];
  #lastMs = Number.NEGATIVE_INFINITY;
  #days = 0;
  #pairs = 0;

  constructor(
    settings: DetectionSettings,
    tenant: TenantModel,
    slotsOf: HourSlots,
    texts: IdTexts,
    { tenantKey, idOf, onOpened }: WalkOptions = { tenantKey: 'default', idOf: () => '' },
  ) {
    const budget = tenantLimitOf(settings.ceilings)?.budget ?? null;
    const clock = new DayClock(slotsOf);
    const keys = new TenantKeys(texts);
    const firstSeen = new FirstSeen(clock, keys.connectors);
    const counters = new Counters(settings, clock);
    const limits = new Limits(settings.ceilings, counters, this.#log, this.#windowFirst);
    const allowList = new AllowList(settings.feedback.allow, tenantKey, texts, budget);
    const departures = new Departures({ tenant, clock, log: this.#log, keys, firstSeen, counters, allowList });
    this.#tenant = tenant;
    this.#clock = clock;
    this.#keys = keys;
    this.#firstSeen = firstSeen;
    this.#counters = counters;
    this.#limits = limits;
    this.#allowList = allowList;
    this.#departures = departures;
    const changes = connectorChanges(settings);
    this.#book = new IncidentBook({
      log: this.#log,
      labels: new Map(settings.feedback.labels.map((label) => [label.incident, label])),
      idOf,
      opened: (incident, hit, timeMs) => onOpened?.(incident, () => explainHit(hit, timeMs, counters, keys, clock)),
      teachNothing: (incident, timeMs) => counters.teachNothing(incident, timeMs),
      explain: (id) => counters.named(id.split('|')[0])?.ramp?.explain(),
      connectors: counters.series('unregistered_source:connector'),
      sources: counters.series('unregistered_source:source'),
      domains: counters.series('unregistered_domain'),
      mailboxes: counters.series('mailbox'),
      textOf: (kind, key) => keys.text(kind, key),
      member: (id) => counters.member(id),
      touchedMembers: () => counters.touchedMembers(),
      tenantFirstMs: () => firstSeen.tenantMs,
      sourceFirstSeenMs: (key) => firstSeen.sourceMs(key),
      connectorFirstSeenMs: (key) => firstSeen.connectorMs(key),
      domainFirstSeenMs: (key) => firstSeen.domainMs(key),
      connectorChangedMs: (key) => changes.get(keys.connectors.text(key).toLowerCase()) ?? null,
      flushOf: (source, timeMs) => departures.flushOf(source, timeMs),
      tenantSeries: (name) => counters.tenantSeries(name),
      knowsRecipients: () => departures.knowsRecipients,
      tenantBudget: () => budget,
      tenantLimit: (timeMs) => limits.ofTenant(timeMs),
      limitForecast: (limit, timeMs, bits, mailbox) => limits.forecast(limit, timeMs, bits, mailbox),
    });
  }

  /** A copy of the state, from which the same walk can go on. */
  save(): WalkState {
    return {
      clock: this.#clock.save(),
      log: this.#log.save(),
      domainKeys: this.#keys.domains.save(),
      connectorKeys: this.#keys.connectors.save(),
      sourceKeys: this.#keys.sources.save(),
      mailboxKeys: this.#keys.mailboxes.save(),
      series: this.#counters.saveSeries(),
      ramps: this.#counters.saveRamps(),
      ...this.#departures.save(),
      allowList: this.#allowList.save(),
      book: this.#book.save(),
      windowFirst: this.#windowFirst.slice(),
      ...this.#firstSeen.save(),
      counts: {
        limitedRecipients: this.#limits.limitedRecipients,
        onMicrosoftRecipients: this.#limits.onMicrosoftRecipients,
        firstMs: this.#firstSeen.tenantMs,
        lastMs: this.#lastMs,
        days: this.#days,
        pairs: this.#pairs,
        external: this.#departures.external,
        unregistered: this.#departures.unregistered,
      },
    };
  }

  /** Goes back, or on, to a saved state; it may be loaded again. */
  load(state: Readonly<WalkState>): void {
    const { counts } = state;
    this.#clock.load(state.clock);
    this.#log.load(state.log);
    this.#keys.domains.load(state.domainKeys);
    this.#keys.connectors.load(state.connectorKeys);
    this.#keys.sources.load(state.sourceKeys);
    this.#keys.mailboxes.load(state.mailboxKeys);
    this.#counters.load(state.series, state.ramps);
    this.#departures.load(state, counts.external, counts.unregistered);
    this.#allowList.load(state.allowList);
    this.#book.load(state.book);
    for (let window = 0; window < 4; window++) this.#windowFirst[window] = state.windowFirst[window];
    this.#firstSeen.load(state, counts.firstMs);
    this.#limits.limitedRecipients = counts.limitedRecipients;
    this.#limits.onMicrosoftRecipients = counts.onMicrosoftRecipients;
    this.#lastMs = counts.lastMs;
    this.#days = counts.days;
    this.#pairs = counts.pairs;
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
    const none = this.#days === 0;
    return {
      firstMs: none ? null : this.#firstSeen.tenantMs,
      lastMs: none ? null : this.#lastMs,
      days: this.#days,
      pairs: this.#pairs,
      external: this.#departures.external,
      unregistered: this.#departures.unregistered,
    };
  }

  /** The text of a campaign key; for a mailbox the hash, since its address is read from the export. */
  keyText(kind: 'connector' | 'source' | 'domain' | 'mailbox', key: number): string {
    return this.#keys.text(kind, key);
  }

  mailboxPlace(key: number): MailboxPlace {
    return this.#keys.mailboxes.place(key);
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
    this.#lastMs = timeMs;
    if (this.#book.hasOpen) this.#closeBefore(timeMs);
    for (const { ramp, memberId } of this.#counters.ramped) {
      if (ramp.isBehind(timeMs)) ramp.moveTo(timeMs, this.#book.isOpenFor(memberId));
    }
    let leaves = false;
    for (let index = first; index < end; index++) {
      const base = index * RECORD_WORDS;
      if ((words[base + FLAGS] & STATUS_MASK) === STATUS_EXPANDED) continue;
      this.#pairs++;
      this.#firstSeen.noteRecord(words, base, timeMs);
      if (this.#tenant.domainClass(words[base + RECIPIENT_DOMAIN]) === DOMAIN_ACCEPTED) {
        this.#departures.arrival(words, base, timeMs);
      } else {
        leaves = true;
      }
    }
    if (!leaves) return;
    this.#expire(timeMs);
    const batchFirst = this.#log.next;
    const { limitedRecipients, onMicrosoftRecipients } = this.#limits;
    for (let index = first; index < end; index++) {
      const base = index * RECORD_WORDS;
      if ((words[base + FLAGS] & STATUS_MASK) === STATUS_EXPANDED) continue;
      if (this.#tenant.domainClass(words[base + RECIPIENT_DOMAIN]) !== DOMAIN_ACCEPTED) {
        const row = this.#departures.add(words, base, timeMs);
        this.#counters.add(this.#log.words, row, timeMs);
        this.#limits.add(this.#log.words[row + LOG_BITS]);
      }
    }
    const hits = testSeries(this.#counters, timeMs);
    this.#limits.testCeilings(hits);
    const limitHits = this.#limits.test(limitedRecipients, onMicrosoftRecipients);
    const { blocks } = this.#departures;
    if (hits.length > 0 || limitHits.length > 0 || blocks.size > 0 || this.#book.hasOpen) {
      this.#book.takeBatch(timeMs, batchFirst, hits, limitHits, blocks);
      blocks.clear();
    }
    this.#counters.clearTouched();
  }

  #enterDay(day: number, timeMs: number): void {
    const counters = this.#counters;
    if (this.#days === 0) this.#firstSeen.tenantMs = timeMs;
    else {
      const walked = this.#clock.day;
      for (const { ramp, memberId } of counters.ramped) ramp.endDay(walked, this.#book.isOpenFor(memberId));
      for (const counter of counters.all) counter.series.endDay(walked);
      this.#departures.endDay(walked);
    }
    this.#days++;
    this.#clock.enter(day, timeMs, (sealed, exposure) => {
      this.#departures.seal(sealed);
      for (const counter of counters.all) counter.series.seal(sealed, exposure);
    });
    this.#expire(day * DAY_MS);
    for (const counter of counters.all) counter.series.beginDay(day);
    for (const { ramp } of counters.ramped) ramp.beginDay(day);
    this.#allowList.beginDay();
    this.#departures.beginDay(day);
    this.#log.forgetBefore((day - 1) * DAY_MS);
    for (let window = 0; window < 4; window++) {
      if (this.#windowFirst[window] < this.#log.first) this.#windowFirst[window] = this.#log.first;
    }
  }

  /** Closes incidents; with that of its series a ramp begins anew. */
  #closeBefore(timeMs: number): void {
    const open = this.#counters.ramped.filter(({ memberId }) => this.#book.isOpenFor(memberId));
    this.#book.closeBefore(timeMs);
    for (const { ramp, memberId } of open) if (!this.#book.isOpenFor(memberId)) ramp.reset();
  }

  /** Takes the rows out of the windows (t−W, t]. */
  #expire(timeMs: number): void {
    const log = this.#log;
    for (let window = 0; window < 4; window++) {
      const untilMs = timeMs - WINDOW_MS[window];
      let sequence = this.#windowFirst[window];
      while (sequence < log.next && log.time(sequence) <= untilMs) {
        const row = log.base(sequence);
        this.#counters.expire(log.words, row, window);
        if (window === LIMIT_WINDOW) this.#limits.expire(log.words[row + LOG_BITS]);
        sequence++;
      }
      this.#windowFirst[window] = sequence;
    }
  }
}

/** When each connector was made or changed last, by its name in lower case. */
function connectorChanges({ feedback }: DetectionSettings): Map<string, number> {
  const changes = new Map<string, number>();
  for (const { name, createdMs, changedMs } of feedback.connectors ?? []) {
    const latestMs = Math.max(createdMs ?? 0, changedMs ?? 0, changes.get(name.toLowerCase()) ?? 0);
    if (latestMs > 0) changes.set(name.toLowerCase(), latestMs);
  }
  return changes;
}

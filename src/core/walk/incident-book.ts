/**
 * The incidents of a tenant: hits open, join or reopen them, rows keep them going, 24 hours without
 * activity close them. The rules are those of campaigns: a hit joins the oldest open incidents whose
 * rows make half of its excess, and a low or known incident cannot cover an attack.
 */

import { DAY_MS, HOUR_MS } from '../calendar.ts';
import type { SeverityMark } from '../explanation.ts';
import type { Label } from '../feedback.ts';
import type { Family, IncidentType } from '../incident-document.ts';
import { type Allowance, Allowances, allowanceOf, lastDayOfLabelled } from './allowances.ts';
import { type Attribution, Attributor, type CampaignKey, CampaignRows, isHitRow, keyId } from './campaign.ts';
import { WINDOW_MS, WINDOW_NAMES } from './day-clock.ts';
import {
  type FactsContext,
  factsOf,
  type Hit,
  isNewConnector,
  isOldEnough,
  type LimitHit,
  type MemberCounts,
} from './hit-facts.ts';
import { Incident, type IncidentState, type LimitNumbers } from './incident.ts';
import {
  LOOK_ALIKES,
  REFUSED_SHARE,
  type SeverityRank,
  STARTING_SEVERITY,
  typeOfHit,
  typeOfRows,
} from './incident-type.ts';
import { OpenIncidents } from './open-incidents.ts';
import { LOG_BITS, ROW_EXTERNAL, ROW_LIMITED, ROW_TRUE_NDR, type RowLog, refusalOf, weightOf } from './row-log.ts';
import { countForScore, SCORE_95 } from './statistics.ts';
import type { RowTraits } from './traits.ts';

const CLOSE_AFTER_MS = DAY_MS;
const REOPEN_WITHIN_MS = 7 * DAY_MS;
/** A hit that goes on is attributed again when its count has grown by a tenth and five. */
const REATTRIBUTE_FACTOR = 1.1;
const REATTRIBUTE_STEP = 5;
/** From this count on it waits for that even where the new rows are none of the campaign's. */
const MANY_ROWS = 200;
/** Place of the ramp among the counts of a member, behind its windows. */
const RAMP = 4;
/** A source hit of which so many are null senders is bulk, not unregistered mail. */
const NULL_SENDER_SHARE = 0.8;
/** Where the tenant's limit is unknown, so many recipients weigh as a tenth of it. */
const LARGE_RECIPIENTS = 2000;
const LARGE_SHARE = 0.1;
const NEW_SOURCE_MS = DAY_MS;
/** Mailboxes that burst within this time of each other are one campaign. */
const BURST_MS = HOUR_MS;

/** What the book asks of the walk. */
export interface BookContext extends FactsContext {
  log: RowLog;
  /** What analysts said, by the id of the incident. */
  labels: ReadonlyMap<string, Label>;
  /** The id under which an incident is published. */
  idOf(incident: Incident): string;
  /** The days of an incident that is abuse teach nothing. */
  teachNothing(incident: Incident, timeMs: number): void;
  /** A hit opens an incident. */
  opened(incident: Incident, hit: Hit, timeMs: number): void;
  /** A benign verdict explains what the series of a member counts. */
  explain(memberId: string): void;
  /** Member by id, for a notification of all. */
  member(id: string): MemberCounts;
  /** The members whose counts the batch has changed. */
  touchedMembers(): MemberCounts[];
  /** External recipients that the tenant may reach in 24 h; null where the licences are unknown. */
  tenantBudget(): number | null;
  /** The tenant's external recipients of the last 24 h against its limit. */
  tenantLimit(timeMs: number): LimitNumbers | null;
  limitForecast(limit: { used: number; budget: number }, timeMs: number, bits: number, mailbox: number): number | null;
}

export interface IncidentBookState {
  incidents: IncidentState[];
  /** Indexes of the incidents that own members, by member id. */
  owners: Map<string, number>;
  allowances: Allowance[];
}

export class IncidentBook {
  readonly #context: BookContext;
  readonly #attributor: Attributor;
  #incidents: Incident[] = [];
  readonly #open = new OpenIncidents();
  /** Those that closed lately and may go on; none that is labelled, and none that covers the whole tenant. */
  readonly #closed = new OpenIncidents();
  /** The last incident of each family and campaign key. */
  readonly #last = new Map<string, Incident>();
  /** The incident that took the last hit of a member. */
  readonly #owners = new Map<string, Incident>();
  readonly #allowances = new Allowances();
  /** Incidents labelled as benign. */
  readonly #benign = new OpenIncidents();
  /** Incidents whose type a hit of the batch has raised. */
  readonly #risen = new Set<Incident>();
  /** Open incidents of which the batch brought a row. */
  #withNewRow: ReadonlySet<Incident> = new Set();
  /** The members whose counts the batch has changed, once they are asked for. */
  #touched: readonly MemberCounts[] | null = null;

  constructor(context: BookContext) {
    this.#context = context;
    this.#attributor = new Attributor(context.log, context);
  }

  save(): IncidentBookState {
    const indexes = new Map(this.#incidents.map((incident, index) => [incident, index]));
    return {
      incidents: this.#incidents.map((incident) => incident.save()),
      owners: new Map([...this.#owners].map(([id, incident]) => [id, indexes.get(incident) as number])),
      allowances: this.#allowances.save(),
    };
  }

  load(state: Readonly<IncidentBookState>): void {
    this.#incidents = state.incidents.map((incident) => Incident.load(incident));
    this.#open.clear();
    this.#closed.clear();
    this.#benign.clear();
    this.#last.clear();
    this.#owners.clear();
    for (const incident of this.#incidents) {
      this.#last.set(campaignId(incident.family, incident.key), incident);
      if (incident.isOpen) this.#open.add(incident);
      else {
        this.#noteClosed(incident);
        if (incident.label?.verdict === 'benign') this.#benign.add(incident);
      }
    }
    for (const [id, index] of state.owners) this.#owners.set(id, this.#incidents[index]);
    this.#allowances.load(state.allowances);
  }

  /** All incidents, in the order in which they were opened. */
  get incidents(): readonly Incident[] {
    return this.#incidents;
  }

  get hasOpen(): boolean {
    return this.#open.size > 0;
  }

  /** Whether the incident that took the last hit of a member is open. */
  isOpenFor(memberId: string): boolean {
    return this.#owners.get(memberId)?.isOpen ?? false;
  }

  /** Closes what this time closes. */
  closeBefore(timeMs: number): void {
    for (const incident of this.#open.inactiveSince(timeMs - CLOSE_AFTER_MS)) {
      this.#close(incident, incident.lastActiveMs + CLOSE_AFTER_MS);
    }
    if (this.#context.labels.size === 0) return;
    // From the day after its verdict on, an incident takes no more hits.
    for (const incident of this.#open.all) {
      if (incident.label === null) continue;
      const endMs = (lastDayOfLabelled(incident.label.atMs, incident.detectedMs) + 1) * DAY_MS;
      if (timeMs >= endMs) this.#close(incident, endMs);
    }
  }

  #close(incident: Incident, closedMs: number): void {
    incident.closedMs = closedMs;
    this.#judge(incident);
    this.#open.remove(incident);
    this.#noteClosed(incident);
    const { peaks } = incident;
    if (peaks === null) return;
    const { domains } = incident.totals.traits;
    this.#benign.add(incident);
    this.#allowances.add(allowanceOf(incident.campaignKeys, domains.keys(), incident.lastActiveMs, peaks));
  }

  #noteClosed(incident: Incident): void {
    const isCampaign = incident.family === 'unregistered' || incident.family === 'bulk';
    if (!isCampaign || incident.label !== null) return;
    for (const key of incident.campaignKeys) if (key.kind === 'tenant') return;
    this.#closed.add(incident);
  }

  /**
   * Takes the hits and the new rows (from `batchFirst` on) of one point in time. `blocks` are the kinds of
   * refusal by which Microsoft blocks the tenant, where the batch has them.
   */
  takeBatch(
    timeMs: number,
    batchFirst: number,
    hits: readonly Hit[],
    limitHits: readonly LimitHit[],
    blocks: ReadonlySet<number>,
  ): void {
    const { log } = this.#context;
    this.#withNewRow = this.#open.withRow(log, batchFirst);
    const isQuiet = hits.length === 0 && limitHits.length === 0 && blocks.size === 0;
    if (isQuiet && this.#withNewRow.size === 0) return;
    this.#touched = null;
    this.#risen.clear();
    const known = this.#incidents.length;
    const active = new Map<Incident, Hit[]>();
    for (const hit of hits) {
      const incident = this.#takeHit(hit, timeMs);
      if (incident === null) continue;
      const taken = active.get(incident);
      if (taken === undefined) active.set(incident, [hit]);
      else taken.push(hit);
    }
    for (const hit of limitHits) active.set(this.#takeLimitHit(hit, timeMs), []);
    for (const refusal of blocks) active.set(this.#takeBlock(refusal, batchFirst, timeMs), []);
    for (const incident of this.#withNewRow) {
      if (incident.isOpen && !active.has(incident) && this.#goesOn(incident, timeMs)) active.set(incident, []);
    }
    for (const [incident, taken] of active) {
      incident.lastActiveMs = timeMs;
      incident.countRows(log);
      if (this.#incidents.indexOf(incident, known) >= 0) this.#finishOpening(incident, timeMs);
      else if (this.#risen.has(incident)) this.#notify(incident, taken[0].observed, timeMs);
      else this.#escalate(incident, taken, timeMs);
      if (incident.label?.verdict === 'abuse') this.#context.teachNothing(incident, timeMs);
    }
  }

  /** No more rows: judges what is still open a last time, and closes it where now is late enough. */
  finish(nowMs: number): void {
    this.closeBefore(nowMs);
    for (const incident of this.#open.all) this.#judge(incident);
  }

  /**
   * The incidents as `finish` would leave them now, while the walk goes on: what is open is judged, and
   * closed where now is late enough, on views that leave the incidents themselves as they are.
   */
  at(nowMs: number): Incident[] {
    return this.#incidents.map((incident) => {
      if (!incident.isOpen) return incident;
      // Judging writes plain properties only, so a view that inherits everything else is enough.
      const view: Incident = Object.create(incident);
      if (incident.lastActiveMs <= nowMs - CLOSE_AFTER_MS) view.closedMs = incident.lastActiveMs + CLOSE_AFTER_MS;
      this.#judge(view);
      return view;
    });
  }

  /** The incident that takes a hit; null where a benign verdict allows it. */
  #takeHit(hit: Hit, timeMs: number): Incident | null {
    const owner = this.#owners.get(hit.member.id);
    if (owner?.isOpen) {
      // A reopened incident has only the members that hit since.
      const attributed = owner.members.get(hit.member.id)?.attributed[placeOf(hit)] ?? 0;
      const isOfOwner = this.#withNewRow.has(owner);
      // Looking at many rows for each that is somebody else's would cost their square.
      const goesOn = attributed > 0 && (isOfOwner || attributed >= MANY_ROWS);
      if (goesOn && hit.observed <= attributed * REATTRIBUTE_FACTOR + REATTRIBUTE_STEP) return isOfOwner ? owner : null;
    }
    const attribution = this.#attribute(hit, timeMs);
    if (this.#isAllowed(hit, attribution, timeMs)) {
      this.#context.explain(hit.member.id);
      return null;
    }
    const family: Family =
      hit.series === 'unregistered_source' && attribution.nullShare >= NULL_SENDER_SHARE ? 'bulk' : hit.family;
    if (family === 'bulk' && hit.series === 'unregistered_source') this.#countNdrs(hit, attribution.traits, timeMs);
    const onsetMs = hit.startMs ?? this.#timeOfRow(attribution.firstSequence, timeMs);
    const type = typeOfHit(factsOf(this.#context, hit, family, attribution, attribution.key.kind, onsetMs, timeMs));
    const known =
      this.#joined(hit, family, type, attribution, timeMs) ?? this.#burstWith(attribution.key, type, timeMs);
    if (known !== null && STARTING_SEVERITY[type] > STARTING_SEVERITY[known.type]) {
      known.type = type;
      this.#risen.add(known);
    }
    const incident =
      known ??
      this.#reopened(hit, family, type, attribution, timeMs) ??
      this.#opened(hit, family, type, attribution, onsetMs, timeMs);
    this.#addMember(incident, hit, attribution.key);
    return incident;
  }

  /** Mailboxes that were taken over burst together: one incident has them all. */
  #burstWith(key: CampaignKey, type: IncidentType, timeMs: number): Incident | null {
    if (key.kind !== 'mailbox' || type !== 'compromised_mailbox') return null;
    const burst = this.#open.all.find(
      (incident) =>
        (incident.type === 'compromised_mailbox' || incident.type === 'distributed_mailboxes') &&
        timeMs - incident.detectedMs <= BURST_MS,
    );
    return burst ?? null;
  }

  /** Whether what a benign verdict allows covers the hit. */
  #isAllowed(hit: Hit, attribution: Attribution, timeMs: number): boolean {
    if (this.#allowances.isEmpty) return false;
    // The longest window remembers the rows of a labelled incident for a day.
    const labelled = this.#shares(
      hit,
      timeMs,
      (incident, words, base, sequence) => sequence < incident.countedUntil && incident.rows.matches(words, base),
      this.#benign,
    );
    if (oldestWith(labelled.each, attribution.excess / 2) !== null) return true;
    const { key, traits } = attribution;
    for (const allowance of this.#allowances.of(key, timeMs)) {
      if (key.kind === 'connector' || key.kind === 'source') {
        let others = 0;
        for (const [domain, count] of traits.domains) if (!allowance.domains.has(domain)) others += count;
        if (others >= hit.member.floor(hit.window)) continue;
      }
      const allowed = hit.rows.weighted ? allowance.weighted : allowance.pairs;
      const exceeds = hit.startMs === null ? hit.member.exceeds(allowed, timeMs) : hit.counted >= allowed[hit.window];
      if (!exceeds) return true;
    }
    return false;
  }

  /** Non-delivery reports count for no source: of one whose mail is made of null senders they say what it is. */
  #countNdrs(hit: Hit, traits: RowTraits, timeMs: number): void {
    const { log } = this.#context;
    const { words } = log;
    const { keyWord, key } = hit.rows;
    const first = log.firstAfter(timeMs - WINDOW_MS[hit.window]);
    for (let sequence = log.last(keyWord, key); sequence >= first; sequence = log.before(sequence, keyWord)) {
      const base = log.base(sequence);
      const isOfSource = keyWord !== null && words[base + keyWord] === key;
      if (isOfSource && (words[base + LOG_BITS] & ROW_TRUE_NDR) !== 0) traits.addMarks(words, base);
    }
  }

  #timeOfRow(sequence: number, timeMs: number): number {
    const { log } = this.#context;
    const kept = Math.max(sequence, log.first);
    return kept < log.next ? log.time(kept) : timeMs;
  }

  #attribute(hit: Hit, timeMs: number): Attribution {
    const { log } = this.#context;
    const firstSequence = log.firstAfter(timeMs - WINDOW_MS[hit.window]);
    const rows = { ...hit.rows, firstSequence };
    return this.#attributor.attribute(rows, hit.family, hit.counted, hit.expected, hit.window, timeMs);
  }

  /** The oldest open incident that the hit belongs to. */
  #joined(hit: Hit, family: Family, type: IncidentType, attribution: Attribution, timeMs: number): Incident | null {
    const same = this.#open.withKey(family, attribution.key);
    if (same !== undefined) return same;
    // A lesser incident does not cover an attack; an unknown one is renamed.
    const mayCover = (incident: Incident) =>
      incident.type === 'unknown' || STARTING_SEVERITY[incident.type] >= STARTING_SEVERITY[type];
    const half = attribution.excess / 2;
    const shares = this.#shares(
      hit,
      timeMs,
      (incident, words, base) => incident.family === family && mayCover(incident) && incident.rows.matches(words, base),
    );
    const alone = oldestWith(shares.each, half);
    if (alone !== null) return alone;
    if (shares.union >= half && shares.union > 0) return oldestWith(shares.each, 0);
    if (family !== 'bulk') return null;
    // Bulk that a relay pushed up extends the relay's incident.
    const relayed = this.#shares(
      hit,
      timeMs,
      (incident, words, base) =>
        incident.family === 'unregistered' &&
        mayCover(incident) &&
        (incident.rows.sharesWayIn(words, base) || incident.rows.matches(words, base)),
    );
    return oldestWith(relayed.each, half);
  }

  /** How much of the hit's count each open incident covers, and all together. */
  #shares(
    hit: Hit,
    timeMs: number,
    covers: (incident: Incident, words: Uint32Array, base: number, sequence: number) => boolean,
    incidents = this.#open,
  ): { each: Map<Incident, number>; union: number } {
    const each = new Map<Incident, number>();
    let union = 0;
    if (incidents.size === 0) return { each, union };
    const { log } = this.#context;
    const words = log.words;
    const firstSequence = log.firstAfter(timeMs - WINDOW_MS[hit.window]);
    const rows = { ...hit.rows, firstSequence };
    const { keyWord } = rows;
    for (
      let sequence = log.last(keyWord, rows.key);
      sequence >= firstSequence;
      sequence = log.before(sequence, keyWord)
    ) {
      const base = log.base(sequence);
      if (!isHitRow(rows, words, base)) continue;
      const amount = rows.weighted ? weightOf(words, base) : 1;
      let covered = false;
      for (const incident of incidents.sharing(words, base)) {
        if (!covers(incident, words, base, sequence)) continue;
        each.set(incident, (each.get(incident) ?? 0) + amount);
        covered = true;
      }
      if (covered) union += amount;
    }
    return { each, union };
  }

  #reopened(hit: Hit, family: Family, type: IncidentType, attribution: Attribution, timeMs: number): Incident | null {
    const incident =
      this.#closedLately(family, attribution.key, timeMs) ??
      this.#wentOn(hit, family, type, attribution.excess / 2, timeMs);
    if (incident === null) return null;
    this.#reopen(incident, attribution.firstSequence);
    this.#addMember(incident, hit, attribution.key);
    incident.lastActiveMs = timeMs;
    incident.countRows(this.#context.log);
    this.#notify(incident, hit.observed, timeMs);
    return incident;
  }

  /** The oldest incident closed lately whose campaign rows make half of the hit's excess: it goes on. */
  #wentOn(hit: Hit, family: Family, type: IncidentType, half: number, timeMs: number): Incident | null {
    for (const incident of this.#closed.inactiveSince(timeMs - CLOSE_AFTER_MS - REOPEN_WITHIN_MS)) {
      this.#closed.remove(incident);
    }
    if (this.#closed.size === 0) return null;
    const shares = this.#shares(
      hit,
      timeMs,
      (incident, words, base) =>
        incident.family === family &&
        STARTING_SEVERITY[incident.type] >= STARTING_SEVERITY[type] &&
        incident.rows.matches(words, base),
      this.#closed,
    );
    return oldestWith(shares.each, half);
  }

  #closedLately(family: Family, key: CampaignKey, timeMs: number): Incident | null {
    const incident = this.#last.get(campaignId(family, key));
    if (incident === undefined || incident.closedMs === null || incident.label !== null) return null;
    return timeMs - incident.closedMs <= REOPEN_WITHIN_MS ? incident : null;
  }

  /** The gap is not counted: rows count again from `firstSequence` on. */
  #reopen(incident: Incident, firstSequence: number): void {
    this.#closed.remove(incident);
    incident.closedMs = null;
    incident.reopenedCount++;
    incident.members.clear();
    incident.countedFrom = Math.max(incident.countedUntil, firstSequence);
    incident.countedUntil = incident.countedFrom;
    this.#open.add(incident);
  }

  #add(incident: Incident): Incident {
    const { labels } = this.#context;
    const label = labels.size === 0 ? undefined : labels.get(this.#context.idOf(incident));
    if (label !== undefined) incident.takeLabel(label);
    this.#incidents.push(incident);
    this.#last.set(campaignId(incident.family, incident.key), incident);
    this.#open.add(incident);
    return incident;
  }

  #opened(
    hit: Hit,
    family: Family,
    type: IncidentType,
    attribution: Attribution,
    startMs: number,
    timeMs: number,
  ): Incident {
    const { log } = this.#context;
    const firstSequence = Math.max(
      hit.startMs === null ? attribution.firstSequence : log.firstAfter(startMs - 1),
      log.first,
    );
    const incident = Incident.opened({
      order: this.#incidents.length,
      family,
      key: attribution.key,
      type,
      severity: STARTING_SEVERITY[type],
      detectedMs: timeMs,
      startMs,
      startedAfterWeek: isOldEnough(this.#context, startMs),
      firstSequence,
      numbers: {
        observed: hit.observed,
        expected: hit.mean,
        expectedP95: hit.mean === null ? null : countForScore(SCORE_95, hit.mean, hit.inverseSize),
        window: hit.windowName,
        statistic: hit.statistic,
        score: hit.score,
      },
    });
    this.#context.opened(incident, hit, timeMs);
    return this.#add(incident);
  }

  #finishOpening(incident: Incident, timeMs: number): void {
    incident.recipientsAtDetection = incident.totals.recipients;
    this.#judge(incident);
    this.#noteLimit(incident, timeMs);
  }

  #addMember(incident: Incident, hit: Hit, key: CampaignKey): void {
    incident.series.add(hit.series);
    // A total that a campaign pushed up says nothing about the other mail of the tenant.
    if (key.kind !== 'tenant' || (incident.key.kind === 'tenant' && incident.family === hit.family)) {
      const isOfNulls = hit.series === 'unregistered_source' && incident.family === 'bulk';
      incident.widen(key, isOfNulls ? hit.campaignBits | ROW_TRUE_NDR : hit.campaignBits, this.#context.log);
      this.#open.index(incident, key);
    }
    const member = incident.members.get(hit.member.id) ?? {
      notified: hit.member.counts(),
      attributed: [0, 0, 0, 0, 0],
    };
    member.attributed[placeOf(hit)] = hit.observed;
    incident.members.set(hit.member.id, member);
    this.#owners.set(hit.member.id, incident);
  }

  #takeLimitHit(hit: LimitHit, timeMs: number): Incident {
    const key: CampaignKey = { kind: 'limit', a: hit.mailbox, b: hit.name };
    const share = hit.used / hit.budget;
    const mark = markOf(share, hit.marks);
    const known = this.#last.get(campaignId('limit', key));
    const isOpen = known?.isOpen ?? false;
    const closed = this.#closedLately('limit', key, timeMs);
    if (known === undefined || (!isOpen && closed === null)) return this.#openedLimit(hit, key, timeMs);
    if (!isOpen) this.#reopen(known, this.#firstOfLimit(hit, timeMs));
    if (!isOpen || mark > known.notifiedMark) {
      known.notifiedMark = mark;
      known.severity = limitSeverity(share);
      known.escalations.push({ atMs: timeMs, observed: hit.used, severity: known.severity });
      this.#noteLimitUse(known, hit, timeMs);
    }
    return known;
  }

  #openedLimit(hit: LimitHit, key: CampaignKey, timeMs: number): Incident {
    const { log } = this.#context;
    const share = hit.used / hit.budget;
    const firstSequence = this.#firstOfLimit(hit, timeMs);
    const incident = Incident.opened({
      order: this.#incidents.length,
      family: 'limit',
      key,
      type: 'limit',
      severity: limitSeverity(share),
      detectedMs: timeMs,
      startMs: log.time(firstSequence),
      startedAfterWeek: true,
      firstSequence,
      numbers: {
        observed: hit.used,
        expected: null,
        expectedP95: null,
        window: WINDOW_NAMES[3],
        statistic: 'ceiling',
        score: share,
      },
    });
    incident.widen(key, hit.bits, log);
    incident.series.add('ceiling');
    incident.notifiedMark = markOf(share, hit.marks);
    this.#noteLimitUse(incident, hit, timeMs);
    return this.#add(incident);
  }

  /** The first row of the 24 hours that counts against the limit. */
  #firstOfLimit(hit: LimitHit, timeMs: number): number {
    const { log } = this.#context;
    const rows = new CampaignRows();
    rows.widen({ kind: 'limit', a: hit.mailbox, b: hit.name }, hit.bits);
    let sequence = log.firstAfter(timeMs - DAY_MS);
    while (sequence < log.next - 1 && !rows.matches(log.words, log.base(sequence))) sequence++;
    return sequence;
  }

  /** Mail that Microsoft refuses because the tenant is blocked: an incident at once, one for each code. */
  #takeBlock(refusal: number, batchFirst: number, timeMs: number): Incident {
    const key: CampaignKey = { kind: 'block', a: refusal, b: '' };
    const known = this.#open.withKey('blocked', key);
    if (known !== undefined) return known;
    const { log } = this.#context;
    const lately = this.#closedLately('blocked', key, timeMs);
    let first = batchFirst;
    while (refusalOf(log.words[log.base(first) + LOG_BITS]) !== refusal) first++;
    if (lately !== null) {
      this.#reopen(lately, first);
      lately.escalations.push({ atMs: timeMs, observed: 1, severity: lately.severity });
      return lately;
    }
    const incident = Incident.opened({
      order: this.#incidents.length,
      family: 'blocked',
      key,
      type: 'blocked',
      severity: STARTING_SEVERITY.blocked,
      detectedMs: timeMs,
      startMs: timeMs,
      startedAfterWeek: true,
      firstSequence: first,
      numbers: { observed: null, expected: null, expectedP95: null, window: null, statistic: null, score: null },
    });
    incident.widen(key, ROW_EXTERNAL | ROW_LIMITED, log);
    incident.series.add('block');
    return this.#add(incident);
  }

  #noteLimitUse(incident: Incident, hit: LimitHit, timeMs: number): void {
    const forecastMs = this.#context.limitForecast(hit, timeMs, hit.bits, hit.mailbox);
    incident.limit = { name: hit.name, used: hit.used, budget: hit.budget, forecastMs };
  }

  #noteLimit(incident: Incident, timeMs: number): void {
    if (incident.family !== 'limit') incident.limit = this.#context.tenantLimit(timeMs);
  }

  /** Whether a count that raised the incident and that the batch changed is still unusual. */
  #goesOn(incident: Incident, timeMs: number): boolean {
    this.#touched ??= this.#context.touchedMembers();
    for (const member of this.#touched) {
      if (incident.members.has(member.id) && member.isActive(timeMs)) return true;
    }
    return false;
  }

  /** Notifies where a count has doubled since the last notification. Only counts that hit can have. */
  #escalate(incident: Incident, hits: readonly Hit[], timeMs: number): void {
    for (const { member } of hits) {
      const notified = incident.members.get(member.id)?.notified;
      if (notified === undefined) continue;
      const counts = member.counts();
      for (let window = 0; window < 4; window++) {
        const count = counts[window];
        if (count < notified[window] * 2 || count - notified[window] < member.floor(window)) continue;
        const score = member.score(window, count, timeMs);
        if (score !== null && score < member.zCritical) continue;
        this.#notify(incident, count, timeMs);
        return;
      }
    }
  }

  #notify(incident: Incident, observed: number, timeMs: number): void {
    this.#judge(incident);
    this.#noteLimit(incident, timeMs);
    incident.escalations.push({ atMs: timeMs, observed, severity: incident.severity });
    for (const [id, member] of incident.members) member.notified = this.#context.member(id).counts();
  }

  /** Judges type and severity from all rows since the onset. */
  #judge(incident: Incident): void {
    if (incident.family === 'limit' || incident.family === 'blocked') return;
    const { traits } = incident.totals;
    let mailboxKeys = 0;
    for (const key of incident.campaignKeys) if (key.kind === 'mailbox') mailboxKeys++;
    incident.type = typeOfRows(incident.type, incident.family, traits, mailboxKeys, (key) =>
      isNewConnector(this.#context, key, incident.startMs),
    );
    const marks = this.marksOf(incident).length;
    const start = STARTING_SEVERITY[incident.type];
    let severity = Math.min(start + marks, marks >= 2 ? 3 : Math.max(2, start));
    if (LOOK_ALIKES.has(incident.type)) severity = Math.min(severity, 1);
    incident.severity = severity as SeverityRank;
  }

  /** What raises the severity of an incident, by a step each. */
  marksOf(incident: Incident): SeverityMark[] {
    const marks: SeverityMark[] = [];
    const budget = this.#context.tenantBudget();
    const large = budget === null ? LARGE_RECIPIENTS : budget * LARGE_SHARE;
    if (incident.totals.recipients >= large) marks.push('large');
    if (incident.totals.traits.refusedShare >= REFUSED_SHARE) marks.push('refused');
    if (incident.startedAfterWeek && this.#hasNewSource(incident)) marks.push('new_source');
    return marks;
  }

  #hasNewSource(incident: Incident): boolean {
    const { traits } = incident.totals;
    const newSince = incident.startMs - NEW_SOURCE_MS;
    for (const [key, count] of traits.connectors) {
      if (count * 2 >= traits.pairs && this.#context.connectorFirstSeenMs(key) > newSince) return true;
    }
    for (const [key, count] of traits.sources) {
      if (count * 2 >= traits.pairs && this.#context.sourceFirstSeenMs(key) > newSince) return true;
    }
    return false;
  }
}

/** The oldest incident whose share is at least `least`, and more than nothing. */
function oldestWith(shares: ReadonlyMap<Incident, number>, least: number): Incident | null {
  let oldest: Incident | null = null;
  for (const [incident, share] of shares) {
    if (share < least || share <= 0) continue;
    if (oldest === null || incident.order < oldest.order) oldest = incident;
  }
  return oldest;
}

/** Place of the hit's count among those of its member. */
function placeOf(hit: Hit): number {
  return hit.startMs === null ? hit.window : RAMP;
}

function campaignId(family: Family, key: CampaignKey): string {
  return `${family}|${keyId(key)}`;
}

function markOf(share: number, marks: readonly number[]): number {
  let reached = 0;
  for (const mark of marks) if (share >= mark) reached = mark;
  return reached;
}

/** A limit is low, medium, high at 50, 80 and 95 % of it. */
function limitSeverity(share: number): SeverityRank {
  if (share >= 0.95) return 2;
  return share >= 0.8 ? 1 : 0;
}

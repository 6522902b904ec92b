/**
 * The incidents of a tenant: hits open, join or reopen them, rows keep them going, 24 hours without
 * activity close them. The rules are those of campaigns: a hit joins the oldest open incidents whose
 * rows make half of its excess, and a low or known incident cannot cover an attack.
 */

import { DAY_MS } from '../calendar.ts';
import type { Family, IncidentType, SeriesName, Statistic } from '../incident-document.ts';
import {
  type Attribution,
  type AttributionContext,
  attribute,
  type CampaignKey,
  type HitRows,
  isHitRow,
  keyId,
} from './campaign.ts';
import { WINDOW_MS } from './day-clock.ts';
import { Incident, type IncidentState, type LimitNumbers, type SeverityRank } from './incident.ts';
import { LOG_WEIGHT, type RowLog } from './row-log.ts';
import { countForScore, SCORE_95 } from './statistics.ts';
import { REFUSED_SHARE, typeOfTraits } from './traits.ts';

const CLOSE_AFTER_MS = DAY_MS;
const REOPEN_WITHIN_MS = 7 * DAY_MS;
/** A hit that goes on is attributed again when its count has grown by a tenth and five. */
const REATTRIBUTE_FACTOR = 1.1;
const REATTRIBUTE_STEP = 5;
/** A source hit of which so many are null senders is bulk, not unregistered mail. */
const NULL_SENDER_SHARE = 0.8;
/** Where the tenant's limit is unknown, so many recipients weigh as a tenth of it. */
const LARGE_RECIPIENTS = 2000;
const LARGE_SHARE = 0.1;
const NEW_SOURCE_MS = DAY_MS;

const STARTING_SEVERITY: Record<IncidentType, SeverityRank> = {
  relay: 2,
  domain_rotation: 2,
  rogue_connector: 2,
  compromised_mailbox: 2,
  distributed_mailboxes: 2,
  bulk_sender: 1,
  unknown: 1,
  forwarding: 0,
  forwarding_loop: 0,
  queue_flush: 0,
  backscatter: 0,
  growth: 0,
  profile_shift: 0,
  limit: 0,
  blocked: 3,
};
/** Look-alikes never rise above medium. */
const LOOK_ALIKES: ReadonlySet<IncidentType> = new Set([
  'forwarding',
  'forwarding_loop',
  'queue_flush',
  'backscatter',
  'growth',
  'profile_shift',
]);

/** Counts behind a member of an incident: a key of a series, or a mailbox against our ceilings. */
export interface MemberCounts {
  /** Counts of the four windows. */
  counts(): number[];
  floor(window: number): number;
  /** Score of a count in a window; null where the member has no expectation. */
  score(window: number, count: number, timeMs: number): number | null;
  zCritical: number;
  isActive(timeMs: number): boolean;
}

/** What a test found in a batch. */
export interface Hit {
  memberId: string;
  series: SeriesName;
  family: 'unregistered' | 'bulk';
  statistic: Statistic;
  window: number;
  observed: number;
  /** Null mean: a ceiling, without an expectation. */
  mean: number | null;
  inverseSize: number;
  score: number;
  rows: Omit<HitRows, 'firstSequence'>;
}

export interface LimitHit {
  name: string;
  /** Mailbox key, 0 for the tenant. */
  mailbox: number;
  bits: number;
  used: number;
  budget: number;
  marks: readonly number[];
}

/** What the book asks of the walk. */
export interface BookContext extends AttributionContext {
  log: RowLog;
  /** Member by id, for incidents that go on. */
  member(id: string): MemberCounts;
  tenantFirstMs(): number;
  sourceFirstSeenMs(key: number): number;
  connectorFirstSeenMs(key: number): number;
  /** The tenant's external recipients of the last 24 h against its limit; null where the licences are unknown. */
  tenantLimit(timeMs: number): LimitNumbers | null;
  limitForecast(limit: { used: number; budget: number }, timeMs: number, bits: number, mailbox: number): number | null;
}

export interface IncidentBookState {
  incidents: IncidentState[];
  /** Indexes of the incidents that own members, by member id. */
  owners: Map<string, number>;
}

export class IncidentBook {
  readonly #context: BookContext;
  #incidents: Incident[] = [];
  #open: Incident[] = [];
  /** The incident that took the last hit of a member. */
  readonly #owners = new Map<string, Incident>();
  /** Sequence number of the first row of the batch. */
  #batchFirst = 0;

  constructor(context: BookContext) {
    this.#context = context;
  }

  save(): IncidentBookState {
    const indexes = new Map(this.#incidents.map((incident, index) => [incident, index]));
    return {
      incidents: this.#incidents.map((incident) => incident.save()),
      owners: new Map([...this.#owners].map(([id, incident]) => [id, indexes.get(incident) as number])),
    };
  }

  load(state: Readonly<IncidentBookState>): void {
    this.#incidents = state.incidents.map((incident) => Incident.load(incident));
    this.#open = this.#incidents.filter((incident) => incident.isOpen);
    this.#owners.clear();
    for (const [id, index] of state.owners) this.#owners.set(id, this.#incidents[index]);
  }

  /** All incidents, in the order in which they were opened. */
  get incidents(): readonly Incident[] {
    return this.#incidents;
  }

  get hasOpen(): boolean {
    return this.#open.length > 0;
  }

  /** Closes what this time closes. */
  closeBefore(timeMs: number): void {
    for (const incident of this.#open) {
      if (timeMs - incident.lastActiveMs >= CLOSE_AFTER_MS) this.#close(incident);
    }
    if (this.#open.some((incident) => !incident.isOpen)) this.#open = this.#open.filter((incident) => incident.isOpen);
  }

  /** Takes the hits and the new rows (from `batchFirst` on) of one point in time. */
  takeBatch(timeMs: number, batchFirst: number, hits: readonly Hit[], limitHits: readonly LimitHit[]): void {
    this.#batchFirst = batchFirst;
    const active = new Set<Incident>();
    const opened: Incident[] = [];
    for (const hit of hits) {
      const incident = this.#takeHit(hit, timeMs, opened);
      if (incident !== null) active.add(incident);
    }
    for (const hit of limitHits) active.add(this.#takeLimitHit(hit, timeMs));
    for (const incident of this.#open) {
      if (!active.has(incident) && !(this.#hasNewRow(incident) && this.#goesOn(incident, timeMs))) continue;
      incident.lastActiveMs = timeMs;
      incident.countRows(this.#context.log);
      if (opened.includes(incident)) this.#finishOpening(incident, timeMs);
      else this.#escalate(incident, timeMs);
    }
  }

  /** No more rows: judges what is still open a last time, and closes it where now is late enough. */
  finish(nowMs: number): void {
    this.closeBefore(nowMs);
    for (const incident of this.#open) this.#judge(incident);
  }

  #takeHit(hit: Hit, timeMs: number, opened: Incident[]): Incident | null {
    const owner = this.#owners.get(hit.memberId);
    if (owner?.isOpen && this.#hasNewRow(owner)) {
      // A reopened incident has only the members that hit since.
      const attributed = owner.members.get(hit.memberId)?.attributed[hit.window] ?? 0;
      if (attributed > 0 && hit.observed <= attributed * REATTRIBUTE_FACTOR + REATTRIBUTE_STEP) return owner;
    }
    const attribution = this.#attribute(hit, timeMs);
    const family: Family =
      hit.series === 'unregistered_source' && attribution.nullShare >= NULL_SENDER_SHARE ? 'bulk' : hit.family;
    const type = family === hit.family ? attribution.type : 'unknown';
    const incident =
      this.#joined(hit, family, type, attribution, timeMs) ??
      this.#reopened(hit, family, attribution, timeMs) ??
      this.#opened(hit, family, type, attribution, timeMs, opened);
    this.#addMember(incident, hit, attribution.key);
    return incident;
  }

  #attribute(hit: Hit, timeMs: number): Attribution {
    const { log } = this.#context;
    const firstSequence = log.firstAfter(timeMs - WINDOW_MS[hit.window]);
    const rows = { ...hit.rows, firstSequence };
    return attribute(log, rows, hit.family, hit.observed, hit.mean ?? 0, hit.window, timeMs, this.#context);
  }

  /** The oldest open incident that the hit belongs to. */
  #joined(hit: Hit, family: Family, type: IncidentType, attribution: Attribution, timeMs: number): Incident | null {
    const id = keyId(attribution.key);
    const same = this.#open.find((incident) => incident.family === family && keyId(incident.key) === id);
    if (same !== undefined) return same;
    const candidates = this.#open.filter(
      (incident) =>
        incident.family === family &&
        (incident.type === 'unknown' || STARTING_SEVERITY[incident.type] >= STARTING_SEVERITY[type]),
    );
    const half = attribution.excess / 2;
    const shares = this.#shares(hit, candidates, timeMs, (incident, words, base) => incident.rows.matches(words, base));
    const alone = shares.each.findIndex((share) => share >= half && share > 0);
    if (alone >= 0) return candidates[alone];
    if (shares.union >= half && shares.union > 0) return candidates[shares.each.findIndex((share) => share > 0)];
    if (family !== 'bulk') return null;
    // Bulk that a relay pushed up extends the relay's incident.
    const relays = this.#open.filter((incident) => incident.family === 'unregistered');
    const relayed = this.#shares(hit, relays, timeMs, (incident, words, base) =>
      incident.rows.sharesWayIn(words, base),
    );
    const relay = relayed.each.findIndex((share) => share >= half && share > 0);
    return relay < 0 ? null : relays[relay];
  }

  /** How much of the hit's count each incident covers, and all together. */
  #shares(
    hit: Hit,
    incidents: readonly Incident[],
    timeMs: number,
    covers: (incident: Incident, words: Uint32Array, base: number) => boolean,
  ): { each: number[]; union: number } {
    const each = incidents.map(() => 0);
    let union = 0;
    if (incidents.length === 0) return { each, union };
    const { log } = this.#context;
    const words = log.words;
    const firstSequence = log.firstAfter(timeMs - WINDOW_MS[hit.window]);
    const rows = { ...hit.rows, firstSequence };
    for (let sequence = firstSequence; sequence < log.next; sequence++) {
      const base = log.base(sequence);
      if (!isHitRow(rows, words, base)) continue;
      const amount = rows.weighted ? words[base + LOG_WEIGHT] : 1;
      let covered = false;
      for (let index = 0; index < incidents.length; index++) {
        if (!covers(incidents[index], words, base)) continue;
        each[index] += amount;
        covered = true;
      }
      if (covered) union += amount;
    }
    return { each, union };
  }

  #reopened(hit: Hit, family: Family, attribution: Attribution, timeMs: number): Incident | null {
    const id = keyId(attribution.key);
    for (let index = this.#incidents.length - 1; index >= 0; index--) {
      const incident = this.#incidents[index];
      if (incident.closedMs === null || incident.family !== family || keyId(incident.key) !== id) continue;
      if (timeMs - incident.closedMs > REOPEN_WITHIN_MS) return null;
      incident.closedMs = null;
      incident.reopenedCount++;
      incident.members.clear();
      // The gap is not counted: rows count again from the window of this hit on.
      incident.countedFrom = Math.max(incident.countedUntil, attribution.firstSequence);
      incident.countedUntil = incident.countedFrom;
      this.#open.push(incident);
      this.#open.sort((left, right) => this.#incidents.indexOf(left) - this.#incidents.indexOf(right));
      this.#addMember(incident, hit, attribution.key);
      incident.lastActiveMs = timeMs;
      incident.countRows(this.#context.log);
      this.#notify(incident, hit.observed, timeMs);
      return incident;
    }
    return null;
  }

  #opened(
    hit: Hit,
    family: Family,
    type: IncidentType,
    attribution: Attribution,
    timeMs: number,
    opened: Incident[],
  ): Incident {
    const { log } = this.#context;
    const firstSequence = Math.max(attribution.firstSequence, log.first);
    const startMs = firstSequence < log.next ? log.time(firstSequence) : timeMs;
    const incident = Incident.opened({
      family,
      key: attribution.key,
      type,
      severity: STARTING_SEVERITY[type],
      detectedMs: timeMs,
      startMs,
      startedAfterWeek: startMs - this.#context.tenantFirstMs() >= 7 * DAY_MS,
      firstSequence,
      numbers: {
        observed: hit.observed,
        expected: hit.mean,
        expectedP95: hit.mean === null ? null : countForScore(SCORE_95, hit.mean, hit.inverseSize),
        window: hit.window,
        statistic: hit.statistic,
        score: hit.score,
      },
    });
    this.#incidents.push(incident);
    this.#open.push(incident);
    opened.push(incident);
    return incident;
  }

  #finishOpening(incident: Incident, timeMs: number): void {
    incident.recipientsAtDetection = incident.totals.recipients;
    this.#judge(incident);
    this.#noteLimit(incident, timeMs);
  }

  #addMember(incident: Incident, hit: Hit, key: CampaignKey): void {
    incident.series.add(hit.series);
    incident.widen(key, hit.rows.bits, this.#context.log);
    const member = incident.members.get(hit.memberId) ?? {
      notified: this.#context.member(hit.memberId).counts(),
      attributed: [0, 0, 0, 0],
    };
    member.attributed[hit.window] = hit.observed;
    incident.members.set(hit.memberId, member);
    this.#owners.set(hit.memberId, incident);
  }

  #takeLimitHit(hit: LimitHit, timeMs: number): Incident {
    const { log } = this.#context;
    const key: CampaignKey = { kind: 'limit', a: hit.mailbox, b: hit.name };
    const id = keyId(key);
    const share = hit.used / hit.budget;
    let incident = this.#open.find((candidate) => keyId(candidate.key) === id);
    const firstSequence = log.firstAfter(timeMs - DAY_MS);
    if (incident === undefined) {
      incident = Incident.opened({
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
          window: 3,
          statistic: 'ceiling',
          score: share,
        },
      });
      incident.widen(key, hit.bits, log);
      incident.series.add('ceiling');
      incident.countRows(log);
      incident.recipientsAtDetection = incident.totals.recipients;
      this.#incidents.push(incident);
      this.#open.push(incident);
      incident.notifiedMark = markOf(share, hit.marks);
      this.#noteLimitUse(incident, hit, timeMs);
      return incident;
    }
    const mark = markOf(share, hit.marks);
    if (mark > incident.notifiedMark) {
      incident.notifiedMark = mark;
      incident.severity = limitSeverity(share);
      incident.escalations.push({ atMs: timeMs, observed: hit.used, severity: incident.severity });
      this.#noteLimitUse(incident, hit, timeMs);
    }
    return incident;
  }

  #noteLimitUse(incident: Incident, hit: LimitHit, timeMs: number): void {
    const forecastMs = this.#context.limitForecast(hit, timeMs, hit.bits, hit.mailbox);
    incident.limit = { name: hit.name, used: hit.used, budget: hit.budget, forecastMs };
  }

  #noteLimit(incident: Incident, timeMs: number): void {
    if (incident.family !== 'limit') incident.limit = this.#context.tenantLimit(timeMs);
  }

  /** Whether the batch brought a row of the campaign. */
  #hasNewRow(incident: Incident): boolean {
    const { log } = this.#context;
    for (let sequence = this.#batchFirst; sequence < log.next; sequence++) {
      if (incident.rows.matches(log.words, log.base(sequence))) return true;
    }
    return false;
  }

  /** Whether a count that raised the incident is still unusual. */
  #goesOn(incident: Incident, timeMs: number): boolean {
    for (const id of incident.members.keys()) {
      if (this.#context.member(id).isActive(timeMs)) return true;
    }
    return false;
  }

  #escalate(incident: Incident, timeMs: number): void {
    for (const [id, member] of incident.members) {
      const current = this.#context.member(id);
      const counts = current.counts();
      for (let window = 0; window < 4; window++) {
        const count = counts[window];
        const notified = member.notified[window];
        if (count < notified * 2 || count - notified < current.floor(window)) continue;
        const score = current.score(window, count, timeMs);
        if (score !== null && score < current.zCritical) continue;
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

  #close(incident: Incident): void {
    incident.closedMs = incident.lastActiveMs + CLOSE_AFTER_MS;
    this.#judge(incident);
  }

  /** Judges type and severity from all rows since the onset. */
  #judge(incident: Incident): void {
    if (incident.family === 'limit' || incident.family === 'blocked') return;
    const { traits } = incident.totals;
    const type = typeOfTraits(traits, incident.family);
    // A type rises, is named, or falls to a look-alike whose marks all rows have.
    const rises = STARTING_SEVERITY[type] > STARTING_SEVERITY[incident.type];
    const sameRank = STARTING_SEVERITY[type] === STARTING_SEVERITY[incident.type];
    if (rises || sameRank || LOOK_ALIKES.has(type)) incident.type = type;
    let marks = 0;
    const limit = this.#context.tenantLimit(incident.lastActiveMs);
    const large = limit === null ? LARGE_RECIPIENTS : limit.budget * LARGE_SHARE;
    if (incident.totals.recipients >= large) marks++;
    if (traits.refusedShare >= REFUSED_SHARE) marks++;
    if (incident.startedAfterWeek && this.#hasNewSource(incident)) marks++;
    const start = STARTING_SEVERITY[incident.type];
    let severity = Math.min(start + marks, marks >= 2 ? 3 : Math.max(2, start));
    if (LOOK_ALIKES.has(incident.type)) severity = Math.min(severity, 1);
    incident.severity = severity as SeverityRank;
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

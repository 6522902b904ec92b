/**
 * What kind of incident it is. Attacks are told by what their rows have in common; the look-alikes
 * only by all of their marks, since they weigh little: forwards that repeat, a server that empties its queue,
 * answers to people who wrote, growth without anybody new, the usual mail at other hours.
 */

import { DAY_MS, dayOf } from '../calendar.ts';
import type { Family, IncidentType, SeriesName, Statistic } from '../incident-document.ts';
import type { CampaignKeyKind } from './campaign.ts';
import type { RowTraits } from './traits.ts';

/** Index into SEVERITIES: 0 low, 1 medium, 2 high, 3 critical. */
export type SeverityRank = 0 | 1 | 2 | 3;

export const STARTING_SEVERITY: Record<IncidentType, SeverityRank> = {
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

/** They never rise above medium. */
export const LOOK_ALIKES: ReadonlySet<IncidentType> = new Set([
  'forwarding',
  'forwarding_loop',
  'queue_flush',
  'backscatter',
  'growth',
  'profile_shift',
]);

/** To these an incident may fall when all its rows have their marks. */
const FALLS_TO: ReadonlySet<IncidentType> = new Set(['forwarding', 'forwarding_loop', 'backscatter']);

/** Share of failed or filtered rows from which on mail is not legitimate. */
export const REFUSED_SHARE = 0.3;
/** A rotation uses at least so many domains, and none of them for more than this share. */
const ROTATION_DOMAINS = 6;
const ROTATION_TOP_SHARE = 0.25;
const ROTATION_PAIRS_PER_DOMAIN = 12;
/** Share of the rows that must have the mark of a look-alike. */
const MARKED_SHARE = 0.8;
/** A sender and a recipient that meet so often go round in a circle. */
const LOOP_REPEATS = 5;
/** Forwards to so few people are no campaign, whether the forward is known already or not. */
const FEW_RECIPIENTS = 3;
/** Fewer rows without the mark than would be a hit by themselves. */
const UNMARKED_ROWS = 8;
/** Non-delivery reports to people who never wrote, of which more are no mistake. */
const UNMARKED_REPORTS = 100;
const MOST = 0.5;
/** A key above this share of the excess is looked at by itself. */
const LARGE_SHARE = 0.2;
/** A flush is at most so many times what was expected while the source was silent. */
const FLUSH_FACTOR = 2;
/** Growth is slow: it began so long ago. */
const GROWTH_MS = 2 * DAY_MS;
const NEW_MS = 14 * DAY_MS;
const DISTRIBUTED_MAILBOXES = 3;
/** A bulk sender has reached at least this share of the count before, or writes to people who are known here. */
const RECURRING_SHARE = 0.5;
const STRANGER_SHARE = 0.5;
/** Mail of which so much is refused is no mass mailing that people asked for. */
const BULK_REFUSED_SHARE = 0.08;
const BULK_REFUSED_ROWS = 5;

/** What the walk knows of a hit beyond its rows. */
export interface HitFacts {
  family: Family;
  series: SeriesName;
  statistic: Statistic;
  /** Of the campaign key that the hit was attributed to. */
  keyKind: CampaignKeyKind;
  /** The rows of the hit that its campaign key covers. */
  traits: RowTraits;
  /** The count of the window minus its expectation. */
  excess: number;
  onsetMs: number;
  timeMs: number;
  /** First time of a source or connector, or of a domain. */
  firstSeenMs(kind: 'connector' | 'source' | 'domain', key: number): number;
  isNewConnector(key: number): boolean;
  /** Rows that were missing while a source was silent, from which it came back within the hour; 0 where it did not. */
  flushOf(source: number): number;
  /** Whether the tenant's last 24 hours are usual in this series. */
  isUsualDay: boolean;
  /** Whether a key's last 24 hours are usual. */
  isUsualDayOf(kind: 'connector' | 'source' | 'domain' | 'mailbox', key: number): boolean;
  /** Count of a mailbox in the window above its own expectation where that is unusual for it; else 0. */
  unusualOf(mailbox: number): number;
  /** Largest count of the mailbox in this window before, 0 where it has no history. */
  recordOf(mailbox: number): number;
  /** The count of the window that fired. */
  observed: number;
  /** Whether recipients are known well enough to call others strangers. */
  knowsRecipients: boolean;
}

/** The type that a hit shows. */
export function typeOfHit(hit: HitFacts): IncidentType {
  const { traits, family } = hit;
  const isHonest = traits.refusedShare < REFUSED_SHARE;
  if (isHonest && isQueueFlush(hit)) return 'queue_flush';
  if (family === 'unregistered') {
    const type = typeOfRelayedRows(traits, hit.isNewConnector);
    if (type !== 'relay' && type !== 'unknown') return type;
    if (isHonest && isProfileShift(hit)) return 'profile_shift';
    if (isHonest && isGrowth(hit)) return 'growth';
    return type;
  }
  if (hit.series === 'unregistered_source') {
    // Null senders: answers, or spam that pretends to be.
    if (traits.nullSenders >= UNMARKED_REPORTS) return 'relay';
    return traits.trueNdrs >= MARKED_SHARE * traits.pairs ? 'backscatter' : 'unknown';
  }
  if (traits.trueNdrs >= MARKED_SHARE * excessRows(hit)) {
    return traits.nullSenders < UNMARKED_REPORTS ? 'backscatter' : 'unknown';
  }
  if (hit.keyKind === 'mailbox') return typeOfMailbox(hit);
  if (hit.keyKind !== 'tenant' || hit.series !== 'tenant_external') return 'unknown';
  if (isHonest) {
    const most = MARKED_SHARE * excessRows(hit);
    if (traits.recognisedForwards >= most) return 'forwarding';
    if (traits.forwardsRepeated(LOOP_REPEATS) >= most) return 'forwarding_loop';
  }
  if (isDistributed(hit)) return 'distributed_mailboxes';
  if (isHonest && isProfileShift(hit)) return 'profile_shift';
  if (isHonest && isGrowth(hit)) return 'growth';
  return 'unknown';
}

/** The type that all rows of an incident since its onset show; `current` where they show nothing graver. */
export function typeOfRows(
  current: IncidentType,
  family: Family,
  traits: RowTraits,
  mailboxKeys: number,
  isNewConnector: (key: number) => boolean,
): IncidentType {
  if (family === 'limit' || family === 'blocked') return current;
  let type: IncidentType = current;
  if (family === 'unregistered') type = typeOfRelayedRows(traits, isNewConnector);
  else if (mailboxKeys >= DISTRIBUTED_MAILBOXES && traits.topShare(traits.mailboxes) < MOST)
    type = 'distributed_mailboxes';
  if (current === 'backscatter') return traits.nullSenders < UNMARKED_REPORTS ? current : 'unknown';
  const isLookAlike = LOOK_ALIKES.has(current);
  if (FALLS_TO.has(type)) return type;
  // What looked honest by its circumstances stays so, unless much of it is refused.
  if (isLookAlike && !FALLS_TO.has(current) && traits.refusedShare < REFUSED_SHARE) return current;
  if (isLookAlike) return LOOK_ALIKES.has(type) ? 'unknown' : type;
  return STARTING_SEVERITY[type] >= STARTING_SEVERITY[current] ? type : current;
}

function typeOfRelayedRows(traits: RowTraits, isNewConnector: (key: number) => boolean): IncidentType {
  if (traits.refusedShare < REFUSED_SHARE) {
    if (traits.recognisedForwards >= MARKED_SHARE * traits.pairs) return 'forwarding';
    // A blind copy makes a forward of any mail: only where nearly all goes to few people is it no campaign.
    if (traits.forwardRecipients.size <= FEW_RECIPIENTS && traits.pairs - traits.forwards < UNMARKED_ROWS) {
      if (traits.forwardsRepeated(LOOP_REPEATS) >= MARKED_SHARE * traits.pairs) return 'forwarding_loop';
      if (traits.forwards >= MARKED_SHARE * traits.pairs) return 'forwarding';
    }
  }
  const topDomain = traits.topShare(traits.domains);
  if (
    traits.domains.size >= ROTATION_DOMAINS &&
    topDomain <= ROTATION_TOP_SHARE &&
    traits.pairs <= ROTATION_PAIRS_PER_DOMAIN * traits.domains.size
  ) {
    return 'domain_rotation';
  }
  const connector = topKey(traits.connectors);
  if (connector !== null && connector.count >= MOST * traits.pairs && isNewConnector(connector.key)) {
    return 'rogue_connector';
  }
  const topSource = Math.max(traits.topShare(traits.connectors), traits.topShare(traits.sources));
  return topSource >= MOST || topDomain >= MOST ? 'relay' : 'unknown';
}

/** Rows that make the excess: of a tenant's whole mail only a part is unusual. */
function excessRows(hit: HitFacts): number {
  return Math.max(1, Math.min(hit.traits.pairs, hit.excess));
}

/** A source was silent where mail was expected and sends now what it kept, from senders that are known. */
function isQueueFlush(hit: HitFacts): boolean {
  const { traits } = hit;
  const source = topKey(traits.sources);
  if (source === null || source.count < MARKED_SHARE * excessRows(hit)) return false;
  const missed = hit.flushOf(source.key);
  if (missed === 0 || hit.excess > FLUSH_FACTOR * missed) return false;
  return traits.knownSenders >= MARKED_SHARE * traits.pairs;
}

/** The day is as usual, for the tenant and for everybody who makes much of the excess: mail moved to other hours. */
function isProfileShift(hit: HitFacts): boolean {
  if (hit.statistic !== 'scan' || hit.series === 'unregistered_recipients') return false;
  if ((isOfTenant(hit.series) && !hit.isUsualDay) || writesToStrangers(hit)) return false;
  if (hit.traits.knownSenders < MARKED_SHARE * hit.traits.pairs) return false;
  return !someLargeKey(hit, (kind, key) => !hit.isUsualDayOf(kind, key) || isNew(hit, kind, key));
}

/** More of everything, for days, and nobody new makes much of it. */
function isGrowth(hit: HitFacts): boolean {
  if (!isOfTenant(hit.series) || hit.timeMs - hit.onsetMs < GROWTH_MS || writesToStrangers(hit)) return false;
  const { traits } = hit;
  const most = LARGE_SHARE * hit.excess;
  for (const kind of ['connector', 'source', 'domain'] as const) {
    let fresh = 0;
    for (const [key, count] of countsOf(traits, kind)) if (isNew(hit, kind, key)) fresh += count;
    if (fresh > most) return false;
  }
  // One domain alone that grows is no growth of the tenant.
  for (const [key, count] of traits.domains) {
    if (count >= MOST * hit.excess && !hit.isUsualDayOf('domain', key)) return false;
  }
  return true;
}

/** Whether most of the mail goes to people to whom nobody here wrote before; not where that cannot be told. */
function writesToStrangers({ traits, knowsRecipients }: HitFacts): boolean {
  return knowsRecipients && traits.share(traits.strangers) > STRANGER_SHARE;
}

function isOfTenant(series: SeriesName): boolean {
  return series === 'relayed' || series === 'tenant_external';
}

/** Not seen before the day before the onset, or within the last two weeks. */
function isNew(hit: HitFacts, kind: 'connector' | 'source' | 'domain' | 'mailbox', key: number): boolean {
  if (kind === 'mailbox') return false;
  return hit.firstSeenMs(kind, key) >= Math.min((dayOf(hit.onsetMs) - 1) * DAY_MS, hit.timeMs - NEW_MS);
}

function someLargeKey(
  hit: HitFacts,
  test: (kind: 'connector' | 'source' | 'domain' | 'mailbox', key: number) => boolean,
): boolean {
  const large = LARGE_SHARE * hit.excess;
  for (const kind of ['connector', 'source', 'domain', 'mailbox'] as const) {
    for (const [key, count] of countsOf(hit.traits, kind)) if (count >= large && test(kind, key)) return true;
  }
  return false;
}

/** Several mailboxes, each far above its own usual mail, make most of the excess together. */
function isDistributed(hit: HitFacts): boolean {
  let mailboxes = 0;
  let excess = 0;
  for (const [mailbox] of hit.traits.mailboxes) {
    const unusual = hit.unusualOf(mailbox);
    if (unusual === 0) continue;
    mailboxes++;
    excess += unusual;
  }
  return mailboxes >= DISTRIBUTED_MAILBOXES && excess >= MOST * hit.excess;
}

/**
 * Of one mailbox: a bulk sender has sent as much before, or writes to people who are known here, and its mail
 * arrives. A mailbox that never sent anything is nobody's who was taken over; what it is, is not known.
 */
function typeOfMailbox(hit: HitFacts): IncidentType {
  const { traits } = hit;
  const mailbox = topKey(traits.mailboxes);
  if (mailbox === null) return 'unknown';
  if (traits.refused >= BULK_REFUSED_ROWS && traits.refusedShare >= BULK_REFUSED_SHARE) return 'compromised_mailbox';
  if (hit.knowsRecipients && traits.share(traits.strangers) <= STRANGER_SHARE) return 'bulk_sender';
  if (hit.recordOf(mailbox.key) >= RECURRING_SHARE * hit.observed) return 'bulk_sender';
  const isFirstMail = hit.knowsRecipients && traits.knownSenders < MOST * traits.pairs;
  return isFirstMail ? 'unknown' : 'compromised_mailbox';
}

function countsOf(traits: RowTraits, kind: 'connector' | 'source' | 'domain' | 'mailbox'): Map<number, number> {
  switch (kind) {
    case 'connector':
      return traits.connectors;
    case 'source':
      return traits.sources;
    case 'domain':
      return traits.domains;
    default:
      return traits.mailboxes;
  }
}

function topKey(counts: ReadonlyMap<number, number>): { key: number; count: number } | null {
  let best: { key: number; count: number } | null = null;
  for (const [key, count] of counts) if (best === null || count > best.count) best = { key, count };
  return best;
}

/**
 * Records become rows of the log: mail to an external recipient, with what its bits say of it. Mail to a
 * mailbox here is remembered for that alone.
 */

import { DAY_MS } from '../calendar.ts';
import type { HashTableState } from '../hash-table.ts';
import {
  CONNECTOR,
  CONNECTOR_ID_MASK,
  FLAGS,
  HEADER_SENDER_DIFFERS,
  MESSAGE_HI,
  MESSAGE_LO,
  POSITION_HI,
  POSITION_LO,
  RECIPIENT_HI,
  RECIPIENT_LO,
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
  STATUS_FAILED,
  STATUS_FILTERED_AS_SPAM,
  STATUS_MASK,
  SUBJECT,
} from '../record.ts';
import { DOMAIN_ACCEPTED, type TenantModel } from '../tenant.ts';
import type { AllowedRow, AllowList } from './allow-list.ts';
import { COUNTED_BITS, type Counters } from './counters.ts';
import type { DayClock } from './day-clock.ts';
import type { FirstSeen } from './first-seen.ts';
import { Correspondents, Forwards, type ForwardsState, MessageWeights } from './forwards.ts';
import type { KeyedSeries } from './keyed-series.ts';
import { KnownRecipients, type KnownRecipientsState } from './known-recipients.ts';
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
  type RowLog,
  refusalBits,
  statusBits,
} from './row-log.ts';
import { SourceActivity, type SourceActivityState } from './source-activity.ts';
import type { TenantKeys } from './tenant-keys.ts';

/** From this day of the tenant on so many recipients are known that the others are strangers. */
const STRANGERS_FROM_DAY = 14;

/** What is remembered of earlier records to tell the bits of later ones. */
export interface DeparturesState {
  forwards: ForwardsState;
  correspondents: HashTableState;
  weights: HashTableState;
  knownRecipients: KnownRecipientsState;
  sourceActivity: SourceActivityState;
}

/** Parts of the walk that rows are made with. */
export interface DepartureParts {
  tenant: TenantModel;
  clock: DayClock;
  log: RowLog;
  keys: TenantKeys;
  firstSeen: FirstSeen;
  counters: Counters;
  allowList: AllowList;
}

export class Departures {
  readonly #tenant: TenantModel;
  readonly #clock: DayClock;
  readonly #log: RowLog;
  readonly #keys: TenantKeys;
  readonly #firstSeen: FirstSeen;
  readonly #counters: Counters;
  readonly #allowList: AllowList;
  readonly #mailboxSeries: KeyedSeries;
  readonly #domainSeries: KeyedSeries;
  readonly #forwards = new Forwards();
  readonly #correspondents = new Correspondents();
  readonly #weights = new MessageWeights();
  readonly #knownRecipients = new KnownRecipients();
  readonly #sourceActivity: SourceActivity;
  readonly #allowedRow: AllowedRow = {
    domain: 0,
    connector: 0,
    source: 0,
    senderLo: 0,
    senderHi: 0,
    isRefused: false,
    isKnownWayIn: true,
  };
  /** Kinds of refusal by which the tenant is blocked, in this batch. */
  readonly blocks = new Set<number>();
  /** Rows so far, and those with an unregistered sender. */
  external = 0;
  unregistered = 0;

  constructor({ tenant, clock, log, keys, firstSeen, counters, allowList }: DepartureParts) {
    this.#tenant = tenant;
    this.#clock = clock;
    this.#log = log;
    this.#keys = keys;
    this.#firstSeen = firstSeen;
    this.#counters = counters;
    this.#allowList = allowList;
    this.#mailboxSeries = counters.series('mailbox');
    this.#domainSeries = counters.series('unregistered_domain');
    this.#sourceActivity = new SourceActivity(clock);
  }

  save(): DeparturesState {
    return {
      forwards: this.#forwards.save(),
      correspondents: this.#correspondents.save(),
      weights: this.#weights.save(),
      knownRecipients: this.#knownRecipients.save(),
      sourceActivity: this.#sourceActivity.save(),
    };
  }

  load(state: Readonly<DeparturesState>, external: number, unregistered: number): void {
    this.#forwards.load(state.forwards);
    this.#correspondents.load(state.correspondents);
    this.#weights.load(state.weights);
    this.#knownRecipients.load(state.knownRecipients);
    this.#sourceActivity.load(state.sourceActivity);
    this.external = external;
    this.unregistered = unregistered;
  }

  /** Whether recipients were learned for so long that strangers mean something. */
  get knowsRecipients(): boolean {
    return this.#clock.tenantDay >= STRANGERS_FROM_DAY;
  }

  /** Rows that were missing while a source was silent, from which it came back within the hour before. */
  flushOf(source: number, timeMs: number): number {
    return this.#sourceActivity.flushOf(source, timeMs);
  }

  /** The last day with rows is over. */
  endDay(day: number): void {
    this.#forwards.endDay(day);
    this.#sourceActivity.endDay(day);
  }

  /** Learns a day; before the series do, who may forget which of its keys were abused. */
  seal(day: number): void {
    const log = this.#log;
    const first = log.firstAfter(day * DAY_MS - 1);
    const end = log.firstAfter((day + 1) * DAY_MS - 1);
    this.#knownRecipients.seal(day, log, first, end, (words, row) => this.#counters.isAbused(words, row, day));
    this.#forwards.seal(day);
    this.#sourceActivity.seal(day);
  }

  beginDay(day: number): void {
    this.#correspondents.forgetBefore(day * DAY_MS);
    this.#weights.forgetBefore(day * DAY_MS);
  }

  /** Mail to a mailbox here: the way in of forwards, and what true NDRs answer to. */
  arrival(words: Uint32Array, base: number, timeMs: number): void {
    this.#forwards.wayIn(timeMs, words, base);
    const kind = (words[base + FLAGS] >>> SENDER_KIND_SHIFT) & 3;
    if (kind === SENDER_NULL) return;
    if (this.#tenant.domainClass(words[base + SENDER_DOMAIN]) === DOMAIN_ACCEPTED) return;
    this.#correspondents.wrote(timeMs, words[base + SENDER_LO], words[base + SENDER_HI]);
  }

  /** Mail to an external recipient: into the log. Returns the place of its row among the words of the log. */
  add(words: Uint32Array, base: number, timeMs: number): number {
    this.external++;
    const log = this.#log;
    const keys = this.#keys;
    const weight = this.#weights.weigh(timeMs, words[base + MESSAGE_LO], words[base + MESSAGE_HI]);
    this.#clock.count(timeMs, weight);
    const flags = words[base + FLAGS];
    const kind = (flags >>> SENDER_KIND_SHIFT) & 3;
    const senderDomain = words[base + SENDER_DOMAIN];
    const isAccepted = this.#tenant.domainClass(senderDomain) === DOMAIN_ACCEPTED;
    // An accepted domain is never the key of a campaign.
    const domain = isAccepted ? 0 : keys.domains.key(senderDomain);
    const recipientLo = words[base + RECIPIENT_LO];
    const recipientHi = words[base + RECIPIENT_HI];
    const isStranger = this.knowsRecipients && !this.#knownRecipients.isKnown(recipientLo, recipientHi);
    let bits = ROW_EXTERNAL;
    let mailbox = 0;
    if (kind === SENDER_NULL) {
      bits |= this.#correspondents.isKnown(timeMs, recipientLo, recipientHi) ? ROW_TRUE_NDR : ROW_NULL_SENDER;
    } else if (isAccepted) {
      if (kind !== SENDER_SYSTEM) {
        bits |= ROW_MAILBOX | ROW_LIMITED;
        if (isStranger) bits |= ROW_MAILBOX_TO_STRANGER;
        mailbox = keys.sender(words, base);
        if (this.#mailboxSeries.hasLearned(mailbox)) bits |= ROW_KNOWN_SENDER;
        if (this.#tenant.isOnMicrosoft(senderDomain)) bits |= ROW_ONMICROSOFT;
      }
    } else if (senderDomain !== 0) {
      this.unregistered++;
      bits |= ROW_UNREGISTERED | ROW_LIMITED;
      if (this.#domainSeries.hasLearned(domain)) bits |= ROW_KNOWN_SENDER;
      const verdict = this.#forwards.judge(timeMs, words, base);
      if (verdict.isForward) {
        bits |= ROW_FORWARD;
        mailbox = keys.forwarder(verdict);
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
    if (refusal >= REFUSAL_ADDRESS_BLOCKED) this.blocks.add(refusal);

    const sequence = log.append(timeMs);
    const row = log.base(sequence);
    const target = log.words;
    target[row + LOG_BITS] = bits | statusBits(status) | refusalBits(refusal);
    target[row + LOG_DOMAIN] = domain;
    target[row + LOG_CONNECTOR] = keys.connectors.key(traits & CONNECTOR_ID_MASK);
    target[row + LOG_SOURCE] = keys.sources.key(words[base + SOURCE]);
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
    const source = target[row + LOG_SOURCE];
    this.#firstSeen.noteSourceKey(source, words[base + SOURCE]);
    this.#firstSeen.noteDomain(domain, timeMs);
    // What goes where mail was forwarded before is no news: a forward whose way in has not arrived yet.
    if ((bits & ROW_RELAYED) !== 0 && this.#firstSeen.isNew(target, row, timeMs)) {
      if (!this.#forwards.isTarget(recipientLo, recipientHi)) target[row + LOG_BITS] |= ROW_NEW;
    }
    if (source !== 0) this.#sourceActivity.add(source, timeMs);
    if (!this.#allowList.isEmpty && this.#isHidden(words, base, target, row, timeMs)) {
      // What is wanted is counted against the limits alone, and belongs to no campaign.
      target[row + LOG_BITS] &= ~COUNTED_BITS;
    }
    log.link(sequence);
    return row;
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
    allowed.isKnownWayIn = this.#firstSeen.isKnownWayIn(target, row, timeMs);
    return this.#allowList.hides(allowed, timeMs);
  }
}

/**
 * Campaigns: what a hit is attributed to, and which rows an incident counts. A key is what the
 * excess of a window has in common: a forward, a connector, a source, a domain, a mailbox.
 */

import { KeyCounts } from './key-counts.ts';
import type { KeyedSeries } from './keyed-series.ts';
import {
  LOG_BITS,
  LOG_CONNECTOR,
  LOG_DOMAIN,
  LOG_MAILBOX,
  LOG_RECIPIENT_HI,
  LOG_RECIPIENT_LO,
  LOG_SOURCE,
  ROW_FORWARD,
  ROW_NULL_SENDER,
  type RowLog,
  refusalOf,
  weightOf,
} from './row-log.ts';
import { RowTraits } from './traits.ts';

export type CampaignKeyKind =
  | 'forward'
  | 'connector'
  | 'source'
  | 'domain'
  | 'forwarding_mailbox'
  | 'mailbox'
  | 'tenant'
  | 'limit'
  | 'block';

/**
 * `a` is a series key, 0 for the tenant, or the kind of refusal of a block; `b` the outside recipient of a forward, or the
 * name of a limit.
 */
export interface CampaignKey {
  kind: CampaignKeyKind;
  a: number;
  b: string;
}

/** An excess of this share of half the excess is half of it. */
const NEARLY = 0.9;

export const TENANT_KEY: CampaignKey = { kind: 'tenant', a: 0, b: '' };

export function keyId(key: CampaignKey): string {
  return `${key.kind}|${key.a}|${key.b}`;
}

/** The campaign keys that rows are matched with; each with the bits of which its rows carry one. */
export interface CampaignRowsState {
  /** Bits of the rows that the whole tenant covers; 0 where it is no key. */
  tenant: number;
  connectors: Map<number, number>;
  sources: Map<number, number>;
  domains: Map<number, number>;
  mailboxes: Map<number, number>;
  forwardingMailboxes: Map<number, number>;
  forwards: Map<string, number>;
  refusals: Map<number, number>;
}

/** The rows that a set of campaign keys covers. */
export class CampaignRows {
  #state: CampaignRowsState = {
    tenant: 0,
    connectors: new Map(),
    sources: new Map(),
    domains: new Map(),
    mailboxes: new Map(),
    forwardingMailboxes: new Map(),
    forwards: new Map(),
    refusals: new Map(),
  };

  save(): CampaignRowsState {
    return structuredClone(this.#state);
  }

  load(state: Readonly<CampaignRowsState>): void {
    this.#state = structuredClone(state);
  }

  /** Whether widening by this would change nothing. */
  covers(key: CampaignKey, bits: number): boolean {
    return (this.#bitsOf(key) & bits) === bits;
  }

  /** Widens the rows. */
  widen(key: CampaignKey, bits: number): void {
    const all = this.#bitsOf(key) | bits;
    if (isWholeTenant(key)) this.#state.tenant = all;
    else if (key.kind === 'forward') this.#state.forwards.set(forwardId(key), all);
    else this.#keysOf(key.kind).set(key.a, all);
  }

  matches(words: Uint32Array, base: number): boolean {
    const { tenant, connectors, sources, domains, mailboxes, forwardingMailboxes, forwards, refusals } = this.#state;
    const bits = words[base + LOG_BITS];
    if ((bits & tenant) !== 0) return true;
    if (has(connectors, words[base + LOG_CONNECTOR], bits)) return true;
    if (has(sources, words[base + LOG_SOURCE], bits)) return true;
    if (has(domains, words[base + LOG_DOMAIN], bits)) return true;
    if (has(refusals, refusalOf(bits), bits)) return true;
    const mailbox = words[base + LOG_MAILBOX];
    if ((bits & ROW_FORWARD) === 0) return has(mailboxes, mailbox, bits);
    if (has(forwardingMailboxes, mailbox, bits)) return true;
    if (forwards.size === 0) return false;
    return ((forwards.get(`${mailbox}|${recipientOf(words, base)}`) ?? 0) & bits) !== 0;
  }

  /** Whether the row came through a connector or source of the campaign, whoever sent it. */
  sharesWayIn(words: Uint32Array, base: number): boolean {
    const { connectors, sources } = this.#state;
    return connectors.has(words[base + LOG_CONNECTOR]) || sources.has(words[base + LOG_SOURCE]);
  }

  #bitsOf(key: CampaignKey): number {
    if (isWholeTenant(key)) return this.#state.tenant;
    if (key.kind === 'forward') return this.#state.forwards.get(forwardId(key)) ?? 0;
    return this.#keysOf(key.kind).get(key.a) ?? 0;
  }

  #keysOf(kind: Exclude<CampaignKeyKind, 'forward'>): Map<number, number> {
    const state = this.#state;
    switch (kind) {
      case 'connector':
        return state.connectors;
      case 'source':
        return state.sources;
      case 'domain':
        return state.domains;
      case 'forwarding_mailbox':
        return state.forwardingMailboxes;
      case 'block':
        return state.refusals;
      default:
        return state.mailboxes;
    }
  }
}

function has(keys: ReadonlyMap<number, number>, key: number, bits: number): boolean {
  return keys.size > 0 && ((keys.get(key) ?? 0) & bits) !== 0;
}

/** The word by which all rows that a key adds to a campaign are linked in the log; null where they are not. */
export function linkedWordOf(key: CampaignKey): number | null {
  if (isWholeTenant(key)) return null;
  switch (key.kind) {
    case 'source':
      return LOG_SOURCE;
    case 'domain':
      return LOG_DOMAIN;
    case 'mailbox':
    case 'limit':
      return LOG_MAILBOX;
    default:
      return null;
  }
}

function isWholeTenant(key: CampaignKey): boolean {
  return key.kind === 'tenant' || (key.kind === 'limit' && key.a === 0);
}

function forwardId(key: CampaignKey): string {
  return `${key.a}|${key.b}`;
}

function recipientOf(words: Uint32Array, base: number): string {
  return `${words[base + LOG_RECIPIENT_LO]}.${words[base + LOG_RECIPIENT_HI]}`;
}

/** The series that campaign keys take their own expectations from, and the texts that break ties. */
export interface AttributionContext {
  connectors: KeyedSeries;
  sources: KeyedSeries;
  domains: KeyedSeries;
  mailboxes: KeyedSeries;
  textOf(kind: 'connector' | 'source' | 'domain' | 'mailbox', key: number): string;
}

/** The rows of a hit: those after `firstSequence` with one of `bits` and, unless null, this key in this word. */
export interface HitRows {
  firstSequence: number;
  bits: number;
  keyWord: number | null;
  key: number;
  /** Count weights rather than pairs. */
  weighted: boolean;
}

export function isHitRow(rows: HitRows, words: Uint32Array, base: number): boolean {
  return (
    (words[base + LOG_BITS] & rows.bits) !== 0 && (rows.keyWord === null || words[base + rows.keyWord] === rows.key)
  );
}

export interface Attribution {
  /** The count of the window minus its expectation. */
  excess: number;
  key: CampaignKey;
  /** Of the rows of the hit that the key covers. */
  traits: RowTraits;
  /** Share of null senders among the rows of the hit. */
  nullShare: number;
  /** Sequence of the first row of the window that the key covers. */
  firstSequence: number;
}

interface ForwardCount {
  mailbox: number;
  recipient: string;
  count: number;
}

/** Finds what the excess of hits has in common. */
export class Attributor {
  readonly #log: RowLog;
  readonly #context: AttributionContext;
  readonly #connectors = new KeyCounts();
  readonly #sources = new KeyCounts();
  readonly #domains = new KeyCounts();
  readonly #mailboxes = new KeyCounts();
  /** Of these the mailboxes that forwarded. */
  readonly #forwarders = new KeyCounts();

  constructor(log: RowLog, context: AttributionContext) {
    this.#log = log;
    this.#context = context;
  }

  attribute(
    rows: HitRows,
    family: 'unregistered' | 'bulk',
    observed: number,
    mean: number,
    window: number,
    timeMs: number,
  ): Attribution {
    const log = this.#log;
    const words = log.words;
    const { firstSequence, keyWord } = rows;
    const isBulk = family === 'bulk';
    let traits = new RowTraits();
    let nullSenders = 0;
    let weighed = 0;
    let first = log.next;
    this.#clear();
    for (
      let sequence = log.last(keyWord, rows.key);
      sequence >= firstSequence;
      sequence = log.before(sequence, keyWord)
    ) {
      const base = log.base(sequence);
      if (!isHitRow(rows, words, base)) continue;
      first = sequence;
      const bits = words[base + LOG_BITS];
      traits.addMarks(words, base);
      if ((bits & ROW_NULL_SENDER) !== 0) nullSenders++;
      if (rows.weighted && weightOf(words, base) === 0) continue;
      weighed++;
      this.#countKeys(words, base);
      if ((bits & ROW_FORWARD) !== 0) this.#forwarders.add(words[base + LOG_MAILBOX], 1);
    }
    const excess = observed - mean;
    const half = excess / 2;
    const key =
      (isBulk
        ? this.#largest('mailbox', this.#mailboxes, this.#context.mailboxes, half, window, timeMs)
        : (this.#largestForward(rows, half) ??
          this.#largest('connector', this.#connectors, this.#context.connectors, half, window, timeMs) ??
          this.#largest('source', this.#sources, this.#context.sources, half, window, timeMs) ??
          this.#largest('domain', this.#domains, this.#context.domains, half, window, timeMs) ??
          this.#largestForwarder(half))) ?? TENANT_KEY;
    const { pairs } = traits;
    // What is known of all rows of the hit is not counted again where the key covers them, each with its weight.
    if (weighed < pairs || this.#covered(key) < pairs) {
      traits = new RowTraits();
      first = log.next;
      const covered = new CampaignRows();
      covered.widen(key, rows.bits);
      this.#clear();
      for (
        let sequence = log.last(keyWord, rows.key);
        sequence >= firstSequence;
        sequence = log.before(sequence, keyWord)
      ) {
        const base = log.base(sequence);
        if (!isHitRow(rows, words, base) || !covered.matches(words, base)) continue;
        first = sequence;
        traits.addMarks(words, base);
        this.#countKeys(words, base);
      }
    }
    traits.connectors = this.#connectors.toMap();
    traits.sources = this.#sources.toMap();
    traits.domains = this.#domains.toMap();
    traits.mailboxes = this.#mailboxes.toMap();
    return {
      excess,
      key,
      traits,
      nullShare: pairs === 0 ? 0 : nullSenders / pairs,
      firstSequence: first,
    };
  }

  /** How many of the rows counted a key is sure to cover. */
  #covered(key: CampaignKey): number {
    switch (key.kind) {
      case 'tenant':
        return Number.POSITIVE_INFINITY;
      case 'connector':
        return this.#connectors.count(key.a);
      case 'source':
        return this.#sources.count(key.a);
      case 'domain':
        return this.#domains.count(key.a);
      case 'mailbox':
        return this.#mailboxes.count(key.a);
      default:
        return 0;
    }
  }

  #countKeys(words: Uint32Array, base: number): void {
    const connector = words[base + LOG_CONNECTOR];
    if (connector !== 0) this.#connectors.add(connector, 1);
    const source = words[base + LOG_SOURCE];
    if (source !== 0) this.#sources.add(source, 1);
    const domain = words[base + LOG_DOMAIN];
    if (domain !== 0) this.#domains.add(domain, 1);
    // Of a forward it is the mailbox here that forwarded, which sent nothing itself.
    const mailbox = words[base + LOG_MAILBOX];
    if (mailbox !== 0 && (words[base + LOG_BITS] & ROW_FORWARD) === 0) this.#mailboxes.add(mailbox, 1);
  }

  #clear(): void {
    this.#connectors.clear();
    this.#sources.clear();
    this.#domains.clear();
    this.#mailboxes.clear();
    this.#forwarders.clear();
  }

  /** The key with the largest excess over its own expectation, where that is at least `half`. */
  #largest(
    kind: 'connector' | 'source' | 'domain' | 'mailbox',
    counts: KeyCounts,
    series: KeyedSeries,
    half: number,
    window: number,
    timeMs: number,
  ): CampaignKey | null {
    let best = 0;
    let bestExcess = 0;
    for (let index = 0; index < counts.size; index++) {
      const key = counts.keys[index];
      const amount = counts.count(key);
      // The expectation only lowers a count, so most keys need not be asked.
      if (amount < half || amount < bestExcess) continue;
      const excess = amount - series.expectation(key, window, timeMs).mean;
      // Two that share the count evenly have half of it each, whatever little was expected of either.
      if (excess < NEARLY * half || excess <= 0 || excess < bestExcess) continue;
      // Keys are numbered in order of arrival: texts decide between equals.
      if (excess === bestExcess && best !== 0 && this.#isTextAbove(kind, key, best)) continue;
      best = key;
      bestExcess = excess;
    }
    return best === 0 ? null : { kind, a: best, b: '' };
  }

  /** The mailbox here whose forwards make at least `half`, whoever they went to. */
  #largestForwarder(half: number): CampaignKey | null {
    let best = 0;
    let bestCount = 0;
    for (let index = 0; index < this.#forwarders.size; index++) {
      const mailbox = this.#forwarders.keys[index];
      const count = this.#forwarders.count(mailbox);
      if (count < half || count < bestCount) continue;
      if (count === bestCount && this.#isTextAbove('mailbox', mailbox, best)) continue;
      best = mailbox;
      bestCount = count;
    }
    return best === 0 ? null : { kind: 'forwarding_mailbox', a: best, b: '' };
  }

  /** The mailbox here and the outside recipient between whom forwards make at least `half`. */
  #largestForward(rows: HitRows, half: number): CampaignKey | null {
    // No forward is more frequent than its mailbox: recipients are spelled out only where that is enough.
    if (this.#largestForwarder(half) === null) return null;
    const log = this.#log;
    const words = log.words;
    const forwards = new Map<string, ForwardCount>();
    for (
      let sequence = log.last(rows.keyWord, rows.key);
      sequence >= rows.firstSequence;
      sequence = log.before(sequence, rows.keyWord)
    ) {
      const base = log.base(sequence);
      if (!isHitRow(rows, words, base) || (words[base + LOG_BITS] & ROW_FORWARD) === 0) continue;
      if (rows.weighted && weightOf(words, base) === 0) continue;
      const mailbox = words[base + LOG_MAILBOX];
      if (this.#forwarders.count(mailbox) < half) continue;
      const recipient = recipientOf(words, base);
      const id = `${mailbox}|${recipient}`;
      const forward = forwards.get(id) ?? { mailbox, recipient, count: 0 };
      forward.count++;
      forwards.set(id, forward);
    }
    const text = (forward: ForwardCount) => `${this.#context.textOf('mailbox', forward.mailbox)}|${forward.recipient}`;
    let best: ForwardCount | null = null;
    for (const forward of forwards.values()) {
      if (forward.count < half || (best !== null && forward.count < best.count)) continue;
      if (best !== null && forward.count === best.count && text(forward) > text(best)) continue;
      best = forward;
    }
    return best === null ? null : { kind: 'forward', a: best.mailbox, b: best.recipient };
  }

  #isTextAbove(kind: 'connector' | 'source' | 'domain' | 'mailbox', key: number, other: number): boolean {
    return this.#context.textOf(kind, key) > this.#context.textOf(kind, other);
  }
}

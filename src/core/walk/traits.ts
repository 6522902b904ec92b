/** What a set of rows has in common: the counts from which an incident's type is told. */

import type { Family, IncidentType } from '../incident-document.ts';
import {
  LOG_BITS,
  LOG_CONNECTOR,
  LOG_DOMAIN,
  LOG_MAILBOX,
  LOG_SOURCE,
  ROW_FORWARD,
  ROW_RECOGNISED_FORWARD,
  ROW_REFUSED,
} from './row-log.ts';

/** Share of failed or filtered rows from which on mail is not legitimate. */
export const REFUSED_SHARE = 0.3;
/** A rotation uses at least so many domains, and none of them for more than this share. */
const ROTATION_DOMAINS = 6;
const ROTATION_TOP_SHARE = 0.25;
const ROTATION_PAIRS_PER_DOMAIN = 12;
const FORWARD_SHARE = 0.8;
const DISTRIBUTED_MAILBOXES = 3;

export interface RowTraitsState {
  pairs: number;
  refused: number;
  forwards: number;
  recognisedForwards: number;
  domains: Map<number, number>;
  connectors: Map<number, number>;
  sources: Map<number, number>;
  mailboxes: Map<number, number>;
}

export class RowTraits implements RowTraitsState {
  pairs = 0;
  refused = 0;
  forwards = 0;
  recognisedForwards = 0;
  domains = new Map<number, number>();
  connectors = new Map<number, number>();
  sources = new Map<number, number>();
  mailboxes = new Map<number, number>();

  save(): RowTraitsState {
    return {
      ...this,
      domains: new Map(this.domains),
      connectors: new Map(this.connectors),
      sources: new Map(this.sources),
      mailboxes: new Map(this.mailboxes),
    };
  }

  load(state: Readonly<RowTraitsState>): void {
    Object.assign(this, {
      ...state,
      domains: new Map(state.domains),
      connectors: new Map(state.connectors),
      sources: new Map(state.sources),
      mailboxes: new Map(state.mailboxes),
    });
  }

  add(words: Uint32Array, base: number): void {
    this.addBits(words[base + LOG_BITS]);
    increment(this.domains, words[base + LOG_DOMAIN]);
    increment(this.connectors, words[base + LOG_CONNECTOR]);
    increment(this.sources, words[base + LOG_SOURCE]);
    increment(this.mailboxes, words[base + LOG_MAILBOX]);
  }

  /** Adds a row but for its keys. */
  addBits(bits: number): void {
    this.pairs++;
    if ((bits & ROW_REFUSED) !== 0) this.refused++;
    if ((bits & ROW_FORWARD) !== 0) this.forwards++;
    if ((bits & ROW_RECOGNISED_FORWARD) !== 0) this.recognisedForwards++;
  }

  get refusedShare(): number {
    return this.pairs === 0 ? 0 : this.refused / this.pairs;
  }

  /** Share of the most frequent key. */
  topShare(counts: ReadonlyMap<number, number>): number {
    let top = 0;
    for (const count of counts.values()) if (count > top) top = count;
    return this.pairs === 0 ? 0 : top / this.pairs;
  }
}

function increment(counts: Map<number, number>, key: number): void {
  if (key !== 0) counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The type that the rows themselves show. */
export function typeOfTraits(traits: RowTraits, family: Family): IncidentType {
  if (family === 'limit' || family === 'blocked') return family;
  if (family === 'bulk') {
    if (traits.topShare(traits.mailboxes) >= 0.5) return 'compromised_mailbox';
    return traits.mailboxes.size >= DISTRIBUTED_MAILBOXES ? 'distributed_mailboxes' : 'unknown';
  }
  if (traits.recognisedForwards >= FORWARD_SHARE * traits.pairs && traits.refusedShare < REFUSED_SHARE) {
    return 'forwarding';
  }
  const topDomain = traits.topShare(traits.domains);
  if (
    traits.domains.size >= ROTATION_DOMAINS &&
    topDomain <= ROTATION_TOP_SHARE &&
    traits.pairs <= ROTATION_PAIRS_PER_DOMAIN * traits.domains.size
  ) {
    return 'domain_rotation';
  }
  const topSource = Math.max(traits.topShare(traits.connectors), traits.topShare(traits.sources));
  return topSource >= 0.5 || topDomain >= 0.5 ? 'relay' : 'unknown';
}

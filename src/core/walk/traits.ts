/** What a set of rows has in common: the counts from which an incident's type and severity are told. */

import {
  LOG_BITS,
  LOG_CONNECTOR,
  LOG_DOMAIN,
  LOG_MAILBOX,
  LOG_RECIPIENT_LO,
  LOG_SENDER_LO,
  LOG_SOURCE,
  ROW_FORWARD,
  ROW_HEADER_DIFFERS,
  ROW_KNOWN_SENDER,
  ROW_NULL_SENDER,
  ROW_RECOGNISED_FORWARD,
  ROW_REFUSED,
  ROW_STRANGER,
  ROW_TRUE_NDR,
} from './row-log.ts';

/** Different forwards that are told apart: a loop has a few, and what has more is none. */
const FORWARDS = 1000;
/** Different recipients of forwards that are told apart. */
const FORWARD_RECIPIENTS = 16;

/** Rows by what their bits say. */
interface MarkCounts {
  pairs: number;
  /** Failed or filtered as spam. */
  refused: number;
  forwards: number;
  recognisedForwards: number;
  trueNdrs: number;
  /** Of null senders that answer nobody. */
  nullSenders: number;
  /** From domains or mailboxes that sent on a sealed day. */
  knownSenders: number;
  /** To recipients to whom nobody here wrote on a sealed day. */
  strangers: number;
  headerDiffers: number;
}

export interface RowTraitsState extends MarkCounts {
  forwardCounts: Map<number, number>;
  forwardRecipients: Set<number>;
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
  trueNdrs = 0;
  nullSenders = 0;
  knownSenders = 0;
  strangers = 0;
  headerDiffers = 0;
  /** Forwards by a hash of sender and recipient, the first thousand different ones. */
  forwardCounts = new Map<number, number>();
  /** Hashes of the recipients of forwards, the first sixteen different ones. */
  forwardRecipients = new Set<number>();
  domains = new Map<number, number>();
  connectors = new Map<number, number>();
  sources = new Map<number, number>();
  mailboxes = new Map<number, number>();

  save(): RowTraitsState {
    return {
      ...this,
      forwardCounts: new Map(this.forwardCounts),
      forwardRecipients: new Set(this.forwardRecipients),
      domains: new Map(this.domains),
      connectors: new Map(this.connectors),
      sources: new Map(this.sources),
      mailboxes: new Map(this.mailboxes),
    };
  }

  load(state: Readonly<RowTraitsState>): void {
    Object.assign(this, {
      ...state,
      forwardCounts: new Map(state.forwardCounts),
      forwardRecipients: new Set(state.forwardRecipients),
      domains: new Map(state.domains),
      connectors: new Map(state.connectors),
      sources: new Map(state.sources),
      mailboxes: new Map(state.mailboxes),
    });
  }

  add(words: Uint32Array, base: number): void {
    this.addMarks(words, base);
    increment(this.domains, words[base + LOG_DOMAIN]);
    increment(this.connectors, words[base + LOG_CONNECTOR]);
    increment(this.sources, words[base + LOG_SOURCE]);
    increment(this.mailboxes, words[base + LOG_MAILBOX]);
  }

  /** Adds a row but for its keys. */
  addMarks(words: Uint32Array, base: number): void {
    const bits = words[base + LOG_BITS];
    this.pairs++;
    if ((bits & ROW_REFUSED) !== 0) this.refused++;
    if ((bits & ROW_TRUE_NDR) !== 0) this.trueNdrs++;
    if ((bits & ROW_NULL_SENDER) !== 0) this.nullSenders++;
    if ((bits & ROW_KNOWN_SENDER) !== 0) this.knownSenders++;
    if ((bits & ROW_STRANGER) !== 0) this.strangers++;
    if ((bits & ROW_HEADER_DIFFERS) !== 0) this.headerDiffers++;
    if ((bits & ROW_FORWARD) === 0) return;
    this.forwards++;
    if ((bits & ROW_RECOGNISED_FORWARD) !== 0) this.recognisedForwards++;
    const recipient = words[base + LOG_RECIPIENT_LO];
    if (this.forwardRecipients.size < FORWARD_RECIPIENTS) this.forwardRecipients.add(recipient);
    const forward = (Math.imul(words[base + LOG_SENDER_LO], 0x9e3779b1) ^ recipient) >>> 0;
    const known = this.forwardCounts.get(forward);
    if (known !== undefined) this.forwardCounts.set(forward, known + 1);
    else if (this.forwardCounts.size < FORWARDS) this.forwardCounts.set(forward, 1);
  }

  /** Share of the rows that were failed or filtered as spam. */
  get refusedShare(): number {
    return this.share(this.refused);
  }

  share(count: number): number {
    return this.pairs === 0 ? 0 : count / this.pairs;
  }

  /** Share of the most frequent key. */
  topShare(counts: ReadonlyMap<number, number>): number {
    let top = 0;
    for (const count of counts.values()) if (count > top) top = count;
    return this.share(top);
  }

  /** Forwards of a sender to a recipient that occurred at least so often. */
  forwardsRepeated(times: number): number {
    let repeated = 0;
    for (const count of this.forwardCounts.values()) if (count >= times) repeated += count;
    return repeated;
  }
}

function increment(counts: Map<number, number>, key: number): void {
  if (key !== 0) counts.set(key, (counts.get(key) ?? 0) + 1);
}

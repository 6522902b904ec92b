/**
 * Accepted domains inferred from the rows, for a first look without Get-AcceptedDomain. FromIP is
 * empty where a cloud mailbox is the origin, ToIP where mail enters Exchange Online (Microsoft Learn,
 * "Message trace in the modern Exchange admin center"): the one shows domains that send from here,
 * the other domains that receive here. Relayed rows have both and prove nothing.
 */

import {
  DIRECTION_INBOUND,
  DIRECTION_SHIFT,
  FLAGS,
  HAS_IP_COLUMNS,
  MESSAGE_HI,
  MESSAGE_LO,
  RECIPIENT_DOMAIN,
  SENDER_ADDRESS,
  SENDER_DOMAIN,
  SENDER_KIND_SHIFT,
  SENT_ON,
  SOURCE,
  STATUS_DELIVERED,
  STATUS_FAILED,
  STATUS_MASK,
} from './record.ts';
import type { AcceptedDomain } from './settings.ts';

const ENOUGH = 3;

/** Collects what merged records say of domains. */
export class DomainInference {
  /** Different messages of a sender domain, up to enough. */
  readonly #sent = new Map<number, Set<string>>();
  /** Delivered pairs of a recipient domain. */
  readonly #received = new Map<number, number>();

  add(words: Uint32Array, base: number): void {
    const flags = words[base + FLAGS];
    const status = flags & STATUS_MASK;
    if (status === STATUS_FAILED) return;
    const fromOutside = words[base + SOURCE] !== 0;
    const sentOn = (flags & SENT_ON) !== 0;
    const direction = (flags >>> DIRECTION_SHIFT) & 3;
    const hasBoth = (flags & HAS_IP_COLUMNS) !== 0;
    if (hasBoth && !fromOutside && sentOn && ((flags >>> SENDER_KIND_SHIFT) & 3) === SENDER_ADDRESS) {
      const domain = words[base + SENDER_DOMAIN];
      const messages = this.#sent.get(domain) ?? new Set();
      if (messages.size < ENOUGH) messages.add(`${words[base + MESSAGE_LO]}.${words[base + MESSAGE_HI]}`);
      this.#sent.set(domain, messages);
    }
    // A recipient that the message was sent on to receives elsewhere: a forward, or a relay.
    const entered = !sentOn && (direction === DIRECTION_INBOUND || (hasBoth && fromOutside));
    if (entered && status === STATUS_DELIVERED) {
      const domain = words[base + RECIPIENT_DOMAIN];
      this.#received.set(domain, (this.#received.get(domain) ?? 0) + 1);
    }
  }

  /** The domains with enough rows, ordered by name. */
  domains(textOf: (id: number) => string): AcceptedDomain[] {
    const names = new Set<string>();
    for (const [domain, messages] of this.#sent) if (domain !== 0 && messages.size >= ENOUGH) names.add(textOf(domain));
    for (const [domain, pairs] of this.#received) if (domain !== 0 && pairs >= ENOUGH) names.add(textOf(domain));
    return [...names].sort().map((name) => ({ name, matchSubDomains: false }));
  }
}

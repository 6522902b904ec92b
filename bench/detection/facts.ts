/** What has been seen of a background so far: how attacks and look-alikes are made to measure. */

import { DAY_MS, HOUR_MS, type TrafficMessage } from '../traffic/message.ts';
import type { OpenBackground } from './backgrounds.ts';

const DAYS = 28;

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

export class BackgroundFacts {
  readonly background: OpenBackground;
  readonly #accepted: Set<string>;
  /** Unregistered rows of each day. */
  readonly #unregistered: number[] = [];
  readonly #byHour = new Float64Array(24);
  /** Rows of unregistered senders on weekdays, by UTC hour. */
  readonly #domains = new Map<string, number>();
  readonly #arrivals = new Map<string, number>();
  rows = 0;

  constructor(background: OpenBackground) {
    this.background = background;
    this.#accepted = new Set(background.acceptedDomains);
  }

  /** Days seen. */
  get days(): number {
    return this.#unregistered.length;
  }

  addDay(messages: readonly TrafficMessage[]): void {
    let unregistered = 0;
    const { startMs } = this.background;
    const weekday = (Math.floor(startMs / DAY_MS) + this.days + 3) % 7;
    for (const message of messages) {
      this.rows += message.recipients.length;
      const sender = domainOf(message.sender);
      const here = message.sender === '<>' || this.#accepted.has(sender);
      if (weekday < 5) this.#byHour[Math.floor(message.timeMs / HOUR_MS) % 24] += message.recipients.length;
      for (const { address } of message.recipients) {
        if (this.#accepted.has(domainOf(address))) {
          if (!here) this.#arrivals.set(address, (this.#arrivals.get(address) ?? 0) + 1);
        } else if (!here) {
          unregistered++;
          this.#domains.set(sender, (this.#domains.get(sender) ?? 0) + 1);
        }
      }
    }
    this.#unregistered.push(unregistered);
  }

  /** D: mean unregistered rows a day over the last four weeks, at least 5. */
  get unregisteredPerDay(): number {
    return Math.max(5, this.meanUnregistered);
  }

  get meanUnregistered(): number {
    const last = this.#unregistered.slice(-DAYS);
    return last.length === 0 ? 0 : last.reduce((sum, count) => sum + count, 0) / last.length;
  }

  /** UTC hours of a weekday, the busiest first. */
  get hoursByRows(): number[] {
    const hours = Array.from({ length: 24 }, (_, hour) => hour);
    return hours.sort((a, b) => this.#byHour[b] - this.#byHour[a] || a - b);
  }

  /** Unregistered sender domains with their rows a day, the busiest first. */
  get unregisteredDomains(): { domain: string; perDay: number }[] {
    const days = Math.max(1, this.days);
    return [...this.#domains]
      .map(([domain, rows]) => ({ domain, perDay: rows / days }))
      .sort((a, b) => b.perDay - a.perDay || (a.domain < b.domain ? -1 : 1));
  }

  /** The mailbox that gets so many mails from outside a day, as nearly as there is one. */
  mailboxWithArrivals(perDay: number, but: ReadonlySet<string>): string | null {
    const days = Math.max(1, this.days);
    let best: string | null = null;
    let distance = Infinity;
    for (const [address, count] of this.#arrivals) {
      const off = Math.abs(count / days - perDay);
      if (but.has(address) || off > distance || (off === distance && best !== null && address > best)) continue;
      best = address;
      distance = off;
    }
    return best;
  }
}

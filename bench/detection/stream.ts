/** The rows that the detectors of others look at: what leaves the tenant, by what they can key it by. */

import { DAY_MS, type TrafficMessage } from '../traffic/message.ts';

/** All mail of unregistered senders; mailboxes are keys by their addresses. */
export const UNREGISTERED = 'unregistered';

/** One external recipient. */
export interface StreamRow {
  timeMs: number;
  /** `unregistered`, or the address of a mailbox here. */
  key: string;
  /** Sender domain. */
  domain: string;
  source: string;
}

/** What one rule would have seen, and the attack in it where there is one. */
export interface Stream {
  trial: string;
  scenario: string;
  background: string;
  /** Rows before are history: what is raised in them does not count. */
  fromMs: number;
  toMs: number;
  /** First row of the tenant. */
  firstMs: number;
  attack: { startMs: number; endMs: number; times: number[] } | null;
  /** What our detector made of it, on the same rows. */
  ours: { detected: boolean; leak: number; delayMs: number } | null;
  rows: StreamRow[];
}

/** History that a stream has before the attack: enough for six weeks by hour of the week. */
export const HISTORY_MS = 43 * DAY_MS;

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

export function streamRows(messages: readonly TrafficMessage[], accepted: ReadonlySet<string>): StreamRow[] {
  const rows: StreamRow[] = [];
  for (const { sender, recipients, timeMs, fromIp } of messages) {
    if (sender === '<>') continue;
    const domain = domainOf(sender);
    const key = accepted.has(domain) ? sender : UNREGISTERED;
    for (const { address, status } of recipients) {
      if (status !== 'Expanded' && !accepted.has(domainOf(address))) rows.push({ timeMs, key, domain, source: fromIp });
    }
  }
  return rows;
}

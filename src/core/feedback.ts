/** What people tell the detector: verdicts about incidents, and mail that is known and wanted. */

import type { Connector } from './connectors.ts';

export type Verdict = 'benign' | 'abuse';

/** An analyst's verdict about one incident. */
export interface Label {
  /** `event.id` of the incident. */
  readonly incident: string;
  readonly verdict: Verdict;
  readonly by: string;
  /** When it was given; it counts from the next UTC day. */
  readonly atMs: number;
  readonly note: string;
}

/** Mail that is known and wanted. Of the criteria that are given all must match; at least one is. */
export interface AllowEntry {
  /** Sender domain, lower case, IDNA ASCII. */
  readonly domain: string | null;
  /** Sender mailbox (P1), lower case. */
  readonly mailbox: string | null;
  readonly connector: string | null;
  /** Source address, or a network as `192.0.2.0/24`. */
  readonly address: string | null;
  /** Who answers for it. */
  readonly owner: string;
  readonly reason: string;
  /** From then on, in event time, the entry counts no more; null for never. */
  readonly expiresMs: number | null;
}

export interface Feedback {
  readonly labels: readonly Label[];
  readonly allow: readonly AllowEntry[];
  /** Connectors of the tenant, where the lists of Exchange were given; null where they were not. */
  readonly connectors: readonly Connector[] | null;
}

export const NO_FEEDBACK: Feedback = { labels: [], allow: [], connectors: null };

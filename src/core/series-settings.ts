/**
 * The numbers of a series: what it counts, by which key, and when a count is too high. Declared in
 * `src/detectors`, handed to the walk by `config`; the core never imports a detector.
 */

import type { Feedback } from './feedback.ts';
import type { SeriesName } from './incident-document.ts';

/** One number for each trailing window, in the order 15 minutes, 1 hour, 6 hours, 24 hours. */
export type PerWindow = readonly [number, number, number, number];

/** What a count is kept by. `source` is the connector and, as a key of its own, the source IP (IPv6 by /64). */
export type SeriesKey = 'tenant' | 'domain' | 'source' | 'mailbox';

/** `weight`: the first five external recipients of a message; `pairs`: every recipient. */
export type SeriesUnit = 'weight' | 'pairs';

/**
 * Which rows with an external recipient are counted: those with an unregistered sender, all or
 * without recognised forwards, or of these only what is new, whose sender domain, source or connector appeared in the
 * last 14 days; those of a P1 mailbox of an accepted domain, all or to strangers, to whom nobody here wrote on a
 * sealed day; or those of every sender.
 */
export type SeriesRows =
  | 'unregistered'
  | 'unregistered_not_forwarded'
  | 'unregistered_new'
  | 'accepted_mailbox'
  | 'accepted_mailbox_to_stranger'
  | 'external';

/** The ramp test of a series of the whole tenant: a CUSUM over steps of six hours. */
export interface RampSettings {
  /** Log likelihood ratio, in nats, from which on it is a hit. */
  readonly threshold: number;
  /** A count since the sum was zero below this is never a hit, in the series' unit. */
  readonly floor: number;
}

export interface SeriesSettings {
  /** Tells the counts of one series apart. */
  readonly id: string;
  /** As incidents name it. */
  readonly name: SeriesName;
  readonly family: 'unregistered' | 'bulk';
  readonly key: SeriesKey;
  readonly unit: SeriesUnit;
  readonly rows: SeriesRows;
  /** Extra variance before a key has shown its own: the squared coefficient of variation around the expectation. */
  readonly phi0: PerWindow;
  /** Expected count of a key on its first day, in the series' unit. */
  readonly priorPerDay: number;
  /** Counts below are never a hit, in the series' unit. */
  readonly floors: PerWindow;
  /** A count is a hit from this z on. */
  readonly zCritical: number;
  /** The same in the first seven days of a tenant, in which nothing can be new. */
  readonly youngZCritical: number;
  /** The floor also rises above the key's own records and those of its class. */
  readonly recordFloor: boolean;
  /** Days since the tenant's first row from which on the series is tested; 0 from the first row. */
  readonly testedFromDay: number;
  /** Only for a series of the whole tenant; null where only windows are tested. */
  readonly ramp: RampSettings | null;
}

/** A fixed limit of ours on one mailbox: recipients in a trailing window, whatever the baseline says. */
export interface MailboxCeiling {
  readonly window: '1h' | '24h';
  /** Recipients (pairs) from which on it is a hit. */
  readonly recipients: number;
}

/** A limit of Microsoft's over a trailing 24 hours; counted in recipients (pairs), without null and system senders. */
export interface ServiceLimit {
  /** Name in `relaywatch.incident.limit.name`. */
  readonly name: string;
  /** Whose rows count: all of the tenant, each mailbox by itself, or the tenant's own onmicrosoft.com senders together. */
  readonly scope: 'tenant' | 'mailbox' | 'onmicrosoft';
  /** Recipients in 24 hours. */
  readonly budget: number;
  /** Shares of the budget that raise an incident or its severity, ascending. */
  readonly marks: readonly number[];
}

export interface CeilingSettings {
  readonly mailbox: readonly MailboxCeiling[];
  /** From the key's 7th sealed day on a mailbox ceiling is at least this many times the key's own record. */
  readonly recordFactor: number;
  /** The tenant's external limit is missing where the licences are unknown. */
  readonly limits: readonly ServiceLimit[];
}

/** Everything the walk takes from the detectors, and what people told about the tenant. */
export interface DetectionSettings {
  /** In the order in which series that hit in one batch open and join incidents. */
  readonly series: readonly SeriesSettings[];
  readonly ceilings: CeilingSettings;
  readonly feedback: Feedback;
}

/** What a scan looked at, for the head of a report. Depends only on the distinct rows, not on their files or order. */

import type { AcceptedDomain } from './settings.ts';

export interface ScanSummary {
  /** First and last event time of the rows, milliseconds; null without any row. */
  firstMs: number | null;
  lastMs: number | null;
  /** UTC days with at least one row. */
  days: number;
  /** Distinct pairs, group rows (`expanded`) not counted. */
  pairs: number;
  /** Of these: pairs with an external recipient. */
  external: number;
  /** Of these: pairs whose sender domain is not registered in the tenant, forwards included, as Microsoft counts them. */
  unregistered: number;
  /** The accepted domains that were used, given or inferred, ordered by name. */
  acceptedDomains: AcceptedDomain[];
}

/** What a run of the detector needs to know besides the rows. Plain values; made by `config`. */

import type { Feedback } from './feedback.ts';

export interface AcceptedDomain {
  /** Lower case, IDNA ASCII. */
  name: string;
  /** The entry covers its sub-domains too. */
  matchSubDomains: boolean;
}

export interface TenantSettings {
  /** `--tenant`, else `default`. Seeds the hashes and the ids. */
  key: string;
  /** `null`: to be inferred from the rows. */
  acceptedDomains: AcceptedDomain[] | null;
  /** Licences, for the tenant's external recipient rate limit (TERRL); null where unknown. */
  licenses: number | null;
  /** IANA zone of the season, `UTC` by default. */
  timeZone: string;
  /** What people told about its incidents and its mail; absent where nobody told anything. */
  feedback?: Feedback;
}

export interface DetectionRange {
  /** Rows before are dropped as `out_of_range`; milliseconds; null for none. */
  sinceMs: number | null;
  /** Rows at or after are dropped; null for none. */
  untilMs: number | null;
  /** Only incidents detected from then on are reported; null for all. */
  reportSinceMs: number | null;
  /** The real present, handed in by the runtime. */
  nowMs: number;
}

/** When the tenant, its sources, connectors and domains were seen first: what is new, and which ways in are known. */

import { DAY_MS, dayOf } from '../calendar.ts';
import { CONNECTOR, CONNECTOR_ID_MASK, SOURCE } from '../record.ts';
import type { DayClock } from './day-clock.ts';
import { YOUNG_DAYS } from './keyed-series.ts';
import { LOG_CONNECTOR, LOG_DOMAIN, LOG_SOURCE } from './row-log.ts';
import type { DictionaryKeys } from './series-keys.ts';

/** What appeared is new for so long. */
const NEW_MS = 14 * DAY_MS;
const KNOWN_WAY_IN_MS = DAY_MS;

/** First event times by dictionary id of the source, and by keys of sources, connectors and domains. */
export interface FirstSeenState {
  sourceSeenMs: Float64Array;
  sourceKeySeenMs: number[];
  connectorSeenMs: number[];
  domainSeenMs: number[];
}

export class FirstSeen {
  readonly #clock: DayClock;
  readonly #connectorKeys: DictionaryKeys;
  #sourceSeenMs: Float64Array = new Float64Array(1024);
  #sourceKeySeenMs: number[] = [0];
  #connectorSeenMs: number[] = [0];
  #domainSeenMs: number[] = [0];
  /** Event time of the tenant's first row; NaN before it. */
  tenantMs = Number.NaN;

  constructor(clock: DayClock, connectorKeys: DictionaryKeys) {
    this.#clock = clock;
    this.#connectorKeys = connectorKeys;
  }

  save(): FirstSeenState {
    return {
      sourceSeenMs: this.#sourceSeenMs.slice(),
      sourceKeySeenMs: this.#sourceKeySeenMs.slice(),
      connectorSeenMs: this.#connectorSeenMs.slice(),
      domainSeenMs: this.#domainSeenMs.slice(),
    };
  }

  load(state: Readonly<FirstSeenState>, tenantMs: number): void {
    this.#sourceSeenMs = state.sourceSeenMs.slice();
    this.#sourceKeySeenMs = state.sourceKeySeenMs.slice();
    this.#connectorSeenMs = state.connectorSeenMs.slice();
    this.#domainSeenMs = state.domainSeenMs.slice();
    this.tenantMs = tenantMs;
  }

  sourceMs(key: number): number {
    return this.#sourceKeySeenMs[key];
  }

  connectorMs(key: number): number {
    return this.#connectorSeenMs[key];
  }

  domainMs(key: number): number {
    return this.#domainSeenMs[key];
  }

  /** Source and connector of a record, of whatever direction. */
  noteRecord(words: Uint32Array, base: number, timeMs: number): void {
    const source = words[base + SOURCE];
    if (source !== 0) {
      if (source >= this.#sourceSeenMs.length) {
        const seen = new Float64Array(Math.max(source + 1, this.#sourceSeenMs.length * 2));
        seen.set(this.#sourceSeenMs);
        this.#sourceSeenMs = seen;
      }
      if (this.#sourceSeenMs[source] === 0) this.#sourceSeenMs[source] = timeMs;
    }
    const connector = this.#connectorKeys.key(words[base + CONNECTOR] & CONNECTOR_ID_MASK);
    if (connector === this.#connectorSeenMs.length) this.#connectorSeenMs.push(timeMs);
  }

  /** The first time of a source key is that of the first of its addresses that sent something out. */
  noteSourceKey(key: number, source: number): void {
    if (key === 0) return;
    const seenMs = this.#sourceSeenMs[source];
    if (key === this.#sourceKeySeenMs.length) this.#sourceKeySeenMs.push(seenMs);
    else if (seenMs < this.#sourceKeySeenMs[key]) this.#sourceKeySeenMs[key] = seenMs;
  }

  noteDomain(key: number, timeMs: number): void {
    if (key === this.#domainSeenMs.length) this.#domainSeenMs.push(timeMs);
  }

  /**
   * Whether the domain, source or connector of a row of the log appeared lately; in the tenant's first week
   * everything does.
   */
  isNew(words: Uint32Array, row: number, timeMs: number): boolean {
    if (this.#clock.tenantDay < YOUNG_DAYS) return false;
    const sinceMs = Math.max(timeMs - NEW_MS, (dayOf(this.tenantMs) + YOUNG_DAYS) * DAY_MS);
    return (
      this.#domainSeenMs[words[row + LOG_DOMAIN]] > sinceMs ||
      this.#sourceKeySeenMs[words[row + LOG_SOURCE]] > sinceMs ||
      this.#connectorSeenMs[words[row + LOG_CONNECTOR]] > sinceMs
    );
  }

  /** Whether connector and source of a row of the log are known for a day; in the tenant's first week all are. */
  isKnownWayIn(words: Uint32Array, row: number, timeMs: number): boolean {
    const connector = words[row + LOG_CONNECTOR];
    const source = words[row + LOG_SOURCE];
    const knownMs = timeMs - KNOWN_WAY_IN_MS;
    return (
      this.#clock.tenantDay < YOUNG_DAYS ||
      ((connector === 0 || this.#connectorSeenMs[connector] <= knownMs) &&
        (source === 0 || this.#sourceKeySeenMs[source] <= knownMs))
    );
  }
}

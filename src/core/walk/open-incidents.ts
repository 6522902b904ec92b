/**
 * The open incidents, oldest first, found by the keys of a row: a thousand of them cost a row no more
 * than one.
 */

import type { Family } from '../incident-document.ts';
import { type CampaignKey, keyId } from './campaign.ts';
import type { Incident } from './incident.ts';
import { LOG_CONNECTOR, LOG_DOMAIN, LOG_MAILBOX, LOG_SOURCE, type RowLog } from './row-log.ts';

type Index = Map<number, Set<Incident>>;

const NONE: ReadonlySet<Incident> = new Set();

export class OpenIncidents {
  /** In order of opening. */
  #incidents: Incident[] = [];
  readonly #connectors: Index = new Map();
  readonly #sources: Index = new Map();
  readonly #domains: Index = new Map();
  readonly #mailboxes: Index = new Map();
  /** Incidents that any row may belong to. */
  readonly #ofTenant = new Set<Incident>();
  readonly #found: Incident[] = [];
  /** No incident was last active before this time. */
  #activeSinceMs = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#incidents.length;
  }

  get all(): readonly Incident[] {
    return this.#incidents;
  }

  clear(): void {
    this.#incidents = [];
    for (const index of [this.#connectors, this.#sources, this.#domains, this.#mailboxes]) index.clear();
    this.#ofTenant.clear();
    this.#activeSinceMs = Number.POSITIVE_INFINITY;
  }

  add(incident: Incident): void {
    this.#incidents.push(incident);
    this.#incidents.sort((left, right) => left.order - right.order);
    this.#activeSinceMs = Math.min(this.#activeSinceMs, incident.lastActiveMs);
    for (const key of incident.campaignKeys) this.index(incident, key);
  }

  /** Makes an incident found by a key that it was widened to. */
  index(incident: Incident, key: CampaignKey): void {
    const index = this.#indexOf(key);
    if (index === null) {
      this.#ofTenant.add(incident);
      return;
    }
    const incidents = index.get(key.a);
    if (incidents === undefined) index.set(key.a, new Set([incident]));
    else incidents.add(incident);
  }

  remove(incident: Incident): void {
    this.#incidents = this.#incidents.filter((other) => other !== incident);
    this.#ofTenant.delete(incident);
    for (const key of incident.campaignKeys) {
      const index = this.#indexOf(key);
      const incidents = index?.get(key.a);
      incidents?.delete(incident);
      if (incidents?.size === 0) index?.delete(key.a);
    }
  }

  /** Incidents last active at or before a time, oldest first. */
  inactiveSince(timeMs: number): Incident[] {
    if (this.#activeSinceMs > timeMs) return [];
    this.#activeSinceMs = Number.POSITIVE_INFINITY;
    const inactive: Incident[] = [];
    for (const incident of this.#incidents) {
      if (incident.lastActiveMs <= timeMs) inactive.push(incident);
      else this.#activeSinceMs = Math.min(this.#activeSinceMs, incident.lastActiveMs);
    }
    return inactive;
  }

  /** Incidents of which a row from `firstSequence` on is a row. */
  withRow(log: RowLog, firstSequence: number): ReadonlySet<Incident> {
    if (this.#incidents.length === 0) return NONE;
    let found: Set<Incident> | null = null;
    const { words } = log;
    for (let sequence = firstSequence; sequence < log.next; sequence++) {
      const base = log.base(sequence);
      for (const incident of this.sharing(words, base)) {
        if (found?.has(incident) || !incident.rows.matches(words, base)) continue;
        found ??= new Set();
        found.add(incident);
      }
    }
    return found ?? NONE;
  }

  /** Incidents that have a key of the row, each once, its rows or not; valid until the next call. */
  sharing(words: Uint32Array, base: number): readonly Incident[] {
    const found = this.#found;
    // Not `length = 0`, which gives the array's memory back and costs more than all that follows.
    while (found.length > 0) found.pop();
    addNew(found, this.#ofTenant);
    addNew(found, this.#connectors.get(words[base + LOG_CONNECTOR]));
    addNew(found, this.#sources.get(words[base + LOG_SOURCE]));
    addNew(found, this.#domains.get(words[base + LOG_DOMAIN]));
    addNew(found, this.#mailboxes.get(words[base + LOG_MAILBOX]));
    return found;
  }

  /** The oldest incident of a family that has a key. */
  withKey(family: Family, key: CampaignKey): Incident | undefined {
    const index = this.#indexOf(key);
    let oldest: Incident | undefined;
    for (const incident of (index === null ? this.#ofTenant : index.get(key.a)) ?? []) {
      if (incident.family !== family || !incident.keys.has(keyId(key))) continue;
      if (oldest === undefined || incident.order < oldest.order) oldest = incident;
    }
    return oldest;
  }

  /** The index of a key; null where every row of the tenant has it. */
  #indexOf(key: CampaignKey): Index | null {
    switch (key.kind) {
      case 'connector':
        return this.#connectors;
      case 'source':
        return this.#sources;
      case 'domain':
        return this.#domains;
      case 'tenant':
      case 'block':
        return null;
      case 'limit':
        return key.a === 0 ? null : this.#mailboxes;
      default:
        return this.#mailboxes;
    }
  }
}

function addNew(found: Incident[], incidents: ReadonlySet<Incident> | undefined): void {
  if (incidents === undefined) return;
  for (const incident of incidents) if (!found.includes(incident)) found.push(incident);
}

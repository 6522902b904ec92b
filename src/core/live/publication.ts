/**
 * What was published of a tenant's incidents, and what has to be written now. A published id is never
 * renamed: where a late row changes what an id is made from, the incident adopts the published one that
 * shares half of its pairs, and an incident that is no more is retracted.
 */

import { createHash } from 'node:crypto';
import { DAY_MS, MINUTE_MS } from '../calendar.ts';
import type { IncidentWrite, OutputWrite } from '../delivery.ts';
import type { Family, IncidentDocument } from '../incident-document.ts';
import type { Incident } from '../walk/incident.ts';
import { alertsOf, type IncidentTurns, retractedDocument, retraction, turnsOf } from './alerts.ts';

/**
 * A growing incident is written at notifications and at most this often: where it has grown by a tenth, where it has
 * stopped growing for as long, or where it has waited for ten times as long.
 */
const GROWTH_EVERY_MS = MINUTE_MS;
const GROWTH_FACTOR = 1.1;
const LONGEST_WAIT_MS = 10 * MINUTE_MS;
/** Pairs, from start to detection, by which an incident is known again. */
const KNOWN_PAIRS = 64;
/**
 * What a gap or a rescan took out of our hands is remembered for as long after the seal: the rescans that judge it are
 * asked for within days.
 */
const KEPT_MS = 35 * DAY_MS;

export interface CurrentIncident {
  /** The id that the incident's family, campaign key and day make. */
  id: string;
  incident: Incident;
  describe(id: string): IncidentDocument;
}

/** One published incident. Plain JSON. */
interface Entry extends IncidentTurns {
  id: string;
  family: Family;
  detectedMs: number;
  pairs: string[];
  /** What notifications depend on, as it was written. */
  mark: string;
  hash: string;
  writtenMs: number;
  retracted: boolean;
  /** Ids of alerts that were handed out. */
  alerts: string[];
  /** As written; null once nothing can take the incident back. */
  document: IncidentDocument | null;
  /** Why the rows that are known now cannot judge it: they were judged otherwise, some are lost, or a rescan had more. */
  kept: 'settings' | 'gap' | 'rescan' | null;
}

export interface PublicationState {
  entries: Entry[];
  /** Published id by the id that the rows make now. */
  adopted: [made: string, published: string][];
}

export class Publication {
  readonly #tenant: string;
  readonly #generation: number;
  readonly #entries = new Map<string, Entry>();
  readonly #adopted = new Map<string, string>();
  /** Ids whose rows changed since they were written. */
  readonly #dirty = new Set<string>();
  /** Of those that wait: their recipients when they grew last, and when that was. */
  readonly #growing = new Map<string, { recipients: number; atMs: number }>();
  /** Entries of incidents detected before this are to be let go once the incidents are gone; infinite for none. */
  #letGoBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(tenant: string, generation: number) {
    this.#tenant = tenant;
    this.#generation = generation;
  }

  save(): PublicationState {
    return { entries: [...this.#entries.values()], adopted: [...this.#adopted] };
  }

  load(state: PublicationState): void {
    for (const entry of state.entries) this.#entries.set(entry.id, entry);
    for (const [made, published] of state.adopted) this.#adopted.set(made, published);
  }

  /** Incidents that are waiting for their next minute, or to be let go. */
  get hasWaiting(): boolean {
    return this.#dirty.size > 0 || this.#letGoBeforeMs > Number.NEGATIVE_INFINITY;
  }

  /**
   * The writes that bring what is stored up to date, each incident before its alerts.
   * `changedFromMs` is the earliest time at which rows changed, null where none did. With `isLast` what
   * waits for its next minute is written too.
   */
  update(
    current: readonly CurrentIncident[],
    changedFromMs: number | null,
    nowMs: number,
    isLast = false,
  ): OutputWrite[] {
    const writes: OutputWrite[] = [];
    if (changedFromMs !== null) writes.push(...this.#reconcile(current, nowMs));
    for (const { id: made, incident, describe } of current) {
      const id = this.#adopted.get(made) ?? made;
      const entry = this.#entries.get(id);
      const mark = markOf(incident);
      if (entry?.kept === 'gap') {
        entry.mark = mark;
        continue;
      }
      const isTouched = changedFromMs !== null && incident.lastActiveMs >= changedFromMs - DAY_MS;
      if (isTouched || entry === undefined || entry.mark !== mark) this.#dirty.add(id);
      if (!this.#dirty.has(id)) continue;
      const isNotable = entry === undefined || entry.retracted || entry.mark !== mark;
      if (!isNotable && !isLast && !this.#isDue(entry, incident.totals.recipients, nowMs)) continue;
      this.#dirty.delete(id);
      this.#growing.delete(id);
      writes.push(...this.#publish(id, incident, mark, describe(id), nowMs));
    }
    this.#letGo(current);
    return writes;
  }

  /** Whether what waits is worth a write now. */
  #isDue({ id, writtenMs, document }: Entry, recipients: number, nowMs: number): boolean {
    const known = this.#growing.get(id);
    const grewMs = known?.recipients === recipients ? known.atMs : nowMs;
    this.#growing.set(id, { recipients, atMs: grewMs });
    // A clock that was ahead when it was written is no reason to wait for it.
    const waitedMs = writtenMs > nowMs ? LONGEST_WAIT_MS : nowMs - writtenMs;
    if (waitedMs < GROWTH_EVERY_MS) return false;
    const written = document?.relaywatch.incident.recipients ?? 0;
    return recipients >= written * GROWTH_FACTOR || nowMs - grewMs >= GROWTH_EVERY_MS || waitedMs >= LONGEST_WAIT_MS;
  }

  /** Settings changed: what was published under the old ones is not taken back, it ends. */
  keepForSettings(): void {
    for (const entry of this.#entries.values()) entry.kept ??= 'settings';
  }

  /** Rows of open days are lost: what was published of them stays as it is. */
  keepForGap(): void {
    for (const entry of this.#entries.values()) if (entry.document !== null) entry.kept = 'gap';
  }

  /**
   * A rescan has written these: what it has found is not taken back, and what it has taken back is left to the next
   * rescan, whether it goes on or not.
   */
  heed(rescanned: readonly IncidentDocument[]): void {
    for (const { event, relaywatch } of rescanned) {
      const entry = this.#entries.get(event.id);
      if (entry === undefined) continue;
      if (relaywatch.incident.state === 'retracted') entry.kept = 'gap';
      else if (entry.kept !== 'gap') entry.kept = 'rescan';
    }
  }

  /** Whether the rows that are known now make the incident, and it is open. */
  isOpen(id: string): boolean {
    return this.#entries.get(id)?.mark.startsWith('open') === true;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Takes over an incident that is stored and that no checkpoint knows: a worker wrote it and ended before it saved. */
  addStored(document: IncidentDocument, pairs: string[]): void {
    const { event, relaywatch } = document;
    this.#entries.set(event.id, {
      id: event.id,
      family: relaywatch.incident.family,
      detectedMs: Date.parse(relaywatch.incident.detected_at),
      pairs,
      mark: '',
      hash: '',
      writtenMs: 0,
      ...turnsOf(document, 1),
      retracted: false,
      alerts: [],
      document,
      kept: null,
    });
  }

  /**
   * Rows before this time have had their say. The next `update` takes back what they no longer make; after it, incidents
   * that ended and were detected before can never be retracted: their documents, and the pairs they are known by, are
   * let go, and so is all that is known of those that the walk has let go, since nothing reopens them.
   */
  sealBefore(timeMs: number): void {
    this.#letGoBeforeMs = timeMs;
  }

  #letGo(current: readonly CurrentIncident[]): void {
    if (this.#letGoBeforeMs === Number.NEGATIVE_INFINITY) return;
    for (const entry of this.#entries.values()) {
      if (entry.detectedMs >= this.#letGoBeforeMs || entry.mark.startsWith('open')) continue;
      entry.document = null;
      entry.pairs = [];
    }
    const held = new Set(current.map(({ id }) => this.#adopted.get(id) ?? id));
    for (const { id, detectedMs, document } of this.#entries.values()) {
      if (held.has(id) || detectedMs >= this.#letGoBeforeMs - (document === null ? 0 : KEPT_MS)) continue;
      this.#entries.delete(id);
      this.#dirty.delete(id);
      this.#growing.delete(id);
    }
    this.#letGoBeforeMs = Number.NEGATIVE_INFINITY;
  }

  #publish(id: string, incident: Incident, mark: string, document: IncidentDocument, nowMs: number): OutputWrite[] {
    const hash = hashOf(document);
    const known = this.#entries.get(id);
    const isBack = known?.retracted ?? false;
    if (known !== undefined && !isBack && known.hash === hash) {
      known.mark = mark;
      // What is written is what there is, as of now.
      known.writtenMs = nowMs;
      return [];
    }
    const { reopened_count: reopenedCount } = document.relaywatch.incident;
    const wasClosed = known?.mark.startsWith('closed') ?? false;
    // A late row may move the end of an incident that was said to be over: then it is open again, and was not reopened.
    const isOpenAgain = wasClosed && incident.isOpen && reopenedCount <= (known?.reopenings ?? 0);
    const closings = known?.closings ?? 0;
    const entry: Entry = {
      id,
      family: incident.family,
      detectedMs: incident.detectedMs,
      pairs: pairsOf(incident),
      mark,
      hash,
      writtenMs: nowMs,
      openings: (known?.openings ?? 0) + (known === undefined || isBack ? 1 : 0),
      reopenings: Math.max(reopenedCount, (known?.reopenings ?? 0) + (isOpenAgain ? 1 : 0)),
      closings: incident.isOpen ? closings : Math.max(reopenedCount + 1, closings + (wasClosed ? 0 : 1)),
      retracted: false,
      alerts: known?.alerts ?? [],
      document,
      kept: known?.kept ?? null,
    };
    this.#entries.set(id, entry);
    return [this.#write(document, null), ...this.#newAlerts(entry, document, nowMs)];
  }

  #newAlerts(entry: Entry, document: IncidentDocument, nowMs: number): OutputWrite[] {
    const alerts = alertsOf(document, entry, nowMs).filter(({ id }) => !entry.alerts.includes(id));
    entry.alerts = [...entry.alerts, ...alerts.map(({ id }) => id)];
    return alerts;
  }

  /** Finds the published incidents that the rows no longer make: adopted by another, or retracted. */
  #reconcile(current: readonly CurrentIncident[], nowMs: number): OutputWrite[] {
    const made = new Set(current.map(({ id }) => id));
    for (const id of this.#adopted.keys()) if (!made.has(id)) this.#adopted.delete(id);
    const held = new Set(current.map(({ id }) => this.#adopted.get(id) ?? id));
    for (const entry of this.#entries.values()) if (entry.kept === 'gap' && !held.has(entry.id)) entry.mark = 'gone';
    const gone = [...this.#entries.values()]
      .filter((entry) => !entry.retracted && entry.document !== null && entry.kept !== 'gap' && !held.has(entry.id))
      .sort((left, right) => left.detectedMs - right.detectedMs || (left.id < right.id ? -1 : 1));
    const writes: OutputWrite[] = [];
    for (const entry of gone) {
      const heirs = current.filter(({ incident }) => incident.family === entry.family && sharesHalf(entry, incident));
      const free = heirs.find(({ id }) => !this.#adopted.has(id) && !this.#entries.has(id));
      if (free !== undefined) {
        this.#adopted.set(free.id, entry.id);
        continue;
      }
      if (entry.kept === 'settings') {
        writes.push(...this.#end(entry, nowMs));
        continue;
      }
      if (entry.kept === 'rescan') continue;
      const heir = heirs[0] === undefined ? null : (this.#adopted.get(heirs[0].id) ?? heirs[0].id);
      writes.push(...this.#retract(entry, heir, nowMs));
    }
    return writes;
  }

  /** Registering a domain is part of the cure: an incident that it ended is closed, not retracted. */
  #end(entry: Entry, nowMs: number): OutputWrite[] {
    const last = entry.document as IncidentDocument;
    entry.document = null;
    if (last.relaywatch.incident.state !== 'open') return [];
    const document: IncidentDocument = {
      ...last,
      relaywatch: { ...last.relaywatch, incident: { ...last.relaywatch.incident, state: 'closed' } },
    };
    entry.mark = 'closed';
    entry.hash = hashOf(document);
    entry.writtenMs = nowMs;
    entry.closings++;
    return [this.#write(document, null), ...this.#newAlerts(entry, document, nowMs)];
  }

  #retract(entry: Entry, mergedInto: string | null, nowMs: number): OutputWrite[] {
    const last = entry.document as IncidentDocument;
    const document = retractedDocument(last);
    entry.retracted = true;
    entry.mark = 'retracted';
    entry.hash = '';
    entry.writtenMs = nowMs;
    entry.document = document;
    this.#dirty.delete(entry.id);
    this.#growing.delete(entry.id);
    return [this.#write(document, mergedInto), retraction(document, entry.openings, nowMs)];
  }

  #write(document: IncidentDocument, mergedInto: string | null): IncidentWrite {
    return {
      kind: 'incident',
      id: document.event.id,
      tenant: this.#tenant,
      generation: this.#generation,
      document,
      mergedInto,
    };
  }
}

function markOf(incident: Incident): string {
  const { isOpen, reopenedCount, escalations, severity, type } = incident;
  return [isOpen ? 'open' : 'closed', reopenedCount, escalations.length, severity, type].join('|');
}

function hashOf(document: IncidentDocument): string {
  return createHash('sha256').update(JSON.stringify(document)).digest('hex').slice(0, 32);
}

/** Pairs of the incident up to its detection: the first ones and a sample that is the same in every run. */
function pairsOf(incident: Incident): string[] {
  return incident.totals.sample
    .filter((place) => place.timeMs <= incident.detectedMs)
    .slice(0, KNOWN_PAIRS)
    .map(publishedPair);
}

/** A pair as entries know it. */
export function publishedPair(pair: Record<'messageHi' | 'messageLo' | 'recipientHi' | 'recipientLo', number>): string {
  const { messageHi, messageLo, recipientHi, recipientLo } = pair;
  return [messageHi, messageLo, recipientHi, recipientLo].map((word) => (word >>> 0).toString(36)).join('.');
}

/** Whether they share at least half of the pairs that either was detected by. */
function sharesHalf(entry: Entry, incident: Incident): boolean {
  const pairs = pairsOf(incident);
  const known = new Set(entry.pairs);
  const shared = pairs.filter((pair) => known.has(pair)).length;
  return shared > 0 && (shared * 2 >= known.size || shared * 2 >= pairs.length);
}

/** One tenant of a detector: envelopes in, writes out, and a state that survives the process. */

import { createHash } from 'node:crypto';
import { detectionSettings } from '../../config/detection.ts';
import { AcceptedDomains, expandAcceptedDomains } from '../../core/accepted-domains.ts';
import { AddressReader } from '../../core/address.ts';
import { DAY_MS, dayOf, HOUR_MS, hourSlotsOf } from '../../core/calendar.ts';
import type { OutputWrite, StoredIncident } from '../../core/delivery.ts';
import { Dictionary } from '../../core/dictionary.ts';
import { IncidentDescriber } from '../../core/documents.ts';
import type { FileEndHeader, RowsHeader } from '../../core/envelope.ts';
import type { LogEntry } from '../../core/envelope-log.ts';
import { KeyedHash } from '../../core/hash.ts';
import { ChosenTexts, type ChosenTextsState, ObservationCounts, PairTable } from '../../core/identity.ts';
import type { EvidenceRow } from '../../core/incident-document.ts';
import { LiveWalk, type SealedState } from '../../core/live/live-walk.ts';
import {
  type CurrentIncident,
  Publication,
  type PublicationState,
  publishedPair,
} from '../../core/live/publication.ts';
import { machineDocument } from '../../core/live/rescan-changes.ts';
import { type SourceHour, SourceHours, type SourceHoursState } from '../../core/live/source-hours.ts';
import type { DeadLetter } from '../../core/ports.ts';
import type { RecordScratch } from '../../core/record.ts';
import { rescanMarkOf } from '../../core/rescanned-incident.ts';
import type { TenantSettings } from '../../core/settings.ts';
import { TenantModel } from '../../core/tenant.ts';
import { Walk } from '../../core/walk/walk.ts';
import { type RowContext, RowExtractor } from '../../formats/row.ts';
import type { TenantSnapshot } from '../completeness/checks.ts';
import { LastHour } from '../completeness/last-hour.ts';
import { layoutOfEnvelope, readEnvelopeRecords } from '../ingest/envelope-records.ts';
import { deadLetterWrite } from './dead-letters.ts';
import { EnvelopeStore, type EnvelopeStoreState } from './envelope-store.ts';
import { FileCounts, type FileCountsState } from './file-counts.ts';

/** By so much the rows have to pass an open incident that a rescan has written before it is rescanned: it may have ended. */
const RESCANNED_AGAIN_MS = DAY_MS + HOUR_MS;

export interface TenantProfile {
  settings: TenantSettings;
  /** Names and GUIDs, lower case; empty for the first one that a row names. */
  organizations: readonly string[];
  /** Evidence rows of an incident. */
  evidenceRows: number;
  /** Without a row for so long the source counts as silent; as by default where it is missing. */
  silentAfterMs?: number;
}

/** What changes only when days are sealed. */
export interface TenantBase {
  sealed: SealedState;
  domains: string[];
  sources: string[];
  connectors: string[];
  organizations: RowContext['organizations'];
  chosen: ChosenTextsState;
  envelopes: EnvelopeStoreState;
  files: FileCountsState;
  lateHours: SourceHour[];
}

/** What changes with every delivery. Plain JSON. */
export interface TenantProgress {
  publication: PublicationState;
  /** Those that changed since the last seal. */
  files: FileCountsState;
  hours: SourceHoursState;
  /** Oldest envelope to replay; null for none. */
  oldestLogOffset: number | null;
  /** Digest of the settings that incidents were judged by. */
  settings: string;
  /** Wall time at which the last row came; null for none. */
  lastRowAtMs: number | null;
}

export class TenantDetector {
  readonly #profile: TenantProfile;
  /** Digest of what incidents are judged by. */
  readonly #settings: string;
  readonly #context: RowContext;
  readonly #counts = new ObservationCounts();
  readonly #chosen = new ChosenTexts();
  readonly #envelopes: EnvelopeStore;
  readonly #files: FileCounts;
  readonly #hours: SourceHours;
  readonly #lastRows = new LastHour();
  readonly #lastLetters = new LastHour();
  #lastRowAtMs: number | null = null;
  /** The watermark when a rescan was last asked for. */
  #rescanAskedAtMs = Number.NEGATIVE_INFINITY;
  readonly #publication: Publication;
  readonly #live: LiveWalk;
  #changedFromMs: number | null = null;
  #bytes = new Uint8Array(0);
  #hasReplayed = false;

  constructor(profile: TenantProfile, generation: number) {
    const { key } = profile.settings;
    this.#profile = profile;
    this.#settings = digestOf(profile);
    const hash = new KeyedHash(key);
    this.#context = {
      hash,
      addresses: new AddressReader(hash),
      domains: new Dictionary(hash),
      sources: new Dictionary(hash),
      connectors: new Dictionary(hash),
      organizations: { ids: [], names: [] },
      admits: (organization) => this.#admits(organization),
      sinceMs: null,
      untilMs: null,
      nowMs: 0,
    };
    this.#envelopes = new EnvelopeStore(key, this.#chosen);
    this.#files = new FileCounts(key);
    this.#hours = new SourceHours(key);
    this.#publication = new Publication(key, generation);
    this.#live = new LiveWalk({
      counts: this.#counts,
      createTable: () => new PairTable(this.#counts, this.#chosen, this.#ids, this.#envelopes),
      createWalk: () => this.#createWalk(),
    });
  }

  get openPairs(): number {
    return this.#live.openPairs;
  }

  /** Latest event time accepted; negative infinity without one. */
  get watermarkMs(): number {
    return this.#live.watermarkMs;
  }

  get openFromMs(): number {
    return this.#live.openFromMs;
  }

  /** Days could be sealed. */
  get isSealable(): boolean {
    return this.#live.sealableDay !== null;
  }

  /** No export is in the middle: its next rows may be older than those before. */
  get isBetweenFiles(): boolean {
    return this.#files.isBetweenFiles;
  }

  /** Wall time at which the last row came; null for none. */
  get lastRowAtMs(): number | null {
    return this.#lastRowAtMs;
  }

  /** Whether open days have rows in entries before `logOffset`. */
  needsBefore(logOffset: number): boolean {
    const oldest = this.#envelopes.oldestLogOffset;
    return oldest !== null && oldest < logOffset;
  }

  /** The log has lost the entries before `logOffset`, which were to be replayed: open days are incomplete. */
  loseBefore(logOffset: number): void {
    this.#envelopes.loseBefore(logOffset);
    this.#publication.keepForGap();
  }

  /** Takes over incidents that are stored and that no checkpoint knows: a worker wrote them and ended before it saved. */
  adoptStored(stored: readonly StoredIncident[]): void {
    for (const one of stored) {
      const { document, generation } = one;
      const incident = machineDocument(one);
      // Those that a rescan has found, and no detector, are not ours.
      if (generation === 0 || incident.relaywatch.incident.state === 'retracted') continue;
      if (this.#publication.has(incident.event.id) || document.relaywatch === undefined) continue;
      this.#publication.addStored(
        incident,
        incident.relaywatch.incident.evidence.map((row) => this.#pairOf(row)),
      );
    }
  }

  #pairOf({ message_trace_id: messageTraceId, recipient }: EvidenceRow): string {
    const { hash, addresses } = this.#context;
    hash.text(messageTraceId);
    const { lo: messageLo, hi: messageHi } = hash;
    const bytes = Buffer.from(recipient);
    addresses.recipient(bytes, 0, bytes.length);
    return publishedPair({ messageHi, messageLo, recipientHi: addresses.hi, recipientLo: addresses.lo });
  }

  /** Incidents that ended from here on may still be written by this detector, whatever a rescan made of them. */
  get heededFromMs(): number {
    return this.#live.openFromMs - DAY_MS;
  }

  /**
   * Heeds what rescans have written of the tenant. Returns the detection of the oldest incident of theirs that only
   * another rescan can judge now: it is open, and the rows have passed its end, or those of that rescan, by a day.
   * Null for none.
   */
  heedRescans(rescanned: readonly StoredIncident[]): number | null {
    this.#publication.heed(rescanned.map(machineDocument));
    const watermarkMs = this.#live.watermarkMs;
    if (watermarkMs < this.#rescanAskedAtMs + RESCANNED_AGAIN_MS) return null;
    const due = rescanned.flatMap((one) => {
      const { event, relaywatch } = machineDocument(one);
      const { state, detected_at: detectedAt } = relaywatch.incident;
      if (state !== 'open' && !(state === 'retracted' && this.#publication.isOpen(event.id))) return [];
      const through = rescanMarkOf(one.document)?.through ?? event.end;
      const judgedMs = Math.min(Date.parse(event.end), Date.parse(through));
      return watermarkMs >= judgedMs + RESCANNED_AGAIN_MS ? [Date.parse(detectedAt)] : [];
    });
    if (due.length === 0) return null;
    this.#rescanAskedAtMs = watermarkMs;
    return Math.min(...due);
  }

  /** What tells whether all rows of the tenant come. */
  snapshot(nowMs: number): TenantSnapshot {
    return {
      tenant: this.#profile.settings.key,
      lastRowAtMs: this.#lastRowAtMs,
      watermarkMs: this.#live.watermarkMs,
      rowsLastHour: this.#lastRows.total(nowMs),
      deadLettersLastHour: this.#lastLetters.total(nowMs),
    };
  }

  /** Incidents that are open now. */
  get openIncidents(): number {
    return this.#live.walk.incidents.filter((incident) => incident.isOpen).length;
  }

  /**
   * Takes the rows of an envelope, whose payload the log has as `compressed`, from an entry that came at `appendedMs`.
   * Returns the dead letters among them. A replayed envelope (`isCounted`) is in the ledger and in the dead letters already.
   */
  takeRows(
    header: RowsHeader,
    payload: Uint8Array,
    { offset: logOffset, appendedMs, bytes: compressed }: Pick<LogEntry, 'offset' | 'appendedMs' | 'bytes'>,
    isCounted: boolean,
  ): OutputWrite[] {
    const { number, latestMs } = this.#envelopes.add(header, payload, compressed, logOffset);
    // The rows of sealed days are in the saved state; they are only kept to be shown.
    if (isCounted && latestMs !== null && latestMs < this.#live.openFromMs) return [];
    if (isCounted) this.#hasReplayed = true;
    else this.#endReplay();
    const organizations = this.#context.organizations.names.length;
    this.#context.nowMs = appendedMs;
    const letters: OutputWrite[] = [];
    const lost = { dropped: new Map<string, number>(), dead: new Map<string, number>(), rows: 0 };
    const counter = {
      drop(reason: string): void {
        lost.rows++;
        lost.dropped.set(reason, (lost.dropped.get(reason) ?? 0) + 1);
      },
      deadLetter: (letter: DeadLetter): void => {
        lost.rows++;
        lost.dead.set(letter.code, (lost.dead.get(letter.code) ?? 0) + 1);
        if (!isCounted) letters.push(deadLetterWrite(header, payload, letter, appendedMs));
      },
    };
    const layout = layoutOfEnvelope(header.layout);
    const file = { match: layout.match, header: layout.header, dateOrder: header.layout.dateOrder, number };
    const sink = {
      add: (observation: RecordScratch) => {
        if (isCounted) {
          this.#live.replay(observation, appendedMs);
          return;
        }
        // As the ledger counts them: a pair that comes again is no row more.
        if (this.#live.observe(observation, appendedMs)) this.#hours.add(observation.doubles[0], appendedMs);
      },
    };
    const extractor = new RowExtractor(this.#context, file, sink, counter);
    readEnvelopeRecords(header, this.#copy(payload), {
      record: (view) => extractor.record(view),
      reject: (letter) => counter.deadLetter(letter),
    });
    this.#envelopes.noteTime(number, extractor.lastMs ?? 0);
    if (!isCounted) {
      const read = extractor.rows + lost.rows;
      const counts = {
        ...this.#counts.take(number),
        ...lost,
        read,
        bytes: payload.length,
        firstMs: extractor.firstMs,
        lastMs: extractor.lastMs,
      };
      this.#files.add(header, counts, appendedMs);
      this.#lastRows.add(appendedMs, read);
      this.#lastLetters.add(appendedMs, letters.length);
      this.#lastRowAtMs = appendedMs;
    }
    // The first rows name the organisation, and with it a domain of the tenant.
    if (this.#context.organizations.names.length > organizations) this.#live.rewalk();
    return letters;
  }

  /** The end of an export: its line of the ledger can be written. */
  takeFileEnd(header: FileEndHeader, appendedMs: number): void {
    this.#files.end(header, appendedMs);
  }

  /** Walks what arrived. */
  settle(): void {
    const changedFromMs = this.#live.settle();
    if (changedFromMs !== null) this.#changedFromMs = Math.min(this.#changedFromMs ?? changedFromMs, changedFromMs);
  }

  /** Seals what the watermark allows. */
  seal(): void {
    const openDay = this.#live.sealableDay;
    if (openDay !== null) this.#sealBefore(openDay);
  }

  /**
   * Seals all days up to the one before `nowMs`: the tenant has been silent for long, and its open days would
   * have to be kept in the log for ever.
   */
  sealSilent(nowMs: number): void {
    this.#sealBefore(dayOf(nowMs) - 1);
  }

  #sealBefore(openDay: number): void {
    this.settle();
    // The log of the walk reaches back to 00:00 of the day before the first open one.
    const shownFromMs = (openDay - 1) * DAY_MS;
    const { move, forget } = this.#envelopes.moving(shownFromMs);
    if (this.#chosen.size === 0) this.#live.seal(openDay, move);
    else {
      /** Pairs with choices whose records may still be read again: of the others the texts have moved as chosen, or are gone. */
      const shown = new Set<string>();
      const show = (key: string): void => {
        if (this.#chosen.get(key) !== undefined) shown.add(key);
      };
      this.#live.seal(
        openDay,
        (place) => {
          const moved = move(place);
          if (moved === place) show(ChosenTexts.keyOf(place));
          return moved;
        },
        (words, base, timeMs) => {
          if (timeMs >= shownFromMs) show(ChosenTexts.key(words, base));
        },
      );
      this.#live.forEachOpenKey(show);
      this.#chosen.keep((key) => shown.has(key));
    }
    forget();
    this.#publication.sealBefore(openDay * DAY_MS);
    this.#files.forget();
  }

  /**
   * The writes that bring what is stored up to date: incidents, alerts, lines of the ledger. With `isLast`
   * nothing waits for its next minute.
   */
  writes(nowMs: number, sequence: number, isLast = false): OutputWrite[] {
    this.#hours.advance(this.#live.watermarkMs, this.#live.openFromMs);
    return [
      ...this.#incidentWrites(nowMs, isLast),
      ...this.#files.writes(nowMs, sequence),
      ...this.#files.findings(nowMs),
      ...this.#hours.writes(nowMs, sequence),
    ];
  }

  #incidentWrites(nowMs: number, isLast: boolean): OutputWrite[] {
    const { walk } = this.#live;
    const endMs = walk.seen.lastMs;
    if (endMs === null || (this.#changedFromMs === null && !this.#publication.hasWaiting)) return [];
    const describer = this.#describerOf(walk);
    const taken = new Set<string>();
    const current = walk.incidentsAt(endMs).map(
      (incident): CurrentIncident => ({
        id: describer.id(incident, taken),
        incident,
        describe: (id) => describer.describe(incident, id).document,
      }),
    );
    const writes = this.#publication.update(current, this.#changedFromMs, nowMs, isLast);
    this.#changedFromMs = null;
    return writes;
  }

  #describerOf(walk: Walk): IncidentDescriber {
    const { ids, names } = this.#context.organizations;
    const organization =
      ids.length === 0 && names.length === 0
        ? null
        : { ...(ids.length === 0 ? {} : { id: ids[0] }), ...(names.length === 0 ? {} : { name: names[0] }) };
    return new IncidentDescriber(walk, this.#envelopes, this.#chosen, {
      tenantKey: this.#profile.settings.key,
      organization,
      evidenceRows: this.#profile.evidenceRows,
    });
  }

  /** Earliest event time behind the seal that rows came for since this was last asked; null for none. */
  takeLateFromMs(): number | null {
    const lateFromMs = this.#live.takeLateFromMs();
    return lateFromMs === Number.POSITIVE_INFINITY ? null : lateFromMs;
  }

  /** What `progress` leaves out from here on. */
  base(): TenantBase {
    const { sources, connectors, organizations } = this.#context;
    return {
      ...this.#keyedDomains(),
      sources: textsOf(sources),
      connectors: textsOf(connectors),
      organizations,
      chosen: this.#sealedChoices(),
      envelopes: this.#envelopes.save(),
      files: this.#files.save(),
      lateHours: this.#hours.saveLate(),
    };
  }

  /**
   * The sealed state with the domains that it names, numbered anew: most domains only ever wrote to somebody here, or
   * were written to, and open rows bring theirs along when they are replayed.
   */
  #keyedDomains(): Pick<TenantBase, 'sealed' | 'domains'> {
    const { domains } = this.#context;
    const sealed = this.#live.save();
    const { walk } = sealed;
    if (walk === null) return { sealed, domains: [] };
    const ids = walk.domainKeys.ids.slice(1);
    const domainKeys = { ids: [0, ...ids.map((_, place) => place + 1)] };
    return { sealed: { ...sealed, walk: { ...walk, domainKeys } }, domains: ids.map((id) => domains.text(id)) };
  }

  /** Choices among the texts of sealed pairs: open ones are replayed, and choose again. */
  #sealedChoices(): ChosenTextsState {
    const open = new Set<string>();
    this.#live.forEachOpenKey((key) => open.add(key));
    return this.#chosen.save((key) => !open.has(key));
  }

  progress(): TenantProgress {
    return {
      publication: this.#publication.save(),
      files: this.#files.changes(),
      hours: this.#hours.save(),
      oldestLogOffset: this.#envelopes.oldestLogOffset,
      settings: this.#settings,
      lastRowAtMs: this.#lastRowAtMs,
    };
  }

  /** Goes on from a saved state; the rows of open days are to be replayed. To be called before any row. */
  load(base: TenantBase | null, progress: TenantProgress): void {
    if (base !== null) {
      const { domains, sources, connectors, organizations } = this.#context;
      for (const text of base.domains) domains.internText(text);
      for (const text of base.sources) sources.internText(text);
      for (const text of base.connectors) connectors.internText(text);
      organizations.ids.push(...base.organizations.ids);
      organizations.names.push(...base.organizations.names);
      this.#chosen.load(base.chosen);
      this.#envelopes.load(base.envelopes);
      this.#live.load(base.sealed);
    }
    this.#publication.load(progress.publication);
    if (progress.settings !== this.#settings) this.#publication.keepForSettings();
    this.#lastRowAtMs = progress.lastRowAtMs;
    this.#files.load(base?.files ?? [], progress.files);
    this.#hours.load(progress.hours, base?.lateHours ?? []);
  }

  #createWalk(): Walk {
    const { key: tenantKey, licenses, timeZone, feedback } = this.#profile.settings;
    const settings = detectionSettings(licenses, feedback);
    const walk: Walk = new Walk(settings, this.#createModel(), hourSlotsOf(timeZone), this.#ids, {
      tenantKey,
      idOf: (incident) => this.#describerOf(walk).nextId(incident),
    });
    return walk;
  }

  #createModel(): TenantModel {
    const { acceptedDomains, key } = this.#profile.settings;
    const list = expandAcceptedDomains(acceptedDomains ?? [], this.#context.organizations.names, key);
    return new TenantModel(new AcceptedDomains(list), this.#ids);
  }

  get #ids() {
    const { domains, sources, connectors } = this.#context;
    return {
      domain: (id: number) => domains.text(id),
      source: (id: number) => sources.text(id),
      connector: (id: number) => connectors.text(id),
    };
  }

  #admits(organization: string): boolean {
    const { organizations } = this.#profile;
    if (organizations.length > 0) return organizations.includes(organization);
    const { ids, names } = this.#context.organizations;
    const known = ORGANIZATION_ID.test(organization) ? ids : names;
    return known.length === 0 || known.includes(organization);
  }

  /** Reading may change the bytes; the dead letters show those that came. Valid until it is called again. */
  #copy(payload: Uint8Array): Uint8Array {
    if (this.#bytes.length < payload.length) this.#bytes = new Uint8Array(payload.length);
    this.#bytes.set(payload);
    return this.#bytes.subarray(0, payload.length);
  }

  /** What identity counts of replayed rows is in the ledger already. */
  #endReplay(): void {
    if (!this.#hasReplayed) return;
    this.#hasReplayed = false;
    this.settle();
    this.#counts.clear();
  }
}

const ORGANIZATION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A list of domains may be long: to be worked out once. */
function digestOf({ settings, organizations }: TenantProfile): string {
  const text = JSON.stringify([settings, organizations]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function textsOf(dictionary: Dictionary): string[] {
  return Array.from({ length: dictionary.size }, (_, index) => dictionary.text(index + 1));
}

/** A short name for a tenant's parts of a checkpoint. */
export function tenantPartName(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 16);
}

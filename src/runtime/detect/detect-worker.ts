/**
 * The detector: consumes partitions of envelopes, walks what arrived, writes what changed, checkpoints.
 * Always in this order: walk, write, checkpoint, commit. A crash between any two of them replays to the
 * same documents with the same ids.
 */

import { createHash } from 'node:crypto';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/calendar.ts';
import { type CheckpointStore, Fenced } from '../../core/checkpoint.ts';
import type { DeadEntry, DeadEntrySink } from '../../core/dead-entries.ts';
import type { OutputStore, OutputWrite, RefusedWrite } from '../../core/delivery.ts';
import type { LogEntry, PartitionHandler } from '../../core/envelope-log.ts';
import { type DeadLetterCode, RelaywatchError } from '../../core/outcome.ts';
import { DEFAULT_COMPLETENESS, type TenantSnapshot } from '../completeness/checks.ts';
import {
  type CompletenessMonitor,
  type CompletenessState,
  createCompletenessMonitor,
} from '../completeness/monitor.ts';
import { deadEntryWrite } from './dead-letters.ts';
import { gapFinding, parkedFinding, refusedFinding, tenantOf } from './findings.ts';
import { decodeBase, encodeBase } from './state-codec.ts';
import { TenantDetector, type TenantProfile, type TenantProgress, tenantPartName } from './tenant-detector.ts';

/** Days are sealed when nothing has come for so long: files that are still read must not find their days shut. */
const SEAL_QUIET_MS = 60_000;
/** Where rows never stop coming, days that could be sealed wait no longer than this. */
const SEAL_PATIENCE_MS = HOUR_MS;
/**
 * Pairs of open days of all tenants of a partition, at about 150 bytes each. Above it days are sealed although
 * more rows may come for them, as when a year of exports is read at first: those wait for the rescan that follows.
 */
const MOST_OPEN_PAIRS = 3_000_000;
/** What arrived is walked, and the state saved, at most this often. */
const SETTLE_EVERY_MS = 500;
/** And not before this many times what the last walk took has passed. */
const SETTLE_PAUSE = 4;
/** A tenant without any row for so long, by wall time, has its days sealed: the log must not be kept for it. */
const SILENT_MS = 3 * DAY_MS;
/** The log is kept for a tenant that has lost its profile for so long; then its open days wait for a rescan. */
const PARKED_MS = 7 * DAY_MS;
/** How often it is asked whether all rows come. */
const LOOK_EVERY_MS = MINUTE_MS;
/** How often it is asked what rescans have written. */
const HEED_EVERY_MS = 10 * MINUTE_MS;

export interface DetectWorkerOptions {
  /** Names the state: workers of one pipeline share it. */
  pipeline: string;
  profiles: ReadonlyMap<string, TenantProfile>;
  checkpoints: CheckpointStore;
  outputs: OutputStore;
  /** Wall time in milliseconds. */
  now: () => number;
  /**
   * A rescan of the tenant is due, from this event time on: rows came behind the seal, or what an earlier rescan left
   * open may have ended. Resolves when that is durable.
   */
  onLate: (tenant: string, fromMs: number) => Promise<void>;
  /** Keeps entries that cannot be used as they were, besides the dead letter in the outputs. */
  deadEntries?: Pick<DeadEntrySink, 'send'>;
  /** Files are being read whose rows may be older than what was read: nothing is sealed. */
  isHeld?: () => boolean;
  /** How long nothing must have come before days are sealed; a minute unless said. */
  sealQuietMs?: number;
  observer?: DetectObserver;
  /** The partition in which the rows of a tenant come; null while that is not known. Without it a tenant is known by its first row. */
  homeOf?: (tenant: string) => number | null;
  /** Open pairs of a partition above which days are sealed early. */
  mostOpenPairs?: number;
}

/** What telemetry sees; numbers alone, no address and no subject. */
export interface DetectObserver {
  delivered(partition: number, writes: readonly OutputWrite[], refused: number): void;
  /** Entries before `nextOffset` are done; a restart reads from `oldestOffset` on. */
  checkpointed(partition: number, nextOffset: number, oldestOffset: number): void;
  behind(partition: number, entries: number): void;
  /** The partition was looked at, whether there was anything to do or not. */
  alive(partition: number): void;
}

interface SavedTenant {
  key: string;
  part: string | null;
  progress: TenantProgress;
  /** Wall time since which it has had no profile; missing where it has one. */
  parkedSinceMs?: number;
}

interface Manifest {
  pipeline: string;
  /** First entry that was not taken in. */
  nextOffset: number;
  tenants: SavedTenant[];
  completeness: CompletenessState;
  sequence: number;
}

interface Partition {
  generation: number;
  /** Saved tenants that have no profile now: kept as they are, for when it comes back. */
  parked: (SavedTenant & { parkedSinceMs: number })[];
  /** Next entry that the log will give. */
  readOffset: number;
  tenants: Map<string, { detector: TenantDetector; part: string | null }>;
  nextOffset: number;
  /** Entries before this are replayed: they were counted and published. */
  replayUntil: number;
  /** Incidents and alerts written since the checkpoint may be there already. */
  verifiesStore: boolean;
  /** Of ledger lines and hours: grows with every delivery, whatever becomes of the log. */
  sequence: number;
  letters: OutputWrite[];
  monitor: CompletenessMonitor;
  lastLookMs: number;
  nextHeedMs: number;
  lastEntryMs: number;
  nextSettleMs: number;
  sealableSinceMs: number | null;
  isDirty: boolean;
  /** Goes on from a checkpoint of which the log may not have been told: who saved it may have died. */
  isResumed: boolean;
}

export class DetectWorker implements PartitionHandler {
  readonly #options: DetectWorkerOptions;
  readonly #partitions = new Map<number, Partition>();
  readonly #stop = new AbortController();

  constructor(options: DetectWorkerOptions) {
    this.#options = options;
  }

  /** Ends waiting for outputs, so that a stop is not held up by a server that is away. */
  abort(): void {
    this.#stop.abort();
  }

  async assigned(number: number, generation: number): Promise<number | null> {
    const { checkpoints, now } = this.#options;
    const stored = await checkpoints.claim(this.#key(number), generation);
    const partition: Partition = {
      generation,
      parked: [],
      readOffset: 0,
      tenants: new Map(),
      nextOffset: 0,
      replayUntil: 0,
      verifiesStore: true,
      sequence: 0,
      letters: [],
      monitor: createCompletenessMonitor({
        pipeline: this.#options.pipeline,
        tenants: [...this.#options.profiles.keys()],
        settings: { ...DEFAULT_COMPLETENESS, silentAfterMsOf: silentAfterMsOf(this.#options.profiles) },
      }),
      lastLookMs: now(),
      nextHeedMs: 0,
      lastEntryMs: now(),
      nextSettleMs: 0,
      sealableSinceMs: null,
      isDirty: false,
      isResumed: stored !== null,
    };
    this.#partitions.set(number, partition);
    if (stored === null) return null;
    const manifest = JSON.parse(Buffer.from(stored.bytes).toString()) as Manifest;
    partition.monitor.load(manifest.completeness);
    partition.sequence = manifest.sequence;
    partition.nextOffset = manifest.nextOffset;
    partition.replayUntil = manifest.nextOffset;
    let oldest = manifest.nextOffset;
    for (const tenant of manifest.tenants) {
      const { key, part, progress } = tenant;
      const profile = this.#options.profiles.get(key);
      if (profile === undefined) {
        const parkedSinceMs = tenant.parkedSinceMs ?? now();
        partition.parked.push({ ...tenant, parkedSinceMs });
        partition.letters.push(parkedFinding(this.#options.pipeline, key, parkedSinceMs + PARKED_MS, now()));
        continue;
      }
      if (tenant.parkedSinceMs !== undefined) {
        partition.letters.push(parkedFinding(this.#options.pipeline, key, null, now()));
      }
      const detector = new TenantDetector(profile, generation);
      const base = part === null ? null : await this.#part(number, part);
      detector.load(base === null ? null : decodeBase(base), progress);
      partition.tenants.set(key, { detector, part });
      oldest = Math.min(oldest, progress.oldestLogOffset ?? oldest);
    }
    partition.readOffset = oldest;
    return oldest;
  }

  async entries(number: number, generation: number, entries: readonly LogEntry[], end: number): Promise<number | null> {
    const partition = this.#partitions.get(number);
    if (partition === undefined || partition.generation !== generation) return null;
    const dead: DeadEntry[] = [];
    try {
      for (const entry of entries) this.#take(number, partition, entry, dead);
      // Before any checkpoint passes them; and now, so that memory holds no more of them than what was handed over.
      if (dead.length > 0) await this.#options.deadEntries?.send(dead, this.#stop.signal);
    } catch (error) {
      this.#abandon(number);
      throw error;
    }
    const nextOffset = (entries.at(-1)?.offset ?? -1) + 1;
    partition.readOffset = nextOffset;
    partition.nextOffset = Math.max(partition.nextOffset, nextOffset);
    partition.lastEntryMs = this.#options.now();
    this.#options.observer?.behind(number, end - nextOffset);
    // Until what was published is in memory again there is nothing to publish.
    if (nextOffset < partition.replayUntil) return null;
    this.#options.observer?.alive(number);
    // What waits is delivered with the next entries, or when there are none for a while.
    if (this.#options.now() < partition.nextSettleMs) return null;
    return await this.#deliver(number, partition, nextOffset >= end);
  }

  async idle(number: number, generation: number): Promise<number | null> {
    const partition = this.#partitions.get(number);
    if (partition === undefined || partition.generation !== generation) return null;
    this.#options.observer?.alive(number);
    if (partition.readOffset < partition.replayUntil) return null;
    const hasNew = partition.isDirty || partition.isResumed;
    partition.isResumed = false;
    const done = await this.#deliver(number, partition, true);
    return hasNew ? done : null;
  }

  async gap(number: number, expected: number, found: number): Promise<void> {
    if (found < expected) {
      throw new RelaywatchError({
        code: 'log_recreated',
        message: `partition ${number} ends at ${found}, but ${this.#key(number)} has read up to ${expected}: it is another log`,
        hint: 'give the pipeline a new name, or remove its state, and rescan the archive',
      });
    }
    const partition = this.#partitions.get(number);
    if (partition === undefined) return;
    await this.#lost(number, partition, expected, found);
    partition.readOffset = Math.max(partition.readOffset, found);
    partition.nextOffset = Math.max(partition.nextOffset, found);
    partition.isDirty = true;
  }

  /**
   * Rows that were published are gone from the log, not from the world; and what was never read may have been of any
   * tenant. A rescan finds both in the archive.
   */
  async #lost(number: number, partition: Partition, expected: number, found: number): Promise<void> {
    const { outputs, pipeline, profiles, now, onLate } = this.#options;
    const isUnread = found > partition.replayUntil;
    const tenants = isUnread && partition.tenants.size === 0 ? profiles.keys() : partition.tenants.keys();
    for (const tenant of [...tenants]) {
      const detector = partition.tenants.get(tenant)?.detector;
      const isLosing = detector?.needsBefore(found) === true;
      if (isLosing) detector?.loseBefore(found);
      if (!isLosing && !isUnread) continue;
      const sinceMs = Math.max(0, detector?.openFromMs ?? 0);
      const finding = gapFinding({ pipeline, partition: number, tenant }, { expected, found, sinceMs }, now());
      await outputs.deliver([finding], this.#stop.signal);
      await onLate(tenant, sinceMs);
    }
  }

  /** What waits for its next minute is written now: a newer owner, if there is one already, fences it off. */
  async revoked(number: number): Promise<void> {
    const partition = this.#partitions.get(number);
    if (partition === undefined) return;
    try {
      if (partition.readOffset >= partition.replayUntil && !this.#stop.signal.aborted) {
        await this.#deliver(number, partition, false, true);
      }
    } catch (error) {
      if (!(error instanceof Fenced)) throw error;
    } finally {
      this.#partitions.delete(number);
    }
  }

  /** Entries of a partition before this are done: walked, written, and in the checkpoint. */
  doneUntil(number: number): number {
    const partition = this.#partitions.get(number);
    if (partition === undefined || partition.isDirty || partition.readOffset < partition.replayUntil) return 0;
    return partition.nextOffset;
  }

  /** Partitions that are ours. */
  get partitions(): number[] {
    return [...this.#partitions.keys()];
  }

  /** Numbers for telemetry. */
  tenants(): { tenant: string; openPairs: number; watermarkMs: number; openIncidents: number }[] {
    return [...this.#partitions.values()].flatMap(({ tenants }) =>
      [...tenants].map(([tenant, { detector }]) => ({
        tenant,
        openPairs: detector.openPairs,
        watermarkMs: detector.watermarkMs,
        openIncidents: detector.openIncidents,
      })),
    );
  }

  #take(number: number, partition: Partition, entry: LogEntry, dead: DeadEntry[]): void {
    const isReplayed = entry.offset < partition.replayUntil;
    const bury = (code: DeadLetterCode, reason: string): void => {
      if (isReplayed) return;
      partition.letters.push(deadEntryWrite(code, reason, number, entry));
      dead.push({ partition: number, entry, code, reason });
    };
    const { envelope } = entry;
    if (envelope === null) {
      if (!isReplayed) partition.isDirty = true;
      bury('bad_envelope', entry.problem ?? 'no envelope');
      return;
    }
    const { header, payload } = envelope;
    // It had no profile when it was read first: it is in the dead letters, not in the ledger.
    if (isReplayed && !partition.tenants.has(header.tenant)) return;
    const detector = this.#detector(partition, header.tenant);
    if (!isReplayed) partition.isDirty = true;
    if (detector === null) {
      bury('unknown_tenant', 'the pipeline has no profile for this tenant');
    } else if (header.kind === 'file_end') {
      if (!isReplayed) detector.takeFileEnd(header, entry.appendedMs);
    } else {
      try {
        partition.letters.push(...detector.takeRows(header, payload, entry, isReplayed));
      } catch (error) {
        if (!(error instanceof RelaywatchError) || error.code !== 'envelope_layout') throw error;
        bury('bad_envelope', error.message);
      }
    }
  }

  /**
   * What failed half-way is in memory and nowhere else: nothing of it must be saved. The state of the last
   * checkpoint is read again by whoever gets the partition next.
   */
  #abandon(number: number): void {
    this.#partitions.delete(number);
  }

  #detector(partition: Partition, tenant: string): TenantDetector | null {
    const known = partition.tenants.get(tenant);
    if (known !== undefined) return known.detector;
    const profile = this.#options.profiles.get(tenant);
    if (profile === undefined) return null;
    const detector = new TenantDetector(profile, partition.generation);
    partition.tenants.set(tenant, { detector, part: null });
    return detector;
  }

  /** Walks, writes, checkpoints. Returns the offset up to which all is done. */
  async #deliver(number: number, partition: Partition, isCaughtUp: boolean, isLast = false): Promise<number | null> {
    const { now, outputs, observer } = this.#options;
    const nowMs = now();
    try {
      if (partition.verifiesStore && partition.isDirty) await this.#adoptStored(partition);
      partition.sequence = Math.max(partition.sequence + 1, nowMs);
      if (nowMs >= partition.nextHeedMs) await this.#heedRescans(partition, nowMs);
      const writes: OutputWrite[] = partition.letters.splice(0);
      const sealed: string[] = [];
      const maySeal = (isCaughtUp && this.#maySeal(partition, nowMs)) || isFull(partition, this.#options.mostOpenPairs);
      for (const [key, { detector }] of partition.tenants) {
        detector.settle();
        if (maySeal && detector.isSealable) {
          detector.seal();
          sealed.push(key);
        }
        if (!maySeal && isCaughtUp && isSilent(detector, nowMs)) {
          detector.sealSilent(nowMs);
          sealed.push(key);
        }
        writes.push(...detector.writes(nowMs, partition.sequence, isLast));
        const lateFromMs = detector.takeLateFromMs();
        if (lateFromMs !== null && partition.nextOffset > partition.replayUntil) {
          await this.#options.onLate(key, lateFromMs);
        }
      }
      if (nowMs - partition.lastLookMs >= LOOK_EVERY_MS) {
        partition.lastLookMs = nowMs;
        const tenants = this.#snapshots(number, partition, nowMs);
        writes.push(...partition.monitor.observe({ atMs: nowMs, tenants, partitions: [] }));
      }
      if (writes.length > 0) {
        const report = await outputs.deliver(await this.#unknownAlerts(partition, writes), this.#stop.signal);
        observer?.delivered(number, writes, report.refused.length);
        if (report.refused.length > 0) await this.#reportRefused(report.refused, nowMs);
      }
      if (partition.isDirty || writes.length > 0 || sealed.length > 0) {
        const oldest = await this.#checkpoint(number, partition, sealed);
        observer?.checkpointed(number, partition.nextOffset, oldest);
        partition.isDirty = false;
        partition.verifiesStore = false;
      }
      const endMs = now();
      partition.nextSettleMs = endMs + Math.max(SETTLE_EVERY_MS, (endMs - nowMs) * SETTLE_PAUSE);
      return partition.nextOffset;
    } catch (error) {
      // Also where a newer member owns the partition: the source joins anew.
      this.#abandon(number);
      throw error;
    }
  }

  /** Of the tenants whose rows come in this partition, those that never sent one included. */
  #snapshots(number: number, { tenants }: Partition, nowMs: number): TenantSnapshot[] {
    const { profiles, homeOf } = this.#options;
    const unseen =
      homeOf === undefined ? [] : [...profiles.keys()].filter((key) => !tenants.has(key) && homeOf(key) === number);
    return [
      ...[...tenants.values()].map(({ detector }) => detector.snapshot(nowMs)),
      ...unseen.map((tenant) => ({
        tenant,
        lastRowAtMs: null,
        watermarkMs: null,
        rowsLastHour: 0,
        deadLettersLastHour: 0,
      })),
    ];
  }

  async #reportRefused(refused: readonly RefusedWrite[], nowMs: number): Promise<void> {
    const { outputs, pipeline } = this.#options;
    for (const tenant of new Set(refused.map(({ write }) => tenantOf(write)))) {
      const earlier = tenant === '' ? [] : await outputs.openFindings(tenant, this.#stop.signal);
      const own = refused.filter(({ write }) => tenantOf(write) === tenant).map(({ write }) => write);
      await outputs.deliver([refusedFinding({ pipeline, tenant }, own, earlier, nowMs)], this.#stop.signal);
    }
  }

  /** Incidents of open days that are stored, whether the checkpoint knows them or not. */
  async #adoptStored({ tenants }: Partition): Promise<void> {
    for (const [tenant, { detector }] of tenants) {
      const fromMs = Math.max(0, detector.openFromMs);
      const stored = await this.#options.outputs.incidents(tenant, fromMs, Number.MAX_SAFE_INTEGER, this.#stop.signal);
      detector.adoptStored(stored);
    }
  }

  /** Rescans are others' work: what they have written is in the store alone. */
  async #heedRescans(partition: Partition, nowMs: number): Promise<void> {
    const { outputs, onLate } = this.#options;
    for (const [tenant, { detector }] of partition.tenants) {
      const rescanned = await outputs.rescanned(tenant, detector.heededFromMs, this.#stop.signal);
      const dueFromMs = detector.heedRescans(rescanned);
      if (dueFromMs !== null) await onLate(tenant, dueFromMs);
    }
    partition.nextHeedMs = nowMs + HEED_EVERY_MS;
  }

  #maySeal(partition: Partition, nowMs: number): boolean {
    const isSealable = [...partition.tenants.values()].some(({ detector }) => detector.isSealable);
    if (!isSealable || this.#options.isHeld?.() === true) {
      partition.sealableSinceMs = null;
      return false;
    }
    partition.sealableSinceMs ??= nowMs;
    const quietMs = this.#options.sealQuietMs ?? SEAL_QUIET_MS;
    return nowMs - partition.lastEntryMs >= quietMs || nowMs - partition.sealableSinceMs >= SEAL_PATIENCE_MS;
  }

  /** Without the alerts that were written before a crash: their index may not be the one that is written to now. */
  async #unknownAlerts(partition: Partition, writes: readonly OutputWrite[]): Promise<readonly OutputWrite[]> {
    const alerts = writes.filter(({ kind }) => kind === 'alert').map(({ id }) => id);
    if (!partition.verifiesStore || alerts.length === 0) return writes;
    const known = await this.#options.outputs.knownAlerts(alerts, this.#stop.signal);
    return writes.filter(({ kind, id }) => kind !== 'alert' || !known.has(id));
  }

  /** Returns the offset from which a restart reads. */
  async #checkpoint(number: number, partition: Partition, sealed: readonly string[]): Promise<number> {
    const { checkpoints, pipeline } = this.#options;
    const key = this.#key(number);
    for (const tenant of sealed) {
      const state = partition.tenants.get(tenant) as { detector: TenantDetector; part: string | null };
      const bytes = encodeBase(state.detector.base());
      const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
      const part = `${tenantPartName(tenant)}-${digest}`;
      await checkpoints.putPart(key, part, bytes);
      state.part = part;
    }
    const manifest: Manifest = {
      pipeline,
      nextOffset: partition.nextOffset,
      tenants: [
        ...partition.parked,
        ...[...partition.tenants].map(([tenant, { detector, part }]) => ({
          key: tenant,
          part,
          progress: detector.progress(),
        })),
      ],
      completeness: partition.monitor.save(),
      sequence: partition.sequence,
    };
    try {
      await checkpoints.save(key, partition.generation, Buffer.from(JSON.stringify(manifest)));
    } catch (error) {
      // The store forgot parts that it had taken, as Redis may when it is killed: it is given all of them again.
      const isLost = error instanceof RelaywatchError && error.code === 'checkpoint_lost';
      const tenants = [...partition.tenants].filter(([, { part }]) => part !== null).map(([tenant]) => tenant);
      if (!isLost || tenants.every((tenant) => sealed.includes(tenant))) throw error;
      return await this.#checkpoint(number, partition, tenants);
    }
    if (sealed.length > 0) {
      await checkpoints.keepParts(
        key,
        manifest.tenants.flatMap(({ part }) => part ?? []),
      );
    }
    const nowMs = this.#options.now();
    const needing = manifest.tenants.filter(({ parkedSinceMs }) => nowMs - (parkedSinceMs ?? nowMs) < PARKED_MS);
    return Math.min(
      ...needing.map(({ progress }) => progress.oldestLogOffset ?? manifest.nextOffset),
      manifest.nextOffset,
    );
  }

  async #part(number: number, name: string): Promise<Uint8Array> {
    const bytes = await this.#options.checkpoints.part(this.#key(number), name);
    if (bytes !== null) return bytes;
    throw new RelaywatchError({
      code: 'checkpoint_damaged',
      message: `the checkpoint of partition ${number} names the part ${name}, which is not there`,
      hint: 'restore the state from a backup, or start with an empty state and rescan the archive',
    });
  }

  #key(number: number): string {
    return `${this.#options.pipeline}/${number}`;
  }
}

function silentAfterMsOf(profiles: ReadonlyMap<string, TenantProfile>): Map<string, number> {
  return new Map(
    [...profiles].flatMap(([tenant, { silentAfterMs }]) =>
      silentAfterMs === undefined ? [] : [[tenant, silentAfterMs]],
    ),
  );
}

/** Between two exports if possible: within one, older rows may follow. */
function isFull({ tenants }: Partition, mostOpenPairs = MOST_OPEN_PAIRS): boolean {
  const detectors = [...tenants.values()].map(({ detector }) => detector);
  const pairs = detectors.reduce((sum, { openPairs }) => sum + openPairs, 0);
  if (pairs <= mostOpenPairs) return false;
  return pairs > mostOpenPairs * 2 || detectors.every(({ isBetweenFiles }) => isBetweenFiles);
}

/** Nothing has come for days, and something is still kept open. */
function isSilent({ lastRowAtMs, openPairs }: TenantDetector, nowMs: number): boolean {
  return openPairs > 0 && lastRowAtMs !== null && nowMs - lastRowAtMs >= SILENT_MS;
}

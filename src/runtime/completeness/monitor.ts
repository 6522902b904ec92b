/**
 * Whether all rows come, and are taken in: each check of `checks.ts` over each tenant and partition, as
 * findings that open and close by themselves. Pure: what it knows comes with the snapshots, and what it
 * remembers is plain JSON.
 */

import { MINUTE_MS } from '../../core/calendar.ts';
import type { ReplaceWrite } from '../../core/delivery.ts';
import { findingWrite } from '../detect/findings.ts';
import {
  type CompletenessCode,
  type CompletenessSettings,
  deadLettersGrowing,
  detectorStopped,
  laggingWatermark,
  type PartitionMemory,
  type PartitionSnapshot,
  type Snapshot,
  silentSource,
  type TenantMemory,
  type TenantSnapshot,
  type Verdict,
} from './checks.ts';

/** Nobody looked for longer than this: the time between counts for nothing, as rows could not be taken in either. */
const AWAY_MS = 10 * MINUTE_MS;

/** An open finding. Plain JSON. */
interface OpenFinding {
  code: CompletenessCode;
  subject: string;
  tenant: string | null;
}

/** Plain JSON. */
export interface CompletenessState {
  /** Wall time of the last snapshot, milliseconds; null before the first. */
  observedMs: number | null;
  tenants: TenantMemory[];
  partitions: PartitionMemory[];
  open: OpenFinding[];
}

export interface CompletenessOptions {
  pipeline: string;
  /** Keys of its tenants: findings about others are closed. */
  tenants: readonly string[];
  settings: CompletenessSettings;
}

export interface CompletenessMonitor {
  /**
   * The findings that open or close with this snapshot. Tenants and partitions that it does not name stay as
   * they are: another worker has them. Save the state after the writes were delivered, not before.
   */
  observe(snapshot: Snapshot): ReplaceWrite[];
  save(): CompletenessState;
  /** Goes on from a saved state; to be called before any snapshot. */
  load(state: CompletenessState): void;
}

export function createCompletenessMonitor(options: CompletenessOptions): CompletenessMonitor {
  return new Monitor(options);
}

class Monitor implements CompletenessMonitor {
  readonly #options: CompletenessOptions;
  readonly #tenants = new Map<string, TenantMemory>();
  readonly #partitions = new Map<number, PartitionMemory>();
  readonly #open = new Map<string, OpenFinding>();
  #observedMs: number | null = null;
  /** Wall time since which this process looks without a break. */
  #beganMs: number | null = null;

  constructor(options: CompletenessOptions) {
    this.#options = options;
  }

  observe(snapshot: Snapshot): ReplaceWrite[] {
    const { atMs } = snapshot;
    this.#noteTime(atMs);
    return [
      ...this.#closeForgotten(atMs),
      ...snapshot.tenants.flatMap((tenant) => this.#tenant(tenant, atMs)),
      ...snapshot.partitions.flatMap((partition) => this.#partition(partition, atMs)),
    ];
  }

  save(): CompletenessState {
    return structuredClone({
      observedMs: this.#observedMs,
      tenants: [...this.#tenants.values()],
      partitions: [...this.#partitions.values()],
      open: [...this.#open.values()],
    });
  }

  load(state: CompletenessState): void {
    const { observedMs, tenants, partitions, open } = structuredClone(state);
    this.#observedMs = observedMs;
    for (const memory of tenants) {
      if (this.#options.tenants.includes(memory.tenant)) this.#tenants.set(memory.tenant, memory);
    }
    for (const memory of partitions) this.#partitions.set(memory.partition, memory);
    for (const finding of open) this.#open.set(keyOf(finding.code, finding.subject), finding);
  }

  #noteTime(atMs: number): void {
    const awayMs = this.#observedMs === null ? 0 : atMs - this.#observedMs;
    this.#observedMs = atMs;
    this.#beganMs ??= atMs;
    if (awayMs <= AWAY_MS) return;
    this.#beganMs = atMs;
    for (const memory of this.#tenants.values()) {
      memory.quietSinceMs += awayMs;
      if (memory.laggingSinceMs !== null) memory.laggingSinceMs += awayMs;
    }
    for (const memory of this.#partitions.values()) {
      memory.movedAtMs += awayMs;
      if (memory.aheadSinceMs !== null) memory.aheadSinceMs += awayMs;
    }
  }

  #tenant(snapshot: TenantSnapshot, atMs: number): ReplaceWrite[] {
    const { tenant } = snapshot;
    const memory = this.#tenants.get(tenant) ?? {
      tenant,
      lastRowAtMs: null,
      quietSinceMs: atMs,
      pauses: [],
      laggingSinceMs: null,
    };
    this.#tenants.set(tenant, memory);
    const beganMs = this.#beganMs ?? atMs;
    return [
      ...this.#apply(
        'silent_source',
        tenant,
        tenant,
        silentSource(memory, snapshot, atMs, this.#options.settings),
        atMs,
      ),
      ...this.#apply('lagging_watermark', tenant, tenant, laggingWatermark(memory, snapshot, atMs), atMs),
      ...this.#apply('dead_letters_growing', tenant, tenant, deadLettersGrowing(snapshot, atMs - beganMs), atMs),
    ];
  }

  #partition(snapshot: PartitionSnapshot, atMs: number): ReplaceWrite[] {
    const { partition, committedOffset, committedMovedAtMs } = snapshot;
    const memory = this.#partitions.get(partition) ?? {
      partition,
      committedOffset,
      movedAtMs: Math.min(committedMovedAtMs, atMs),
      aheadSinceMs: null,
    };
    this.#partitions.set(partition, memory);
    return this.#apply('detector_stopped', String(partition), null, detectorStopped(memory, snapshot, atMs), atMs);
  }

  #apply(code: CompletenessCode, name: string, tenant: string | null, verdict: Verdict, atMs: number): ReplaceWrite[] {
    const subject = `${this.#options.pipeline}/${name}`;
    const key = keyOf(code, subject);
    if (verdict === null || (verdict.state === 'open') === this.#open.has(key)) return [];
    if (verdict.state === 'open') this.#open.set(key, { code, subject, tenant });
    else this.#open.delete(key);
    return [findingWrite({ code, subject, tenant, ...verdict }, atMs)];
  }

  /** A tenant that was taken out of the pipeline would leave its findings open for ever. */
  #closeForgotten(atMs: number): ReplaceWrite[] {
    const { tenants, pipeline } = this.#options;
    const forgotten = [...this.#open].filter(([, { tenant }]) => tenant !== null && !tenants.includes(tenant));
    return forgotten.map(([key, finding]) => {
      this.#open.delete(key);
      const message = `The tenant ${finding.tenant} is no longer part of the pipeline ${pipeline}.`;
      return findingWrite({ ...finding, state: 'closed', message }, atMs);
    });
  }
}

function keyOf(code: CompletenessCode, subject: string): string {
  return JSON.stringify([code, subject]);
}

/**
 * The checks on completeness, one by one: what is looked at, when it is wrong and when it is right again.
 * Between the two bounds of a check its finding stays as it is, so that nothing flickers at an edge.
 */

import { DAY_MS, dayOf, formatTime, HOUR_MS, MINUTE_MS } from '../../core/calendar.ts';

export const CODES = ['silent_source', 'lagging_watermark', 'dead_letters_growing', 'detector_stopped'] as const;
export type CompletenessCode = (typeof CODES)[number];

export interface CompletenessSettings {
  /** Without a row of a tenant for so long its source counts as silent, unless it is used to pauses. */
  silentAfterMs: number;
  /** Instead of it, for some tenants. */
  silentAfterMsOf?: ReadonlyMap<string, number>;
}

export const DEFAULT_COMPLETENESS: CompletenessSettings = { silentAfterMs: 6 * HOUR_MS };

/** One look at the tenants and partitions that a worker has. */
export interface Snapshot {
  /** Wall time, milliseconds. */
  atMs: number;
  tenants: readonly TenantSnapshot[];
  partitions: readonly PartitionSnapshot[];
}

export interface TenantSnapshot {
  tenant: string;
  /** Wall time at which the last row came, replayed ones aside; null where none has come to this process. */
  lastRowAtMs: number | null;
  /** Latest event time; null or negative infinity without one. */
  watermarkMs: number | null;
  /** Rows of the last hour of wall time, dead letters included. */
  rowsLastHour: number;
  deadLettersLastHour: number;
}

export interface PartitionSnapshot {
  partition: number;
  /** Entries that nobody has taken in. */
  lagEntries: number;
  /** Wall time at which the committed offset was last seen to move. */
  committedMovedAtMs: number;
  endOffset: number;
  /** Next entry that the group will read; negative where nothing was committed. */
  committedOffset: number;
}

/** What a check says; null leaves the finding as it is. */
export type Verdict = { state: 'open' | 'closed'; message: string } | null;

/** A source is never allowed a longer silence than this, whatever it is used to: one outage must not hide the next. */
const LONGEST_SILENCE_MS = 4 * DAY_MS;
const PAUSES_ALLOWED = 3;
/** Today and the seven days before: a quiet weekend is remembered at the next one. */
const PAUSE_DAYS = 8;

const LAG_MS = DAY_MS;
const LAG_GONE_MS = 23 * HOUR_MS;
/** The first rows after a pause find the watermark of the last ones; it has to stay behind while rows come. */
const LAG_FOR_MS = 30 * MINUTE_MS;

const STOPPED_AFTER_MS = 5 * MINUTE_MS;

const DEAD_LETTERS = 20;
const DEAD_SHARE = 0.05;
/** At half of either bound the growth is over. */
const OVER = 0.5;

/** What is remembered of a tenant. Plain JSON; times shift where nobody was looking. */
export interface TenantMemory {
  tenant: string;
  lastRowAtMs: number | null;
  quietSinceMs: number;
  /** Longest pauses by the UTC day on which they ended. */
  pauses: { day: number; longestMs: number }[];
  /** Since when rows come while the watermark lags. */
  laggingSinceMs: number | null;
}

/** What is remembered of a partition. Plain JSON; times shift where nobody was looking. */
export interface PartitionMemory {
  partition: number;
  committedOffset: number;
  movedAtMs: number;
  /** Since when entries wait; null where all are taken in. */
  aheadSinceMs: number | null;
}

export function silentSource(
  memory: TenantMemory,
  { tenant, lastRowAtMs }: TenantSnapshot,
  atMs: number,
  settings: CompletenessSettings,
): Verdict {
  const silentAfterMs = settings.silentAfterMsOf?.get(tenant) ?? settings.silentAfterMs;
  if (lastRowAtMs !== null && lastRowAtMs > (memory.lastRowAtMs ?? Number.NEGATIVE_INFINITY)) {
    // Before its first row a source was not there, rather than silent.
    const pauseMs = memory.lastRowAtMs === null ? 0 : lastRowAtMs - memory.quietSinceMs;
    rememberPause(memory, lastRowAtMs, pauseMs);
    memory.lastRowAtMs = lastRowAtMs;
    memory.quietSinceMs = lastRowAtMs;
  }
  const longestMs = Math.max(0, ...memory.pauses.map((pause) => pause.longestMs));
  const allowedMs = Math.max(silentAfterMs, Math.min(longestMs * PAUSES_ALLOWED, LONGEST_SILENCE_MS));
  const silentMs = atMs - memory.quietSinceMs;
  if (silentMs <= allowedMs) {
    return {
      state: 'closed',
      message: `Rows of the tenant ${tenant} come again, since ${formatTime(memory.quietSinceMs)}.`,
    };
  }
  const last = memory.lastRowAtMs === null ? 'yet' : `since ${formatTime(memory.lastRowAtMs)}`;
  const usual = memory.pauses.length === 0 ? '' : `; its longest pause of the last week was ${spanOf(longestMs)}`;
  const message =
    `No row of the tenant ${tenant} has come ${last}, for ${spanOf(silentMs)}${usual}. Nothing is detected for it meanwhile. Check what exports its message traces, and that the ` +
    'files reach the folder or the stream that is read.';
  return { state: 'open', message };
}

function rememberPause(memory: TenantMemory, endMs: number, pauseMs: number): void {
  const day = dayOf(endMs);
  memory.pauses = memory.pauses.filter((pause) => pause.day > day - PAUSE_DAYS);
  const today = memory.pauses.find((pause) => pause.day === day);
  if (today === undefined) memory.pauses.push({ day, longestMs: pauseMs });
  else today.longestMs = Math.max(today.longestMs, pauseMs);
}

export function laggingWatermark(memory: TenantMemory, snapshot: TenantSnapshot, atMs: number): Verdict {
  const { tenant, watermarkMs, rowsLastHour } = snapshot;
  if (watermarkMs === null || !Number.isFinite(watermarkMs)) return null;
  const lagMs = atMs - watermarkMs;
  if (lagMs <= LAG_GONE_MS) {
    memory.laggingSinceMs = null;
    return { state: 'closed', message: `The rows of the tenant ${tenant} are of the last ${spanOf(LAG_MS)} again.` };
  }
  // Without rows it is the source that is silent.
  if (lagMs <= LAG_MS || rowsLastHour === 0) {
    memory.laggingSinceMs = null;
    return null;
  }
  memory.laggingSinceMs ??= atMs;
  if (atMs - memory.laggingSinceMs < LAG_FOR_MS) return null;
  const message =
    `Rows of the tenant ${tenant} arrive, but the latest is of ${formatTime(watermarkMs)}, ${spanOf(lagMs)} ago: ` +
    'incidents are found that much later. Check that the exports cover the last hours and that their times are UTC; ' +
    'while old exports are read this passes by itself.';
  return { state: 'open', message };
}

/** `observedForMs` is how long this process has counted: a part of an hour is no reason to close. */
export function deadLettersGrowing(snapshot: TenantSnapshot, observedForMs: number): Verdict {
  const { tenant, rowsLastHour, deadLettersLastHour } = snapshot;
  if (deadLettersLastHour >= DEAD_LETTERS && deadLettersLastHour > rowsLastHour * DEAD_SHARE) {
    const message =
      `${deadLettersLastHour} of the ${rowsLastHour} rows of the tenant ${tenant} in the last hour could not be used. ` +
      'Look at its dead letters: most share one code, and the reason says what is wrong with the export.';
    return { state: 'open', message };
  }
  const isOver = deadLettersLastHour < DEAD_LETTERS * OVER || deadLettersLastHour <= rowsLastHour * DEAD_SHARE * OVER;
  if (!isOver || observedForMs < HOUR_MS) return null;
  return { state: 'closed', message: `The rows of the tenant ${tenant} can be used again.` };
}

export function detectorStopped(memory: PartitionMemory, snapshot: PartitionSnapshot, atMs: number): Verdict {
  const { partition, lagEntries, endOffset, committedOffset } = snapshot;
  const hasMoved = committedOffset !== memory.committedOffset;
  if (hasMoved) {
    memory.committedOffset = committedOffset;
    memory.movedAtMs = Math.min(atMs, Math.max(memory.movedAtMs, snapshot.committedMovedAtMs));
  }
  if (endOffset <= Math.max(0, committedOffset)) {
    memory.aheadSinceMs = null;
    return { state: 'closed', message: `Partition ${partition} is taken in up to its end again.` };
  }
  memory.aheadSinceMs ??= atMs;
  const stoppedMs = atMs - Math.max(memory.movedAtMs, memory.aheadSinceMs);
  if (stoppedMs > STOPPED_AFTER_MS) {
    const message =
      `The detector of partition ${partition} has stood still at ${committedOffset} for ${spanOf(stoppedMs)}, and ` +
      `${lagEntries} entries wait. Look at the log and /healthz of the detect workers: none may be running, or the ` +
      'store is away. relaywatch doctor checks the servers.';
    return { state: 'open', message };
  }
  return hasMoved ? { state: 'closed', message: `The detector of partition ${partition} goes on.` } : null;
}

/** A time span for a person: minutes, hours or days. */
function spanOf(ms: number): string {
  if (ms < 2 * HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} minutes`;
  return ms < 2 * DAY_MS ? `${Math.floor(ms / HOUR_MS)} hours` : `${Math.floor(ms / DAY_MS)} days`;
}

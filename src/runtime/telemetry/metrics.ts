/**
 * Every metric of a worker, a sentence each. Labels are keys of the pipeline's tenants, numbers of partitions
 * and names of closed lists, never an address, subject or domain; what is not on a list counts as `other`.
 */

import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import { traceFormats } from '../../config/registry.ts';
import { DEAD_LETTER_CODES } from '../../core/outcome.ts';

export const ROW_OUTCOMES = [
  'read',
  'sent',
  'accepted',
  'duplicate',
  'updated',
  'folded',
  'dropped',
  'dead_lettered',
] as const;
export type RowOutcome = (typeof ROW_OUTCOMES)[number];

export const FILE_OUTCOMES = ['complete', 'growing', 'known', 'refused', 'failed'] as const;
export type FileOutcome = (typeof FILE_OUTCOMES)[number];

/** `accepted`: the store has it, written now or before. */
export const BULK_RESULTS = ['accepted', 'refused'] as const;
export type BulkResult = (typeof BULK_RESULTS)[number];

export const JOB_KINDS = ['ingest', 'rescan'] as const;
export const JOB_OUTCOMES = ['queued', 'known', 'done', 'failed', 'refused', 'stopped'] as const;
export type JobOutcome = (typeof JOB_OUTCOMES)[number];

/** Parts of a worker and servers around it, where trouble is counted. */
export const COMPONENTS = [
  'detector',
  'ingest',
  'jobs',
  'folder',
  'archive',
  'state',
  'kafka',
  'elasticsearch',
  'redis',
  'completeness',
] as const;

/** More partitions than any topic of ours has. */
const PARTITIONS = 1_024;
/**
 * Sampling at 10 ms, which is usual, wakes an idle worker a hundred times a second and takes half a percent of
 * a core. The delays reported include this time.
 */
const EVENT_LOOP_SAMPLE_MS = 100;

export interface Metrics {
  rowsIngested(format: string, outcome: RowOutcome, count: number): void;
  filesIngested(outcome: FileOutcome): void;
  deadLetters(code: string, count: number): void;
  bulkItems(result: BulkResult, count: number): void;
  checkpointSaved(partition: number): void;
  consumerLag(partition: number, entries: number): void;
  /** Latest event time of a tenant, milliseconds; negative infinity where there is none. */
  watermark(tenant: string, timeMs: number): void;
  openPairs(tenant: string, count: number): void;
  openIncidents(tenant: string, count: number): void;
  jobs(kind: string, outcome: JobOutcome): void;
  trouble(component: string): void;
  /** Ends the values of partitions and tenants that another worker has now, which would stay for ever. */
  keepOnly(partitions: readonly number[], tenants: readonly string[]): void;
}

export interface MetricsOptions {
  tenants: readonly string[];
  /** Wall time in milliseconds. */
  now: () => number;
}

export function createMetrics(registry: Registry, { tenants, now }: MetricsOptions): Metrics {
  const registers = [registry];
  const tenantName = oneOf(tenants);
  const formatName = oneOf(traceFormats.map(({ id }) => id));
  const codeName = oneOf(DEAD_LETTER_CODES);
  const componentName = oneOf(COMPONENTS);
  const kindName = oneOf(JOB_KINDS);

  const rows = new Counter({
    name: 'relaywatch_rows_total',
    help: 'Rows of exports by format and what became of them. Stands still: no exports arrive.',
    labelNames: ['format', 'outcome'],
    registers,
  });
  const files = new Counter({
    name: 'relaywatch_files_total',
    help: 'Export files by what became of them. Refused ones grow: the format of the exports has changed.',
    labelNames: ['outcome'],
    registers,
  });
  const letters = new Counter({
    name: 'relaywatch_dead_letters_total',
    help: 'Rows and log entries that could not be used, by code. Grows: look at the dead letters of that code.',
    labelNames: ['code'],
    registers,
  });
  const bulk = new Counter({
    name: 'relaywatch_bulk_items_total',
    help: 'Documents handed to the output store by result. Refused ones grow: run setup, the templates are not ours.',
    labelNames: ['result'],
    registers,
  });
  const jobs = new Counter({
    name: 'relaywatch_jobs_total',
    help: 'Jobs by kind and outcome. Failed ones grow: the log says why.',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const troubles = new Counter({
    name: 'relaywatch_troubles_total',
    help: 'Times that a part of the worker had to wait or begin again. Grows: that server is busy or away.',
    labelNames: ['component'],
    registers,
  });
  const lag = gaugeOf(
    'relaywatch_consumer_lag_entries',
    'Entries of a partition that are not taken in yet. Grows: add detector workers, or the store is slow.',
    'partition',
  );
  const pairs = gaugeOf(
    'relaywatch_open_pairs',
    'Pairs of message and recipient of open days in memory. Grows: days are not sealed, files are held.',
    'tenant',
  );
  const incidents = gaugeOf('relaywatch_incidents_open', 'Incidents of a tenant that are open now.', 'tenant');
  const ageSeconds = (timeMs: number) => Math.max(0, now() - timeMs) / 1000;
  const checkpoints = gaugeOf(
    'relaywatch_checkpoint_age_seconds',
    'Time since the last checkpoint of a partition. Grows while rows arrive: the store or the state is away.',
    'partition',
    ageSeconds,
  );
  const watermarks = gaugeOf(
    'relaywatch_watermark_lag_seconds',
    'Time from the latest event of a tenant to the present. Grows: exports come late or have stopped.',
    'tenant',
    ageSeconds,
  );

  return {
    rowsIngested: (format, outcome, count) => rows.inc({ format: formatName(format), outcome }, count),
    filesIngested: (outcome) => files.inc({ outcome }),
    deadLetters: (code, count) => letters.inc({ code: codeName(code) }, count),
    bulkItems: (result, count) => bulk.inc({ result }, count),
    checkpointSaved: (partition) => checkpoints.set(partitionName(partition), now()),
    consumerLag: (partition, entries) => lag.set(partitionName(partition), entries),
    watermark(tenant, timeMs) {
      if (Number.isFinite(timeMs)) watermarks.set(tenantName(tenant), timeMs);
    },
    openPairs: (tenant, count) => pairs.set(tenantName(tenant), count),
    openIncidents: (tenant, count) => incidents.set(tenantName(tenant), count),
    jobs: (kind, outcome) => jobs.inc({ kind: kindName(kind), outcome }),
    trouble: (component) => troubles.inc({ component: componentName(component) }),
    keepOnly(partitions, tenantsHeld) {
      for (const gauge of [lag, checkpoints]) keepKeys(gauge, partitions.map(partitionName));
      for (const gauge of [pairs, incidents, watermarks]) keepKeys(gauge, tenantsHeld.map(tenantName));
    },
  };

  /** A gauge with one label, whose values are worked out when it is read. */
  function gaugeOf(name: string, help: string, label: 'partition' | 'tenant', show = (value: number) => value) {
    const values = new Map<string, number>();
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [key, value] of values) this.set({ [label]: key }, show(value));
      },
    });
    return values;
  }
}

/** Figures of the process itself: CPU, memory, event loop. They sample until the process ends. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
}

function keepKeys(values: Map<string, number>, kept: readonly string[]): void {
  for (const key of values.keys()) if (!kept.includes(key)) values.delete(key);
}

function oneOf(names: readonly string[]): (name: string) => string {
  const known = new Set(names);
  return (name) => (known.has(name) ? name : 'other');
}

function partitionName(partition: number): string {
  return Number.isInteger(partition) && partition >= 0 && partition < PARTITIONS ? String(partition) : 'other';
}

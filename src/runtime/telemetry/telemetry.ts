/** What a worker says of itself: its log, its metrics, and whether it lives and is ready. */

import { Registry } from 'prom-client';
import type { DetectObserver } from '../detect/detect-worker.ts';
import { Health } from './health.ts';
import { createLog, type Log, type LogStream, safeText } from './log.ts';
import { collectProcessMetrics, createMetrics, type Metrics } from './metrics.ts';
import { type Answers, startTelemetryServer, type TelemetryServer } from './server.ts';

/** What the detector's progress is watched under, where it is watched. */
export const DETECTOR = 'detector';

export interface TelemetryOptions {
  pipeline: string;
  role: string;
  /** Of the program, for the log. */
  version?: string;
  /** Keys of the pipeline's tenants: the only ones that become labels. */
  tenants: readonly string[];
  /** Where health and metrics are served; null for nowhere. Port 0 takes a free one. */
  host: string | null;
  port: number | null;
  logStream: LogStream;
  /** Wall time in milliseconds. */
  now: () => number;
}

export interface Telemetry {
  log: Log;
  observer: DetectObserver;
  metrics: Metrics;
  /** A part of the worker, or a server that it needs, answers or does not. */
  ready(component: string, isReady: boolean, detail: string): void;
  progress(component: string): void;
  /** Without progress of the component for so long the worker counts as dead. */
  watch(component: string, stalledAfterMs: number): void;
  /** Serves health and metrics. Null where nothing is to be served. */
  start(): Promise<{ port: number } | null>;
  close(): Promise<void>;
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { host, port, now } = options;
  const log = createLog({ ...options, stream: options.logStream });
  const registry = new Registry();
  const metrics = createMetrics(registry, options);
  const health = new Health(now);
  let server: TelemetryServer | null = null;
  return {
    log,
    metrics,
    observer: observerOf(log, metrics, health),
    ready(component, isReady, detail) {
      if (!health.ready(component, isReady, detail)) return;
      const fields = { action: isReady ? 'component_ready' : 'component_not_ready', component };
      if (isReady) log.info(detail, fields);
      else log.warn(detail, fields);
    },
    progress: (component) => health.progress(component),
    watch: (component, stalledAfterMs) => health.watch(component, stalledAfterMs),
    async start() {
      if (host === null || port === null) return null;
      server = await startTelemetryServer(host, port, answersOf(health, registry));
      collectProcessMetrics(registry);
      return { port: server.port };
    },
    async close() {
      await server?.close();
      server = null;
    },
  };
}

function answersOf(health: Health, registry: Registry): Answers {
  return {
    '/healthz': () => {
      const stalled = health.stalled();
      return json(stalled.length === 0, { status: stalled.length === 0 ? 'ok' : 'stalled', stalled });
    },
    '/readyz': () => {
      const components = health.components().map((component) => ({ ...component, detail: safeText(component.detail) }));
      return json(health.isReady, { status: health.isReady ? 'ready' : 'not_ready', components });
    },
    '/metrics': async () => ({ status: 200, contentType: registry.contentType, body: await registry.metrics() }),
  };
}

function json(isGood: boolean, value: unknown) {
  return { status: isGood ? 200 : 503, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function observerOf(log: Log, metrics: Metrics, health: Health): DetectObserver {
  return {
    delivered(partition, writes, refused) {
      health.progress(DETECTOR);
      metrics.bulkItems('accepted', writes.length - refused);
      metrics.bulkItems('refused', refused);
      for (const write of writes) {
        if (write.kind === 'dead_letter') metrics.deadLetters(codeOf(write.document), 1);
        if (write.kind === 'alert') logAlert(log, write.document);
      }
      if (refused === 0) return;
      log.error('The store refused documents: run setup, its templates are not those of this version', {
        action: 'documents_refused',
        component: DETECTOR,
        partition,
        count: refused,
      });
    },
    checkpointed(partition) {
      health.progress(DETECTOR);
      metrics.checkpointSaved(partition);
    },
    behind(partition, entries) {
      health.progress(DETECTOR);
      metrics.consumerLag(partition, entries);
    },
    alive: () => health.progress(DETECTOR),
  };
}

/** What became of an incident, without who and whom: those are in the incident. Growth is no news. */
function logAlert(log: Log, document: Record<string, unknown>): void {
  const { event, relaywatch } = document as {
    event?: { id?: string };
    relaywatch: { alert?: { kind?: string }; incident?: { family?: string; type?: string } };
  };
  const kind = relaywatch.alert?.kind;
  if (kind === undefined || kind === 'escalated') return;
  const { family, type } = relaywatch.incident ?? {};
  log.info(`Incident ${event?.id} (${family}: ${type}) was ${kind}`, {
    action: `incident_${kind}`,
    component: DETECTOR,
  });
}

function codeOf(document: Record<string, unknown>): string {
  const { dead_letter: letter } = document.relaywatch as { dead_letter?: { code?: string } };
  return letter?.code ?? '';
}

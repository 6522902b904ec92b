import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppendWrite } from '../../../src/core/delivery.ts';
import { createTelemetry, DETECTOR, type Telemetry } from '../../../src/runtime/telemetry/telemetry.ts';

let telemetry: Telemetry;
let port: number;
let nowMs = Date.UTC(2026, 6, 1);
const texts: string[] = [];

beforeEach(async () => {
  texts.length = 0;
  telemetry = telemetryAt(0);
  port = (await telemetry.start())!.port;
});

afterEach(() => telemetry.close());

function telemetryAt(at: number | null): Telemetry {
  return createTelemetry({
    pipeline: 'test',
    role: 'detect',
    tenants: ['contoso', 'fabrikam'],
    host: at === null ? null : '127.0.0.1',
    port: at,
    logStream: { write: (text: string) => texts.push(text) },
    now: () => nowMs,
  });
}

async function get(path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, body: await response.text() };
}

/** Samples of our own metrics, by name and labels. */
async function samples(): Promise<Record<string, number>> {
  const { body } = await get('/metrics');
  const lines = body.split('\n').filter((line) => line.startsWith('relaywatch_'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

function letter(code: string): AppendWrite {
  const document = { '@timestamp': '2026-07-01T00:00:00.000Z', relaywatch: { dead_letter: { code } } };
  return { kind: 'dead_letter', id: code, document };
}

describe('health', () => {
  it('is good as long as every watched part makes progress', async () => {
    expect(await get('/healthz')).toEqual({ status: 200, body: '{"status":"ok","stalled":[]}\n' });
    telemetry.watch('kafka', 30_000);
    telemetry.watch('queue', 60_000);
    telemetry.progress('somebody');
    nowMs += 30_000;
    expect((await get('/healthz')).status).toBe(200);
    nowMs += 1;
    const { status, body } = await get('/healthz');
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({
      status: 'stalled',
      stalled: [{ component: 'kafka', idleMs: 30_001, stalledAfterMs: 30_000 }],
    });
    telemetry.progress('kafka');
    expect((await get('/healthz')).status).toBe(200);
  });

  it('counts what the detector does as its progress', async () => {
    telemetry.watch(DETECTOR, 1_000);
    for (const step of [
      () => telemetry.observer.behind(0, 5),
      () => telemetry.observer.checkpointed(0, 7, 0),
      () => telemetry.observer.delivered(0, [], 0),
      () => telemetry.observer.alive(0),
    ]) {
      nowMs += 900;
      step();
      expect((await get('/healthz')).status).toBe(200);
    }
    nowMs += 1_001;
    expect((await get('/healthz')).status).toBe(503);
  });
});

describe('readiness', () => {
  it('is there when something has said so, and nothing says otherwise', async () => {
    expect((await get('/readyz')).status).toBe(503);
    telemetry.ready('kafka', true, 'Kafka answers');
    expect((await get('/readyz')).status).toBe(200);
    telemetry.ready('elasticsearch', false, 'https://elastic:secret@search:9200 is away');
    const { status, body } = await get('/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({
      status: 'not_ready',
      components: [
        { component: 'kafka', isReady: true, detail: 'Kafka answers' },
        { component: 'elasticsearch', isReady: false, detail: 'https://search:9200 is away' },
      ],
    });
    telemetry.ready('elasticsearch', true, 'Elasticsearch answers');
    expect((await get('/readyz')).status).toBe(200);
  });

  it('is logged when it changes', () => {
    for (const isReady of [true, true, false, false, true]) telemetry.ready('kafka', isReady, 'said');
    expect(texts.map((text) => JSON.parse(text)['event.action'])).toEqual([
      'component_ready',
      'component_not_ready',
      'component_ready',
    ]);
  });
});

describe('metrics', () => {
  it('have names with units, and closed labels', async () => {
    const { metrics, observer } = telemetry;
    metrics.rowsIngested('message-trace', 'sent', 500);
    metrics.rowsIngested('bob@contoso.com', 'sent', 2);
    metrics.filesIngested('complete');
    metrics.consumerLag(3, 12);
    metrics.consumerLag(70_000, 1);
    metrics.watermark('contoso', nowMs - 90_000);
    metrics.watermark('fabrikam', Number.NEGATIVE_INFINITY);
    metrics.openPairs('contoso', 1_000);
    metrics.openPairs('evil.example', 3);
    metrics.openIncidents('fabrikam', 2);
    metrics.jobs('ingest', 'done');
    metrics.jobs('mischief', 'done');
    metrics.trouble('elasticsearch');
    metrics.trouble('10.1.1.4');
    observer.delivered(3, [letter('bad_time'), letter('bad_time'), letter('nonsense')], 1);
    observer.checkpointed(3, 8, 0);
    nowMs += 5_000;
    expect(await samples()).toEqual({
      'relaywatch_rows_total{format="message-trace",outcome="sent"}': 500,
      'relaywatch_rows_total{format="other",outcome="sent"}': 2,
      'relaywatch_files_total{outcome="complete"}': 1,
      'relaywatch_consumer_lag_entries{partition="3"}': 12,
      'relaywatch_consumer_lag_entries{partition="other"}': 1,
      'relaywatch_watermark_lag_seconds{tenant="contoso"}': 95,
      'relaywatch_open_pairs{tenant="contoso"}': 1_000,
      'relaywatch_open_pairs{tenant="other"}': 3,
      'relaywatch_incidents_open{tenant="fabrikam"}': 2,
      'relaywatch_jobs_total{kind="ingest",outcome="done"}': 1,
      'relaywatch_jobs_total{kind="other",outcome="done"}': 1,
      'relaywatch_troubles_total{component="elasticsearch"}': 1,
      'relaywatch_troubles_total{component="other"}': 1,
      'relaywatch_dead_letters_total{code="bad_time"}': 2,
      'relaywatch_dead_letters_total{code="other"}': 1,
      'relaywatch_bulk_items_total{result="accepted"}': 2,
      'relaywatch_bulk_items_total{result="refused"}': 1,
      'relaywatch_checkpoint_age_seconds{partition="3"}': 5,
    });
  });

  it('forget partitions and tenants that are elsewhere now', async () => {
    const { metrics } = telemetry;
    for (const partition of [0, 1]) {
      metrics.consumerLag(partition, 5);
      metrics.checkpointSaved(partition);
    }
    for (const tenant of ['contoso', 'fabrikam']) {
      metrics.watermark(tenant, nowMs);
      metrics.openPairs(tenant, 5);
      metrics.openIncidents(tenant, 5);
    }
    metrics.keepOnly([1], ['fabrikam']);
    const names = Object.keys(await samples());
    expect(names).toHaveLength(5);
    expect(names.filter((name) => /"(?:0|contoso)"/.test(name))).toEqual([]);
  });

  it('come with those of the process', async () => {
    const { body } = await get('/metrics');
    expect(body).toContain('process_cpu_seconds_total');
    expect(body).toContain('process_resident_memory_bytes');
  });
});

describe('the server of health and metrics', () => {
  it('answers GET and HEAD of three paths alone', async () => {
    expect((await get('/')).status).toBe(404);
    expect((await get('/metrics/../healthz?x')).status).toBe(200);
    expect((await get('/__proto__')).status).toBe(404);
    expect((await get('/constructor')).status).toBe(404);
    const head = await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await fetch(`http://127.0.0.1:${port}/metrics`, { method })).status).toBe(404);
    }
  });

  it('reads no body, and ends the connection', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request({ port, host: '127.0.0.1', path: '/metrics', method: 'POST' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      // Announced, and never sent whole.
      sent.setHeader('content-length', 1_000_000_000);
      sent.write('x');
    });
    expect(status).toBe(404);
  });

  it('ends a request whose headers do not come', async () => {
    const startMs = performance.now();
    await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('GET /metrics HTTP/1.1\r\nx: '));
      socket.on('close', resolve).on('error', resolve).resume();
    });
    expect(performance.now() - startMs).toBeLessThan(10_000);
  }, 15_000);

  it('says where it cannot listen', async () => {
    const another = telemetryAt(port);
    await expect(another.start()).rejects.toMatchObject({
      code: 'telemetry_address',
      message: `health and metrics cannot be served on 127.0.0.1, port ${port}: EADDRINUSE`,
    });
    await another.close();
  });

  it('is not there where nothing is to be served', async () => {
    const another = telemetryAt(null);
    expect(await another.start()).toBeNull();
    another.log.info('goes on');
    await another.close();
    expect(texts).toHaveLength(1);
  });
});

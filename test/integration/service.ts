/** The whole service on real engines: pipelines in a folder, workers as processes, tenants with an attack. */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@elastic/elasticsearch';
import { openClient } from '../../src/adapters/elasticsearch/client.ts';
import { type ElasticsearchSettings, type StoreNames, storeNames } from '../../src/adapters/elasticsearch/settings.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import type { RowCounts } from '../../src/core/ledger.ts';
import { scan } from '../../src/runtime/scan.ts';
import { documentsIn, settingsFor } from '../adapters/elasticsearch/access.ts';
import { type Outcome, ROOT, run } from '../e2e/command.ts';
import type { Elasticsearch } from '../engines/elasticsearch.ts';
import { type Observation, type Shape, type SmallTenant, smallTenant, writePlain } from '../property/tenants.ts';

export interface ServiceEngines {
  kafka: { brokers: string[] };
  elasticsearch: Elasticsearch;
  redis: { url: string };
}

export interface ServiceTenant {
  key: string;
  tenant: SmallTenant;
  /** Folders of exports in order of time. */
  parts: string[];
  expected: IncidentDocument[];
  accepted: number;
  /** Distinct rows that cannot be used, as often as they stand in the exports. */
  deadLetters: number;
}

/** A document as it is stored, with its id. */
export interface Stored {
  id: string;
  source: Record<string, unknown>;
}

interface LedgerLine {
  rows: RowCounts;
  is_complete: boolean;
}

const SHAPES: readonly Shape[] = ['trace-v2', 'ndjson', 'summary'];
/** The year 2100. */
const FUTURE_MS = Date.UTC(2100, 0, 1);
const LATE_MS = 150_000;
const ATTACKS = ['relay', 'rotation', 'batches'] as const;

export class Service {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-service-'));
  readonly client: Client;
  /** Also the namespace, the group and the prefix. */
  readonly topic = `t${randomBytes(5).toString('hex')}`;
  readonly elasticsearch: ElasticsearchSettings;
  readonly kafka: KafkaSettings;
  readonly #names: ReturnType<typeof storeNames>;
  readonly #workers = new Set<ChildProcess>();
  readonly #environment: NodeJS.ProcessEnv;

  constructor(engines: ServiceEngines, keys: readonly string[]) {
    const name = this.topic;
    const settings = settingsFor(engines.elasticsearch, { namespace: name });
    this.elasticsearch = settings;
    this.kafka = {
      brokers: engines.kafka.brokers,
      clientId: 'relaywatch-test',
      topic: name,
      group: name,
      tls: null,
      sasl: null,
      allowPlaintext: false,
      sessionTimeoutMs: 6_000,
      maxWaitTimeMs: 200,
    };
    this.client = openClient(settings);
    process.once('exit', this.#endWorkers);
    this.#names = storeNames(name);
    const { auth, ca } = settings;
    this.#environment = { TEST_PASSWORD: auth !== null && 'password' in auth ? auth.password : '' };
    if (ca !== null) writeFileSync(path.join(this.folder, 'ca.crt'), ca);
    const user =
      auth !== null && 'username' in auth ? `username: ${auth.username}, password: "\${TEST_PASSWORD}", ` : '';
    const common = `tenants: [${keys.map((key) => `{ key: ${key}, accepted_domains: ${key}.txt }`).join(', ')}]
log:
  kafka:
    brokers: [${engines.kafka.brokers.map((broker) => `"${broker}"`).join(', ')}]
    topic: ${name}
    group: ${name}
    session_timeout_ms: 6000
    max_wait_ms: 200
outputs:
  elasticsearch: { nodes: ["${settings.node[0]}"], ${user}${ca === null ? '' : 'ca_file: ca.crt, '}namespace: ${name} }
jobs:
  redis: { url: "${engines.redis.url}", prefix: ${name} }
`;
    for (const key of keys) writeFileSync(path.join(this.folder, `${key}.txt`), 'replaced.example\n');
    writeFileSync(
      path.join(this.folder, 'detect.yaml'),
      `name: detect\nrole: detect\n${common}state: { redis: { url: "${engines.redis.url}", prefix: ${name} } }\n`,
    );
    writeFileSync(
      path.join(this.folder, 'jobs.yaml'),
      `name: jobs\nrole: jobs\n${common}  spool: { path: spool }\narchive: { path: archive }\n`,
    );
  }

  /** Writes the exports of a generated tenant, one folder for each stretch of time, and scans them. */
  tenant(key: string, index: number, seed: string, cuts: readonly number[]): Promise<ServiceTenant> {
    const bounds = [0, ...cuts, 1];
    return this.tenantOf(
      key,
      index,
      seed,
      bounds.slice(1).map((end, part) => [bounds[part], end]),
    );
  }

  /** As `tenant`, with a folder for each of these stretches of its rows, shares from 0 to 1, which may overlap. */
  async tenantOf(
    key: string,
    index: number,
    seed: string,
    stretches: readonly (readonly [from: number, to: number])[],
  ): Promise<ServiceTenant> {
    const kind = { name: key, shapes: [SHAPES[index]], listed: true, attack: ATTACKS[index] };
    const tenant = smallTenant(kind, seed);
    const settings = { ...tenant.options.tenant, key };
    const domains = settings.acceptedDomains?.map(({ name }) => name) ?? [];
    writeFileSync(path.join(this.folder, `${key}.txt`), `${domains.join('\n')}\n`);
    const ordered = tenant.observations
      .map(inRealFuture)
      .sort((left, right) => left.message.timeMs - right.message.timeMs);
    const parts = stretches.map(([from, to], part) => {
      const folder = path.join(this.folder, key, `part-${part}`);
      mkdirSync(folder, { recursive: true });
      const observations = ordered.slice(Math.floor(ordered.length * from), Math.floor(ordered.length * to));
      writePlain({ ...tenant, observations }, folder);
      return folder;
    });
    const scanned = await scan({ ...tenant.options, tenant: settings, paths: parts, reader: 'js' });
    const { accepted, dead_lettered: dead } = scanned.ledger.totals.rows;
    const deadLetters = Object.values(dead).reduce((sum, count) => sum + count, 0);
    return { key, tenant, parts, expected: scanned.incidents, accepted, deadLetters };
  }

  relaywatch(...args: string[]): Promise<Outcome> {
    return run(args, { cwd: this.folder, env: this.#environment });
  }

  /** A worker as a process of its own; its log goes to a file in the folder. */
  worker(pipeline: string): ChildProcess {
    const worker = spawn(process.execPath, [path.join(ROOT, 'src/main.ts'), 'run', pipeline], {
      cwd: this.folder,
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    worker.stderr?.setEncoding('utf8').on('data', (text: string) => this.log.push(text));
    worker.on('error', (error) => this.log.push(`${error.message}\n`));
    this.#workers.add(worker);
    worker.on('close', () => this.#workers.delete(worker));
    return worker;
  }

  /** What the workers said. */
  readonly log: string[] = [];

  async incidents(): Promise<(IncidentDocument & { relaywatch: { tenant: string } })[]> {
    return [...(await documentsIn(this.client, this.#names.incident)).values()] as never;
  }

  async alerts(): Promise<Map<string, Record<string, unknown>>> {
    return await documentsIn(this.client, this.#names.alert);
  }

  /** Every copy of every document of a kind. */
  async stored(kind: keyof StoreNames): Promise<Stored[]> {
    const index = this.#names[kind];
    await this.client.indices.refresh({ index, ignore_unavailable: true });
    const { hits } = await this.client.search<Record<string, unknown>>({
      index,
      ignore_unavailable: true,
      size: 10_000,
    });
    return hits.hits.map(({ _id, _source }) => ({ id: _id as string, source: _source as Record<string, unknown> }));
  }

  /** Sums of a tenant's ledger. */
  async ledger(tenant: string): Promise<{ accepted: number; read: number; others: number; complete: number }> {
    const sums = { accepted: 0, read: 0, others: 0, complete: 0 };
    for (const document of (await documentsIn(this.client, this.#names.ledger)).values()) {
      const { ledger, tenant: of } = document.relaywatch as { ledger?: LedgerLine; tenant: string };
      if (of !== tenant || ledger === undefined) continue;
      const { rows } = ledger;
      if (ledger.is_complete) sums.complete++;
      sums.accepted += rows.accepted;
      sums.read += rows.read;
      sums.others += rows.duplicate + rows.updated + rows.folded;
      for (const counts of [rows.dropped, rows.dead_lettered]) {
        for (const count of Object.values(counts)) sums.others += count;
      }
    }
    return sums;
  }

  /** Also when this process ends in the middle of a test. */
  readonly #endWorkers = (): void => {
    for (const worker of this.#workers) worker.kill('SIGKILL');
  };

  async close(): Promise<void> {
    this.#endWorkers();
    process.off('exit', this.#endWorkers);
    await this.client.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Until `condition` holds, or something must have gone wrong: what follows says what. */
export async function untilOrLate(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + LATE_MS; Date.now() < deadline; await sleep(250)) {
    if (await condition()) return;
  }
}

/** Workers judge by the real present what comes from the future; what `scan` is told is far behind it. */
function inRealFuture(observation: Observation): Observation {
  if (observation.deadLetter !== 'future_time') return observation;
  return { ...observation, message: { ...observation.message, timeMs: FUTURE_MS } };
}

/** As `scan` prints it: without what the store and people add. */
export function asScanned(stored: readonly IncidentDocument[]): IncidentDocument[] {
  return stored
    .map(({ relaywatch, event, ...rest }) => {
      const { created: _, ...kept } = event as IncidentDocument['event'] & { created: string };
      return { ...rest, event: kept, relaywatch: { incident: relaywatch.incident } } as IncidentDocument;
    })
    .sort(byTimeAndId);
}

export function byTimeAndId(left: IncidentDocument, right: IncidentDocument): number {
  const [a, b] = [left, right].map((one) => `${one['@timestamp']} ${one.event.id}`);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The service on engines of its own, for benchmarks: pipelines in a folder, workers as processes, what they cost. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@elastic/elasticsearch';
import kafkajs from 'kafkajs';
import { openClient } from '../../src/adapters/elasticsearch/client.ts';
import { type StoreNames, storeNames } from '../../src/adapters/elasticsearch/settings.ts';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import type { EnvelopeSink } from '../../src/core/envelope-log.ts';
import { settingsFor } from '../../test/adapters/elasticsearch/access.ts';
import { type Outcome, ROOT, run } from '../../test/e2e/command.ts';
import { type OwnEngines, startOwnEngines } from '../../test/engines/engines.ts';

const NAME = 'bench';
const WANTED = { kafka: true, elasticsearch: true, redis: true } as const;
/** Of the clock in /proc, as Linux has it on every machine of today. */
const TICKS_PER_SECOND = 100;

export class Stand {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-bench-'));
  readonly engines: OwnEngines<typeof WANTED>;
  readonly client: Client;
  readonly names: StoreNames = storeNames(NAME);
  readonly #close: () => Promise<void>;
  readonly #workers = new Set<ChildProcess>();

  private constructor(engines: OwnEngines<typeof WANTED>, close: () => Promise<void>) {
    this.engines = engines;
    this.#close = close;
    this.client = openClient(settingsFor(engines.elasticsearch, { namespace: NAME }));
  }

  /** Starts the engines, writes the pipelines and sets everything up. */
  static async open(tenants: readonly string[], domains: readonly string[]): Promise<Stand> {
    const { engines, close } = await startOwnEngines(WANTED);
    const stand = new Stand(engines, close);
    const redis = `redis: { url: "${engines.redis.url}", prefix: ${NAME} }`;
    const common = `tenants: [${tenants.map((key) => `{ key: ${key}, accepted_domains: domains.txt }`).join(', ')}]
log:
  kafka: { brokers: ["${engines.kafka.brokers[0]}"], topic: ${NAME}, group: ${NAME} }
outputs:
  elasticsearch: { nodes: ["${engines.elasticsearch.url}"], namespace: ${NAME} }
jobs:
  ${redis}
`;
    stand.#write('domains.txt', `${domains.join('\n')}\n`);
    stand.#write('detect.yaml', `name: detect\nrole: detect\n${common}state: { ${redis} }\n`);
    stand.#write('jobs.yaml', `name: jobs\nrole: jobs\n${common}archive: { path: archive }\n`);
    const { status, stderr } = await stand.relaywatch('setup', 'detect.yaml', 'jobs.yaml');
    if (status !== 0) throw new Error(`setup failed: ${stderr}`);
    return stand;
  }

  sink(): EnvelopeSink {
    const access = { tls: null, sasl: null, allowPlaintext: false };
    const { brokers } = this.engines.kafka;
    const names = { clientId: 'bench', topic: NAME, group: NAME };
    return createKafkaSink({ brokers, ...names, ...access, sessionTimeoutMs: 30_000, maxWaitTimeMs: 500 });
  }

  relaywatch(...args: string[]): Promise<Outcome> {
    return run(args, { cwd: this.folder });
  }

  /** A worker as a process of its own; what it says is shown when it ends by itself. */
  worker(pipeline: string): ChildProcess {
    const worker = spawn(process.execPath, [path.join(ROOT, 'src/main.ts'), 'run', pipeline], {
      cwd: this.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said: string[] = [];
    worker.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said.push(text);
      if (said.length > 100) said.shift();
    });
    this.#workers.add(worker);
    worker.on('exit', (code) => {
      if (this.#workers.delete(worker)) process.stderr.write(`${pipeline} ended with ${code}:\n${said.join('')}`);
    });
    return worker;
  }

  /** What a search finds now; nothing is made visible for it. */
  async found(kind: keyof StoreNames, query: Record<string, unknown> = { match_all: {} }) {
    const answer = await this.client.search<Record<string, unknown>>({
      index: this.names[kind],
      ignore_unavailable: true,
      size: 1_000,
      query,
    });
    return answer.hits.hits.map(({ _source }) => _source as { relaywatch: Record<string, unknown> });
  }

  /** Resolves when the detectors have committed all that is in the log. */
  async caughtUp(): Promise<void> {
    const kafka = new kafkajs.Kafka({ brokers: this.engines.kafka.brokers, logLevel: kafkajs.logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    try {
      for (;;) {
        const ends = await admin.fetchTopicOffsets(NAME);
        const [{ partitions }] = await admin.fetchOffsets({ groupId: NAME, topics: [NAME] });
        const done = new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
        if (ends.every(({ partition, high }) => Math.max(0, done.get(partition) ?? 0) >= Number(high))) return;
        await sleep(250);
      }
    } finally {
      await admin.disconnect();
    }
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) {
      this.#workers.delete(worker);
      worker.kill('SIGKILL');
    }
    await this.client.close();
    await this.#close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #write(name: string, text: string): void {
    writeFileSync(path.join(this.folder, name), text);
  }
}

/** Processor time of a process, milliseconds (proc(5): utime and stime). */
export function cpuMs({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** Resident memory of a process. */
export function residentMiB({ pid }: ChildProcess): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Runs the command line to its end, on GNU time: its output, wall time and processor time. */
export function timed(args: readonly string[], cwd: string): { stdout: string; ms: number; cpuMs: number } {
  const times = path.join(cwd, 'times');
  const command = ['-f', '%U %S', '-o', times, process.execPath, path.join(ROOT, 'src/main.ts'), ...args];
  const began = performance.now();
  const stdout = execFileSync('/usr/bin/time', command, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
  const ms = performance.now() - began;
  const [user, system] = readFileSync(times, 'utf8').trim().split(' ').map(Number);
  return { stdout, ms, cpuMs: (user + system) * 1000 };
}

/**
 * How long a detector takes to go on where another ended, with a million open rows:
 *
 *     node bench/service/resume.ts [--rows 1000000] [--runs 3] [--engines] [--folder FOLDER]
 *
 * A tenant with the same number of rows every day: its last two days are open, the one before is sealed. The
 * log and the checkpoint are folders, or with `--engines` Kafka and Redis as well. Each resume is a process
 * of its own; measured is from the claim of the checkpoint to the moment at which all rows are walked and the
 * next one could be taken, and beside it all that the process took from its start. What was prepared in FOLDER
 * is kept, and used again.
 */

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { createCheckpointFolder } from '../../src/adapters/file/checkpoint-folder.ts';
import { openJournal } from '../../src/adapters/file/journal.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import { LEAST_RETENTION_MS, setupKafka } from '../../src/adapters/kafka/setup.ts';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../src/adapters/kafka/source.ts';
import { MemoryOutputStore } from '../../src/adapters/memory/output-store.ts';
import { createRedisCheckpoints } from '../../src/adapters/redis/checkpoints.ts';
import type { RedisSettings } from '../../src/adapters/redis/settings.ts';
import { DAY_MS } from '../../src/core/calendar.ts';
import type { CheckpointStore } from '../../src/core/checkpoint.ts';
import type { EnvelopeSink, EnvelopeSource, PartitionHandler } from '../../src/core/envelope-log.ts';
import { DetectWorker } from '../../src/runtime/detect/detect-worker.ts';
import { startOwnEngines } from '../../test/engines/engines.ts';
import { median } from '../detection/statistics.ts';
import { Mail, Packer, PROFILE, TENANT } from './mail.ts';

interface Place {
  folder: string;
  brokers: string[];
  redis: string;
}

interface Resumed {
  ms: number;
  cpuMs: number;
  claimMs: number;
  sinceStartMs: number;
  openPairs: number;
  rssMiB: number;
}

const START_MS = Date.UTC(2026, 9, 5);
const DAYS = 3;
const ENVELOPES_PER_SEND = 64;

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    runs: { type: 'string', default: '3' },
    engines: { type: 'boolean', default: false },
    folder: { type: 'string' },
    child: { type: 'string' },
  },
});

interface Parts {
  sink: EnvelopeSink;
  source: EnvelopeSource;
  checkpoints: CheckpointStore;
}

function kafkaSettings({ brokers }: Place): KafkaSettings {
  const access = { tls: null, sasl: null, allowPlaintext: false };
  const names = { clientId: 'bench', topic: 'resume', group: 'resume' };
  return { brokers, ...names, ...access, sessionTimeoutMs: 30_000, maxWaitTimeMs: 100 };
}

function redisSettings({ redis: url }: Place): RedisSettings {
  return { url, prefix: 'resume', username: null, password: null, tls: null, allowPlaintext: false };
}

async function open(place: Place): Promise<Parts> {
  if (place.brokers.length > 0) {
    const settings = kafkaSettings(place);
    const checkpoints = createRedisCheckpoints(redisSettings(place));
    return { sink: createKafkaSink(settings), source: createKafkaSource(settings), checkpoints };
  }
  const journal = await openJournal(path.join(place.folder, 'journal'));
  return { ...journal, checkpoints: createCheckpointFolder(path.join(place.folder, 'checkpoints')) };
}

/** Consumes until `isDone` says so; times are the first claim and its end. */
async function consume(
  { source, checkpoints }: Parts,
  now: () => number,
  isDone: (worker: DetectWorker, end: number) => boolean,
): Promise<{ claimedMs: number; loadedMs: number; doneMs: number; cpuMs: number; worker: DetectWorker }> {
  const worker = new DetectWorker({
    pipeline: 'resume',
    profiles: new Map([[TENANT, PROFILE]]),
    checkpoints,
    outputs: new MemoryOutputStore(),
    now,
    onLate: async () => {},
  });
  const stopping = new AbortController();
  let [claimedMs, loadedMs, doneMs, cpuMs, end] = [0, 0, 0, 0, 0];
  let before = process.cpuUsage();
  const look = () => {
    if (doneMs > 0 || !isDone(worker, end)) return;
    doneMs = performance.now();
    const { user, system } = process.cpuUsage(before);
    cpuMs = (user + system) / 1000;
    stopping.abort();
  };
  const handler: PartitionHandler = {
    async assigned(partition, generation) {
      before = process.cpuUsage();
      claimedMs = performance.now();
      const from = await worker.assigned(partition, generation);
      loadedMs = performance.now();
      return from;
    },
    async entries(partition, generation, entries, logEnd) {
      end = logEnd;
      const done = await worker.entries(partition, generation, entries, logEnd);
      look();
      return done;
    },
    async idle(partition, generation) {
      const done = await worker.idle(partition, generation);
      look();
      return done;
    },
    gap: (partition, expected, found) => worker.gap(partition, expected, found),
    // What is done is looked at before the partition is given up.
    revoked: async () => {},
  };
  await source.run(handler, stopping.signal);
  return { claimedMs, loadedMs, doneMs, cpuMs, worker };
}

async function resume(place: Place): Promise<Resumed> {
  const parts = await open(place);
  let openPairs = 0;
  const { claimedMs, loadedMs, doneMs, cpuMs } = await consume(parts, Date.now, (worker, end) => {
    openPairs = worker.tenants()[0]?.openPairs ?? 0;
    return end > 0 && worker.doneUntil(0) >= end;
  });
  const rssMiB = process.memoryUsage().rss / 1_048_576;
  return { ms: doneMs - claimedMs, cpuMs, claimMs: loadedMs - claimedMs, sinceStartMs: doneMs, openPairs, rssMiB };
}

/** Rows of all days into the log, and a detector that reads them, seals what can be sealed, and ends. */
async function prepare(place: Place, rowsPerDay: number): Promise<void> {
  if (place.brokers.length > 0) {
    await setupKafka(kafkaSettings(place), {
      dryRun: false,
      partitions: 1,
      replicationFactor: 1,
      retentionMs: LEAST_RETENTION_MS,
    });
  }
  const parts = await open(place);
  const mail = new Mail('resume');
  const rows = mail.over(START_MS, START_MS + DAYS * DAY_MS, rowsPerDay * DAYS);
  let batch = [];
  let last = 0;
  for (const envelope of new Packer('trace.csv').envelopes(rows)) {
    batch.push(envelope);
    if (batch.length < ENVELOPES_PER_SEND) continue;
    await parts.sink.send(batch);
    last += batch.length;
    batch = [];
  }
  await parts.sink.send(batch);
  last += batch.length;
  let isRead = false;
  let mostPairs = 0;
  // Two minutes later nothing is on its way any more: the days are sealed.
  const now = () => Date.now() + (isRead ? 120_000 : 0);
  await consume(parts, now, (worker) => {
    const openPairs = worker.tenants()[0]?.openPairs ?? 0;
    mostPairs = Math.max(mostPairs, openPairs);
    isRead = worker.doneUntil(0) >= last;
    return isRead && openPairs < mostPairs;
  });
  await parts.sink.close();
  await parts.checkpoints.close();
}

async function measure(place: Place, label: string, runs: number, openRows: number): Promise<void> {
  if (place.brokers.length > 0 || !existsSync(path.join(place.folder, 'checkpoints'))) {
    process.stderr.write(`${label}: preparing\n`);
    await prepare(place, openRows / (DAYS - 1));
  }
  const results: Resumed[] = [];
  for (let run = 0; run < runs; run++) {
    const args = [
      ...(process.env.RESUME_PROFILE === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${process.env.RESUME_PROFILE}`]),
      fileURLToPath(import.meta.url),
      '--child',
      JSON.stringify(place),
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    results.push(JSON.parse(stdout) as Resumed);
    process.stderr.write(`${label}: ${(results[run].ms / 1000).toFixed(2)} s\n`);
  }
  const of = (name: keyof Resumed) => median(results.map((one) => one[name]));
  const seconds = (name: keyof Resumed) => (of(name) / 1000).toFixed(2);
  process.stdout.write(
    `| ${label} | ${seconds('ms')} | ${seconds('cpuMs')} | ${seconds('claimMs')} | ${seconds('sinceStartMs')} | ` +
      `${of('openPairs')} | ${of('rssMiB').toFixed(0)} |\n`,
  );
}

if (values.child !== undefined) {
  process.stdout.write(JSON.stringify(await resume(JSON.parse(values.child) as Place)));
  process.exit(0);
}
const openRows = Number(values.rows);
const runs = Number(values.runs);
process.stdout.write(
  `${openRows} open rows\n\n| log and checkpoint | resume s | CPU s | of it loading s | since process start s | open pairs | RSS MiB |\n|---|---|---|---|---|---|---|\n`,
);
const folder = values.folder ?? mkdtempSync(path.join(tmpdir(), 'relaywatch-resume-'));
try {
  await measure({ folder, brokers: [], redis: '' }, 'folders', runs, openRows);
  if (values.engines) {
    const { engines, close } = await startOwnEngines({ kafka: true, redis: true });
    try {
      const place = { folder, brokers: engines.kafka.brokers, redis: engines.redis.url };
      await measure(place, 'Kafka and Redis', runs, openRows);
    } finally {
      await close();
    }
  }
} finally {
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}
process.exit(0);

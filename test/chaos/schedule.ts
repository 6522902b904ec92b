/** One schedule of faults against the whole service, from an empty place to the comparison with `scan`. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import { Random } from '../../bench/traffic/random.ts';
import { createJobQueue } from '../../src/adapters/bullmq/job-queue.ts';
import { QUEUE } from '../../src/adapters/bullmq/settings.ts';
import { setupElasticsearch } from '../../src/adapters/elasticsearch/setup.ts';
import { createJobSpool } from '../../src/adapters/file/job-spool.ts';
import { readKafkaLag } from '../../src/adapters/kafka/lag.ts';
import { LEAST_RETENTION_MS, setupKafka } from '../../src/adapters/kafka/setup.ts';
import { submitDurably } from '../../src/runtime/jobs/resubmit.ts';
import { Service, type ServiceTenant } from '../integration/service.ts';
import { problemsOf } from './compare.ts';
import { Place, type SelfExit } from './crew.ts';
import { type Arena, type ChaosEngines, inject } from './faults.ts';
import { type Plan, planOf, type Submission } from './plan.ts';

export interface ScheduleResult {
  plan: Plan;
  /** Empty where all is as it must be. */
  problems: string[];
  notes: string[];
  /** Workers that ended without being asked to, and were started again. */
  selfExits: SelfExit[];
  durationMs: number;
  /** What the workers said. */
  log: string;
}

const SETUP = { dryRun: false, partitions: 4, replicationFactor: 1, retentionMs: LEAST_RETENTION_MS };
const SHAPES = ['litware', 'contoso', 'northwind'];
/** From the last fault until everything has arrived: a job whose worker was killed is taken over after 90 s at the most. */
const SETTLE_MS = 240_000;
const LOOK_EVERY_MS = 500;
/** A job that is in the spool and not in the queue was lost by Redis; a worker brings it back when it starts. */
const LOST_JOB_MS = 3_000;

export async function runSchedule(seed: number, engines: ChaosEngines): Promise<ScheduleResult> {
  const began = Date.now();
  const run = new Schedule(planOf(seed), engines);
  try {
    await run.run();
  } catch (error) {
    run.problem(`the schedule broke off: ${(error as Error).stack}`);
  } finally {
    await run.close();
  }
  return run.result(Date.now() - began);
}

class Schedule {
  readonly #plan: Plan;
  readonly #engines: ChaosEngines;
  readonly #service: Service;
  readonly #arena: Arena;
  readonly #problems: string[] = [];
  readonly #notes: string[] = [];
  readonly #selfExits: SelfExit[] = [];
  readonly #redis: Redis;
  readonly #began = Date.now();
  #tenants: ServiceTenant[] = [];

  constructor(plan: Plan, engines: ChaosEngines) {
    this.#plan = plan;
    this.#engines = engines;
    const service = new Service(
      engines,
      plan.tenants.map(({ key }) => key),
    );
    this.#service = service;
    const place = (role: 'detect' | 'jobs') =>
      new Place(role, service, (exit) => {
        this.#selfExits.push(exit);
        this.#note(`a worker (${exit.role}) ended by itself with ${exit.code}`);
      });
    this.#arena = {
      engines,
      service,
      detectors: Array.from({ length: plan.detectors }, () => place('detect')),
      jobs: place('jobs'),
      submitted: [],
      random: new Random(`chaos/${plan.seed}/faults`),
      onProblem: (problem) => this.problem(problem),
      note: (text) => this.#note(text),
    };
    this.#redis = new Redis(engines.redis.url, { maxRetriesPerRequest: null, lazyConnect: true });
    this.#redis.on('error', () => {});
  }

  problem(text: string): void {
    this.#problems.push(text);
  }

  result(durationMs: number): ScheduleResult {
    return {
      plan: this.#plan,
      problems: this.#problems,
      notes: this.#notes,
      selfExits: this.#selfExits,
      durationMs,
      log: this.#service.log.join(''),
    };
  }

  async run(): Promise<void> {
    const { seed, tenants, submissions, faults } = this.#plan;
    const service = this.#service;
    const { detectors, jobs } = this.#arena;
    await setupKafka(service.kafka, SETUP);
    await setupElasticsearch(service.elasticsearch, { dryRun: false });
    for (const { key, stretches } of tenants) {
      this.#tenants.push(await service.tenantOf(key, SHAPES.indexOf(key), String(seed), stretches));
    }
    for (const worker of [jobs, ...detectors]) worker.start();
    const begin = Date.now();
    const at = async (atMs: number, what: () => Promise<void>) => {
      await sleep(Math.max(0, begin + atMs - Date.now()));
      await what();
    };
    // Takes all detectors down: nothing else may happen to them meanwhile.
    const [last, others] = [faults.filter(isLast), faults.filter((fault) => !isLast(fault))];
    await Promise.all([
      ...submissions.map((one) => at(one.atMs, () => this.#submit(one))),
      ...others.map((fault) => at(fault.atMs, () => this.#inject(fault))),
    ]);
    for (const fault of last) await this.#inject(fault);
    await this.#settle();
    for (const detector of detectors) await this.#stop(detector);
    // What the detectors said at last may have brought a rescan.
    await this.#untilJobsAreDone(Date.now() + SETTLE_MS);
    await this.#stop(jobs);
    this.#problems.push(...(await problemsOf(service, this.#tenants)));
  }

  async #inject(fault: Parameters<typeof inject>[0]): Promise<void> {
    this.#note(`${fault.kind} begins`);
    await inject(fault, this.#arena);
    this.#note(`${fault.kind} is over`);
  }

  /** As `relaywatch submit` does: the spool has the job, whatever the queue says. */
  async #submit({ tenant: key, part }: Submission): Promise<void> {
    const tenant = this.#tenants.find((one) => one.key === key) as ServiceTenant;
    const folder = tenant.parts[part];
    const service = this.#service;
    const queue = createJobQueue(
      {
        redis: { url: this.#engines.redis.url, username: null, password: null, tls: null, allowPlaintext: false },
        prefix: service.topic,
        concurrency: 1,
        lockDurationMs: 30_000,
      },
      { answerTimeoutMs: 2_000 },
    );
    const spool = createJobSpool(path.join(service.folder, 'spool'));
    try {
      for (const name of readdirSync(folder)) {
        const file = path.join(folder, name);
        const bytes = readFileSync(file);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        await submitDurably(spool, queue, { kind: 'ingest', tenant: key, path: file, sha256, bytes: bytes.length });
        this.#arena.submitted.push({ tenant: key, file });
      }
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'queue_away') throw error;
    } finally {
      await queue.close();
    }
  }

  /** Until every file has been read, every envelope walked and every job done. */
  async #settle(): Promise<void> {
    const deadline = Date.now() + SETTLE_MS;
    for (let calm = 0; calm < 2; ) {
      await this.#untilJobsAreDone(deadline);
      const left = await this.#left();
      calm = left === null ? calm + 1 : 0;
      if (Date.now() > deadline) {
        this.problem(`after ${SETTLE_MS / 1000} s ${left}`);
        return;
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** What there is still to do, or null. */
  async #left(): Promise<string | null> {
    // A broker that was restarted needs a while to know its groups again.
    const lags = await readKafkaLag(this.#service.kafka).catch((error: Error) => error);
    if (lags instanceof Error) return `the lag cannot be asked: ${lags.message}`;
    for (const { partition, committedOffset, endOffset } of lags) {
      if (committedOffset < endOffset) return `partition ${partition} is read to ${committedOffset} of ${endOffset}`;
    }
    for (const { key, accepted, parts } of this.#tenants) {
      const ledger = await this.#service.ledger(key);
      if (ledger.accepted !== accepted) return `${key} has ${ledger.accepted} accepted rows of ${accepted}`;
      if (ledger.complete !== parts.length) return `${key} has ${ledger.complete} complete files of ${parts.length}`;
    }
    return null;
  }

  async #untilJobsAreDone(deadline: number): Promise<void> {
    const queue = new Queue(QUEUE, { connection: this.#redis, prefix: this.#service.topic });
    queue.on('error', () => {});
    try {
      let restarts = 0;
      for (let lostSince: number | null = null; ; await sleep(LOOK_EVERY_MS)) {
        const { failed = 0, completed: _completed, ...counts } = await queue.getJobCounts();
        const open = Object.values(counts).reduce((sum, count) => sum + count, 0);
        const spooled = await this.#spooled();
        if (open === 0 && spooled === 0) {
          if (failed > 0) this.problem(`${failed} jobs failed`);
          return;
        }
        if (Date.now() > deadline) {
          this.problem(`jobs are not done: ${open} in the queue, ${spooled} in the spool, ${failed} failed`);
          return;
        }
        if (open > 0) lostSince = null;
        else lostSince ??= Date.now();
        if (lostSince !== null && Date.now() > lostSince + LOST_JOB_MS && restarts < 2) {
          restarts++;
          this.#note(`${spooled} jobs are in the spool and not in the queue: the jobs worker starts anew`);
          await this.#stop(this.#arena.jobs);
          this.#arena.jobs.start();
          lostSince = null;
        }
      }
    } finally {
      await queue.close();
    }
  }

  async #spooled(): Promise<number> {
    return (await createJobSpool(path.join(this.#service.folder, 'spool')).pending()).length;
  }

  async #stop(place: Place): Promise<void> {
    const code = await place.stop();
    if (code !== 0) this.problem(`a worker (${place.role}) that was asked to stop ended with ${code}`);
  }

  #note(text: string): void {
    this.#notes.push(`${((Date.now() - this.#began) / 1000).toFixed(1)} s: ${text}`);
  }

  /** Ends what is left, and removes what the schedule made. */
  async close(): Promise<void> {
    const { topic, client } = this.#service;
    for (const pid of processesIn(this.#service.folder)) {
      this.problem(`process ${pid} is left`);
    }
    await client.indices.deleteDataStream({ name: `*${topic}` }).catch(() => {});
    await client.indices
      .get({ index: `*${topic}*`, filter_path: '*.aliases' })
      .then((found) => client.indices.delete({ index: Object.keys(found) }))
      .catch(() => {});
    const admin = new kafkajs.Kafka({ brokers: this.#service.kafka.brokers, logLevel: 0 }).admin();
    await admin
      .connect()
      .then(() => admin.deleteTopics({ topics: [topic] }))
      .catch(() => {});
    await admin.disconnect().catch(() => {});
    const keys = await this.#redis.keys(`${topic}*`);
    if (keys.length > 0) await this.#redis.unlink(...keys);
    this.#redis.disconnect();
    await this.#service.close();
  }
}

function isLast({ kind }: { kind: string }): boolean {
  return kind === 'newer-checkpoint';
}

/** Processes that work in a folder, as Linux tells. */
function processesIn(folder: string): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

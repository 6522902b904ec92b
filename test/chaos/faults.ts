/** Faults, and the end of each: when `inject` resolves, what was broken is whole again. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Random } from '../../bench/traffic/random.ts';
import { createArchive } from '../../src/adapters/file/archive.ts';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import { CHECKPOINT_SCHEMA } from '../../src/core/checkpoint.ts';
import type { Envelope } from '../../src/core/envelope.ts';
import { ingestFile } from '../../src/runtime/ingest/ingest-file.ts';
import { setIndexBlock } from '../engines/elasticsearch.ts';
import type { OwnEngines } from '../engines/engines.ts';
import type { Service } from '../integration/service.ts';
import type { Place } from './crew.ts';
import type { Fault } from './plan.ts';

export type ChaosEngines = OwnEngines<{ kafka: true; elasticsearch: true; redis: true }>;

/** What faults happen to. */
export interface Arena {
  engines: ChaosEngines;
  service: Service;
  detectors: Place[];
  jobs: Place;
  /** Files that were handed over by now. */
  submitted: { tenant: string; file: string }[];
  random: Random;
  /** Told what is wrong. */
  onProblem: (problem: string) => void;
  /** Told what happened. */
  note: (text: string) => void;
}

const REFUSES_WITHIN_MS = 60_000;
/** Bulk requests at once: one is under way, one waits, the others are refused. */
const FLOOD = 8;

/** Servers that several schedules share are broken by one of them at a time. */
const turns = new WeakMap<object, Promise<unknown>>();

export async function inject(fault: Fault, arena: Arena): Promise<void> {
  const { engines, detectors, jobs } = arena;
  const { kafka, elasticsearch, redis } = engines;
  const { forMs } = fault;
  const detector = detectors[Math.floor(fault.which * detectors.length)];
  switch (fault.kind) {
    case 'kill-detector':
      return inTurn(detector, () => detector.kill(forMs));
    case 'kill-jobs-worker':
      return inTurn(jobs, () => jobs.kill(forMs));
    case 'freeze-detector':
      return inTurn(detector, () => detector.freeze(forMs));
    case 'freeze-jobs-worker':
      return inTurn(jobs, () => jobs.freeze(forMs));
    case 'freeze-kafka':
      return inTurn(kafka, () => freeze(kafka.server, forMs));
    case 'freeze-elasticsearch':
      return inTurn(elasticsearch, () => freeze(elasticsearch.server, forMs));
    case 'freeze-redis':
      return inTurn(redis, () => freeze(redis.server, forMs));
    case 'restart-kafka':
      return inTurn(kafka, () => kafka.server.restart());
    case 'restart-elasticsearch':
      return inTurn(elasticsearch, async () => {
        await elasticsearch.server.stop();
        await sleep(forMs);
        await elasticsearch.server.restart();
      });
    case 'restart-redis':
      return inTurn(redis, () => redis.server.restart());
    case 'kill-redis':
      return inTurn(redis, async () => {
        await redis.server.kill();
        await sleep(forMs);
        await redis.server.restart();
      });
    case 'busy-elasticsearch':
      return inTurn(elasticsearch, () => flood(forMs + 2_000, arena));
    case 'read-only-elasticsearch':
      return inTurn(elasticsearch, () => readOnly(fault, arena));
    case 'envelopes-again':
      return again(fault, arena);
    case 'newer-checkpoint':
      return newerCheckpoint(arena);
  }
}

async function inTurn(server: object, work: () => Promise<void>): Promise<void> {
  const before = turns.get(server) ?? Promise.resolve();
  const mine = before.then(work);
  turns.set(
    server,
    mine.catch(() => {}),
  );
  await mine;
}

async function freeze(server: { pause(): void; resume(): void }, forMs: number): Promise<void> {
  server.pause();
  try {
    await sleep(forMs);
  } finally {
    server.resume();
  }
}

/** Fills the queue of writes, so that requests are answered with 429. */
async function flood(forMs: number, { service, note }: Arena): Promise<void> {
  const index = `flood-${service.topic}`;
  const operations = Array.from({ length: 400 }, (_, number) => [
    { create: {} },
    { number, text: 'x'.repeat(200) },
  ]).flat();
  const until = Date.now() + forMs;
  let refused = 0;
  await Promise.all(
    Array.from({ length: FLOOD }, async () => {
      while (Date.now() < until) {
        try {
          const { items } = await service.client.bulk({ index, operations });
          refused += items.filter(({ create }) => create?.status === 429).length;
        } catch (error) {
          if ((error as { statusCode?: number }).statusCode === 429) refused += 1;
          await sleep(50);
        }
      }
    }),
  );
  await service.client.indices.delete({ index, ignore_unavailable: true });
  note(`Elasticsearch refused ${refused} documents or requests of the flood with 429`);
}

async function readOnly({ forMs, which }: Fault, { engines, service }: Arena): Promise<void> {
  const block = (['read_only_allow_delete', 'read_only', 'write'] as const)[Math.floor(which * 3)];
  const indices = `*${service.topic}*`;
  await setIndexBlock(engines.elasticsearch, indices, block, true);
  try {
    await sleep(forMs + 1_000);
  } finally {
    await setIndexBlock(engines.elasticsearch, indices, block, false);
  }
}

/** Sends envelopes of files that were handed over once more, and some of them twice, in any order. */
async function again({ which }: Fault, { service, submitted, random, note }: Arena): Promise<void> {
  const chosen = random.sample(submitted, 1 + Math.floor(which * 4));
  const envelopes: Envelope[] = [];
  const archive = createArchive(`${service.folder}/archive`);
  for (const { tenant, file } of chosen) {
    await archive.put(tenant, file);
    const sink = {
      async send(more: readonly Envelope[]) {
        envelopes.push(...more);
      },
      async close() {},
    };
    await ingestFile(file, { tenant, sink, nowMs: Date.now() });
  }
  const sink = createKafkaSink(service.kafka);
  try {
    const twice = envelopes.filter(() => random.chance(0.3));
    for (const envelope of random.shuffle([...envelopes, ...twice])) await sink.send([envelope]);
    note(`${envelopes.length + twice.length} envelopes of ${chosen.length} files were sent again`);
  } finally {
    await sink.close();
  }
}

/** A worker must not touch the checkpoint of a newer version: it says so and ends. */
async function newerCheckpoint({ engines, service, detectors, onProblem, note }: Arena): Promise<void> {
  for (const detector of detectors) {
    const code = await detector.stop();
    if (code !== 0) onProblem(`a detector that was asked to stop ended with ${code}`);
  }
  const client = new Redis(engines.redis.url);
  client.on('error', () => {});
  try {
    const keys = await client.keys(`${service.topic}:checkpoint:*:manifest`);
    for (const key of keys.sort()) {
      const manifest = await client.hgetBuffer(key, 'manifest');
      if (manifest === null) continue;
      const newer = Buffer.from(manifest);
      newer.writeUInt16LE(CHECKPOINT_SCHEMA + 1, 4);
      await client.hset(key, 'manifest', newer);
      const refusal = await detectors[0].startToRefuse(REFUSES_WITHIN_MS);
      const saved = await client.hgetBuffer(key, 'manifest');
      if (refusal === null) {
        onProblem('a detector worked with a checkpoint of a newer schema');
        await detectors[0].stop();
      } else if (refusal.code === 0 || !refusal.said.includes('made by a newer relaywatch')) {
        onProblem(
          `a detector met a checkpoint of a newer schema, ended with ${refusal.code} and said: ${refusal.said}`,
        );
      }
      if (saved === null || !newer.equals(saved)) onProblem('the checkpoint of a newer schema was overwritten');
      await client.hset(key, 'manifest', manifest);
      note('a detector refused a checkpoint of a newer schema');
      break;
    }
  } finally {
    client.disconnect();
    for (const detector of detectors) detector.start();
  }
}

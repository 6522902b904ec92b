/**
 * Kafka, Elasticsearch and Redis for tests. Where each comes from: from an address in the environment, else from
 * Docker Compose, else from a server of our own on 127.0.0.1, with files from Maven.
 */

import { fingerprint } from './artifacts.ts';
import { composedAddress } from './compose.ts';
import { type Elasticsearch, type ElasticsearchOptions, elasticsearch } from './elasticsearch.ts';
import type { EngineKind } from './engine-kind.ts';
import { openSet, type Server, serverOf } from './engine-set.ts';
import { type Kafka, type KafkaOptions, kafka } from './kafka.ts';
import { type Redis, redis } from './redis.ts';
import { ServerHandle } from './server.ts';

export type EngineName = 'kafka' | 'elasticsearch' | 'redis';
export const ENGINES: readonly EngineName[] = ['kafka', 'elasticsearch', 'redis'];

/** Which engines, and of which kind. */
export interface Wanted {
  kafka?: true | KafkaOptions;
  elasticsearch?: true | ElasticsearchOptions;
  redis?: true;
}

/** How the engine is to be; `true` is as it usually is. */
export type Options = true | KafkaOptions | ElasticsearchOptions;

interface Addresses {
  kafka: Kafka;
  elasticsearch: Elasticsearch;
  redis: Redis;
}

export type Address = Addresses[EngineName];

/** Addresses of engines that may be shared with others: for tests that leave them as they are. */
export type Engines<W extends Wanted> = { [Name in keyof W & EngineName]: Addresses[Name] };

/** Engines of one's own, to pause, kill and restart. */
export type OwnEngines<W extends Wanted> = {
  [Name in keyof W & EngineName]: Addresses[Name] & { server: ServerHandle };
};

/**
 * Engines of a set, started if they are not there yet: the same ones for everybody who asks for the
 * same. An address from the environment goes first, then a container, unless special options are asked for.
 */
export async function startEngines<const W extends Wanted>(wanted: W, set: string): Promise<Engines<W>> {
  const engines = await eachOf(wanted, async (name, options) => {
    return shared(name, options, set) ?? (await ownServer(set, name, options)).address;
  });
  return engines as Engines<W>;
}

/** Engines of nobody else, whatever the environment says. To be closed; if not, they end with this process. */
export async function startOwnEngines<const W extends Wanted>(
  wanted: W,
): Promise<{ engines: OwnEngines<W>; close(): Promise<void> }> {
  const set = await openSet();
  try {
    const engines = await eachOf(wanted, async (name, options) => {
      const { plan, address } = await ownServer(set.folder, name, options);
      return { ...address, server: new ServerHandle(plan) };
    });
    return { engines: engines as unknown as OwnEngines<W>, close: () => set.close() };
  } catch (error) {
    await set.close();
    throw error;
  }
}

/** The address that the environment gives for an engine; null when it gives none, or none that will do. */
export function given(name: EngineName, options: Options = true): Address | null {
  return options === true ? kindOf(name).given() : null;
}

/** The address of an engine that is there without a server of our own: given, or in a container of the set. */
export function shared(name: EngineName, options: Options, set: string | null): Address | null {
  if (options !== true) return null;
  return given(name) ?? (set === null ? null : composedAddress(set, name));
}

/** What this machine lacks to run an engine of our own; null when it lacks nothing. */
export function whyMissing(name: EngineName): string | null {
  if (process.platform === 'win32') return 'on Windows it must be given by its address';
  return kindOf(name).whyMissing();
}

/** Brings the program of an engine onto this machine. */
export async function installEngine(name: EngineName): Promise<void> {
  await kindOf(name).install();
}

/** Name of the folder of a server in its set. */
export function serverName(name: EngineName, options: Options = true): string {
  return options === true ? name : `${name}-${fingerprint(JSON.stringify(options))}`;
}

/** A server of our own in a set, started if it is not there yet. */
export function ownServer(set: string, name: EngineName, options: Options): Promise<Server<Address>> {
  return serverOf(set, serverName(name, options), async (folder) => {
    const missing = whyMissing(name);
    if (missing !== null) throw new Error(`${name} cannot be started: ${missing}`);
    return kindOf(name).plan(folder, options === true ? {} : options);
  });
}

async function eachOf<Result>(
  wanted: Wanted,
  start: (name: EngineName, options: Options) => Promise<Result>,
): Promise<Record<string, Result>> {
  const names = ENGINES.filter((name) => wanted[name] !== undefined);
  const settled = await Promise.allSettled(names.map((name) => start(name, wanted[name]!)));
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return Object.fromEntries(settled.map((one, index) => [names[index], (one as PromiseFulfilledResult<Result>).value]));
}

function kindOf(name: EngineName): EngineKind<Address, KafkaOptions & ElasticsearchOptions> {
  return { kafka, elasticsearch, redis }[name];
}

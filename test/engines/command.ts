/** `npm run engines -- up | down | status`: the servers of the tests, for a person at a keyboard. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { lockAnew } from './artifacts.ts';
import type { Elasticsearch } from './elasticsearch.ts';
import { endAbandonedSets, readServer, removeSet, type Server, setsFolder } from './engine-set.ts';
import { type Address, ENGINES, type EngineName, type Options, ownServer, serverName } from './engines.ts';
import type { Kafka } from './kafka.ts';
import type { Redis } from './redis.ts';
import { endServer, ServerHandle } from './server.ts';

const USAGE = `Usage: npm run --silent engines -- COMMAND

up [ENGINE ...] [--security]   starts kafka, elasticsearch and redis on 127.0.0.1, or those that are named, and prints
                               lines for a shell: eval "$(npm run --silent engines -- up)" makes tests use them.
                               --security: Elasticsearch with https and users
status                         says what runs
down                           ends them all and deletes their data
lock                           for maintainers: writes engines.lock.json anew after a change of its roots
`;

/** The set of the keyboard has no keeper: it stays until it is taken down. */
function keyboardSet(): string {
  return path.join(setsFolder(), 'keyboard');
}

async function up(names: readonly EngineName[], security: boolean): Promise<void> {
  await endAbandonedSets();
  mkdirSync(keyboardSet(), { recursive: true, mode: 0o711 });
  for (const name of names) {
    const begin = performance.now();
    const server = await upOne(name, name === 'elasticsearch' && security ? { security } : true);
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    process.stderr.write(`${server.plan.title} is up (${seconds} s)\n`);
    for (const [variable, value] of Object.entries(variablesOf(name, server))) {
      process.stdout.write(`export ${variable}='${value}'\n`);
    }
  }
}

async function upOne(name: EngineName, options: Options): Promise<Server<Address>> {
  const folder = path.join(keyboardSet(), serverName(name, options));
  const server = readServer<Address>(folder);
  if (server === null) {
    // There may be one that was begun and not finished.
    await endServer(folder);
    rmSync(folder, { recursive: true, force: true });
    return ownServer(keyboardSet(), name, options);
  }
  const handle = new ServerHandle(server.plan);
  if (handle.pid === null) await handle.restart();
  return server;
}

/** Environment that makes tests use this server. */
function variablesOf(name: EngineName, { plan, address }: Server<Address>): Record<string, string> {
  if (name === 'kafka') return { RELAYWATCH_KAFKA_BROKERS: (address as Kafka).brokers.join(',') };
  if (name === 'redis') return { RELAYWATCH_REDIS_URL: (address as Redis).url };
  const { url, username = '', password = '', ca } = address as Elasticsearch;
  const withUser = Object.assign(new URL(url), { username, password }).href;
  if (ca === undefined) return { RELAYWATCH_ELASTICSEARCH_URL: withUser };
  const caFile = path.join(plan.folder, 'config/ca.pem');
  return { RELAYWATCH_ELASTICSEARCH_URL: withUser, RELAYWATCH_ELASTICSEARCH_CA: caFile };
}

function status(): void {
  const names = existsSync(keyboardSet()) ? readdirSync(keyboardSet()) : [];
  const lines = names.map((name) => {
    const server = readServer<Address>(path.join(keyboardSet(), name));
    if (server === null) return `${name}: did not start`;
    const { pid } = new ServerHandle(server.plan);
    const where = 'brokers' in server.address ? server.address.brokers[0] : server.address.url;
    return `${server.plan.title}: ${pid === null ? 'has ended' : `process ${pid}, ${memoryOf(pid)}, ${where}`}`;
  });
  process.stdout.write(lines.length === 0 ? 'Nothing is up.\n' : `${lines.join('\n')}\n`);
}

function memoryOf(pid: number): string {
  const kilobytes = Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
  return `${Math.round(kilobytes / 1024)} MiB`;
}

function engineNames(names: string[]): readonly EngineName[] {
  const unknown = names.find((name) => !ENGINES.includes(name as EngineName));
  if (unknown !== undefined) throw new Error(`There is no engine "${unknown}"; there are ${ENGINES.join(', ')}`);
  return names.length === 0 ? ENGINES : (names as EngineName[]);
}

const { positionals, values } = parseArgs({ allowPositionals: true, options: { security: { type: 'boolean' } } });
const [command, ...names] = positionals;
try {
  if (command === 'up') await up(engineNames(names), values.security ?? false);
  else if (command === 'down') await removeSet(keyboardSet());
  else if (command === 'status') status();
  else if (command === 'lock') await lockAnew();
  else {
    process.stderr.write(USAGE);
    process.exitCode = 2;
  }
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}

/**
 * Engines in containers, for tests that share them: where Docker Compose works, one project for a set. A test that
 * kills and restarts its engines has servers of its own instead.
 */

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Address, EngineName } from './engines.ts';
import { freePorts } from './ports.ts';

const COMPOSE_FILE = path.join(import.meta.dirname, 'compose.yaml');
const PROBE_TIMEOUT_MS = 20_000;
/** With the images to fetch. */
const UP_TIMEOUT_MS = 15 * 60_000;
const DOWN_TIMEOUT_MS = 120_000;

/** Addresses by name of the engine, once all answer. */
type Addresses = Partial<Record<EngineName, Address>>;

/**
 * Brings engines up, if Docker Compose works on this machine. Where that fails, one line says so, and nothing is
 * left: they are then started from files of Maven, as everywhere else.
 */
export async function startComposed(set: string, names: readonly EngineName[]): Promise<void> {
  if (names.length === 0 || !(await works('compose', 'version')) || !(await works('info'))) return;
  const [kafkaPort, elasticsearchPort, redisPort] = await freePorts(3);
  const folder = folderIn(set);
  mkdirSync(folder, { mode: 0o700 });
  // From here on it is known that there may be something to take down.
  const ports = [`KAFKA_PORT=${kafkaPort}`, `ELASTICSEARCH_PORT=${elasticsearchPort}`, `REDIS_PORT=${redisPort}`];
  writeFileSync(portsFile(folder), `${ports.join('\n')}\n`);
  const all: Required<Addresses> = {
    kafka: { brokers: [`127.0.0.1:${kafkaPort}`] },
    elasticsearch: { url: `http://127.0.0.1:${elasticsearchPort}` },
    redis: { url: `redis://127.0.0.1:${redisPort}` },
  };
  try {
    await compose(folder, UP_TIMEOUT_MS, 'up', '-d', '--wait', ...names);
    const addresses = Object.fromEntries(names.map((name) => [name, all[name]]));
    writeFileSync(addressesFile(folder), JSON.stringify(addresses));
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    const reason = stderr.trim().split('\n').at(-1) || message;
    process.stderr.write(`Docker Compose does not bring ${names.join(', ')} up (${reason}): Maven has to\n`);
    await compose(folder, DOWN_TIMEOUT_MS, 'down', '-v').catch(() => {});
  }
}

/** An engine of the set that runs in a container; null when it does not. */
export function composedAddress(set: string, name: EngineName): Address | null {
  const file = addressesFile(folderIn(set));
  return existsSync(file) ? ((JSON.parse(readFileSync(file, 'utf8')) as Addresses)[name] ?? null) : null;
}

/** Removes the containers of a set and their data. */
export async function removeComposed(set: string): Promise<void> {
  const folder = folderIn(set);
  if (!existsSync(portsFile(folder))) return;
  await compose(folder, DOWN_TIMEOUT_MS, 'down', '-v');
}

async function works(...args: string[]): Promise<boolean> {
  try {
    await promisify(execFile)('docker', args, { timeout: PROBE_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}

/** The process is known by its folder, as those of servers are: whoever comes later can end it. */
async function compose(folder: string, timeout: number, ...command: string[]): Promise<void> {
  const project = `relaywatch-${path.basename(path.dirname(folder))}`;
  const args = ['compose', '-p', project, '--env-file', portsFile(folder), '-f', COMPOSE_FILE, ...command];
  const running = promisify(execFile)('docker', args, { timeout });
  writeFileSync(path.join(folder, 'launcher.pid'), String(running.child.pid ?? 0));
  await running;
}

function folderIn(set: string): string {
  return path.join(set, 'compose');
}

function portsFile(folder: string): string {
  return path.join(folder, 'ports.env');
}

function addressesFile(folder: string): string {
  return path.join(folder, 'addresses.json');
}

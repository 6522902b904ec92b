/**
 * A set of servers: a folder with one folder per server. It lives as long as the process that opened
 * it. A small second process, the keeper, holds one end of a pipe; when the other end closes, however
 * the owner ended, it ends the servers and deletes the folder. Should the keeper be killed too, the
 * next set that is opened on this machine clears up.
 */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from './cache.ts';
import { removeComposed } from './compose.ts';
import { isAlive } from './processes.ts';
import { endServer, type ServerPlan, startServer } from './server.ts';

export interface EngineSet {
  readonly folder: string;
  /** Ends the servers and deletes their data. */
  close(): Promise<void>;
}

/** A server of a set, as `server.json` in its folder says: it answers, or did when it was started. */
export interface Server<Address> {
  plan: ServerPlan;
  address: Address;
}

const KEEPER = path.join(import.meta.dirname, 'keeper.ts');
/** The name of a set says which process keeps it: a text in its command line, and its number. */
const SET_NAME = /^([0-9a-f]{12})-(\d+)$/;
/** Longer than a server may take to start. */
const WAIT_FOR_OTHER_MS = 200_000;

export function setsFolder(): string {
  return path.join(cacheFolder(), 'sets');
}

/** A new, empty set of this process. */
export async function openSet(): Promise<EngineSet> {
  await endAbandonedSets();
  const id = randomBytes(6).toString('hex');
  const keeper = spawn(process.execPath, [KEEPER, setsFolder(), id], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: keeperEnvironment(),
  });
  await once(keeper, 'spawn');
  const folder = path.join(setsFolder(), `${id}-${keeper.pid}`);
  mkdirSync(setsFolder(), { recursive: true });
  // There are passwords inside. The servers, which may be another user's, only pass through.
  mkdirSync(folder, { mode: 0o711 });
  const pipe = keeper.stdin as Socket;
  // Neither keeps this process from ending.
  keeper.unref();
  pipe.unref();
  return {
    folder,
    async close() {
      await removeSet(folder);
      if (keeper.exitCode !== null) return;
      keeper.ref();
      const ended = once(keeper, 'exit');
      pipe.end();
      await ended;
    },
  };
}

/** Ends what is left of sets that nobody keeps any more. */
export async function endAbandonedSets(): Promise<void> {
  for (const name of existsSync(setsFolder()) ? readdirSync(setsFolder()) : []) {
    const [, id, keeper] = SET_NAME.exec(name) ?? [];
    if (id !== undefined && !isAlive(Number(keeper), id)) await removeSet(path.join(setsFolder(), name));
  }
}

/** The keeper takes containers down too: the client of Docker finds its server with these. */
function keeperEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => ['PATH', 'HOME'].includes(name) || /^DOCKER_/.test(name));
  return Object.fromEntries(kept);
}

/** Ends the servers and containers of a set and deletes its folder. Where containers stay, so does the folder. */
export async function removeSet(folder: string): Promise<void> {
  for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
    if (entry.isDirectory()) await endServer(path.join(folder, entry.name));
  }
  try {
    await removeComposed(folder);
  } catch (error) {
    process.stderr.write(`Containers of the tests stay until the next run: ${(error as Error).message}\n`);
    return;
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/**
 * The server of that name in a set, which any process may ask for: the first one starts it, the others
 * wait until it has.
 */
export async function serverOf<Address>(
  set: string,
  name: string,
  prepare: (folder: string) => Promise<Server<Address>>,
): Promise<Server<Address>> {
  const folder = path.join(set, name);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return waitForServer(folder);
  }
  try {
    const server = await prepare(folder);
    await startServer(server.plan);
    publish(folder, 'server.json', server);
    return server;
  } catch (error) {
    if (existsSync(folder)) publish(folder, 'failed.json', (error as Error).message);
    throw error;
  }
}

/** The server in this folder, if it was started. */
export function readServer<Address>(folder: string): Server<Address> | null {
  const file = path.join(folder, 'server.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

async function waitForServer<Address>(folder: string): Promise<Server<Address>> {
  const failed = path.join(folder, 'failed.json');
  for (const deadline = Date.now() + WAIT_FOR_OTHER_MS; Date.now() < deadline; await sleep(50)) {
    const server = readServer<Address>(folder);
    if (server !== null) return server;
    if (existsSync(failed)) throw new Error(JSON.parse(readFileSync(failed, 'utf8')));
  }
  throw new Error(
    `The server in ${folder} was begun by another process and is not there after ${WAIT_FOR_OTHER_MS} ms`,
  );
}

/** All of the file at once, so that nobody reads half of it. */
function publish(folder: string, name: string, content: unknown): void {
  const unfinished = path.join(folder, `${name}.unfinished`);
  writeFileSync(unfinished, JSON.stringify(content, null, 2));
  renameSync(unfinished, path.join(folder, name));
}

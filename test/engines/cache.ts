/** What is kept between runs, and who may read it. Everything here can be deleted at any time. */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** `nobody`: Elasticsearch refuses to run as root, so root lends its servers this user. */
const UNPRIVILEGED = { uid: 65_534, gid: 65_534 };

/** User of the servers, as `spawn` takes it: nobody else than ourselves, unless we are root. */
export function serverUser(): { uid: number; gid: number } | Record<string, never> {
  return process.getuid?.() === 0 ? UNPRIVILEGED : {};
}

/** Hands a folder and all in it to the user of the servers. */
export function giveToServers(folder: string): void {
  const { uid, gid } = serverUser();
  if (uid !== undefined) execFileSync('chown', ['-R', `${uid}:${gid}`, folder]);
}

/** Lets every user read a folder and all in it, whatever file mode root creates files with. */
export function letServersRead(folder: string): void {
  if (serverUser().uid !== undefined) execFileSync('chmod', ['-R', 'a+rX', folder]);
}

/** Whether the user of the servers can reach this folder: all those above it must let others through. */
export function serversCanRead(folder: string): boolean {
  if (serverUser().uid === undefined) return true;
  for (let above = path.resolve(folder); above !== path.dirname(above); above = path.dirname(above)) {
    if ((statSync(above, { throwIfNoEntry: false })?.mode ?? 0o1) % 2 === 0) return false;
  }
  return true;
}

export function cacheFolder(): string {
  const folder = path.resolve(process.env.RELAYWATCH_ENGINES_CACHE || defaultCacheFolder());
  if (serversCanRead(folder)) return folder;
  throw new Error(
    `The servers of the tests run as user ${UNPRIVILEGED.uid}, because Elasticsearch refuses root, and that user cannot ` +
      `reach ${folder}: set RELAYWATCH_ENGINES_CACHE to a folder that everybody may enter`,
  );
}

function defaultCacheFolder(): string {
  // Nobody but root can look into root's home.
  if (serverUser().uid !== undefined) return '/var/cache/relaywatch-engines';
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'relaywatch-engines');
}

export function isInstalled(name: string): boolean {
  return existsSync(path.join(cacheFolder(), name));
}

/**
 * Folder of something that is made once: by `build`, in a folder that gets its name only when all is
 * there. Whoever comes second at the same time throws its own away.
 */
export async function installOnce(name: string, build: (folder: string) => Promise<void>): Promise<string> {
  const installed = path.join(cacheFolder(), name);
  if (existsSync(installed)) return installed;
  const unfinished = path.join(cacheFolder(), `unfinished-${randomBytes(6).toString('hex')}`);
  mkdirSync(unfinished, { recursive: true });
  try {
    await build(unfinished);
    renameSync(unfinished, installed);
  } catch (error) {
    if (!existsSync(installed)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return installed;
}

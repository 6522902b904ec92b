/** A folder for exports that are unpacked for a rescan or made for the archive, on the disk that holds the archive or the state. */

import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { makeFolder } from '../../adapters/file/durable-file.ts';

/** `.rescan-` + machine + process + chance. No tenant's folder in an archive begins with a dot. */
const WORK_FOLDER = /^\.rescan-([0-9a-f]{8})-(\d+)-\w+$/;
/** A folder of another machine counts as left behind after this time: no rescan takes so long. */
const LEFT_AFTER_MS = 86_400_000;

/** Names of what a process leaves on a disk begin with the machine and the process, so that another knows whose it was. */
const machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
/** Folders of rescans that run in this process. */
const used = new Set<string>();

/** Runs `work` with a new folder below `parent` and removes it; what ended rescans left there is removed first. */
export async function withWorkFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  await makeFolder(parent);
  await removeLeftFolders(parent);
  const folder = await mkdtemp(path.join(parent, `.rescan-${processMark()}-`));
  used.add(folder);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
    used.delete(folder);
  }
}

async function removeLeftFolders(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const match = WORK_FOLDER.exec(name);
    if (match === null) continue;
    const folder = path.join(parent, name);
    const [, owner, pid] = match;
    if (!used.has(folder) && (await isLeftBehind(folder, owner, Number(pid), LEFT_AFTER_MS)))
      await rm(folder, { recursive: true, force: true });
  }
}

/** `MACHINE-PROCESS`, of this process. */
export function processMark(): string {
  return `${machine}-${process.pid}`;
}

/**
 * Whether nobody uses a file or folder any more: the process that made it has ended, or it is of another machine and
 * did not change for `afterMs`. What this process uses is for the caller to know.
 */
export async function isLeftBehind(file: string, owner: string, pid: number, afterMs: number): Promise<boolean> {
  if (owner === machine) return pid === process.pid || !isRunning(pid);
  const status = await stat(file).catch(() => null);
  return status !== null && Date.now() - status.mtimeMs > afterMs;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

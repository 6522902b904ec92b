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

const machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
/** Folders of rescans that run in this process. */
const used = new Set<string>();

/** Runs `work` with a new folder below `parent` and removes it; what ended rescans left there is removed first. */
export async function withWorkFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  await makeFolder(parent);
  await removeLeftFolders(parent);
  const folder = await mkdtemp(path.join(parent, `.rescan-${machine}-${process.pid}-`));
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
    const isLeft = owner === machine ? !isUsed(folder, Number(pid)) : await isOld(folder);
    if (isLeft) await rm(folder, { recursive: true, force: true });
  }
}

function isUsed(folder: string, pid: number): boolean {
  if (pid === process.pid) return used.has(folder);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isOld(folder: string): Promise<boolean> {
  const status = await stat(folder).catch(() => null);
  return status !== null && Date.now() - status.mtimeMs > LEFT_AFTER_MS;
}

/**
 * A folder for one process at a time. The lock is a file that says who has it: number of the process, when it
 * was started, machine. It is left behind by a process that was killed; whoever comes next sees that.
 */

import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RelaywatchError } from '../../core/outcome.ts';
import { folderProblem, makeFolder, writeTemporary } from './durable-file.ts';

export interface FolderLockOptions {
  /** How often the holder touches the lock, milliseconds. */
  heartbeatMs?: number;
  /** Name of this machine or container. */
  machine?: string;
}

interface Holder {
  pid: number;
  /** When the process was started, in a form that only the machine itself understands; null where it does not say. */
  started: string | null;
  machine: string;
  /** Of this very lock. */
  nonce: string;
}

const LOCK = 'relaywatch.lock';
const HEARTBEAT_MS = 2_000;
/** A lock of another machine is given up when it was not touched for so many heartbeats, by our own clock. */
const SILENT_HEARTBEATS = 4;
const ATTEMPTS = 5;

/** @throws RelaywatchError `state_in_use`, which names the process and the folder. */
export async function lockFolder(
  folder: string,
  { heartbeatMs = HEARTBEAT_MS, machine = hostname() }: FolderLockOptions = {},
): Promise<{ release(): Promise<void> }> {
  const file = path.join(folder, LOCK);
  const holder: Holder = {
    pid: process.pid,
    started: await startOf(process.pid),
    machine,
    nonce: randomBytes(8).toString('hex'),
  };
  try {
    await makeFolder(folder);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await create(folder, file, holder)) return held(file, holder, heartbeatMs);
      const other = await read(file);
      if (other !== null && (await isHeld(file, other, machine, heartbeatMs))) throw inUse(folder, file, other);
      if (other !== null) await remove(file, other);
      else await sleep(20);
    }
  } catch (error) {
    throw folderProblem(folder, error);
  }
  throw inUse(folder, file, (await read(file)) ?? holder);
}

/** All of the lock at once: a file of that name is linked, which fails where there is one. */
async function create(folder: string, file: string, holder: Holder): Promise<boolean> {
  const bytes = Buffer.from(`${JSON.stringify(holder)}\n`);
  const temporary = await writeTemporary(folder, [bytes]);
  try {
    await link(temporary, file);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // File systems without links.
    if (code === 'EPERM' || code === 'ENOSYS' || code === 'ENOTSUP') return await createDirectly(file, bytes);
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function createDirectly(file: string, bytes: Buffer): Promise<boolean> {
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null;
    throw error;
  });
  if (handle === null) return false;
  try {
    await handle.writeFile(bytes);
  } finally {
    await handle.close();
  }
  return true;
}

/** Null where there is no lock, or one that nobody wrote to its end. */
async function read(file: string): Promise<Holder | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const { pid, started, machine, nonce } = JSON.parse(text);
    if (Number.isSafeInteger(pid) && pid > 0) {
      return { pid, started: started ?? null, machine: String(machine), nonce: String(nonce) };
    }
  } catch {
    // Handled as any other text that is no lock.
  }
  return { pid: 0, started: null, machine: '', nonce: text };
}

async function isHeld(file: string, other: Holder, machine: string, heartbeatMs: number): Promise<boolean> {
  if (other.machine === machine) {
    if (!isAlive(other.pid)) return false;
    // The number may have been given to another process since, always so for the only one of a container.
    return other.started === null || other.started === (await startOf(other.pid));
  }
  // The processes of another machine, or container, cannot be asked. Its clock need not agree with ours either.
  const before = await touched(file);
  for (let beat = 0; beat < SILENT_HEARTBEATS; beat++) {
    await sleep(heartbeatMs);
    if ((await touched(file)) !== before) return (await read(file))?.nonce === other.nonce;
  }
  return false;
}

async function touched(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.mtimeMs ?? 0;
}

/** Removes the lock of `other`, and no lock that somebody made in the meantime. */
async function remove(file: string, other: Holder): Promise<void> {
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  // A new lock was taken away: it is put back. Where yet another is there by now, its owner has noticed.
  if ((await read(aside))?.nonce !== other.nonce) await link(aside, file).catch(() => {});
  await rm(aside, { force: true });
}

async function held(file: string, holder: Holder, heartbeatMs: number): Promise<{ release(): Promise<void> }> {
  // Others who took the same old lock for given up have removed it by now, or removed ours and put it back.
  await sleep(20);
  const stands = await read(file);
  if (stands === null || stands.nonce !== holder.nonce) throw inUse(path.dirname(file), file, stands ?? holder);
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {});
  }, heartbeatMs);
  beat.unref();
  return {
    async release() {
      clearInterval(beat);
      if ((await read(file))?.nonce === holder.nonce) await rm(file, { force: true });
    },
  };
}

function isAlive(pid: number): boolean {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * The start of a process, on Linux: id of the boot and ticks since then (proc(5): `starttime` is the 22nd
 * field of /proc/pid/stat, and the second one may hold blanks and parentheses). Null elsewhere.
 */
async function startOf(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') return null;
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    return `${boot} ${status.slice(status.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return null;
  }
}

function inUse(folder: string, file: string, { pid, machine }: Holder): RelaywatchError {
  return new RelaywatchError({
    code: 'state_in_use',
    message: `The state in ${folder} is used by process ${pid} on ${machine}`,
    hint: `Stop that process first, or give this one a folder of its own. If there is no such process, delete ${file}.`,
  });
}

/** Files that are there, whole, after the power failed. */

import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { RelaywatchError } from '../../core/outcome.ts';

/** `.new-` + number of the process + chance: nobody else writes it, and who left it is known. */
const TEMPORARY = /^\.new-(\d+)-[0-9a-f]+$/;

/** Makes a folder and those above it, so that they stay. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = path.resolve(folder); made.length >= path.resolve(first).length; made = path.dirname(made)) {
    await syncFolder(path.dirname(made));
  }
}

/** Writes a temporary file of `folder` down to the disk. It is to be renamed, or to be removed. */
export async function writeTemporary(folder: string, chunks: readonly Uint8Array[]): Promise<string> {
  const file = path.join(folder, `.new-${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(chunks);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
  return file;
}

/** Replaces a file as a whole: after a crash there is the old one or the new one. */
export async function replaceFile(file: string, chunks: readonly Uint8Array[]): Promise<void> {
  const temporary = await writeTemporary(path.dirname(file), chunks);
  await rename(temporary, file);
  await syncFolder(path.dirname(file));
}

/**
 * Makes renames and removals in a folder durable. Windows cannot open a folder for that, and NTFS keeps its
 * folders in a journal of their own.
 */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Nobody writes a file for so long without adding to it. */
const ABANDONED_MS = 3_600_000;

/**
 * Removes what ended processes left half written. Those of this process may still be under way; so may those of
 * others in a folder that several processes write, which therefore stay for an hour. (Whether a process lives is no
 * use: it may be one of another machine or container.)
 */
export async function removeTemporaries(folder: string, isShared = false): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid === undefined || Number(pid) === process.pid) continue;
    const file = path.join(folder, name);
    const written = isShared ? await stat(file).catch(() => null) : null;
    if (written !== null && Date.now() - written.mtimeMs < ABANDONED_MS) continue;
    await rm(file, { force: true });
  }
}

/** What a person has to do about a folder that cannot be written. */
export function folderProblem(folder: string, error: unknown): RelaywatchError {
  if (error instanceof RelaywatchError) return error;
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  return new RelaywatchError({
    code: 'state_not_writable',
    message: `The state in ${folder} cannot be read or written (${code})`,
    hint:
      code === 'ENOSPC' || code === 'EDQUOT'
        ? 'The disk is full: make room, then start again. What was written before is intact.'
        : 'Give the user of relaywatch the right to read and write this folder, or name another one.',
    cause: error,
  });
}

/** One export that is open for reading: its bytes in order, and by position, from the same open file. */

import { createHash } from 'node:crypto';
import { constants, readSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { RelaywatchError } from '../../core/outcome.ts';
import { missingInput } from './export-files.ts';

const CHUNK_BYTES = 1 << 20;

export interface OpenExport {
  path: string;
  handle: FileHandle;
  /** Bytes at the time it was opened. */
  bytes: number;
  /** What changes when somebody writes to the file. */
  state: string;
}

/**
 * Opens a file. With `noFollow` a symbolic link is refused where the system can (Windows cannot; there only
 * privileged users make links). Throws a RelaywatchError (`not_found`, `not_readable`, `not_a_file`).
 */
export async function openExport(path: string, noFollow: boolean): Promise<OpenExport> {
  // Without waiting: a named pipe would keep the call for ever.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (noFollow ? (constants.O_NOFOLLOW ?? 0) : 0);
  let handle: FileHandle;
  try {
    handle = await open(path, flags);
  } catch (error) {
    throw notReadable(path, error);
  }
  const status = await handle.stat();
  if (status.isFile()) return { path, handle, bytes: status.size, state: stateOf(status) };
  await handle.close();
  throw new RelaywatchError({
    code: 'not_a_file',
    message: `${path}: it is no file`,
    hint: 'give the export file itself',
  });
}

export function notReadable(path: string, error: unknown): RelaywatchError {
  if (error instanceof RelaywatchError) return error;
  const isLink = (error as NodeJS.ErrnoException).code === 'ELOOP';
  const { code, message } = isLink
    ? { code: 'not_a_file', message: 'it is a symbolic link, which is not followed here' }
    : missingInput(path, error);
  return new RelaywatchError({
    code,
    message: `${path}: ${message}`,
    hint: 'put the file where this user can read it, and hand it over again',
    cause: error,
  });
}

/** Throws (`file_changed`) where the path leads to another file by now. */
export async function expectSame(file: OpenExport): Promise<void> {
  const [own, named] = [await file.handle.stat(), await stat(file.path)];
  if (own.dev !== named.dev || own.ino !== named.ino) throw fileChanged(file.path);
}

/** Throws (`file_changed`) where the file is not what it was when it was opened, or the path leads to another. */
export async function expectUnchanged(file: OpenExport): Promise<void> {
  await expectSame(file);
  if (stateOf(await file.handle.stat()) !== file.state) throw fileChanged(file.path);
}

export function fileChanged(path: string): RelaywatchError {
  return new RelaywatchError({
    code: 'file_changed',
    message: `${path} was changed while it was read`,
    hint: 'it is read again when it no longer changes: nothing of it is lost',
  });
}

function stateOf({ dev, ino, size, mtimeMs }: { dev: number; ino: number; size: number; mtimeMs: number }): string {
  return `${dev} ${ino} ${size} ${mtimeMs}`;
}

/** Hands out the bytes `[from, to)` in chunks, which may be modified; a file that is shorter by now throws. */
export async function readRange(
  file: OpenExport,
  from: number,
  to: number,
  take: (chunk: Uint8Array) => void | Promise<void>,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(1, to - from)));
  for (let position = from; position < to; ) {
    const wanted = Math.min(buffer.length, to - position);
    const { bytesRead } = await file.handle.read(buffer, 0, wanted, position);
    if (bytesRead === 0) throw fileChanged(file.path);
    position += bytesRead;
    const taken = take(buffer.subarray(0, bytesRead));
    if (taken !== undefined) await taken;
  }
}

/** SHA-256 of the bytes up to `to`, lower-case hex. */
export async function hashRange(file: OpenExport, to: number, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await readRange(file, 0, to, (chunk) => {
    signal?.throwIfAborted();
    hash.update(chunk);
  });
  return hash.digest('hex');
}

/** The bytes `[offset, offset + length)`, fewer at the end of the file. */
export function readAt(file: OpenExport, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const read = readSync(file.handle.fd, bytes, filled, length - filled, offset + filled);
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

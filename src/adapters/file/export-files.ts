/** Export files on disk: finding them, reading them as a stream, and reading a few bytes by position. */

import { createHash } from 'node:crypto';
import { closeSync, createWriteStream, fstatSync, openSync, type PathLike, readSync, rmSync } from 'node:fs';
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RefusalCode } from '../../core/outcome.ts';
import { CONTAINER_CAPS, type ContainerCaps, type ContainerKind, containerAt, expandContainer } from './containers.ts';

/** What a person types for standard input, and how it is called in the ledger. */
export const STANDARD_INPUT = '-';

export interface FoundFile {
  /** As the person named it, or below the folder that the person named. */
  path: string;
  /** Where the bytes are: the path itself, or a temporary copy of a stream. */
  location: string;
  /** The person named the file itself, not only a folder above it. */
  isNamed: boolean;
  /** Of the file itself, not of a container that it was in. */
  bytes: number;
  /** What it was in; the bytes are those that were in it. */
  container?: ContainerKind;
}

export interface MissingInput {
  path: string;
  code: RefusalCode;
  message: string;
}

export interface FoundInputs {
  /** By path; no file twice. */
  files: FoundFile[];
  missing: MissingInput[];
  /** Folders that were named, and ZIP archives, which are like folders. */
  folders: string[];
  /** Deletes the copies of streams and of what was in containers. */
  dispose(): Promise<void>;
}

export interface FindOptions {
  temporaryFolder: string | undefined;
  standardInput: () => Readable;
  /** Give the files that are in gzip, zstd and ZIP files instead of those. */
  expand?: boolean;
  caps?: ContainerCaps;
}

/**
 * Finds the files behind the paths of a command: files, folders with all that is in them (hidden files
 * and links apart), `-` and named pipes, which are copied to a temporary file because they are read twice.
 */
export async function findExportFiles(paths: readonly string[], options: FindOptions): Promise<FoundInputs> {
  const files = new Map<string, FoundFile>();
  const missing: MissingInput[] = [];
  const folders: string[] = [];
  let copies: string | null = null;
  // Also where Ctrl-C ends the process while it waits for input.
  const removeOnExit = (): void => {
    if (copies !== null) rmSync(copies, { recursive: true, force: true });
  };
  const dispose = async (): Promise<void> => {
    process.off('exit', removeOnExit);
    if (copies !== null) await rm(copies, { recursive: true, force: true });
    copies = null;
  };
  let copiesMade = 0;
  const copiesFolder = async (): Promise<string> => {
    if (copies === null) {
      process.on('exit', removeOnExit);
      copies = await mkdtemp(join(options.temporaryFolder ?? tmpdir(), 'relaywatch-input-'));
    }
    return copies;
  };
  const copyStream = async (path: string, open: () => Readable): Promise<void> => {
    const location = join(await copiesFolder(), String(copiesMade++));
    await pipeline(open(), createWriteStream(location, { mode: 0o600 }));
    files.set(path, { path, location, isNamed: true, bytes: (await stat(location)).size });
  };
  try {
    for (const path of paths) {
      if (path === STANDARD_INPUT) {
        if (!files.has(path)) await copyStream(path, options.standardInput);
        continue;
      }
      try {
        const status = await stat(path);
        if (status.isDirectory()) {
          folders.push(path);
          for (const found of await filesBelow(path, missing)) {
            if (files.get(resolve(found.path))?.isNamed !== true) files.set(resolve(found.path), found);
          }
        } else if (status.isFile()) {
          if (files.get(resolve(path))?.isNamed !== true) {
            files.set(resolve(path), { path, location: path, isNamed: true, bytes: status.size });
          }
        } else if (status.isFIFO()) {
          const handle = await open(path, 'r');
          await copyStream(path, () => handle.createReadStream());
        } else {
          missing.push({ path, code: 'not_a_file', message: 'it is neither a file nor a folder' });
        }
      } catch (error) {
        missing.push(missingInput(path, error));
      }
    }
    if (options.expand) {
      const nextLocation = async () => {
        const folder = await copiesFolder();
        return () => join(folder, String(copiesMade++));
      };
      await expandFound({ files, missing, folders }, nextLocation, options.caps ?? CONTAINER_CAPS);
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  const sorted = [...files.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { files: sorted, missing, folders, dispose };
}

/** Puts what is in containers in their place. */
async function expandFound(
  { files, missing, folders }: { files: Map<string, FoundFile>; missing: MissingInput[]; folders: string[] },
  locations: () => Promise<() => string>,
  caps: ContainerCaps,
): Promise<void> {
  for (const [key, found] of [...files]) {
    try {
      const container = await containerAt(found.location);
      if (container === null) continue;
      const expansion = await expandContainer(found.location, container, await locations(), caps);
      // Left as it is, to be told what it is like any other file that is no export.
      if (expansion.refused[0]?.code === 'binary') continue;
      files.delete(key);
      const pathOf = (name: string): string => (name === '' ? found.path : `${found.path}/${name}`);
      for (const { name, location, bytes } of expansion.files) {
        const isNamed = found.isNamed && container !== 'zip';
        files.set(`${key}/${name}`, { path: pathOf(name), location, isNamed, bytes, container });
      }
      for (const { name, code, message } of expansion.refused) missing.push({ path: pathOf(name), code, message });
      const isOpened = expansion.refused.every(({ name }) => name !== '');
      if (container === 'zip' && found.isNamed && isOpened) folders.push(found.path);
      // A copy of standard input is of no use any more.
      if (found.location !== found.path) await rm(found.location, { force: true });
    } catch (error) {
      const { syscall } = error as NodeJS.ErrnoException;
      if (syscall !== 'open' && syscall !== 'read') throw error;
      files.delete(key);
      missing.push(missingInput(found.path, error));
    }
  }
}

/** Files below a folder. Links are not followed: they can lead out of it, or round in circles. */
async function filesBelow(folder: string, missing: MissingInput[]): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  const waiting = [folder];
  for (let current = waiting.pop(); current !== undefined; current = waiting.pop()) {
    try {
      for (const entry of await readdir(current, { withFileTypes: true })) {
        if (entry.name.startsWith('.')) continue;
        const path = join(current, entry.name);
        if (entry.isDirectory()) waiting.push(path);
        else if (entry.isFile()) found.push({ path, location: path, isNamed: false, bytes: (await stat(path)).size });
      }
    } catch (error) {
      missing.push(missingInput(current, error));
    }
  }
  return found;
}

/** What went wrong with a path, for a person. */
export function missingInput(path: string, error: unknown): MissingInput {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { path, code: 'not_found', message: 'it does not exist: check the name and the folder' };
  }
  const reason = code === 'EACCES' || code === 'EPERM' ? 'this user may not read it' : code || String(error);
  return { path, code: 'not_readable', message: `it cannot be read: ${reason}` };
}

/** Bytes asked of the operating system at once. */
const CHUNK_BYTES = 1 << 20;
/** The buffers of the last file: a folder of small files would spend its time on clearing new ones. */
const idleBuffers: Uint8Array[] = [];

/**
 * Reads a file from its start and hands out its chunks, in order; the next chunk is under way while
 * one is worked on, and a chunk may be modified. `take` answers false to stop. Returns the SHA-256 of
 * the bytes where it is asked for and the file was read to its end.
 */
export async function readChunks(
  location: PathLike,
  take: (chunk: Uint8Array) => boolean | Promise<boolean>,
  options: { sha256: boolean },
): Promise<string | null> {
  const hash = options.sha256 ? createHash('sha256') : null;
  const handle = await open(location, 'r');
  let current = idleBuffers.pop() ?? new Uint8Array(CHUNK_BYTES);
  let next = idleBuffers.pop() ?? new Uint8Array(CHUNK_BYTES);
  try {
    let position = 0;
    let length = (await handle.read(current, 0, CHUNK_BYTES, position)).bytesRead;
    while (length > 0) {
      position += length;
      const reading = handle.read(next, 0, CHUNK_BYTES, position);
      try {
        const chunk = current.subarray(0, length);
        hash?.update(chunk);
        const going = take(chunk);
        if (!(typeof going === 'boolean' ? going : await going)) return null;
      } finally {
        length = (await reading).bytesRead;
      }
      [current, next] = [next, current];
    }
    return hash?.digest('hex') ?? null;
  } finally {
    await handle.close();
    if (idleBuffers.length === 0) idleBuffers.push(current, next);
  }
}

/** Reads bytes by position without waiting for the event loop; keeps a bounded number of files open. */
export class PositionReader {
  readonly #locations: readonly string[];
  /** Open files, the one used longest ago first. */
  readonly #open = new Map<number, { descriptor: number; bytes: number }>();

  constructor(locations: readonly string[]) {
    this.#locations = locations;
  }

  /** Fills `target` from `offset` of file number `file`; the number of bytes read, less only at the end. */
  read(file: number, offset: number, target: Uint8Array): number {
    const { descriptor } = this.#file(file);
    let filled = 0;
    while (filled < target.length) {
      const length = readSync(descriptor, target, filled, target.length - filled, offset + filled);
      if (length === 0) break;
      filled += length;
    }
    return filled;
  }

  /** Size of a file in bytes. */
  size(file: number): number {
    return this.#file(file).bytes;
  }

  close(): void {
    for (const { descriptor } of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  #file(file: number): { descriptor: number; bytes: number } {
    let entry = this.#open.get(file);
    if (entry === undefined) {
      if (this.#open.size >= MAX_OPEN_FILES) {
        const [[oldest, { descriptor }]] = this.#open;
        closeSync(descriptor);
        this.#open.delete(oldest);
      }
      const descriptor = openSync(this.#locations[file], 'r');
      entry = { descriptor, bytes: fstatSync(descriptor).size };
    } else {
      this.#open.delete(file);
    }
    this.#open.set(file, entry);
    return entry;
  }
}

const MAX_OPEN_FILES = 32;

/** Whether a path lies in a folder, at any depth. */
export function isBelow(path: string, folder: string): boolean {
  const parent = resolve(folder);
  return resolve(path).startsWith(parent.endsWith(sep) ? parent : parent + sep);
}

/** A path without the folder it lies in, for messages that already name the folder. */
export function pathWithin(path: string, folder: string): string {
  return relative(folder, path);
}

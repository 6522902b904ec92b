/**
 * The archive: raw exports as they came, by tenant and SHA-256, for rescans and evidence. An export is
 * `TENANT/AB/SHA256.zst`, frames of a megabyte that can be read from the middle, and `SHA256.json` beside it,
 * which says what is known of it. Nothing that comes from outside is part of a path.
 */

import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { EnvelopeLayout } from '../../core/envelope.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { folderProblem, makeFolder, removeTemporaries, replaceFile, syncFolder } from './durable-file.ts';
import { fileNameOf } from './file-name.ts';
import { expectUnchanged, type OpenExport, openExport, readRange } from './open-export.ts';
import {
  compressFrame,
  encodeSeekTable,
  FRAME_BYTES,
  frameAt,
  readFrame,
  readSeekTable,
  SeekableProblem,
  type SeekTable,
} from './seekable-zstd.ts';

/** What is known of an archived export. */
export interface ArchivedExport {
  sha256: string;
  /** File name without folders, for people. */
  name: string;
  /** Decompressed. */
  bytes: number;
  /** First and last event time of its rows, RFC 3339; null where nobody has said. */
  first: string | null;
  last: string | null;
  layout: EnvelopeLayout | null;
}

export interface PutOptions {
  /** For people; the last part of the path by default. */
  name?: string;
  /** Where it is known already: an export that is there then costs nothing. */
  sha256?: string;
  /** Refuses symbolic links. */
  noFollow?: boolean;
  signal?: AbortSignal;
}

export interface Archive {
  /** Keeps an export; durable when it resolves. Nothing happens where it is kept already. */
  put(tenant: string, file: string, options?: PutOptions): Promise<{ sha256: string; isNew: boolean }>;
  /** Adds what reading an export has found. */
  describe(
    tenant: string,
    sha256: string,
    found: Partial<Pick<ArchivedExport, 'first' | 'last' | 'layout'>>,
  ): Promise<void>;
  /** Bytes `[offset, offset + length)`, fewer at the end of the export; at most 16 MiB at once. */
  read(tenant: string, sha256: string, offset: number, length: number): Promise<Uint8Array>;
  /** What is kept of a tenant, by SHA-256. */
  list(tenant: string): Promise<ArchivedExport[]>;
  /** Writes an export as it came to a new file, checked against its SHA-256. */
  extract(tenant: string, sha256: string, target: string, signal?: AbortSignal): Promise<void>;
}

const SHA_256 = /^[0-9a-f]{64}$/;
const LONGEST_READ_BYTES = 16_777_216;
/** Exports whose tables of frames are kept in memory. */
const MAX_TABLES = 64;

export function createArchive(folder: string): Archive {
  return new FolderArchive(folder);
}

class FolderArchive implements Archive {
  readonly #folder: string;
  /** By file, the one used longest ago first. */
  readonly #tables = new Map<string, SeekTable>();
  readonly #prepared = new Map<string, Promise<void>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(tenant: string, file: string, options: PutOptions = {}): Promise<{ sha256: string; isNew: boolean }> {
    if (options.sha256 !== undefined && (await this.#has(tenant, options.sha256))) {
      return { sha256: options.sha256, isNew: false };
    }
    const source = await openExport(file, options.noFollow === true);
    try {
      return await this.#keep(tenant, source, options);
    } catch (error) {
      const { syscall } = error as NodeJS.ErrnoException;
      throw syscall === undefined ? error : folderProblem(this.#folder, error);
    } finally {
      await source.handle.close();
    }
  }

  async describe(
    tenant: string,
    sha256: string,
    found: Partial<Pick<ArchivedExport, 'first' | 'last' | 'layout'>>,
  ): Promise<void> {
    const file = this.#place(tenant, sha256, 'json');
    const known = await readNote(file);
    if (known === null) throw notArchived(tenant, sha256);
    await replaceFile(file, [encodeNote({ ...known, ...found })]);
  }

  async read(tenant: string, sha256: string, offset: number, length: number): Promise<Uint8Array> {
    const file = this.#place(tenant, sha256, 'zst');
    let handle: FileHandle | null = null;
    try {
      handle = await open(file, 'r');
      const table = await this.#table(file, handle);
      const end = Math.min(offset + Math.min(length, LONGEST_READ_BYTES), table.plain[table.plain.length - 1]);
      if (offset >= end) return new Uint8Array(0);
      const bytes = new Uint8Array(end - offset);
      for (let frame = frameAt(table, offset); table.plain[frame] < end && frame < table.plain.length - 1; frame++) {
        const content = await readFrame(handle, table, frame);
        const start = table.plain[frame];
        const part = content.subarray(Math.max(0, offset - start), Math.min(content.length, end - start));
        bytes.set(part, Math.max(0, start - offset));
      }
      return bytes;
    } catch (error) {
      throw readingProblem(tenant, sha256, file, error);
    } finally {
      await handle?.close();
    }
  }

  async list(tenant: string): Promise<ArchivedExport[]> {
    const root = this.#tenantFolder(tenant);
    const exports: ArchivedExport[] = [];
    for (const prefix of (await names(root)).sort()) {
      if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
      for (const name of (await names(path.join(root, prefix))).sort()) {
        const sha256 = name.replace(/\.json$/, '');
        if (!name.endsWith('.json') || !SHA_256.test(sha256)) continue;
        const note = await readNote(path.join(root, prefix, name));
        if (note !== null) exports.push({ ...note, sha256 });
      }
    }
    return exports;
  }

  async extract(tenant: string, sha256: string, target: string, signal?: AbortSignal): Promise<void> {
    const file = this.#place(tenant, sha256, 'zst');
    let handle: FileHandle | null = null;
    let output: FileHandle | null = null;
    try {
      handle = await open(file, 'r');
      const table = await this.#table(file, handle);
      output = await open(target, 'wx', 0o600);
      const hash = createHash('sha256');
      for (let frame = 0; frame < table.plain.length - 1; frame++) {
        signal?.throwIfAborted();
        const bytes = await readFrame(handle, table, frame);
        hash.update(bytes);
        await output.appendFile(bytes);
      }
      if (hash.digest('hex') !== sha256) throw new SeekableProblem('its content is not that of its SHA-256');
    } catch (error) {
      if (output !== null) await rm(target, { force: true });
      throw readingProblem(tenant, sha256, file, error);
    } finally {
      await output?.close();
      await handle?.close();
    }
  }

  async #keep(
    tenant: string,
    source: OpenExport,
    { name = path.basename(source.path), sha256: wanted, signal }: PutOptions,
  ): Promise<{ sha256: string; isNew: boolean }> {
    const root = this.#tenantFolder(tenant);
    await this.#prepare(root);
    const temporary = path.join(root, `.new-${process.pid}-${randomBytes(6).toString('hex')}`);
    try {
      const sha256 = await compressTo(temporary, source, signal);
      await expectUnchanged(source);
      if (wanted !== undefined && wanted !== sha256) throw changed(source.path);
      const isNew = !(await this.#has(tenant, sha256));
      if (isNew) {
        const file = this.#place(tenant, sha256, 'zst');
        await makeFolder(path.dirname(file));
        await rename(temporary, file);
        const note = { sha256, name, bytes: source.bytes, first: null, last: null, layout: null };
        // After the export: what has a note is complete.
        await syncFolder(path.dirname(file));
        await replaceFile(this.#place(tenant, sha256, 'json'), [encodeNote(note)]);
      }
      return { sha256, isNew };
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #prepare(root: string): Promise<void> {
    const prepared = this.#prepared.get(root) ?? makeFolder(root).then(() => removeTemporaries(root, true));
    this.#prepared.set(root, prepared);
    await prepared.catch((error) => {
      this.#prepared.delete(root);
      throw error;
    });
  }

  async #has(tenant: string, sha256: string): Promise<boolean> {
    if ((await readNote(this.#place(tenant, sha256, 'json'))) === null) return false;
    return (await stat(this.#place(tenant, sha256, 'zst')).catch(() => null))?.isFile() === true;
  }

  /** The table of an open export. What has that SHA-256 for its name never changes. */
  async #table(file: string, handle: FileHandle): Promise<SeekTable> {
    const table = this.#tables.get(file) ?? (await readSeekTable(handle));
    this.#tables.delete(file);
    this.#tables.set(file, table);
    if (this.#tables.size > MAX_TABLES) this.#tables.delete(this.#tables.keys().next().value as string);
    return table;
  }

  #tenantFolder(tenant: string): string {
    return path.join(this.#folder, fileNameOf(tenant));
  }

  #place(tenant: string, sha256: string, ending: 'zst' | 'json'): string {
    if (!SHA_256.test(sha256)) throw new RangeError('no SHA-256');
    return path.join(this.#tenantFolder(tenant), sha256.slice(0, 2), `${sha256}.${ending}`);
  }
}

/** Compresses an export to a new file, down to the disk; its SHA-256. */
async function compressTo(file: string, source: OpenExport, signal: AbortSignal | undefined): Promise<string> {
  const output = await open(file, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    const sizes: number[] = [];
    const frame = new Uint8Array(FRAME_BYTES);
    let filled = 0;
    const flush = async (): Promise<void> => {
      const compressed = await compressFrame(frame.subarray(0, filled));
      await output.appendFile(compressed);
      sizes.push(compressed.length, filled);
      filled = 0;
    };
    await readRange(source, 0, source.bytes, async (chunk) => {
      signal?.throwIfAborted();
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + FRAME_BYTES - filled);
        frame.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === FRAME_BYTES) await flush();
      }
    });
    if (filled > 0) await flush();
    await output.appendFile(encodeSeekTable(sizes));
    await output.sync();
    return hash.digest('hex');
  } finally {
    await output.close();
  }
}

function encodeNote(note: ArchivedExport): Buffer {
  return Buffer.from(`${JSON.stringify(note)}\n`);
}

/** Null where there is none, or none that can be read: the export is then kept once more. */
async function readNote(file: string): Promise<ArchivedExport | null> {
  const text = await readFile(file, 'utf8').catch(() => '');
  try {
    const { sha256, name, bytes, first, last, layout } = JSON.parse(text) as ArchivedExport;
    return { sha256, name, bytes, first, last, layout };
  } catch {
    return null;
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw folderProblem(folder, error);
  });
}

function readingProblem(tenant: string, sha256: string, file: string, error: unknown): unknown {
  const { code, path: missing } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && missing === file) return notArchived(tenant, sha256);
  if (!(error instanceof SeekableProblem)) return error;
  return new RelaywatchError({
    code: 'archive_damaged',
    message: `${file} is damaged: ${error.message}`,
    hint: 'delete it and submit the export again, or restore it from a backup',
    cause: error,
  });
}

function notArchived(tenant: string, sha256: string): RelaywatchError {
  return new RelaywatchError({
    code: 'not_archived',
    message: `the archive of ${tenant} has no export ${sha256}`,
    hint: 'submit the export again, or restore the archive from a backup',
  });
}

function changed(file: string): RelaywatchError {
  return new RelaywatchError({
    code: 'file_changed',
    message: `${file} is not the file that was to be archived`,
    hint: 'hand it over again',
  });
}

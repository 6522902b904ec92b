/**
 * What a topic of records brought, in the archive: files of one hour, one record a line, each an export of its own.
 * Records are on the disk before the topic is told that they were read; a file goes to the archive when its hour is
 * over, or it is large. What a worker that was killed left is finished by the next one. A record may be in two files
 * then: rescans merge them. Records of the current hour are in no archive yet.
 */

import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Archive } from '../../adapters/file/archive.ts';
import { makeFolder } from '../../adapters/file/durable-file.ts';
import { formatTime, HOUR_MS } from '../../core/calendar.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { isLeftBehind, processMark } from '../rescan/work-folder.ts';

export interface RecordArchiveOptions {
  archive: Pick<Archive, 'put'>;
  /** Folder of the archive; files that are being filled lie below it. */
  folder: string;
  tenant: string;
  topic: string;
  /** Wall time in milliseconds. */
  now: () => number;
}

/** One file that is being filled. */
interface Piece {
  file: string;
  handle: FileHandle;
  hour: number;
  bytes: number;
}

/** No tenant's folder in an archive begins with a dot. */
const FOLDER = '.records';
/** `MACHINE-PROCESS-NUMBER-` and what it is called in the archive. */
const PIECE = /^([0-9a-f]{8})-(\d+)-\d+-(.+)$/;
const LARGEST_BYTES = 67_108_864;
/** A file of another machine that did not change for so long is nobody's: they change for an hour at most. */
const LEFT_AFTER_MS = 2 * HOUR_MS;
const LINE_FEED = 0x0a;
const READ_BYTES = 65_536;
/** Topics have up to 249 letters, names of files up to 255. */
const SHOWN_TOPIC = 100;

let pieces = 0;

export class RecordArchive {
  readonly #options: RecordArchiveOptions;
  readonly #folder: string;
  /** By partition and format. */
  readonly #open = new Map<string, Piece>();
  #nextLookMs = 0;
  /** Partitions are read at the same time, and files are theirs together. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(options: RecordArchiveOptions) {
    this.#options = options;
    this.#folder = path.join(options.folder, FOLDER, options.tenant);
  }

  /** Whole records of one format, each with its line break; on the disk when it resolves. */
  add(partition: number, format: string, lines: Uint8Array): Promise<void> {
    return this.#inTurn(() => this.#add(partition, format, lines));
  }

  /** To be called now and then: archives files whose hour is over, and those that others have left. */
  look(): Promise<void> {
    return this.#inTurn(() => this.#look());
  }

  /** Archives what there is. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      for (const [key, piece] of [...this.#open]) await this.#finish(key, piece);
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#before.then(work);
    this.#before = turn.catch(() => undefined);
    return turn;
  }

  async #add(partition: number, format: string, lines: Uint8Array): Promise<void> {
    const key = `${partition} ${format}`;
    const hour = Math.floor(this.#options.now() / HOUR_MS);
    let piece = this.#open.get(key);
    if (piece !== undefined && (piece.hour !== hour || piece.bytes + lines.length > LARGEST_BYTES)) {
      await this.#finish(key, piece);
      piece = undefined;
    }
    if (piece === undefined) {
      piece = await this.#begin(partition, format, hour);
      this.#open.set(key, piece);
    }
    // At its place: what a full disk took of an attempt before is written over.
    for (let at = 0; at < lines.length; ) {
      const { bytesWritten } = await piece.handle.write(lines, at, lines.length - at, piece.bytes + at);
      at += bytesWritten;
    }
    await piece.handle.datasync();
    piece.bytes += lines.length;
  }

  async #look(): Promise<void> {
    const nowMs = this.#options.now();
    if (nowMs < this.#nextLookMs) return;
    const hour = Math.floor(nowMs / HOUR_MS);
    for (const [key, piece] of [...this.#open]) if (piece.hour !== hour) await this.#finish(key, piece);
    await this.#finishLeft();
    this.#nextLookMs = (hour + 1) * HOUR_MS;
  }

  async #begin(partition: number, format: string, hour: number): Promise<Piece> {
    await makeFolder(this.#folder);
    const time = formatTime(hour * HOUR_MS).slice(0, 13);
    const name = `${this.#options.topic.slice(0, SHOWN_TOPIC)}-${partition}-${time}-${format}.ndjson`;
    const file = path.join(this.#folder, `${processMark()}-${pieces++}-${name}`);
    return { file, handle: await open(file, 'wx', 0o600), hour, bytes: 0 };
  }

  async #finish(key: string, { file, handle, bytes }: Piece): Promise<void> {
    this.#open.delete(key);
    await handle.truncate(bytes);
    await handle.close();
    if (bytes > 0) await this.#archive(file);
    else await rm(file, { force: true });
  }

  async #finishLeft(): Promise<void> {
    const own = new Set([...this.#open.values()].map(({ file }) => path.basename(file)));
    const found = await readdir(this.#folder).catch(() => []);
    for (const name of found) {
      const match = PIECE.exec(name);
      if (match === null || own.has(name)) continue;
      const file = path.join(this.#folder, name);
      if (!(await isLeftBehind(file, match[1], Number(match[2]), LEFT_AFTER_MS))) continue;
      if (await endWithLine(file)) await this.#archive(file);
    }
  }

  async #archive(file: string): Promise<void> {
    const { archive, tenant } = this.#options;
    const [, , , name] = PIECE.exec(path.basename(file)) as RegExpExecArray;
    try {
      await archive.put(tenant, file, { name });
    } catch (error) {
      // Another worker took it for left behind, and has archived it.
      if (error instanceof RelaywatchError && error.code === 'not_found') return;
      throw error;
    }
    await rm(file, { force: true });
  }
}

/** Cuts off the record in whose middle a worker was killed: it comes again. False where nothing is left. */
async function endWithLine(file: string): Promise<boolean> {
  const handle = await open(file, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (handle === null) return false;
  try {
    let end = (await handle.stat()).size;
    const bytes = new Uint8Array(READ_BYTES);
    while (end > 0) {
      const from = Math.max(0, end - READ_BYTES);
      const { bytesRead } = await handle.read(bytes, 0, end - from, from);
      const last = bytes.subarray(0, bytesRead).lastIndexOf(LINE_FEED);
      if (last >= 0) {
        await handle.truncate(from + last + 1);
        return true;
      }
      end = from;
    }
    await rm(file, { force: true });
    return false;
  } finally {
    await handle.close();
  }
}

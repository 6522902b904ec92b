/**
 * Exports inside gzip, zstd and ZIP files, written out to temporary files: an export is read twice and by
 * position, which compressed bytes do not allow. Names in archives are only shown, never opened. What is
 * written is bounded, whatever the archive claims of itself.
 */

import { type FileHandle, open, rm } from 'node:fs/promises';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { crc32, createGunzip, createZstdDecompress } from 'node:zlib';
import type { Entry, ZipFile } from 'yauzl';
import type { RefusalCode } from '../../core/outcome.ts';
import { isZstdMagic, zstdFrames } from './zstd-frames.ts';

export type ContainerKind = 'gzip' | 'zstd' | 'zip';

export interface ContainerCaps {
  /** Bytes that one container may expand to. */
  expandedBytes: number;
  /** Expanded bytes for each stored one; trace exports have 5 to 50. */
  ratio: number;
  /** The ratio is not looked at below: short repetitive exports have high ones. */
  ratioFromBytes: number;
  /** Files in a ZIP archive, frames of a zstd file. */
  entries: number;
}

export const CONTAINER_CAPS: ContainerCaps = {
  expandedBytes: 64 * 2 ** 30,
  ratio: 200,
  ratioFromBytes: 64 * 2 ** 20,
  entries: 65_536,
};

/** A file that was in a container. */
export interface ExpandedFile {
  /** Its name for people in a ZIP archive, without what could lead elsewhere; empty in gzip and zstd. */
  name: string;
  location: string;
  bytes: number;
}

/** A file of an archive that is refused, or the whole container where the name is empty. */
export interface RefusedEntry {
  name: string;
  code: RefusalCode;
  message: string;
}

export interface Expansion {
  files: ExpandedFile[];
  refused: RefusedEntry[];
}

/** Bytes of a file's head that tell a container; a tar archive is told by its 257th. */
const HEAD_BYTES = 512;
const INPUT_CHUNK_BYTES = 262_144;
const OUTPUT_CHUNK_BYTES = 262_144;
const GZIP_MAGIC = 0x8b1f;
const TAR_MAGIC = 'ustar';
const TAR_MAGIC_AT = 257;
/** Local file header, and the end of an archive without files. */
const ZIP_MAGICS = [0x04034b50, 0x06054b50];

/** Which container a file is, by its first bytes; null for any other file. */
export function containerOf(head: Uint8Array): ContainerKind | null {
  if (head.length < 4) return null;
  const magic = new DataView(head.buffer, head.byteOffset, head.length).getUint32(0, true);
  if ((magic & 0xffff) === GZIP_MAGIC) return 'gzip';
  if (isZstdMagic(magic)) return 'zstd';
  return ZIP_MAGICS.includes(magic) ? 'zip' : null;
}

/** The kind of container that a file is; null for any other file. Rejects with the error of the file system. */
export async function containerAt(location: string): Promise<ContainerKind | null> {
  const handle = await open(location, 'r');
  try {
    const head = new Uint8Array(4);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    return containerOf(head.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** What is wrong with a container or a file in it. */
class ContainerProblem extends Error {
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Writes out what is in a container, each file to a new one that `nextLocation` names. Does not reject for what
 * the container holds; errors of the file system go through, and leave files behind.
 */
export async function expandContainer(
  location: string,
  kind: ContainerKind,
  nextLocation: () => string,
  caps: ContainerCaps = CONTAINER_CAPS,
): Promise<Expansion> {
  const handle = await open(location, 'r');
  const expansion: Expansion = { files: [], refused: [] };
  try {
    const { size } = await handle.stat();
    const budget = new Budget(size, caps);
    if (kind === 'zip') await expandZip(location, budget, nextLocation, expansion);
    else {
      const target = nextLocation();
      expansion.files.push({ name: '', location: target, bytes: 0 });
      const bytes = kind === 'gzip' ? gunzipped(handle) : unzstded(handle, size, budget);
      expansion.files[0].bytes = await writeOut(bytes, target, budget);
    }
  } catch (error) {
    const { code, message } = problemOf(error);
    for (const file of expansion.files) await rm(file.location, { force: true });
    return { files: [], refused: [{ name: '', code, message }] };
  } finally {
    await handle.close();
  }
  return expansion;
}

/** The problem as one of the container; what is none is thrown again. */
function problemOf(error: unknown): ContainerProblem {
  if (error instanceof ContainerProblem) return error;
  const { syscall, message } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || error instanceof TypeError || syscall !== undefined) throw error;
  return new ContainerProblem('damaged_container', `it is damaged or cut (${message}): copy it again`);
}

/** What may still be written of a container. */
class Budget {
  readonly #storedBytes: number;
  readonly #caps: ContainerCaps;
  #expandedBytes = 0;
  #entries = 0;

  constructor(storedBytes: number, caps: ContainerCaps) {
    this.#storedBytes = storedBytes;
    this.#caps = caps;
  }

  takeBytes(bytes: number): void {
    const { expandedBytes, ratio, ratioFromBytes } = this.#caps;
    this.#expandedBytes += bytes;
    const isTooLong = this.#expandedBytes > expandedBytes;
    const isTooDense = this.#expandedBytes > ratioFromBytes && this.#expandedBytes > ratio * this.#storedBytes;
    if (!isTooLong && !isTooDense) return;
    const limit = isTooLong ? `${expandedBytes} bytes` : `${ratio} times its own size`;
    throw new ContainerProblem(
      'container_too_large',
      `it expands to more than ${limit}, which no trace export does: if it is one, unpack it first`,
    );
  }

  takeEntry(): void {
    if (++this.#entries <= this.#caps.entries) return;
    throw new ContainerProblem(
      'container_too_large',
      `it holds more than ${this.#caps.entries} files: unpack it first`,
    );
  }
}

function gunzipped(handle: FileHandle): Readable {
  return through(
    handle.createReadStream({ start: 0, autoClose: false, highWaterMark: INPUT_CHUNK_BYTES }),
    createGunzip({ chunkSize: OUTPUT_CHUNK_BYTES }),
  );
}

async function* unzstded(handle: FileHandle, size: number, budget: Budget): AsyncGenerator<Buffer> {
  for await (const { start, end } of zstdFrames(handle, size)) {
    budget.takeEntry();
    yield* through(
      handle.createReadStream({ start, end: end - 1, autoClose: false, highWaterMark: INPUT_CHUNK_BYTES }),
      createZstdDecompress({ chunkSize: OUTPUT_CHUNK_BYTES }),
    );
  }
}

/** The output of a decompressor, which fails where its input does, and ends its input where it is left. */
function through(input: Readable, decompressor: Transform): Readable {
  pipeline(input, decompressor, () => undefined);
  return decompressor;
}

/** Writes bytes to a new file and returns how many they are; `note` is told of each part. */
async function writeOut(
  parts: AsyncIterable<Buffer>,
  location: string,
  budget: Budget,
  note: (part: Buffer) => void = () => undefined,
): Promise<number> {
  const target = await open(location, 'wx', 0o600);
  let bytes = 0;
  let head: Buffer | null = Buffer.alloc(0);
  try {
    for await (const part of parts) {
      budget.takeBytes(part.length);
      note(part);
      bytes += part.length;
      if (head !== null) {
        head = Buffer.concat([head, part.subarray(0, HEAD_BYTES)]);
        expectNoContainer(head);
        if (head.length >= HEAD_BYTES) head = null;
      }
      await target.appendFile(part);
    }
  } finally {
    await target.close();
  }
  return bytes;
}

function expectNoContainer(head: Buffer): void {
  const inner = containerOf(head);
  const isTar = head.toString('latin1', TAR_MAGIC_AT, TAR_MAGIC_AT + TAR_MAGIC.length) === TAR_MAGIC;
  if (inner === null && !isTar) return;
  const what = isTar ? 'tar' : inner;
  throw new ContainerProblem('nested_container', `it is a ${what} archive inside another: unpack the outer one first`);
}

async function expandZip(
  archive: string,
  budget: Budget,
  nextLocation: () => string,
  expansion: Expansion,
): Promise<void> {
  const yauzl = await import('yauzl');
  const zip = await yauzl.openPromise(archive, { autoClose: false, lazyEntries: true, decodeStrings: false });
  const names = new Set<string>();
  try {
    for await (const entry of zip.eachEntry()) {
      budget.takeEntry();
      const extra = yauzl.parseExtraFields(entry.extraFieldRaw);
      const stored = yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, extra, false);
      if (stored === '[Content_Types].xml') {
        throw new ContainerProblem('binary', 'it is an Office document: save the sheet as CSV UTF-8');
      }
      const name = nameForPeople(stored);
      if (stored.endsWith('/') || isHidden(name)) continue;
      const shown = unusedName(name, names);
      const location = nextLocation();
      expansion.files.push({ name: shown, location, bytes: 0 });
      try {
        expansion.files[expansion.files.length - 1].bytes = await writeEntry(zip, entry, location, budget);
      } catch (error) {
        const { code, message } = problemOf(error);
        // Its bounds are those of the archive: the rest would only be more of it.
        if (code === 'container_too_large') throw error;
        await rm(location, { force: true });
        expansion.files.pop();
        expansion.refused.push({ name: shown, code, message });
      }
    }
  } finally {
    zip.close();
  }
}

async function writeEntry(zip: ZipFile, entry: Entry, location: string, budget: Budget): Promise<number> {
  if (entry.isEncrypted()) {
    throw new ContainerProblem('locked_container', 'it is protected with a password: unpack it first');
  }
  if (!entry.canDecodeFileData()) {
    const method = `method ${entry.compressionMethod}`;
    throw new ContainerProblem('locked_container', `it is compressed in a rare way (${method}): unpack it first`);
  }
  let checksum = 0;
  const bytes = await writeOut(await zip.openReadStreamPromise(entry), location, budget, (part) => {
    checksum = crc32(part, checksum);
  });
  if (checksum !== entry.crc32) throw new Error('its checksum is wrong');
  return bytes;
}

const LONGEST_NAME = 200;

/** `../../etc/passwd` and `C:\\a.csv` are shown as `etc/passwd` and `C:/a.csv`. */
function nameForPeople(stored: string): string {
  const parts = stored.split(/[\\/]/).filter((part) => part !== '' && part !== '.' && part !== '..');
  return parts.join('/').replaceAll(/\p{C}/gu, '?').slice(-LONGEST_NAME) || 'unnamed';
}

/** What archivers add for themselves, and hidden files, are left out as in folders. */
function isHidden(name: string): boolean {
  return name.split('/').some((part) => part.startsWith('.') || part === '__MACOSX');
}

/** Archives may hold the same name twice. */
function unusedName(name: string, names: Set<string>): string {
  let free = name;
  for (let number = 2; names.has(free); number++) free = `${name} (${number})`;
  names.add(free);
  return free;
}

/**
 * Checkpoints in a folder: of each key a folder with `claim`, `manifest` and the parts.
 *
 * Every file is written beside its place, brought to the disk and renamed, so a crash leaves the old one or the
 * new one. Two stores of one process may be at odds over a key, as a worker and its successor are: comparing
 * and renaming happens without a pause in between. Other processes are kept away by `lockFolder`.
 */

import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, renameSync } from 'node:fs';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type CheckpointStore, Fenced, type StoredManifest } from '../../core/checkpoint.ts';
import { decodeFrame, encodeFrame, isDamagedPart } from '../../core/checkpoint-codec.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { folderProblem, makeFolder, removeTemporaries, syncFolder, writeTemporary } from './durable-file.ts';

export { type FolderLockOptions, lockFolder } from './folder-lock.ts';

const CLAIM = 'claim';
const MANIFEST = 'manifest';
const PART = 'part-';
/** File systems take names of 255 bytes. */
const NAME_CHARACTERS = 200;

interface Claim {
  generation: number;
  claimant: string;
}

export function createCheckpointFolder(folder: string): CheckpointStore {
  return new CheckpointFolder(folder);
}

class CheckpointFolder implements CheckpointStore {
  readonly #folder: string;
  readonly #claimant = randomUUID();
  readonly #generations = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  claim(key: string, generation: number): Promise<StoredManifest | null> {
    return this.#guarded(async () => {
      const folder = this.#folderOf(key);
      await makeFolder(folder);
      await removeTemporaries(folder);
      await this.#take(key, generation);
      this.#generations.set(key, generation);
      const file = path.join(folder, MANIFEST);
      const stored = await readIfThere(file);
      return stored === null ? null : decodeFrame('manifest', stored, file);
    });
  }

  save(key: string, generation: number, manifest: Uint8Array): Promise<void> {
    return this.#guarded(async () => {
      const folder = this.#folderOf(key);
      await makeFolder(folder);
      // Without a claim, or after an older one: the claim first, so that what was saved is never older than it.
      const held = readClaim(path.join(folder, CLAIM));
      if (held?.generation !== generation || held.claimant !== this.#claimant) await this.#take(key, generation);
      const frame = encodeFrame('manifest', generation, manifest);
      await this.#place(key, generation, [frame, manifest], MANIFEST);
    });
  }

  putPart(key: string, name: string, bytes: Uint8Array): Promise<void> {
    return this.#guarded(async () => {
      const folder = this.#folderOf(key);
      const file = path.join(folder, PART + fileName(name));
      await makeFolder(folder);
      const stored = await readIfThere(file);
      if (stored !== null && !isDamagedPart(stored, file)) return;
      const temporary = await writeTemporary(folder, [encodeFrame('part', 0, bytes), bytes]);
      await rename(temporary, file);
      await syncFolder(folder);
    });
  }

  part(key: string, name: string): Promise<Uint8Array | null> {
    return this.#guarded(async () => {
      const file = path.join(this.#folderOf(key), PART + fileName(name));
      const stored = await readIfThere(file);
      return stored === null ? null : decodeFrame('part', stored, file).bytes;
    });
  }

  keepParts(key: string, names: readonly string[]): Promise<void> {
    return this.#guarded(async () => {
      const folder = this.#folderOf(key);
      const kept = new Set(names.map((name) => PART + fileName(name)));
      await makeFolder(folder);
      for (const name of await readdir(folder)) {
        if (!name.startsWith(PART) || kept.has(name)) continue;
        // Before every file: the key may change hands in between.
        this.#check(key, this.#generations.get(key) ?? 0);
        await rm(path.join(folder, name), { force: true });
      }
      this.#check(key, this.#generations.get(key) ?? 0);
    });
  }

  async close(): Promise<void> {}

  #take(key: string, generation: number): Promise<void> {
    const claim: Claim = { generation, claimant: this.#claimant };
    return this.#place(key, generation, [Buffer.from(`${JSON.stringify(claim)}\n`)], CLAIM);
  }

  /** Puts a file in its place, unless another worker has the key. */
  async #place(key: string, generation: number, chunks: readonly Uint8Array[], name: string): Promise<void> {
    const folder = this.#folderOf(key);
    const temporary = await writeTemporary(folder, chunks);
    try {
      // Without waiting in between: nobody else of this process can claim the key here.
      this.#check(key, generation);
      renameSync(temporary, path.join(folder, name));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(folder);
  }

  #check(key: string, generation: number): void {
    const file = path.join(this.#folderOf(key), CLAIM);
    const held = readClaim(file);
    if (held === null) return;
    if (held.generation > generation || (held.generation === generation && held.claimant !== this.#claimant)) {
      throw new Fenced(`checkpoint ${key} in ${this.#folder} (generation ${held.generation})`);
    }
  }

  #folderOf(key: string): string {
    return path.join(this.#folder, `key-${fileName(key)}`);
  }

  async #guarded<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (error instanceof Fenced) throw error;
      throw folderProblem(this.#folder, error);
    }
  }
}

function readClaim(file: string): Claim | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const { generation, claimant } = JSON.parse(text);
    if (Number.isSafeInteger(generation) && typeof claimant === 'string') return { generation, claimant };
  } catch {
    // As below.
  }
  throw new RelaywatchError({
    code: 'checkpoint_damaged',
    message: `${file} is damaged: it does not say which generation has the checkpoint`,
    hint: 'Make sure that no other relaywatch uses this folder, delete the file, and start again.',
  });
}

async function readIfThere(file: string): Promise<Uint8Array | null> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Letters that every file system tells apart and allows; all others by the number of their bytes. */
function fileName(name: string): string {
  const safe = [...Buffer.from(name)]
    .map((byte) => (/[a-z0-9_-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16)}`))
    .join('');
  return safe.length <= NAME_CHARACTERS ? safe : `sha256%${createHash('sha256').update(name).digest('hex')}`;
}

/** Checkpoints in memory: for tests, and for runs that need none afterwards. */

import { type CheckpointStore, Fenced, type StoredManifest } from '../../core/checkpoint.ts';
import { decodeFrame, framed, isDamagedPart } from '../../core/checkpoint-codec.ts';

/** What one server would keep. Stores that share it are like processes that share a server. */
export type CheckpointMemory = Map<string, CheckpointCell>;

interface CheckpointCell {
  generation: number;
  /** The store that has it. */
  claimant: CheckpointStore | null;
  /** Framed, as the other stores keep them. */
  manifest: Uint8Array | null;
  parts: Map<string, Uint8Array>;
}

export function createMemoryCheckpoints(memory: CheckpointMemory = new Map()): CheckpointStore {
  const cellOf = (key: string): CheckpointCell => {
    const cell = memory.get(key) ?? { generation: -1, claimant: null, manifest: null, parts: new Map() };
    memory.set(key, cell);
    return cell;
  };
  const takeOver = (key: string, generation: number): CheckpointCell => {
    const cell = cellOf(key);
    if (cell.generation > generation || (cell.generation === generation && cell.claimant !== store)) {
      throw new Fenced(`checkpoint ${key} (generation ${cell.generation})`);
    }
    cell.generation = generation;
    cell.claimant = store;
    return cell;
  };
  const claimed = new Map<string, number>();
  const store: CheckpointStore = {
    async claim(key: string, generation: number): Promise<StoredManifest | null> {
      const { manifest } = takeOver(key, generation);
      claimed.set(key, generation);
      return manifest === null ? null : copyOf(decodeFrame('manifest', manifest, `checkpoint ${key}`));
    },
    async save(key, generation, manifest) {
      takeOver(key, generation).manifest = framed('manifest', generation, manifest);
    },
    async putPart(key, name, bytes) {
      const { parts } = cellOf(key);
      const stored = parts.get(name);
      if (stored === undefined || isDamagedPart(stored, name)) parts.set(name, framed('part', 0, bytes));
    },
    async part(key, name) {
      const stored = cellOf(key).parts.get(name);
      return stored === undefined
        ? null
        : decodeFrame('part', stored, `part ${name} of checkpoint ${key}`).bytes.slice();
    },
    async keepParts(key, names) {
      const { parts } = takeOver(key, claimed.get(key) ?? 0);
      for (const name of parts.keys()) if (!names.includes(name)) parts.delete(name);
    },
    async close() {},
  };
  return store;
}

function copyOf({ generation, bytes }: StoredManifest): StoredManifest {
  return { generation, bytes: bytes.slice() };
}

/** The seam to what survives a detector: checkpoints, a small manifest and the large parts that it names. */

export const CHECKPOINT_SCHEMA = 1;

/** A worker with a newer generation owns the partition: this one must stop at once, and has lost nothing. */
export class Fenced extends Error {
  constructor(what: string) {
    super(`${what} belongs to a newer generation`);
    this.name = 'Fenced';
  }
}

export interface StoredManifest {
  generation: number;
  bytes: Uint8Array;
}

/**
 * Keeps one manifest per key and any number of parts. Stores check a CRC of all they read and raise a
 * RelaywatchError (`checkpoint_damaged`, `checkpoint_newer`) that says what to do.
 */
export interface CheckpointStore {
  /**
   * Takes the key for `generation` and returns what is stored. Fenced where a newer generation has it, or another
   * worker the same one. Where what is stored is damaged, it is taken all the same: a rebuilt state can be saved.
   */
  claim(key: string, generation: number): Promise<StoredManifest | null>;
  /**
   * Durable when it resolves. Fenced where a newer generation has claimed or saved the key. RelaywatchError
   * `checkpoint_lost` where the server lost parts that it had taken: the worker starts again from what is stored.
   */
  save(key: string, generation: number, manifest: Uint8Array): Promise<void>;
  /**
   * Parts never change once they are put: of two under one name the first stays, so names come from the content or
   * hold the generation. Putting one again is no error, and heals one that is damaged.
   */
  putPart(key: string, name: string, bytes: Uint8Array): Promise<void>;
  part(key: string, name: string): Promise<Uint8Array | null>;
  /** Removes the parts of a key that are not named; after the manifest that does without them. Fenced as `save` is. */
  keepParts(key: string, names: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

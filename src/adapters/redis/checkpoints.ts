/**
 * Checkpoints in Redis.
 *
 * What Redis may lose: with `appendfsync everysec` a crash of its machine takes the last second or two, and so may
 * kill -9 of the server, which answers before it writes while an fsync is under way (aof.c). What is
 * left is always a state that was: the append-only file is cut at its end, never in the middle, and
 * everything here is written so that every beginning of it is consistent. A part is complete before a manifest
 * names it, a part is removed after the manifest that did without it, and each script is in the file as a whole.
 * So an older manifest comes back with all of its parts, and the worker reads the log from there.
 *
 * The worker that goes on through such a loss believes in parts that are gone. Therefore every save says which
 * parts it counts on, and is refused where one is missing (`checkpoint_lost`): the worker starts again from what
 * is stored. A claim that was lost is renewed by the next save; an older worker that saved in between is
 * overwritten, and what it wrote was consistent too.
 */

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type CheckpointStore, Fenced, type StoredManifest } from '../../core/checkpoint.ts';
import { decodeFrame, framed, framedLength, isDamagedPart } from '../../core/checkpoint-codec.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { RedisLink } from './link.ts';
import { CLAIM, KEEP_PARTS, SAVE } from './scripts.ts';
import type { RedisOptions, RedisSettings } from './settings.ts';

/** A value of this size keeps the server busy for some ten milliseconds; larger ones are cut. */
const SHARD_BYTES = 32 * 1_048_576;

/** What this process knows of a checkpoint that it claimed. */
interface Claim {
  generation: number;
  /** Parts that were there when it was claimed or have been put since, and were not given up. */
  parts: Set<string>;
}

export function createRedisCheckpoints(settings: RedisSettings, options: RedisOptions = {}): CheckpointStore {
  return new RedisCheckpoints(settings, options);
}

class RedisCheckpoints implements CheckpointStore {
  readonly #link: RedisLink;
  readonly #prefix: string;
  /** Tells this process from another one that claims the same generation. */
  readonly #claimant = randomUUID();
  readonly #claims = new Map<string, Claim>();
  #order = 0;

  constructor(settings: RedisSettings, options: RedisOptions) {
    this.#link = new RedisLink(settings, options);
    this.#prefix = `${settings.prefix}:checkpoint`;
  }

  async claim(key: string, generation: number): Promise<StoredManifest | null> {
    const where = this.#where(key);
    const answer = await this.#evaluate(`Claiming ${where}`, CLAIM, key, generation, []);
    if (answer.state === 0) throw fenced(where, answer.value);
    this.#claims.set(key, { generation, parts: new Set(answer.rest.map(String)) });
    return answer.value === null ? null : decodeFrame('manifest', answer.value, where);
  }

  async save(key: string, generation: number, manifest: Uint8Array): Promise<void> {
    const where = this.#where(key);
    const claim = this.#claimOf(key, generation);
    const order = String(++this.#order);
    const bytes = asBuffer(framed('manifest', generation, manifest));
    const answer = await this.#evaluate(`Saving ${where}`, SAVE, key, generation, [order, bytes, ...claim.parts]);
    if (answer.state === 0) throw fenced(where, answer.value);
    if (answer.state === 2) throw this.#lost(where, String(answer.value));
  }

  async putPart(key: string, name: string, bytes: Uint8Array): Promise<void> {
    const where = this.#where(key, name);
    const stored = await this.#readPart(where, key, name);
    if (stored === null || isDamagedPart(stored, where)) {
      await this.#link.call(`Storing ${where}`, (client) => this.#writePart(client, key, name, bytes));
    }
    this.#claims.get(key)?.parts.add(name);
  }

  async part(key: string, name: string): Promise<Uint8Array | null> {
    const where = this.#where(key, name);
    const stored = await this.#readPart(where, key, name);
    return stored === null ? null : decodeFrame('part', stored, where).bytes;
  }

  async keepParts(key: string, names: readonly string[]): Promise<void> {
    const where = this.#where(key);
    const claim = this.#claims.get(key);
    const answer = await this.#evaluate(`Clearing up ${where}`, KEEP_PARTS, key, claim?.generation ?? 0, names);
    if (answer.state === 0) throw fenced(where, answer.value);
    if (claim !== undefined) claim.parts = new Set(names.filter((name) => claim.parts.has(name)));
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  /** A save without a claim is one of a worker that has not looked at what is stored: it counts on no parts. */
  #claimOf(key: string, generation: number): Claim {
    const claim = this.#claims.get(key);
    return claim?.generation === generation ? claim : { generation, parts: new Set() };
  }

  async #writePart(client: Redis, key: string, name: string, bytes: Uint8Array): Promise<void> {
    const whole = asBuffer(framed('part', 0, bytes));
    const shards = Math.ceil(whole.length / SHARD_BYTES);
    // Listed before anything of it is there, so that it is removed with all that it left, whatever happens; and
    // the first shard, which says how long it is, comes last.
    await client.hset(`${this.#start(key)}:parts`, name, String(shards));
    for (let shard = shards - 1; shard >= 0; shard--) {
      await client.set(
        `${this.#shardStart(key)}${name}:${shard}`,
        whole.subarray(shard * SHARD_BYTES, (shard + 1) * SHARD_BYTES),
      );
    }
  }

  #readPart(where: string, key: string, name: string): Promise<Uint8Array | null> {
    const start = `${this.#shardStart(key)}${name}:`;
    return this.#link.call(`Reading ${where}`, async (client) => {
      const shards: Buffer[] = [];
      for (let shard = 0, count = 1; shard < count; shard++) {
        const bytes = await client.getBuffer(`${start}${shard}`);
        if (bytes === null) break;
        shards.push(bytes);
        // A full first shard says how many there are. If its length is damaged, what is read is refused.
        if (shard === 0 && bytes.length === SHARD_BYTES) count = Math.ceil((framedLength(bytes) ?? 0) / SHARD_BYTES);
      }
      if (shards.length === 0) return null;
      return shards.length === 1 ? shards[0] : Buffer.concat(shards);
    });
  }

  async #evaluate(
    what: string,
    script: string,
    key: string,
    generation: number,
    rest: readonly (string | Buffer)[],
  ): Promise<Answer> {
    const keys = [`${this.#start(key)}:manifest`, `${this.#start(key)}:parts`];
    const values = [String(generation), this.#claimant, this.#shardStart(key), ...rest];
    const [state, value = null, ...others] = await this.#link.call(
      what,
      (client) => client.callBuffer('EVAL', script, keys.length, ...keys, ...values) as Promise<[number, ...Buffer[]]>,
    );
    return { state, value, rest: others };
  }

  /** In braces is what a cluster places keys by: all of a checkpoint are on one node. */
  #start(key: string): string {
    return `${this.#prefix}:{${encodeURIComponent(key)}}`;
  }

  #shardStart(key: string): string {
    return `${this.#start(key)}:part:`;
  }

  #where(key: string, name: string | null = null): string {
    return name === null ? `checkpoint ${key} in Redis` : `part ${name} of checkpoint ${key} in Redis`;
  }

  #lost(where: string, name: string): RelaywatchError {
    return new RelaywatchError({
      code: 'checkpoint_lost',
      message: `${where}: ${this.#link.place} no longer has part ${name}, which it had taken: it lost its last writes`,
      hint: 'Start the worker again: it goes on from the checkpoint that is stored. Look why Redis was restarted, and that it keeps an append-only file.',
    });
  }
}

interface Answer {
  state: number;
  value: Buffer | null;
  rest: Buffer[];
}

function fenced(where: string, generation: Buffer | null): Fenced {
  return new Fenced(`${where} (generation ${generation})`);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

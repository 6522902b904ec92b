/**
 * An envelope log in memory, with consumer groups as Kafka has them: a partition has one member of a
 * group at a time, members that come and go make partitions move, each move is a newer generation. Unlike
 * Kafka, a partition moves only when the calls for it have ended, unless its member is expelled.
 */

import { crc32 } from 'node:zlib';
import { Fenced } from '../../core/checkpoint.ts';
import type { Envelope } from '../../core/envelope.ts';
import { decodeEnvelope, encodeEnvelope } from '../../core/envelope-codec.ts';
import type { EnvelopeSink, EnvelopeSource, LogEntry, PartitionHandler } from '../../core/envelope-log.ts';
import { RelaywatchError } from '../../core/outcome.ts';

export interface MemoryLog {
  sink(): EnvelopeSink;
  /** A member of that group. */
  source(group: string): MemorySource;
  /** The partition that a tenant's envelopes are in. */
  partitionOf(tenant: string): number;
  /** Appends bytes that need be no envelope. */
  append(partition: number, header: Uint8Array, body: Uint8Array): void;
  /** Forgets the entries before an offset, as retention does. */
  truncate(partition: number, before: number): void;
  /** The offset after the last entry. */
  end(partition: number): number;
}

export interface MemorySource extends EnvelopeSource {
  /**
   * Gives the partitions to others although calls for them may be under way, as Kafka does with a member
   * that was silent for longer than the session timeout. The member comes back as a new one.
   */
  expel(): void;
}

export interface MemoryLogOptions {
  now?: () => number;
  /** How long nothing arrives before `idle` is called, milliseconds. */
  idleMs?: number;
  /** The most entries handed over at once. */
  batchEntries?: number;
}

interface Stored {
  offset: number;
  appendedMs: number;
  header: Uint8Array;
  body: Uint8Array;
}

/** What a member does with one of its partitions, until it is stopped. */
interface Ownership {
  partition: number;
  generation: number;
  stop: AbortController;
  /** Resolves when the calls for the partition have ended. */
  ended: Promise<void>;
}

interface Member {
  owned: Map<number, Ownership>;
  own(partition: number, generation: number): Ownership;
  /** Resolves when it is expelled: nobody waits for its calls any more. */
  expelled: PromiseWithResolvers<void>;
}

export function createMemoryLog(partitions: number, options: MemoryLogOptions = {}): MemoryLog {
  const now = options.now ?? Date.now;
  const logs = Array.from({ length: partitions }, () => new Partition());
  const groups = new Map<string, Group>();
  const partitionOf = (tenant: string) => crc32(tenant) % partitions;

  return {
    partitionOf,
    append: (partition, header, body) => logs[partition].append(now(), header, body),
    truncate: (partition, before) => logs[partition].truncate(before),
    end: (partition) => logs[partition].end,
    sink: () =>
      new MemorySink((envelope) => {
        const { header, body } = encodeEnvelope(envelope);
        logs[partitionOf(envelope.header.tenant)].append(now(), header, body);
      }),
    source(name) {
      const group = groups.get(name) ?? new Group(partitions);
      groups.set(name, group);
      return new GroupMember(group, logs, { now, idleMs: 1_000, batchEntries: 100, ...options });
    },
  };
}

class MemorySink implements EnvelopeSink {
  readonly #append: (envelope: Envelope) => void;

  constructor(append: (envelope: Envelope) => void) {
    this.#append = append;
  }

  async send(envelopes: readonly Envelope[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    for (const envelope of envelopes) this.#append(envelope);
  }

  async close(): Promise<void> {}
}

class Partition {
  #entries: Stored[] = [];
  #start = 0;
  #waiting: (() => void)[] = [];

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#start + this.#entries.length;
  }

  append(appendedMs: number, header: Uint8Array, body: Uint8Array): void {
    this.#entries.push({ offset: this.end, appendedMs, header, body });
    for (const wake of this.#waiting.splice(0)) wake();
  }

  truncate(before: number): void {
    const removed = Math.min(Math.max(before - this.#start, 0), this.#entries.length);
    this.#entries.splice(0, removed);
    this.#start += removed;
  }

  read(offset: number, count: number): Stored[] {
    return this.#entries.slice(offset - this.#start, offset - this.#start + count);
  }

  /** Resolves when an entry is appended, after that time, or when `signal` aborts. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#waiting = this.#waiting.filter((one) => one !== done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done);
      this.#waiting.push(done);
    });
  }
}

/** Who of a group has which partition. */
class Group {
  readonly #partitions: number;
  readonly #members: Member[] = [];
  #generation = 0;
  /** Moves happen one after the other. */
  #moving: Promise<void> = Promise.resolve();

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  join(member: Member): Promise<void> {
    this.#members.push(member);
    return this.#rebalance();
  }

  /** Its partitions go to others when their calls have ended; at once where it is expelled. */
  leave(member: Member, expelled: boolean): Promise<void> {
    const place = this.#members.indexOf(member);
    if (place >= 0) this.#members.splice(place, 1);
    if (expelled) member.expelled.resolve();
    const left = [...member.owned.values()].map((owned) => release(member, owned));
    return this.#rebalance(left);
  }

  #rebalance(leaving: Promise<void>[] = []): Promise<void> {
    const move = async () => {
      await Promise.all(leaving);
      const wanted = Array.from(
        { length: this.#partitions },
        (_, partition) => this.#members[partition % this.#members.length],
      );
      const moving: Promise<void>[] = [];
      for (const member of this.#members) {
        for (const owned of member.owned.values()) {
          if (wanted[owned.partition] === member) continue;
          moving.push(release(member, owned));
        }
      }
      await Promise.all(moving);
      this.#generation++;
      for (const [partition, member] of wanted.entries()) {
        // It may have left while the others ended their calls: then the next move is waiting already.
        if (member === undefined || !this.#members.includes(member) || member.owned.has(partition)) continue;
        member.owned.set(partition, member.own(partition, this.#generation));
      }
    };
    this.#moving = this.#moving.then(move);
    return this.#moving;
  }
}

/** Takes a partition away; resolves when nobody need wait for its calls any more. */
function release(member: Member, owned: Ownership): Promise<void> {
  owned.stop.abort();
  member.owned.delete(owned.partition);
  return Promise.race([owned.ended, member.expelled.promise]);
}

class GroupMember implements MemorySource {
  lastProgressMs: number;
  readonly #group: Group;
  readonly #logs: readonly Partition[];
  readonly #options: Required<MemoryLogOptions>;
  #member: Member | null = null;
  /** Joins the group as a new member, while it runs. */
  #join: (() => void) | null = null;

  constructor(group: Group, logs: readonly Partition[], options: Required<MemoryLogOptions>) {
    this.#group = group;
    this.#logs = logs;
    this.#options = options;
    this.lastProgressMs = options.now();
  }

  expel(): void {
    if (this.#member === null) return;
    void this.#group.leave(this.#member, true);
    this.#join?.();
  }

  async run(handler: PartitionHandler, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const calls = new Map<number, Promise<void>>();
    const failed = Promise.withResolvers<void>();
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const join = () => {
      const own = (partition: number, generation: number): Ownership => {
        const stop = new AbortController();
        // What is under way for the partition from before it was expelled comes first.
        const before = calls.get(partition) ?? Promise.resolve();
        const consume = () => this.#consume(handler, partition, generation, stop.signal);
        const ended = before.then(consume).catch((error) => {
          if (error instanceof Fenced && this.#member === member) this.expel();
          else if (!(error instanceof Fenced)) failed.reject(error);
        });
        calls.set(partition, ended);
        return { partition, generation, stop, ended };
      };
      const member: Member = { owned: new Map(), own, expelled: Promise.withResolvers() };
      this.#member = member;
      void this.#group.join(member);
    };
    this.#join = join;
    join();
    try {
      await Promise.race([stopped, failed.promise]);
    } finally {
      this.#join = null;
      await this.#group.leave(this.#member as unknown as Member, false);
      this.#member = null;
      await Promise.all(calls.values());
    }
  }

  async #consume(handler: PartitionHandler, partition: number, generation: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      const start = await handler.assigned(partition, generation);
      await this.#follow(handler, partition, generation, start, signal);
    } finally {
      await handler.revoked(partition);
    }
  }

  async #follow(
    handler: PartitionHandler,
    partition: number,
    generation: number,
    start: number | null,
    signal: AbortSignal,
  ): Promise<void> {
    const { idleMs, batchEntries, now } = this.#options;
    const log = this.#logs[partition];
    let position = start ?? log.start;
    while (!signal.aborted) {
      this.lastProgressMs = now();
      if (position < log.start || position > log.end) {
        const found = log.start;
        await handler.gap(partition, position, found);
        position = found;
      } else if (position < log.end) {
        const stored = log.read(position, batchEntries);
        position += stored.length;
        await handler.entries(partition, generation, stored.map(readEntry), log.end);
      } else {
        await log.wait(idleMs, signal);
        if (position === log.end && !signal.aborted) await handler.idle(partition, generation);
      }
    }
  }
}

function readEntry({ offset, appendedMs, header, body }: Stored): LogEntry {
  try {
    return { offset, appendedMs, envelope: decodeEnvelope(header, body), problem: null, bytes: body };
  } catch (error) {
    if (!(error instanceof RelaywatchError) || error.code === 'envelope_newer') throw error;
    return { offset, appendedMs, envelope: null, problem: error.message, bytes: body };
  }
}

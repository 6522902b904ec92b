/** The calls of the handler: one after the other for a partition, none while the group is shared out anew. */

import type { PartitionHandler } from '../../core/envelope-log.ts';
import { type EntryOf, type MessageRun, slicesOf } from './batch.ts';

/** Lets calls begin, or holds them back. */
export class Gate {
  #closed: PromiseWithResolvers<void> | null = null;
  readonly #running = new Set<Promise<unknown>>();

  /** Makes the call when the gate is open. */
  async pass(call: () => Promise<void>): Promise<void> {
    while (this.#closed !== null) await this.#closed.promise;
    const running = call();
    this.#running.add(running);
    try {
      await running;
    } finally {
      this.#running.delete(running);
    }
  }

  close(): void {
    this.#closed ??= Promise.withResolvers();
  }

  open(): void {
    this.#closed?.resolve();
    this.#closed = null;
  }

  /** Resolves when the calls under way have ended (true), or after that time (false). */
  async quiet(timeoutMs: number): Promise<boolean> {
    const ended = Promise.allSettled(this.#running).then(() => true);
    return (await endedWithin(ended, timeoutMs)) ?? false;
  }
}

/** What the promise resolves to; null where it takes longer than that time. */
export async function endedWithin<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, null);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A partition as ours, from one assignment to its end. */
export interface Ownership {
  readonly generation: number;
  /** The next offset to fetch; null until the handler and the log have said where to begin. */
  position: number | null;
  /** The end of the log as last seen. */
  end: number;
  released: boolean;
  /** When something was last handed over or said, milliseconds. */
  lastMs: number;
}

export interface LaneHooks {
  now(): number;
  /** What messages are as entries; envelopes unless said. */
  entryOf?: EntryOf;
  /** A call failed: the work ends, or begins anew. */
  failed(error: unknown): void;
  /** The handler is done with everything before that offset. */
  done(partition: number, offset: number): void;
}

/** One partition, whether it is ours or not: the calls of a former ownership end before those of the next begin. */
export class Lane {
  readonly partition: number;
  ownership: Ownership | null = null;
  readonly #handler: PartitionHandler;
  readonly #gate: Gate;
  readonly #hooks: LaneHooks;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(partition: number, handler: PartitionHandler, gate: Gate, hooks: LaneHooks) {
    this.partition = partition;
    this.#handler = handler;
    this.#gate = gate;
    this.#hooks = hooks;
  }

  get isBusy(): boolean {
    return this.#waiting > 0;
  }

  /** Resolves when the calls so far have ended. */
  get quiet(): Promise<void> {
    return this.#last;
  }

  /** The partition is ours: resolves to where the handler wants to begin. */
  async take(generation: number): Promise<{ owned: Ownership; start: number | null }> {
    const owned = { generation, position: null, end: 0, released: false, lastMs: this.#hooks.now() };
    this.ownership = owned;
    let start: number | null = null;
    await this.#call(owned, async () => {
      this.#told = owned;
      start = await this.#handler.assigned(this.partition, generation);
    });
    return { owned, start };
  }

  /** The ownership of which the handler knows. */
  #told: Ownership | null = null;

  /** The partition is not ours any more; what was not begun will not be. */
  release(): void {
    const owned = this.ownership;
    if (owned === null) return;
    owned.released = true;
    this.ownership = null;
    void this.#queue(async () => {
      if (this.#told !== owned) return;
      this.#told = null;
      await this.#handler.revoked(this.partition);
    });
  }

  /** Hands over what was fetched; resolves when all of it is dealt with. */
  async hand(owned: Ownership, runs: readonly MessageRun[]): Promise<void> {
    const end = owned.end;
    for (const { gap, messages } of runs) {
      if (gap !== null) await this.gap(owned, gap.expected, gap.found);
      const slices = slicesOf(messages, this.#hooks.entryOf);
      for (let more = true; more && !owned.released; ) {
        await this.#call(owned, async () => {
          const next = slices.next();
          more = next.done !== true;
          if (next.done === true) return;
          const done = await this.#handler.entries(this.partition, owned.generation, next.value, end);
          owned.lastMs = this.#hooks.now();
          if (done !== null) this.#hooks.done(this.partition, done);
        });
      }
    }
  }

  gap(owned: Ownership, expected: number, found: number): Promise<void> {
    return this.#call(owned, () => this.#handler.gap(this.partition, expected, found));
  }

  idle(owned: Ownership): Promise<void> {
    owned.lastMs = this.#hooks.now();
    return this.#call(owned, async () => {
      const done = await this.#handler.idle(this.partition, owned.generation);
      if (done !== null) this.#hooks.done(this.partition, done);
    });
  }

  #call(owned: Ownership, call: () => Promise<void>): Promise<void> {
    return this.#queue(async () => {
      if (owned.released) return;
      try {
        await call();
      } catch (error) {
        // Nothing follows but the end.
        owned.released = true;
        throw error;
      }
    });
  }

  #queue(task: () => Promise<void>): Promise<void> {
    this.#waiting++;
    this.#last = this.#last
      .then(() => this.#gate.pass(task))
      .catch((error) => this.#hooks.failed(error))
      .finally(() => this.#waiting--);
    return this.#last;
  }
}

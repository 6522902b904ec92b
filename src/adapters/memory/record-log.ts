/** A topic of raw records in memory, as others write it, with the places that groups have committed. */

import type { RecordHandler, RecordMessage, RecordPlace, RecordSource } from '../../core/record-log.ts';

export interface MemoryRecordLog {
  append(partition: number, bytes: Uint8Array): void;
  /** Forgets the messages before an offset, as retention does. */
  truncate(partition: number, before: number): void;
  /** A member of that group, the only one while it runs. */
  source(group: string): RecordSource;
  /** What a group has committed, by partition. */
  places(group: string): Map<number, RecordPlace>;
}

export interface MemoryRecordLogOptions {
  /** How long nothing arrives before `idle` is called, milliseconds. */
  idleMs?: number;
  /** The most messages handed over at once. */
  batchMessages?: number;
}

class Partition {
  messages: RecordMessage[] = [];
  start = 0;

  get end(): number {
    return this.start + this.messages.length;
  }
}

export function createMemoryRecordLog(partitions: number, options: MemoryRecordLogOptions = {}): MemoryRecordLog {
  const { idleMs = 1_000, batchMessages = 100 } = options;
  const logs = Array.from({ length: partitions }, () => new Partition());
  const groups = new Map<string, Map<number, RecordPlace>>();
  const waiting = new Set<() => void>();

  function places(group: string): Map<number, RecordPlace> {
    const known = groups.get(group) ?? new Map<number, RecordPlace>();
    groups.set(group, known);
    return known;
  }

  /** Resolves when something is appended, after that time, or when `signal` aborts. */
  function wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, idleMs);
      signal.addEventListener('abort', done);
      waiting.add(done);
    });
  }

  async function consume(number: number, handler: RecordHandler, group: string, signal: AbortSignal): Promise<void> {
    const log = logs[number];
    const committed = places(group);
    const place = committed.get(number) ?? null;
    await handler.assigned(number, place);
    let position = place?.offset ?? log.start;
    try {
      while (!signal.aborted) {
        if (position < log.start || position > log.end) {
          await handler.gap(number, position, log.start);
          position = log.start;
        }
        const messages = log.messages.slice(position - log.start, position - log.start + batchMessages);
        if (messages.length === 0) {
          const { end } = log;
          await wait(signal);
          if (!signal.aborted && log.end === end) await handler.idle(number);
          continue;
        }
        position = messages[messages.length - 1].offset + 1;
        committed.set(number, await handler.messages(number, messages, log.end));
      }
    } finally {
      await handler.revoked(number);
    }
  }

  return {
    places,
    append(partition, bytes) {
      const log = logs[partition];
      log.messages.push({ offset: log.end, appendedMs: Date.now(), bytes });
      for (const wake of [...waiting]) wake();
    },
    truncate(partition, before) {
      const log = logs[partition];
      const removed = Math.min(Math.max(before - log.start, 0), log.messages.length);
      log.messages.splice(0, removed);
      log.start += removed;
    },
    source: (group) => ({
      lastProgressMs: Date.now(),
      async run(handler, signal) {
        const inner = new AbortController();
        const stop = AbortSignal.any([signal, inner.signal]);
        const ended = logs.map((_, number) => consume(number, handler, group, stop));
        try {
          await Promise.all(ended);
        } finally {
          inner.abort();
          await Promise.allSettled(ended);
        }
      },
    }),
  };
}

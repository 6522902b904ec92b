/**
 * A member of a group may have no partition at all: there may be more workers than partitions. Nothing is handed to
 * it then, and that the group answers it is all that shows that it lives.
 */

import type { EnvelopeSource, LogEntry, PartitionHandler } from '../../core/envelope-log.ts';

/** Hands everything on, and knows how many partitions there are. */
class CountedPartitions implements PartitionHandler {
  readonly held = new Set<number>();
  readonly #inner: PartitionHandler;

  constructor(inner: PartitionHandler) {
    this.#inner = inner;
  }

  assigned(partition: number, generation: number): Promise<number | null> {
    this.held.add(partition);
    return this.#inner.assigned(partition, generation);
  }

  entries(partition: number, generation: number, entries: readonly LogEntry[], end: number): Promise<number | null> {
    return this.#inner.entries(partition, generation, entries, end);
  }

  gap(partition: number, expected: number, found: number): Promise<void> {
    return this.#inner.gap(partition, expected, found);
  }

  idle(partition: number, generation: number): Promise<number | null> {
    return this.#inner.idle(partition, generation);
  }

  revoked(partition: number): Promise<void> {
    this.held.delete(partition);
    return this.#inner.revoked(partition);
  }
}

/**
 * The handler to be run instead of `inner`. As long as it has no partition, `onAlive` is told, at most every
 * `everyMs`, that the source has given a sign of life; with one, what becomes of its entries has to show it.
 */
export function watchSpareMember(
  source: Pick<EnvelopeSource, 'lastProgressMs'>,
  inner: PartitionHandler,
  onAlive: () => void,
  everyMs = 1_000,
): { handler: PartitionHandler; stop(): void } {
  const handler = new CountedPartitions(inner);
  let progressMs = source.lastProgressMs;
  const look = setInterval(() => {
    if (handler.held.size === 0 && source.lastProgressMs !== progressMs) onAlive();
    progressMs = source.lastProgressMs;
  }, everyMs);
  return { handler, stop: () => clearInterval(look) };
}

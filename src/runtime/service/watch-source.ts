/**
 * What is seen of a source from outside. A worker lives as long as no call of the source is stuck in it: with more
 * workers than partitions, or while the log is away, there is none, and a restart would not help. It is ready as
 * long as the log gives signs of life.
 */

import type { EnvelopeSource, LogEntry, PartitionHandler } from '../../core/envelope-log.ts';

export interface SourceWatcher {
  /** No call is under way. */
  onFree(): void;
  /** The log gives signs of life, or gives none any more. */
  onReady(isReady: boolean): void;
}

const LOOK_EVERY_MS = 1_000;
/** Members are asked for one every few seconds, and wait a while when the group is shared out anew. */
const SILENT_AFTER_MS = 20_000;

/** Hands everything on, and knows how many calls are under way. */
class CountedCalls implements PartitionHandler {
  underWay = 0;
  readonly #inner: PartitionHandler;

  constructor(inner: PartitionHandler) {
    this.#inner = inner;
  }

  assigned(partition: number, generation: number): Promise<number | null> {
    return this.#counted(this.#inner.assigned(partition, generation));
  }

  entries(partition: number, generation: number, entries: readonly LogEntry[], end: number): Promise<number | null> {
    return this.#counted(this.#inner.entries(partition, generation, entries, end));
  }

  gap(partition: number, expected: number, found: number): Promise<void> {
    return this.#counted(this.#inner.gap(partition, expected, found));
  }

  idle(partition: number, generation: number): Promise<number | null> {
    return this.#counted(this.#inner.idle(partition, generation));
  }

  revoked(partition: number): Promise<void> {
    return this.#counted(this.#inner.revoked(partition));
  }

  async #counted<Result>(call: Promise<Result>): Promise<Result> {
    this.underWay++;
    try {
      return await call;
    } finally {
      this.underWay--;
    }
  }
}

/** The handler to be run instead of `inner`; looks until `stop` is called. `onReady` is told of changes alone. */
export function watchSource(
  source: Pick<EnvelopeSource, 'lastProgressMs'>,
  inner: PartitionHandler,
  { onFree, onReady }: SourceWatcher,
): { handler: PartitionHandler; stop(): void } {
  const handler = new CountedCalls(inner);
  let progressMs = source.lastProgressMs;
  let silentMs = 0;
  /** Null before anything is known. */
  let isReady: boolean | null = null;
  const look = setInterval(() => {
    if (handler.underWay === 0) onFree();
    silentMs = source.lastProgressMs === progressMs ? silentMs + LOOK_EVERY_MS : 0;
    progressMs = source.lastProgressMs;
    const isReadyNow = silentMs === 0 ? true : silentMs < SILENT_AFTER_MS ? isReady : false;
    if (isReadyNow === isReady || isReadyNow === null) return;
    isReady = isReadyNow;
    onReady(isReady);
  }, LOOK_EVERY_MS);
  return { handler, stop: () => clearInterval(look) };
}

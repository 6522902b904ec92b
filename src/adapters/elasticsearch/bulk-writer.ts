/** Bulk requests of bounded size, with an outcome for every document. It never waits: that is for who calls. */

import type { Client } from '@elastic/elasticsearch';
import { failureOutcome, itemOutcome, type Outcome } from './answers.ts';
import { BULK_HEADERS } from './client.ts';

export interface BulkOperation {
  /** The line before the document. */
  action: { create: Record<string, unknown> } | { index: Record<string, unknown> };
  document: Record<string, unknown>;
}

/** Bounds of one request; a single longer document goes alone. */
const REQUEST_BYTES = 1_048_576;
const LEAST_BYTES = 32_768;
const REQUEST_OPERATIONS = 500;

export class BulkWriter {
  readonly #client: Client;
  readonly #place: string;
  /**
   * Bytes of one request, for now: less after failures. A server that is short of memory takes small
   * requests sooner, and one that finds a request too long may close the connection without an answer.
   */
  #requestBytes = REQUEST_BYTES;

  constructor(client: Client, place: string) {
    this.#client = client;
    this.#place = place;
  }

  /**
   * Sends each operation once, in order; the outcomes are in the same order. After a request that was not
   * taken because of the server, what follows is not sent and shares its outcome.
   */
  async send(operations: readonly BulkOperation[], signal?: AbortSignal): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    while (outcomes.length < operations.length) {
      const lines = linesFrom(operations, outcomes.length, this.#requestBytes);
      const { results, serverFailed } = await this.#request(lines, signal);
      outcomes.push(...results);
      if (serverFailed) {
        const shared = results[results.length - 1];
        while (outcomes.length < operations.length) outcomes.push(shared);
      }
    }
    return outcomes;
  }

  /** `lines` are pairs of action and document. */
  async #request(
    lines: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<{ results: Outcome[]; serverFailed: boolean }> {
    signal?.throwIfAborted();
    const count = lines.length / 2;
    try {
      // Strings go out as they are.
      const { items } = await this.#client.bulk<unknown, never>(
        { operations: lines as never[] },
        { signal, headers: BULK_HEADERS },
      );
      this.#requestBytes = Math.min(REQUEST_BYTES, this.#requestBytes * 2);
      const results = items.map((item) => itemOutcome(Object.values(item)[0], this.#place));
      return { results, serverFailed: false };
    } catch (error) {
      signal?.throwIfAborted();
      const outcome = failureOutcome(error, this.#place);
      if (outcome.kind === 'wait') this.#requestBytes = Math.max(LEAST_BYTES, this.#requestBytes / 2);
      if (outcome.kind !== 'split') return { results: Array(count).fill(outcome), serverFailed: true };
      if (count === 1) return { results: [{ kind: 'refused', reason: outcome.reason }], serverFailed: false };
      const middle = Math.ceil(count / 2) * 2;
      const first = await this.#request(lines.slice(0, middle), signal);
      if (first.serverFailed) {
        return { results: Array(count).fill(first.results[first.results.length - 1]), serverFailed: true };
      }
      const second = await this.#request(lines.slice(middle), signal);
      return { results: [...first.results, ...second.results], serverFailed: second.serverFailed };
    }
  }
}

/** The lines of as many operations as fit into one request, at least one. */
function linesFrom(operations: readonly BulkOperation[], from: number, maxBytes: number): string[] {
  const lines: string[] = [];
  let bytes = 0;
  for (const { action, document } of operations.slice(from, from + REQUEST_OPERATIONS)) {
    const pair = [JSON.stringify(action), JSON.stringify(document)];
    bytes += Buffer.byteLength(pair[0]) + Buffer.byteLength(pair[1]) + 2;
    if (bytes > maxBytes && lines.length > 0) break;
    lines.push(...pair);
  }
  return lines;
}

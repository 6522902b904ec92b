/**
 * Tells Kafka how far we are. For envelopes people who look at the lag need it, and nothing else; for records of
 * others it is where the next member begins.
 */

import type kafkajs from 'kafkajs';
import { troubleText } from './failures.ts';

const EVERY_MS = 1_000;

interface Commit {
  offset: number;
  note: string | null;
}

export class Commits {
  readonly #consumer: Pick<kafkajs.Consumer, 'commitOffsets'>;
  readonly #topic: string;
  readonly #onTrouble: (trouble: string) => void;
  /** Offsets by partition that Kafka was not told of yet. */
  readonly #waiting = new Map<number, Commit>();
  /** Those that it is being told. */
  #sent = new Map<number, Commit>();
  #sending: Promise<void> | null = null;
  #sentMs = 0;

  constructor(consumer: Pick<kafkajs.Consumer, 'commitOffsets'>, topic: string, onTrouble: (trouble: string) => void) {
    this.#consumer = consumer;
    this.#topic = topic;
    this.#onTrouble = onTrouble;
  }

  /** `note` is kept with the offset. */
  add(partition: number, offset: number, note: string | null = null): void {
    this.#waiting.set(partition, { offset, note });
  }

  /** Others may have had the partition since: what they told Kafka stands. */
  forget(partition: number): void {
    this.#waiting.delete(partition);
    this.#sent.delete(partition);
  }

  /** Sends what waits, once a second at the most. */
  send(nowMs: number): void {
    if (this.#sending !== null || this.#waiting.size === 0 || nowMs - this.#sentMs < EVERY_MS) return;
    this.#sentMs = nowMs;
    this.#sending = this.#commit().catch((error) => {
      this.#onTrouble(`Kafka does not note how far we are: ${troubleText(error)}`);
    });
  }

  /** Sends the last. */
  async flush(): Promise<void> {
    await this.#sending;
    if (this.#waiting.size > 0) await this.#commit();
  }

  async #commit(): Promise<void> {
    const topic = this.#topic;
    this.#sent = new Map(this.#waiting);
    const offsets = [...this.#sent].map(([partition, { offset, note: metadata }]) => ({
      topic,
      partition,
      offset: String(offset),
      metadata,
    }));
    this.#waiting.clear();
    try {
      await this.#consumer.commitOffsets(offsets);
    } catch (error) {
      // As while the group is shared out anew. Nothing more may come of a partition: it is told again.
      for (const [partition, commit] of this.#sent) {
        if (!this.#waiting.has(partition)) this.#waiting.set(partition, commit);
      }
      throw error;
    } finally {
      this.#sending = null;
    }
  }
}

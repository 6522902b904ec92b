/** Sends envelopes in batches: one is on its way while the next is filled, so memory holds two of them. */

import type { Envelope } from '../../core/envelope.ts';
import type { EnvelopeSink } from '../../core/envelope-log.ts';

/** Envelopes in a batch, and the bytes in it after which no more are added. */
const BATCH_ENVELOPES = 64;
const BATCH_BYTES = 4_194_304;

export class EnvelopeSender {
  readonly #sink: EnvelopeSink;
  readonly #signal: AbortSignal | undefined;
  readonly #onSent: (offset: number, records: number) => void | Promise<void>;
  #batch: Envelope[] = [];
  #bytes = 0;
  #offset = 0;
  #records = 0;
  #sending: Promise<void> = Promise.resolve();

  /** `onSent` is told up to which offset of the file everything is in the log, and how many records that were. */
  constructor(
    sink: EnvelopeSink,
    signal: AbortSignal | undefined,
    onSent: (offset: number, records: number) => void | Promise<void>,
  ) {
    this.#sink = sink;
    this.#signal = signal;
    this.#onSent = onSent;
  }

  /** Takes envelopes that end at `offset`; waits while a batch is on its way and the next one is full. */
  async add(envelopes: readonly Envelope[], offset: number, records: number): Promise<void> {
    for (const envelope of envelopes) {
      if (this.#batch.length >= BATCH_ENVELOPES || this.#bytes >= BATCH_BYTES) await this.#send();
      this.#batch.push(envelope);
      this.#bytes += envelope.payload.length;
    }
    this.#offset = offset;
    this.#records += records;
  }

  /** Resolves when all that was added is in the log. */
  async flush(): Promise<void> {
    await this.#send();
    await this.#sending;
  }

  /** Waits for what is on its way, whether it arrives or not. */
  async settle(): Promise<void> {
    await this.#sending.catch(() => undefined);
  }

  /** Resolves when the batch is on its way. */
  async #send(): Promise<void> {
    await this.#sending;
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    const offset = this.#offset;
    const records = this.#records;
    this.#batch = [];
    this.#bytes = 0;
    this.#records = 0;
    this.#sending = this.#sink.send(batch, this.#signal).then(() => this.#onSent(offset, records));
    // Whoever sends or flushes next learns of a failure; until then it must not end the process.
    this.#sending.catch(() => undefined);
  }
}

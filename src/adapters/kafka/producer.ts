/** Messages to one topic of Kafka: in order, durable, as patient as need be. */

import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { createKafkaClient, type KafkaClient } from './client.ts';
import { refusalOf, troubleText } from './failures.ts';
import type { KafkaSettings } from './settings.ts';

export interface KafkaProducerOptions {
  /** Is told, in a line, why messages are not taken at the moment. */
  onTrouble?: (trouble: string) => void;
  /** Is told when they are taken again. */
  onRecovered?: () => void;
}

/** Brokers take batches of 1 MiB unless told otherwise, all their messages and framing together. */
const REQUEST_BYTES = 950_000;
/** About what Kafka adds to a message: offsets, lengths, the name of the header. */
const MESSAGE_OVERHEAD_BYTES = 64;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;
/** Quick attempts of kafkajs itself before we are told. */
const RETRIES = 4;
const CLOSE_DEADLINE_MS = 5_000;

/** A message, and about how many bytes it has. */
export interface SizedMessage {
  message: kafkajs.Message;
  bytes: number;
}

/**
 * Messages may be appended twice, and out of order then, where a broker was silent; they are never lost or
 * skipped. The idempotent producer of kafkajs would not help: it is experimental, and forgets its numbers
 * when it has to begin again.
 */
export class PatientProducer {
  readonly #settings: KafkaSettings;
  /** What the messages are, in reports of trouble. */
  readonly #what: string;
  readonly #options: KafkaProducerOptions;
  #isTroubled = false;
  #connection: { client: KafkaClient; producer: kafkajs.Producer } | null = null;
  /** What was handed over before; the next waits for it, failed or not, so that the order stays. */
  #before: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(settings: KafkaSettings, what: string, options: KafkaProducerOptions) {
    this.#settings = settings;
    this.#what = what;
    this.#options = options;
    // Wrong settings are said now, not with the first message.
    createKafkaClient(settings, RETRIES).destroy();
  }

  /** Messages are made when they are needed, so that memory holds those of one request. */
  async send(messages: Iterable<SizedMessage>, signal?: AbortSignal): Promise<void> {
    const stop = AbortSignal.any(signal === undefined ? [this.#closing.signal] : [signal, this.#closing.signal]);
    stop.throwIfAborted();
    const sent = this.#before.then(() => this.#sendAll(messages, stop));
    this.#before = sent.catch(() => {});
    await orAborted(sent, stop);
  }

  async close(): Promise<void> {
    // What was aborted may be under way still; everything else has been waited for.
    await Promise.race([this.#before, sleep(CLOSE_DEADLINE_MS, undefined, { ref: false })]);
    this.#closing.abort(new Error('the producer is closed'));
    await this.#disconnect();
  }

  async #sendAll(sized: Iterable<SizedMessage>, stop: AbortSignal): Promise<void> {
    let messages: kafkajs.Message[] = [];
    let total = 0;
    for (const { message, bytes } of sized) {
      const size = bytes + MESSAGE_OVERHEAD_BYTES;
      if (messages.length > 0 && total + size > REQUEST_BYTES) {
        await this.#produce(messages, stop);
        messages = [];
        total = 0;
      }
      messages.push(message);
      total += size;
    }
    if (messages.length > 0) await this.#produce(messages, stop);
  }

  async #produce(messages: kafkajs.Message[], stop: AbortSignal): Promise<void> {
    const { topic, brokers } = this.#settings;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      stop.throwIfAborted();
      try {
        const producer = await this.#connected();
        await producer.send({ topic, acks: -1, messages });
        if (this.#isTroubled) this.#options.onRecovered?.();
        this.#isTroubled = false;
        return;
      } catch (error) {
        const refusal = refusalOf(error, this.#settings);
        // A new client knows nothing of what was: which broker leads, who is gone.
        await this.#disconnect();
        if (refusal !== null) throw refusal;
        stop.throwIfAborted();
        this.#isTroubled = true;
        const rest = `trying again in ${Math.ceil(waitMs / 1000)} s`;
        this.#options.onTrouble?.(
          `Kafka (${brokers.join(', ')}) takes no ${this.#what}: ${troubleText(error)}; ${rest}`,
        );
        await sleep(waitMs, undefined, { signal: stop }).catch(() => stop.throwIfAborted());
      }
    }
  }

  async #connected(): Promise<kafkajs.Producer> {
    if (this.#connection === null) {
      const client = createKafkaClient(this.#settings, RETRIES);
      const producer = client.kafka.producer({
        // The one that Java has: other producers put a tenant into the same partition.
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
        allowAutoTopicCreation: false,
        maxInFlightRequests: 1,
      });
      this.#connection = { client, producer };
      await producer.connect();
    }
    return this.#connection.producer;
  }

  async #disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) return;
    const deadline = sleep(CLOSE_DEADLINE_MS, undefined, { ref: false });
    await Promise.race([connection.producer.disconnect().catch(() => {}), deadline]);
    connection.client.destroy();
  }
}

/** As the promise, or the reason of `stop` as soon as that is aborted; what goes on is nobody's concern then. */
async function orAborted(promise: Promise<void>, stop: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(stop.reason);
  stop.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    stop.removeEventListener('abort', abort);
  }
}

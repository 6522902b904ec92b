/** The topic of dead entries: key, value and headers as they were, so that they can be appended again. */

import type kafkajs from 'kafkajs';
import type { DeadEntry, DeadEntrySink } from '../../core/dead-entries.ts';
import { type KafkaProducerOptions, PatientProducer, type SizedMessage } from './producer.ts';
import type { KafkaSettings } from './settings.ts';

/** Headers that say why an entry is here and where it was, beside those that it had. All are text. */
export const DEAD_HEADERS = {
  code: 'relaywatch-dead-code',
  reason: 'relaywatch-dead-reason',
  topic: 'relaywatch-dead-topic',
  partition: 'relaywatch-dead-partition',
  offset: 'relaywatch-dead-offset',
} as const;

/** Reasons may quote what was found. */
const LONGEST_REASON = 1_000;

/** `settings` are those of the log; entries go to `topic`, which is another one of the same brokers. */
export function createKafkaDeadLetters(
  settings: KafkaSettings,
  topic: string,
  options: KafkaProducerOptions = {},
): DeadEntrySink {
  const producer = new PatientProducer({ ...settings, topic }, 'dead letters', options);
  return {
    send: (entries, signal) => producer.send(messagesOf(entries, settings.topic), signal),
    close: () => producer.close(),
  };
}

function* messagesOf(entries: readonly DeadEntry[], topic: string): Generator<SizedMessage> {
  for (const { partition, entry, code, reason } of entries) {
    const { bytes, offset, message } = entry;
    const headers: kafkajs.IHeaders = {
      ...(message?.headers as kafkajs.IHeaders | undefined),
      [DEAD_HEADERS.code]: code,
      [DEAD_HEADERS.reason]: reason.slice(0, LONGEST_REASON),
      [DEAD_HEADERS.topic]: topic,
      [DEAD_HEADERS.partition]: String(partition),
      [DEAD_HEADERS.offset]: String(offset),
    };
    const key = message?.key ?? null;
    yield {
      message: { key: key === null ? null : asBuffer(key), value: asBuffer(bytes), headers },
      bytes: bytes.length + (key?.length ?? 0) + sizeOf(headers),
    };
  }
}

function sizeOf(headers: kafkajs.IHeaders): number {
  let bytes = 0;
  for (const [name, value = ''] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) bytes += name.length + Buffer.byteLength(one);
  }
  return bytes;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

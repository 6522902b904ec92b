/** Envelopes to Kafka. */

import type kafkajs from 'kafkajs';
import type { Envelope } from '../../core/envelope.ts';
import { encodeEnvelope } from '../../core/envelope-codec.ts';
import type { EnvelopeSink } from '../../core/envelope-log.ts';
import { ENVELOPE_HEADER } from './batch.ts';
import { type KafkaProducerOptions, PatientProducer, type SizedMessage } from './producer.ts';
import type { KafkaSettings } from './settings.ts';

export type KafkaSinkOptions = KafkaProducerOptions;

/** A sink for one topic. Envelopes may be appended twice, and out of order then, where a broker was silent. */
export function createKafkaSink(settings: KafkaSettings, options: KafkaSinkOptions = {}): EnvelopeSink {
  const producer = new PatientProducer(settings, 'envelopes', options);
  return {
    send: (envelopes, signal) => producer.send(messagesOf(envelopes), signal),
    close: () => producer.close(),
  };
}

function* messagesOf(envelopes: readonly Envelope[]): Generator<SizedMessage> {
  for (const envelope of envelopes) {
    const { header, body } = encodeEnvelope(envelope);
    const key = Buffer.from(envelope.header.tenant);
    const message: kafkajs.Message = { key, value: asBuffer(body), headers: { [ENVELOPE_HEADER]: asBuffer(header) } };
    yield { message, bytes: header.length + body.length + key.length };
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A broker that goes and comes back: of the records of others nothing is lost, and it is said when all is well again. */

import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
import { createKafkaRecordSource } from '../../src/adapters/kafka/records-source.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import { LEAST_RETENTION_MS, setupKafka } from '../../src/adapters/kafka/setup.ts';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import type { RowsHeader } from '../../src/core/envelope.ts';
import { RecordIngest } from '../../src/runtime/ingest/kafka-records.ts';
import { envelope } from '../adapters/contract/envelope-log.ts';
import { eventually, startReading } from '../adapters/contract/record-log.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

const SETUP = { dryRun: false, partitions: 2, replicationFactor: 1, retentionMs: LEAST_RETENTION_MS };
const RECORDS = 400;

describeWithOwnEngines('Kafka with records and an outage', { kafka: true }, (engines) => {
  test('goes on when the broker is back', async () => {
    const settings = (topic: string): KafkaSettings => ({
      brokers: engines().kafka.brokers,
      clientId: 'relaywatch-test',
      topic,
      group: `${topic}-group`,
      tls: null,
      sasl: null,
      allowPlaintext: false,
      sessionTimeoutMs: 6_000,
      maxWaitTimeMs: 100,
    });
    const [input, log] = [settings('events'), settings('envelopes')];
    await setupKafka(input, SETUP);
    await setupKafka(log, SETUP);
    /** Which of the two is in trouble, and how often it was. */
    const troubled = new Map<string, number>();
    const well = new Map<string, boolean>();
    const troublesOf = (name: string) => ({
      onTrouble: () => {
        troubled.set(name, (troubled.get(name) ?? 0) + 1);
        well.set(name, false);
      },
      onRecovered: () => well.set(name, true),
    });
    const sink = createKafkaSink(log, troublesOf('log'));
    onTestFinished(() => sink.close());
    const places = new Map<string, Set<string>>();
    const ingest = new RecordIngest({
      topic: input.topic,
      tenant: 'contoso',
      tenantIds: [],
      dateOrder: null,
      now: Date.now,
      sink: {
        async send(envelopes, signal) {
          await sink.send(envelopes, signal);
          for (const { header, payload } of envelopes) {
            const { file, offset } = header as RowsHeader;
            let at = offset;
            for (const line of Buffer.from(payload).toString().trimEnd().split('\n')) {
              const { NetworkMessageId: id } = JSON.parse(line) as { NetworkMessageId: string };
              places.set(id, (places.get(id) ?? new Set()).add(`${file.id} ${at}`));
              at += Buffer.byteLength(line) + 1;
            }
          }
        },
        close: async () => {},
      },
    });
    const reading = startReading(createKafkaRecordSource(input, { ...troublesOf('input'), idleMs: 200 }), ingest);
    reading.ended.catch((error) => troubled.set(String(error), 1));

    const client = new kafkajs.Kafka({ brokers: input.brokers, logLevel: kafkajs.logLevel.NOTHING });
    const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    const produce = async (from: number, count: number) => {
      const messages = Array.from({ length: count }, (_, number) => ({
        partition: number % 2,
        value: JSON.stringify({
          Timestamp: '2026-09-05T18:10:13Z',
          NetworkMessageId: `message ${from + number}`,
          SenderMailFromAddress: 'promo@fabrikam.example',
          RecipientEmailAddress: 'ann@victim.example',
        }),
      }));
      await producer.send({ topic: input.topic, messages });
    };
    await produce(0, RECORDS / 2);
    await eventually('the first are there', () => places.size === RECORDS / 2);
    await engines().kafka.server.kill();
    const sentMeanwhile = sink.send([envelope('contoso', 1)]);
    // Longer than the session timeout.
    await sleep(8_000);
    await eventually('the log is in trouble', () => troubled.has('log') && well.get('log') === false);
    await engines().kafka.server.restart();
    for (let attempt = 0; ; attempt++) {
      try {
        await produce(RECORDS / 2, RECORDS / 2);
        break;
      } catch (error) {
        if (attempt === 60) throw error;
        await sleep(500);
      }
    }
    await eventually(`all are there: ${[...troubled.keys()]}`, () => places.size === RECORDS);
    for (const [id, found] of places) expect([id, found.size]).toEqual([id, 1]);
    await sentMeanwhile;
    await eventually('nothing is in trouble', () => [...well.values()].every((one) => one));
    await reading.stop();
  });
});

/**
 * Rows a second through Kafka: envelopes of 500 rows beside one message per row, on one broker of our own.
 * Both go through kafkajs; the rows are those of a message trace, as text. `--rows N` (default 200,000).
 */

import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import kafkajs from 'kafkajs';
import type { KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import { LEAST_RETENTION_MS, setupKafka } from '../../src/adapters/kafka/setup.ts';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../src/adapters/kafka/source.ts';
import { ENVELOPE_ROWS, type Envelope } from '../../src/core/envelope.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/core/envelope-codec.ts';
import type { PartitionHandler } from '../../src/core/envelope-log.ts';
import { startOwnEngines } from '../../test/engines/engines.ts';

const TENANTS = ['contoso', 'fabrikam', 'tailspin', 'woodgrove'];
/** Messages of one produce request, where every row is a message. */
const ROWS_PER_REQUEST = 1_000;

const { values } = parseArgs({ options: { rows: { type: 'string', default: '200000' } } });
const rowCount = Number(values.rows);

function rowText(row: number): string {
  const id = (row * 2_654_435_761) % 4_294_967_296;
  const hex = id.toString(16).padStart(8, '0');
  const at = new Date(Date.UTC(2026, 9, 1) + row * 37).toISOString();
  return `${at},user${row % 900}@contoso.example,${hex}@customer${id % 5_000}.example,"Your order ${hex} of ${at.slice(0, 10)}",Delivered,,203.0.113.${id % 250},${4_000 + (id % 90_000)},${hex}-5edd-4350-130a-08da${hex},<${hex}.${row}@mail.contoso.example>\r\n`;
}

/** All rows and where each begins, outside of the heap: what is collected there would be measured otherwise. */
const starts = new Uint32Array(rowCount + 1);
const text = Buffer.alloc(rowCount * 320);
for (let row = 0; row < rowCount; row++) starts[row + 1] = starts[row] + text.write(rowText(row), starts[row]);
const bytes = starts[rowCount];

function* envelopes(): Generator<Envelope> {
  const columns = ['Received', 'SenderAddress', 'RecipientAddress', 'Subject', 'Status', 'ToIP', 'FromIP', 'Size'];
  const layout = { format: 'message-trace', encoding: 'utf-8', shape: 'csv', delimiter: 44, dateOrder: null } as const;
  for (let first = 0, offset = 0; first < rowCount; first += ENVELOPE_ROWS) {
    const records = Math.min(ENVELOPE_ROWS, rowCount - first);
    const payload = text.subarray(starts[first], starts[first + records]);
    const tenant = TENANTS[(first / ENVELOPE_ROWS) % TENANTS.length];
    const file = { id: 'ab'.repeat(32), name: 'trace.csv' };
    const layoutOfFile = { ...layout, columns };
    const place = { offset, line: first + 2, records };
    yield { header: { kind: 'rows', schema: 1, tenant, file, layout: layoutOfFile, ...place }, payload };
    offset += payload.length;
  }
}

/** Rows for a second of processor time, in thousands: what others do on the machine matters less to it. */
async function measure(what: string, count: number, work: () => unknown): Promise<number> {
  const [begin, before] = [performance.now(), process.cpuUsage()];
  await work();
  const ms = performance.now() - begin;
  const { user, system } = process.cpuUsage(before);
  const cpuMs = (user + system) / 1000;
  const [byCpu, byClock] = [count / cpuMs, count / ms].map((rate) => String(Math.round(rate)).padStart(6));
  process.stdout.write(`${what.padEnd(36)} ${byCpu} k rows per CPU second, ${byClock} k by the clock\n`);
  return count / cpuMs;
}

/** A handler that is done when that many rows have come. */
function counting(count: number): { handler: PartitionHandler; all: Promise<void> } {
  const all = Promise.withResolvers<void>();
  let seen = 0;
  const handler: PartitionHandler = {
    assigned: async () => null,
    entries: async (_partition, _generation, entries) => {
      for (const { envelope } of entries) seen += envelope?.header.kind === 'rows' ? envelope.header.records : 0;
      if (seen >= count) all.resolve();
      return null;
    },
    gap: async () => {},
    idle: async () => null,
    revoked: async () => {},
  };
  return { handler, all: all.promise };
}

const { engines, close } = await startOwnEngines({ kafka: true });
const settings = (topic: string): KafkaSettings => ({
  brokers: engines.kafka.brokers,
  clientId: 'bench',
  topic,
  group: topic,
  tls: null,
  sasl: null,
  allowPlaintext: false,
  sessionTimeoutMs: 30_000,
  maxWaitTimeMs: 100,
});
const setup = { dryRun: false, partitions: 4, replicationFactor: 1, retentionMs: LEAST_RETENTION_MS };
const kafka = new kafkajs.Kafka({ brokers: engines.kafka.brokers, logLevel: kafkajs.logLevel.NOTHING });
const all = [...envelopes()];
const encoded = all.map(encodeEnvelope);
const stored = encoded.reduce((sum, { header, body }) => sum + header.length + body.length, 0);
const size = (bytes / rowCount).toFixed(0);
process.stdout.write(`${rowCount} rows of ${size} bytes; envelopes are ${(bytes / stored).toFixed(1)} times smaller\n`);

/** Both ways, over the first rows of all; the ratios. */
async function compare(name: string, envelopeCount: number): Promise<string> {
  const count = Math.min(rowCount, envelopeCount * ENVELOPE_ROWS);
  const [withEnvelopes, withRows] = [settings(`envelopes-${name}`), settings(`rows-${name}`)];
  for (const one of [withEnvelopes, withRows]) await setupKafka(one, setup);
  await measure('envelopes: encode', count, () => {
    for (const envelope of all.slice(0, envelopeCount)) encodeEnvelope(envelope);
  });
  await measure('envelopes: decode', count, () => {
    for (const { header, body } of encoded.slice(0, envelopeCount)) decodeEnvelope(header, body);
  });
  const sink = createKafkaSink(withEnvelopes);
  const sent = await measure('envelopes: encode and produce', count, async () => {
    for (let first = 0; first < envelopeCount; first += 20) {
      await sink.send(all.slice(first, Math.min(envelopeCount, first + 20)));
    }
  });
  await sink.close();
  const { handler, all: arrived } = counting(count);
  const stopping = new AbortController();
  let running = Promise.resolve();
  const read = await measure('envelopes: join, consume, decode', count, async () => {
    running = createKafkaSource(withEnvelopes).run(handler, stopping.signal);
    await arrived;
  });
  stopping.abort();
  await running;

  const producer = kafka.producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const sentOne = await measure('one message per row: produce', count, async () => {
    for (let first = 0; first < count; first += ROWS_PER_REQUEST) {
      const messages = Array.from({ length: Math.min(ROWS_PER_REQUEST, count - first) }, (_, index) => {
        const value = text.subarray(starts[first + index], starts[first + index + 1]);
        return { key: TENANTS[index % TENANTS.length], value };
      });
      await producer.send({ topic: withRows.topic, acks: -1, messages });
    }
  });
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: withRows.group, maxWaitTimeInMs: withRows.maxWaitTimeMs });
  const readOne = await measure('one message per row: join, consume', count, async () => {
    const through = Promise.withResolvers<void>();
    let seen = 0;
    await consumer.connect();
    await consumer.subscribe({ topics: [withRows.topic], fromBeginning: true });
    await consumer.run({
      eachBatch: async ({ batch }) => {
        seen += batch.messages.length;
        if (seen >= count) through.resolve();
      },
    });
    await through.promise;
  });
  await consumer.disconnect();
  const [produced, consumed] = [sent / sentOne, read / readOne].map((ratio) => ratio.toFixed(1));
  return `envelopes: ${produced} times as many rows produced, ${consumed} times as many consumed, per CPU second\n`;
}

process.stdout.write('\nwarming up\n');
await compare('warm', Math.ceil(all.length / 5));
process.stdout.write('\nmeasured\n');
process.stdout.write(await compare('all', all.length));
await close();
process.exit(0);

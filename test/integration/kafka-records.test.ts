/** Records of others from Kafka, and dead entries back to it: the contract, and the worker as a process. */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createArchive } from '../../src/adapters/file/archive.ts';
import { ENVELOPE_HEADER } from '../../src/adapters/kafka/batch.ts';
import { createKafkaDeadLetters, DEAD_HEADERS } from '../../src/adapters/kafka/dead-letters.ts';
import { createKafkaRecordSource } from '../../src/adapters/kafka/records-source.ts';
import type { KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import { checkDeadLetters, checkKafkaInput, setupDeadLetters, setupKafka } from '../../src/adapters/kafka/setup.ts';
import { createKafkaSource } from '../../src/adapters/kafka/source.ts';
import type { RowsHeader } from '../../src/core/envelope.ts';
import { readEnvelopeRecords } from '../../src/runtime/ingest/envelope-records.ts';
import { Recorder, start, until } from '../adapters/contract/envelope-log.ts';
import {
  describeRecordLogContract,
  eventually,
  RecordRecorder,
  startReading,
} from '../adapters/contract/record-log.ts';
import { ROOT, run } from '../e2e/command.ts';
import { describeWithEngines } from '../engines/suites.ts';

const { Kafka, logLevel } = kafkajs;
const PARTITIONS = 3;
const SETUP = { dryRun: false, partitions: PARTITIONS, replicationFactor: 1, retentionMs: 7 * 86_400_000 };

describeWithEngines('Kafka, records of others', { kafka: true }, (engines) => {
  let kafka: kafkajs.Kafka;
  let admin: kafkajs.Admin;
  let producer: kafkajs.Producer;
  const topics: string[] = [];
  const onTrouble = () => {};

  function settings(): KafkaSettings {
    const topic = `records-${randomBytes(6).toString('hex')}`;
    topics.push(topic, `${topic}-dead-letters`);
    return {
      brokers: engines().kafka.brokers,
      clientId: 'relaywatch-test',
      topic,
      group: `${topic}-group`,
      tls: null,
      sasl: null,
      allowPlaintext: false,
      sessionTimeoutMs: 6_000,
      maxWaitTimeMs: 100,
    };
  }

  beforeAll(async () => {
    kafka = new Kafka({ brokers: engines().kafka.brokers, logLevel: logLevel.NOTHING });
    admin = kafka.admin();
    producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await Promise.all([admin.connect(), producer.connect()]);
  });

  afterAll(async () => {
    const existing = await admin.listTopics();
    await admin.deleteTopics({ topics: topics.filter((topic) => existing.includes(topic)) });
    await Promise.all([admin.disconnect(), producer.disconnect()]);
  });

  const create = (topic: string, numPartitions = PARTITIONS) =>
    admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true });

  describeRecordLogContract('Kafka', async () => {
    const own = settings();
    await create(own.topic, 2);
    return {
      partitions: 2,
      source: () => createKafkaRecordSource(own, { onTrouble, idleMs: 200 }),
      append: async (partition, ...texts) => {
        await producer.send({ topic: own.topic, messages: texts.map((value) => ({ partition, value })) });
      },
      truncate: async (partition, before) => {
        await admin.fetchTopicOffsets(own.topic);
        await admin.deleteTopicRecords({ topic: own.topic, partitions: [{ partition, offset: String(before) }] });
      },
    };
  });

  test('partitions that move go on from what was done', async () => {
    const own = settings();
    await create(own.topic);
    const handlers = [new RecordRecorder(), new RecordRecorder()];
    const first = startReading(createKafkaRecordSource(own, { onTrouble, idleMs: 200 }), handlers[0]);
    const send = (from: number, count: number) =>
      producer.send({
        topic: own.topic,
        messages: Array.from({ length: count }, (_, number) => ({
          partition: number % PARTITIONS,
          value: String(from + number),
        })),
      });
    await send(0, 300);
    await eventually('the first have come', () => handlers[0].texts.length === 300);
    startReading(createKafkaRecordSource(own, { onTrouble, idleMs: 200 }), handlers[1]);
    await eventually('the second has a partition', () => handlers[1].named('assigned').length > 0);
    await send(300, 300);
    await first.stop();
    await send(600, 300);
    const all = () => new Set(handlers.flatMap(({ texts }) => texts));
    await eventually('all have come', () => all().size === 900);
    // Of what came twice there is at most what was done in the second before.
    expect(handlers[1].texts.filter((text) => Number(text) < 300).length).toBeLessThan(300);
    expect((await checkKafkaInput(own)).every(({ ok }) => ok)).toBe(true);
    expect((await checkKafkaInput({ ...own, topic: `${own.topic}-none` })).map(({ ok }) => ok)).toEqual([true, false]);
  });

  test('dead entries keep key, value and headers, and say where they were', async () => {
    const own = settings();
    const deadTopic = `${own.topic}-dead-letters`;
    await setupKafka(own, SETUP);
    expect((await checkDeadLetters(own, deadTopic)).map(({ ok }) => ok)).toEqual([true, false]);
    const dry = await setupDeadLetters(own, deadTopic, { dryRun: true, replicationFactor: 1 });
    expect(dry).toMatchObject([{ state: 'would create' }]);
    const made = await setupDeadLetters(own, deadTopic, { dryRun: false, replicationFactor: 1 });
    expect(made).toMatchObject([{ state: 'created' }]);
    const again = await setupDeadLetters(own, deadTopic, { dryRun: false, replicationFactor: 1 });
    expect(new Set(again.map(({ state }) => state))).toEqual(new Set(['unchanged']));
    expect((await checkDeadLetters(own, deadTopic)).filter(({ ok }) => !ok)).toEqual([]);

    const value = randomBytes(2_000_000);
    const headers = { [ENVELOPE_HEADER]: Buffer.from('{}'), own: Buffer.from([0, 255]) };
    await producer.send({ topic: own.topic, messages: [{ partition: 1, key: 'contoso', value, headers }] });
    const recorder = new Recorder();
    const { stop } = start(createKafkaSource(own, { onTrouble }), recorder);
    await until('it is read', () => recorder.received().length === 1);
    await stop();
    const [entry] = recorder.received();
    const sink = createKafkaDeadLetters(own, deadTopic, { onTrouble });
    onTestFinished(() => sink.close());
    await sink.send([{ partition: 1, entry, code: 'bad_envelope', reason: entry.problem! }]);

    const [message] = await read(deadTopic, 1);
    expect(message.key?.toString()).toBe('contoso');
    expect(message.value?.equals(value)).toBe(true);
    expect(message.headers).toMatchObject(headers);
    const said = Object.values(DEAD_HEADERS).map((name) => String(message.headers?.[name]));
    expect(said).toEqual(['bad_envelope', entry.problem, own.topic, '1', '0']);
  });

  test('a detector passes no dead entry that the topic for them has not taken', async () => {
    const own = settings();
    const deadTopic = `${own.topic}-dead-letters`;
    await setupKafka(own, { ...SETUP, partitions: 1 });
    const folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-dead-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const brokers = own.brokers.map((broker) => `"${broker}"`).join(', ');
    writeFileSync(
      path.join(folder, 'detect.yaml'),
      `name: detect
role: detect
tenants: [{ key: contoso, accepted_domains: [contoso.com] }]
log: { kafka: { brokers: [${brokers}], topic: ${own.topic}, group: ${own.group}, session_timeout_ms: 6000 } }
state: { folder: { path: state } }
outputs: { folder: { path: out } }
`,
    );
    await producer.send({ topic: own.topic, messages: [{ value: 'no envelope' }, { key: 'k', value: null }] });
    const committed = async () => {
      const [{ partitions }] = await admin.fetchOffsets({ groupId: own.group, topics: [own.topic] });
      return Number(partitions[0].offset);
    };
    const failed = await run(['run', 'detect.yaml'], { cwd: folder });
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain(`Kafka has no topic ${deadTopic}`);
    expect(await committed()).toBe(-1);

    expect((await run(['setup', 'detect.yaml'], { cwd: folder })).stdout).toContain(deadTopic);
    expect((await run(['doctor', 'detect.yaml'], { cwd: folder })).stdout).toContain(`ok     topic ${deadTopic}`);
    const worker = spawn(process.execPath, [path.join(ROOT, 'src/main.ts'), 'run', 'detect.yaml'], {
      cwd: folder,
      stdio: 'ignore',
    });
    onTestFinished(() => void worker.kill('SIGKILL'));
    const messages = await read(deadTopic, 2);
    expect(messages.map(({ value }) => value?.toString() ?? '')).toEqual(['no envelope', '']);
    await eventually('they are passed', async () => (await committed()) === 2);
    const ended = new Promise((resolve) => worker.once('close', resolve));
    worker.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  /** The first messages of a topic. */
  async function read(topic: string, count: number): Promise<kafkajs.KafkaMessage[]> {
    const consumer = kafka.consumer({
      groupId: `${topic}-reader-${randomBytes(3).toString('hex')}`,
      maxWaitTimeInMs: 100,
    });
    onTestFinished(() => consumer.disconnect());
    const messages: kafkajs.KafkaMessage[] = [];
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void messages.push(message) });
    await eventually(`${topic} is read`, () => messages.length >= count);
    return messages;
  }

  test('a worker that is killed loses nothing, and gives rows the same places again', async () => {
    const [input, log] = [settings(), settings()];
    await create(input.topic);
    await setupKafka(log, SETUP);
    const folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-records-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const brokers = `[${input.brokers.map((broker) => `"${broker}"`).join(', ')}]`;
    // The pipeline for Event Hubs, with other servers.
    const shipped = readFileSync(path.join(ROOT, 'pipelines/event-hubs.yaml'), 'utf8');
    const pipeline = shipped
      .replace(/^tenant_files: .*$/m, 'tenants: [{ key: contoso, accepted_domains: [contoso.com] }]')
      .replaceAll(/^ {4}brokers: .*$/gm, `    brokers: ${brokers}\n    session_timeout_ms: 6000\n    max_wait_ms: 100`)
      .replace(/^ {4}topic: insights.*$/m, `    topic: ${input.topic}`)
      .replace(/^ {4}topic: relaywatch.*$/m, `    topic: ${log.topic}`)
      .replace(/^ {4}group: .*$/m, `    group: ${input.group}`)
      .replace('    tls: true\n', '')
      .replaceAll(/^ {4}sasl:\n(?: {6}.*\n)+/gm, '')
      .replace(/^ {2}port: .*$/m, '  port: 0')
      .replace(/^cases:[\s\S]*$/m, '');
    writeFileSync(path.join(folder, 'event-hubs.yaml'), pipeline);
    const workers = new Set<ChildProcess>();
    let said = '';
    const worker = () => {
      const child = spawn(process.execPath, [path.join(ROOT, 'src/main.ts'), 'run', 'event-hubs.yaml'], {
        cwd: folder,
        env: { ...process.env, RELAYWATCH_DATA: folder },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      workers.add(child);
      child.on('close', () => workers.delete(child));
      return child;
    };
    onTestFinished(() => {
      for (const child of workers) child.kill('SIGKILL');
    });

    const recorder = new Recorder();
    start(createKafkaSource(log, { onTrouble }), recorder);
    const rows = () => {
      const found = new Map<string, Set<string>>();
      for (const { envelope } of recorder.received()) {
        if (envelope === null) continue;
        const { file, layout } = envelope.header as RowsHeader;
        readEnvelopeRecords(envelope.header as RowsHeader, envelope.payload.slice(), {
          record({ bytes, starts, ends, offset }) {
            const column = layout.columns.indexOf('NetworkMessageId');
            const id = Buffer.from(bytes.subarray(starts[column], ends[column])).toString();
            found.set(id, (found.get(id) ?? new Set()).add(`${file.name} ${file.id} ${offset}`));
          },
          reject({ code, reason }) {
            found.set(code, (found.get(code) ?? new Set()).add(reason));
          },
        });
      }
      return found;
    };

    let sent = 0;
    const produce = async (messages: number) => {
      const values = Array.from({ length: messages }, () =>
        JSON.stringify({ records: [event(sent++), event(sent++)] }),
      );
      await producer.send({
        topic: input.topic,
        messages: values.map((value, number) => ({ partition: number % PARTITIONS, value })),
      });
    };
    let current = worker();
    await producer.send({ topic: input.topic, messages: [{ partition: 0, value: 'no JSON' }] });
    for (let round = 0; round < 3; round++) {
      await produce(200);
      await eventually(`round ${round} has begun: ${said}`, () => rows().size > round * 400);
      await produce(200);
      await sleep(round * 150);
      current.kill('SIGKILL');
      current = worker();
    }
    await produce(50);
    await eventually(`all rows are there: ${said}`, () => rows().size === sent + 1);
    for (const [id, places] of rows()) expect([id, places.size]).toEqual([id, 1]);
    expect([...rows().get('malformed_json')!][0]).toContain(`message 0 of partition 0 of ${input.topic}`);

    // From the row to the log, while nothing else is to do.
    const delays: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const beganMs = performance.now();
      await produce(1);
      await eventually('it is there', () => rows().size === sent + 1);
      delays.push(performance.now() - beganMs);
    }
    expect(delays.sort((a, b) => a - b)[2]).toBeLessThan(3_000);

    const ended = new Promise((resolve) => current.once('close', resolve));
    current.kill('SIGTERM');
    expect(await ended).toBe(0);
    const [{ partitions }] = await admin.fetchOffsets({ groupId: input.group, topics: [input.topic] });
    const ends = await admin.fetchTopicOffsets(input.topic);
    for (const { partition, high } of ends) {
      expect(partitions.find((one) => one.partition === partition)?.offset).toBe(high);
    }
    await produce(30);
    const env = { RELAYWATCH_DATA: folder };
    expect((await run(['run', '--once', 'event-hubs.yaml'], { cwd: folder, env })).status).toBe(0);
    await eventually('the last rows are there', () => rows().size === sent + 1);

    // What killed workers had begun to keep is in the archive too.
    const archive = createArchive(path.join(folder, 'archive'));
    const kept = new Set<string>();
    for (const { sha256, bytes } of await archive.list('contoso')) {
      const text = Buffer.from(await archive.read('contoso', sha256, 0, bytes)).toString();
      for (const line of text.trimEnd().split('\n')) kept.add(JSON.parse(line).properties.NetworkMessageId);
    }
    expect(kept.size).toBe(sent);
  });
});

function event(number: number): object {
  return {
    time: '2026-09-05T18:24:02.5127177Z',
    category: 'AdvancedHunting-EmailEvents',
    properties: {
      Timestamp: '2026-09-05T18:10:13Z',
      NetworkMessageId: `cf7a249a-5edd-4350-130a-${String(number).padStart(12, '0')}`,
      SenderMailFromAddress: 'promo@fabrikam.example',
      RecipientEmailAddress: 'ann@victim.example',
      DeliveryLocation: 'On-premises/external',
    },
  };
}

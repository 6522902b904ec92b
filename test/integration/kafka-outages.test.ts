/** Brokers that restart, are silent for longer than the session timeout, or are not there: nothing is lost. */

import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import type { KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import { checkKafka, LEAST_RETENTION_MS, setupKafka } from '../../src/adapters/kafka/setup.ts';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../src/adapters/kafka/source.ts';
import { Arena, envelope, Recorder, start, until } from '../adapters/contract/envelope-log.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

const TENANTS = ['contoso', 'fabrikam', 'tailspin', 'woodgrove'];
const SETUP = { dryRun: false, partitions: 4, replicationFactor: 1, retentionMs: LEAST_RETENTION_MS };

describeWithOwnEngines('Kafka with outages', { kafka: true }, (engines) => {
  const troubles: string[] = [];
  const onTrouble = (trouble: string) => troubles.push(trouble);

  function settings(topic: string): KafkaSettings {
    return {
      brokers: engines().kafka.brokers,
      clientId: 'relaywatch-test',
      topic,
      group: `${topic}-detectors`,
      tls: null,
      sasl: null,
      allowPlaintext: false,
      sessionTimeoutMs: 6_000,
      maxWaitTimeMs: 100,
    };
  }

  /** Sends a line of every tenant every 50 ms, until it is stopped; resolves to how many lines there are. */
  function sendAlong(own: KafkaSettings): () => Promise<number> {
    const sink = createKafkaSink(own, { onTrouble });
    let stopped = false;
    const sending = (async () => {
      let line = 0;
      for (; !stopped; line++) {
        await sink.send(TENANTS.map((tenant) => envelope(tenant, line)));
        await sleep(50);
      }
      await sink.close();
      return line;
    })();
    return () => {
      stopped = true;
      return sending;
    };
  }

  /** Every line of every tenant is there; repeats and what follows them aside, in order. */
  function expectAll(recorders: Recorder[], lines: number): void {
    for (const tenant of TENANTS) {
      const seen = new Set(recorders.flatMap((one) => one.lines().get(tenant) ?? []));
      expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: lines }, (_, line) => line));
    }
    expect(recorders.flatMap((one) => one.named('gap'))).toEqual([]);
  }

  beforeAll(async () => {
    await setupKafka(settings('restart'), SETUP);
    await setupKafka(settings('silence'), SETUP);
    await setupKafka(settings('end'), SETUP);
  });

  test('a restart of the broker is survived, and what was sent meanwhile arrives', async () => {
    const own = settings('restart');
    const recorder = new Recorder();
    start(createKafkaSource(own, { onTrouble }), recorder);
    const stop = sendAlong(own);
    await until('envelopes arrive', () => recorder.received().length > 40);
    await engines().kafka.server.kill();
    await sleep(1_000);
    await engines().kafka.server.restart();
    const before = recorder.received().length;
    await until('envelopes arrive again', () => recorder.received().length > before + 40);
    const lines = await stop();
    const all = () =>
      TENANTS.every((tenant) =>
        recorder
          .lines()
          .get(tenant)
          ?.includes(lines - 1),
      );
    await until('all have arrived', all);
    // Whether the state was kept depends on how often the member had to ask to be let in again.
    expectAll([recorder], lines);
  });

  test('a broker that is silent for longer than the session timeout is survived, by two members', async () => {
    const own = settings('silence');
    const arena = new Arena();
    const recorders = [new Recorder(arena), new Recorder(arena)];
    for (const recorder of recorders) start(createKafkaSource(own, { onTrouble }), recorder);
    const stop = sendAlong(own);
    await until('both are at work', () => recorders.every((one) => one.received().length > 10));
    engines().kafka.server.pause();
    onTestFinished(() => engines().kafka.server.resume());
    await sleep(9_000);
    engines().kafka.server.resume();
    const before = recorders[0].received().length + recorders[1].received().length;
    const total = () => recorders[0].received().length + recorders[1].received().length;
    await until('envelopes arrive again', () => total() > before + 40);
    const lines = await stop();
    const all = () =>
      TENANTS.every((tenant) =>
        recorders.some((one) =>
          one
            .lines()
            .get(tenant)
            ?.includes(lines - 1),
        ),
      );
    await until('all have arrived', all);
    expectAll(recorders, lines);
    expect(arena.overlaps).toEqual([]);
  });

  test('while there is no broker, sending waits until it is told to stop, and reading too', async () => {
    const own = settings('end');
    const sink = createKafkaSink(own, { onTrouble });
    await sink.send([envelope('contoso', 0)]);
    const recorder = new Recorder();
    const source = createKafkaSource(own, { onTrouble });
    const reading = start(source, recorder);
    await until('it is read', () => recorder.received().length === 1);
    await engines().kafka.server.kill();
    troubles.length = 0;
    const stopping = new AbortController();
    const sent = sink.send([envelope('contoso', 1)], stopping.signal);
    sent.catch(() => {});
    await until('the trouble is told', () => troubles.some((trouble) => trouble.includes('takes no envelopes')));
    stopping.abort(new Error('told to stop'));
    await expect(sent).rejects.toThrow('told to stop');
    await sink.close();
    const begin = Date.now();
    await reading.stop();
    expect(Date.now() - begin).toBeLessThan(30_000);
    expect(recorder.owned().size).toBe(0);
    const [check] = await checkKafka(own);
    expect(check).toMatchObject({ ok: false, hint: expect.stringContaining('that the brokers run') });
    await expect(setupKafka(own, SETUP)).rejects.toMatchObject({ code: 'kafka_unreachable' });
  });
});

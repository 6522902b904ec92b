/** Kafka behind TLS, with clients that sign in; and what is said where they cannot. */

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readKafkaLag } from '../../src/adapters/kafka/lag.ts';
import type { KafkaSasl, KafkaSettings } from '../../src/adapters/kafka/settings.ts';
import { checkKafka, LEAST_RETENTION_MS, setupKafka } from '../../src/adapters/kafka/setup.ts';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../src/adapters/kafka/source.ts';
import { envelope, Recorder, start, until } from '../adapters/contract/envelope-log.ts';
import type { KafkaSecurity } from '../engines/kafka.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

const SETUP = { dryRun: false, partitions: 2, replicationFactor: 1, retentionMs: LEAST_RETENTION_MS };
const TENANTS = ['contoso', 'litware', 'northwind'];

describeWithOwnEngines('Secured Kafka', { kafka: { security: true } }, (engines) => {
  const secured = () => engines().kafka.secured as KafkaSecurity;

  function settings(change: Partial<KafkaSettings>): KafkaSettings {
    const topic = `envelopes-${randomBytes(6).toString('hex')}`;
    return {
      brokers: engines().kafka.brokers,
      clientId: 'relaywatch-test',
      topic,
      group: `${topic}-detectors`,
      tls: { ca: secured().ca, cert: null, key: null },
      sasl: null,
      allowPlaintext: false,
      sessionTimeoutMs: 6_000,
      maxWaitTimeMs: 100,
      ...change,
    };
  }

  const plain = (): KafkaSasl => ({ mechanism: 'plain', ...secured().plain });
  const scram = (): KafkaSasl => ({ mechanism: 'scram-sha-512', ...secured().scram });
  const withCertificate = (): Partial<KafkaSettings> => {
    const { brokers, cert, key } = secured().certificate;
    return { brokers, tls: { ca: secured().ca, cert, key } };
  };

  test.each<[string, () => Partial<KafkaSettings>]>([
    ['a password', () => ({ sasl: plain() })],
    ['a password that is never sent (SCRAM)', () => ({ sasl: scram() })],
    ['a token', () => ({ sasl: withToken(() => token(3_600)) })],
    ['a certificate', withCertificate],
    [
      'the name of the broker instead of its address',
      () => ({
        brokers: engines().kafka.brokers.map((broker) => broker.replace('127.0.0.1', 'localhost')),
        sasl: scram(),
      }),
    ],
  ])('is set up, written to and read with %s', async (_, change) => {
    const own = settings(change());
    expect((await setupKafka(own, SETUP))[0].state).toBe('created');
    expect((await checkKafka(own)).filter(({ ok }) => !ok)).toEqual([]);
    const troubles: string[] = [];
    const onTrouble = (trouble: string) => troubles.push(trouble);
    const sink = createKafkaSink(own, { onTrouble });
    onTestFinished(() => sink.close());
    await sink.send(TENANTS.map((tenant, line) => envelope(tenant, line)));
    // A broker that has just begun takes a while to know its first group.
    await vi.waitFor(() => readKafkaLag(own), { timeout: 60_000, interval: 100 });
    const reader = new Recorder();
    start(createKafkaSource(own, { onTrouble, idleMs: 200 }), reader);
    await until('all is read', () => reader.received().length === TENANTS.length);
    expect([...reader.lines().keys()].sort()).toEqual(TENANTS);
    expect(troubles).toEqual([]);
  });

  const wrong = () => randomBytes(12).toString('hex');
  const withToken = (value: () => string): KafkaSasl => ({
    mechanism: 'oauthbearer',
    token: async () => ({ value: value() }),
  });

  test('signs in again before a token expires, and nobody notices', async () => {
    let tokens = 0;
    // Members sign in again 10 s before it is time.
    const own = settings({
      sasl: withToken(() => {
        tokens++;
        return token(13);
      }),
    });
    await setupKafka(own, SETUP);
    const troubles: string[] = [];
    const onTrouble = (trouble: string) => troubles.push(trouble);
    const sink = createKafkaSink(own, { onTrouble });
    onTestFinished(() => sink.close());
    const reader = new Recorder();
    start(createKafkaSource(own, { onTrouble, idleMs: 200 }), reader);
    await until('there is a member', () => reader.named('idle').length > 0);
    const before = tokens;
    for (let line = 0; line < 20; line++) {
      await sink.send([envelope('contoso', line)]);
      await sleep(300);
    }
    await until('all is read', () => reader.received().length === 20);
    expect(tokens).toBeGreaterThan(before + 1);
    expect(troubles).toEqual([]);
  });

  test('waits where tokens are not to be had for a while', async () => {
    const away = new Set(['sink', 'source']);
    const own = (part: string) => ({
      ...base,
      sasl: {
        mechanism: 'oauthbearer' as const,
        token: async () => {
          if (away.has(part)) throw new Error('the endpoint is away');
          return { value: token(3_600) };
        },
      },
    });
    const base = settings({});
    await setupKafka(own('setup'), SETUP);
    const troubles: string[] = [];
    const onTrouble = (trouble: string) => troubles.push(trouble);
    const recovered: string[] = [];
    const sink = createKafkaSink(own('sink'), { onTrouble, onRecovered: () => recovered.push('sink') });
    onTestFinished(() => sink.close());
    const reader = new Recorder();
    const onRecovered = () => recovered.push('source');
    start(createKafkaSource(own('source'), { onTrouble, onRecovered, idleMs: 200 }), reader);
    const sending = sink.send([envelope('contoso', 1)]);
    await until('both have said so twice', () => troubles.filter((one) => one.includes('is away')).length >= 4);
    away.clear();
    await sending;
    await until('all is read', () => reader.received().length === 1);
    expect(recovered.sort()).toEqual(['sink', 'source']);
  });

  test.each<[string, string, RegExp, () => Partial<KafkaSettings>]>([
    ['a wrong password', 'kafka_login', /password/, () => ({ sasl: { ...plain(), password: wrong() } as KafkaSasl })],
    [
      'a wrong password of SCRAM',
      'kafka_login',
      /password/,
      () => ({ sasl: { ...scram(), password: wrong() } as KafkaSasl }),
    ],
    [
      'a user that nobody knows',
      'kafka_login',
      /user name/,
      () => ({ sasl: { ...scram(), username: 'x,y=z' } as KafkaSasl }),
    ],
    [
      'a mechanism that is not offered',
      'kafka_login',
      /offer that mechanism/,
      () => ({ sasl: { ...scram(), mechanism: 'scram-sha-256' } as KafkaSasl }),
    ],
    ['a token that has expired', 'kafka_login', /of the token/, () => ({ sasl: withToken(() => token(-3_600)) })],
    ['no token at all', 'kafka_login', /of the token/, () => ({ sasl: withToken(wrong) })],
    [
      'an authority that nobody gave',
      'kafka_certificate',
      /the authority that signed that of the broker/,
      () => ({ sasl: plain(), tls: { ca: null, cert: null, key: null } }),
    ],
    [
      'no certificate of its own',
      'kafka_certificate',
      /certificate with its key/,
      () => ({ brokers: secured().certificate.brokers }),
    ],
  ])('is refused with %s (%s), by every call, and nobody waits', async (_, code, hint, change) => {
    const own = settings(change());
    const refused = { code, hint: expect.stringMatching(hint) };
    const troubles: string[] = [];
    const onTrouble = (trouble: string) => troubles.push(trouble);
    const sink = createKafkaSink(own, { onTrouble });
    onTestFinished(() => sink.close());
    const source = start(createKafkaSource(own, { onTrouble }), new Recorder());
    const failures = await Promise.all(
      [setupKafka(own, SETUP), sink.send([envelope('contoso', 1)]), source.ended].map((call) => failureOf(call)),
    );
    expect(failures).toEqual([0, 0, 0].map(() => expect.objectContaining(refused)));
    const checks = await checkKafka(own);
    expect(checks).toEqual([expect.objectContaining({ ok: false, hint: refused.hint })]);
    expect(troubles).toEqual([]);
    const { sasl } = own;
    const said = JSON.stringify([failures.map((failure) => inspect(failure, { depth: 9 })), checks]);
    expect(said).not.toContain(sasl !== null && 'password' in sasl ? sasl.password : secured().plain.password);
  });

  test.each<[string, () => Partial<KafkaSettings>]>([
    ['a login', () => ({})],
    ['TLS', () => ({ sasl: plain(), tls: null })],
  ])('closes the connection to clients without %s: it is said what may be the matter', async (_, change) => {
    const own = settings(change());
    const refused = { code: 'kafka_unreachable', message: expect.stringContaining('TLS or a login is missing') };
    await expect(setupKafka(own, SETUP)).rejects.toMatchObject(refused);
    expect(await checkKafka(own)).toEqual([expect.objectContaining({ ok: false, detail: refused.message })]);
  });

  test('is not spoken to in plain text where it is another machine', async () => {
    const own = settings({ sasl: plain(), tls: null, brokers: ['kafka.example:9093'] });
    await expect(setupKafka(own, SETUP)).rejects.toMatchObject({ code: 'kafka_settings' });
    expect(() => createKafkaSink(own)).toThrow('plain text');
    expect(() => createKafkaSource(own)).toThrow('plain text');
  });

  test('takes those who were signed in again after kill -9', async () => {
    const own = settings({ sasl: scram() });
    await setupKafka(own, SETUP);
    const sink = createKafkaSink(own);
    onTestFinished(() => sink.close());
    const reader = new Recorder();
    start(createKafkaSource(own, { idleMs: 200 }), reader);
    await sink.send([envelope('contoso', 0)]);
    await until('the first is read', () => reader.lines().get('contoso')?.includes(0) ?? false);
    await engines().kafka.server.kill();
    const sent = sink.send([envelope('contoso', 1)]);
    await engines().kafka.server.restart();
    await sent;
    await until('the second is read', () => reader.lines().get('contoso')?.includes(1) ?? false);
  });
});

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => null,
    (error) => error,
  );
}

/** A token that is not signed (RFC 7519, 6), for so many seconds. */
function token(lifetimeS: number): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ sub: 'worker', iat: now, exp: now + lifetimeS })}.`;
}

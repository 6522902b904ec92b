/** The service where every server is behind TLS and asks who is there, with no more rights than it needs. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Outcome } from '../e2e/command.ts';
import { ROOT } from '../e2e/command.ts';
import { certificates } from '../engines/certificates.ts';
import { findJdk } from '../engines/jdk.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';
import { openTlsFront } from '../engines/tls-front.ts';
import { asScanned, byTimeAndId, Service, type ServiceTenant, untilOrLate } from './service.ts';

const TENANT = 'contoso';
const seed = process.env.SEED ?? String(Date.now() % 1_000_000);
const JDK_OF_KAFKA = 17;
/** What `setup` needs beyond the workers: it creates templates, and indices with their aliases. */
const SETUP_ROLE = {
  cluster: ['monitor', 'manage_index_templates'],
  indices: [{ names: ['logs-relaywatch.*', 'relaywatch-*'], privileges: ['manage'] }],
};

const wanted = { kafka: { security: true }, elasticsearch: { security: true }, redis: true } as const;
describeWithOwnEngines('The secured service', wanted, (engines) => {
  let service: Service;
  let tenant: ServiceTenant;
  let closeFront: () => void;
  let good: Record<'kafka' | 'redis' | 'elasticsearch', string>;
  /** Nothing that anybody prints may contain one of them. */
  const secrets: string[] = [];
  const printed: string[] = [];

  beforeAll(async () => {
    const { kafka, elasticsearch, redis } = engines();
    const { server, ca } = await certificates(findJdk(JDK_OF_KAFKA)!);
    const redisPassword = randomBytes(12).toString('hex');
    const [host, port] = new URL(redis.url).host.split(':');
    const client = new Redis({ host, port: Number(port) });
    await client.config('SET', 'requirepass', redisPassword);
    client.disconnect();
    const front = await openTlsFront({ host, port: Number(port) }, server);
    closeFront = front.close;

    service = new Service(engines(), [TENANT]);
    const { scram } = kafka.secured!;
    secrets.push(redisPassword, scram.password, kafka.secured!.plain.password, elasticsearch.password!);
    writeFileSync(path.join(service.folder, 'ca.crt'), ca);
    good = { kafka: scram.password, redis: redisPassword, elasticsearch: '' };
    useSecrets({});

    const name = service.topic;
    const state = `{ url: "rediss://localhost:${front.port}", password: "\${TEST_REDIS_PASSWORD}", ca_file: ca.crt, prefix: ${name} }`;
    const common = `tenants: [{ key: ${TENANT}, accepted_domains: ${TENANT}.txt }]
log:
  kafka:
    brokers: ["${kafka.brokers[0]}"]
    tls: { ca_file: ca.crt }
    sasl: { mechanism: scram-sha-512, username: ${scram.username}, password: { file: kafka.secret } }
    topic: ${name}
    group: ${name}
    session_timeout_ms: 6000
    max_wait_ms: 200
outputs:
  elasticsearch: { nodes: ["${elasticsearch.url}"], api_key: "\${TEST_API_KEY}", ca_file: ca.crt, namespace: ${name} }
jobs:
  redis: ${state}
`;
    const write = (role: string, more: string) =>
      writeFileSync(path.join(service.folder, `${role}.yaml`), `name: ${role}\nrole: ${role}\n${common}${more}`);
    write('detect', `state: { redis: ${state} }\n`);
    write('jobs', '  spool: { path: spool }\narchive: { path: archive }\n');
    tenant = await service.tenant(TENANT, 0, seed, []);
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    await service.close();
    closeFront();
  });

  /** What the pipelines use from now on: what is right, but for these. */
  function useSecrets(others: Partial<typeof good>): void {
    const { kafka, redis, elasticsearch } = { ...good, ...others };
    writeFileSync(path.join(service.folder, 'kafka.secret'), `${kafka}\n`);
    vi.stubEnv('TEST_REDIS_PASSWORD', redis);
    vi.stubEnv('TEST_API_KEY', elasticsearch);
  }

  /** From now on the pipelines use a key with these rights. */
  async function useKey(role: object): Promise<void> {
    const created = await service.client.security.createApiKey({ name: 'test', role_descriptors: { test: role } });
    secrets.push(created.encoded, created.api_key);
    good.elasticsearch = created.encoded;
    useSecrets({});
  }

  async function relaywatch(...args: string[]): Promise<Outcome> {
    const outcome = await service.relaywatch(...args);
    printed.push(outcome.stdout, outcome.stderr);
    return outcome;
  }

  test('is set up and looked at with one key, and finds what scan finds with another', {
    timeout: 400_000,
  }, async () => {
    await useKey(SETUP_ROLE);
    const setup = await relaywatch('setup', 'detect.yaml', 'jobs.yaml');
    expect(setup.status, setup.stderr).toBe(0);
    expect((await relaywatch('setup', 'detect.yaml', 'jobs.yaml')).stderr).toContain('Nothing to change');
    const tooFew = await relaywatch('doctor', 'detect.yaml');
    expect([tooFew.status, tooFew.stdout]).toEqual([1, expect.stringContaining('missing: ')]);

    await useKey(workerRole());
    const doctor = await relaywatch('doctor', 'detect.yaml', 'jobs.yaml');
    expect(doctor.status, doctor.stdout + doctor.stderr).toBe(0);

    const lint = await relaywatch('lint', 'detect.yaml', 'jobs.yaml');
    expect(lint.status, lint.stdout + lint.stderr).toBe(0);

    const workers = ['jobs.yaml', 'detect.yaml'].map((pipeline) => service.worker(pipeline));
    const submitted = await relaywatch('submit', '--pipeline', 'jobs.yaml', '--tenant', TENANT, tenant.parts[0]);
    expect(submitted.status, submitted.stderr).toBe(0);
    const expected = tenant.expected.toSorted(byTimeAndId);
    expect(expected.length).toBeGreaterThan(0);
    await untilOrLate(async () => isDeepStrictEqual(asScanned(await service.incidents()), expected));
    expect(asScanned(await service.incidents()), `seed ${seed}\n${service.log.join('')}`).toEqual(expected);
    for (const worker of workers) {
      worker.kill('SIGTERM');
      expect((await once(worker, 'close'))[0], service.log.join('')).toBe(0);
    }
  });

  test.each([
    ['Kafka', 'does not accept the login', () => useSecrets({ kafka: wrong() })],
    ['Redis', 'WRONGPASS', () => useSecrets({ redis: wrong() })],
    [
      'Elasticsearch',
      'does not know who we are',
      () => useSecrets({ elasticsearch: Buffer.from(`${wrong()}:${wrong()}`).toString('base64') }),
    ],
  ])('says that %s lets nobody in with another secret, and stops', async (server, refusal, change) => {
    change();
    const doctor = await relaywatch('doctor', 'detect.yaml');
    const failed = doctor.stdout.split('\n').filter((line) => line.startsWith('failed'));
    expect([doctor.status, new Set(failed.map((line) => line.includes(server) && line.includes(refusal)))]).toEqual([
      1,
      new Set([true]),
    ]);
    const before = service.log.length;
    const worker = service.worker('detect.yaml');
    expect((await once(worker, 'close'))[0]).not.toBe(0);
    expect(service.log.slice(before).join('')).toContain(refusal);
  });

  test('the jobs worker too stops where Elasticsearch does not know it, before there is anything to write', async () => {
    useSecrets({ elasticsearch: Buffer.from(`${wrong()}:${wrong()}`).toString('base64') });
    const before = service.log.length;
    const worker = service.worker('jobs.yaml');
    expect((await once(worker, 'close'))[0]).not.toBe(0);
    const said = service.log.slice(before).join('');
    expect(said).toContain('does not know who we are');
    expect(said).toContain('Give an API key that is valid');
  });

  test('never prints a secret', () => {
    const text = [...printed, ...service.log].join('\n');
    expect(text.length).toBeGreaterThan(1_000);
    for (const secret of secrets) {
      for (const form of [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)]) {
        expect(text.includes(form), `secret ${secrets.indexOf(secret)}`).toBe(false);
      }
    }
  });

  /** A secret that is wrong, which is one all the same. */
  function wrong(): string {
    const secret = randomBytes(12).toString('hex');
    secrets.push(secret);
    return secret;
  }
});

/** The role that docker-compose.yml gives its workers. */
function workerRole(): object {
  const script = readFileSync(path.join(ROOT, 'infra/container/elasticsearch-users.sh'), 'utf8');
  return JSON.parse(/<<END\n([\s\S]*?)\nEND\n/.exec(script)![1]);
}

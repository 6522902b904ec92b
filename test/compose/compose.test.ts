/** docker-compose.yml keeps the rules of Compose, is closed to the outside, and fits the pipelines that it runs. */

import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMAND_NAMES } from '../../src/config/commands.ts';
import { lintPipeline, loadPipeline } from '../../src/config/pipeline/load.ts';
import {
  composeFile,
  composeFileWith,
  composeText,
  ROOT,
  type Service,
  specificationProblems,
  texts,
} from './compose-file.ts';

const file = composeFile();
const services = Object.entries(file.services);
const isOneShot = ({ restart }: Service) => restart?.startsWith('on-failure') === true;

describe('the file', () => {
  test('keeps the rules of the Compose specification', () => {
    expect(services.map(([name]) => name).sort()).toEqual([
      'detect',
      'elasticsearch',
      'ingest',
      'jobs',
      'kafka',
      'kibana',
      'redis',
      'setup',
      'users',
    ]);
    expect(specificationProblems(file)).toEqual([]);
  });

  test.each<[string, string, string, string]>([
    ['an unknown key', '  redis:\n', '  redis:\n    memory: 1G\n', 'redis: memory is no key of Compose'],
    ['an unknown network', 'networks: [backend]', 'networks: [back]', 'there is no back in networks'],
    ['an unknown volume', '"kafka:/var', '"kafak:/var', 'kafka: there is no kafak in volumes'],
    ['an unknown secret', 'secrets: [ca.crt]', 'secrets: [ca]', 'there is no ca in secrets'],
    ['an unknown service', 'users: { condition', 'user: { condition', 'there is no user in services'],
    [
      'a check that is not there',
      'condition: service_healthy',
      'condition: service_well',
      'service_well is no condition',
    ],
    [
      'a service that never ends',
      'restart: on-failure:5',
      'restart: always',
      'waits for the end of users, which is started again',
    ],
    ['a boolean for a text', '"false"', 'false', 'KAFKA_AUTO_CREATE_TOPICS_ENABLE is no text'],
    ['a duration without unit', 'interval: 30s', 'interval: 30', 'kafka: interval is no duration'],
  ])('the check notices %s', (_, from, to, expected) => {
    expect(composeText).toContain(from);
    expect(specificationProblems(composeFile(composeText.replace(from, to))).join('\n')).toContain(expected);
  });

  test('mounts files that are there', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]));
    // What people drop their exports into is made by Docker.
    const sources = [...new Set(mounted)].filter((source) => source.startsWith('./') && source !== './data/inbox');
    expect(sources.sort()).toEqual([
      './infra/container/elasticsearch-users.sh',
      './infra/redis/redis.conf',
      './pipelines',
    ]);
    for (const source of sources) expect(existsSync(path.join(ROOT, source)), source).toBe(true);
  });
});

describe.each(services)('%s', (name, service) => {
  test('has few rights', () => {
    expect(service.user).toMatch(/^[1-9]\d*:\d+$/);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    for (const key of ['privileged', 'cap_add', 'network_mode', 'pid', 'ipc', 'devices', 'userns_mode']) {
      expect(service[key], key).toBe(undefined);
    }
    expect(service.read_only === true).toBe(!['elasticsearch', 'kibana'].includes(name));
  });

  test('has limits, and a check unless it ends by itself', () => {
    const { cpus, memory, pids } = service.deploy?.resources?.limits ?? {};
    expect([cpus, memory, pids]).not.toContain(undefined);
    expect(service.logging).toMatchObject({ options: { 'max-size': expect.any(String) } });
    expect(service.healthcheck?.test === undefined).toBe(isOneShot(service));
    expect(service.restart === 'unless-stopped').toBe(!isOneShot(service));
  });

  test('comes in one version, and only this machine reaches it', () => {
    if (service.build === undefined) expect(service.image).toMatch(/^[\w./-]+:\d+\.\d+\.\d+$/);
    else expect(existsSync(path.join(ROOT, service.build.dockerfile))).toBe(true);
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    expect(service.networks).toContain('backend');
    expect(service.networks?.includes('outside') ?? false).toBe(service.ports !== undefined);
  });
});

test('the servers are those that the tests run against', () => {
  const lock = JSON.parse(readFileSync(path.join(ROOT, 'test/engines/engines.lock.json'), 'utf8'));
  expect(file.services.kafka.image).toBe(`apache/kafka:${lock.kafka.version}`);
  for (const name of ['elasticsearch', 'kibana']) {
    expect(file.services[name].image).toMatch(new RegExp(`:${lock.elasticsearch.version}$`));
  }
});

describe('passwords', () => {
  const script = readFileSync(path.join(ROOT, 'infra/container/make-secrets.sh'), 'utf8');
  const made = [...script.matchAll(/^([A-Z_]+)=\$\(/gm)].map(([, name]) => name);

  test('are made by the script, all of them, and have no default', () => {
    const used = [...texts(file)].flatMap(([, text]) =>
      [...text.replaceAll('$$', '').matchAll(/\$\{?[^$]*/g)].map(([one]) => one),
    );
    const names = used.map((one) => /^\$\{([A-Z_]+):\?run infra\/container\/make-secrets\.sh\}/.exec(one)?.[1] ?? one);
    expect([...new Set(names)].sort()).toEqual(made.sort());
    expect(made.length).toBeGreaterThanOrEqual(7);
  });

  test('stand nowhere in the file', () => {
    for (const [at, text] of texts(file.services)) {
      if (/(PASSWORD|ENCRYPTIONKEY|TOKEN|SECRET)$/.test(at)) expect(text, at).toMatch(/^\$\{[A-Z_]+:\?/);
    }
  });

  test('are for Kafka, Redis, Elasticsearch and Kibana', () => {
    expect(file.services.kafka.environment?.KAFKA_LISTENER_SECURITY_PROTOCOL_MAP).toContain('CLIENT:SASL_PLAINTEXT');
    expect(file.services.redis.command?.join(' ')).toContain('requirepass');
    const { environment = {} } = file.services.elasticsearch;
    for (const layer of ['http', 'transport']) expect(environment[`xpack.security.${layer}.ssl.enabled`]).toBe('true');
    expect(environment['xpack.security.enabled']).toBe('true');
  });
});

describe('Kafka', () => {
  const environment = file.services.kafka.environment ?? {};
  const listeners = environment.KAFKA_LISTENERS.split(',');

  test('takes strangers on the loopback address alone', () => {
    const protocols = Object.fromEntries(
      environment.KAFKA_LISTENER_SECURITY_PROTOCOL_MAP.split(',').map((one) => one.split(':')),
    );
    for (const listener of listeners) {
      const [name, address] = listener.split('://');
      if (protocols[name] === 'PLAINTEXT') expect(address).toMatch(/^127\.0\.0\.1:/);
    }
    expect(listeners.map((listener) => listener.split('://')[0]).sort()).toEqual(Object.keys(protocols).sort());
  });

  test('keeps entries longer than open days need', () => {
    expect(Number(environment.KAFKA_LOG_RETENTION_HOURS)).toBeGreaterThanOrEqual(7 * 24);
  });
});

test('Redis keeps what it is given', () => {
  const settings = readFileSync(path.join(ROOT, 'infra/redis/redis.conf'), 'utf8');
  expect(settings).toMatch(/^appendonly yes$/m);
  expect(settings).toMatch(/^maxmemory-policy noeviction$/m);
  const [, megabytes] = /^maxmemory (\d+)gb$/m.exec(settings) ?? [];
  // Rewriting the append-only file takes as much again, in the worst case.
  expect(file.services.redis.deploy?.resources?.limits?.memory).toBe(`${Number(megabytes) * 2}G`);
});

describe('the workers fit their pipelines', () => {
  const values = Object.fromEntries(
    [...composeText.matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name], index) => [name, `made-${name}-${index}`]),
  );
  const filled = composeFileWith(values);
  const workers = Object.entries(filled.services).filter(([, { build }]) => build !== undefined);
  const files = {
    // What Docker mounts as a secret.
    readFile: async (name: string) =>
      name === '/run/secrets/ca.crt' ? Buffer.from('-----BEGIN CERTIFICATE-----') : readFile(name).catch(() => null),
    nowMs: Date.UTC(2026, 8, 6),
    listFolder: (name: string) => readdir(name).catch(() => null),
  };
  const pipelineOf = (service: Service) => path.join(ROOT, service.command?.[1] ?? '');
  const load = (service: Service) =>
    loadPipeline(pipelineOf(service), { ...files, environment: service.environment ?? {} });

  test('there is one for every role, and two detectors', () => {
    expect(workers.map(([name, { command }]) => [name, ...(command ?? [])])).toEqual([
      ['setup', 'setup', 'pipelines/detect.yaml'],
      ['ingest', 'run', 'pipelines/ingest.yaml'],
      ['detect', 'run', 'pipelines/detect.yaml'],
      ['jobs', 'run', 'pipelines/jobs.yaml'],
    ]);
    for (const [, { command = [] }] of workers) expect(COMMAND_NAMES).toContain(command[0]);
    expect(filled.services.detect.deploy?.replicas).toBe(2);
  });

  test('every variable that a pipeline takes is set, and every one that is set is taken', async () => {
    const taken = new Set<string>();
    for (const [name, service] of workers) {
      const { variables } = await lintPipeline(pipelineOf(service), { ...files, environment: {} });
      const missing = variables.filter((one) => service.environment?.[one.name] === undefined);
      expect(missing, name).toEqual([]);
      for (const variable of variables) taken.add(variable.name);
    }
    const set = new Set(workers.flatMap(([, { environment = {} }]) => Object.keys(environment)));
    expect([...set].sort()).toEqual([...taken].sort());
  });

  test.each(workers)('%s finds its servers', async (_, service) => {
    const { log, state, jobs, outputs, telemetry } = await load(service);
    const kafka = filled.services.kafka.environment ?? {};
    const advertised = kafka.KAFKA_ADVERTISED_LISTENERS.split(',').find((one) => one.startsWith('CLIENT://'));
    expect(log?.brokers).toEqual([advertised?.slice('CLIENT://'.length)]);
    const sasl = log?.sasl;
    if (sasl?.mechanism !== 'plain') throw new Error('Kafka is spoken to without signing in');
    expect(kafka.KAFKA_LISTENER_NAME_CLIENT_PLAIN_SASL_JAAS_CONFIG).toContain(
      `user_${sasl.username}="${sasl.password.reveal()}"`,
    );
    for (const redis of [jobs?.redis, state?.kind === 'redis' ? state.redis : undefined]) {
      if (redis === undefined) continue;
      expect([redis.url, redis.password?.reveal()]).toEqual([
        'redis://redis:6379',
        filled.services.redis.environment?.REDIS_PASSWORD,
      ]);
    }
    if (outputs?.kind === 'elasticsearch') {
      const { node, auth, ca } = outputs.elasticsearch;
      expect([node, ca]).toEqual([['https://elasticsearch:9200'], '-----BEGIN CERTIFICATE-----']);
      const { RELAYWATCH_ELASTICSEARCH_PASSWORD: worker, ELASTIC_PASSWORD: elastic } =
        filled.services.users.environment ?? {};
      if (auth === null || 'apiKey' in auth) throw new Error('signs in otherwise');
      expect(auth.password.reveal()).toBe(auth.username === 'elastic' ? elastic : worker);
    }
    if (service.healthcheck?.test !== undefined) {
      expect(service.healthcheck.test.join(' ')).toContain(`http://127.0.0.1:${telemetry?.port}/healthz`);
    }
  });

  test.each(workers)('%s has its folders on volumes that last', async (_, service) => {
    const { inputs, archive, jobs } = await load(service);
    const targets = (service.volumes ?? []).map((volume) => volume.split(':').slice(0, 2));
    for (const folder of [inputs.folder?.path, archive?.path, jobs?.spool]) {
      if (!folder) continue;
      const mounts = targets.filter(([, target]) => folder === target || folder.startsWith(`${target}/`));
      expect(mounts.length, folder).toBeGreaterThan(0);
    }
  });
});

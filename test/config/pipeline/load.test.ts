/** From a file to what the runtime takes: defaults, paths, the environment, and secrets that stay secret. */

import path from 'node:path';
import { format, inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { JobQueueSettings } from '../../../src/adapters/bullmq/settings.ts';
import { checkSettings, type ElasticsearchSettings } from '../../../src/adapters/elasticsearch/settings.ts';
import { checkKafkaSettings } from '../../../src/adapters/kafka/settings.ts';
import type { RedisSettings } from '../../../src/adapters/redis/settings.ts';
import { redisAddress } from '../../../src/adapters/redis-access.ts';
import { loadCases } from '../../../src/config/pipeline/load.ts';
import { revealSecrets, Secret } from '../../../src/config/pipeline/secret.ts';
import { DETECT, EMBEDDED, lintText, loadText, surroundings } from './reading.ts';

const at = (name: string) => path.resolve(name);

test('what is left out has its default, and paths are absolute', async () => {
  expect(await loadText(EMBEDDED)).toEqual({
    name: 'here',
    file: at('p.yaml'),
    role: 'embedded',
    tenants: [
      {
        key: 'contoso',
        acceptedDomains: [{ name: 'contoso.com', matchSubDomains: false }],
        licenses: null,
        timeZone: 'UTC',
        dateOrder: null,
        organizations: [],
        silentAfterMs: null,
      },
    ],
    inputs: { folder: { path: at('inbox'), tenant: 'contoso', settleMs: 2_000 }, kafka: null },
    log: null,
    state: { kind: 'folder', path: at('state') },
    outputs: { kind: 'folder', path: at('findings') },
    jobs: null,
    archive: { path: at('archive') },
    telemetry: null,
    detection: { evidenceRows: 10, silentAfterMs: 6 * 3_600_000 },
    cases: [],
    warnings: [],
  });
  expect((await loadText(DETECT)).log).toEqual({
    brokers: ['127.0.0.1:9092'],
    clientId: 'relaywatch',
    topic: 'relaywatch-envelopes',
    deadLetterTopic: 'relaywatch-envelopes-dead-letters',
    group: 'relaywatch-detect',
    tls: null,
    sasl: null,
    allowPlaintext: false,
    sessionTimeoutMs: 30_000,
    maxWaitTimeMs: 500,
  });
});

test('after how long a source is silent is said by the pipeline, or by the tenant', async () => {
  const text = EMBEDDED.replace(
    'accepted_domains: [contoso.com]',
    'accepted_domains: [contoso.com]\n    silent_after_hours: 30',
  );
  const { tenants, detection } = await loadText(`${text}detection:\n  silent_after_hours: 2\n`);
  expect([tenants[0].silentAfterMs, detection.silentAfterMs]).toEqual([30 * 3_600_000, 2 * 3_600_000]);
});

test('tenants: lists in files beside them, sub-domains, zones, organizations', async () => {
  const text = EMBEDDED.replace(
    'accepted_domains: [contoso.com]',
    'accepted_domains: [Contoso.com, {name: mail.contoso.com, match_subdomains: true}, "*.fabrikam.com"]\n' +
      '    licenses: 100\n    time_zone: europe/berlin\n    date_order: dmy\n    organizations: [Contoso.onmicrosoft.com]',
  );
  expect((await loadText(text)).tenants).toEqual([
    {
      key: 'contoso',
      acceptedDomains: [
        { name: 'contoso.com', matchSubDomains: false },
        { name: 'fabrikam.com', matchSubDomains: true },
        { name: 'mail.contoso.com', matchSubDomains: true },
      ],
      licenses: 100,
      timeZone: 'Europe/Berlin',
      dateOrder: 'dmy',
      organizations: ['contoso.onmicrosoft.com'],
      silentAfterMs: null,
    },
  ]);
  const files = { 'tenants/a.yaml': 'key: a\naccepted_domains: ../lists/a.csv\n', 'lists/a.csv': 'a.com\nb.com\n' };
  const { tenants } = await loadText(`${EMBEDDED}tenant_files: tenants/*.yaml\n`, files);
  expect(tenants.map(({ key, acceptedDomains }) => [key, acceptedDomains.map(({ name }) => name)])).toEqual([
    ['contoso', ['contoso.com']],
    ['a', ['a.com', 'b.com']],
  ]);
});

test('a doubtful list of domains is a warning, a wrong one an error', async () => {
  const text = EMBEDDED.replace('[contoso.com]', 'domains.csv');
  const doubtful = await loadText(text, {
    'domains.csv': 'Name,DomainName,DomainType,Default\na,a.com,Authoritative,False\n',
  });
  expect(doubtful.warnings).toEqual([
    expect.stringMatching(/^p\.yaml:5:23: warning: .*no domain is marked Default=True/),
  ]);
  const trace = { 'domains.csv': 'SenderAddress,RecipientAddress,MessageTraceId\na@a.com,b@b.com,1\n' };
  await expect(loadText(text, trace)).rejects.toMatchObject({
    exitCode: 2,
    hint: expect.stringContaining(
      'accepted_domains: domains.csv is no list of accepted domains: it looks like a message trace',
    ),
  });
});

describe('what analysts know of a tenant', () => {
  const label = {
    incident: 'rw-0123456789abcdef',
    verdict: 'benign',
    by: 'ann',
    at: '2026-09-05T12:00:00Z',
    note: 'newsletter',
  };
  const files = {
    'tenants/a.yaml':
      'key: a\naccepted_domains: [a.com]\nlabels: ../known/l.ndjson\nallow: ../known/a.yaml\nconnectors: ../known/c.json\n',
    'known/l.ndjson': `\n${JSON.stringify(label)}\n`,
    'known/a.yaml': '- domain: billing.example\n  owner: ann\n  reason: invoices\n',
    'known/c.json': '[{"Name":"Inbound from DC1","SenderIPAddresses":["192.0.2.25"],"Enabled":true}]',
  };
  const text = `${EMBEDDED}tenant_files: tenants/*.yaml\n`;

  test('comes from files that its profile names', async () => {
    const [without, tenant] = (await loadText(text, files)).tenants;
    expect(without).not.toHaveProperty('feedback');
    const { at, ...told } = label;
    expect(tenant.feedback?.labels).toEqual([{ ...told, atMs: Date.parse(at) }]);
    expect(tenant.feedback?.allow).toMatchObject([{ domain: 'billing.example', owner: 'ann', expiresMs: null }]);
    expect(tenant.feedback?.connectors).toMatchObject([{ name: 'Inbound from DC1', direction: 'inbound' }]);
  });

  test('may be a part of it', async () => {
    const one = { ...files, 'tenants/a.yaml': 'key: a\naccepted_domains: [a.com]\nallow: ../known/a.yaml\n' };
    expect((await loadText(text, one)).tenants[1].feedback).toMatchObject({
      labels: [],
      allow: [{}],
      connectors: null,
    });
  });

  test('warns of entries that have expired, by file and line', async () => {
    const expired = { ...files, 'known/a.yaml': `${files['known/a.yaml']}  expires: 2026-01-01\n` };
    const { warnings, tenants } = await loadText(text, expired);
    expect(warnings).toEqual([
      expect.stringMatching(/^known\/a\.yaml:4:12: warning: \[0\]\.expires: has passed: mail of billing\.example/),
    ]);
    expect(tenants[1].feedback?.allow).toHaveLength(1);
  });

  test('is refused where it is wrong', async () => {
    await expect(loadText(text, { ...files, 'known/l.ndjson': '{}\n' })).rejects.toMatchObject({
      exitCode: 2,
      hint: expect.stringContaining('known/l.ndjson:1:1: incident: is missing'),
    });
  });
});

describe('the environment', () => {
  const text = `${EMBEDDED}telemetry: {host: "\${HOST:-127.0.0.2}", port: "\${PORT:-1}"}\n`.replace(
    'path: inbox',
    `path: "\${DATA}/in"`,
  );

  test('fills in texts and numbers, and defaults stand in for what is empty', async () => {
    const { inputs, telemetry } = await loadText(text, {}, { DATA: '/data', PORT: '9000', HOST: '' });
    expect([inputs.folder?.path, telemetry]).toEqual([path.resolve('/data/in'), { host: '127.0.0.2', port: 9_000 }]);
  });

  test('that lacks a name is an error for who runs it, and none for who checks it', async () => {
    await expect(loadText(text)).rejects.toMatchObject({
      code: 'pipeline',
      exitCode: 2,
      hint: expect.stringContaining('p.yaml:6:25: the environment has no DATA'),
    });
    expect(await lintText(text)).toMatchObject({
      problems: [],
      variables: [
        { name: 'DATA', fallback: null },
        { name: 'HOST', fallback: '127.0.0.2' },
        { name: 'PORT', fallback: '1' },
      ],
    });
  });

  test('that lacks a number is named too, unless only the cases are wanted', async () => {
    const withPort = `${EMBEDDED}telemetry: {port: "\${PORT}"}\n`;
    await expect(loadText(withPort)).rejects.toMatchObject({
      hint: expect.stringMatching(/\np\.yaml:10:19: the environment has no PORT/),
    });
    expect((await lintText(withPort)).problems).toEqual([]);
    const { cases, detection } = await loadCases('p.yaml', surroundings({ 'p.yaml': withPort }));
    expect({ cases, detection }).toEqual({ cases: [], detection: { evidenceRows: 10, silentAfterMs: 6 * 3_600_000 } });
    const withoutRole = surroundings({ 'p.yaml': EMBEDDED.replace('embedded', () => `\${ROLE}`) });
    await expect(loadCases('p.yaml', withoutRole)).rejects.toMatchObject({
      hint: expect.stringContaining('the environment has no ROLE'),
    });
  });

  test('brings no structure and no further reference', async () => {
    const { name, inputs } = await loadText(text.replace('name: here', 'name: here'), {}, { DATA: `\${HOST}: [1, {` });
    expect(name).toBe('here');
    expect(inputs.folder?.path).toBe(path.resolve(`\${HOST}: [1, {/in`));
  });

  test('is left alone where a dollar sign is only a dollar sign', async () => {
    const sasl = `    sasl: {mechanism: plain, username: $ConnectionString, password: "\${P}"}\n    client_id: $\${x}\n    brokers`;
    const { log } = await loadText(
      DETECT.replace('    brokers', () => sasl),
      {},
      { P: 'a' },
    );
    expect([log?.sasl?.mechanism === 'plain' && log.sasl.username, log?.clientId]).toEqual([
      '$ConnectionString',
      `\${x}`,
    ]);
  });

  test('has nothing that an object inherits', async () => {
    await expect(loadText(text.replace('DATA', 'constructor'))).rejects.toMatchObject({
      hint: expect.stringContaining('the environment has no constructor'),
    });
  });
});

describe('secrets', () => {
  const redis = 'url: redis://127.0.0.1\n    password: {file: secrets/redis}';
  const signedIn = DETECT.replace('http:', 'https:').replace('url: redis://127.0.0.1', redis);
  const text = `${signedIn}    username: elastic\n    password: \${PASSWORD}\n    ca_file: secrets/ca.crt\n`;
  const ca = '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n';
  const files = { 'secrets/redis': 'hunter2\n', 'secrets/ca.crt': ca };

  test('are shown nowhere, and revealed to who needs them', async () => {
    const pipeline = await loadText(text, files, { PASSWORD: 'hunter3' });
    for (const shown of [
      JSON.stringify(pipeline),
      inspect(pipeline, { depth: 9, showHidden: true }),
      format('%o', pipeline),
    ]) {
      expect(shown).toContain('[redacted]');
      expect(shown).not.toMatch(/hunter/);
    }
    const { state, outputs } = pipeline;
    if (state?.kind !== 'redis' || outputs?.kind !== 'elasticsearch') throw new Error('wrong kinds');
    expect(`${state.redis.password} ${JSON.stringify(outputs.elasticsearch.auth)}`).toBe(
      '[redacted] {"username":"elastic","password":"[redacted]"}',
    );
    const redis: RedisSettings = revealSecrets(state.redis);
    expect(redis.password).toBe('hunter2');
    const elasticsearch: ElasticsearchSettings = revealSecrets(outputs.elasticsearch);
    expect(elasticsearch).toMatchObject({ auth: { username: 'elastic', password: 'hunter3' }, ca });
    checkSettings(elasticsearch);
  });

  test('that are set to nothing are none', async () => {
    const { outputs } = await loadText(text, files, { PASSWORD: '' });
    expect(outputs?.kind === 'elasticsearch' && outputs.elasticsearch.auth).toBe(null);
  });

  test.each<[string, Record<string, string>, string]>([
    ['a missing file', { 'secrets/ca.crt': ca }, 'state.redis.password.file: there is no file secrets/redis'],
    [
      'an empty file',
      { ...files, 'secrets/redis': '\n' },
      'state.redis.password.file: the file secrets/redis is empty',
    ],
    [
      'a file without a certificate',
      { ...files, 'secrets/ca.crt': 'hunter2' },
      'ca_file: the file secrets/ca.crt holds no certificate',
    ],
  ])('%s is an error', async (_, given, expected) => {
    const loading = loadText(text, given, { PASSWORD: 'a' });
    await expect(loading).rejects.toMatchObject({ exitCode: 2, hint: expect.stringContaining(expected) });
    await expect(loading).rejects.not.toMatchObject({ hint: expect.stringContaining('hunter2') });
  });

  test('are not asked for where only the cases are wanted', async () => {
    expect(await loadCases('p.yaml', surroundings({ 'p.yaml': text }))).toMatchObject({ name: 'there', cases: [] });
    await expect(loadCases('p.yaml', surroundings({ 'p.yaml': `${text}x: 1\n` }))).rejects.toMatchObject({
      hint: expect.stringContaining('x: there is no such key'),
    });
  });

  test('compare as themselves', () => {
    expect(revealSecrets([new Secret('a'), { b: new Secret('c'), d: null, e: 1 }])).toEqual([
      'a',
      { b: 'c', d: null, e: 1 },
    ]);
  });
});

test('the queue of jobs is what its adapter takes', async () => {
  const { jobs } = await loadText(
    `${DETECT}jobs: {redis: {url: "redis://localhost:6380/1", prefix: a, password: "\${P}"}}\n`,
    {},
    { P: 'b' },
  );
  const settings: JobQueueSettings = revealSecrets(jobs!);
  expect(settings).toMatchObject({ prefix: 'a', concurrency: 1, redis: { password: 'b', tls: null } });
  expect(redisAddress(settings.redis)).toMatchObject({ port: 6_380, db: 1, password: 'b' });
});

test('Kafka with certificates and a name is what its adapter takes', async () => {
  const kafka = `    tls: {ca_file: ca.crt, cert_file: ca.crt, key_file: client.key}
    sasl: {mechanism: scram-sha-512, username: u, password: "\${P}"}
    session_timeout_ms: 6000
    brokers: ["kafka.example:9093"]
`;
  const files = { 'ca.crt': '-----BEGIN CERTIFICATE-----', 'client.key': 'hunter2' };
  const { log } = await loadText(
    DETECT.replace(/ {4}brokers.*\n/, () => kafka),
    files,
    { P: 'hunter3' },
  );
  expect(JSON.stringify(log)).not.toContain('hunter');
  const { sasl, ...settings } = revealSecrets(log!);
  if (sasl?.mechanism !== 'scram-sha-512') throw new Error('wrong mechanism');
  expect([settings.tls?.key, sasl.password]).toEqual(['hunter2', 'hunter3']);
  checkKafkaSettings({ ...settings, sasl });
});

test('an error names the first mistakes and where to see all', async () => {
  const wrong = ['tenant: a', 'settle: 1', 'b: 1', 'c: 1', 'd: 1', 'e: 1', 'f: 1'].join(', ');
  const error = await loadText(EMBEDDED.replace('tenant: contoso', wrong)).catch((reason) => reason);
  expect(error.message).toBe('the pipeline p.yaml cannot be used');
  expect(error.hint.split('\n').length).toBe(7);
  expect(error.hint).toMatch(/^relaywatch lint p\.yaml checks it:\n[\s\S]*\nand 1 more$/);
});

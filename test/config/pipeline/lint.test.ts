/** Each mistake in a pipeline file is named by its place, and what would be right. */

import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { lintPipeline } from '../../../src/config/pipeline/load.ts';
import { problemLine } from '../../../src/config/pipeline/problem.ts';
import { DETECT, EMBEDDED, lintText, surroundings } from './reading.ts';

async function lines(text: string, files: Record<string, string> = {}): Promise<string[]> {
  return (await lintText(text, files)).problems.map(problemLine);
}

test('a good pipeline has no problem', async () => {
  expect(await lines(EMBEDDED)).toEqual([]);
  expect(await lines(DETECT)).toEqual([]);
  // Kafka itself remembers how far its records are read.
  const records = 'kafka: {brokers: ["127.0.0.1:9093"], topic: events, group: relaywatch, tenant: contoso}';
  const tenants = 'tenants: [{key: contoso, accepted_domains: [contoso.example]}]';
  const log = 'log: {kafka: {brokers: ["127.0.0.1:9092"]}}';
  const ingest = `name: p\nrole: ingest\n${tenants}\ninputs: {${records}}\n${log}\n`;
  expect(await lines(`${ingest}archive: {path: archive}\n`)).toEqual([]);
  expect(await lines(ingest)).toEqual([
    expect.stringContaining('p.yaml:2:7: warning: role: without archive no rescan'),
  ]);
});

test('a problem has all that a program needs', async () => {
  const { problems } = await lintText(EMBEDDED.replace('settle_ms', '').replace('tenant: contoso', 'tennant: contoso'));
  expect(problems).toEqual([
    {
      file: 'p.yaml',
      line: 6,
      column: 32,
      path: 'inputs.folder.tennant',
      message: 'there is no such key',
      severity: 'error',
      allowed: ['path', 'tenant', 'tenant_from', 'settle_ms'],
      nearest: 'tenant',
    },
  ]);
});

describe('one mistake, one line', () => {
  const embedded = (from: string, to: string): string => EMBEDDED.replace(from, to);
  const detect = (from: string, to: string): string => DETECT.replace(from, to);
  const cases: [string, string, string][] = [
    [
      'an unknown section',
      `${EMBEDDED}outptus: {}\n`,
      'p.yaml:10:1: outptus: there is no such key (allowed: name, role',
    ],
    ['its nearest name', `${EMBEDDED}outptus: {}\n`, 'did you mean outputs?'],
    [
      'an unknown role',
      embedded('embedded', 'embeded'),
      'p.yaml:2:7: role: cannot be "embeded" (allowed: embedded, ingest, detect, jobs; did you mean embedded?)',
    ],
    ['no role', embedded('role: embedded', ''), 'p.yaml:1:1: role: is missing (allowed: embedded'],
    [
      'a text for a section',
      embedded('{folder: {path: state}}', 'here'),
      'p.yaml:7:8: state: must be a section with keys',
    ],
    [
      'nothing for a section',
      embedded('{folder: {path: state}}', ''),
      'p.yaml:7:8: state: must be a section with keys',
    ],
    [
      'a text for a number',
      embedded('tenant: contoso}', 'tenant: contoso, settle_ms: soon}'),
      'p.yaml:6:60: inputs.folder.settle_ms: must be a whole number',
    ],
    [
      'a fraction',
      embedded('tenant: contoso}', 'tenant: contoso, settle_ms: 1.5}'),
      'settle_ms: must be a whole number',
    ],
    [
      'a number beyond its bound',
      `${EMBEDDED}telemetry: {port: 70000}\n`,
      'p.yaml:10:19: telemetry.port: must be at most 65535',
    ],
    [
      'a missing path',
      embedded('{folder: {path: state}}', '{folder: {}}'),
      'p.yaml:7:9: state.folder.path: is missing',
    ],
    ['an empty name', embedded('name: here', 'name: ""'), 'p.yaml:1:7: name: must be a name of up to 63 letters'],
    ['a list for a name', embedded('name: here', 'name: [a]'), 'p.yaml:1:1: name: must be text'],
    [
      'a broker without a port',
      detect('127.0.0.1:9092', 'kafka'),
      'p.yaml:8:15: log.kafka.brokers[0]: must be host:port',
    ],
    [
      'a section of another role',
      `${EMBEDDED}log: {kafka: {brokers: ["127.0.0.1:9092"]}}\n`,
      'p.yaml:10:1: log: the embedded role hands rows on within the process',
    ],
    [
      'a section that the role needs',
      detect('state:\n  redis:\n    url: redis://127.0.0.1\n', ''),
      'p.yaml:2:7: role: the role detect needs the section state',
    ],
    [
      'a folder without a memory',
      `name: p\nrole: ingest\ntenants: [{key: contoso, accepted_domains: [contoso.example]}]\ninputs: {folder: {path: inbox, tenant: contoso}}\nlog: {kafka: {brokers: ["127.0.0.1:9092"]}}\narchive: {path: archive}\n`,
      'p.yaml:2:7: role: the role ingest needs state.folder, which remembers',
    ],
    [
      'two places for the state',
      embedded('{folder: {path: state}}', '{folder: {path: state}, redis: {url: "redis://localhost"}}'),
      'state is one of folder and redis, not both',
    ],
    [
      'no place for the state',
      embedded('{folder: {path: state}}', '{}'),
      'p.yaml:7:1: state: is empty (allowed: folder, redis)',
    ],
    [
      'a folder of nobody',
      embedded(', tenant: contoso', ''),
      'p.yaml:6:10: inputs.folder: does not say whose exports these are',
    ],
    [
      'a folder of two',
      embedded('tenant: contoso}', 'tenant: contoso, tenant_from: subfolder}'),
      'says twice whose exports these are',
    ],
    [
      'a tenant that is not there',
      embedded('tenant: contoso', 'tenant: contosso'),
      'p.yaml:6:40: inputs.folder.tenant: there is no tenant contosso (allowed: contoso; did you mean contoso?)',
    ],
    [
      'a tenant twice',
      embedded('inputs', '  - key: Contoso\n    accepted_domains: [a.com]\ninputs'),
      'p.yaml:6:10: tenants[1].key: a tenant contoso is there already',
    ],
    [
      'an organization of two tenants',
      embedded(
        'inputs',
        '    organizations: [X]\n  - key: b\n    accepted_domains: [a.com]\n    organizations: [x]\ninputs',
      ),
      'p.yaml:9:21: tenants[1].organizations[0]: belongs to the tenant contoso already',
    ],
    [
      'no tenant',
      embedded('tenants:\n  - key: contoso\n    accepted_domains: [contoso.com]\n', ''),
      'has no tenant; give tenants or tenant_files',
    ],
    [
      'no accepted domains',
      embedded('    accepted_domains: [contoso.com]\n', ''),
      'has no accepted_domains: without the list own mail looks relayed; export the list in Exchange Online PowerShell: Get-AcceptedDomain -ResultSize Unlimited',
    ],
    [
      'accepted domains in a file that is not there',
      embedded('[contoso.com]', 'domains.csv'),
      'p.yaml:5:23: tenants[0].accepted_domains: there is no file domains.csv; export the list',
    ],
    [
      'no domain among the domains',
      embedded('[contoso.com]', '[contoso.com, hello]'),
      'p.yaml:5:37: tenants[0].accepted_domains[1]: is no domain',
    ],
    [
      'a wrong key of a domain',
      embedded('[contoso.com]', '[{name: a.com, match_subdomain: true}]'),
      'accepted_domains[0].match_subdomain: there is no such key (allowed: name, match_subdomains; did you mean match_subdomains?)',
    ],
    [
      'a zone that is none',
      embedded('[contoso.com]', '[contoso.com]\n    time_zone: Europe/Berlim'),
      'p.yaml:6:16: tenants[0].time_zone: must be an IANA time zone, such as Europe/Berlin (did you mean Europe/Berlin?)',
    ],
    [
      'tenant files that are not there',
      `${EMBEDDED}tenant_files: tenants/*.yaml\n`,
      'p.yaml:10:15: tenant_files: there is no file tenants/*.yaml',
    ],
    [
      'folders in each other',
      embedded('path: state', 'path: inbox/state'),
      'p.yaml:7:24: state.folder.path: overlaps with inputs.folder.path',
    ],
    [
      'the same folder under another name',
      embedded('path: state', 'path: ./x/../inbox'),
      'overlaps with inputs.folder.path',
    ],
    [
      'Kafka elsewhere without TLS',
      detect('127.0.0.1:9092', 'kafka:9092'),
      'p.yaml:8:15: log.kafka.brokers[0]: is elsewhere and would be spoken to without TLS',
    ],
    [
      'Redis elsewhere without TLS',
      detect('redis://127.0.0.1', 'redis://10.0.0.1'),
      'state.redis.url: is elsewhere and would be spoken to without TLS; use rediss://',
    ],
    [
      'Elasticsearch elsewhere without TLS',
      detect('http://127.0.0.1:9200', 'http://localhost.example:9200'),
      'outputs.elasticsearch.nodes[0]: is elsewhere',
    ],
    ['another scheme', detect('redis://127.0.0.1', 'http://127.0.0.1'), 'must be redis://host:port'],
    [
      'a password in a URL',
      detect('redis://127.0.0.1', 'redis://:hunter2@127.0.0.1'),
      'state.redis.url: holds a user or a password',
    ],
    [
      'half of a sign-in',
      `${DETECT}    username: elastic\n`,
      'p.yaml:13:3: outputs.elasticsearch: username needs password',
    ],
    [
      'two ways to sign in',
      `${DETECT}    username: elastic\n    password: \${A}\n    api_key: \${B}\n`,
      'give api_key, or username and password, not both',
    ],
    [
      'SASL without a name',
      detect('    brokers', `    sasl: {mechanism: scram-sha-512, password: "\${A}"}\n    brokers`),
      'log.kafka.sasl: scram-sha-512 needs username',
    ],
    [
      'SASL with what another mechanism needs',
      detect('    brokers', `    sasl: {mechanism: plain, username: a, password: "\${A}", scope: x}\n    brokers`),
      'log.kafka.sasl.scope: plain has no use for it (allowed: username, password)',
    ],
    [
      'dead letters among the envelopes',
      detect('    brokers', '    topic: a\n    dead_letter_topic: a\n    brokers'),
      'is the topic of the envelopes',
    ],
    [
      'a case of nobody',
      `${EMBEDDED}cases: [{name: a, tenant: b, rows: x, expect: {incidents: []}}]\n`,
      'p.yaml:10:27: cases[0].tenant: there is no tenant b',
    ],
    [
      'a case without rows',
      `${EMBEDDED}cases: [{name: a, tenant: contoso, expect: {incidents: []}}]\n`,
      'cases[0]: a case has files or rows',
    ],
    [
      'a case with files that are not there',
      `${EMBEDDED}cases: [{name: a, tenant: contoso, files: [x.csv], expect: {incidents: []}}]\n`,
      'cases[0].files[0]: there is no file or folder x.csv',
    ],
    [
      'a reference that is none',
      embedded('path: inbox', `path: "\${in box}"`),
      `has a reference that is none \${in box}`,
    ],
    ['a key twice', `${EMBEDDED}name: again\n`, 'p.yaml:10:1: name: this key stands twice'],
    ['a file that is empty', '', 'p.yaml:1:1: must be a section with keys'],
  ];
  test.each(cases)('%s', async (_, text, expected) => {
    const found = await lines(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });
});

test('a file that is not there', async () => {
  expect((await lintText('name: a')).file).toBe('p.yaml');
  const { problems } = await lintPipeline('q.yaml', {
    environment: {},
    readFile: async () => null,
    nowMs: Date.UTC(2026, 8, 6),
    listFolder: async () => null,
  });
  expect(problems.map(problemLine)).toEqual(['q.yaml:1:1: there is no such file']);
});

test('folders are looked at from where the pipeline lies', async () => {
  const text = EMBEDDED.replace('path: state', `path: ${path.resolve('sub/inbox')}`);
  const files = (name: string) => surroundings({ [name]: text });
  expect((await lintPipeline('sub/p.yaml', files('sub/p.yaml'))).problems.map(problemLine)).toEqual([
    expect.stringContaining('state.folder.path: overlaps with inputs.folder.path'),
  ]);
  expect((await lintPipeline('p.yaml', files('p.yaml'))).problems).toEqual([]);
});

test('several mistakes come in the order of the file', async () => {
  const text = EMBEDDED.replace('tenant: contoso', 'tenant: a').replace('path: findings', 'path: state');
  expect((await lintText(text)).problems.map(({ line }) => line)).toEqual([6, 8]);
});

test('mistakes in a file of a tenant are named there', async () => {
  const text = EMBEDDED.replace(/tenants:\n.*\n.*\n/, 'tenant_files: [tenants/*.yaml]\n');
  const files = {
    'tenants/b.yaml': 'key: contoso\naccepted_domains: domains.csv\nlicences: 3\n',
    'tenants/a.yml': 'nonsense',
    'tenants/domains.csv': 'contoso.com\n',
  };
  expect(await lines(text, files)).toEqual([
    'tenants/b.yaml:3:1: licences: there is no such key (allowed: key, accepted_domains, licenses, time_zone, date_order, organizations, labels, allow, connectors, silent_after_hours; did you mean licenses?)',
  ]);
  const right = { ...files, 'tenants/b.yaml': files['tenants/b.yaml'].replace('licences', 'licenses') };
  expect(await lines(text, right)).toEqual([]);
});

test('mistakes in what analysts wrote are named there, missing files where they are named', async () => {
  const text = EMBEDDED.replace(/tenants:\n.*\n.*\n/, 'tenant_files: tenants/*.yaml\n');
  const tenant = 'key: contoso\naccepted_domains: [contoso.com]\nlabels: l.ndjson\nallow: a.yml\nconnectors: c.json\n';
  expect(await lines(text, { 'tenants/b.yaml': tenant })).toEqual([
    'tenants/b.yaml:3:9: labels: there is no file l.ndjson',
    'tenants/b.yaml:4:8: allow: there is no file a.yml',
    'tenants/b.yaml:5:13: connectors: there is no file c.json',
  ]);
  const files = {
    'tenants/b.yaml': tenant,
    'tenants/l.ndjson': '\n{"incident":"7"}\n',
    'tenants/a.yml': '- domain: a.example\n  owner: ann\n  expires: 2026-01-01\n',
    'tenants/c.json': '[{"MessageTraceId":"1"}]',
  };
  expect(await lines(text, files)).toEqual([
    'tenants/a.yml:1:3: [0].reason: is missing',
    'tenants/l.ndjson:2:1: incident: must be the id of an incident, such as rw-0123456789abcdef',
    'tenants/l.ndjson:2:1: verdict: is missing (allowed: benign, abuse)',
    'tenants/l.ndjson:2:1: by: is missing',
    'tenants/l.ndjson:2:1: at: is missing',
    expect.stringMatching(
      /^tenants\/b\.yaml:5:13: connectors: tenants\/c\.json is no export of connectors: .*a message trace.*ConvertTo-Json/,
    ),
  ]);
});

describe('secrets', () => {
  const withPassword = (password: string): string => `${DETECT}    username: elastic\n    password: ${password}\n`;

  test('that stand in the file are a warning, and are not shown', async () => {
    const { problems } = await lintText(withPassword('hunter2'));
    expect(problems.map(({ severity, path }) => [severity, path])).toEqual([
      ['warning', 'outputs.elasticsearch.password'],
    ]);
    expect(problemLine(problems[0])).toMatch(
      /^p\.yaml:16:15: warning: outputs\.elasticsearch\.password: holds a secret/,
    );
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  test('from the environment or a file are none, whether they are there or not', async () => {
    expect(await lines(withPassword(`\${PASSWORD}`))).toEqual([]);
    expect(await lines(withPassword('{file: /run/secrets/password}'))).toEqual([]);
  });

  test('are not shown by any other mistake either', async () => {
    for (const secret of [
      '*hunter2',
      '!hunter2 x',
      '"hunter2',
      '[hunter2]',
      '{hunter2: 1}',
      `"\${hunter2!}"`,
      '@hunter2',
    ]) {
      const { problems } = await lintText(withPassword(secret));
      expect(problems.length, secret).toBeGreaterThan(0);
      if (secret !== '{hunter2: 1}') expect(JSON.stringify(problems), secret).not.toContain('hunter2');
    }
  });

  test('a value from the environment is never shown', async () => {
    const text = DETECT.replace('role: detect', `role: \${ROLE}`);
    const { problems } = await lintText(text, {}, { ROLE: 'hunter2' });
    expect(problems.map(problemLine)[0]).toMatch(/^p\.yaml:2:7: role: cannot be this \(allowed: embedded/);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });
});

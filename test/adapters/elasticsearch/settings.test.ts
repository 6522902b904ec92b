import { describe, expect, test } from 'vitest';
import { checkSettings, type ElasticsearchSettings, storeNames } from '../../../src/adapters/elasticsearch/settings.ts';
import { RelaywatchError } from '../../../src/core/outcome.ts';

const good: ElasticsearchSettings = {
  node: ['https://es.example:9200'],
  auth: { apiKey: 'c2VjcmV0' },
  ca: null,
  caFingerprint: null,
  allowPlaintext: false,
  requestTimeoutMs: 1000,
  namespace: 'default',
};

function problemOf(fields: Partial<ElasticsearchSettings>): string | null {
  try {
    checkSettings({ ...good, ...fields });
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(RelaywatchError);
    expect(error).toMatchObject({ code: 'elasticsearch_settings', exitCode: 2 });
    return (error as Error).message;
  }
}

describe('settings of Elasticsearch', () => {
  test.each([
    ['https elsewhere', {}],
    ['several nodes', { node: ['https://a.example:9200', 'https://b.example:9200'] }],
    ['plain text on this machine', { node: ['http://localhost:9200'] }],
    ['its other names', { node: ['http://127.0.0.1:9200', 'http://127.9.8.7', 'http://[::1]:9200', 'http://127.1'] }],
    ['plain text that was asked for', { node: ['http://es.example:9200'], allowPlaintext: true }],
    ['a fingerprint as Elasticsearch prints it', { caFingerprint: 'ab'.repeat(32) }],
    ['a fingerprint as browsers print it', { caFingerprint: `${'AB:'.repeat(31)}cd` }],
    ['a namespace', { namespace: 'soc_2.eu' }],
  ])('%s is taken', (_, fields) => {
    expect(problemOf(fields)).toBeNull();
  });

  test.each([
    ['no node', { node: [] }, 'No address'],
    ['plain text elsewhere', { node: ['http://es.example:9200'] }, 'plain text'],
    ['plain text to one of several', { node: ['https://es.example', 'http://10.0.0.1:9200'] }, 'plain text'],
    ['a name that only looks like this machine', { node: ['http://127.0.0.1.example:9200'] }, 'plain text'],
    ['a name that ends like this machine', { node: ['http://notlocalhost:9200'] }, 'plain text'],
    ['what is no URL', { node: ['es.example:9200'] }, 'no URL'],
    ['another protocol', { node: ['ftp://es.example'] }, 'no URL'],
    ['certificates for plain text', { node: ['http://localhost'], ca: 'PEM' }, 'http://'],
    ['a fingerprint that is none', { caFingerprint: 'ab' }, 'fingerprint'],
    ['a namespace with a dash', { namespace: 'a-b' }, 'namespace'],
    ['a namespace like the number of an index', { namespace: '000001' }, 'namespace'],
    ['a namespace in capitals', { namespace: 'SOC' }, 'namespace'],
    ['no time to answer', { requestTimeoutMs: 0 }, 'timeout'],
    ['a time that is no number', { requestTimeoutMs: Number.NaN }, 'timeout'],
  ])('%s is refused', (_, fields, message) => {
    expect(problemOf(fields)).toContain(message);
  });

  test('a password in the address is refused, and not printed', () => {
    const problem = problemOf({ node: ['https://ann:hunter2@es.example:9200'] });
    expect(problem).toContain('es.example:9200');
    expect(problem).not.toMatch(/ann|hunter2/);
  });
});

test('documents of one namespace lie apart from those of another', () => {
  expect(storeNames('default')).toEqual({
    alert: 'logs-relaywatch.alert-default',
    dead_letter: 'logs-relaywatch.dead_letter-default',
    incident: 'relaywatch-incidents',
    ledger: 'relaywatch-ledger',
    finding: 'relaywatch-findings',
  });
  const all = [...Object.values(storeNames('default')), ...Object.values(storeNames('soc'))];
  expect(new Set(all).size).toBe(10);
});

/** What the store does with answers that a healthy server does not give, from a server that plays them. */

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StoreTrouble, WaitOptions } from '../../../src/adapters/elasticsearch/patience.ts';
import { createElasticsearchStore } from '../../../src/adapters/elasticsearch/store.ts';
import type { OutputStore } from '../../../src/core/delivery.ts';
import { findingWrite, ledgerWrite } from '../contract/output-store.ts';

interface Request {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** Documents of a bulk request. */
  documents: number;
}
type Answer = { status: number; body?: unknown; product?: string } | 'reset' | 'silence';

const error = (type: string, reason: string, status: number): Answer => ({
  status,
  body: { error: { type, reason }, status },
});
const item = (status: number, fields: object = {}) => ({ index: { _index: 'x', _id: 'y', status, ...fields } });
/** Every document is stored. */
const stored = ({ documents }: Request): Answer => ({
  status: 200,
  body: { errors: false, items: Array.from({ length: documents }, () => item(201)) },
});

let server: Server;
let bulks: Request[];
let answer: (request: Request, attempt: number) => Answer;
let store: OutputStore;
let troubles: (StoreTrouble | null)[];
let pauses: number[];

function open(options: WaitOptions = {}): OutputStore {
  const { port } = server.address() as AddressInfo;
  return createElasticsearchStore(
    {
      node: [`http://127.0.0.1:${port}`],
      auth: { username: 'ann', password: 'hunter2' },
      ca: null,
      caFingerprint: null,
      allowPlaintext: false,
      requestTimeoutMs: 300,
      namespace: 'default',
    },
    {
      onTrouble: (trouble) => troubles.push(trouble),
      random: () => 0.5,
      now: () => 1000,
      sleep: async (durationMs) => {
        if (pauses.push(durationMs) > 100) throw new Error('It asks for ever.');
      },
      ...options,
    },
  );
}

beforeEach(async () => {
  [bulks, troubles, pauses] = [[], [], []];
  answer = stored;
  server = createServer(async (incoming, outgoing) => {
    let body = '';
    for await (const part of incoming) body += part;
    const { method = '', url = '', headers } = incoming;
    const isBulk = url.startsWith('/_bulk');
    const request = { method, url, headers, body, documents: isBulk ? body.trim().split('\n').length / 2 : 0 };
    if (isBulk) bulks.push(request);
    const said = isBulk ? answer(request, bulks.length) : { status: 200 };
    if (said === 'silence') return;
    if (said === 'reset') return void incoming.socket.destroy();
    outgoing.writeHead(said.status, {
      'x-elastic-product': said.product ?? 'Elasticsearch',
      'content-type': 'application/vnd.elasticsearch+json;compatible-with=8',
    });
    outgoing.end(said.body === undefined ? '' : JSON.stringify(said.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  store = open();
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await store.close();
});

const writes = (count: number, from = 0) =>
  Array.from({ length: count }, (_, number) => findingWrite(`f-${from + number}`, 1));

describe('a server that cannot now', () => {
  test.each<[string, Answer, StoreTrouble['code']]>([
    ['short of memory', error('circuit_breaking_exception', '[parent] Data too large', 429), 'busy'],
    ['with a full queue', error('es_rejected_execution_exception', 'rejected execution', 429), 'busy'],
    [
      'without a master',
      error('cluster_block_exception', 'blocked by: [SERVICE_UNAVAILABLE/2/no master]', 503),
      'away',
    ],
    ['behind a proxy that misses it', { status: 502, body: {} }, 'away'],
    ['that ends the connection', 'reset', 'away'],
    ['that says nothing', 'silence', 'away'],
    [
      'with a full disk',
      error('cluster_block_exception', 'TOO_MANY_REQUESTS/12/disk usage exceeded', 429),
      'read_only',
    ],
    ['with a closed index', error('index_closed_exception', 'closed', 400), 'read_only'],
  ])('%s is asked again, and said to be', async (_, said, code) => {
    answer = (request, attempt) => (attempt <= 3 ? said : stored(request));
    expect(await store.deliver(writes(2))).toEqual({ written: 2, unchanged: 0, refused: [] });
    expect(bulks.length).toBe(4);
    expect(troubles.map((trouble) => trouble?.code)).toEqual([code, code, code, undefined]);
    expect(troubles[0]).toMatchObject({ sinceMs: 1000, message: expect.stringMatching(/^Elasticsearch at http:/) });
    expect(JSON.stringify(troubles)).not.toContain('hunter2');
  });

  test('is asked after pauses of random length whose bound doubles up to ten seconds', async () => {
    answer = (request, attempt) => (attempt <= 9 ? error('x', 'y', 503) : stored(request));
    await store.deliver(writes(1));
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    expect(troubles.slice(0, 2).map((trouble) => trouble?.retryInMs)).toEqual([100, 200]);
  });

  test('is sent only what is missing, in requests that are shorter for a while', async () => {
    answer = ({ documents }, attempt) => ({
      status: 200,
      body: { items: Array.from({ length: documents }, (_, at) => item(attempt === 1 && at % 2 === 1 ? 429 : 201)) },
    });
    expect(await store.deliver(writes(10))).toMatchObject({ written: 10 });
    expect(bulks.map(({ documents }) => documents)).toEqual([10, 5]);
    expect(bulks[1].body.match(/(?<="_id":")f-\d/g)).toEqual(['f-1', 'f-3', 'f-5', 'f-7', 'f-9']);

    bulks = [];
    answer = (request) => (request.body.length > 400_000 ? 'reset' : stored(request));
    const long = writes(12, 100).map((write) => ({
      ...write,
      document: { ...write.document, message: 'x'.repeat(80_000) },
    }));
    expect(await store.deliver(long)).toMatchObject({ written: 12 });
    expect(bulks.filter(({ body }) => body.length > 400_000).length).toBeLessThan(8);
  });

  test('leaves no request running and no pause once the signal aborts', async () => {
    const stop = new AbortController();
    answer = () => {
      stop.abort(new Error('the worker stops'));
      return 'silence';
    };
    await expect(store.deliver(writes(1), stop.signal)).rejects.toThrow('the worker stops');
    expect([bulks.length, troubles]).toEqual([1, []]);
    await store.close();
    const later = new AbortController();
    store = open({ sleep: undefined, random: () => 1, onTrouble: () => later.abort(new Error('later')) });
    answer = () => error('x', 'y', 503);
    await expect(store.deliver(writes(1), later.signal)).rejects.toThrow('later');
  });
});

describe('a server that will not', () => {
  test.each<[string, Answer, string]>([
    ['knows no alias', error('index_not_found_exception', 'no such index', 404), 'elasticsearch_not_set_up'],
    [
      'has an alias without a write index',
      error('illegal_argument_exception', 'no write index is defined for alias [a]', 400),
      'elasticsearch_not_set_up',
    ],
    ['does not know us', error('security_exception', 'unable to authenticate user', 401), 'elasticsearch_unknown_user'],
    ['forbids it', error('security_exception', 'action is unauthorized', 403), 'elasticsearch_forbidden'],
    [
      'speaks another language',
      error('media_type_header_exception', 'Invalid media-type', 400),
      'elasticsearch_unexpected',
    ],
    ['is no page of its', { status: 405, body: {} }, 'elasticsearch_unexpected'],
    ['is something else', { status: 200, body: { items: [] }, product: 'OpenSearch' }, 'elasticsearch_other_product'],
  ])('%s: that is the end, with the cure', async (_, said, code) => {
    answer = () => said;
    await expect(store.deliver(writes(2))).rejects.toMatchObject({
      name: 'RelaywatchError',
      code,
      hint: expect.stringMatching(/./),
    });
    expect([bulks.length, troubles]).toEqual([1, []]);
  });

  test('take a document is reported with its reason, and what went to the failure store too', async () => {
    const cause = { type: 'strict_dynamic_mapping_exception', reason: 'mapping set to strict' };
    answer = () => ({
      status: 200,
      body: {
        items: [
          item(201),
          item(400, { error: { type: 'document_parsing_exception', reason: 'failed to parse', caused_by: cause } }),
          item(201, { failure_store: 'used' }),
          item(409, { error: { type: 'version_conflict_engine_exception', reason: 'newer' } }),
        ],
      },
    });
    const report = await store.deliver(writes(4));
    expect(report).toMatchObject({ written: 1, unchanged: 1 });
    expect(report.refused.map(({ write, reason }) => [write.id, reason])).toEqual([
      ['f-1', 'failed to parse: mapping set to strict'],
      ['f-2', 'it went to the failure store'],
    ]);
  });
});

test('requests are of bounded size, and in the media types that servers of versions 8 and 9 know', async () => {
  const many = Array.from({ length: 1100 }, (_, number) => ledgerWrite(`l-${number}`, number));
  const long = writes(20).map((write) => ({ ...write, document: { ...write.document, message: 'ö'.repeat(100_000) } }));
  expect(await store.deliver([...many, ...long])).toMatchObject({ written: 1120 });
  expect(bulks.every(({ body, documents }) => Buffer.byteLength(body) <= 1_048_576 && documents <= 500)).toBe(true);
  expect(bulks.length).toBeGreaterThan(4);
  for (const { headers } of bulks) {
    expect(headers).toMatchObject({
      'content-type': 'application/vnd.elasticsearch+x-ndjson; compatible-with=8',
      accept: 'application/vnd.elasticsearch+json; compatible-with=8',
    });
  }
});

test('a sequence that is none is an error of the program', async () => {
  await expect(store.deliver([ledgerWrite('a', -1)])).rejects.toThrow(RangeError);
  await expect(store.deliver([ledgerWrite('a', 0.5)])).rejects.toThrow(RangeError);
});

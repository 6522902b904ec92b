/** Ways to a server of the tests, for the store and for looking behind it. */

import { randomBytes } from 'node:crypto';
import type { Client } from '@elastic/elasticsearch';
import { openClient } from '../../../src/adapters/elasticsearch/client.ts';
import { type ElasticsearchSettings, storeNames } from '../../../src/adapters/elasticsearch/settings.ts';
import { setupElasticsearch } from '../../../src/adapters/elasticsearch/setup.ts';
import { createElasticsearchStore } from '../../../src/adapters/elasticsearch/store.ts';
import type { Elasticsearch } from '../../engines/elasticsearch.ts';
import type { OutputStoreUnderTest } from '../contract/output-store.ts';

type Json = Record<string, unknown>;

/** In a namespace of its own, so that nothing is shared but the server. */
export function settingsFor(server: Elasticsearch, fields: Partial<ElasticsearchSettings> = {}): ElasticsearchSettings {
  const { url, username, password, ca } = server;
  return {
    node: [url],
    auth: username === undefined ? null : { username, password: password! },
    ca: ca ?? null,
    caFingerprint: null,
    allowPlaintext: false,
    requestTimeoutMs: 20_000,
    namespace: `t${randomBytes(6).toString('hex')}`,
    ...fields,
  };
}

/** All documents behind a name, by id, as stored. */
export async function documentsIn(client: Client, index: string): Promise<Map<string, Json>> {
  await client.indices.refresh({ index, ignore_unavailable: true });
  const { hits } = await client.search<Json>({ index, ignore_unavailable: true, size: 10_000 });
  return new Map(hits.hits.map(({ _id, _source }) => [_id!, _source!]));
}

/** Two stores over the same indices, set up. */
export async function openStores(server: Elasticsearch): Promise<OutputStoreUnderTest> {
  const settings = settingsFor(server);
  const names = storeNames(settings.namespace);
  await setupElasticsearch(settings, { dryRun: false });
  // Not a client of version 9 as it comes, so that the suite can be run against version 8.
  const client = openClient(settings);
  const [store, another] = [createElasticsearchStore(settings), createElasticsearchStore(settings)];
  return {
    store,
    another,
    documents: (kind) => documentsIn(client, names[kind]),
    async triage(id, triage) {
      await client.update({ index: names.incident, id, doc: { relaywatch: { triage } } });
    },
    async close() {
      await Promise.all([store.close(), another.close()]);
      const index = [names.incident, names.ledger, names.finding].map((alias) => `${alias}-000001`);
      await client.indices.delete({ index });
      await client.close();
    },
  };
}

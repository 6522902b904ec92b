/** Templates and indices on a real server: installed once, mended, extended, and open to what people add. */

import { Client } from '@elastic/elasticsearch';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { checkElasticsearch } from '../../src/adapters/elasticsearch/check.ts';
import { type ElasticsearchSettings, storeNames } from '../../src/adapters/elasticsearch/settings.ts';
import { setupElasticsearch } from '../../src/adapters/elasticsearch/setup.ts';
import { createElasticsearchStore } from '../../src/adapters/elasticsearch/store.ts';
import type { SetupStep } from '../../src/core/setup.ts';
import { alertWrite, incidentWrite } from '../adapters/contract/output-store.ts';
import { settingsFor } from '../adapters/elasticsearch/access.ts';
import { clientOptions } from '../engines/elasticsearch.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

// An own server, as templates are for all namespaces.
describeWithOwnEngines('Elasticsearch', { elasticsearch: true }, (engines) => {
  let client: Client;
  let settings: ElasticsearchSettings;
  const setUp = (dryRun = false) => setupElasticsearch(settings, { dryRun });
  const states = (steps: SetupStep[]) => [...new Set(steps.map(({ state }) => state))];

  beforeAll(() => {
    client = new Client(clientOptions(engines().elasticsearch));
    settings = settingsFor(engines().elasticsearch, { namespace: 'default' });
  });
  afterAll(() => client?.close());

  test('a dry run says what would be done, and does nothing', async () => {
    const steps = await setUp(true);
    expect(states(steps)).toEqual(['would create']);
    expect(steps.map(({ what }) => what)).toEqual(
      expect.arrayContaining(['index template relaywatch-incidents', 'component template relaywatch@settings']),
    );
    expect(states(await setUp(true))).toEqual(['would create']);
    const checks = await checkElasticsearch(settings);
    expect(checks.filter(({ ok }) => !ok).map(({ what, hint }) => [what, hint])).toEqual([
      ['Elasticsearch: templates', 'Run "relaywatch setup".'],
      ['Elasticsearch: indices', 'Run "relaywatch setup".'],
    ]);
  });

  test('the first run creates all, also when two run at once; the next finds nothing to do', async () => {
    const [one, other] = await Promise.all([setUp(), setUp()]);
    expect([...states(one), ...states(other)].filter((state) => state.startsWith('would'))).toEqual([]);
    expect(states(await setUp())).toEqual(['unchanged']);
    expect(states(await setUp(true))).toEqual(['unchanged']);
    expect((await checkElasticsearch(settings)).filter(({ ok }) => !ok)).toEqual([]);
    const alias = await client.indices.getAlias({ name: 'relaywatch-*' });
    expect(Object.keys(alias).sort()).toEqual([
      'relaywatch-findings-000001',
      'relaywatch-incidents-000001',
      'relaywatch-ledger-000001',
    ]);
  });

  test('documents of both kinds of places go in as they are', async () => {
    const store = createElasticsearchStore(settings);
    onTestFinished(() => store.close());
    expect(await store.deliver([incidentWrite('rw-1'), alertWrite('rw-1')])).toMatchObject({ written: 2, refused: [] });
    const found = await client.indices.get({ index: 'logs-relaywatch.alert-default', flat_settings: true });
    const [[name, index]] = Object.entries(found);
    expect(name).toMatch(/^\.ds-logs-relaywatch\.alert-default-/);
    expect(index).toMatchObject({ settings: { 'index.mode': 'standard' }, mappings: { dynamic: 'strict' } });
  });

  test('a template that somebody changed is mended, and doctor sees it', async () => {
    await client.cluster.putComponentTemplate({
      name: 'relaywatch@settings',
      template: { settings: { index: { mode: 'logsdb' } } },
    });
    const broken = (await checkElasticsearch(settings)).find(({ ok }) => !ok);
    expect(broken).toMatchObject({
      what: 'Elasticsearch: templates',
      detail: expect.stringContaining('relaywatch@settings'),
    });
    const changes = async (dryRun: boolean) => (await setUp(dryRun)).filter(({ state }) => state !== 'unchanged');
    expect(await changes(true)).toEqual([{ what: 'component template relaywatch@settings', state: 'would update' }]);
    expect(await changes(false)).toEqual([{ what: 'component template relaywatch@settings', state: 'updated' }]);
    expect(await changes(false)).toEqual([]);
  });

  test('what people add goes first, and is left alone', async () => {
    const name = 'logs-relaywatch.alert@custom';
    await client.cluster.putComponentTemplate({
      name,
      template: { settings: { number_of_shards: 3 }, lifecycle: { data_retention: '30d' } },
    });
    expect(states(await setUp())).toEqual(['unchanged']);
    const simulated = await client.indices.simulateIndexTemplate({ name: 'logs-relaywatch.alert-other' });
    expect(simulated.template.settings).toMatchObject({ index: { number_of_shards: '3', mode: 'standard' } });
    expect(simulated.template).toMatchObject({ lifecycle: { data_retention: '30d' } });
    const others = await client.indices.simulateIndexTemplate({ name: 'logs-relaywatch.dead_letter-other' });
    expect(others.template.settings).toMatchObject({ index: { number_of_shards: '1' } });
    expect(others.template).toMatchObject({ lifecycle: { data_retention: '90d' } });
  });

  describe('indices of an earlier version', () => {
    test('get the fields that they lack', async () => {
      settings = settingsFor(engines().elasticsearch);
      const names = storeNames(settings.namespace);
      // An index name that no template matches yet has only the fields it is given.
      await client.indices.deleteIndexTemplate({ name: 'relaywatch-incidents' });
      await client.indices.create({
        index: `${names.incident}-000001`,
        aliases: { [names.incident]: { is_write_index: true } },
        mappings: { dynamic: 'strict', properties: { event: { properties: { id: { type: 'keyword' } } } } },
      });
      const store = createElasticsearchStore(settings);
      onTestFinished(() => store.close());
      await expect(store.check()).rejects.toMatchObject({
        code: 'elasticsearch_not_set_up',
        message: expect.stringContaining('has indices of an earlier version, which lack fields: @timestamp'),
        hint: expect.stringContaining('relaywatch setup'),
      });
      const steps = await setUp();
      expect(steps.find(({ what }) => what.includes(`alias ${names.incident}`))?.state).toBe('updated');
      expect(states(await setUp())).toEqual(['unchanged']);
      await store.check();
      expect(await store.deliver([incidentWrite('rw-1')])).toMatchObject({ written: 1, refused: [] });
    });

    test('that stand where an alias belongs are an error with the cure', async () => {
      settings = settingsFor(engines().elasticsearch);
      const { incident } = storeNames(settings.namespace);
      await client.indices.create({ index: incident });
      await expect(setUp()).rejects.toMatchObject({
        code: 'elasticsearch_name_taken',
        hint: expect.stringContaining('_reindex'),
      });
    });
  });
});

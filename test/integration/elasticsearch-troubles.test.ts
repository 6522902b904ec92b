/** The output store on an Elasticsearch that refuses, is full, is gone, or does not know who asks. */

import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@elastic/elasticsearch';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ALIAS_PRIVILEGES, STREAM_PRIVILEGES } from '../../src/adapters/elasticsearch/answers.ts';
import { checkElasticsearch } from '../../src/adapters/elasticsearch/check.ts';
import type { StoreTrouble, WaitOptions } from '../../src/adapters/elasticsearch/patience.ts';
import { type ElasticsearchSettings, storeNames } from '../../src/adapters/elasticsearch/settings.ts';
import { setupElasticsearch } from '../../src/adapters/elasticsearch/setup.ts';
import { createElasticsearchStore } from '../../src/adapters/elasticsearch/store.ts';
import type { AppendWrite, OutputStore } from '../../src/core/delivery.ts';
import {
  alertWrite,
  deadLetterWrite,
  findingWrite,
  incidentDocument,
  incidentWrite,
  ledgerWrite,
} from '../adapters/contract/output-store.ts';
import { documentsIn, settingsFor } from '../adapters/elasticsearch/access.ts';
import { clientOptions, setIndexBlock, TINY_WRITE_QUEUE } from '../engines/elasticsearch.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

const KIBIBYTE = 1024;
const secured = { security: true, settings: { ...TINY_WRITE_QUEUE, 'http.max_content_length': '256kb' } } as const;

describeWithOwnEngines('A secured Elasticsearch', { elasticsearch: secured }, (engines) => {
  let client: Client;
  let settings: ElasticsearchSettings;
  let troubles: (StoreTrouble | null)[];
  let numbers = 0;

  const names = () => storeNames(settings.namespace);
  const newId = () => `rw-${numbers++}`;
  const count = async (index: string) => {
    await client.indices.refresh({ index });
    return (await client.count({ index })).count;
  };
  /** With pauses that a test can wait for. */
  const open = (fields: Partial<ElasticsearchSettings> = {}, options: WaitOptions = {}): OutputStore => {
    troubles = [];
    const store = createElasticsearchStore(
      { ...settings, ...fields },
      {
        onTrouble: (trouble) => troubles.push(trouble),
        sleep: (durationMs, signal) => sleep(Math.min(durationMs, 300), undefined, { signal }),
        ...options,
      },
    );
    onTestFinished(() => store.close());
    return store;
  };
  const inTrouble = (code: StoreTrouble['code']) =>
    vi.waitFor(() => expect(troubles.map((trouble) => trouble?.code)).toContain(code), { timeout: 90_000 });
  const failureOf = (promise: Promise<unknown>) =>
    promise.then(
      () => null,
      (error) => error,
    );

  beforeAll(async () => {
    settings = settingsFor(engines().elasticsearch);
    await setupElasticsearch(settings, { dryRun: false });
    client = new Client({ ...clientOptions(engines().elasticsearch), maxRetries: 0 });
  });
  afterAll(() => client?.close());

  describe('and who asks', () => {
    test('a wrong password stops at once, is not printed, and the message says what to do', async () => {
      const auth = { username: 'admin', password: 'hunter2-secret' };
      const error = await failureOf(open({ auth }).deliver([alertWrite(newId())]));
      expect(error).toMatchObject({ name: 'RelaywatchError', code: 'elasticsearch_unknown_user' });
      expect(await failureOf(open({ auth }).check())).toEqual(error);
      expect(error.hint).toContain('Give an API key that is valid');
      expect(JSON.stringify([error.message, error.hint, error.cause])).not.toContain('secret');
      expect(troubles).toEqual([]);
      expect(await checkElasticsearch({ ...settings, auth })).toMatchObject([{ ok: false, detail: error.message }]);
    });

    test('a user who may do nothing is told which rights are needed', async () => {
      const error = await failureOf(
        open({ auth: engines().elasticsearch.powerless! }).deliver([incidentWrite(newId())]),
      );
      expect(error).toMatchObject({ code: 'elasticsearch_forbidden' });
      expect(error.hint).toContain('create_doc');
    });

    test('an API key with the rights that are named is enough, and doctor finds one that is missing', async () => {
      const key = async (streamPrivileges: string[]) => {
        const index = [
          { names: ['logs-relaywatch.*'], privileges: streamPrivileges },
          { names: ['relaywatch-*'], privileges: ALIAS_PRIVILEGES },
        ];
        const role = { cluster: ['monitor'], index };
        const { encoded } = await client.security.createApiKey({ name: newId(), role_descriptors: { role } as never });
        return { apiKey: encoded };
      };
      const enough = await key(STREAM_PRIVILEGES);
      const store = open({ auth: enough });
      const id = newId();
      const writes = [incidentWrite(id), alertWrite(id), deadLetterWrite(id), ledgerWrite(id, 1), findingWrite(id, 1)];
      expect(await store.deliver(writes)).toEqual({ written: 5, unchanged: 0, refused: [] });
      const again = [incidentWrite(id, { document: incidentDocument(id, 99) }), alertWrite(id), ledgerWrite(id, 2)];
      expect(await store.deliver(again)).toEqual({ written: 2, unchanged: 1, refused: [] });
      expect(await store.knownAlerts([id])).toEqual(new Set([id]));
      expect((await store.incidents('contoso', 0, Infinity)).map(({ revision }) => revision)).toContain(2);

      const good = await checkElasticsearch({ ...settings, auth: enough });
      expect(good.filter(({ ok }) => !ok)).toEqual([]);
      expect(good.find(({ what }) => what.endsWith('rights'))?.detail).toBe('all that is needed');
      const less = await checkElasticsearch({ ...settings, auth: await key(['create_doc', 'auto_configure']) });
      expect(less.find(({ what }) => what.endsWith('rights'))).toMatchObject({
        ok: false,
        detail: expect.stringContaining('maintenance, read, view_index_metadata on logs-relaywatch.alert-'),
      });
    });

    test('a server that cannot be trusted gets nothing', async () => {
      const stranger = await failureOf(open({ ca: null }).deliver([alertWrite(newId())]));
      expect(stranger).toMatchObject({ code: 'elasticsearch_certificate' });
      const fingerprint = new X509Certificate(engines().elasticsearch.ca!).fingerprint256;
      expect(await open({ caFingerprint: fingerprint }).deliver([alertWrite(newId())])).toMatchObject({ written: 1 });
      const other = fingerprint.replace(/^../, fingerprint.startsWith('00') ? '11' : '00');
      expect(await failureOf(open({ caFingerprint: other }).knownAlerts(['a']))).toMatchObject({
        code: 'elasticsearch_certificate',
      });
    });
  });

  describe('that was not set up', () => {
    test('gets no document, and no index comes into being', async () => {
      const namespace = 'nobody';
      const error = await failureOf(open({ namespace }).deliver([alertWrite(newId()), incidentWrite(newId())]));
      expect(error).toMatchObject({ code: 'elasticsearch_not_set_up' });
      expect(error.hint).toContain('relaywatch setup');
      expect(await failureOf(open({ namespace }).incidents('contoso', 0, 1))).toMatchObject({ code: error.code });
      expect(await failureOf(open({ namespace }).check())).toMatchObject({ code: error.code });
      expect(await client.indices.exists({ index: `*relaywatch*${namespace}*`, allow_no_indices: false })).toBe(false);
    });

    test('nor when the alias is gone later', async () => {
      const own = settingsFor(engines().elasticsearch);
      await setupElasticsearch(own, { dryRun: false });
      const store = open(own);
      await store.deliver([ledgerWrite(newId(), 1)]);
      for (const alias of [storeNames(own.namespace).incident, storeNames(own.namespace).ledger]) {
        await client.indices.delete({ index: `${alias}-000001` });
        const write = alias.includes('ledger') ? ledgerWrite(newId(), 1) : incidentWrite(newId());
        expect(await failureOf(store.deliver([write]))).toMatchObject({ code: 'elasticsearch_not_set_up' });
        expect(await client.indices.exists({ index: alias })).toBe(false);
      }
    });
  });

  test('requests that are too long are halved, and what is too long alone is refused with the reason', async () => {
    const store = open();
    const original = 'x'.repeat(40 * KIBIBYTE);
    const letters = Array.from({ length: 30 }, () => deadLetterWrite(newId(), original));
    const long = deadLetterWrite(newId(), 'y'.repeat(300 * KIBIBYTE));
    const report = await store.deliver([...letters.slice(0, 15), long, ...letters.slice(15)]);
    expect(report).toMatchObject({ written: 30, unchanged: 0, refused: [{ write: { id: long.id } }] });
    expect(report.refused[0].reason).toMatch(/longer than the server takes|too large|413/i);
    expect(await store.deliver(letters)).toMatchObject({ written: 0, unchanged: 30 });
  });

  test('an id that no document can have is refused, and those beside it are stored', async () => {
    const bad = deadLetterWrite('x'.repeat(600));
    const good = Array.from({ length: 5 }, () => deadLetterWrite(newId()));
    const report = await open().deliver([...good.slice(0, 2), bad, ...good.slice(2)]);
    expect(report).toMatchObject({ written: 5, refused: [{ write: bad, reason: expect.stringContaining('id [xxx') }] });
  });

  test('what is refused with 429 is written later, once', async () => {
    const store = open();
    const before = await count(names().finding);
    const batches = Array.from({ length: 40 }, () => Array.from({ length: 100 }, () => findingWrite(newId(), 1)));
    const reports = await Promise.all(batches.map((batch) => store.deliver(batch)));
    expect(reports.map(({ written, unchanged }) => written + unchanged)).toEqual(batches.map(() => 100));
    expect((await count(names().finding)) - before).toBe(4000);
    expect(troubles.map((trouble) => trouble?.code)).toContain('busy');
    expect(troubles.at(-1)).toBeNull();
  });

  test.each(['read_only_allow_delete', 'write'] as const)(
    'while the block %s is set it waits and says so',
    async (block) => {
      const store = open();
      const id = newId();
      const index = names().incident;
      await setIndexBlock(engines().elasticsearch, index, block, true);
      const delivery = store.deliver([incidentWrite(id), findingWrite(id, 1)]);
      await inTrouble('read_only');
      const blocked = await checkElasticsearch(settings);
      expect(blocked.filter(({ ok }) => !ok)).toMatchObject([{ detail: expect.stringContaining(`blocks.${block}`) }]);
      await setIndexBlock(engines().elasticsearch, index, block, false);
      expect(await delivery).toEqual({ written: 2, unchanged: 0, refused: [] });
      expect(troubles.at(-1)).toBeNull();
      expect(troubles[0]).toMatchObject({ message: expect.stringContaining('blocked'), sinceMs: expect.any(Number) });
    },
  );

  test('it stops waiting when it is told to', async () => {
    const store = open({}, { random: () => 1, sleep: undefined });
    const stop = new AbortController();
    await setIndexBlock(engines().elasticsearch, names().incident, 'write', true);
    onTestFinished(() => setIndexBlock(engines().elasticsearch, names().incident, 'write', false));
    const delivery = failureOf(store.deliver([incidentWrite(newId())], stop.signal));
    await inTrouble('read_only');
    const begin = performance.now();
    stop.abort(new Error('the worker stops'));
    expect(await delivery).toMatchObject({ message: 'the worker stops' });
    expect(performance.now() - begin).toBeLessThan(5_000);
    // That it was given up says nothing of the server.
    expect(troubles.at(-1)).toMatchObject({ code: 'read_only' });
  });

  test('an alert is known and not repeated after the data stream was rolled over', async () => {
    const store = open();
    const alerts: AppendWrite[] = Array.from({ length: 3 }, () => alertWrite(newId()));
    const letter = deadLetterWrite(newId());
    await store.deliver([...alerts.slice(0, 2), letter]);
    const before = await count(names().alert);
    await count(names().dead_letter);
    for (const alias of [names().alert, names().dead_letter]) {
      expect(await client.indices.rollover({ alias })).toMatchObject({ rolled_over: true });
    }
    expect(await store.knownAlerts(alerts.map(({ id }) => id))).toEqual(new Set([alerts[0].id, alerts[1].id]));
    expect(await store.deliver([...alerts, letter])).toEqual({ written: 1, unchanged: 3, refused: [] });
    expect((await count(names().alert)) - before).toBe(1);
    const { event } = (await documentsIn(client, names().alert)).get(alerts[0].id) as { event: { ingested: string } };
    expect(Date.parse(event.ingested)).toBeGreaterThan(Date.now() - 60_000);
  });

  test('a server that hangs is asked again, and nothing is there twice', async () => {
    const store = open({ requestTimeoutMs: 1000 });
    const id = newId();
    await store.deliver([incidentWrite(id)]);
    engines().elasticsearch.server.pause();
    const changed = incidentWrite(id, { document: incidentDocument(id, 70) });
    const delivery = store.deliver([changed, alertWrite(id)]);
    delivery.catch(() => {});
    await inTrouble('away');
    engines().elasticsearch.server.resume();
    expect(await delivery).toMatchObject({ refused: [] });
    expect((await documentsIn(client, names().incident)).get(id)).toMatchObject({ relaywatch: { revision: 2 } });
    expect(troubles.at(-1)).toBeNull();
  });

  test('a server that was killed is waited for, and gets what arrived meanwhile', async () => {
    const store = open();
    const first = Array.from({ length: 50 }, () => alertWrite(newId()));
    await store.deliver(first);
    await engines().elasticsearch.server.kill();
    const second = Array.from({ length: 50 }, () => alertWrite(newId()));
    const incident = incidentWrite(newId());
    const delivery = store.deliver([...first, ...second, incident]);
    delivery.catch(() => {});
    await inTrouble('away');
    expect(await checkElasticsearch(settings)).toMatchObject([
      { ok: false, detail: expect.stringContaining('does not answer') },
    ]);
    await engines().elasticsearch.server.restart();
    expect(await delivery).toEqual({ written: 51, unchanged: 50, refused: [] });
    expect(await store.knownAlerts([...first, ...second].map(({ id }) => id))).toMatchObject({ size: 100 });
    expect((await store.incidents('contoso', 0, Infinity)).map(({ document }) => document.event)).toContainEqual(
      expect.objectContaining({ id: incident.id }),
    );
  });
});

/** What every output store does, in memory and on a server. */

import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Fenced } from '../../../src/core/checkpoint.ts';
import type { AppendWrite, IncidentWrite, OutputStore, OutputWrite, ReplaceWrite } from '../../../src/core/delivery.ts';
import type { IncidentDocument } from '../../../src/core/incident-document.ts';

type Json = Record<string, unknown>;

export interface OutputStoreUnderTest {
  store: OutputStore;
  /** A second store over the same documents, as another worker has it. */
  another: OutputStore;
  /** All documents of a kind, by id, as stored. */
  documents(kind: OutputWrite['kind']): Promise<Map<string, Json>>;
  /** What a person does: sets `relaywatch.triage`. */
  triage(id: string, triage: { verdict: string; owner: string; note: string }): Promise<void>;
  close(): Promise<void>;
}

/** A field that no mapping has: a store with strict mappings refuses documents with it. */
export const UNKNOWN_FIELD = 'field_that_nothing_maps';

const DETECTED_MS = Date.UTC(2026, 8, 5, 18, 14, 7, 201);
const iso = (timeMs: number) => new Date(timeMs).toISOString();

export function incidentDocument(id: string, recipients = 12, detectedMs = DETECTED_MS): IncidentDocument {
  const at = iso(detectedMs);
  return {
    '@timestamp': at,
    ecs: { version: '9.4.0' },
    message: `The unregistered domain fabrikam.example sent to ${recipients} recipients.`,
    event: {
      id,
      kind: 'alert',
      category: ['email', 'threat'],
      type: ['indicator'],
      action: 'relay',
      module: 'relaywatch',
      dataset: 'relaywatch.incident',
      start: iso(detectedMs - 700_000),
      end: iso(detectedMs + 60_000),
      severity: 73,
      risk_score: 68,
      reason: '12 recipients in 15 min, 0.4 expected (95 % up to 3)',
    },
    rule: { id: 'unregistered', name: 'Spike of unregistered sender domains', version: '1', category: 'unregistered' },
    threat: {
      framework: 'MITRE ATT&CK',
      tactic: { id: ['TA0040'], name: ['Impact'] },
      technique: { id: ['T1496'], name: ['Resource Hijacking'] },
    },
    organization: { id: '39238e87-b5ab-4ef6-a559-af54c6b07b42', name: 'contoso.onmicrosoft.com' },
    source: { ip: '198.51.100.25' },
    email: { from: { address: ['ann@contoso.com'] } },
    related: { ip: ['198.51.100.25', '2001:db8::'], user: ['ann@contoso.com'] },
    relaywatch: {
      incident: {
        family: 'unregistered',
        type: 'relay',
        state: 'open',
        reopened_count: 0,
        detected_at: at,
        series: ['relayed', 'unregistered_source'],
        observed: 12,
        expected: 0.4,
        expected_p95: null,
        window: '15m',
        statistic: 'scan',
        score: 5.3,
        messages: recipients,
        recipients,
        recipients_at_detection: 12,
        contributors: {
          domains: [{ key: 'fabrikam.example', recipients, share: 1 }],
          sources: [{ key: '2001:db8::/64', recipients, share: 1 }],
          connectors: [{ key: 'Inbound from DC1', recipients, share: 1 }],
          mailboxes: [],
          subjects: [{ key: 'You won', recipients, share: 0.612 }],
        },
        escalations: [{ at, observed: 24, severity: 73 }],
        evidence: [
          {
            message_trace_id: 'cf7a249a5edd4350130a08da8f69e0f6',
            sender: 'promo@fabrikam.example',
            recipient: 'ann@victim.example',
            subject: `You won ${'!'.repeat(40_000)}`,
            status: 'failed',
            at,
          },
        ],
        limit: { name: 'tenant_external_recipients_24h', used: 4127, budget: 22_059, share: 0.187, forecast_at: at },
      },
    },
  };
}

export function incidentWrite(id: string, fields: Partial<IncidentWrite> = {}): IncidentWrite {
  const document = incidentDocument(id);
  return { kind: 'incident', id, tenant: 'contoso', generation: 1, document, mergedInto: null, ...fields };
}

export function alertWrite(id: string, incident = 'rw-1', recipients = 12): AppendWrite {
  const { relaywatch, event, ...document } = incidentDocument(incident, recipients);
  const alert = { kind: 'opened', number: 1 };
  return {
    kind: 'alert',
    id,
    document: {
      ...document,
      event: { ...event, dataset: 'relaywatch.alert' },
      relaywatch: { ...relaywatch, tenant: 'contoso', alert },
    },
  };
}

export function deadLetterWrite(id: string, original = 'a;b\r\n\u0000"'): AppendWrite {
  const letter = { code: 'bad_time', reason: 'No time.', file: 'export.csv', offset: 70, length: 5, line: 2, original };
  const relaywatch = { tenant: 'contoso', dead_letter: letter };
  return { kind: 'dead_letter', id, document: { '@timestamp': iso(DETECTED_MS), relaywatch } };
}

export function ledgerWrite(id: string, sequence: number, read = 3): ReplaceWrite {
  const rows = {
    read,
    accepted: read,
    duplicate: 0,
    updated: 0,
    folded: 0,
    dropped: {},
    dead_lettered: { bad_time: 0 },
  };
  const ledger = { path: 'export.csv', sha256: 'ab', bytes: 100, format: 'message_trace', records: read, rows };
  return {
    kind: 'ledger',
    id,
    sequence,
    document: { '@timestamp': iso(DETECTED_MS), relaywatch: { tenant: 'contoso', ledger } },
  };
}

export function findingWrite(id: string, sequence: number, state = 'open', tenant = 'contoso'): ReplaceWrite {
  const finding = { code: 'silent_source', subject: id, state, message: 'Nothing arrived for 2 hours.' };
  return {
    kind: 'finding',
    id,
    sequence,
    document: { '@timestamp': iso(DETECTED_MS), relaywatch: { tenant, finding } },
  };
}

/** `strict`: documents with UNKNOWN_FIELD are refused. */
export function describeOutputStoreContract(
  name: string,
  create: () => Promise<OutputStoreUnderTest>,
  { strict }: { strict: boolean },
): void {
  describe(`${name} as an output store`, () => {
    let under: OutputStoreUnderTest;
    let store: OutputStore;
    beforeEach(async () => {
      under = await create();
      store = under.store;
    });
    afterEach(() => under?.close());

    const newId = () => `rw-${randomBytes(8).toString('hex')}`;
    const stored = async (id: string) => (await under.documents('incident')).get(id) as Json & { relaywatch: Json };

    test('it says that it takes what comes', async () => {
      await store.check();
    });

    test('an incident is stored with what the store adds, and the same again changes nothing', async () => {
      const id = newId();
      const write = incidentWrite(id);
      expect(await store.deliver([write])).toEqual({ written: 1, unchanged: 0, refused: [] });
      const document = await stored(id);
      const { created } = document.event as { created: string };
      expect(Math.abs(Date.parse(created) - Date.now())).toBeLessThan(60_000);
      expect(document).toEqual({
        ...write.document,
        event: { ...write.document.event, created },
        relaywatch: { ...write.document.relaywatch, tenant: 'contoso', revision: 1, generation: 1 },
      });
      expect(await store.deliver([write])).toEqual({ written: 0, unchanged: 1, refused: [] });
      expect(await under.another.deliver([{ ...write, generation: 2 }])).toMatchObject({ written: 0, unchanged: 1 });
      expect(await stored(id)).toEqual(document);
    });

    test('revisions count the changes, and the first write stays known', async () => {
      const id = newId();
      await store.deliver([incidentWrite(id)]);
      const first = await stored(id);
      await store.deliver(
        [13, 14].map((recipients) => incidentWrite(id, { document: incidentDocument(id, recipients) })),
      );
      const last = await stored(id);
      expect(last.relaywatch).toMatchObject({ revision: 3, incident: { recipients: 14 } });
      expect((last.event as Json).created).toBe((first.event as Json).created);
    });

    test('what people said of an incident is kept', async () => {
      const id = newId();
      const triage = { verdict: 'benign', owner: 'ann', note: 'the newsletter' };
      await store.deliver([incidentWrite(id)]);
      await under.triage(id, triage);
      expect(await store.deliver([incidentWrite(id)])).toMatchObject({ unchanged: 1 });
      expect(await store.deliver([incidentWrite(id, { document: incidentDocument(id, 99) })])).toMatchObject({
        written: 1,
      });
      expect((await stored(id)).relaywatch).toMatchObject({ triage, revision: 2, incident: { recipients: 99 } });
    });

    test('a retracted incident names the one that took its rows', async () => {
      const id = newId();
      await store.deliver([incidentWrite(id), incidentWrite(id, { mergedInto: 'rw-other' })]);
      expect((await stored(id)).relaywatch).toMatchObject({
        revision: 2,
        incident: { state: 'retracted', merged_into: 'rw-other' },
      });
    });

    test('an older generation is fenced, also when it has nothing new', async () => {
      const id = newId();
      await under.another.deliver([incidentWrite(id, { generation: 7 })]);
      const late = store.deliver([incidentWrite(id, { generation: 6, document: incidentDocument(id, 50) })]);
      await expect(late).rejects.toThrow(Fenced);
      await expect(store.deliver([incidentWrite(id, { generation: 6 })])).rejects.toThrow(Fenced);
      expect((await stored(id)).relaywatch).toMatchObject({ revision: 1, generation: 7, incident: { recipients: 12 } });
    });

    test('of writers at the same time none is lost', async () => {
      const id = newId();
      const writes = Array.from({ length: 12 }, (_, number) =>
        incidentWrite(id, { document: incidentDocument(id, 100 + number) }),
      );
      const stores = [store, under.another];
      const reports = await Promise.all(writes.map((write, number) => stores[number % 2].deliver([write])));
      expect(reports.map((report) => report.written)).toEqual(writes.map(() => 1));
      expect((await stored(id)).relaywatch.revision).toBe(writes.length);
    });

    test('what is appended twice is there once, as it was first', async () => {
      const [alert, letter] = [alertWrite(newId()), deadLetterWrite(newId())];
      expect(await store.deliver([alert, letter])).toEqual({ written: 2, unchanged: 0, refused: [] });
      const changed = alertWrite(alert.id, 'rw-1', 999);
      expect(await under.another.deliver([letter, changed, changed])).toEqual({
        written: 0,
        unchanged: 3,
        refused: [],
      });
      expect((await under.documents('alert')).get(alert.id)).toMatchObject(alert.document);
      expect((await under.documents('dead_letter')).get(letter.id)).toMatchObject(letter.document);
      expect((await under.documents('alert')).size).toBe(1);
    });

    test('alerts are known from the moment they are stored', async () => {
      const [known, other] = [newId(), newId()];
      expect(await store.knownAlerts([known, other])).toEqual(new Set());
      await store.deliver([alertWrite(known)]);
      expect(await under.another.knownAlerts([known, other, known])).toEqual(new Set([known]));
      expect(await store.knownAlerts([])).toEqual(new Set());
    });

    test.each([
      ['ledger', (id: string, sequence: number, content: number) => ledgerWrite(id, sequence, content)],
      ['finding', (id: string, sequence: number, content: number) => findingWrite(id, sequence, `state ${content}`)],
    ] as const)('in the %s newer sequences replace older ones', async (kind, write) => {
      const id = newId();
      const current = async () => (await under.documents(kind)).get(id);
      const first = write(id, 5, 71);
      expect(await store.deliver([first])).toEqual({ written: 1, unchanged: 0, refused: [] });
      expect(await current()).toMatchObject({ relaywatch: { sequence: 5, tenant: 'contoso' } });
      expect(await under.another.deliver([write(id, 4, 72)])).toEqual({ written: 0, unchanged: 1, refused: [] });
      expect(await current()).toMatchObject(first.document);
      for (const [sequence, content] of [
        [5, 73],
        [6, 74],
      ]) {
        const later = write(id, sequence, content);
        expect(await store.deliver([later])).toEqual({ written: 1, unchanged: 0, refused: [] });
        expect(await current()).toMatchObject(later.document);
      }
    });

    test.runIf(strict)('what does not fit is reported with the reason, and the rest is stored', async () => {
      const [good, bad] = [newId(), newId()];
      const wrong = { ...incidentDocument(bad), [UNKNOWN_FIELD]: 1 };
      const writes: OutputWrite[] = [
        incidentWrite(good),
        incidentWrite(bad, { document: wrong }),
        alertWrite(good),
        { ...alertWrite(bad), document: { ...alertWrite(bad).document, [UNKNOWN_FIELD]: 1 } },
        { ...ledgerWrite(bad, 1), document: { ...ledgerWrite(bad, 1).document, [UNKNOWN_FIELD]: 1 } },
        findingWrite(good, 1),
      ];
      const report = await store.deliver(writes);
      expect(report).toMatchObject({ written: 3, unchanged: 0 });
      expect(report.refused.map(({ write }) => [write.kind, write.id]).sort()).toEqual([
        ['alert', bad],
        ['incident', bad],
        ['ledger', bad],
      ]);
      for (const { reason } of report.refused) expect(reason).toContain(UNKNOWN_FIELD);
      expect(await stored(bad)).toBeUndefined();
      expect(await stored(good)).toBeDefined();
    });

    test('incidents of a tenant are found by the time of detection, however many', async () => {
      const many = 1_203;
      const writes = Array.from({ length: many }, (_, number) => {
        const id = `rw-${String(number).padStart(6, '0')}`;
        // Three at each second: pages end between equal times.
        const document = incidentDocument(id, 12, DETECTED_MS + Math.floor(number / 3) * 1000);
        document.relaywatch.incident.evidence = [];
        return incidentWrite(id, { document, tenant: number % 100 === 99 ? 'fabrikam' : 'contoso' });
      });
      expect(await store.deliver(writes)).toMatchObject({ written: many });
      const ids = async (tenant: string, fromMs: number, toMs: number) =>
        (await under.another.incidents(tenant, fromMs, toMs)).map(({ document }) => (document.event as Json).id).sort();
      const expected = (tenant: string, fromMs: number, toMs: number) =>
        writes
          .filter(({ document }) => Date.parse(document['@timestamp']) >= fromMs)
          .filter((write) => write.tenant === tenant && Date.parse(write.document['@timestamp']) < toMs)
          .map(({ id }) => id);
      for (const [from, to] of [
        [-Infinity, Infinity],
        [0, DETECTED_MS + 1e9],
        [DETECTED_MS + 1000, DETECTED_MS + 3000],
        [0, DETECTED_MS],
      ]) {
        expect(await ids('contoso', from, to)).toEqual(expected('contoso', from, to));
      }
      expect(await ids('fabrikam', 0, Infinity)).toEqual(expected('fabrikam', 0, Infinity));
      expect((await store.incidents('contoso', DETECTED_MS, DETECTED_MS + 1))[0]).toMatchObject({
        revision: 1,
        generation: 1,
        document: { relaywatch: { tenant: 'contoso' } },
      });
    });

    test('a detector goes on from what a rescan has written, and takes nothing of it back', async () => {
      const [id, other] = [newId(), newId()];
      const live = (recipients: number, detectedMs = DETECTED_MS) =>
        incidentWrite(id, { generation: 3, document: incidentDocument(id, recipients, detectedMs) });
      const rescan = { through: iso(DETECTED_MS + 120_000) };
      await store.deliver([live(100), incidentWrite(other, { generation: 3 })]);
      const larger = { ...live(0), generation: 3, document: incidentDocument(id, 140), rescan };
      const gone = incidentWrite(other, { generation: 3, mergedInto: id, rescan });
      expect(await under.another.deliver([larger, gone])).toMatchObject({ written: 2, refused: [] });
      expect((await stored(id)).relaywatch).toMatchObject({
        rescan: { ...rescan, counted: { messages: 100, recipients: 100 } },
        incident: { recipients: 140 },
      });
      // The same again, and what the detector has said before.
      expect(await under.another.deliver([larger, gone])).toMatchObject({ unchanged: 2 });
      await store.deliver([live(100), incidentWrite(other, { generation: 3, document: incidentDocument(other, 50) })]);
      expect((await stored(id)).relaywatch).toMatchObject({ incident: { recipients: 140 } });
      expect((await stored(other)).relaywatch).toMatchObject({ incident: { state: 'retracted', merged_into: id } });
      // Rows up to the latest of the rescan say nothing new; those after it do.
      await store.deliver([live(110)]);
      expect((await stored(id)).relaywatch).toMatchObject({ incident: { recipients: 140 } });
      const grown = live(117);
      grown.document.event.end = iso(DETECTED_MS + 600_000);
      await store.deliver([grown]);
      const { event, relaywatch } = await stored(id);
      expect(event).toMatchObject({ end: grown.document.event.end });
      expect(relaywatch).toMatchObject({ incident: { recipients: 147 }, generation: 3 });
      const retracted = live(117);
      retracted.document.relaywatch.incident.state = 'retracted';
      expect(await store.deliver([grown, retracted])).toMatchObject({ unchanged: 2 });
      // The next rescan has all rows.
      await under.another.deliver([{ ...larger, document: incidentDocument(id, 146) }]);
      expect((await stored(id)).relaywatch).toMatchObject({ incident: { state: 'open', recipients: 146 } });
    });

    test('incidents that a rescan has written are found: open ones, and those that ended lately', async () => {
      const rescan = { through: iso(DETECTED_MS) };
      const write = (state: 'open' | 'closed', more: Partial<IncidentWrite>) => {
        const made = incidentWrite(newId(), more);
        made.document.relaywatch.incident.state = state;
        return made;
      };
      const open = write('open', { rescan });
      const closed = write('closed', { rescan });
      const others = [write('open', {}), write('open', { rescan, tenant: 'fabrikam' })];
      await store.deliver([open, closed, ...others]);
      const ids = async (sinceMs: number) =>
        (await under.another.rescanned('contoso', sinceMs)).map(({ document }) => (document.event as Json).id).sort();
      const endMs = Date.parse(closed.document.event.end);
      expect(await ids(endMs)).toEqual([open.id, closed.id].sort());
      expect(await ids(Number.NEGATIVE_INFINITY)).toEqual([open.id, closed.id].sort());
      expect(await ids(endMs + 1)).toEqual([open.id]);
    });

    test('findings of a tenant that are open are found, however many', async () => {
      const open = Array.from({ length: 300 }, () => findingWrite(newId(), 1));
      const others = [findingWrite(newId(), 1, 'closed'), findingWrite(newId(), 1, 'open', 'fabrikam')];
      await store.deliver([...open, ...others]);
      const ids = async () =>
        (await under.another.openFindings('contoso')).map(
          ({ relaywatch }) => (relaywatch as { finding: { subject: string } }).finding.subject,
        );
      expect((await ids()).sort()).toEqual(open.map(({ id }) => id).sort());
      await store.deliver(open.slice(1).map(({ id }) => findingWrite(id, 2, 'closed')));
      expect(await under.another.openFindings('contoso')).toEqual([
        expect.objectContaining({ relaywatch: expect.objectContaining({ tenant: 'contoso', sequence: 1 }) }),
      ]);
    });

    test('nothing is begun once the signal aborted', async () => {
      const signal = AbortSignal.abort(new Error('stopping'));
      await expect(store.deliver([alertWrite(newId())], signal)).rejects.toThrow('stopping');
      await expect(store.check(signal)).rejects.toThrow('stopping');
      await expect(store.knownAlerts(['a'], signal)).rejects.toThrow('stopping');
      await expect(store.incidents('contoso', 0, 1, signal)).rejects.toThrow('stopping');
      await expect(store.rescanned('contoso', 0, signal)).rejects.toThrow('stopping');
      await expect(store.openFindings('contoso', signal)).rejects.toThrow('stopping');
      expect((await under.documents('alert')).size).toBe(0);
    });

    test('nothing to deliver is no work', async () => {
      expect(await store.deliver([])).toEqual({ written: 0, unchanged: 0, refused: [] });
    });
  });
}

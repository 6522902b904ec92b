/** Messages of a topic as envelopes: all shapes, in order, at places that never change; nothing lost. */

import { describe, expect, it } from 'vitest';
import { createMemoryRecordLog } from '../../../src/adapters/memory/record-log.ts';
import type { Envelope, RowsHeader } from '../../../src/core/envelope.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../src/core/envelope-codec.ts';
import type { RecordMessage } from '../../../src/core/record-log.ts';
import { readEnvelopeRecords } from '../../../src/runtime/ingest/envelope-records.ts';
import { RecordIngest, type RecordIngestOptions } from '../../../src/runtime/ingest/kafka-records.ts';
import { eventually, startReading } from '../../adapters/contract/record-log.ts';
import { randomOf } from '../../core/pairs.ts';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const TENANT_ID = '39238e87-b5ab-4ef6-a559-af54c6b07b42';

function record(number: number, changes: object = {}, properties: object = {}): object {
  return {
    time: '2026-09-05T18:24:02.5127177Z',
    tenantId: TENANT_ID,
    category: 'AdvancedHunting-EmailEvents',
    properties: {
      Timestamp: '2026-09-05T18:10:13Z',
      NetworkMessageId: `cf7a249a-5edd-4350-130a-${String(number).padStart(12, '0')}`,
      SenderMailFromAddress: 'promo@fabrikam.example',
      RecipientEmailAddress: 'ann@victim.example',
      Subject: `Nr. ${number} "ä"`,
      ...properties,
    },
    ...changes,
  };
}

function setUp(changes: Partial<RecordIngestOptions> = {}) {
  const envelopes: Envelope[] = [];
  const sends: number[] = [];
  const ingest = new RecordIngest({
    topic: 'events',
    tenant: 'contoso',
    tenantIds: [],
    dateOrder: null,
    now: Date.now,
    lingerMs: 0,
    sink: {
      async send(sent) {
        sends.push(sent.length);
        // As the log gives them back.
        for (const envelope of sent) {
          const { header, body } = encodeEnvelope(envelope);
          envelopes.push(decodeEnvelope(header, body));
        }
      },
      close: async () => {},
    },
    ...changes,
  });
  return { ingest, envelopes, sends };
}

function messages(values: readonly (string | Uint8Array)[], from = 0): RecordMessage[] {
  return values.map((value, index) => ({
    offset: from + index,
    appendedMs: 1_788_632_642_000 + from + index,
    bytes: Buffer.from(value as string),
  }));
}

const headers = (envelopes: readonly Envelope[]) => envelopes.map(({ header }) => header as RowsHeader);

/** Every record as a detector finds it: file, place, and the number in its subject. */
function rows(envelopes: readonly Envelope[]): string[] {
  return envelopes.flatMap(({ header, payload }) => {
    const found: string[] = [];
    const { file } = header;
    readEnvelopeRecords(header as RowsHeader, payload.slice(), {
      record(view) {
        const subject = (header as RowsHeader).layout.columns.indexOf('Subject');
        const text = Buffer.from(view.bytes.subarray(view.starts[subject], view.ends[subject])).toString();
        found.push(`${file.id.slice(0, 8)} ${view.offset} ${view.line} ${text}`);
      },
      reject: ({ code, offset, line }) => found.push(`${file.id.slice(0, 8)} ${offset} ${line} ${code}`),
    });
    return found;
  });
}

const subjects = (envelopes: readonly Envelope[]) => rows(envelopes).map((row) => row.split(' ').slice(3).join(' '));

describe('records of a topic', () => {
  it('come in all shapes, and go on one a line', async () => {
    const { ingest, envelopes } = setUp();
    await ingest.assigned(3, null);
    const place = await ingest.messages(
      3,
      messages([
        JSON.stringify(record(1)),
        JSON.stringify([record(2), record(3)]),
        JSON.stringify({ records: [record(4), record(5)] }, null, 2).replaceAll('\n', '\r\n'),
        `\ufeff${JSON.stringify(record(6))}\r\n${JSON.stringify(record(7))}\r\n`,
        '{"records":[]}',
        '',
      ]),
      6,
    );
    expect(place.offset).toBe(6);
    expect(envelopes).toHaveLength(1);
    const [header] = headers(envelopes);
    expect(header).toMatchObject({ tenant: 'contoso', offset: 0, line: 1, records: 7, file: { name: 'events/3' } });
    expect(header.layout).toMatchObject({ format: 'email-events', shape: 'json', encoding: 'utf-8' });
    expect(header.layout.columns).toHaveLength(6);
    expect(subjects(envelopes)).toEqual([1, 2, 3, 4, 5, 6, 7].map((number) => `Nr. ${number} "ä"`));
    const lines = Buffer.from(envelopes[0].payload).toString().trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([1, 2, 3, 4, 5, 6, 7].map((number) => record(number)));
  });

  it('fill envelopes of 500 records or 256 KiB, which are sent at once', async () => {
    const { ingest, envelopes, sends } = setUp();
    await ingest.assigned(0, null);
    const many = Array.from({ length: 1_200 }, (_, number) => record(number, {}, { Context: 'x'.repeat(20) }));
    const large = Array.from({ length: 4 }, (_, number) => record(number, {}, { Context: 'x'.repeat(100_000) }));
    await ingest.messages(0, messages([JSON.stringify(many), JSON.stringify({ records: large })]), 2);
    expect(headers(envelopes).map(({ records }) => records)).toEqual([500, 500, 201, 2, 1]);
    expect(sends).toEqual([5]);
    const ends = envelopes.map(({ header, payload }) => (header as RowsHeader).offset + payload.length);
    expect(headers(envelopes).map(({ offset }) => offset)).toEqual([0, ...ends.slice(0, 4)]);
  });

  it('have the same file and place whoever reads them, from wherever, in whatever pieces', async () => {
    const random = randomOf(seed);
    const bad = ['no JSON at all', '{"a":1}', `{"cut": ${JSON.stringify(record(1)).slice(0, 90)}`, '[1,2]'];
    const values = Array.from({ length: 60 }, (_, number) => {
      const kind = Math.floor(random() * 4);
      if (kind === 0) return bad[number % bad.length];
      if (kind === 1) return JSON.stringify(record(number));
      return JSON.stringify({ records: [record(number), record(number + 1_000, {}, { Context: number })] }, null, kind);
    });
    const all = messages(values, 1_000_000);
    const whole = setUp();
    await whole.ingest.assigned(0, null);
    await whole.ingest.messages(0, all, 1_000_060);
    const expected = rows(whole.envelopes);
    expect(expected.length, `SEED=${seed}`).toBeGreaterThan(60);
    expect(new Set(expected.map((row) => row.split(' ').slice(0, 2).join())).size).toBe(expected.length);

    // Workers that come and go, each from the last place that was committed, or from one before.
    const found = new Set<string>();
    const places = [{ offset: 1_000_000, note: '' }];
    let place: { offset: number; note: string } | null = null;
    while (place === null || place.offset < 1_000_060) {
      const other = setUp();
      await other.ingest.assigned(0, place);
      let at: number = place?.offset ?? 1_000_000;
      for (let calls = 0; calls < 3 && at < 1_000_060; calls++) {
        const count = 1 + Math.floor(random() * 9);
        const part = all.slice(at - 1_000_000, at - 1_000_000 + count);
        const next = await other.ingest.messages(0, part, 1_000_060);
        places.push(next);
        at = next.offset;
      }
      for (const row of rows(other.envelopes)) found.add(row);
      const back: number = at === 1_000_060 ? 1 : 1 + Math.floor(random() * 2);
      const from = places[places.length - back];
      place = from.note === '' ? null : from;
    }
    expect([...found].sort(), `SEED=${seed}`).toEqual([...expected].sort());
  });

  it('that cannot be used are refused with their bytes and where they were', async () => {
    const refused = new Map<string, number>();
    let others = 0;
    const { ingest, envelopes } = setUp({
      tenantIds: [TENANT_ID],
      observer: {
        sent(_records, codes, left) {
          for (const [code, count] of codes) refused.set(code, (refused.get(code) ?? 0) + count);
          others += left;
        },
        behind: () => {},
        gap: () => {},
      },
    });
    await ingest.assigned(0, null);
    const long = JSON.stringify(record(1, {}, { Context: 'x'.repeat(1_100_000) }));
    const stranger = '00000000-b5ab-4ef6-a559-af54c6b07b42';
    const values = [
      `not JSON`,
      `[${JSON.stringify(record(2))},{"Sender":`,
      long,
      '{"DeviceId":"1","DeviceName":"pc"}',
      JSON.stringify(record(3, { tenantId: stranger })),
      JSON.stringify(record(4, { category: 'AdvancedHunting-UrlClickEvents', properties: { Url: 'x' } })),
      JSON.stringify(record(5, { properties: { DeviceId: '1' } })),
    ];
    await ingest.messages(0, messages(values, 10), 17);
    const letters = envelopes.flatMap(({ header, payload }) => {
      const { refusal } = header as RowsHeader;
      return refusal === undefined ? [] : [{ ...refusal, payload: Buffer.from(payload).toString() }];
    });
    expect(letters.map(({ code, payload }) => [code, payload.slice(0, 20)])).toEqual([
      ['malformed_json', 'not JSON'],
      ['cut_record', '{"Sender":'],
      ['too_long', long.slice(0, 20)],
      ['malformed_record', '{"DeviceId":"1","Dev'],
      ['other_tenant', values[4].slice(0, 20)],
      ['malformed_record', values[6].slice(0, 20)],
    ]);
    expect(letters[0].reason).toContain('message 10 of partition 0 of events');
    expect(letters[2]).toMatchObject({ length: Buffer.byteLength(long) });
    expect(Buffer.byteLength(letters[2].payload)).toBe(1_048_576);
    expect(subjects(envelopes).filter((text) => text.startsWith('Nr.'))).toEqual(['Nr. 2 "ä"']);
    expect([Object.fromEntries(refused), others]).toEqual([
      { malformed_json: 1, cut_record: 1, too_long: 1, malformed_record: 2, other_tenant: 1 },
      1,
    ]);
  });

  it('of several formats travel apart', async () => {
    const { ingest, envelopes } = setUp();
    await ingest.assigned(0, null);
    const trace = {
      Received: '2026-09-05T18:10:13',
      SenderAddress: 'a@b.example',
      RecipientAddress: 'c@d.example',
      MessageTraceId: 'cf7a249a-5edd-4350-130a-000000000009',
      Status: 'Delivered',
      Subject: 'trace',
    };
    const values = [record(1), record(2), trace, record(3)].map((one) => JSON.stringify(one));
    await ingest.messages(0, messages(values), 4);
    expect(headers(envelopes).map(({ layout, records }) => [layout.format, records])).toEqual([
      ['email-events', 2],
      ['message-trace', 1],
      ['email-events', 1],
    ]);
  });

  it('begin another file where the count of bytes is lost, or the log is another one', async () => {
    const ids: string[] = [];
    const read = async (place: { offset: number; note: string } | null, gap = false) => {
      const { ingest, envelopes } = setUp();
      await ingest.assigned(0, place);
      if (gap) await ingest.gap(0, 900, 5);
      const done = await ingest.messages(0, messages([JSON.stringify(record(1))], 5), 6);
      ids.push(`${headers(envelopes)[0].file.id} ${headers(envelopes)[0].offset}`);
      return done;
    };
    const done = await read(null);
    await read({ offset: 5, note: 'of another tool' });
    expect(ids[1]).toBe(ids[0]);
    await read({ ...done, offset: 5 });
    expect(ids[2]).toMatch(new RegExp(`^${ids[0].slice(0, 64)} [1-9]`));
    await read({ offset: 5, note: '[1,3,1788632642003,700,2]' }, true);
    expect(ids[3]).toBe(ids[0]);
    await read({ offset: 5, note: `[1,3,1788632642003,${2 ** 43},2]` });
    expect(ids[4]).toBe(ids[0]);
  });

  it('are done only when the log has them', async () => {
    const log = createMemoryRecordLog(1, { idleMs: 20 });
    log.append(0, Buffer.from(JSON.stringify(record(1))));
    let isAway = true;
    const { ingest } = setUp({
      sink: {
        async send() {
          if (isAway) throw new Error('no broker');
        },
        close: async () => {},
      },
    });
    await expect(startReading(log.source('g'), ingest).ended).rejects.toThrow('no broker');
    expect(log.places('g').size).toBe(0);
    isAway = false;
    const { stop } = startReading(log.source('g'), ingest);
    await eventually('it is caught up', () => ingest.isCaughtUp);
    expect(log.places('g').get(0)?.offset).toBe(1);
    await stop();
    expect(ingest.isCaughtUp).toBe(false);
  });

  it('that trickle in are collected for a moment', async () => {
    const log = createMemoryRecordLog(1, { idleMs: 20 });
    const { ingest, sends, envelopes } = setUp({ lingerMs: 100 });
    startReading(log.source('g'), ingest);
    for (let number = 0; number < 40; number++) {
      log.append(0, Buffer.from(JSON.stringify(record(number))));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await eventually('all are sent', () => rows(envelopes).length === 40);
    expect(sends.length).toBeLessThan(15);
  });
});

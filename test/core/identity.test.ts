import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChosenTexts, ObservationCounts, PairTable } from '../../src/core/identity.ts';
import * as record from '../../src/core/record.ts';
import { MINUTE_MS, MONDAY, Pairs, type Row, randomOf, shuffled } from './pairs.ts';

const SEED = Math.floor(Math.random() * 1e9);

interface Merged {
  time: number;
  status: string;
  sender: string;
  subject: string;
  messageId: string;
  source: string;
  connector: string;
  direction: number;
  /** Whether hashes and domain are those of the texts that won. */
  agrees: boolean;
}

/** Merges rows and tells each pair as it will be shown. */
function merged(rows: readonly Row[]) {
  const pairs = new Pairs();
  const counts = new ObservationCounts();
  const chosen = new ChosenTexts();
  const table = new PairTable(counts, chosen, pairs.ids, pairs);
  for (const row of rows) table.add(pairs.record(row));
  const result = new Map<string, Merged>();
  table.forEach((words, doubles, base, doubleBase) => {
    const text = pairs.read(record.fileOf(words, base), record.offsetOf(words, base));
    const won = { ...text, ...chosen.get(ChosenTexts.key(words, base)) };
    pairs.hash.text(won.subject);
    const subjectHash = won.subject === '' ? 0 : pairs.hash.lo;
    const domain = pairs.domains.text(words[base + record.SENDER_DOMAIN]);
    result.set(`${text.messageTraceId} ${text.recipient}`, {
      time: doubles[doubleBase],
      status: record.STATUSES[words[base + record.FLAGS] & record.STATUS_MASK],
      sender: won.sender,
      subject: won.subject,
      messageId: won.messageId,
      source: pairs.sources.text(words[base + record.SOURCE]),
      connector: pairs.connectors.text(words[base + record.CONNECTOR]),
      direction: (words[base + record.FLAGS] >>> record.DIRECTION_SHIFT) & 3,
      agrees: words[base + record.SUBJECT] === subjectHash && won.sender.endsWith(domain),
    });
  });
  expect(result.size).toBe(table.size);
  return { result, counts, table };
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
const totals = ({ counts }: { counts: ObservationCounts }) => ({
  accepted: sum(counts.accepted),
  duplicate: sum(counts.duplicate),
  updated: sum(counts.updated),
});
const pair = (fields: Partial<Row> = {}): Row => ({
  time: MONDAY,
  sender: 'anna@contoso.com',
  recipient: 'you@partner.example',
  messageId: 'a@contoso.com',
  traceId: 'one',
  ...fields,
});
const onlyPair = (rows: readonly Row[]): Merged => {
  const { result } = merged(rows);
  expect(result.size).toBe(1);
  return [...result.values()][0];
};

describe('merging a pair', () => {
  it('takes the earliest time and the highest status', () => {
    const rows = [
      pair({ time: MONDAY + 5, status: 'pending' }),
      pair({ time: MONDAY + 9, status: 'failed' }),
      pair({ time: MONDAY + 1, status: 'delivered' }),
    ];
    expect(onlyPair(rows)).toMatchObject({ time: MONDAY + 1, status: 'failed' });
  });

  it('orders statuses as defined', () => {
    const { STATUSES } = record;
    for (let higher = 1; higher < STATUSES.length; higher++) {
      const rows = [pair({ status: STATUSES[higher] }), pair({ status: STATUSES[higher - 1] })];
      expect(onlyPair(rows).status).toBe(STATUSES[higher]);
      expect(onlyPair(rows.reverse()).status).toBe(STATUSES[higher]);
    }
  });

  it('takes the field of the better format, else the smaller text', () => {
    const rows = [
      pair({ rank: 2, sender: 'aaa@contoso.com', subject: 'A', fromIp: '10.0.0.1', connector: 'A' }),
      pair({ rank: 1, sender: 'zzz@contoso.com', subject: 'Z', fromIp: '10.0.0.9', connector: 'Z' }),
      pair({ rank: 1, sender: 'mmm@contoso.com', subject: 'M', fromIp: '10.0.0.5', connector: 'M' }),
    ];
    for (let order = 0; order < 6; order++) {
      expect(onlyPair(shuffled(rows, order))).toMatchObject({
        sender: 'mmm@contoso.com',
        subject: 'M',
        source: '10.0.0.5',
        connector: 'M',
        agrees: true,
      });
    }
  });

  it('fills a field that only a worse format has', () => {
    const rows = [
      pair({ rank: 1, sender: '', subject: '' }),
      pair({ rank: 7, sender: 'anna@contoso.com', subject: 'Invoice', fromIp: '10.0.0.1' }),
    ];
    for (const order of [rows, [...rows].reverse()]) {
      expect(onlyPair(order)).toMatchObject({ sender: 'anna@contoso.com', subject: 'Invoice', source: '10.0.0.1' });
    }
  });

  it('keeps recipients, messages and spellings of addresses apart or together', () => {
    const rows = [
      pair(),
      pair({ recipient: 'YOU@Partner.Example' }),
      pair({ recipient: 'other@partner.example' }),
      pair({ traceId: 'two' }),
    ];
    const all = merged(rows);
    expect(all.table.size).toBe(3);
    expect(totals(all)).toEqual({ accepted: 3, duplicate: 1, updated: 0 });
  });

  it('holds many pairs', () => {
    const rows = Array.from({ length: 35_000 }, (_, index) => pair({ traceId: `m${index}` }));
    const { table, counts } = merged([...rows, ...rows.slice(0, 1000)]);
    expect(table.size).toBe(35_000);
    expect(sum(counts.duplicate)).toBe(1000);
  });

  it('finds pairs that came before or with it, whenever it is looked into', () => {
    const pairs = new Pairs();
    const counts = new ObservationCounts();
    const table = new PairTable(counts, new ChosenTexts(), pairs.ids, pairs);
    const random = randomOf(SEED);
    const added: string[] = [];
    for (const lot of [1, 50, 3000, 7, 6000]) {
      for (let i = 0; i < lot; i++) {
        const traceId = `m${Math.floor(random() * 2000)}`;
        table.add(pairs.record(pair({ traceId })));
        added.push(traceId);
      }
      const found: string[] = [];
      table.forEach((words, _doubles, base) => {
        found.push(pairs.read(record.fileOf(words, base), record.offsetOf(words, base)).messageTraceId);
      });
      expect(found.sort(), `seed ${SEED}`).toEqual([...new Set(added)].sort());
      expect(sum(counts.accepted)).toBe(found.length);
      expect(sum(counts.duplicate)).toBe(added.length - found.length);
    }
  });

  it('does not depend on the order of observations, nor on one more of any', () => {
    const pick = (...values: string[]) => fc.constantFrom(...values);
    const observation = fc.record({
      time: fc.integer({ min: 0, max: 3 }).map((minute) => MONDAY + minute * MINUTE_MS),
      sender: pick('', 'anna@contoso.com', 'bert@contoso.com', 'carl@fabrikam.example'),
      recipient: pick('you@partner.example', 'me@partner.example'),
      traceId: pick('one', 'two'),
      messageId: pick('', 'a@x', 'b@x'),
      subject: pick('', 'Hello', 'hello', 'Bye'),
      fromIp: pick('', '10.0.0.1', '10.0.0.2'),
      connector: pick('', 'A', 'B'),
      status: fc.constantFrom(...record.STATUSES),
      direction: fc.constantFrom(undefined, 'inbound' as const, 'outbound' as const),
      rank: fc.integer({ min: 1, max: 3 }),
      file: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(observation, { minLength: 1, maxLength: 12 }), fc.integer(), (rows, order) => {
        const expected = merged(rows);
        for (const entry of expected.result.values()) expect(entry.agrees).toBe(true);
        const other = merged(shuffled(rows, order));
        expect(other.result).toEqual(expected.result);
        expect(totals(other)).toEqual(totals(expected));
        expect(merged([...rows, ...shuffled(rows, order)]).result).toEqual(expected.result);
        const { accepted, duplicate, updated } = totals(expected);
        expect(accepted + duplicate + updated).toBe(rows.length);
        const statuses = new Set(rows.map((row) => `${row.traceId} ${row.recipient} ${row.status}`));
        expect(updated).toBe(statuses.size - accepted);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import { AddressReader } from '../../src/core/address.ts';
import { Dictionary } from '../../src/core/dictionary.ts';
import { KeyedHash } from '../../src/core/hash.ts';
import type { DeadLetter } from '../../src/core/ports.ts';
import {
  FLAGS,
  fileOf,
  MESSAGE_HI,
  MESSAGE_ID_HI,
  MESSAGE_ID_LO,
  MESSAGE_LO,
  offsetOf,
  RANK_CONNECTOR_SHIFT,
  RANK_MESSAGE_ID_SHIFT,
  RANK_SENDER_SHIFT,
  RANK_SOURCE_SHIFT,
  RANK_SUBJECT_SHIFT,
  RECIPIENT_HI,
  RECIPIENT_LO,
  SENDER_HI,
  SENDER_LO,
  SOURCE,
  STATUS_MASK,
  STATUSES_SEEN_SHIFT,
  SUBJECT,
} from '../../src/core/record.ts';
import { enhancedSummary } from '../../src/formats/enhanced-summary.ts';
import { canonicalColumn, matchFormat, type TraceFormat } from '../../src/formats/format.ts';
import { messageTrace } from '../../src/formats/message-trace.ts';
import { RowExtractor } from '../../src/formats/row.ts';
import type { RecordView } from '../../src/readers/reader.ts';

const encoder = new TextEncoder();
const HOUR = 3_600_000;
const NOW_MS = Date.UTC(2026, 11, 1);

const TRACE = [
  'Received',
  'SenderAddress',
  'RecipientAddress',
  'Subject',
  'Status',
  'FromIP',
  'MessageId',
  'MessageTraceId',
];
const SUMMARY = ['origin_timestamp_utc', 'sender_address', 'recipient_status', 'message_id', 'network_message_id'];
const ROW = ['2026-09-05T18:10:13Z', 'a@b.example', 'c@d.example', 'x', 'Failed', '192.0.2.1', '<m@b>', 'cf7a'];

interface Observation {
  words: Uint32Array;
  ms: number;
}

/** Runs records through an extractor and gives everything that comes out. */
function extract(
  format: TraceFormat,
  columns: string[],
  rows: string[][],
  range: { since?: number; until?: number } = {},
) {
  const hash = new KeyedHash('contoso');
  const context = {
    hash,
    addresses: new AddressReader(hash),
    domains: new Dictionary(hash),
    sources: new Dictionary(hash),
    connectors: new Dictionary(hash),
    organizations: { ids: [], names: [] },
    sinceMs: range.since ?? null,
    untilMs: range.until ?? null,
    nowMs: NOW_MS,
  };
  const header = columns.map(canonicalColumn);
  const match = matchFormat(format, header);
  if (match === null) throw new Error('the header does not match');
  const observations: Observation[] = [];
  const letters: DeadLetter[] = [];
  const drops: string[] = [];
  const extractor = new RowExtractor(
    context,
    { match, header, dateOrder: null, number: 7 },
    { add: ({ words, doubles }) => observations.push({ words: words.slice(), ms: doubles[0] }) },
    { drop: (reason) => drops.push(reason), deadLetter: (letter) => letters.push(letter) },
  );
  rows.forEach((row, index) => {
    extractor.record(viewOf(row, index));
  });
  return { observations, letters, drops, extractor, context };
}

function viewOf(row: string[], index: number): RecordView {
  const cells = row.map((cell) => encoder.encode(cell));
  const bytes = encoder.encode(`,${row.join(',')},`);
  const starts = new Int32Array(row.length);
  const ends = new Int32Array(row.length);
  let at = 1;
  cells.forEach((cell, i) => {
    starts[i] = at;
    ends[i] = at + cell.length;
    at += cell.length + 1;
  });
  return { bytes, starts, ends, count: row.length, offset: 5_000_000_000 + index * 100, length: 99, line: index + 2 };
}

const rowWith = (changes: Record<number, string>): string[] => ROW.map((cell, i) => changes[i] ?? cell);

describe('a row', () => {
  it('fills every word of the record', () => {
    const { observations, extractor } = extract(messageTrace, TRACE, [ROW]);
    const [{ words, ms }] = observations;
    expect(new Date(ms).toISOString()).toBe('2026-09-05T18:10:13.000Z');
    expect(fileOf(words, 0)).toBe(7);
    expect(offsetOf(words, 0)).toBe(5_000_000_000);
    const hash = new KeyedHash('contoso');
    const hashed = (text: string): number[] => {
      hash.text(text);
      return [hash.lo, hash.hi];
    };
    expect([words[SENDER_LO], words[SENDER_HI]]).toEqual(hashed('a@b.example'));
    expect([words[RECIPIENT_LO], words[RECIPIENT_HI]]).toEqual(hashed('c@d.example'));
    expect([words[MESSAGE_ID_LO], words[MESSAGE_ID_HI]]).toEqual(hashed('m@b'));
    expect(words[SUBJECT]).toBe(hashed('x')[0]);
    expect(words[FLAGS] & STATUS_MASK).toBe(7);
    expect((words[FLAGS] >>> STATUSES_SEEN_SHIFT) & 0xff).toBe(1 << 7);
    for (const shift of [RANK_SENDER_SHIFT, RANK_MESSAGE_ID_SHIFT, RANK_SUBJECT_SHIFT, RANK_SOURCE_SHIFT]) {
      expect((words[FLAGS] >>> shift) & 7).toBe(messageTrace.rank);
    }
    expect((words[FLAGS] >>> RANK_CONNECTOR_SHIFT) & 7).toBe(0);
    expect(extractor.rows).toBe(1);
    expect([extractor.firstMs, extractor.lastMs]).toEqual([ms, ms]);
  });

  it('leaves nothing of the row before in the record', () => {
    const { observations } = extract(messageTrace, TRACE, [ROW, rowWith({ 1: '<>', 3: '', 4: '', 5: '', 6: '' })]);
    const { words } = observations[1];
    expect([words[SENDER_LO], words[SENDER_HI], words[MESSAGE_ID_LO], words[MESSAGE_ID_HI]]).toEqual([0, 0, 0, 0]);
    expect([words[SUBJECT], words[SOURCE]]).toEqual([0, 0]);
    expect(words[FLAGS] >>> RANK_SENDER_SHIFT).toBe(0);
  });

  it('is one message whether its id has dashes or not', () => {
    const id = 'CF7A249A-5EDD-4350-130A-08DA8F69E0F6';
    const { observations } = extract(messageTrace, TRACE, [
      rowWith({ 7: id }),
      rowWith({ 7: id.toLowerCase().replaceAll('-', '') }),
      rowWith({ 7: `${id.slice(0, -1)}7` }),
    ]);
    const keys = observations.map(({ words }) => `${words[MESSAGE_LO]} ${words[MESSAGE_HI]}`);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[0]).not.toBe(keys[2]);
  });

  it('without a trace id is told by Message-ID, sender and second together', () => {
    const { observations } = extract(messageTrace, TRACE, [
      rowWith({ 7: '' }),
      rowWith({ 7: '', 0: '2026-09-05T18:10:13.999Z', 6: 'm@b' }),
      rowWith({ 7: '', 0: '2026-09-05T18:10:14Z' }),
      rowWith({ 7: '', 1: 'x@b.example' }),
      rowWith({ 7: '', 6: '<n@b>' }),
    ]);
    const keys = observations.map(({ words }) => `${words[MESSAGE_LO]} ${words[MESSAGE_HI]}`);
    expect(keys[1]).toBe(keys[0]);
    expect(new Set(keys).size).toBe(4);
  });
});

describe('sources', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    [' 192.0.2.1 ', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['fe80::1%3', 'fe80::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['192.0.2.256', ''],
    ['192.0.2', ''],
    ['192.0.02.1', ''],
    ['192.0.2.1.5', ''],
    ['3221225985', ''],
    ['unknown', ''],
    ['1', ''],
    [':'.repeat(100), ''],
  ])('%s is %s', (text, expected) => {
    const { observations, context } = extract(messageTrace, TRACE, [rowWith({ 5: text })]);
    expect(context.sources.text(observations[0].words[SOURCE])).toBe(expected);
    expect(((observations[0].words[FLAGS] >>> RANK_SOURCE_SHIFT) & 7) > 0).toBe(expected !== '');
  });
});

describe('time', () => {
  it.each([
    ['2026-09-05T17:59:59.999Z', 'out'],
    ['2026-09-05T18:00:00.000Z', 'in'],
    ['2026-09-05T18:59:59.999Z', 'in'],
    ['2026-09-05T19:00:00.000Z', 'out'],
  ])('%s is %s of the half-open range', (time, expected) => {
    const since = Date.UTC(2026, 8, 5, 18);
    const result = extract(messageTrace, TRACE, [rowWith({ 0: time })], { since, until: since + HOUR });
    expect(result.observations).toHaveLength(expected === 'in' ? 1 : 0);
    expect(result.drops).toEqual(expected === 'in' ? [] : ['out_of_range']);
  });

  it.each([
    [NOW_MS + 24 * HOUR, undefined],
    [NOW_MS + 24 * HOUR + 1, 'future_time'],
    [Date.UTC(2000, 0, 1), undefined],
    [Date.UTC(2000, 0, 1) - 1, 'past_time'],
  ])('%s: %s', (ms, code) => {
    const { letters } = extract(messageTrace, TRACE, [rowWith({ 0: new Date(ms).toISOString() })]);
    expect(letters[0]?.code).toBe(code);
  });

  it('out of the range counts every recipient of a record', () => {
    const cell = 'a@b.example##Send;c@d.example##Fail;;';
    const row = ['2026-09-05T18:10:13Z', 'x@y.example', cell, '<m@b>', 'cf7a'];
    const result = extract(enhancedSummary, SUMMARY, [row, rowLike(row, { 2: '' })], { since: NOW_MS });
    expect(result.drops).toEqual(['out_of_range', 'out_of_range', 'out_of_range']);
    expect(result.extractor.firstMs).toBeNull();
  });
});

function rowLike(row: string[], changes: Record<number, string>): string[] {
  return row.map((cell, i) => changes[i] ?? cell);
}

describe('rows that cannot be used', () => {
  it.each([
    ['bad_time', { 0: 'yesterday' }],
    ['bad_time', { 0: '' }],
    ['bad_sender', { 1: 'Ann Smith' }],
    ['bad_recipient', { 2: '' }],
    ['bad_recipient', { 2: 'nobody' }],
    ['bad_status', { 4: 'Bounced' }],
    ['no_identity', { 6: ' ', 7: '' }],
  ])('%s', (code, changes) => {
    const { letters, observations } = extract(messageTrace, TRACE, [rowWith(changes)]);
    expect(observations).toEqual([]);
    expect(letters).toMatchObject([{ code, offset: 5_000_000_000, length: 99, line: 2 }]);
    expect(letters[0].reason).not.toMatch(/\p{Cc}/u);
  });

  it('do not include the header in the middle of joined exports', () => {
    const { letters, drops } = extract(messageTrace, TRACE, [TRACE, TRACE.map((name) => name.toUpperCase())]);
    expect(letters).toEqual([]);
    expect(drops).toEqual(['repeated_header', 'repeated_header']);
  });

  it('lose only the recipient that is wrong', () => {
    const cell = 'a@b.example##Send;nobody##Fail;c@d.example##Send';
    const { letters, observations } = extract(enhancedSummary, SUMMARY, [
      ['2026-09-05T18:10:13Z', 'x@y.example', cell, '<m@b>', 'cf7a'],
    ]);
    expect(observations).toHaveLength(2);
    expect(letters.map(({ code }) => code)).toEqual(['bad_recipient']);
  });
});

describe('the organisation', () => {
  it('is collected once, ids apart from names', () => {
    const columns = [...TRACE, 'Organization'];
    const names = ['contoso.onmicrosoft.com', 'Contoso.onmicrosoft.com', '39238e87-b5ab-4ef6-a559-af54c6b07b42', ''];
    const { context } = extract(
      messageTrace,
      columns,
      [...names, ...names].map((name) => [...ROW, name]),
    );
    expect(context.organizations).toEqual({
      names: ['contoso.onmicrosoft.com'],
      ids: ['39238e87-b5ab-4ef6-a559-af54c6b07b42'],
    });
  });
});

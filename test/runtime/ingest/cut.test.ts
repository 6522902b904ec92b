import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENVELOPE_BYTES, ENVELOPE_ROWS, type Envelope, type RowsHeader } from '../../../src/core/envelope.ts';
import { decodeEnvelope, encodeEnvelope } from '../../../src/core/envelope-codec.ts';
import { MAX_RECORD_BYTES } from '../../../src/readers/reader.ts';
import type { CutBounds } from '../../../src/runtime/ingest/cut.ts';
import { FIXTURES, fixturesIn } from '../../formats/golden.ts';
import { cutPoints } from '../../readers/csv-documents.ts';
import { cutIntoEnvelopes, layoutOf, readEnvelopes, readWhole } from './cutting.ts';

const COLUMNS = ['Received', 'SenderAddress', 'RecipientAddress', 'Subject', 'Status', 'MessageTraceId'];
const HEADER = `${COLUMNS.join(',')}\n`;
const ROW = '2026-09-05T18:00:00Z,a@b.example,c@d.example,x,Delivered,0000001';
const headerOf = (envelope: Envelope) => envelope.header as RowsHeader;

/** Everything that must hold of the envelopes of a document; their number. */
function expectCut(document: Uint8Array, cuts: readonly number[], bounds?: CutBounds, note = ''): number {
  const layout = layoutOf(document);
  if (layout === null) return 0;
  const envelopes = cutIntoEnvelopes(document, layout, cuts, bounds);
  const whole = readWhole(document, layout);
  expect(readEnvelopes(envelopes), note).toEqual(whole);
  const counts = envelopes.map((envelope) => headerOf(envelope).records);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(whole.records.length + whole.letters.length);
  if (envelopes.length > 0) {
    const [first] = envelopes;
    expect(headerOf(first).offset).toBe(layout.dataOffset);
    const joined = Buffer.concat(envelopes.map(({ payload }) => payload));
    expect(joined.equals(document.subarray(layout.dataOffset)), note).toBe(true);
  }
  expect(cutIntoEnvelopes(document, layout, [], bounds)).toEqual(envelopes);
  return envelopes.length;
}

function encodings(text: string): Buffer[] {
  const utf16 = Buffer.from(`\ufeff${text}`, 'utf16le');
  return [Buffer.from(text), Buffer.from(`\ufeff${text}`), utf16, Buffer.from(utf16).swap16()];
}

describe('cutting', () => {
  const seed = Math.floor(Math.random() * 1e9);
  const bounds = fc.record({
    rows: fc.integer({ min: 1, max: 5 }),
    bytes: fc.integer({ min: 1, max: 2000 }),
    gapBytes: fc.constant(65_536),
  });

  it.each(['message-trace', 'enhanced-summary', 'refused'].flatMap(fixturesIn))('%s', (name) => {
    const document = readFileSync(join(FIXTURES, name));
    for (let rows = 1; rows <= 4; rows++) expectCut(document, [rows * 70], { rows, bytes: 300, gapBytes: 65_536 });
  });

  it('gives the records, positions and refusals of the whole export, whatever is in it', () => {
    const row = fc.constant(`${ROW}\n`);
    const part = fc.constantFrom('"', '""', ',', 'é😀', '\n', '\r\n', '",', ',"', '"\n', `"a\n",`, ' ', '\u2028');
    const piece = fc.oneof(
      { weight: 3, arbitrary: row },
      { weight: 2, arbitrary: fc.array(part, { maxLength: 12, size: 'max' }).map((parts) => parts.join('')) },
      { weight: 1, arbitrary: fc.constantFrom(`a,"x\ny",,,,"z""z"\r\n`, 'a,b,"c\n', ',,,,,\n', '\n\n', '#TYPE x\n') },
    );
    const body = fc.array(piece, { maxLength: 30, size: 'max' });
    let envelopes = 0;
    fc.assert(
      fc.property(body, fc.nat(3), bounds, cutPoints(), (parts, encoding, limits, cuts) => {
        const document = encodings(HEADER + parts.join(''))[encoding];
        envelopes += expectCut(document, cuts(document), limits, `seed ${seed}`);
      }),
      { seed, numRuns: 1500 },
    );
    expect(envelopes).toBeGreaterThan(1500);
  });

  it('gives those of JSON in every shape, whole or broken', () => {
    const element = JSON.stringify(Object.fromEntries(COLUMNS.map((name) => [name, 'x'])));
    const part = fc.constantFrom(
      element,
      element,
      `${element},`,
      `${element}\n`,
      ',',
      '\n',
      '{"value":[',
      '],"odata.nextLink":"[{"}',
      '{"d":{"results":[',
      '"d":{"results":[',
      ']}}',
      'null',
      '{"value":[{"Received":"y"}]}',
      '{"Received":"é",',
      '"',
      '}',
      ']',
      '{',
    );
    let envelopes = 0;
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 25, size: 'max' }),
        fc.constantFrom('', '[', '{"value":['),
        fc.nat(3),
        bounds,
        cutPoints(),
        (parts, opening, encoding, limits, cuts) => {
          const document = encodings(opening + element + parts.join(''))[encoding];
          envelopes += expectCut(document, cuts(document), limits, `seed ${seed}`);
        },
      ),
      { seed, numRuns: 1500 },
    );
    expect(envelopes).toBeGreaterThan(1500);
  });

  it('keeps bytes that are no UTF-8, and Windows code pages', () => {
    const broken = Buffer.concat([
      Buffer.from(HEADER + `${ROW}\n`.repeat(30_000)),
      Buffer.from([0xe4, 0x2c, 0xc3, 0x0a]),
      Buffer.from(ROW),
      Buffer.from([0xc3]),
    ]);
    expect(expectCut(broken, [100, 200])).toBeGreaterThan(50);
    const ansi = Buffer.from(HEADER + ROW.replace('x', 'Ärger, "q"').concat('\r\n').repeat(40), 'latin1');
    expect(expectCut(ansi, [100, 200], { rows: 3, bytes: 1000, gapBytes: 65_536 })).toBeGreaterThan(10);
  });

  it('makes envelopes of 500 rows, or 256 KiB, or one larger record', () => {
    const document = Buffer.from(HEADER + `${ROW}\n`.repeat(1_001));
    const layout = layoutOf(document);
    if (layout === null) throw new Error('no layout');
    const small = cutIntoEnvelopes(document, layout, []);
    expect(small.map((envelope) => headerOf(envelope).records)).toEqual([ENVELOPE_ROWS, ENVELOPE_ROWS, 1]);
    const long = ROW.replace(',x,', `,${'x'.repeat(100_000)},`);
    const huge = ROW.replace(',x,', `,${'x'.repeat(1_000_000)},`);
    const mixed = Buffer.from(`${HEADER}${`${long}\n`.repeat(5)}${huge}\n${ROW}\n`);
    expect(expectCut(mixed, [])).toBe(5);
    for (const { payload } of cutIntoEnvelopes(mixed, layout, [])) {
      expect(payload.length <= ENVELOPE_BYTES || payload.length === huge.length + 1).toBe(true);
    }
  });

  it('says of a line that is longer than any record what reading the export said, with its start', () => {
    const line = 'y'.repeat(3 * MAX_RECORD_BYTES);
    const document = Buffer.from(`${HEADER}${ROW}\n\n${line}\n${ROW}\n`);
    const layout = layoutOf(document);
    if (layout === null) throw new Error('no layout');
    const envelopes = cutIntoEnvelopes(document, layout, [1 << 20, 2 << 20]);
    expect(readEnvelopes(envelopes)).toEqual(readWhole(document, layout));
    expect(envelopes.map(({ payload }) => payload.length)).toEqual([ROW.length + 2, MAX_RECORD_BYTES, ROW.length + 1]);
    expect(headerOf(envelopes[1]).refusal).toMatchObject({ code: 'too_long', length: line.length, line: 4 });
  });

  it('says of a quote whose end was looked for further on what reading the export said', () => {
    const lost = ROW.replace(',x,', ',"x,');
    const document = Buffer.from(`${HEADER}${ROW}\n${lost}\n${`${ROW}\n`.repeat(20_000)}`);
    expect(expectCut(document, [])).toBe(43);
    const layout = layoutOf(document);
    if (layout === null) throw new Error('no layout');
    const refused = cutIntoEnvelopes(document, layout, [])
      .map(headerOf)
      .filter(({ refusal }) => refusal !== undefined);
    expect(refused).toMatchObject([{ records: 1, line: 3, refusal: { code: 'too_long', line: 3 } }]);
  });

  it('leaves out long stretches without records', () => {
    const blank = '\n'.repeat(3_000_000);
    const document = Buffer.from(`${HEADER}${blank}${ROW}\n${blank}${ROW}\n${blank}`);
    const layout = layoutOf(document);
    if (layout === null) throw new Error('no layout');
    const envelopes = cutIntoEnvelopes(document, layout, [1 << 20, 4 << 20]);
    expect(readEnvelopes(envelopes)).toEqual(readWhole(document, layout));
    expect(envelopes.map(({ payload }) => payload.length)).toEqual([ROW.length, ROW.length]);
  });

  it('survives the way through the log', () => {
    const document = Buffer.from(`{"value":[${JSON.stringify({ Received: 'x' })}`);
    expect(layoutOf(document)).toBeNull();
    const element = JSON.stringify(Object.fromEntries(COLUMNS.map((name) => [name, 'x'])));
    const wrapped = Buffer.from(`{"value":[${`${element},\n`.repeat(10)}"],"next":"{"}`);
    const layout = layoutOf(wrapped);
    if (layout === null) throw new Error('no layout');
    const envelopes = cutIntoEnvelopes(wrapped, layout, [], { rows: 3, bytes: 10_000, gapBytes: 65_536 });
    const decoded = envelopes.map((envelope) => {
      const { header, body } = encodeEnvelope(envelope);
      return decodeEnvelope(header, body);
    });
    expect(decoded.map(headerOf)).toEqual(envelopes.map(headerOf));
    expect(headerOf(decoded[1]).wrappers).toBe(1);
    expect(readEnvelopes(decoded)).toEqual(readWhole(wrapped, layout));
  });
});

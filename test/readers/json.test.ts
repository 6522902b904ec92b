import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../src/readers/encoding.ts';
import { createJsonReader, type JsonReader, readJsonKeys } from '../../src/readers/json.ts';
import { MAX_RECORD_BYTES } from '../../src/readers/reader.ts';
import { cutPoints } from './csv-documents.ts';
import { collectRecords, everyByte, type ReadResult } from './csv-reading.ts';

const OPTIONS = {
  columns: ['received', 'sender', 'size'],
  canonicalColumn: (key: string) => key.toLowerCase().replaceAll(/[^a-z0-9]/g, ''),
  startOffset: 0,
  startLine: 1,
  storedLength: (_bytes: Uint8Array, start: number, end: number) => end - start,
};

function readJson(document: Uint8Array, cuts: readonly number[] = []): ReadResult & { reader: JsonReader } {
  const { records, letters, handler } = collectRecords();
  const reader = createJsonReader(OPTIONS, handler);
  const edges = [0, ...cuts, document.length];
  for (let piece = 0; piece + 1 < edges.length; piece += 1) {
    const bytes = document.subarray(edges[piece], edges[piece + 1]);
    const buffer = new Uint8Array(bytes.length + 6).fill(0x7b);
    buffer.set(bytes, 3);
    reader.push(buffer, 3, 3 + bytes.length);
    buffer.fill(0x7b);
  }
  reader.finish();
  return { records, letters, reader };
}

interface JsonCase {
  name: string;
  text: string;
  /** The column `sender` of each record. */
  senders: string[];
  /** Code, line and bytes of each refused element. */
  refused?: [code: string, line: number, text: string][];
}

const A = '{"Received":"x","Sender":"a"}';
const B = '{"Received":"y","Sender":"b"}';
const PRETTY = [
  '[',
  '    {',
  '        "Received":  "\\/Date(1658751973240)\\/",',
  '        "Sender":  "a"',
  '    },',
  '    {',
  '        "Received":  "x",',
  '        "Sender":  "b"',
  '    }',
  ']',
  '',
].join('\r\n');

const CASES: JsonCase[] = [
  { name: 'nothing', text: '', senders: [] },
  {
    name: 'records of a diagnostic stream',
    text: `{"records":[{"time":"t","sender":"other","properties":${A}},{"properties":${B},"time":"t"}]}`,
    senders: ['a', 'b'],
  },
  {
    name: 'properties that are none',
    text: '{"Sender":"a","properties":null}{"Sender":"b","properties":[{"Sender":"x"}]}{"Sender":"c","properties":{}}',
    senders: ['a', 'b', 'c'],
  },
  { name: 'blanks', text: ' \r\n\t\n', senders: [] },
  { name: 'an empty array', text: '[]', senders: [] },
  { name: 'an empty array in an array', text: '[ [ ] ]\n', senders: [] },
  { name: 'an array', text: `[${A},${B}]`, senders: ['a', 'b'] },
  { name: 'an array with an element on each line', text: `[\n${A},\n${B}\n]\n`, senders: ['a', 'b'] },
  { name: 'an array as PowerShell writes it', text: PRETTY, senders: ['a', 'b'] },
  { name: 'one object', text: `${A}\r\n`, senders: ['a'] },
  { name: 'one object and no newline', text: A, senders: ['a'] },
  { name: 'an object per line', text: `${A}\n${B}\r\n\n`, senders: ['a', 'b'] },
  { name: 'objects one after the other', text: `${A}${B} ${A}`, senders: ['a', 'b', 'a'] },
  { name: 'arrays one after the other', text: `[${A}]\n[${B}]\n[]`, senders: ['a', 'b'] },
  { name: 'joined files with byte order marks', text: `[${A}]\n\ufeff[${B}]`, senders: ['a', 'b'] },
  {
    name: 'value',
    text: `{"@odata.context":"https://x/$metadata#y","value":[${A},${B}],"@odata.nextLink":"https://x?a=[{"}`,
    senders: ['a', 'b'],
  },
  {
    name: 'd and results',
    text: `{"d" : {"__count":"2","results" : [\n${A},\n${B}\n],"__next":"x"}}`,
    senders: ['a', 'b'],
  },
  { name: 'd alone', text: `{"d":[${A}]}`, senders: ['a'] },
  {
    name: 'records, one message on each line',
    text: `{"records":[${A},${B}]}\r\n{"records":[${A}]}\r\n`,
    senders: ['a', 'b', 'a'],
  },
  { name: 'an array of wrappers', text: `[{"records":[${A}]},{"records":[${B}]}]`, senders: ['a', 'b'] },
  {
    name: 'Results between other members',
    text: `{"Stats":{"x":[{"y":1}]},"Schema":[{"Name":"Sender"}],"Results":[${A}],"More":[{"Sender":"no"}],"n":{"Sender":"no"},"m":1}`,
    senders: ['a'],
  },
  {
    name: 'hits of a search',
    text: `{"took":1,"_shards":{"total":1},"hits":{"total":{"value":2},"hits":[{"_id":"1","_source":${A}},{"_source":${B}}]}}`,
    senders: ['a', 'b'],
  },
  { name: 'an empty wrapper', text: '{"value":[]}', senders: [] },
  {
    name: 'records that hold the names of wrappers',
    text: '{"value":[{"Sender":"a","value":[{"Sender":"no"}],"d":{"results":[1]}}]}',
    senders: ['a'],
  },
  {
    name: 'a record whose value is no array',
    text: '{"Sender":"a","value":"[","d":{"x":[{}]},"results":{"y":1}}',
    senders: ['a'],
  },
  {
    name: 'brackets and escapes in strings',
    text: '[{"Sender":"}]{[\\"\\\\"},{"Sender":"\\\\\\"},{"}]',
    senders: ['}]{["\\', '\\"},{'],
  },
  {
    name: 'emoji, right to left, escaped characters',
    text: '[{"Sender":"😀שלום"},{"Sender":"\\ud83d\\ude00\\u003c\\ud83d"}]',
    senders: ['😀שלום', '😀<\ufffd'],
  },
  { name: 'nulls', text: '[null, null,null]\nnull', senders: [] },
  {
    name: 'other elements',
    text: `[1,${A},"x",\n${B},[true]]`,
    senders: ['a', 'b'],
    refused: [
      ['malformed_json', 1, '1,'],
      ['malformed_json', 1, '"x",'],
      ['malformed_json', 2, 'true]]'],
    ],
  },
  { name: 'a cut null', text: '[nul', senders: [], refused: [['malformed_json', 1, 'nul']] },
  {
    name: 'an element that is no JSON',
    text: `[${A},{"Sender":},${B}]`,
    senders: ['a', 'b'],
    refused: [['malformed_json', 1, '{"Sender":}']],
  },
  {
    name: 'a line that is no JSON',
    text: `${A}\n{'Sender':'b'}\n${B}\n`,
    senders: ['a', 'b'],
    refused: [['malformed_json', 2, "{'Sender':'b'}"]],
  },
  {
    name: 'a line without a closing quote',
    text: `${A}\n{"Sender":"b}\n${B}\n`,
    senders: ['a', 'b'],
    refused: [['malformed_json', 2, '{"Sender":"b}']],
  },
  {
    name: 'a line without a closing brace',
    text: `${A}\n{"Sender":"b"\n${B}\n`,
    senders: ['a', 'b'],
    refused: [['malformed_json', 2, '{"Sender":"b"']],
  },
  {
    name: 'a line that is cut after a backslash',
    text: `{"Sender":"b\\\n${B}`,
    senders: ['b'],
    refused: [['malformed_json', 1, '{"Sender":"b\\']],
  },
  {
    name: 'a log line between',
    text: `${A}\nwarning: slow {"Sender":"no"}\n${B}`,
    senders: ['a', 'b'],
    refused: [['malformed_json', 2, 'warning: slow {"Sender":"no"}']],
  },
  {
    name: 'a missing quote inside an array',
    text: `[${A},{"Sender":"x},${B},${A}]`,
    senders: ['a', 'b', 'a'],
    refused: [['malformed_json', 1, '{"Sender":"x},']],
  },
  {
    name: 'a missing quote in an element of many lines',
    text: PRETTY.replace('"a"', '"a'),
    senders: ['b'],
    refused: [
      [
        'malformed_json',
        2,
        '{\r\n        "Received":  "\\/Date(1658751973240)\\/",\r\n        "Sender":  "a\r\n    },',
      ],
    ],
  },
  {
    name: 'a missing quote inside a wrapper',
    text: `{"value":[${A},{"Sender":"x},${B}],"n":"m"}`,
    senders: ['a', 'b'],
    refused: [['malformed_json', 1, '{"Sender":"x},']],
  },
  { name: 'a cut array', text: `[${A},\n${B},\n`, senders: ['a', 'b'] },
  {
    name: 'a cut last element',
    text: `[${A},\n{"Received":"y","Sen`,
    senders: ['a'],
    refused: [['cut_record', 2, '{"Received":"y","Sen']],
  },
  { name: 'a cut first element', text: '{"Received":1', senders: [], refused: [['cut_record', 1, '{"Received":1']] },
  { name: 'a cut member of a wrapper', text: `{"value":[${A}],"next":"htt`, senders: ['a'] },
  { name: 'closing brackets that nothing opened', text: `]}${A}}]}\n${B}`, senders: ['a', 'b'] },
];

describe('JSON reader', () => {
  for (const { name, text, senders, refused = [] } of CASES) {
    it(name, () => {
      const document = Buffer.from(text);
      const { records, letters } = readJson(document);
      const slice = ({ offset, length }: { offset: number; length: number }): string =>
        document.subarray(offset, offset + length).toString();
      const lineOf = (offset: number): number => document.subarray(0, offset).toString().split('\n').length;
      expect(records.map((record) => record.fields[1])).toEqual(senders);
      expect(letters.map((letter) => [letter.code, letter.line, slice(letter)])).toEqual(refused);
      for (const record of records) {
        // Alone, an object with an array of records would be a wrapper.
        if (slice(record).includes('"value":[')) continue;
        expect(readJson(Buffer.from(slice(record))).records.map(({ fields }) => fields)).toEqual([record.fields]);
        expect(record.line).toBe(lineOf(record.offset));
      }
      const byBytes = readJson(document, everyByte(document));
      expect(byBytes.records).toEqual(records);
      expect(byBytes.letters).toEqual(letters);
      for (const cut of everyByte(document)) {
        const cutOnce = readJson(document, [cut]);
        expect(cutOnce.records).toEqual(records);
        expect(cutOnce.letters).toEqual(letters);
      }
    });
  }

  it('writes values as CSV would show them', () => {
    const value = (json: string): string => readJson(Buffer.from(`{"Sender":${json}}`)).records[0].fields[1];
    expect(value('"text"')).toBe('text');
    expect(value('null')).toBe('');
    expect(value('1234567890123')).toBe('1234567890123');
    expect(value('-0.5')).toBe('-0.5');
    expect(value('true')).toBe('true');
    expect(value('false')).toBe('false');
    expect(value('{"value":"\\/Date(1658751973240)\\/","DateTime":"Monday, July 25"}')).toBe('/Date(1658751973240)/');
    expect(value('{"value":4,"Value":"Failed"}')).toBe('Failed');
    expect(value('{"value":1}')).toBe('1');
    expect(value('[1,"x",null]')).toBe('1;x;');
    expect(value('["a@b.example"]')).toBe('a@b.example');
    expect(value('[]')).toBe('');
    expect(value('[{"x":1},2]')).toBe('[{"x":1},2]');
    expect(value(`"${'\u00e4'.repeat(100_000)}"`)).toBe('ä'.repeat(100_000));
  });

  it('fits keys to columns by their canonical names, the first value counts', () => {
    const fields = (json: string): string[] => readJson(Buffer.from(json)).records[0].fields;
    expect(fields('{"SIZE":1,"other":2,"re_ceived":"x"}')).toEqual(['x', '', '1']);
    expect(fields('{"size":null,"Size":"","SIZE":3,"si ze":4}')).toEqual(['', '', '3']);
    expect(fields('{}')).toEqual(['', '', '']);
  });

  it('is not moved by keys of prototypes', () => {
    const hostile =
      '{"__proto__":{"Sender":"x","polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x"}';
    const { records, letters } = readJson(Buffer.from(hostile));
    expect(records.map((record) => record.fields)).toEqual([['', '', '']]);
    expect(letters).toEqual([]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(readJsonKeys(Buffer.from(hostile))).toEqual([
      '__proto__.Sender',
      '__proto__.polluted',
      'constructor.prototype.polluted',
      'toString',
    ]);
    const original = JSON.stringify(hostile);
    for (const wrapped of [`{"event.original":${original}}`, `{"_source":{"event":{"original":${original}}}}`]) {
      expect(readJson(Buffer.from(wrapped)).records.map(({ fields }) => fields)).toEqual([['', '', '']]);
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    }
    const named = { ...OPTIONS, columns: ['proto', 'constructor'] };
    const { records: own, handler } = collectRecords();
    const reader = createJsonReader(named, handler);
    reader.push(Buffer.from('{"__proto__":"a"}{}'), 0, 19);
    reader.finish();
    expect(own.map((record) => record.fields)).toEqual([
      ['a', ''],
      ['', ''],
    ]);
  });

  it('refuses what is deeper or longer than its bounds', () => {
    const deep = (levels: number): string => `{"x":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    const long = (bytes: number): string => `{"Sender":"${'x'.repeat(bytes - 13)}"}`;
    const document = Buffer.from(
      [deep(64), deep(65), A, long(MAX_RECORD_BYTES), long(MAX_RECORD_BYTES + 1), B].join('\n'),
    );
    const whole = readJson(document);
    expect(whole.records.map((record) => [record.line, record.length])).toEqual([
      [1, deep(64).length],
      [3, A.length],
      [4, MAX_RECORD_BYTES],
      [6, B.length],
    ]);
    expect(whole.letters.map(({ code, line, length }) => [code, line, length])).toEqual([
      ['malformed_json', 2, deep(65).length],
      ['too_long', 5, MAX_RECORD_BYTES + 1],
    ]);
    const cuts = Array.from({ length: Math.floor(document.length / 70_001) }, (_, index) => (index + 1) * 70_001);
    const cut = readJson(document, cuts);
    expect(cut.records).toEqual(whole.records);
    expect(cut.letters).toEqual(whole.letters);
  });

  it('knows the key of a wrapper when its buffer moves between key and array', () => {
    const before = `${A}\n{"pad":"","value"`;
    for (const length of [65_536, 131_072, 262_144]) {
      const pad = 'x'.repeat(length - before.length);
      const { records } = readJson(Buffer.from(`${before.replace('""', `"${pad}"`)}:[${B}]}`));
      expect(records.map((record) => record.fields[1])).toEqual(['a', 'b']);
    }
  });

  it('counts bytes as stored', () => {
    const text = `[\r\n{"Sender":"😀ä"},\r\n{"Sender":"שלום"},{"Sender":"x}\r\n,${A}]`;
    const stored = Buffer.from(`\ufeff${text}`, 'utf16le');
    for (const pushBytes of [1, 2, 3, 5, 7, 1_000]) {
      const { records, letters, handler } = collectRecords();
      const decoder = createDecoder('utf-16le', { skipBytes: 2 });
      const options = { ...OPTIONS, startOffset: 2, startLine: 3, storedLength: decoder.storedLength };
      const reader = createJsonReader(options, handler);
      for (let at = 0; at < stored.length; at += pushBytes) {
        const decoded = decoder.decode(stored.subarray(at, at + pushBytes));
        reader.push(decoded, 0, decoded.length);
      }
      reader.finish();
      const slices = [...records, ...letters].map(({ offset, length, line }) => [
        line,
        stored.subarray(offset, offset + length).toString('utf16le'),
      ]);
      expect(slices).toEqual([
        [4, '{"Sender":"😀ä"}'],
        [5, '{"Sender":"שלום"}'],
        [6, A],
        [5, '{"Sender":"x}\r\n,'],
      ]);
    }
  });

  it('reads the same however it is cut, and every object of what JSON.stringify wrote', () => {
    const seed = Math.floor(Math.random() * 1e9);
    const rows = fc.array(
      fc.record({ Received: fc.string({ unit: 'grapheme' }), Sender: fc.json(), Size: fc.integer() }),
    );
    const shapes: ((rows: unknown[]) => string)[] = [
      (list) => JSON.stringify(list),
      (list) => JSON.stringify(list, null, 2),
      (list) => list.map((row) => JSON.stringify(row)).join('\n'),
      (list) => list.map((row) => JSON.stringify(row, null, 1)).join(''),
      (list) => JSON.stringify({ context: 'x', value: list, nextLink: '[{"' }),
      (list) => JSON.stringify({ d: { results: list } }, null, '\t'),
    ];
    fc.assert(
      fc.property(rows, fc.constantFrom(...shapes), cutPoints(), (list, shape, cuts) => {
        const document = Buffer.from(shape(list));
        const { records, letters } = readJson(document, cuts(document));
        expect(letters, `seed ${seed}`).toEqual([]);
        expect(records.map((record) => record.fields)).toEqual(
          list.map((row) => [
            Buffer.from(row.Received).toString(),
            Buffer.from(row.Sender).toString(),
            String(row.Size),
          ]),
        );
      }),
      { seed, numRuns: 500 },
    );
  });

  it('reads any mixture of tokens the same however it is cut, and loses nothing', () => {
    const seed = Math.floor(Math.random() * 1e9);
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '"Sender":',
      '"value":[',
      '\\',
      '\n',
      ' ',
      '1',
      'null',
      A,
      'ä',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 40, size: 'max' }), cutPoints(), (tokens, cuts) => {
        const document = Buffer.from(tokens.join(''));
        const whole = readJson(document);
        for (const cut of [readJson(document, everyByte(document)), readJson(document, cuts(document))]) {
          expect(cut.records, `seed ${seed}`).toEqual(whole.records);
          expect(cut.letters).toEqual(whole.letters);
        }
        let at = 0;
        for (const { offset, length } of [...whole.records, ...whole.letters].sort(
          (left, right) => left.offset - right.offset,
        )) {
          expect(offset).toBeGreaterThanOrEqual(at);
          at = offset + length;
        }
        expect(at).toBeLessThanOrEqual(document.length);
      }),
      { seed, numRuns: 1_500 },
    );
  });

  it('reads a bounded number of bytes again, whatever the file holds', () => {
    const hostile = [
      '{',
      '{"',
      '{"a":1\n',
      '{"a\n',
      '{"a":[,{',
      '},{{"',
      '{\n',
      ',{"x',
      '{"a":1,\n{"b":[{"c"',
      '[{"a":"b},',
    ];
    for (const unit of hostile) {
      const document = Buffer.from(unit.repeat(Math.ceil((3 * MAX_RECORD_BYTES) / unit.length)));
      const cuts = Array.from({ length: Math.floor(document.length / 100_000) }, (_, index) => (index + 1) * 100_000);
      const { reader } = readJson(document, cuts);
      expect(reader.rescannedBytes, unit).toBeLessThanOrEqual(document.length + 2 * MAX_RECORD_BYTES);
    }
  });

  it('loses one line to a stray brace, and reads at most the longest record again', () => {
    const lines = Array.from({ length: 60_000 }, () => A);
    lines[10] = '{"Sender":"x"';
    const { records, letters, reader } = readJson(Buffer.from(lines.join('\n')));
    expect(records.length).toBe(59_999);
    expect(letters.map(({ code, line, length }) => [code, line, length])).toEqual([['too_long', 11, 13]]);
    expect(reader.rescannedBytes).toBeLessThanOrEqual(MAX_RECORD_BYTES);
  });
});

describe('readJsonKeys', () => {
  it('lists the keys of the first records in order', () => {
    expect(readJsonKeys(Buffer.from(`\ufeff \n[${A},{"Size":1,"Sender":2}`))).toEqual(['Received', 'Sender', 'Size']);
    expect(readJsonKeys(Buffer.from(`{"x":1,"value":[${A},{"Rec`))).toEqual(['Received', 'Sender']);
    expect(readJsonKeys(Buffer.from('[]'))).toEqual([]);
    expect(readJsonKeys(Buffer.from(`{"time":1,"properties":${A}}`))).toEqual(['Received', 'Sender', 'time']);
    expect(readJsonKeys(Buffer.from(`${A}\n`.repeat(100_000)))).toEqual(['Received', 'Sender']);
  });

  it('says when a file is no JSON', () => {
    expect(readJsonKeys(Buffer.from('Received,Sender\n'))).toBeNull();
    expect(readJsonKeys(Buffer.from('  '))).toBeNull();
    expect(readJsonKeys(new Uint8Array(0))).toBeNull();
  });
});

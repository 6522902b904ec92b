import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEAD_LETTERS } from '../../../src/core/outcome.ts';
import { writeReplay } from '../../../src/runtime/dead-letters/replay.ts';
import { letterOfDocument, letterOfLine, type StoredLetter } from '../../../src/runtime/dead-letters/stored-letter.ts';
import { deadEntryWrite, deadLetterWrite } from '../../../src/runtime/detect/dead-letters.ts';
import { rowsHeader } from './letters.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-replay-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function* from(letters: readonly (StoredLetter | null)[]) {
  for (const letter of letters) if (letter !== null) yield letter;
}

const fields = { code: 'bad_time', reason: 'no time', file: '/exports/trace.csv', offset: 9, length: 7, line: 2 };
const line = (more: object) => letterOfLine(JSON.stringify({ ...fields, ...more }), 3);

/** A letter of the service: the row, as it was stored, in an export of this layout. */
function ofService(
  row: Buffer,
  layout: Parameters<typeof rowsHeader>[1] = {},
  tenant = 'contoso',
): StoredLetter | null {
  const letter = { code: 'bad_time', reason: 'no time', offset: 100, length: row.length, line: 7 } as const;
  const { id, document } = deadLetterWrite(rowsHeader({ tenant, offset: 100 }, layout), row, letter, 0);
  return letterOfDocument(id, document);
}

describe('a line', () => {
  test('of --dead-letters, as text and in base64', () => {
    expect(line({ original: 'never,x', header: 'a,b\r\n' })).toMatchObject({
      id: '3',
      tenant: '',
      original: Buffer.from('never,x'),
      header: Buffer.from('a,b\r\n'),
      isCut: false,
    });
    const encoded = Buffer.from('never,x').toString('base64');
    expect(line({ original_base64: encoded })).toMatchObject({ original: Buffer.from('never,x'), header: null });
    expect(line({ original: 'mended', is_cut: true })?.isCut).toBe(true);
    // Mended text may be shorter; bytes that are fewer than the row had were cut.
    expect(line({ original: 'x' })?.isCut).toBe(false);
    expect(line({ original_base64: '' })?.isCut).toBe(true);
  });

  test('of the folder of findings', () => {
    const { id, document } = deadLetterWrite(
      rowsHeader(),
      Buffer.from('never,x\n'),
      { code: 'bad_time', reason: 'no time', offset: 0, length: 8, line: 1 },
      0,
    );
    expect(letterOfLine(JSON.stringify({ _id: id, ...document }), 1)).toEqual(letterOfDocument(id, document));
  });

  test.each([
    '',
    '{',
    '[]',
    'null',
    '5',
    '{"code":"bad_time"}',
    '{"code":"toString","original":"x"}',
    '{"relaywatch":{}}',
  ])('%j is none', (text) => {
    expect(letterOfLine(text, 1)).toBeNull();
  });
});

describe('replay', () => {
  test.each([
    ['utf-8', 'utf8', '"Received","SenderAddress"\r\n', 44],
    ['utf-16le', 'utf16le', '\ufeff"Received","SenderAddress"\r\n', 44],
    ['utf-16be', 'utf16be', '\ufeff"Received";"SenderAddress"\r\n', 59],
    ['windows-1252', 'latin1', '"Received"\t"SenderAddress"\r\n', 9],
  ])('of the service in %s: header and row, byte by byte', async (encoding, coding, header, delimiter) => {
    const encode = (text: string) =>
      coding === 'utf16be' ? Buffer.from(text, 'utf16le').swap16() : Buffer.from(text, coding as BufferEncoding);
    const row = encode('never,Grün');
    const letters = [ofService(row, { encoding, delimiter }), ofService(encode('b,c\n'), { encoding, delimiter })];
    const { exports, left } = await writeReplay(from(letters), () => folder);
    expect(left.size).toBe(0);
    expect(exports).toEqual([{ path: path.join(folder, 'replay-1-trace.csv'), tenant: 'contoso', rows: 2 }]);
    expect(readFileSync(exports[0].path)).toEqual(Buffer.concat([encode(header), row, encode('\n'), encode('b,c\n')]));
  });

  test('an export for each file, tenant and header, in the folder of the tenant', async () => {
    const letters = [
      line({ original: 'a', header: 'h1\n' }),
      line({ original: 'b', header: 'h2\n' }),
      line({ original: 'c', header: 'h1\n' }),
      line({ original: '{"a":1}', file: '../../..\\other.json' }),
      ofService(Buffer.from('d'), {}, 'fabrikam'),
      ofService(Buffer.from('{"d":1}'), { shape: 'json', delimiter: 0 }),
    ];
    const { exports } = await writeReplay(from(letters), (tenant) => path.join(folder, tenant));
    expect(exports.map(({ path: name, rows }) => [path.relative(folder, name), rows])).toEqual([
      ['replay-1-trace.csv', 2],
      ['replay-2-trace.csv', 1],
      ['replay-3-other.ndjson', 1],
      [path.join('fabrikam', 'replay-4-trace.csv'), 1],
      [path.join('contoso', 'replay-5-trace.ndjson'), 1],
    ]);
    expect(readFileSync(exports[0].path, 'utf8')).toBe('h1\na\nc\n');
  });

  test('what cannot be replayed is left, and counted by what is in the way', async () => {
    const entry = { offset: 5, bytes: Buffer.from('x'), appendedMs: 0, envelope: null, problem: 'none' };
    const { id, document } = deadEntryWrite('bad_envelope', 'no envelope', 2, entry);
    const long = Buffer.alloc(40_000, 0x61);
    const letters = [
      letterOfDocument(id, document),
      ofService(long),
      line({ original: '<xml/>' }),
      line({ original: '' }),
    ];
    const { exports, left } = await writeReplay(from(letters), () => folder);
    expect(exports).toEqual([]);
    expect([...left]).toEqual([
      [`bad_envelope: ${DEAD_LETTERS.bad_envelope.action}`, 1],
      ['longer than what was kept: read the file itself again', 1],
      ['without a header: read the file itself again', 2],
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('names of files lead nowhere else', async () => {
    const names = ['/etc/passwd', '..', '.hidden.csv', 'a\u0000b/c:d*.csv', '\ud800.csv', `${'x'.repeat(300)}.csv`, ''];
    const letters = names.map((file) => line({ original: 'a', header: 'h\n', file }));
    const { exports } = await writeReplay(from(letters), () => folder);
    expect(new Set(exports.map(({ path: name }) => path.dirname(name)))).toEqual(new Set([folder]));
    expect(readdirSync(folder)).toHaveLength(names.length);
  });
});

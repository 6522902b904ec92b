import { describe, expect, it } from 'vitest';
import {
  isJson,
  isTrue,
  jsonElements,
  quoted,
  referenceTable,
  referenceText,
  rowOf,
  TYPE_NAME,
  tableRows,
} from '../../src/config/reference-rows.ts';
import { RelaywatchError } from '../../src/core/outcome.ts';

const refuse = (what: string): RelaywatchError => new RelaywatchError({ code: 'test', message: what, hint: '' });
const elements = (text: string): unknown[] => jsonElements(text, refuse);
const rows = async (text: string): Promise<object[]> =>
  (await tableRows(referenceTable(text, refuse), refuse)).map((row) => Object.fromEntries(row));

describe('reference exports', () => {
  it('are read in any encoding', () => {
    for (const encoding of ['utf8', 'utf16le'] as const) {
      expect(referenceText(Buffer.from('\ufeff[{"Name":"ä"}]', encoding), refuse)).toBe('[{"Name":"ä"}]');
    }
    expect(() => referenceText(Buffer.from(' \r\n'), refuse)).toThrow('it is empty');
    expect(() => referenceText(Buffer.from([0x50, 0x4b, 3, 4, 0, 0, 0, 0]), refuse)).toThrow('zip archive');
    expect(() => referenceText(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), refuse)).toThrow('compressed');
  });

  it('as JSON are an array, the value of a page, or one object', () => {
    expect(elements('[{"a":1},null]')).toEqual([{ a: 1 }]);
    expect(elements('{"value":[{"a":1}]}')).toEqual([{ a: 1 }]);
    expect(elements('{"a":1}')).toEqual([{ a: 1 }]);
    expect(elements('[null]')).toEqual([]);
    expect(() => elements('[{')).toThrow('its JSON is broken');
    expect(isJson(' \n[')).toBe(true);
    expect(isJson('a,b')).toBe(false);
    expect(Object.fromEntries(rowOf({ 'When Created': 1, __proto__x: 2 }, refuse))).toEqual({
      whencreated: 1,
      protox: 2,
    });
    expect(() => rowOf(7, refuse)).toThrow('holds no objects');
  });

  it('as tables have a header, whatever stands before it', async () => {
    const text = '#TYPE x\r\nsep=;\r\n\r\n"Domain Name";"Default"\r\n"a;b";"True"\r\n"c"\r\n';
    expect(await rows(text)).toEqual([
      { domainname: 'a;b', default: 'True' },
      { domainname: 'c', default: '' },
    ]);
    expect(await rows('a,b\n')).toEqual([{ a: null, b: null }]);
    await expect(rows('a,b\n"x,y\n')).rejects.toThrow('its CSV is broken');
    await expect(rows('# nothing\n')).rejects.toThrow('nothing but comments');
    await expect(rows('Name Type\n---- ----\nx    y\n')).rejects.toThrow('Format-Table');
    await expect(rows('#Software: Microsoft Exchange Server\n')).rejects.toThrow('tracking log');
  });

  it('have values that say yes, names of types, and texts for messages', () => {
    expect([true, 'True', ' TRUE ', 'False', 1, null].map(isTrue)).toEqual([true, true, true, false, false, false]);
    expect(TYPE_NAME.test('System.String[]')).toBe(true);
    expect(TYPE_NAME.test('Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]')).toBe(true);
    expect(TYPE_NAME.test('System.contoso.example relay')).toBe(false);
    expect(quoted(` a\n b ${'x'.repeat(80)}`)).toBe(`"a b ${'x'.repeat(53)}..."`);
  });
});

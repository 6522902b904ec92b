import { describe, expect, it } from 'vitest';
import { hasSemicolon, isList, isTypeName, listPart, splitList } from '../../src/formats/recipient-list.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function parts(text: string): string[] {
  const list = bytes(text);
  const found: string[] = [];
  for (let from = 0; from < list.length; from = listPart.next) {
    splitList(list, from, list.length, hasSemicolon(list, 0, list.length));
    if (listPart.start < listPart.end)
      found.push(new TextDecoder().decode(list.subarray(listPart.start, listPart.end)));
  }
  return found;
}

describe('lists of recipients', () => {
  it.each([
    ['ann@a.example;bob@b.example', ['ann@a.example', 'bob@b.example']],
    ['; ann@a.example ;; bob@b.example;', ['ann@a.example', 'bob@b.example']],
    ['{ann@a.example, bob@b.example}', ['ann@a.example', 'bob@b.example']],
    ['ann@a.example|bob@b.example', ['ann@a.example', 'bob@b.example']],
    ['ann@a.example bob@b.example', ['ann@a.example', 'bob@b.example']],
    ['"a;b"@a.example;c@b.example', ['"a;b"@a.example', 'c@b.example']],
    ['"a\\";b"@a.example', ['"a\\";b"@a.example']],
    ['', []],
    [';,;', [',']],
  ])('%s', (text, expected) => {
    expect(parts(text)).toEqual(expected);
  });

  it('are told from one address', () => {
    const told = (text: string): boolean => isList(bytes(text), 0, bytes(text).length);
    expect(['a@b.example;c@d.example', 'a@b.example, c@d.example', 'a@b.example;'].map(told)).toEqual([
      true,
      true,
      true,
    ]);
    expect(['', 'a@b.example', '"a;b@c"@d.example', 'x;y@b.example', 'nobody'].map(told)).toEqual(Array(5).fill(false));
    expect(isList(bytes('a@b.example,c@d.example'), 0, 11)).toBe(false);
  });

  it('that nobody joined have the name of a type', () => {
    const told = (text: string): boolean => isTypeName(bytes(text), 0, bytes(text).length);
    expect(told('System.String[]')).toBe(true);
    expect(told('Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]')).toBe(true);
    expect(told('system@contoso.example')).toBe(false);
  });
});

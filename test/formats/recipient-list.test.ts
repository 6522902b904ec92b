import { describe, expect, it } from 'vitest';
import { hasSemicolon, isTypeName, listPart, splitList } from '../../src/formats/recipient-list.ts';

function split(text: string): string[] {
  const bytes = new TextEncoder().encode(text);
  const bySemicolon = hasSemicolon(bytes, 0, bytes.length);
  const parts: string[] = [];
  for (let from = 0; from < bytes.length; from = listPart.next) {
    splitList(bytes, from, bytes.length, bySemicolon);
    if (listPart.start < listPart.end)
      parts.push(new TextDecoder().decode(bytes.subarray(listPart.start, listPart.end)));
  }
  return parts;
}

describe('lists of recipients', () => {
  it.each([
    ['a@x.example', ['a@x.example']],
    ['a@x.example;b@y.example', ['a@x.example', 'b@y.example']],
    ['a@x.example; b@y.example ;', ['a@x.example', 'b@y.example']],
    [';;a@x.example', ['a@x.example']],
    ['a@x.example, b@y.example', ['a@x.example', 'b@y.example']],
    ['a@x.example b@y.example', ['a@x.example', 'b@y.example']],
    ['a@x.example|b@y.example', ['a@x.example', 'b@y.example']],
    ['a@x.example\r\nb@y.example', ['a@x.example', 'b@y.example']],
    ['{a@x.example, b@y.example}', ['a@x.example', 'b@y.example']],
    ['"a;b, c"@x.example;b@y.example', ['"a;b, c"@x.example', 'b@y.example']],
    ['"a, b"@x.example', ['"a, b"@x.example']],
    ['/o=First Org/cn=x, y;b@y.example', ['/o=First Org/cn=x, y', 'b@y.example']],
    ['', []],
    [' ; ', []],
    ['"', ['"']],
  ])('%s', (text, parts) => {
    expect(split(text)).toEqual(parts);
  });

  it.each([
    ['System.String[]', true],
    ['System.Object[]', true],
    ['System.Collections.ArrayList', true],
    ['Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]', true],
    ['system@contoso.com', false],
    ['System.String[];a@x.example', false],
    ['', false],
  ])('%s is a type: %s', (text, expected) => {
    const bytes = new TextEncoder().encode(text);
    expect(isTypeName(bytes, 0, bytes.length)).toBe(expected);
  });
});

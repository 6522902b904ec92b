import { describe, expect, it } from 'vitest';
import { readDialect } from '../../src/readers/dialect.ts';

const NAMES = ['Received', 'Sender', 'Size'];

describe('readDialect', () => {
  const cases: [name: string, head: string, delimiter: string, header: string[], rest: string, line: number][] = [
    ['commas', 'Received,Sender,Size\r\n1,2,3\r\n', ',', NAMES, '1,2,3\r\n', 2],
    ['semicolons', 'Received;Sender;Size\n1;2;3\n', ';', NAMES, '1;2;3\n', 2],
    ['tabs', 'Received\tSender\tSize\n', '\t', NAMES, '', 2],
    ['quoted names', '"Received","Sender","Size"\r\n"1","2","3"', ',', NAMES, '"1","2","3"', 2],
    [
      'quoted names with other delimiters inside',
      '"Received, UTC";"Sender, P1";"a,b,c,d"\n1',
      ';',
      ['Received, UTC', 'Sender, P1', 'a,b,c,d'],
      '1',
      2,
    ],
    ['a name in two lines', '"Received\r\n(UTC)",Sender\r\n1,2', ',', ['Received\r\n(UTC)', 'Sender'], '1,2', 3],
    ['a name with quotes', '"a ""b""",c\n1', ',', ['a "b"', 'c'], '1', 2],
    [
      'a #TYPE line',
      '#TYPE Deserialized.Microsoft.Exchange, x\r\n"Received","Sender"\r\n1',
      ',',
      ['Received', 'Sender'],
      '1',
      3,
    ],
    ['a quoted #TYPE line', '"#TYPE System.Object"\n"Received";"Sender"\n1', ';', ['Received', 'Sender'], '1', 3],
    ['a sep= line', 'sep=;\r\nReceived;a,b,c\r\n1', ';', ['Received', 'a,b,c'], '1', 3],
    ['a quoted sep= line for tabs', '"sep=\t"\nReceived\ta,b,c\n1', '\t', ['Received', 'a,b,c'], '1', 3],
    ['blank lines', '\r\n \n,,,\nReceived,Sender\n\n1', ',', ['Received', 'Sender'], '\n1', 5],
    ['everything at once', '\n#TYPE x\nsep=;\n\n"a";b\n1', ';', ['a', 'b'], '1', 6],
    ['one column', 'domain\ncontoso.com\n', ',', ['domain'], 'contoso.com\n', 2],
    ['a header alone', 'Received,Sender', ',', ['Received', 'Sender'], '', 1],
    ['a trailing delimiter', 'Received,Sender,\n1,2,\n', ',', ['Received', 'Sender', ''], '1,2,\n', 2],
    ['other alphabets', 'Größe;Absender\u200b\n1', ';', ['Größe', 'Absender\u200b'], '1', 2],
  ];
  for (const [name, text, delimiter, header, rest, line] of cases) {
    it(name, () => {
      const head = Buffer.from(text);
      const before = head.toString('hex');
      const dialect = readDialect(head);
      expect(dialect).toEqual({
        delimiter: delimiter.charCodeAt(0),
        header,
        dataStart: head.length - Buffer.byteLength(rest),
        dataLine: line,
      });
      expect(head.toString('hex')).toBe(before);
    });
  }

  it('finds no header in nothing, in preambles alone, and in what is no CSV', () => {
    expect(readDialect(new Uint8Array(0))).toBeNull();
    expect(readDialect(Buffer.from('\r\n\n'))).toBeNull();
    expect(readDialect(Buffer.from('#TYPE x\r\n'))).toBeNull();
    expect(readDialect(Buffer.from('"a"b\nc,d\n'))).toBeNull();
    expect(readDialect(Buffer.from('x,'.repeat(100_000)))).toBeNull();
  });
});

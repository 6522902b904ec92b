import { describe, expect, it } from 'vitest';
import { readXmlValues } from '../../src/readers/xml-values.ts';

const read = (inside: string): [string, string][] => readXmlValues(`<m:properties>${inside}</m:properties>`);

describe('values of an element', () => {
  it('have the names of elements without prefixes', () => {
    expect(read('<d:A m:type="Edm.Int32">1</d:A><B>2</B >\n<d:C m:null="true" /><D/>')).toEqual([
      ['A', '1'],
      ['B', '2'],
      ['C', ''],
      ['D', ''],
    ]);
    expect(read('<d:A><d:B>1</d:B><d:C/></d:A>')).toEqual([
      ['A.B', '1'],
      ['A.C', ''],
      ['A', ''],
    ]);
    expect(readXmlValues('<properties/>')).toEqual([]);
  });

  it('have the text that XML says', () => {
    const text = (inside: string): string => read(`<a>${inside}</a>`)[0][1];
    expect(text('&lt;x@y&gt; &amp;amp; &quot;&apos;')).toBe('<x@y> &amp; "\'');
    expect(text('&#xE4;&#228;&#x1F389;&#10;')).toBe('ää🎉\n');
    expect(text('&#0;&#xD800;&#x110000;&#99999999;')).toBe('\ufffd\ufffd\ufffd\ufffd');
    expect(text('a & b && c &; x&y')).toBe('a & b && c &; x&y');
    expect(text('<![CDATA[<b> &amp; ]] ]]>&gt;')).toBe('<b> &amp; ]] >');
    expect(text('a<!-- <b> -- ->  -->b<?x <c> ?>c')).toBe('abc');
    expect(text('  \n')).toBe('  \n');
    expect(read('<a x=\'>\' y="</a>">1</a>')).toEqual([['a', '1']]);
  });

  it.each([
    ['<a>1', 'closes an element that is not open'],
    ['<a>1</b>', '</b> closes an element that is not open'],
    ['</a>', 'closes an element that is not open'],
    ['<a>&lol;</a>', 'the entity &lol; is not declared'],
    ['<a>&#xZ;</a>', '&#xZ; is no character'],
    ['<>', '<> is no tag'],
    ['<1>x</1>', '<1> is no tag'],
    ['<a', 'is no tag'],
    ['<a x=">', 'a tag is not closed'],
    ['<!-- x', 'no --> follows'],
    ['<![CDATA[ x', 'no ]]> follows'],
    [`${'<a>'.repeat(16)}${'</a>'.repeat(16)}`, 'more than 16 levels'],
  ])('are refused in %s', (inside, problem) => {
    expect(() => read(inside)).toThrow(problem);
  });

  it('are none where an element is not closed', () => {
    expect(() => readXmlValues('<m:properties><a>1</a>')).toThrow('<m:properties> is not closed');
  });

  it('under the names of prototypes are values like others', () => {
    expect(read('<__proto__>1</__proto__><constructor>2</constructor>')).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('take linear time', () => {
    const many = read(`<a>${'&amp;'.repeat(200_000)}</a>${'<b>&</b>'.repeat(20_000)}`);
    expect(many).toHaveLength(20_001);
    expect(() => read(`<a ${'x="" '.repeat(200_000)}`)).toThrow();
  });
});

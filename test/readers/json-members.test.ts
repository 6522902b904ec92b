import { describe, expect, it } from 'vitest';
import { recordMembers, textOf, valueNames } from '../../src/readers/json-members.ts';

const values = (element: Record<string, unknown>): Record<string, unknown> => {
  const members = recordMembers(element);
  return Object.fromEntries(valueNames(members).map((name) => [name, true]));
};
const original = (text: string): Record<string, unknown> => ({ event: { original: text }, Sender: 'later' });

describe('members of records', () => {
  it('are found in members of members', () => {
    const nested = { email: { from: { address: ['a'] }, to: { address: ['b'] } } };
    const dotted = { 'email.from.address': ['a'], email: { 'to.address': 'b' } };
    for (const element of [nested, dotted, { _index: 'x', _source: nested }, { _id: '1', fields: dotted }]) {
      expect(Object.keys(values(element))).toEqual(['email.from.address', 'email.to.address']);
    }
    expect(Object.keys(values({ fields: { a: 1 } }))).toEqual(['fields.a']);
  });

  it('stand in the text that an integration collected', () => {
    expect(recordMembers(original('{"Sender":"first"}'))).toMatchObject({ Sender: 'first' });
    expect(recordMembers({ 'event.original': '{"Sender":"first"}', '@timestamp': 'x' })).toEqual({
      Sender: 'first',
      'event.original': '{"Sender":"first"}',
      '@timestamp': 'x',
    });
    expect(recordMembers(original('{"properties":{"Sender":"first"},"Sender":"x"}'))).toMatchObject({
      Sender: 'first',
    });
    const deep = `{"Sender":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    for (const text of ['{"Sender":', '[{"Sender":"x"}]', '"x"', '', deep]) {
      expect(recordMembers(original(text))).toMatchObject({ Sender: 'later' });
    }
  });

  it('below many members are one value', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(20)}{"sender":"x"}${'}'.repeat(20)}`);
    expect(valueNames(deep)).toEqual([Array(7).fill('a').join('.')]);
  });

  it('change no prototype', () => {
    const hostile = '{"__proto__":{"polluted":1},"properties":{"__proto__":{"polluted":1}}}';
    for (const text of [hostile, `{"event.original":${JSON.stringify(hostile)}}`, `{"_source":${hostile}}`]) {
      const members = recordMembers(JSON.parse(text));
      expect(Object.getPrototypeOf(members)).toBe(Object.prototype);
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    }
  });

  it('are written as CSV would show them', () => {
    expect(textOf('x')).toBe('x');
    expect(textOf(null)).toBe('');
    expect(textOf({ value: '/Date(1658751973240)/', DateTime: 'Monday' })).toBe('/Date(1658751973240)/');
    expect(textOf({ value: 4, Value: 'Failed' })).toBe('Failed');
    expect(textOf(['a', 'b'])).toBe('a;b');
    expect(textOf([{ a: 1 }])).toBe('[{"a":1}]');
  });
});

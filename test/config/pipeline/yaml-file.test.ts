/** Hostile and broken files: bounded, and no exception. */

import { describe, expect, test } from 'vitest';
import { YamlFile } from '../../../src/config/pipeline/yaml-file.ts';

function read(text: string | Uint8Array, environment: Record<string, string> = {}): YamlFile {
  return new YamlFile('x.yaml', Buffer.from(text as string), environment);
}

const level = (name: string, below: string) => `${name}: &${name} [${Array(9).fill(`*${below}`).join(', ')}]`;
const laughs = ['a: &a [ha, ha]', level('b', 'a'), level('c', 'b'), level('d', 'c'), level('e', 'd'), level('f', 'e')];

describe('a file is refused', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['that grows by its anchors', laughs.join('\n'), 'repeats anchors more than 32 times'],
    ['that holds itself', 'a: &a [1, *a]', 'refers to the section that it stands in'],
    ['that is too large', '#'.repeat(262_145), 'is larger than 256 KiB'],
    ['that is nested too deeply', '['.repeat(100_000), 'is nested deeper than 32 levels'],
    ['that is nested too deeply without brackets', '- '.repeat(100_000), 'is nested deeper than 32 levels'],
    ['that is no UTF-8', Uint8Array.of(0x61, 0x3a, 0x20, 0xff), 'is not UTF-8 text'],
    ['that is UTF-16', Buffer.from('\ufeffa: 1', 'utf16le'), 'is not UTF-8 text'],
    ['with a tag', 'a: !!binary aGk=', 'tags are not used here'],
    ['with a function', 'a: !!js/function "x"', 'tags are not used here'],
    ['with an unknown anchor', 'a: *b', 'refers to an anchor that does not stand before it'],
    ['with a second document', 'a: 1\n---\nb: 2', 'a second document begins here'],
    ['indented with a tab', 'a:\n\tb: 1', 'is indented with a tab'],
    ['with a key that is a list', '? [a]\n: b', 'a key is a word'],
    ['with an open quote', 'a: "b', 'a closing quote or bracket'],
  ])('%s', (_, content, expected) => {
    const file = read(content);
    expect(file.value).toBe(undefined);
    expect(file.problems.map(({ message }) => message)).toContainEqual(expect.stringContaining(expected));
  });
});

test('many mistakes are told by the first ten', () => {
  expect(read('a: '.repeat(20_000)).problems.length).toBe(10);
});

test('many keys take no time', () => {
  const startedMs = performance.now();
  const keys = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`);
  expect(Object.keys(read(keys.join('\n')).value as object).length).toBe(20_000);
  // Comparing every key with every other takes more than five seconds.
  expect(performance.now() - startedMs).toBeLessThan(2_500);
});

test('YAML 1.2 whatever the file says: yes is a text, and << is a key', () => {
  expect(read('%YAML 1.1\n---\na: yes\n<<: {b: 0777}').value).toEqual({ a: 'yes', '<<': { b: 777 } });
});

test('a name that objects inherit is a key like any other', () => {
  const value = read('__proto__: {polluted: 1}\nconstructor: 2').value as object;
  expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
  expect((value as { polluted?: number }).polluted).toBe(undefined);
});

test('places survive byte order mark, Windows line ends and anchors', () => {
  const file = read('\ufeffa: &x\r\n  b: 1\r\nc: *x\r\nd:\r\n  - e: 2\r\n');
  const place = (...path: (string | number)[]) => {
    const { line, column } = file.problem(path, '');
    return `${line}:${column}`;
  };
  expect([place('a', 'b'), place('c', 'b'), place('d', 0, 'e'), place('d', 0, 'missing'), place()]).toEqual([
    '2:6',
    '2:6',
    '5:8',
    '5:5',
    '1:1',
  ]);
});

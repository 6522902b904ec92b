/** Files of the engines are exactly those of the lock. With a Maven that only copies what it is told to. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fetchFiles, filesListed, readLock } from './artifacts.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-artifacts-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const COORDINATES = 'org.example:server:jar:1.2.3';
const sha512 = (text: string) => createHash('sha512').update(text).digest('hex');
const locked = (hash: string) => ({
  version: '1.2.3',
  megabytes: 1,
  roots: [COORDINATES],
  withDependencies: false,
  files: { [COORDINATES]: hash },
});

/** A program `mvn` that runs this script, with the file that is asked for in $LIST. */
function mavenThat(script: string): void {
  const programs = path.join(folder, 'programs');
  mkdirSync(programs);
  const findList = 'for one; do case $one in -DoutputFile=*) LIST=$(echo "$one" | cut -d= -f2);; esac; done';
  const lines = ['#!/bin/sh', findList, script];
  writeFileSync(path.join(programs, 'mvn'), lines.join('\n'), { mode: 0o755 });
  vi.stubEnv('PATH', `${programs}${path.delimiter}${process.env.PATH}`);
}

describe.skipIf(process.platform === 'win32')('fetching', () => {
  const target = () => path.join(folder, 'target');

  test('takes a file of the right content', async () => {
    writeFileSync(path.join(folder, 'server-1.2.3.jar'), 'content');
    mavenThat(`echo "   ${COORDINATES}:compile:${folder}/server-1.2.3.jar -- module server" > "$LIST"`);
    const files = await fetchFiles(locked(sha512('content')), target());
    expect(files).toEqual([path.join(target(), 'server-1.2.3.jar')]);
    expect(readFileSync(files[0], 'utf8')).toBe('content');
  });

  test('refuses another content', async () => {
    writeFileSync(path.join(folder, 'server-1.2.3.jar'), 'something else');
    mavenThat(`echo "   ${COORDINATES}:compile:${folder}/server-1.2.3.jar" > "$LIST"`);
    await expect(fetchFiles(locked(sha512('content')), target())).rejects.toThrow(
      `server-1.2.3.jar is not the file that test/engines/engines.lock.json names: SHA-512 ${sha512('something else')}`,
    );
    expect(readdirSync(target())).toEqual([]);
  });

  test('says what Maven says', async () => {
    mavenThat('echo "[INFO] 1"; echo "[ERROR] Could not find artifact server"; echo "[ERROR] more"; exit 1');
    await expect(fetchFiles(locked(''), target())).rejects.toThrow(
      `Maven could not bring ${COORDINATES} and what belongs to it: [ERROR] Could not find artifact server`,
    );
    expect(existsSync(target())).toBe(false);
  });

  test('asks for these files alone, and leaves the place to the settings of the machine', async () => {
    mavenThat(`cp "$(dirname "$LIST")/pom.xml" "${folder}/asked.xml"; exit 1`);
    await expect(fetchFiles(locked(''), target())).rejects.toThrow('Maven could not bring');
    const asked = readFileSync(path.join(folder, 'asked.xml'), 'utf8');
    expect(asked).toContain('<groupId>org.example</groupId><artifactId>server</artifactId><type>jar</type>');
    expect(asked).toContain('<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>');
    expect(asked).not.toContain('epositor');
  });
});

test('a list of Maven is read: types, scopes, optional files, modules', () => {
  const list = [
    '',
    'The following files have been resolved:',
    '   a.b:c_2.13:jar:1.0:compile:/m2/c 1.jar -- module c (auto)',
    '   a:d:zip:2.0-x:runtime:/m2/d.zip',
    '   a:e:jar:3:compile (optional):/m2/e.jar',
    '   a:f:jar:4:test:/m2/f.jar',
  ].join('\n');
  expect([...filesListed(list)]).toEqual([
    ['a.b:c_2.13:jar:1.0', '/m2/c 1.jar'],
    ['a:d:zip:2.0-x', '/m2/d.zip'],
    ['a:e:jar:3', '/m2/e.jar'],
  ]);
});

describe('the lock', () => {
  const engines = Object.entries(readLock());

  test.each(engines)('%s: exact versions, each file with its hash, and no place to fetch it from', (_, engine) => {
    expect(Object.keys(engine.files)).toEqual(expect.arrayContaining(engine.roots));
    for (const [coordinates, hash] of Object.entries(engine.files)) {
      expect(coordinates).toMatch(/^[\w.-]+:[\w.-]+:(jar|zip):\d[\w.-]*$/);
      expect(hash).toMatch(/^[0-9a-f]{128}$/);
    }
    expect(engine.megabytes).toBeGreaterThan(0);
    expect(JSON.stringify(engine)).not.toContain('//');
  });

  test('has the engines whole', () => {
    expect(engines.map(([name, { files }]) => [name, Object.keys(files).length])).toEqual([
      ['kafka', 46],
      ['elasticsearch', 1],
      ['redis', 1],
    ]);
  });
});

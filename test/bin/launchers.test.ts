/** The ways to start relaywatch: from a link, from elsewhere, before `npm ci`, on an old Node. */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const POSIX = process.platform !== 'win32';
let folder: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'relaywatch-launchers-')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, args: string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  const env = { ...process.env, XDG_CACHE_HOME: path.join(folder, 'cache'), ...options.env };
  return spawnSync(command, args, { encoding: 'utf8', cwd: options.cwd ?? folder, env });
}

/** The `node` of the machine, where it is older than 24; null where there is none. */
function olderNode(): string | null {
  for (const place of (process.env.PATH ?? '').split(path.delimiter)) {
    const node = path.join(place, POSIX ? 'node' : 'node.exe');
    const { stdout, status } = spawnSync(node, ['-p', 'Number.parseInt(process.versions.node, 10)'], {
      encoding: 'utf8',
    });
    if (status === 0 && Number(stdout) >= 20 && Number(stdout) < 24) return node;
  }
  return null;
}

/** A program in the place of the command line, to see what arrives there and what becomes of its end. */
function cloneWith(name: string, main: string): string {
  const clone = path.join(folder, name);
  cpSync(path.join(ROOT, 'bin'), path.join(clone, 'bin'), { recursive: true });
  mkdirSync(path.join(clone, 'src'));
  writeFileSync(path.join(clone, 'src/main.ts'), main);
  writeFileSync(path.join(clone, 'package.json'), '{"type":"module"}');
  return clone;
}

describe.runIf(POSIX)('bin/relaywatch', () => {
  test('starts from any folder, and through a chain of links', () => {
    mkdirSync(path.join(folder, 'with space'));
    const link = path.join(folder, 'with space', 'rw');
    symlinkSync(path.join(ROOT, 'bin/relaywatch'), link);
    symlinkSync('with space/rw', path.join(folder, 'second'));
    for (const command of [path.join(ROOT, 'bin/relaywatch'), link, './second']) {
      const { stdout, stderr, status } = run(command, ['--help']);
      expect([stderr, status]).toEqual(['', 0]);
      expect(stdout).toMatch(/^Usage: relaywatch /);
    }
  });

  test('runs on the bundled Node, with the arguments as they are', () => {
    const clone = cloneWith(
      'bundled',
      'process.stdout.write(JSON.stringify([process.execPath, process.argv.slice(2)]));',
    );
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(clone, 'node_modules'));
    const { stdout } = run(path.join(clone, 'bin/relaywatch'), ['scan', 'a b', '', '*', '--x=$HOME'], {
      env: { PATH: '' },
    });
    const [node, args] = JSON.parse(stdout);
    expect(realpathSync(node)).toContain(path.join(realpathSync(path.join(ROOT, 'node_modules')), 'node-'));
    expect(args).toEqual(['scan', 'a b', '', '*', '--x=$HOME']);
  });

  test('says what to do before npm ci', () => {
    const clone = cloneWith('empty', "import 'commander';");
    const withoutNode = run(path.join(clone, 'bin/relaywatch'), ['--help'], { env: { PATH: '' } });
    expect(withoutNode.stderr).toContain('npm ci --ignore-scripts');
    expect([withoutNode.stdout, withoutNode.status]).toEqual(['', 1]);

    const PATH = path.dirname(process.execPath);
    const withNode = run(path.join(clone, 'bin/relaywatch'), ['--help'], { env: { PATH } });
    expect(withNode.stderr).toBe(
      `relaywatch: Cannot find package 'commander': the packages it needs are not installed.\n` +
        `Run "npm ci --ignore-scripts" in ${clone}, then the command again.\n`,
    );
    expect([withNode.stdout, withNode.status]).toEqual(['', 1]);
  });
});

describe('bin/relaywatch.js', () => {
  test('an error of the program itself is not taken for a missing package', () => {
    const clone = cloneWith('broken', "import './absent.ts';");
    const { stderr, status } = run(process.execPath, [path.join(clone, 'bin/relaywatch.js')]);
    expect(stderr).toContain('Cannot find module');
    expect(stderr).not.toContain('npm ci');
    expect(status).toBe(1);
  });

  test('keeps compiled code in the cache folder of the user', () => {
    const clone = cloneWith('cache', 'process.stdout.write(process.env.NODE_COMPILE_CACHE ?? "none");');
    const env = { XDG_CACHE_HOME: path.join(folder, 'xdg'), LOCALAPPDATA: path.join(folder, 'xdg') };
    if (process.platform === 'darwin') Object.assign(env, { HOME: path.join(folder, 'xdg') });
    const { stdout } = run(process.execPath, [path.join(clone, 'bin/relaywatch.js')], { env });
    expect(stdout.startsWith(path.join(folder, 'xdg'))).toBe(true);
    expect(stdout.endsWith(path.join('relaywatch', 'compiled'))).toBe(true);
  });

  const older = olderNode();
  test.skipIf(older === null)('goes over to Node 24 on an older one (skipped where the machine has none)', () => {
    const clone = cloneWith('older', "console.log('%s %s', process.version, process.argv[2]); process.exitCode = 7;");
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(clone, 'node_modules'), 'junction');
    const { stdout, status } = run(older as string, [path.join(clone, 'bin/relaywatch.js'), 'scan']);
    expect(stdout).toMatch(/^v24\.\d+\.\d+ scan\n$/);
    expect(status).toBe(7);
    const bare = cloneWith('older-empty', '');
    const { stderr, status: failed } = run(older as string, [path.join(bare, 'bin/relaywatch.js')]);
    expect(stderr).toMatch(/needs Node\.js 24; this is v2\d.*npm ci --ignore-scripts/s);
    expect(failed).toBe(1);
  });
});

describe('bin/node24.js', () => {
  const launcher = path.join(ROOT, 'bin/node24.js');

  test('runs Node 24, and ends as it ended', () => {
    const output = execFileSync(process.execPath, [launcher, '-p', 'process.version'], { encoding: 'utf8' });
    expect(output).toMatch(/^v24\./);
    expect(run(process.execPath, [launcher, '-e', 'process.exit(3)']).status).toBe(3);
  });

  test.runIf(POSIX)('passes a signal on, and ends by the same one', async () => {
    const child = spawn(process.execPath, [launcher, '-e', 'console.log("up"); setInterval(() => {}, 1000)'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGTERM');
    expect(await new Promise((resolve) => child.once('exit', (code, signal) => resolve([code, signal])))).toEqual([
      null,
      'SIGTERM',
    ]);
  });
});

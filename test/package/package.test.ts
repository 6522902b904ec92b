/**
 * What `npm pack` makes can be installed and used: packed from a copy of the repository, installed
 * into an empty folder outside it, and run there. Dependencies are installed in the versions of the
 * lockfile: after `npm ci` they are in npm's cache, otherwise they come from the registry.
 */

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const WINDOWS = process.platform === 'win32';
let folder: string;
let packed: string[];

function run(command: string, args: string[], cwd: string) {
  const { stdout, stderr, status, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell: WINDOWS && command === 'npm',
    env: { ...process.env, NO_COLOR: '1', XDG_CACHE_HOME: path.join(folder, 'cache') },
  });
  if (error !== undefined) throw error;
  return { stdout, stderr, status };
}

function npm(args: string[], cwd: string): string {
  const { stdout, stderr, status } = run('npm', args, cwd);
  if (status !== 0) {
    const reason = args[0] === 'ci' ? ' Installing needs the packages in the cache of npm, or the registry.' : '';
    throw new Error(`npm ${args.join(' ')} failed (exit code ${status}).${reason}\n${stderr}`);
  }
  return stdout;
}

/** The lockfile of somebody who has installed the package: ours without what only development needs. */
function lockOf(manifest: { dependencies: { relaywatch: string } }) {
  const ours = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8'));
  const { '': self, ...others } = ours.packages as Record<string, { dev?: boolean; devDependencies?: unknown }>;
  const needed = Object.entries(others).filter(([, { dev }]) => dev !== true);
  const { devDependencies: _, ...relaywatch } = self;
  return {
    ...manifest,
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': manifest,
      'node_modules/relaywatch': { ...relaywatch, resolved: manifest.dependencies.relaywatch },
      ...Object.fromEntries(needed),
    },
  };
}

function relaywatch(...args: string[]) {
  return run(process.execPath, [path.join(folder, 'user/node_modules/relaywatch/bin/relaywatch.js'), ...args], folder);
}

beforeAll(() => {
  folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'relaywatch-package-')));
  // A copy, so that building leaves nothing in the repository.
  const copy = path.join(folder, 'copy');
  for (const name of [
    'bin',
    'examples',
    'infra',
    'pipelines',
    'scripts',
    'src',
    'package.json',
    'LICENSE',
    'README.md',
  ]) {
    if (existsSync(path.join(ROOT, name))) cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true });
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'), 'junction');
  const [{ filename, files }] = JSON.parse(npm(['pack', '--json', '--silent', '--ignore-scripts=false'], copy));
  packed = files.map((file: { path: string }) => file.path);

  const user = path.join(folder, 'user');
  mkdirSync(user);
  const manifest = { name: 'user', version: '1.0.0', dependencies: { relaywatch: `file:../copy/${filename}` } };
  writeFileSync(path.join(user, 'package.json'), JSON.stringify(manifest));
  writeFileSync(path.join(user, 'package-lock.json'), JSON.stringify(lockOf(manifest)));
  npm(['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], user);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the package', () => {
  test('holds the program without types, the licence and the README, and nothing else', () => {
    expect(packed).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md', 'package.json', 'bin/relaywatch.js', 'dist/main.js']),
    );
    const others = packed.filter(
      (file) =>
        !/^(LICENSE|README\.md|package\.json|bin\/\w+\.js|dist\/.+\.js|infra\/\w+\/[\w-]+\.json)$/.test(file) &&
        !/^(pipelines\/(tenants\/)?[\w-]+(\.schema)?\.(yaml|json)|examples\/contoso\/(exports\/)?[\w-]+\.\w+)$/.test(
          file,
        ),
    );
    expect(others).toEqual([]);
    const sources = readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
    expect(packed.filter((file) => file.startsWith('dist/')).length).toBe(
      sources.filter((file) => file.endsWith('.ts')).length,
    );
  });

  test('brings the files that its modules import', () => {
    const dist = path.join(folder, 'user/node_modules/relaywatch/dist');
    const module = path.join(dist, 'adapters/elasticsearch/templates.js');
    const script = `import(${JSON.stringify(pathToFileURL(module).href)}).then((found) => console.log(Object.keys(found)))`;
    const { stdout, stderr } = run(process.execPath, ['-e', script], folder);
    expect(stdout, stderr).toContain('INDEX_TEMPLATES');
  });

  test('has no import left that ends in .ts', () => {
    const dist = path.join(folder, 'user/node_modules/relaywatch/dist');
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) {
      expect(readFileSync(path.join(dist, file), 'utf8'), file).not.toMatch(/^[^*/]*['"]\.{1,2}\/[^'"\n]*\.ts['"]/m);
    }
  });

  test('prints its help', () => {
    const { stdout, stderr, status } = relaywatch('--help');
    expect([stderr, status]).toEqual(['', 0]);
    expect(stdout).toMatch(/^Usage: relaywatch /);
  });

  test('prints its version', () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
    expect(relaywatch('--version').stdout.trim()).toBe(version);
  });

  test('is started by npx, on whatever Node the machine has', () => {
    const stdout = npm(['exec', '--offline', '--', 'relaywatch', '--help'], path.join(folder, 'user'));
    expect(stdout).toMatch(/^Usage: relaywatch /);
  });

  test('runs with the pipelines that it brings, once they are copied to where it is to run', () => {
    const { stderr, status } = relaywatch('run');
    const shipped = path.join(folder, 'user/node_modules/relaywatch');
    expect(status).toBe(2);
    expect(stderr).toContain('there is no pipelines/embedded.yaml here');
    expect(stderr).toContain(`copy ${path.join(shipped, 'pipelines')} and ${path.join(shipped, 'examples')} to here`);

    const place = path.join(folder, 'place');
    for (const name of ['pipelines', 'examples']) {
      cpSync(path.join(shipped, name), path.join(place, name), { recursive: true });
    }
    cpSync(path.join(place, 'examples/contoso/exports'), path.join(place, 'data/inbox/contoso'), { recursive: true });
    const script = path.join(shipped, 'bin/relaywatch.js');
    expect(run(process.execPath, [script, 'lint', 'pipelines/embedded.yaml'], place)).toMatchObject({ status: 0 });
    const ran = run(process.execPath, [script, 'run', '--once'], place);
    expect(ran.status, ran.stderr).toBe(0);
    expect(readdirSync(path.join(place, 'data/findings/incidents'))).toHaveLength(1);
  }, 60_000);

  test('scans a file, and writes the ledger', () => {
    writeFileSync(path.join(folder, 'export.csv'), messageTrace());
    const args = [
      'scan',
      'export.csv',
      '--accepted-domains',
      'contoso.com',
      '--output',
      'ndjson',
      '--ledger',
      'ledger.json',
    ];
    const { stdout, stderr, status } = relaywatch(...args);
    expect(status, stderr).toBe(0);
    const incidents = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(incidents.map((one) => one.relaywatch.incident.family)).toEqual(['unregistered']);
    const ledger = JSON.parse(readFileSync(path.join(folder, 'ledger.json'), 'utf8'));
    expect(ledger.totals.rows).toMatchObject({ read: 400, accepted: 400 });
  });
});

/** A Get-MessageTrace export: 400 messages in ten minutes from a domain that is not the tenant's. */
function messageTrace(): string {
  const columns = 'Received,SenderAddress,RecipientAddress,Subject,Status,ToIP,FromIP,Size,MessageId,MessageTraceId';
  const rows = Array.from({ length: 400 }, (_, i) => {
    const digits = String(i).padStart(12, '0');
    const received = new Date(Date.UTC(2026, 4, 5, 9, 0, 0, i * 1500)).toISOString();
    return [
      received,
      `sales@unregistered.example`,
      `person${i}@recipient${i % 40}.example`,
      'Your invoice',
      'Delivered',
      '',
      '203.0.113.7',
      '20480',
      `<${digits}@unregistered.example>`,
      `3f2504e0-4f89-11d3-9a0c-${digits}`,
    ];
  });
  return [columns, ...rows.map((row) => row.map((cell) => `"${cell}"`).join(','))].join('\r\n');
}

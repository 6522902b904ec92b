/** `relaywatch lint` on files: what it prints where, and how it ends. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pipelineJsonSchema, tenantJsonSchema } from '../../src/config/pipeline/json-schema.ts';
import { type RawLintOptions, runLint } from '../../src/runtime/lint-command.ts';

let folder: string;
const at = (name: string) => path.join(folder, name);

const GOOD = `name: good
role: embedded
tenant_files: tenants/*.yaml
inputs: {folder: {path: inbox, tenant_from: subfolder}}
state: {folder: {path: state}}
outputs: {folder: {path: findings}}
archive: {path: archive}
`;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-lint-'));
  mkdirSync(at('pipelines/tenants'), { recursive: true });
  writeFileSync(at('pipelines/tenants/a.yaml'), 'key: a\naccepted_domains: [a.com]\n');
  writeFileSync(at('pipelines/good.yaml'), GOOD);
  mkdirSync(at('wrong/tenants'), { recursive: true });
  writeFileSync(at('wrong/tenants/a.yaml'), 'key: a\naccepted_domains: [a.com]\nlicence: 3\n');
  writeFileSync(at('wrong/one.yaml'), GOOD.replace('embedded', 'embeded'));
  writeFileSync(at('wrong/two.yml'), GOOD);
  writeFileSync(at('wrong/three.yaml'), GOOD);
  writeFileSync(at('wrong/notes.txt'), 'no pipeline');
  writeFileSync(at('steering.yaml'), `${GOOD}"\\e[31mred": 1\n`);
  writeFileSync(
    at('secret.yaml'),
    `${GOOD.replace('tenants/*', 'pipelines/tenants/*').replace('{folder: {path: findings}}', '{elasticsearch: {nodes: ["https://es:9200"], api_key: hunter2}}')}`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

async function lint(paths: string[], raw: RawLintOptions = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const status = await runLint(paths, raw, { stdout, stderr } as never);
  const text = (stream: PassThrough) => String(stream.read() ?? '').replaceAll(`${folder}${path.sep}`, '');
  return { status, stdout: text(stdout), stderr: text(stderr) };
}

test('a folder of good pipelines', async () => {
  expect(await lint([at('pipelines')])).toEqual({ status: 0, stdout: '', stderr: '1 pipeline: no problems\n' });
  expect(await lint([at('pipelines/good.yaml')], { quiet: true })).toEqual({ status: 0, stdout: '', stderr: '' });
});

test('every problem in a line, and a tenant that two pipelines share once', async () => {
  const { status, stdout, stderr } = await lint([at('wrong')]);
  expect(status).toBe(2);
  expect(stdout.trimEnd().split('\n')).toEqual([
    expect.stringMatching(/^wrong\/one\.yaml:2:7: role: cannot be "embeded" \(allowed: .*; did you mean embedded\?\)$/),
    expect.stringMatching(/^wrong\/tenants\/a\.yaml:3:1: licence: there is no such key \(.*did you mean licenses\?\)$/),
  ]);
  expect(stderr).toBe('3 pipelines: 3 errors\n');
});

test('a warning is no error', async () => {
  const { status, stdout, stderr } = await lint([at('secret.yaml')]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '1 pipeline: 0 errors, 1 warning\n' });
  expect(stdout).toMatch(/^secret\.yaml:6:\d+: warning: outputs\.elasticsearch\.api_key: holds a secret/);
});

test('as JSON', async () => {
  const { status, stdout } = await lint([at('wrong/one.yaml'), at('pipelines/good.yaml')], { output: 'json' });
  expect(status).toBe(2);
  const { files } = JSON.parse(stdout);
  expect(files.map((one: { problems: object[] }) => one.problems.length)).toEqual([1, 0]);
  expect(files[0].problems[0]).toMatchObject({
    line: 2,
    column: 7,
    path: 'role',
    severity: 'error',
    allowed: ['embedded', 'ingest', 'detect', 'jobs'],
    nearest: 'embedded',
  });
});

test('a file that is not there is an error of that file', async () => {
  expect(await lint([at('absent.yaml')])).toMatchObject({
    status: 2,
    stdout: 'absent.yaml:1:1: there is no such file\n',
  });
});

test('a key cannot steer the terminal', async () => {
  const { stdout } = await lint([at('steering.yaml')]);
  expect(stdout).toContain('\u241b[31mred: there is no such key');
  expect(stdout).not.toContain('\u001b');
});

test('a folder without pipelines is wrong usage', async () => {
  await expect(
    lint([at('wrong/tenants/..'), at('pipelines/tenants/../../wrong/tenants/nothing')]),
  ).resolves.toMatchObject({
    status: 2,
  });
  mkdirSync(at('empty'));
  await expect(lint([at('empty')])).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining('empty') });
});

describe('--schema', () => {
  test('writes both schemas', async () => {
    expect(await lint([], { schema: folder })).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readFileSync(at('pipeline.schema.json'), 'utf8')).toBe(pipelineJsonSchema());
    expect(readFileSync(at('tenant.schema.json'), 'utf8')).toBe(tenantJsonSchema());
  });

  test('checks nothing', async () => {
    await expect(lint([at('pipelines')], { schema: folder })).rejects.toMatchObject({ exitCode: 2 });
  });
});

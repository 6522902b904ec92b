/** The pipelines that come with the program: no problem in them, and their cases hold. */

import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { compareWithCase } from '../../../src/config/pipeline/cases.ts';
import { pipelineJsonSchema, tenantJsonSchema } from '../../../src/config/pipeline/json-schema.ts';
import { lintPipeline, loadCases, loadPipeline } from '../../../src/config/pipeline/load.ts';
import { problemLine } from '../../../src/config/pipeline/problem.ts';
import { scan } from '../../../src/runtime/scan.ts';

const FOLDER = path.resolve(import.meta.dirname, '../../../pipelines');
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
const files = {
  readFile: (name: string) => readFile(name).catch(() => null),
  nowMs: Date.UTC(2026, 8, 6),
  listFolder: (name: string) => readdir(name).catch(() => null),
};

/** With a value for every variable without a default, as a machine that runs the pipelines has them. */
async function load(name: string) {
  const file = path.join(FOLDER, name);
  const { variables } = await lintPipeline(file, { ...files, environment: {} });
  const needed = variables.filter(({ fallback }) => fallback === null);
  const certificate = Buffer.from('-----BEGIN CERTIFICATE-----');
  const readAlsoSecrets = async (wanted: string) =>
    path.basename(path.dirname(wanted)) === 'secrets' ? certificate : files.readFile(wanted);
  const environment = Object.fromEntries(needed.map((one) => [one.name, 'x']));
  return loadPipeline(file, { ...files, readFile: readAlsoSecrets, environment });
}

test('all five are there', () => {
  expect(NAMES.sort()).toEqual(['detect.yaml', 'embedded.yaml', 'event-hubs.yaml', 'ingest.yaml', 'jobs.yaml']);
});

describe.each(NAMES)('%s', (name) => {
  test('has no problem, and is named like its file', async () => {
    const { problems } = await lintPipeline(path.join(FOLDER, name), { ...files, environment: {} });
    expect(problems.map(problemLine)).toEqual([]);
    const pipeline = await load(name);
    expect([`${pipeline.name}.yaml`, pipeline.warnings]).toEqual([name, []]);
  });

  test('has cases that hold', async () => {
    const { cases, tenants, detection } = await loadCases(path.join(FOLDER, name), { ...files, environment: {} });
    expect(cases.length).toBeGreaterThanOrEqual(['embedded.yaml', 'detect.yaml'].includes(name) ? 2 : 1);
    for (const one of cases) {
      const { incidents } = await scan({
        paths: one.files,
        tenant: tenants.find(({ key }) => key === one.tenant)!,
        range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs: Date.UTC(2026, 8, 1) },
        format: null,
        dateOrder: null,
        reader: 'auto',
        evidenceRows: detection.evidenceRows,
        memoryMiB: 256,
      });
      expect(compareWithCase(one.expect.incidents, incidents), one.name).toEqual({ missing: [], unexpected: [] });
    }
  });

  test('tells editors its schema', () => {
    const [first] = readFileSync(path.join(FOLDER, name), 'utf8').split('\n');
    expect(first).toBe('# yaml-language-server: $schema=pipeline.schema.json');
  });
});

test('the workers agree on servers, topics and folders', async () => {
  const [ingest, detect, jobs, hubs] = await Promise.all(
    ['ingest', 'detect', 'jobs', 'event-hubs'].map((one) => load(`${one}.yaml`)),
  );
  for (const other of [ingest, jobs, hubs]) {
    expect([other.log?.brokers, other.log?.topic]).toEqual([detect.log?.brokers, detect.log?.topic]);
  }
  expect(jobs.outputs).toEqual(detect.outputs);
  expect(jobs.jobs?.redis).toEqual(detect.jobs?.redis);
  expect(ingest.archive).toEqual(jobs.archive);
});

test('a case notices what is missing and what is too much', async () => {
  const incident = (family: string, connector: string) =>
    ({
      event: { severity: 73 },
      relaywatch: {
        incident: { family, type: 'relay', contributors: { connectors: [{ key: connector }], domains: [] } },
      },
    }) as never;
  const found = [incident('unregistered', 'a'), incident('unregistered', 'b')];
  const b = { family: 'unregistered' as const, contributors: { connectors: ['b'] } };
  expect(compareWithCase([{ family: 'unregistered' }, b], found)).toEqual({ missing: [], unexpected: [] });
  expect(compareWithCase([], found).unexpected).toEqual(found);
  expect(compareWithCase([b, b], found)).toEqual({ missing: [b], unexpected: [found[0]] });
  for (const wrong of [
    { severity: 'low' as const },
    { type: 'growth' as const },
    { contributors: { domains: ['x'] } },
  ]) {
    expect(compareWithCase([wrong], [found[0]]).missing).toEqual([wrong]);
  }
});

describe('the schemas for editors', () => {
  test.each([
    ['pipeline.schema.json', pipelineJsonSchema],
    ['tenant.schema.json', tenantJsonSchema],
  ])('%s is current (relaywatch lint --schema FOLDER writes it)', (name, make) => {
    expect(readFileSync(path.join(FOLDER, name), 'utf8')).toBe(make());
  });

  test('allow what the lint allows, and a variable in the place of a number', () => {
    const schema = JSON.parse(pipelineJsonSchema());
    expect(schema.additionalProperties).toBe(false);
    expect(schema.required).toEqual(['name', 'role']);
    const { port } = schema.properties.telemetry.properties;
    expect(port.anyOf).toEqual([
      { type: 'integer', minimum: 0, maximum: 65_535 },
      { type: 'string', pattern: '\\$\\{' },
    ]);
    expect(port.description).toContain('Default: 9464');
  });
});

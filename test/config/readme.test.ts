/** What the README shows is what the program does. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseAllowList } from '../../src/config/allow-list.ts';
import { detectorTable } from '../../src/config/detector-table.ts';
import { formatTable } from '../../src/config/format-table.ts';
import { parseLabels } from '../../src/config/labels.ts';
import { deadLetterTable, dropTable, refusalTable } from '../../src/config/outcome-table.ts';
import { detectors } from '../../src/config/registry.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
const { demo } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).scripts;

function runDemo(...options: string[]): string {
  const [, script, ...args] = demo.split(' ');
  return execFileSync(process.execPath, [path.join(ROOT, script), ...args, ...options], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

describe('README.md', () => {
  test('has the table of detectors', () => {
    expect(detectors.length).toBeGreaterThan(6);
    expect(readme).toContain(`\n${detectorTable()}`);
  });

  test.each([
    ['formats', formatTable],
    ['dead letters', deadLetterTable],
    ['rows left out', dropTable],
    ['refused files', refusalTable],
  ])('has the table of %s', (_, table) => {
    expect(readme).toContain(`\n${table()}\n`);
  });

  test('shows the beginning of the demo', () => {
    const shown = /^```\n(\d+ incidents?: .*?)^```$/ms.exec(readme)?.[1];
    expect(shown?.split('\n').length).toBeGreaterThan(20);
    expect(runDemo().startsWith(shown!.trimEnd())).toBe(true);
  });

  test('shows the numbers of the incident of the demo', () => {
    const shown = /^```\n(rw-[0-9a-f]{16}: .*?)^```$/ms.exec(readme)?.[1];
    const call = /^npx relaywatch (explain rw-.*)$/m.exec(readme)?.[1].split(' ');
    const page = execFileSync(process.execPath, [path.join(ROOT, 'bin/relaywatch.js'), ...(call ?? [])], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(shown?.split('\n').length).toBeGreaterThan(10);
    expect(page.startsWith(shown!.trimEnd())).toBe(true);
  });

  test('shows labels and an allow-list as they are read', () => {
    const line = /^(\{"incident":.*\})$/m.exec(readme)?.[1] ?? '';
    const yaml = /^```yaml\n(- domain: .*?)^```$/ms.exec(readme)?.[1] ?? '';
    const nowMs = Date.UTC(2026, 5, 6);
    expect(parseLabels('labels.ndjson', Buffer.from(line), nowMs)).toMatchObject({ entries: [{}], problems: [] });
    expect(parseAllowList('allow.yaml', Buffer.from(yaml), nowMs)).toMatchObject({ entries: [{}], problems: [] });
  });

  test('shows a record of the example and its place in an incident', () => {
    const record = /^```\n(\d{4}-.*)\n```$/m.exec(readme)?.[1];
    const shown = JSON.parse(/^```json\n(.*?)^```$/ms.exec(readme)?.[1] ?? '');
    const incidents = runDemo('--output', 'ndjson')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const incident = incidents.find((one) => one['@timestamp'] === shown['@timestamp']);
    const [row] = shown.relaywatch.incident.evidence;
    delete shown.relaywatch.incident.evidence;
    expect(record?.replaceAll('-', '')).toContain(row.message_trace_id);
    // The README leaves values out, and changes none.
    expect(incident).toMatchObject(shown);
    expect(incident.relaywatch.incident.evidence).toContainEqual(row);
  });
});

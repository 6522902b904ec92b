/** What analysts tell `scan`, and what `explain` tells them, in whole processes and on the made-up tenant of examples/. */

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { EXAMPLE, EXAMPLE_DOMAINS, relayRows, run, traceCsv } from './command.ts';

let folder: string;
let incident: IncidentDocument;
const at = (...names: string[]) => path.join(folder, ...names);
const DOMAINS = ['--accepted-domains', EXAMPLE_DOMAINS];
const call = (...args: string[]) => run(args, { cwd: folder });
const scanned = (...args: string[]) => call('scan', EXAMPLE, ...DOMAINS, '--output', 'ndjson', ...args);
const explain = (...args: string[]) => call('explain', ...args);
const label = (fields: object) =>
  `${JSON.stringify({ incident: incident.event.id, verdict: 'benign', by: 'ann', at: '2026-06-05T15:00:00Z', ...fields })}\n`;

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-feedback-'));
  writeFileSync(at('relay.csv'), traceCsv(relayRows(200)));
  writeFileSync(at('allow.yaml'), '- connector: Inbound from DC1\n  owner: ann@contoso.com\n  reason: scanner\n');
  incident = JSON.parse((await scanned('--quiet')).stdout);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('labels', () => {
  test.concurrent('keep the incident and its id, and are told', async () => {
    writeFileSync(at('good.ndjson'), label({}) + label({ incident: 'rw-00000000000000aa', verdict: 'abuse' }));
    const { status, stdout, stderr } = await scanned('--labels', 'good.ndjson');
    expect(JSON.parse(stdout).event.id).toBe(incident.event.id);
    expect(stderr).toMatch(/^labels: 1 of 2 incidents found; the others are not in these rows/m);
    expect(status).toBe(0);
  });

  test.concurrent('that are wrong are exit 2, with file, line, field and an example, and nothing on stdout', async () => {
    writeFileSync(at('wrong.ndjson'), `${label({})}${label({ verdict: '\u001b[2Jspam' })}nonsense\n`);
    const { status, stdout, stderr } = await scanned('--labels', 'wrong.ndjson');
    expect(stderr).toMatch(/--labels wrong\.ndjson:2:1: verdict: cannot be ".*spam" \(allowed: benign, abuse\)\./);
    expect(stderr).toMatch(
      /\nAlso:\nwrong\.ndjson:3:1: is no JSON; .*\nA line for each verdict, such as:\n {2}\{"incident"/,
    );
    expect(stderr).not.toContain('\u001b');
    expect([status, stdout]).toEqual([2, '']);
  });

  test.concurrent('too large a file is exit 2 before it is read', async () => {
    writeFileSync(at('huge.ndjson'), '');
    truncateSync(at('huge.ndjson'), 3_000_000_000);
    const { status, stderr } = await scanned('--labels', 'huge.ndjson');
    expect(stderr).toMatch(/--labels huge\.ndjson is larger than 32 MiB/);
    expect(status).toBe(2);
  });
});

describe('the allow-list', () => {
  test.concurrent('hides mail and says how much, whose and why more counted', async () => {
    const { status, stdout, stderr } = await scanned('--allow', 'allow.yaml');
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^allow-list: [\d,]+ recipients of Inbound from DC1 left out of detection \(ann@contoso\.com\)/m,
    );
    expect(status).toBe(0);
  });

  test.concurrent('that has expired warns, and hides no rows from then on', async () => {
    const yaml = '- connector: Inbound from DC1\n  owner: ann\n  reason: scanner\n  expires: 2026-06-01\n';
    writeFileSync(at('expired.yaml'), yaml);
    const { stdout, stderr } = await scanned('--allow', 'expired.yaml');
    expect(JSON.parse(stdout).event.id).toBe(incident.event.id);
    expect(stderr).toMatch(/^warning: expired\.yaml:4:12: warning: .*has passed: mail of Inbound from DC1/m);
  });

  test.concurrent.each([
    [
      'aliases',
      `a: &a [x]\nb: [${'*a,'.repeat(60)}]\n`,
      /hostile-aliases\.yaml:1:1: repeats anchors more than 32 times/,
    ],
    [
      'keys',
      '- __proto__: {domain: a.example}\n  owner: x\n  reason: y\n',
      /:1:3: \[0\]\.__proto__: there is no such key/,
    ],
    [
      'text',
      '- domain: "a\\u001b[2J.example"\n  owner: x\n  reason: y\n',
      /:1:11: \[0\]\.domain: must be one sender domain/,
    ],
    [
      'fields',
      '- domian: a.example\n  owner: x\n',
      /:1:3: \[0\]\.domian: .*did you mean domain\?\)\.\n.*:1:3: \[0\]\.reason: is missing/s,
    ],
  ])('of hostile or wrong %s is exit 2', async (name, yaml, expected) => {
    writeFileSync(at(`hostile-${name}.yaml`), yaml);
    const { status, stdout, stderr } = await scanned('--allow', `hostile-${name}.yaml`);
    expect(stderr).not.toContain('\u001b');
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(name === 'fields' ? /\[0\]\.reason: is missing/ : expected);
  });
});

describe('explain', () => {
  test.concurrent('without a name lists the detectors, with a name it tells of one', async () => {
    const list = await explain();
    expect(list.stdout).toMatch(/^relayed +\S.*\n/);
    expect(list.stdout.trimEnd().split('\n').length).toBeGreaterThan(6);
    const one = await explain('relayed');
    expect(one.stdout).toMatch(/^relayed: .*What proves it.*What it cannot see.*What to do/s);
    expect([list.status, list.stderr, one.status, one.stderr]).toEqual([0, '', 0, '']);
  });

  test.concurrent.each([
    [['relaied'], /there is no detector relaied\.\nDid you mean relayed\? It is one of: relayed, /],
    [['\u001b[2J'], /there is no detector [^\u001b]*\nIt is one of/],
    [['relayed', 'exports'], /takes no files: exports is not used/],
    [['rw-123'], /rw-123 is no id of an incident/],
    [
      ['rw-0123456789abcdef'],
      /needs the exports that it was found in.*\nrelaywatch explain rw-0123456789abcdef exports\//,
    ],
    [['relayed', '--output', 'ndjson'], /there is no option --output/],
    [['rw-0123456789abcdef', 'x.csv', '--labels', 'gone.ndjson'], /--labels gone\.ndjson does not exist/],
  ])('%j is exit 2', async (args, expected) => {
    const { status, stdout, stderr } = await explain(...args);
    expect(stderr).toMatch(expected);
    expect([status, stdout]).toEqual([2, '']);
  });

  test.concurrent('the numbers of an incident are those of its document', async () => {
    const { status, stdout, stderr } = await explain(
      incident.event.id.toUpperCase().replace('RW', 'rw'),
      EXAMPLE,
      ...DOMAINS,
    );
    expect(stderr).toMatch(/^5 files, [\d,]+ rows: /);
    expect(status).toBe(0);
    const { observed, expected, expected_p95: p95, window, score } = incident.relaywatch.incident;
    expect([window, expected]).toEqual(['15m', 0]);
    const row = /^ {2}15 min +(\d+) +(\S+ ?\S+) +(\d+) +(\d+) +(\d+) +([\d.]+) {2}hit$/m.exec(stdout);
    expect(row?.slice(1).map((cell) => Number(cell.replace('< ', '')))).toEqual([
      observed,
      0.01,
      p95,
      expect.any(Number),
      observed,
      score,
    ]);
    expect(stdout.startsWith(`${incident.event.id}: relay, high (${incident.event.severity})\n`)).toBe(true);
    expect(stdout.replace(/\n */g, ' ')).toContain(incident.message);
    expect(stdout).toContain(`At ${incident['@timestamp'].slice(0, 16).replace('T', ' ')} UTC by relayed`);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  test.concurrent('a mailbox is named by its address', async () => {
    const quiet = Array.from({ length: 240 }, (_, index) => ({ sender: `user${index % 20}@contoso.com` }));
    const burst = relayRows(300).map((row) => ({ ...row, sender: 'ann@contoso.com', fromIp: '' }));
    writeFileSync(at('mailbox.csv'), traceCsv([...quiet, ...burst]));
    const domains = ['--accepted-domains', 'contoso.com', '--quiet'];
    const { stdout } = await call('scan', 'mailbox.csv', ...domains, '--output', 'ndjson');
    const { event } = JSON.parse(stdout.split('\n')[0]);
    const page = await explain(event.id, 'mailbox.csv', ...domains);
    expect(page.stdout.replace(/\n */g, ' ')).toContain('For the mailbox ann@contoso.com it counts recipients');
    expect(event.reason).toMatch(/^\d+ recipients in .* expected \(95 % up to \d+\); evidence .* to 1; since 10:00: /);
  });

  test.concurrent('an incident that is not there is exit 1, with those that are', async () => {
    const { status, stdout, stderr } = await explain('rw-0123456789abcdef', EXAMPLE, ...DOMAINS, '--quiet');
    expect(stderr).toContain(`have no incident rw-0123456789abcdef.\nThey have ${incident.event.id}. Give all exports`);
    expect([status, stdout]).toEqual([1, '']);
  });

  test.concurrent('stdin holds rows as files do; a file that is missing beside them is exit 1', async () => {
    const domains = ['--accepted-domains', 'contoso.com', '--quiet'];
    const { stdout } = await call('scan', 'relay.csv', ...domains, '--output', 'ndjson');
    const { id } = JSON.parse(stdout).event;
    const input = traceCsv(relayRows(200));
    const piped = await run(['explain', id, '-', ...domains], { cwd: folder, input });
    expect([piped.status, piped.stderr]).toEqual([0, '']);
    expect(piped.stdout).toMatch(new RegExp(`^${id}: relay, `));
    const beside = await explain(id, 'relay.csv', 'missing.csv', ...domains);
    expect(beside.stderr).toMatch(/refused missing\.csv/);
    expect([beside.status, beside.stdout]).toEqual([1, piped.stdout]);
  });
});

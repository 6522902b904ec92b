import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepareInputs } from '../../../src/runtime/inputs.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-symptoms-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Warnings about a file with these times and subjects. */
async function warningsOf(rows: readonly [time: string, subject: string][], prefix = ''): Promise<string[]> {
  const file = path.join(folder, 'trace.csv');
  const lines = rows.map(([time, subject], i) => `${time},ann@contoso.com,bob@fabrikam.example,${subject},<${i}@x>`);
  writeFileSync(file, `${prefix}Received,SenderAddress,RecipientAddress,Subject,MessageId\n${lines.join('\n')}\n`);
  const inputs = await prepareInputs({
    paths: [file],
    format: null,
    dateOrder: null,
    reader: 'js',
    tenantKey: 'test',
    sinceMs: null,
    untilMs: null,
    nowMs: Date.UTC(2026, 5, 1),
  });
  await inputs.dispose();
  return inputs.ledgerFiles[0].warnings;
}

const TIME = '2026-05-04T10:00:00';
const lost: [string, string][] = [
  [TIME, 'Gr??e'],
  [TIME, 'M?ller'],
  [TIME, '???? ??'],
];

test('times with and without a zone are told, with the smallest example', async () => {
  const mixed: [string, string][] = [
    [`${TIME}Z`, 'a'],
    ['2026-05-04T11:00:00', 'b'],
    [TIME, 'c'],
  ];
  const [warning, ...others] = await warningsOf(mixed);
  expect(warning).toMatch(/some have none, such as "2026-05-04T10:00:00": those are read as UTC/);
  expect(others).toEqual([]);
  expect(await warningsOf(mixed.toReversed())).toEqual([warning]);
});

test.each([
  ['all with a zone', [`${TIME}Z`, `${TIME}+02:00`, '2026-05-04T10:00:00.123-0500']],
  ['none with a zone', [TIME, '2026-05-04 10:00:01', '2026-05-04T10:00:02.1234567']],
])('%s: nothing to be told', async (_, times) => {
  expect(await warningsOf(times.map((time) => [time, 'Hello']))).toEqual([]);
});

test('letters that Windows PowerShell lost are told', async () => {
  const [warning] = await warningsOf(lost, '#TYPE Deserialized.Microsoft\n');
  expect(warning).toMatch(/letters of subjects were lost as "\?", such as "\?\?\?\? \?\?": .*-Encoding UTF8/);
});

test('question marks that were meant are none of them', async () => {
  const meant = ['Really?', 'Why? Because!', 'What???', 'a?b'].map((subject): [string, string] => [TIME, subject]);
  expect(await warningsOf([...meant, ...meant])).toEqual([]);
  // Other letters were kept, so these were meant too.
  expect(await warningsOf([...lost, [TIME, 'Größe']])).toEqual([]);
  const rare = Array.from({ length: 997 }, (): [string, string] => [TIME, 'Hello']);
  expect(await warningsOf([...rare, ...lost])).toEqual([]);
});

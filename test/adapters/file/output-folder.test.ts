import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createOutputFolder } from '../../../src/adapters/file/output-folder.ts';
import type { OutputWrite } from '../../../src/core/delivery.ts';
import {
  alertWrite,
  deadLetterWrite,
  describeOutputStoreContract,
  findingWrite,
  incidentDocument,
  incidentWrite,
  ledgerWrite,
} from '../contract/output-store.ts';
import { random, runAndKill } from './killed.ts';

type Json = Record<string, unknown>;

let root = '';
let folder = '';
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'relaywatch-output-test-'));
});
beforeEach(() => {
  folder = join(root, String(count++));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const FOLDERS = { incident: 'incidents', ledger: 'ledger', finding: 'findings' };
const LINES = { alert: 'alerts.ndjson', dead_letter: 'dead-letters.ndjson' };

/** The lines of a file, each of which must be whole. */
function lines(name: string): Json[] {
  const text = existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '';
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

async function documents(kind: OutputWrite['kind']): Promise<Map<string, Json>> {
  if (kind === 'alert' || kind === 'dead_letter') {
    return new Map(lines(LINES[kind]).map(({ _id, ...document }) => [String(_id), document]));
  }
  const found = new Map<string, Json>();
  const within = join(folder, FOLDERS[kind]);
  for (const name of await readdir(within)) {
    found.set(name.replace('.json', ''), JSON.parse(await readFile(join(within, name), 'utf8')));
  }
  return found;
}

async function triage(id: string, said: Json): Promise<void> {
  const file = join(folder, 'incidents', `${id}.json`);
  const document = JSON.parse(await readFile(file, 'utf8'));
  document.relaywatch.triage = said;
  await writeFile(file, JSON.stringify(document));
}

describeOutputStoreContract(
  'A folder',
  async () => {
    const store = createOutputFolder(folder);
    const another = createOutputFolder(folder);
    const close = async () => {
      await store.close();
      await another.close();
    };
    return { store, another, documents, triage, close };
  },
  { strict: false },
);

describe('an output folder', () => {
  test('repairs a line that was torn, and knows what is in the others', async () => {
    const store = createOutputFolder(folder);
    await store.deliver([alertWrite('a'), deadLetterWrite('b')]);
    await store.close();
    appendFileSync(join(folder, 'alerts.ndjson'), '{"_id":"torn","@timest');
    appendFileSync(join(folder, 'dead-letters.ndjson'), 'a line of somebody else\n{"x":1}\n{"');
    const again = createOutputFolder(folder);
    expect(await again.knownAlerts(['a', 'torn'])).toEqual(new Set(['a']));
    expect(await again.deliver([alertWrite('torn'), alertWrite('a'), deadLetterWrite('b')])).toMatchObject({
      written: 1,
      unchanged: 2,
    });
    expect(lines('alerts.ndjson').map(({ _id }) => _id)).toEqual(['a', 'torn']);
    expect(readFileSync(join(folder, 'dead-letters.ndjson'), 'utf8')).toMatch(/\n\{"x":1\}\n$/);
    await again.close();
  });

  test('makes no path of an id', async () => {
    const store = createOutputFolder(folder);
    const ids = ['../escaped', 'a/b', 'CON', 'con', 'nul.x', '..', '.hidden', 'ends.', 'Rw-1', 'x'.repeat(300), ''];
    await store.deliver(ids.map((id) => findingWrite(id, 1)));
    const names = readdirSync(join(folder, 'findings'));
    expect(names).toHaveLength(ids.length);
    for (const name of names) expect(name).toMatch(/^id-[0-9a-f]{64}\.json$/);
    expect(readdirSync(root).filter((name) => name.startsWith('escaped'))).toEqual([]);
    await store.close();
  });

  test('keeps what a person writes into an incident at the same moment', async () => {
    const store = createOutputFolder(folder);
    await store.deliver([incidentWrite('rw-1')]);
    for (let recipients = 20; recipients < 60; recipients++) {
      const delivering = store.deliver([incidentWrite('rw-1', { document: incidentDocument('rw-1', recipients) })]);
      for (let turn = 0; turn < recipients % 12; turn++) await new Promise((resolve) => setImmediate(resolve));
      const file = join(folder, 'incidents', 'rw-1.json');
      const document = JSON.parse(readFileSync(file, 'utf8'));
      document.relaywatch.triage = { note: `${recipients}` };
      writeFileSync(file, JSON.stringify(document));
      await delivering;
      const { relaywatch } = (await documents('incident')).get('rw-1') as { relaywatch: Json };
      expect(relaywatch.triage).toEqual({ note: `${recipients}` });
    }
    await store.close();
  });

  test('says which file was broken by an editor', async () => {
    const store = createOutputFolder(folder);
    await store.deliver([incidentWrite('rw-1'), ledgerWrite('file', 1)]);
    writeFileSync(join(folder, 'incidents', 'rw-1.json'), '{"relaywatch":');
    await expect(store.deliver([incidentWrite('rw-1')])).rejects.toMatchObject({
      code: 'output_damaged',
      message: expect.stringContaining('rw-1.json'),
    });
    expect(await store.deliver([ledgerWrite('file', 1)])).toMatchObject({ written: 0, unchanged: 1 });
    await store.close();
  });

  test('says what to do about a folder that it cannot write', async () => {
    writeFileSync(folder, 'a file');
    const store = createOutputFolder(folder);
    await expect(store.deliver([alertWrite('a')])).rejects.toMatchObject({ code: 'state_not_writable' });
  });

  test('loses nothing and tears nothing when it is killed at any moment', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    const chance = random(seed);
    let next = 0;
    const safe: number[] = [];
    for (let round = 0; round < 5; round++) {
      const output = await runAndKill('output-child.ts', [folder, String(next)], chance() * 100);
      safe.push(...output.map((line) => Number.parseInt(line, 10)));
      const store = createOutputFolder(folder);
      const ids = safe.map((number) => `alert-${number}`);
      expect(await store.knownAlerts(ids), `seed ${seed}`).toEqual(new Set(ids));
      await store.deliver([deadLetterWrite(`round-${round}`)]);
      await store.close();
      const letters = lines('dead-letters.ndjson').map(({ _id }) => _id);
      expect(new Set(letters).size).toBe(letters.length);
      expect(letters, `seed ${seed}`).toEqual(expect.arrayContaining(safe.map((number) => `letter-${number}`)));
      const ledger = (await documents('ledger')).get('file') as { relaywatch: { sequence: number } };
      expect(ledger.relaywatch.sequence, `seed ${seed}`).toBeGreaterThanOrEqual(safe.at(-1) ?? 0);
      expect(readdirSync(join(folder, 'ledger')), `seed ${seed}`).toEqual(['file.json']);
      // The one that was under way comes again.
      next = (safe.at(-1) ?? -1) + 1;
    }
    expect(next).toBeGreaterThan(10);
  });
});

/**
 * Nothing lost: whatever an export holds, every row of it is counted once, and either reader says the same.
 * Every fixture, and broken copies of generated exports. `RELAYWATCH_SEED=N` repeats a run.
 */

import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addAttack } from '../../bench/traffic/attack.ts';
import { type ExportFormat, exportFiles } from '../../bench/traffic/export-files.ts';
import type { ExportEncoding } from '../../bench/traffic/export-text.ts';
import { generateBackground } from '../../bench/traffic/world.ts';
import type { Ledger, RowCounts } from '../../src/core/ledger.ts';
import { DEAD_LETTER_CODES, DROP_REASONS, REFUSAL_CODES, RelaywatchError } from '../../src/core/outcome.ts';
import { evidenceNdjson, incidentsNdjson } from '../../src/reports/ndjson.ts';
import { type ReaderName, scan } from '../../src/runtime/scan.ts';

const SEED = Number(process.env.RELAYWATCH_SEED ?? Math.floor(Math.random() * 2 ** 31));
const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');
const NOW_MS = Date.UTC(2026, 10, 1);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-ledger-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Outcome = { ledger: Ledger; incidents: string; evidence: string; warnings: string[] } | { refused: string };

/** What a scan says; a refusal of the whole run is a value too, anything else that is thrown is a defect. */
async function outcome(paths: string[], reader: ReaderName): Promise<Outcome> {
  try {
    const { ledger, incidents, evidence, warnings } = await scan({
      paths,
      tenant: { key: 'default', acceptedDomains: null, licenses: null, timeZone: 'UTC' },
      range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs: NOW_MS },
      format: null,
      dateOrder: null,
      reader,
      evidenceRows: 10,
      fileHashes: true,
      memoryMiB: 1024,
      temporaryFolder: folder,
    });
    return {
      ledger,
      warnings,
      incidents: incidentsNdjson(incidents),
      evidence: evidenceNdjson(evidence, ledger.files),
    };
  } catch (error) {
    if (!(error instanceof RelaywatchError)) throw error;
    expect([error.code, error.exitCode]).toEqual([expect.stringMatching(/^(ambiguous_dates|several_tenants)$/), 2]);
    expect(error.message).not.toBe('');
    expect(error.hint).not.toBe('');
    return { refused: error.message };
  }
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);
}

function counted({ accepted, duplicate, updated, folded, dropped, dead_lettered: letters }: RowCounts): number {
  return accepted + duplicate + updated + folded + sum(dropped) + sum(letters);
}

function checkLedger({ files, totals }: Ledger): void {
  for (const { path, rows, records, refused, first, last, sha256, format } of files) {
    expect(rows.read, path).toBe(counted(rows));
    for (const code of Object.keys(rows.dead_lettered)) expect(DEAD_LETTER_CODES).toContain(code);
    for (const reason of Object.keys(rows.dropped)) expect(DROP_REASONS).toContain(reason);
    if (refused !== null) {
      expect(REFUSAL_CODES).toContain(refused.code);
      expect([refused.message === '', rows.read, records]).toEqual([false, 0, 0]);
    } else {
      expect(sha256, path).toMatch(/^[0-9a-f]{64}$/);
      // A record with several recipients is several rows.
      expect(rows.read, path).toBeGreaterThanOrEqual(records);
      if (rows.read > 0) expect(format, path).not.toBeNull();
    }
    const accepted = rows.read - sum(rows.dropped) - sum(rows.dead_lettered);
    expect([first !== null, last !== null], path).toEqual([accepted > 0, accepted > 0]);
    if (first !== null && last !== null) expect(first <= last, path).toBe(true);
  }
  expect(totals.files).toBe(files.length);
  expect(totals.refused).toBe(files.filter((file) => file.refused !== null).length);
  expect(totals.records).toBe(files.reduce((total, file) => total + file.records, 0));
  expect(totals.rows.read).toBe(counted(totals.rows));
  for (const count of ['read', 'accepted', 'duplicate', 'updated', 'folded'] as const) {
    expect(totals.rows[count]).toBe(files.reduce((total, file) => total + file.rows[count], 0));
  }
  for (const kind of ['dropped', 'dead_lettered'] as const) {
    expect(sum(totals.rows[kind])).toBe(files.reduce((total, file) => total + sum(file.rows[kind]), 0));
  }
}

/** Scans with one reader and with the other, and gives what both said. */
async function checked(paths: string[]): Promise<Outcome> {
  const first = await outcome(paths, 'js');
  if ('ledger' in first) checkLedger(first.ledger);
  expect(await outcome(paths, 'fast-csv')).toEqual(first);
  return first;
}

const fixtures = readdirSync(FIXTURES, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !entry.name.includes('.expected.'))
  .map((entry) => path.relative(FIXTURES, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
  .sort();

describe('every fixture is counted whole', () => {
  test('there are fixtures', () => expect(fixtures.length).toBeGreaterThan(20));

  test.each(fixtures)('%s', async (name) => {
    const result = await checked([path.join(FIXTURES, name)]);
    if ('refused' in result) return;
    const copy = path.join(folder, `copy-${path.basename(name)}`);
    copyFileSync(path.join(FIXTURES, name), copy);
    const both = await checked([path.join(FIXTURES, name), copy]);
    if ('refused' in both) throw new Error(both.refused);
    const [once, twice] = [result.ledger.totals.rows, both.ledger.totals.rows];
    expect([twice.accepted, twice.updated, twice.read]).toEqual([once.accepted, once.updated, 2 * once.read]);
    expect(both.incidents).toBe(result.incidents);
  });

  test('all of them together, as a folder', async () => {
    const clean = fixtures.filter((name) => !name.startsWith('refused/'));
    const result = await checked(clean.map((name) => path.join(FIXTURES, name)));
    if ('ledger' in result) expect(result.ledger.files).toHaveLength(clean.length);
  });
});

/** What happens to files between an export and its scan. */
type Damage =
  | { kind: 'cut'; at: number }
  | { kind: 'flip'; at: number; bit: number }
  | { kind: 'insert'; at: number; bytes: Uint8Array }
  | { kind: 'drop'; at: number; length: number }
  /** A stretch of the file is written over another place of it. */
  | { kind: 'splice'; from: number; length: number; at: number }
  /** Another export follows without a line end. */
  | { kind: 'append'; at: number };

/** A place in a file, all equally likely: most damage at its start would make it another kind of file. */
const part = fc.noBias(fc.integer({ min: 0, max: 999_999 })).map((parts) => parts / 1_000_000);
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: part }),
  fc.record({ kind: fc.constant('flip' as const), at: part, bit: fc.integer({ min: 0, max: 7 }) }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: part,
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 20 }),
      fc
        .constantFrom(
          '"',
          '""',
          '\r',
          '\n',
          '\r\n',
          ',',
          ';',
          '\t',
          '\0',
          '\ufeff',
          '"\n"',
          '{',
          '}',
          '[',
          '\\',
          '\u2028',
          '#TYPE x\r\n',
        )
        .map((text) => new Uint8Array(Buffer.from(text, 'utf8'))),
    ),
  }),
  fc.record({ kind: fc.constant('drop' as const), at: part, length: fc.integer({ min: 1, max: 400 }) }),
  fc.record({ kind: fc.constant('splice' as const), from: part, length: fc.integer({ min: 1, max: 2_000 }), at: part }),
  fc.record({ kind: fc.constant('append' as const), at: part }),
);

function damaged(bytes: Buffer, some: Damage): Buffer {
  const place = (at: number): number => Math.floor(at * bytes.length);
  switch (some.kind) {
    case 'cut':
      return bytes.subarray(0, place(some.at));
    case 'flip': {
      const copy = Buffer.from(bytes);
      if (copy.length > 0) copy[Math.min(place(some.at), copy.length - 1)] ^= 1 << some.bit;
      return copy;
    }
    case 'insert':
      return Buffer.concat([bytes.subarray(0, place(some.at)), some.bytes, bytes.subarray(place(some.at))]);
    case 'drop':
      return Buffer.concat([bytes.subarray(0, place(some.at)), bytes.subarray(place(some.at) + some.length)]);
    case 'splice': {
      const stretch = bytes.subarray(place(some.from), place(some.from) + some.length);
      return Buffer.concat([bytes.subarray(0, place(some.at)), stretch, bytes.subarray(place(some.at))]);
    }
    case 'append':
      return Buffer.concat([bytes, bytes.subarray(place(some.at))]);
  }
}

const FORMATS: readonly ExportFormat[] = [
  'enhanced-summary',
  'message-trace-v1',
  'message-trace-v2',
  'message-trace-json',
  'message-trace-ndjson',
];
const ENCODINGS: readonly ExportEncoding[] = ['utf8', 'utf8-bom', 'utf16le', 'utf16le-bom', 'utf16be-bom'];
const DATES = ['iso', 'us', 'german'] as const;

/** Two days of a small tenant under attack, in every format. */
function exportsOf(format: ExportFormat): Buffer[] {
  const startMs = Date.UTC(2026, 0, 12);
  const background = generateBackground({ seed: `ledger/${SEED}`, startMs, days: 2, rowsPerDay: 40 });
  const attack = { kind: 'relay', id: 'a', startMs: startMs + 30 * 3_600_000, hours: 1 } as const;
  const source = { ip: '192.0.2.25', connector: 'Inbound' };
  addAttack(background, { ...attack, recipientsPerHour: 90, domains: { count: 2 }, source });
  return ENCODINGS.flatMap((encoding) =>
    DATES.flatMap((dates) =>
      [...exportFiles(background.traffic, { format, encoding, dates })].map((file) => file.bytes),
    ),
  );
}

describe(`broken exports are counted whole (RELAYWATCH_SEED=${SEED})`, () => {
  const seen = { runs: 0, withIncidents: 0, withDeadLetters: 0 };

  test.each(FORMATS)(
    '%s',
    async (format) => {
      const originals = exportsOf(format);
      const input = fc.record({
        original: fc.integer({ min: 0, max: originals.length - 1 }),
        damages: fc.array(damage, { minLength: 1, maxLength: 6 }),
        beside: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(input, async ({ original, damages, beside }) => {
          const into = path.join(folder, `${format}-${seen.runs++}`);
          mkdirSync(into);
          const paths = [path.join(into, 'broken')];
          writeFileSync(paths[0], damages.reduce(damaged, originals[original]));
          if (beside) {
            paths.push(path.join(into, 'whole'));
            writeFileSync(paths[1], originals[original]);
          }
          const result = await checked(paths);
          rmSync(into, { recursive: true });
          if ('refused' in result) return;
          if (result.incidents !== '') seen.withIncidents++;
          if (sum(result.ledger.totals.rows.dead_lettered) > 0) seen.withDeadLetters++;
        }),
        { numRuns: 40, seed: SEED + FORMATS.indexOf(format) },
      );
    },
    60_000,
  );

  test('enough of them were neither refused whole nor unharmed', () => {
    expect(seen.withIncidents).toBeGreaterThan(seen.runs / 4);
    expect(seen.withDeadLetters).toBeGreaterThan(seen.runs / 8);
  });
});

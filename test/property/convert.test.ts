/**
 * The promise of `convert`: the same rows, in any order, split into any files, repeated, in any format of the tenant
 * and through any reader, give the same bytes. `RELAYWATCH_SEED=N` repeats a run.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { traceCsv } from '../../src/reports/trace-csv.ts';
import { traceNdjson } from '../../src/reports/trace-document.ts';
import { convert } from '../../src/runtime/convert.ts';
import type { ReaderName } from '../../src/runtime/inputs.ts';
import { type Arranged, type SmallTenant, smallTenant, type TenantKind, writeArranged, writePlain } from './tenants.ts';

const SEED = Number(process.env.RELAYWATCH_SEED ?? Math.floor(Math.random() * 2 ** 31));
const ARRANGEMENTS = 10;

const KINDS: readonly TenantKind[] = [
  { name: 'Get-MessageTrace', shapes: ['trace-v1', 'trace-v2', 'json', 'ndjson'], listed: true, attack: 'relay' },
  { name: 'Enhanced summary, domains inferred', shapes: ['summary'], listed: false, attack: 'mailbox' },
  { name: 'both formats', shapes: ['trace-v1', 'json', 'summary'], listed: true, attack: 'rotation', sinceHours: 20 },
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-convert-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function converted(
  tenant: SmallTenant,
  reader: ReaderName,
  memoryMiB: number,
  write: (into: string) => Arranged,
): Promise<{ ndjson: string; csv: string; rows: number; accepted: number }> {
  const into = path.join(folder, 'files');
  mkdirSync(into);
  try {
    const { paths } = write(into);
    const text = { ndjson: '', csv: '', rows: 0 };
    const { tenant: settings, range, format, dateOrder } = tenant.options;
    const options = { tenant: settings, range, format, dateOrder, paths, reader, memoryMiB, temporaryFolder: folder };
    const { ledger } = await convert(options, async (rows, organization) => {
      text.ndjson += traceNdjson(rows, organization);
      text.csv += await traceCsv(rows, organization, false);
      text.rows += rows.length;
      return true;
    });
    return { ...text, accepted: ledger.totals.rows.accepted };
  } finally {
    rmSync(into, { recursive: true });
  }
}

describe(`the same rows convert to the same bytes (RELAYWATCH_SEED=${SEED})`, () => {
  test.each(KINDS.map((kind) => [kind.name, kind] as const))(
    '%s',
    async (_, kind) => {
      const tenant = smallTenant(kind, `${SEED}/convert`);
      const plain = await converted(tenant, 'js', 256, (into) => writePlain(tenant, into));
      expect(plain.rows).toBeGreaterThan(100);
      expect(plain.rows).toBe(plain.accepted);
      const times = plain.ndjson
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)['@timestamp'] as string);
      expect(times).toEqual(times.toSorted());
      const arrangement = fc.record({
        reader: fc.constantFrom('js' as const, 'fast-csv' as const),
        memoryMiB: fc.constantFrom(64, 256),
        files: fc.integer({ min: 1, max: 4 }),
        repeats: fc.constantFrom(0, 0.5),
        skewed: fc.boolean(),
        folder: fc.boolean(),
        seed: fc.nat(),
      });
      await fc.assert(
        fc.asyncProperty(arrangement, async ({ reader, memoryMiB, ...arranged }) => {
          const result = await converted(tenant, reader, memoryMiB, (into) => writeArranged(tenant, arranged, into));
          expect(result).toEqual(plain);
        }),
        { numRuns: ARRANGEMENTS, seed: SEED },
      );
    },
    60_000,
  );
});

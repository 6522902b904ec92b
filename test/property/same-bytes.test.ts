/**
 * The promise of `scan`: the same rows, in any order, split into any files, repeated or overlapping, through
 * any reader, give the same bytes. `RELAYWATCH_SEED=N` repeats a run; the seed stands in the name of the suite.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { detectors } from '../../src/config/registry.ts';
import type { RowCounts } from '../../src/core/ledger.ts';
import { incidentsNdjson } from '../../src/reports/ndjson.ts';
import { incidentTable } from '../../src/reports/table.ts';
import { type ScanResult, scan } from '../../src/runtime/scan.ts';
import {
  type Arranged,
  expectedCounts,
  type SmallTenant,
  smallTenant,
  type TenantKind,
  writeArranged,
  writePlain,
} from './tenants.ts';

const SEED = Number(process.env.RELAYWATCH_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Tenants of each kind, and arrangements of each tenant: 10 x 3 x 34 = 1,020 cases. */
const TENANTS = 3;
const ARRANGEMENTS = 34;

const KINDS: readonly TenantKind[] = [
  { name: 'Get-MessageTrace as CSV', shapes: ['trace-v1'], listed: true, attack: 'relay' },
  {
    name: 'Get-MessageTrace with an organization',
    shapes: ['trace-v1'],
    listed: true,
    attack: 'mailbox',
    organization: 'contoso.onmicrosoft.com',
  },
  { name: 'Get-MessageTrace, domains inferred', shapes: ['trace-v1'], listed: false, attack: 'rotation' },
  {
    name: 'Get-MessageTraceV2 as CSV and JSON',
    shapes: ['trace-v2', 'json', 'ndjson'],
    listed: true,
    attack: 'batches',
    timeZone: 'Europe/Berlin',
  },
  { name: 'JSON, domains inferred', shapes: ['json', 'ndjson'], listed: false, attack: 'relay' },
  { name: 'Enhanced summary', shapes: ['summary'], listed: true, attack: 'batches' },
  { name: 'Enhanced summary, domains inferred', shapes: ['summary'], listed: false, attack: 'mailbox' },
  { name: 'both formats', shapes: ['trace-v1', 'trace-v2', 'json', 'summary'], listed: true, attack: 'rotation' },
  {
    name: 'both formats, domains inferred, from a time on',
    shapes: ['trace-v2', 'summary'],
    listed: false,
    attack: 'relay',
    sinceHours: 30,
  },
  {
    name: 'culture dates',
    shapes: ['trace-v1', 'trace-v2'],
    listed: true,
    attack: 'relay',
    dates: ['iso', 'us'],
    dateOrder: 'mdy',
  },
];

let folder: string;
let cases = 0;
let tenantsWithIncidents = 0;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-property-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function outputOf(result: ScanResult): { ndjson: string; table: string } {
  const table = incidentTable({
    incidents: result.incidents,
    summary: result.summary,
    inferred: result.inferred !== null,
    tenant: null,
    guides: detectors,
    colour: false,
  });
  return { ndjson: incidentsNdjson(result.incidents), table };
}

/** Scans files that `write` puts into a folder of their own. */
async function scanWritten(
  tenant: SmallTenant,
  reader: 'js' | 'fast-csv',
  write: (into: string) => Arranged,
): Promise<{ result: ScanResult; written: Arranged['written'] }> {
  const into = path.join(folder, 'files');
  mkdirSync(into);
  try {
    const { paths, written } = write(into);
    return { result: await scan({ ...tenant.options, paths, reader, temporaryFolder: folder }), written };
  } finally {
    rmSync(into, { recursive: true });
  }
}

/** The counts that order and split must not change, as the rows written make them. */
function expectedTotals(tenant: SmallTenant, plain: RowCounts, written: Arranged['written']): RowCounts {
  const { read, dropped, deadLettered } = expectedCounts(written, tenant.options.range.sinceMs);
  const letters = Object.values(deadLettered).reduce((sum, count) => sum + count, 0);
  return {
    read,
    accepted: plain.accepted,
    duplicate: read - plain.accepted - plain.updated - dropped - letters,
    updated: plain.updated,
    folded: 0,
    dropped: dropped === 0 ? {} : { out_of_range: dropped },
    dead_lettered: deadLettered,
  };
}

describe(`the same rows give the same bytes (RELAYWATCH_SEED=${SEED})`, () => {
  const tenants = KINDS.flatMap((kind) =>
    Array.from({ length: TENANTS }, (_, index) => [kind.name, index, kind] as const),
  );

  test.each(tenants)(
    '%s, tenant %i',
    async (_, index, kind) => {
      const tenant = smallTenant(kind, `${SEED}/${index}`);
      const plain = await scanWritten(tenant, 'js', (into) => writePlain(tenant, into));
      expect(plain.result.ledger.files.filter((file) => file.refused !== null)).toEqual([]);
      const { rows } = plain.result.ledger.totals;
      expect(rows).toEqual(expectedTotals(tenant, rows, plain.written));
      const wanted = outputOf(plain.result);
      if (plain.result.incidents.length > 0) tenantsWithIncidents++;

      const arrangement = fc.record({
        reader: fc.constantFrom('js' as const, 'fast-csv' as const),
        files: fc.integer({ min: 1, max: 4 }),
        repeats: fc.constantFrom(0, 0.2, 0.6),
        skewed: fc.boolean(),
        folder: fc.boolean(),
        seed: fc.nat(),
      });
      await fc.assert(
        fc.asyncProperty(arrangement, async ({ reader, ...arranged }) => {
          cases++;
          const { result, written } = await scanWritten(tenant, reader, (into) =>
            writeArranged(tenant, arranged, into),
          );
          expect(result.ledger.totals.rows).toEqual(expectedTotals(tenant, rows, written));
          expect(outputOf(result)).toEqual(wanted);
          expect(result.inferred).toEqual(plain.result.inferred);
        }),
        { numRuns: ARRANGEMENTS, seed: SEED + index },
      );
    },
    60_000,
  );

  test('was shown in enough cases, most of them with incidents', () => {
    expect(cases).toBeGreaterThanOrEqual(1000);
    expect(tenantsWithIncidents).toBeGreaterThanOrEqual(tenants.length * 0.8);
  });
});

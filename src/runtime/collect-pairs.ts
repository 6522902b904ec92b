/** What every look at whole exports begins with: all rows read, merged into pairs, and the tenant's domains known. */

import { AcceptedDomains, expandAcceptedDomains } from '../core/accepted-domains.ts';
import { PairCollector } from '../core/collect.ts';
import { ChosenTexts, ObservationCounts } from '../core/identity.ts';
import { DomainInference } from '../core/inference.ts';
import { emptyRowCounts, type FileLedger, type Ledger, type RowCounts } from '../core/ledger.ts';
import { RelaywatchError } from '../core/outcome.ts';
import type { SpillStore } from '../core/ports.ts';
import type { AcceptedDomain } from '../core/settings.ts';
import type { IdTexts } from '../core/tenant.ts';
import { type InputProgress, type PreparedInputs, type ReadOptions, readInputs } from './inputs.ts';

const MIB = 1_048_576;
/** Memory that the process needs besides records: Node, buffers for reading, what the walk remembers. */
const PROCESS_MIB = 112;
const SMALLEST_TABLE_MIB = 16;
const INFERRED_FROM = 'domains that send without FromIP, or receive mail that comes in';

export interface CollectOptions extends ReadOptions {
  tenant: { key: string; acceptedDomains: readonly AcceptedDomain[] | null };
  memoryMiB: number;
  /** Rows of several tenants are no error: the inputs know whose rows are which. */
  takesSeveralTenants: boolean;
  /** Told of every merged pair, in any order: the words of its record begin at `base`. */
  onPair?: (words: Uint32Array, base: number) => void;
  onProgress?: (progress: InputProgress) => void;
}

export interface CollectedPairs {
  collector: PairCollector;
  ids: IdTexts;
  chosen: ChosenTexts;
  accepted: AcceptedDomains;
  /** Accepted domains that were inferred, with what they were inferred from; null where a list was given. */
  inferred: { domains: AcceptedDomain[]; from: string } | null;
  /** Of the rows; null where no row names one. */
  organization: { id?: string; name?: string } | null;
  ledger: Ledger;
}

/** Throws (exit 2) for the rows of two tenants. */
export async function collectPairs(
  prepared: PreparedInputs,
  spill: SpillStore,
  options: CollectOptions,
): Promise<CollectedPairs> {
  const { dictionaries } = prepared;
  const ids = {
    domain: (id: number) => dictionaries.domains.text(id),
    source: (id: number) => dictionaries.sources.text(id),
    connector: (id: number) => dictionaries.connectors.text(id),
  };
  const counts = new ObservationCounts();
  const chosen = new ChosenTexts();
  const collector = new PairCollector({
    counts,
    chosen,
    ids,
    texts: prepared.textSource,
    memoryBytes: Math.max(SMALLEST_TABLE_MIB, options.memoryMiB - PROCESS_MIB) * MIB,
    spill,
  });
  await readInputs(prepared, collector, options.onProgress, options);
  if (!options.takesSeveralTenants) expectOneTenant(prepared);
  const { tenant, onPair } = options;
  const inference = tenant.acceptedDomains === null ? new DomainInference() : null;
  collector.merge((words, base) => {
    inference?.add(words, base);
    onPair?.(words, base);
  });
  const inferred = inference === null ? null : inference.domains(ids.domain);
  const list = tenant.acceptedDomains ?? inferred ?? [];
  return {
    collector,
    ids,
    chosen,
    accepted: new AcceptedDomains(expandAcceptedDomains(list, prepared.organizations.names, tenant.key)),
    inferred: inferred === null ? null : { domains: inferred, from: INFERRED_FROM },
    organization: organizationOf(prepared),
    ledger: ledgerOf(prepared.ledgerFiles, counts),
  };
}

function expectOneTenant({ organizations: { ids, names } }: PreparedInputs): void {
  const several = ids.length > 1 ? ids : names.length > 1 ? names : null;
  if (several !== null) {
    throw new RelaywatchError({
      code: 'several_tenants',
      message: `the exports are of ${several.length} tenants: ${several.slice(0, 5).join(', ')}`,
      hint: 'Give the exports of one tenant at a time.',
      exitCode: 2,
    });
  }
}

function organizationOf({ organizations: { ids, names } }: PreparedInputs): { id?: string; name?: string } | null {
  if (ids.length === 0 && names.length === 0) return null;
  return {
    ...(ids.length === 0 ? {} : { id: ids[0] }),
    ...(names.length === 0 ? {} : { name: names[0] }),
  };
}

/** Completes the ledger with what identity made of the observations. */
function ledgerOf(files: FileLedger[], counts: ObservationCounts): Ledger {
  const totals = { files: files.length, refused: 0, records: 0, rows: emptyRowCounts() };
  files.forEach((file, index) => {
    file.rows.accepted = counts.accepted[index] ?? 0;
    file.rows.duplicate = counts.duplicate[index] ?? 0;
    file.rows.updated = counts.updated[index] ?? 0;
    file.rows.folded = counts.folded[index] ?? 0;
    if (file.refused !== null) totals.refused++;
    totals.records += file.records;
    addRows(totals.rows, file.rows);
  });
  return { files, totals };
}

function addRows(totals: RowCounts, rows: RowCounts): void {
  for (const count of ['read', 'accepted', 'duplicate', 'updated', 'folded'] as const) totals[count] += rows[count];
  for (const kind of ['dropped', 'dead_lettered'] as const) {
    const sums: Partial<Record<string, number>> = totals[kind];
    for (const [name, number] of Object.entries(rows[kind])) sums[name] = (sums[name] ?? 0) + number;
  }
}

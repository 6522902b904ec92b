/** `convert`: exports in, canonical rows out: merged pairs in the order of event time, whatever they came from. */

import { SpillFolder } from '../adapters/file/spill-folder.ts';
import { type CanonicalRow, canonicalRow } from '../core/canonical-row.ts';
import type { Ledger } from '../core/ledger.ts';
import type { AcceptedDomain, DetectionRange, TenantSettings } from '../core/settings.ts';
import { TenantModel } from '../core/tenant.ts';
import { type CollectedPairs, collectPairs } from './collect-pairs.ts';
import type { DeadLetterWriter } from './dead-letters/file.ts';
import { type InputProgress, prepareInputs, type ReaderName } from './inputs.ts';

/** Rows that are handed on at once. */
const BATCH_ROWS = 1024;

export interface ConvertOptions {
  /** Files and folders; `-` is stdin. */
  paths: string[];
  tenant: Pick<TenantSettings, 'key' | 'acceptedDomains'>;
  range: Pick<DetectionRange, 'sinceMs' | 'untilMs' | 'nowMs'>;
  /** Format id, or null to recognise it. */
  format: string | null;
  dateOrder: 'mdy' | 'dmy' | 'ymd' | null;
  reader: ReaderName;
  /** Rows are spilled to disk above it. */
  memoryMiB: number;
  temporaryFolder?: string;
  /** The ledger names the SHA-256 of every file. */
  fileHashes?: boolean;
  deadLetters?: DeadLetterWriter;
  onProgress?: (progress: InputProgress) => void;
}

export interface ConvertResult {
  ledger: Ledger;
  /** Accepted domains that were inferred; null where a list was given. */
  inferred: CollectedPairs['inferred'];
  /** Empty where none is known: rows then have no direction and no status of the sender. */
  acceptedDomains: readonly AcceptedDomain[];
  warnings: string[];
}

/** Takes rows; answers false where nobody wants more of them. */
export type TakeRows = (
  rows: readonly CanonicalRow[],
  organization: CollectedPairs['organization'],
) => Promise<boolean>;

/** Hands every row to `take`. Throws as `scan` does, before the first row. */
export async function convert(options: ConvertOptions, take: TakeRows): Promise<ConvertResult> {
  const { range, tenant, deadLetters } = options;
  const prepared = await prepareInputs({
    ...options,
    ...range,
    tenantKey: tenant.key,
    expand: true,
    hashesFirst: deadLetters !== undefined,
  });
  const spill = new SpillFolder(options.temporaryFolder);
  try {
    const pairs = await collectPairs(prepared, spill, {
      ...options,
      ...deadLetters?.of(prepared),
      takesSeveralTenants: false,
    });
    const { collector, ids, chosen, accepted, inferred, organization, ledger } = pairs;
    const model = accepted.list.length === 0 ? null : new TenantModel(accepted, ids);
    const sources = { tenant: model, ids, texts: prepared.textSource, chosen };
    let isWanted = true;
    for (const block of collector.blocks()) {
      for (let start = 0; start < block.count && isWanted; start += BATCH_ROWS) {
        const rows: CanonicalRow[] = [];
        const end = Math.min(start + BATCH_ROWS, block.count);
        for (let index = start; index < end; index++) rows.push(canonicalRow(block, index, sources));
        isWanted = await take(rows, organization);
      }
      if (!isWanted) break;
    }
    return { ledger, inferred, acceptedDomains: accepted.list, warnings: prepared.warnings };
  } finally {
    spill.dispose();
    await prepared.dispose();
  }
}

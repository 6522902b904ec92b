/** Findings on completeness: what may be missing, as documents that stand until it is mended. */

import { createHash } from 'node:crypto';
import { formatTime } from '../../core/calendar.ts';
import type { ReplaceWrite } from '../../core/delivery.ts';
import { ECS_VERSION } from '../../core/incident-document.ts';

export interface Finding {
  code: string;
  /** What the finding is about: a partition, a tenant. One finding per code and subject. */
  subject: string;
  tenant: string | null;
  state: 'open' | 'closed';
  /** For a person: what happened, to what, what to do. */
  message: string;
}

/** `sequence` grows with every change of the finding. */
export function findingWrite({ code, subject, tenant, state, message }: Finding, atMs: number): ReplaceWrite {
  const id = createHash('sha256')
    .update(JSON.stringify([code, subject]))
    .digest('hex')
    .slice(0, 24);
  return {
    kind: 'finding',
    id: `rwf-${id}`,
    sequence: atMs,
    document: {
      '@timestamp': formatTime(atMs),
      ecs: { version: ECS_VERSION },
      event: { kind: 'state', module: 'relaywatch', dataset: 'relaywatch.finding' },
      message,
      relaywatch: { ...(tenant === null ? {} : { tenant }), finding: { code, subject, state } },
    },
  };
}

/** Entries of the log were deleted before they were read. */
export function gapFinding(pipeline: string, partition: number, expected: number, found: number, atMs: number) {
  const message =
    `${found - expected} entries of partition ${partition} of the pipeline ${pipeline} are lost: the log no longer has ` +
    `${expected} to ${found - 1}. Rescan the archive over that time, and keep the log for at least seven days.`;
  const subject = `${pipeline}/${partition}/${expected}`;
  return findingWrite({ code: 'log_gap', subject, tenant: null, state: 'open', message }, atMs);
}

/** Rows came behind the seal and nothing rescans by itself. */
export function lateRowsFinding(tenant: string, fromMs: number, atMs: number): ReplaceWrite {
  const from = formatTime(fromMs).slice(0, 10);
  const message = `Rows of ${tenant} from ${from} came after their day was sealed. Run: relaywatch rescan --tenant ${tenant} --from ${from}`;
  return findingWrite({ code: 'late_rows', subject: `${tenant}/${from}`, tenant, state: 'open', message }, atMs);
}

/** The store refused documents for good: its mappings are not those of this version. */
export function refusedFinding(pipeline: string, count: number, atMs: number): ReplaceWrite {
  const message =
    `${count} documents of the pipeline ${pipeline} were refused by the store, for good: its templates are not those ` +
    'of this version. Run relaywatch setup, then relaywatch rescan over the days since.';
  return findingWrite({ code: 'documents_refused', subject: pipeline, tenant: null, state: 'open', message }, atMs);
}

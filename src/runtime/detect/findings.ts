/** Findings on completeness: what may be missing, as documents that stand until it is mended. */

import { createHash } from 'node:crypto';
import { formatTime } from '../../core/calendar.ts';
import type { OutputWrite, ReplaceWrite } from '../../core/delivery.ts';
import { ECS_VERSION } from '../../core/incident-document.ts';

export interface Finding {
  code: string;
  /** What the finding is about: a partition, a tenant. One finding per code and subject. */
  subject: string;
  tenant: string | null;
  state: 'open' | 'closed';
  /** For a person: what happened, to what, what to do. */
  message: string;
  /** Rows from this event time on are concerned, milliseconds; where it is missing that cannot be told. */
  sinceMs?: number;
}

/** `sequence` grows with every change of the finding. */
export function findingWrite({ code, subject, tenant, state, message, sinceMs }: Finding, atMs: number): ReplaceWrite {
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
      relaywatch: {
        ...(tenant === null ? {} : { tenant }),
        finding: { code, subject, state, ...(sinceMs === undefined ? {} : { since: formatTime(sinceMs) }) },
      },
    },
  };
}

/** Entries of the log were deleted before they were read, or before they could be read again. */
export function gapFinding(
  { pipeline, partition, tenant }: { pipeline: string; partition: number; tenant: string },
  { expected, found, sinceMs }: { expected: number; found: number; sinceMs: number },
  atMs: number,
): ReplaceWrite {
  const message =
    `${found - expected} entries of partition ${partition} of the pipeline ${pipeline} are lost: the log no longer has ` +
    `${expected} to ${found - 1}, and rows of ${tenant} may be among them. Keep the log for at least seven days. ` +
    rescanAdvice(tenant, sinceMs);
  const subject = `${pipeline}/${partition}/${expected}/${tenant}`;
  return findingWrite({ code: 'log_gap', subject, tenant, state: 'open', message, sinceMs }, atMs);
}

/** A tenant whose state is kept has lost its profile; `keptUntilMs` null where it is back. */
export function parkedFinding(
  pipeline: string,
  tenant: string,
  keptUntilMs: number | null,
  atMs: number,
): ReplaceWrite {
  const message =
    keptUntilMs === null
      ? `The tenant ${tenant} is in the pipeline ${pipeline} again.`
      : `The pipeline ${pipeline} has lost its tenant ${tenant}: its rows go to the dead letters. Give it its profile ` +
        `back; from ${dayText(keptUntilMs)} on its open days are no longer kept in the log, and are rescanned when it is back.`;
  const state = keptUntilMs === null ? 'closed' : 'open';
  return findingWrite({ code: 'tenant_lost', subject: `${pipeline}/${tenant}`, tenant, state, message }, atMs);
}

/** Rows came behind the seal and nothing rescans by itself. */
export function lateRowsFinding(tenant: string, sinceMs: number, atMs: number): ReplaceWrite {
  const message =
    `Rows of ${tenant} came after their day was sealed, or an incident that a rescan found may have ended. ` +
    rescanAdvice(tenant, sinceMs);
  const subject = `${tenant}/${dayText(sinceMs)}`;
  return findingWrite({ code: 'late_rows', subject, tenant, state: 'open', message, sinceMs }, atMs);
}

/** An export began and its end is missing, or came after all. */
export function unfinishedFinding(
  tenant: string,
  fileId: string,
  name: string,
  heardMs: number,
  isOpen: boolean,
  atMs: number,
): ReplaceWrite {
  const message = isOpen
    ? `The export ${name} of ${tenant} has no end: its last rows came at ${formatTime(heardMs)}. Who read it was ended, or ` +
      'it was removed while it was read. Hand it over again: what was counted is not counted twice.'
    : `The export ${name} of ${tenant} goes on, or has ended.`;
  const state = isOpen ? 'open' : 'closed';
  return findingWrite({ code: 'export_unfinished', subject: `${tenant}/${fileId}`, tenant, state, message }, atMs);
}

/**
 * The store refused documents for good: its mappings are not those of this version. `earlier` are the open findings of
 * the tenant: what was refused before stays in the finding.
 */
export function refusedFinding(
  { pipeline, tenant }: { pipeline: string; tenant: string },
  refused: readonly OutputWrite[],
  earlier: readonly Record<string, unknown>[],
  atMs: number,
): ReplaceWrite {
  const code = 'documents_refused';
  const subject = `${pipeline}/${tenant}`;
  const known = earlier.map(storedFinding).find((one) => one.code === code && one.subject === subject)?.since;
  const times = [
    ...refused.map(({ document }) => String(document['@timestamp'])),
    ...(known === undefined ? [] : [known]),
  ];
  const sinceMs = Math.min(...times.map((time) => Date.parse(time)).filter((timeMs) => !Number.isNaN(timeMs)), atMs);
  const message =
    `Documents of ${tenant === '' ? 'no known tenant' : tenant}, ${refused.length} of them just now, are refused by the ` +
    `store, for good: its templates are not those of this version. Run: relaywatch setup. ${rescanAdvice(tenant, sinceMs)}`;
  return findingWrite({ code, subject, tenant: tenant === '' ? null : tenant, state: 'open', message, sinceMs }, atMs);
}

/** Key of the tenant of a write; empty where it has none. */
export function tenantOf(write: OutputWrite): string {
  if (write.kind === 'incident') return write.tenant;
  return String((write.document.relaywatch as { tenant?: unknown } | undefined)?.tenant ?? '');
}

/** Findings that a rescan mends: it looks at all rows of the archive, and writes what is stored otherwise. */
const MENDED_BY_RESCANS: ReadonlySet<unknown> = new Set(['late_rows', 'log_gap', 'documents_refused']);

/** What a rescan of all rows from `fromMs` on, which began at `beganMs`, closes of the findings that are open. */
export function mendedFindings(
  open: readonly Record<string, unknown>[],
  fromMs: number,
  beganMs: number,
): ReplaceWrite[] {
  return open.flatMap((document) => {
    const { tenant, code, subject, since, sequence } = storedFinding(document);
    // What was found while the rescan ran may be of rows that it has not seen.
    if (!MENDED_BY_RESCANS.has(code) || since === undefined || sequence >= beganMs) return [];
    const sinceMs = Date.parse(since);
    if (sinceMs < fromMs) return [];
    const message = `A rescan of ${tenant} from ${dayText(fromMs)} on has looked at all rows of the archive.`;
    return [findingWrite({ code, subject, tenant, state: 'closed', message, sinceMs }, beganMs)];
  });
}

interface StoredFinding {
  tenant: string;
  code: string;
  subject: string;
  since?: string;
  sequence: number;
}

function storedFinding(document: Record<string, unknown>): StoredFinding {
  const { tenant, finding, sequence } = document.relaywatch as {
    tenant: string;
    finding: Omit<StoredFinding, 'tenant' | 'sequence'>;
    sequence: number;
  };
  return { ...finding, tenant, sequence };
}

function rescanAdvice(tenant: string, sinceMs: number): string {
  return `Run: relaywatch rescan --tenant ${tenant} --from ${dayText(sinceMs)}`;
}

function dayText(timeMs: number): string {
  return formatTime(timeMs).slice(0, 10);
}

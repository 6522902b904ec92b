/** Which jobs are the same. */

import { createHash } from 'node:crypto';
import type { Job } from './jobs.ts';

/**
 * Id of a job, made from what it does: a letter and a SHA-256 in lower-case hex. The same export of a tenant is
 * the same work wherever its file lies.
 */
export function jobId(job: Job): string {
  const work =
    job.kind === 'ingest' ? [job.kind, job.tenant, job.sha256] : [job.kind, job.tenant, job.fromMs, job.toMs];
  return `${job.kind[0]}${createHash('sha256').update(JSON.stringify(work)).digest('hex')}`;
}

/** A job that was stored as JSON; null where it is none that this program knows. */
export function readJob(value: unknown): Job | null {
  if (typeof value !== 'object' || value === null) return null;
  const { kind, tenant, path, sha256, bytes, fromMs, toMs } = value as Record<string, unknown>;
  if (typeof tenant !== 'string') return null;
  if (kind === 'ingest') {
    const isWhole = typeof path === 'string' && typeof sha256 === 'string' && Number.isSafeInteger(bytes);
    return isWhole ? { kind, tenant, path, sha256, bytes: bytes as number } : null;
  }
  if (kind === 'rescan') {
    const isWhole = Number.isSafeInteger(fromMs) && (toMs === null || Number.isSafeInteger(toMs));
    return isWhole ? { kind, tenant, fromMs: fromMs as number, toMs: toMs as number | null } : null;
  }
  return null;
}

/**
 * Ids under which a job is queued, in this order: a rescan that has begun keeps its id, and the next one waits
 * under another. Of the ids of one job never two run at the same time.
 */
export function jobIds(job: Job): readonly string[] {
  const id = jobId(job);
  return job.kind === 'rescan' ? [id, `${id}-2`, `${id}-3`] : [id];
}

/** The other ids of a job that runs under `id`. */
export function otherJobIds(job: Job, id: string): readonly string[] {
  return jobIds(job).filter((other) => other !== id);
}

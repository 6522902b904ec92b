/** Which jobs are the same, and which are none. */

import { describe, expect, test } from 'vitest';
import { jobId, jobIds, otherJobIds, readJob } from '../../src/core/job-identity.ts';
import type { IngestJob, RescanJob } from '../../src/core/jobs.ts';

const ingest: IngestJob = { kind: 'ingest', tenant: 't', path: '/a.csv', sha256: 'ab', bytes: 3 };
const rescan: RescanJob = { kind: 'rescan', tenant: 't', fromMs: 1, toMs: null };

describe('the id of a job', () => {
  test('stays what it is: it is stored', () => {
    expect(jobId(ingest)).toBe('ia970629ef5d2befceef488e23fdc72a12282f49cff820beaed4db068e2f70b4d');
  });

  test('is made from what the job does', () => {
    expect(jobId({ ...ingest, path: '/b.csv', bytes: 4 })).toBe(jobId(ingest));
    const others = [
      ingest,
      { ...ingest, tenant: 'u' },
      { ...ingest, sha256: 'cd' },
      rescan,
      { ...rescan, fromMs: 2 },
      { ...rescan, toMs: 1 },
      { ...rescan, tenant: 'u' },
    ];
    const ids = others.map(jobId);
    expect(new Set(ids).size).toBe(others.length);
    for (const id of ids) expect(id).toMatch(/^[ir][0-9a-f]{64}$/);
  });

  test('has room for a rescan after the one that runs', () => {
    expect(jobIds(ingest)).toEqual([jobId(ingest)]);
    expect(otherJobIds(ingest, jobId(ingest))).toEqual([]);
    const [first, second, third] = jobIds(rescan);
    expect(otherJobIds(rescan, second)).toEqual([first, third]);
  });
});

describe('a stored job', () => {
  test('is read as it was', () => {
    expect(readJob(JSON.parse(JSON.stringify(ingest)))).toEqual(ingest);
    expect(readJob(JSON.parse(JSON.stringify({ ...rescan, toMs: 5, more: 1 })))).toEqual({ ...rescan, toMs: 5 });
  });

  test.each([
    [null],
    ['text'],
    [{}],
    [{ ...ingest, kind: 'later' }],
    [{ ...ingest, path: 1 }],
    [{ ...ingest, bytes: '3' }],
    [{ ...ingest, tenant: undefined }],
    [{ ...rescan, fromMs: 1.5 }],
    [{ ...rescan, toMs: 'now' }],
  ])('that is none is seen: %j', (value) => {
    expect(readJob(value)).toBeNull();
  });
});

/** The spool of jobs: what was added is there until it is done. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createJobSpool } from '../../../src/adapters/file/job-spool.ts';
import { jobId } from '../../../src/core/job-identity.ts';
import type { RescanJob } from '../../../src/core/jobs.ts';
import { ingestOf } from '../contract/jobs.ts';

let folder: string;
beforeEach(() => {
  const parent = mkdtempSync(path.join(tmpdir(), 'relaywatch-spool-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  folder = path.join(parent, 'spool');
});

const rescan: RescanJob = { kind: 'rescan', tenant: 'contoso', fromMs: 0, toMs: null };

describe('the spool of jobs', () => {
  test('has what was added, once, until it is done', async () => {
    const spool = createJobSpool(folder);
    expect(await spool.pending()).toEqual([]);
    await spool.add(ingestOf(1));
    await spool.add(ingestOf(1, { path: '/moved.csv' }));
    await spool.add(rescan);
    const other = createJobSpool(folder);
    expect(await other.pending()).toEqual([
      { job: ingestOf(1, { path: '/moved.csv' }), begun: false },
      { job: rescan, begun: false },
    ]);
    await other.begin(rescan);
    await other.begin(rescan);
    expect(await spool.pending()).toContainEqual({ job: rescan, begun: true });
    await other.done(rescan);
    await other.done(rescan);
    expect(await spool.pending()).toHaveLength(1);
  });

  test('keeps what was added while the same job was being done', async () => {
    const spool = createJobSpool(folder);
    await spool.add(rescan);
    await spool.begin(rescan);
    await spool.add(rescan);
    expect(await spool.pending()).toEqual([{ job: rescan, begun: false }]);
    await spool.done(rescan);
    expect(await spool.pending()).toEqual([{ job: rescan, begun: false }]);
    await spool.begin(rescan);
    await spool.done(rescan);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('does not mind a job that somebody else handed over', async () => {
    const spool = createJobSpool(folder);
    await spool.begin(ingestOf(1));
    await spool.done(ingestOf(1));
    expect(await spool.pending()).toEqual([]);
  });

  test('clears up after processes that died, and leaves alone what is not its own', async () => {
    const spool = createJobSpool(folder);
    await spool.add(ingestOf(1));
    const abandoned = path.join(folder, '.new-999999999-0a0b0c');
    writeFileSync(abandoned, 'half');
    utimesSync(abandoned, new Date(), new Date(Date.now() - 2 * 3_600_000));
    // Of a process that is just handing over a job.
    writeFileSync(path.join(folder, '.new-999999998-0a0b0c'), 'half');
    writeFileSync(path.join(folder, 'notes.txt'), 'text');
    symlinkSync('/etc/passwd', path.join(folder, `${jobId(rescan)}.json`));
    expect(await spool.pending()).toHaveLength(1);
    expect(readdirSync(folder).sort()).toEqual(
      ['.new-999999998-0a0b0c', `${jobId(ingestOf(1))}.json`, `${jobId(rescan)}.json`, 'notes.txt'].sort(),
    );
  });

  test('puts aside what it cannot read, and says so', async () => {
    const troubles: string[] = [];
    const spool = createJobSpool(folder, { onTrouble: (problem) => troubles.push(problem) });
    await spool.add(ingestOf(1));
    await spool.add(ingestOf(2));
    await spool.add(ingestOf(3));
    const file = path.join(folder, `${jobId(ingestOf(2))}.json`);
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 20));
    writeFileSync(path.join(folder, `${jobId(ingestOf(3))}.json`), '{"kind":"later","tenant":"contoso"}');
    expect(await spool.pending()).toEqual([{ job: ingestOf(1), begun: false }]);
    expect(await spool.pending()).toHaveLength(1);
    expect(troubles).toHaveLength(2);
    expect(troubles.join()).toContain(`${file} holds no job`);
    expect(readdirSync(folder)).toContain(`${jobId(ingestOf(2))}.json.unreadable`);
  });

  test('says what to do when it cannot write', async () => {
    writeFileSync(folder, '');
    await expect(createJobSpool(folder).add(ingestOf(1))).rejects.toMatchObject({
      code: 'state_not_writable',
      message: expect.stringContaining(folder),
    });
  });
});

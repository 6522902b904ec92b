/**
 * Jobs that were handed over and are not done yet, as files. A job is written here before the queue is asked,
 * and Redis may lose the last second of what it acknowledged: what is not done is submitted again.
 *
 * `<id>.json` was added, `<id>.begun` is being worked on; a job that is added again in the meantime is both.
 */

import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { jobId, readJob } from '../../core/job-identity.ts';
import type { Job } from '../../core/jobs.ts';
import { folderProblem, makeFolder, removeTemporaries, replaceFile, syncFolder } from './durable-file.ts';

export interface JobSpool {
  /** Durable when it resolves. */
  add(job: Job): Promise<void>;
  /** Jobs that are not done. */
  pending(): Promise<PendingJob[]>;
  /** To be called before work on a job begins: what is added from now on is more work. */
  begin(job: Job): Promise<void>;
  /** The job is done, or refused for good: what was added before it was begun is forgotten. */
  done(job: Job): Promise<void>;
}

export interface PendingJob {
  job: Job;
  /** Somebody works on it, or did when it died. */
  begun: boolean;
}

export interface JobSpoolOptions {
  /** Told of a file that holds no job; it is put aside. */
  onTrouble?: (problem: string) => void;
}

const NAME = /^[a-z][0-9a-f]{64}\.(json|begun)$/;

export function createJobSpool(folder: string, { onTrouble }: JobSpoolOptions = {}): JobSpool {
  const fileOf = (job: Job, ending: 'json' | 'begun') => path.join(folder, `${jobId(job)}.${ending}`);

  const guarded = async <T>(step: () => Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (error) {
      throw folderProblem(folder, error);
    }
  };

  /** Null for a file that is gone by now, and for one that holds no job. */
  const read = async (file: string): Promise<Job | null> => {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (text === null) return null;
    const job = readJob(parsed(text));
    if (job !== null) return job;
    await rename(file, `${file}.unreadable`);
    onTrouble?.(`${file} holds no job that this relaywatch knows; it was renamed to ${path.basename(file)}.unreadable`);
    return null;
  };

  return {
    add: (job) =>
      guarded(async () => {
        await makeFolder(folder);
        await replaceFile(fileOf(job, 'json'), [Buffer.from(`${JSON.stringify(job)}\n`)]);
      }),

    pending: () =>
      guarded(async () => {
        await makeFolder(folder);
        await removeTemporaries(folder, true);
        const entries = await readdir(folder, { withFileTypes: true });
        const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
        const jobs = new Map<string, PendingJob>();
        // `.json` after `.begun`: what was added last is what is asked for.
        for (const name of names.filter((name) => NAME.test(name)).sort()) {
          const job = await read(path.join(folder, name));
          if (job !== null) jobs.set(jobId(job), { job, begun: name.endsWith('.begun') });
        }
        return [...jobs.values()];
      }),

    begin: (job) =>
      guarded(async () => {
        try {
          await rename(fileOf(job, 'json'), fileOf(job, 'begun'));
        } catch (error) {
          // Submitted by someone with another spool, or begun before.
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
          throw error;
        }
        await syncFolder(folder);
      }),

    done: (job) =>
      guarded(async () => {
        await rm(fileOf(job, 'begun'), { force: true });
      }),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

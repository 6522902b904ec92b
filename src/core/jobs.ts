/** The seam to the queue of jobs: work that is handed over once and done until it is done. */

/** Ingest one export file. `path` must be readable by the workers. */
export interface IngestJob {
  kind: 'ingest';
  tenant: string;
  path: string;
  /** SHA-256 of the file, lower-case hex. */
  sha256: string;
  bytes: number;
}

/** Detect again over the archive, from the start of a UTC day. Times are milliseconds. */
export interface RescanJob {
  kind: 'rescan';
  tenant: string;
  fromMs: number;
  toMs: number | null;
}

export type Job = IngestJob | RescanJob;

/** What a job remembers between attempts: plain JSON, without addresses or subjects. */
export type JobProgress = Record<string, number | string>;

export interface JobContext {
  /** Of the last attempt; empty at the first. */
  readonly progress: JobProgress;
  save(progress: JobProgress): Promise<void>;
  /** Aborts when the worker stops or has lost the job to another: stop at once. */
  readonly signal: AbortSignal;
}

/** Thrown by a handler: trying again would not help. */
export class JobRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JobRefused';
  }
}

/** What a queue says to a job that it is given. */
export type Submitted = 'queued' | 'known' | 'done';

export interface JobQueue {
  /**
   * Resolves to `known` where the same job is waiting or running, and to `done` where it is remembered as done:
   * nothing more will come of it. One that failed is queued again. So is a rescan that is done or has begun, to run after it: it does not see the rows that came since.
   * Fails fast while the queue is away.
   */
  submit(job: Job): Promise<Submitted>;
  /** Takes jobs until `signal` aborts; waits while the queue is away. */
  work(handler: (job: Job, context: JobContext) => Promise<void>, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

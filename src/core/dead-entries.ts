/** The seam to where entries of the log go that cannot be used as a whole: kept as they were, to be appended again. */

import type { LogEntry } from './envelope-log.ts';
import type { DeadLetterCode } from './outcome.ts';

export interface DeadEntry {
  partition: number;
  entry: LogEntry;
  code: DeadLetterCode;
  /** For people. */
  reason: string;
}

export interface DeadEntrySink {
  /**
   * Resolves when all are durable; waits as long as the place can be expected back. Rejects when `signal` aborts
   * or for what a person has to mend. What is read again after a crash is sent again.
   */
  send(entries: readonly DeadEntry[], signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Settings of what is kept in Redis. */

import type { RedisAccess } from '../redis-access.ts';

export interface RedisSettings extends RedisAccess {
  /** Every key begins with it and ":". */
  prefix: string;
}

export const DEFAULT_PREFIX = 'relaywatch';

export interface RedisOptions {
  /** Told, in a sentence, whenever a call has to wait for the server; at every attempt. */
  onTrouble?: (problem: string) => void;
  /** Told when the server answers a call again after that. */
  onRecovered?: () => void;
  /** An answer that takes longer counts as none, milliseconds. */
  answerTimeoutMs?: number;
  /** The longest pause between two attempts, milliseconds. */
  maxPauseMs?: number;
  /** Between 0 and 1: pauses differ, so that workers do not all come back at once. */
  random?: () => number;
}

/** Waiting for a server that is busy, read-only or away: with growing pauses, and never in silence. */

import { setTimeout as wait } from 'node:timers/promises';
import type { TroubleCode } from './answers.ts';

/** What keeps documents from being written, for health pages and logs. */
export interface StoreTrouble {
  code: TroubleCode;
  /** A sentence: what the matter is, with which server. */
  message: string;
  /** Wall time at which it began, milliseconds. */
  sinceMs: number;
  retryInMs: number;
}

export interface WaitOptions {
  /** Called before every pause, and with null once all that waited goes on. */
  onTrouble?: (trouble: StoreTrouble | null) => void;
  now?: () => number;
  /** In [0, 1). */
  random?: () => number;
  /** Rejects when the signal aborts. */
  sleep?: (durationMs: number, signal?: AbortSignal) => Promise<void>;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;

/** Gives out the patience of single operations, and knows whether any of them is waiting. */
export class Waits {
  readonly now: () => number;
  readonly #onTrouble: (trouble: StoreTrouble | null) => void;
  readonly #random: () => number;
  readonly #sleep: (durationMs: number, signal?: AbortSignal) => Promise<void>;
  #waiting = 0;
  #isTold = false;

  constructor(options: WaitOptions) {
    this.now = options.now ?? Date.now;
    this.#onTrouble = options.onTrouble ?? (() => {});
    this.#random = options.random ?? Math.random;
    this.#sleep = options.sleep ?? ((durationMs, signal) => wait(durationMs, undefined, { signal }));
  }

  /** Runs an operation with patience of its own. */
  async with<Result>(operation: (patience: Patience) => Promise<Result>): Promise<Result> {
    const patience = new Patience(this);
    try {
      const result = await operation(patience);
      patience.over();
      this.#goesOn();
      return result;
    } finally {
      // What was given up says nothing of the server.
      patience.over();
    }
  }

  begin(): void {
    this.#waiting += 1;
  }

  end(): void {
    this.#waiting -= 1;
  }

  #goesOn(): void {
    if (this.#waiting > 0 || !this.#isTold) return;
    this.#isTold = false;
    this.#onTrouble(null);
  }

  /**
   * A pause of random length up to a bound that doubles ("full jitter"), so that many writers do not come back at once.
   * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
   */
  async pause(attempt: number, trouble: Omit<StoreTrouble, 'retryInMs'>, signal?: AbortSignal): Promise<void> {
    const bound = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 16));
    const retryInMs = Math.round(bound * this.#random());
    this.#isTold = true;
    this.#onTrouble({ ...trouble, retryInMs });
    try {
      await this.#sleep(retryInMs, signal);
    } finally {
      signal?.throwIfAborted();
    }
  }
}

export class Patience {
  readonly #waits: Waits;
  #attempt = 0;
  #sinceMs: number | null = null;

  constructor(waits: Waits) {
    this.#waits = waits;
  }

  async wait(code: TroubleCode, message: string, signal?: AbortSignal): Promise<void> {
    if (this.#sinceMs === null) {
      this.#sinceMs = this.#waits.now();
      this.#waits.begin();
    }
    await this.#waits.pause(this.#attempt++, { code, message, sinceMs: this.#sinceMs }, signal);
  }

  /** Something went through: the next pause is short again. */
  progress(): void {
    this.#attempt = 0;
  }

  over(): void {
    if (this.#sinceMs !== null) this.#waits.end();
    this.#sinceMs = null;
    this.#attempt = 0;
  }
}

/** Workers of a schedule and who looks after them: as a service manager does, it starts again what ended. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../integration/service.ts';

export type Role = 'detect' | 'jobs';

const STARTS_AGAIN_MS = 500;
/** A worker ends within 25 s of SIGTERM, come what may. */
const STOP_DEADLINE_MS = 30_000;
const LAST_LINES = 4;

/** A worker that ended although nobody asked it to. */
export interface SelfExit {
  role: Role;
  code: number | string | null;
  /** The end of what it said. */
  said: string;
}

/** One place in the crew: a process at a time. */
export class Place {
  readonly role: Role;
  readonly #service: Service;
  readonly #onSelfExit: (exit: SelfExit) => void;
  #process: ChildProcess | null = null;
  #said: string[] = [];
  /** Nobody starts it again. */
  #isDown = true;
  #isFrozen = false;

  constructor(role: Role, service: Service, onSelfExit: (exit: SelfExit) => void) {
    this.role = role;
    this.#service = service;
    this.#onSelfExit = onSelfExit;
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  start(): void {
    this.#isDown = false;
    const worker = this.#service.worker(`${this.role}.yaml`);
    const said: string[] = [];
    this.#process = worker;
    this.#said = said;
    worker.stderr?.on('data', (text: string) => {
      said.push(...text.trimEnd().split('\n'));
    });
    worker.once('close', (code, signal) => {
      if (this.#process !== worker) return;
      this.#process = null;
      this.#isFrozen = false;
      if (this.#isDown) return;
      this.#onSelfExit({ role: this.role, code: code ?? signal, said: said.slice(-LAST_LINES).join('\n') });
      sleep(STARTS_AGAIN_MS, undefined, { ref: false }).then(() => {
        if (!this.#isDown && this.#process === null) this.start();
      });
    });
  }

  /** SIGKILL; it comes back after that time. */
  async kill(awayMs: number): Promise<void> {
    const worker = this.#process;
    this.#isDown = true;
    if (worker !== null) {
      const closed = once(worker, 'close');
      worker.kill('SIGKILL');
      await closed;
    }
    await sleep(awayMs);
    if (this.#process === null) this.start();
  }

  /** SIGSTOP, and SIGCONT after that time: others have taken over by then, and it does not know. */
  async freeze(forMs: number): Promise<void> {
    const worker = this.#process;
    if (worker === null || !worker.kill('SIGSTOP')) return;
    this.#isFrozen = true;
    await sleep(forMs);
    worker.kill('SIGCONT');
    this.#isFrozen = false;
  }

  /**
   * SIGTERM. Resolves to its exit code; to the signal's name where it had to be ended. One that had not said that
   * it has started, as right after a kill, may end in any way: there was nothing to finish.
   */
  async stop(): Promise<number | string | null> {
    this.#isDown = true;
    const worker = this.#process;
    if (worker === null) return 0;
    const said = this.#said;
    const closed = once(worker, 'close') as Promise<[number | null, string | null]>;
    worker.kill('SIGTERM');
    const ended = await Promise.race([closed, sleep(STOP_DEADLINE_MS, null, { ref: false })]);
    if (ended !== null) return said.some((line) => line.includes('"worker_started"')) ? (ended[0] ?? ended[1]) : 0;
    worker.kill('SIGKILL');
    await closed;
    return 'SIGKILL';
  }

  /** Starts it where it must refuse to work: resolves to how it ended and what it said; null where it went on. */
  async startToRefuse(withinMs: number): Promise<{ code: number | string | null; said: string } | null> {
    this.start();
    this.#isDown = true;
    const closed = once(this.#process as ChildProcess, 'close') as Promise<[number | null, string | null]>;
    const ended = await Promise.race([closed, sleep(withinMs, null, { ref: false })]);
    return ended === null ? null : { code: ended[0] ?? ended[1], said: this.#said.join('\n') };
  }
}

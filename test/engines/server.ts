/**
 * A server process in the background, in a process group of its own, so that a signal to the test run
 * does not reach it. Its folder holds its data, its log and the numbers of its processes, so any
 * process can find, signal and restart it.
 */

import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverUser } from './cache.ts';
import { requestJson, type WebAddress } from './http.ts';
import { isAlive, killAndWait, sendSignal, waitForEnd } from './processes.ts';

/** Everything that starts a server, as JSON. */
export interface ServerPlan {
  /** What people call it: `Kafka 4.3.1`. */
  title: string;
  /** Of this server alone. Named in the command line of each of its processes. */
  folder: string;
  command: string;
  args: string[];
  env: Record<string, string>;
  /**
   * How to know that it answers. `line`: its output has this text. `launcher`: the command ends with 0 and
   * leaves the server behind, with its number in the file `pid`, and then the page answers with 200.
   */
  ready: { line: string } | { launcherThen: WebAddress; path: string };
}

const START_TIMEOUT_MS = 150_000;
const STOP_TIMEOUT_MS = 30_000;
/** Numbers of the processes: of the server, and of the command that started it. */
const PID_FILES = ['pid', 'launcher.pid'];

/** Starts a server and waits until it answers. When it does not, nothing is left running. */
export async function startServer(plan: ServerPlan): Promise<void> {
  const { folder, ready } = plan;
  const logFile = path.join(folder, 'output.log');
  const logStart = existsSync(logFile) ? statSync(logFile).size : 0;
  const log = openSync(logFile, 'a');
  const child = spawn(plan.command, plan.args, {
    cwd: folder,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, LANG: 'C.UTF-8', ...plan.env },
    detached: true,
    stdio: ['ignore', log, log],
    ...serverUser(),
  });
  if (child.pid !== undefined) {
    writeFileSync(path.join(folder, 'line' in ready ? 'pid' : 'launcher.pid'), String(child.pid));
  }
  closeSync(log);
  child.unref();
  let ended: string | null = null;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended = `exit code ${code ?? signal}`;
  });
  const output = () => readFileSync(logFile).subarray(logStart).toString();

  const isReady = async () => {
    if ('line' in ready) return output().includes(ready.line);
    return ended === 'exit code 0' && (await answers(ready.launcherThen, ready.path));
  };
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await isReady())) {
    const failed = ended !== null && ('line' in ready || ended !== 'exit code 0');
    if (failed || Date.now() > deadline) {
      await endServer(folder);
      const reason = failed ? `ended while starting (${ended})` : `was not ready after ${START_TIMEOUT_MS / 1000} s`;
      throw new Error(`${plan.title} ${reason}. The end of its output:\n${output().split('\n').slice(-25).join('\n')}`);
    }
    await sleep(50);
  }
}

async function answers(address: WebAddress, page: string): Promise<boolean> {
  try {
    return (await requestJson(address, 'GET', page)).status === 200;
  } catch {
    return false;
  }
}

/** Ends a server at once, if it lives; whatever state it is in. */
export async function endServer(folder: string): Promise<void> {
  for (const pid of recordedPids(folder)) await killAndWait(pid, markOf(folder));
}

/** Numbers of the processes that a server was last seen with; the server itself comes first. */
function recordedPids(folder: string): number[] {
  return PID_FILES.map((name) => path.join(folder, name))
    .filter((file) => existsSync(file))
    .map((file) => Number(readFileSync(file, 'utf8')))
    .filter((pid) => pid > 0);
}

/** What the processes of a server have in their command lines: a file or folder in its folder. */
function markOf(folder: string): string {
  return `${folder}${path.sep}`;
}

/** A running server in the hands of a test that wants to see what happens when it is gone. */
export class ServerHandle {
  readonly plan: ServerPlan;

  constructor(plan: ServerPlan) {
    this.plan = plan;
  }

  /** Number of its process; null when it is not running. */
  get pid(): number | null {
    return recordedPids(this.plan.folder).find((pid) => isAlive(pid, this.mark)) ?? null;
  }

  /** Stops it in its tracks (SIGSTOP): connections stay open, nothing is answered. */
  pause(): void {
    this.signal('SIGSTOP');
  }

  /** Lets a paused server go on (SIGCONT). */
  resume(): void {
    this.signal('SIGCONT');
  }

  /** Ends it without warning (SIGKILL), and waits until it is gone. */
  async kill(): Promise<void> {
    await killAndWait(this.running(), this.mark);
  }

  /** Ends it in an orderly way (SIGTERM), and waits until it is gone. */
  async stop(): Promise<void> {
    const pid = this.running();
    this.resume();
    sendSignal(pid, this.mark, 'SIGTERM');
    if (!(await waitForEnd(pid, this.mark, STOP_TIMEOUT_MS))) {
      throw new Error(`${this.plan.title} did not stop within ${STOP_TIMEOUT_MS / 1000} s of SIGTERM`);
    }
  }

  /** Starts it again, on the same ports and data; stops it first when it is running. Waits until it answers. */
  async restart(): Promise<void> {
    if (this.pid !== null) await this.stop();
    await startServer(this.plan);
  }

  private get mark(): string {
    return markOf(this.plan.folder);
  }

  private signal(signal: NodeJS.Signals): void {
    const pid = this.running();
    if (!sendSignal(pid, this.mark, signal)) throw new Error(`${this.plan.title} ended just now (process ${pid})`);
  }

  private running(): number {
    const { pid } = this;
    if (pid === null) throw new Error(`${this.plan.title} is not running`);
    return pid;
  }
}

/**
 * Processes by number, never without a look at their command line: a number alone may by now belong
 * to somebody else. The mark is a piece of text that only the process meant has in its command line.
 */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** `ending`: its memory is gone already, its ports and files perhaps not. */
type State = 'alive' | 'ending' | 'gone';

export function isAlive(pid: number, mark: string): boolean {
  return stateOf(pid, mark) === 'alive';
}

/** State of the process meant. When its number belongs to another, it is gone. */
function stateOf(pid: number, mark: string): State {
  try {
    const text = process.platform === 'linux' ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ps(pid, 'command=');
    if (text.trim() !== '') return text.includes(mark) ? 'alive' : 'gone';
    return isZombie(pid) ? 'gone' : 'ending';
  } catch {
    return 'gone';
  }
}

/** Has ended, all of it, and only waits to be collected by its parent. */
function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return ps(pid, 'stat=').startsWith('Z');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const state = stat[stat.lastIndexOf(')') + 2];
  return state === 'Z' && readdirSync(`/proc/${pid}/task`).length === 1;
}

function ps(pid: number, column: string): string {
  return execFileSync('ps', ['-ww', '-o', column, '-p', String(pid)], { encoding: 'utf8' });
}

/** Sends a signal; false when the process is gone. */
export function sendSignal(pid: number, mark: string, signal: NodeJS.Signals): boolean {
  if (!isAlive(pid, mark)) return false;
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Waits for the end of a process; false when it still lives after that time. */
export async function waitForEnd(pid: number, mark: string, timeoutMs: number): Promise<boolean> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await sleep(20)) {
    if (stateOf(pid, mark) === 'gone') return true;
  }
  return stateOf(pid, mark) === 'gone';
}

/** Ends a process at once. */
export async function killAndWait(pid: number, mark: string): Promise<void> {
  sendSignal(pid, mark, 'SIGKILL');
  if (!(await waitForEnd(pid, mark, 30_000)))
    throw new Error(`Process ${pid} (${mark}) is still there 30 s after SIGKILL`);
}

/**
 * Processes by number, never without a look at their command line: a number alone may by now belong
 * to somebody else. The mark is a piece of text that only the process meant has in its command line.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** The command line of a living process; null when there is none, or one that has ended and was not yet collected. */
export function commandLine(pid: number): string | null {
  try {
    const text =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        : execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return text.trim() === '' ? null : text;
  } catch {
    return null;
  }
}

export function isAlive(pid: number, mark: string): boolean {
  return commandLine(pid)?.includes(mark) ?? false;
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
    if (!isAlive(pid, mark)) return true;
  }
  return !isAlive(pid, mark);
}

/** Ends a process at once. */
export async function killAndWait(pid: number, mark: string): Promise<void> {
  if (!sendSignal(pid, mark, 'SIGKILL')) return;
  if (!(await waitForEnd(pid, mark, 30_000)))
    throw new Error(`Process ${pid} (${mark}) is still there 30 s after SIGKILL`);
}

/** ElastAlert2's own rule classes over streams, in a Python of their own (`setup.sh` makes it). */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DAY_MS, HOUR_MS } from '../../traffic/message.ts';
import { type Stream, type StreamRow, UNREGISTERED } from '../stream.ts';

/** Twice the longest timeframe, and a day. */
const LEAD_MS = 3 * DAY_MS;

export interface RuleMatches {
  /** Index of the stream. */
  stream: number;
  rule: string;
  parameter: number;
  /** Time and key of each match. */
  matches: [timeMs: number, key: string][];
}

/** No rule about a mailbox fires below both of these: `run_rules.py` has none that is set lower. */
const LEAST_IN_HOUR = 15;
const LEAST_IN_DAY = 60;

/** Rows without those of mailboxes that no rule can say anything about: most of them, and the time they would take. */
function rowsThatMatter(rows: readonly StreamRow[]): StreamRow[] {
  const byKey = new Map<string, number[]>();
  for (const { key, timeMs } of rows) {
    const times = byKey.get(key);
    if (times === undefined) byKey.set(key, [timeMs]);
    else times.push(timeMs);
  }
  const matters = (times: readonly number[]): boolean =>
    times.some(
      (timeMs, index) =>
        timeMs - times[index - LEAST_IN_HOUR + 1] <= HOUR_MS || timeMs - times[index - LEAST_IN_DAY + 1] <= DAY_MS,
    );
  const kept = new Set([...byKey].filter(([key, times]) => key === UNREGISTERED || matters(times)).map(([key]) => key));
  return rows.filter((row) => kept.has(row.key));
}

/** Null where the environment is missing: the comparison then goes without. */
export async function elastAlertMatches(streams: readonly Stream[]): Promise<RuleMatches[] | null> {
  const python = fileURLToPath(new URL('.venv/bin/python', import.meta.url));
  if (!existsSync(python)) {
    process.stderr.write('ElastAlert2 SKIPPED: bench/detection/elastalert/setup.sh makes the Python that it needs\n');
    return null;
  }
  const child = spawn(python, [fileURLToPath(new URL('run_rules.py', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  for (const [index, { fromMs, rows }] of streams.entries()) {
    const known = new Set<string>();
    for (const { timeMs, domain } of rows) {
      if (timeMs >= fromMs - 31 * DAY_MS && timeMs < fromMs - DAY_MS) known.add(domain);
    }
    const line = JSON.stringify({
      stream: index,
      from: fromMs,
      known: [...known],
      // No rule looks back further.
      rows: rowsThatMatter(rows.filter((row) => row.timeMs >= fromMs - LEAD_MS)).map(
        ({ timeMs, key, domain, source }) => [timeMs, key, domain, source],
      ),
    });
    if (!child.stdin.write(`${line}\n`)) await new Promise((resolve) => child.stdin.once('drain', resolve));
  }
  child.stdin.end();
  const code = await ended;
  if (code !== 0) throw new Error(`run_rules.py ended with ${code}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RuleMatches);
}

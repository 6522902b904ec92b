/** ElastAlert2's own rule classes over streams, in a Python of their own (`setup.sh` makes it). */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DAY_MS } from '../../traffic/message.ts';
import type { Stream } from '../stream.ts';

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
      rows: rows
        .filter((row) => row.timeMs >= fromMs - LEAD_MS)
        .map(({ timeMs, key, domain, source }) => [timeMs, key, domain, source]),
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

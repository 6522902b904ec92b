/**
 * Speed and memory of `relaywatch scan` on a large Enhanced summary, whole processes, the readers in
 * turn on one core, medians of the runs:
 *
 *     node bench/scan/compare.ts [--rows 2000000] [--runs 3] [--memory 256] [--file FILE] [--readers js,fast-csv]
 *
 * Both readers must print the same bytes; only ratios inside one run are evidence. Peak memory is the
 * resident set that /usr/bin/time reports (GNU time; without it the column stays empty). The first
 * reader runs once more with `--memory`, where that is given. Exit 1 where the output differs.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from '../detection/statistics.ts';
import { SUMMARY_DOMAINS, writeSummaryFile } from './summary-file.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    runs: { type: 'string', default: '3' },
    memory: { type: 'string' },
    file: { type: 'string' },
    readers: { type: 'string', default: 'js,fast-csv' },
  },
});

const PROGRAM = fileURLToPath(new URL('../../bin/relaywatch.js', import.meta.url));
const MEASURE = '/usr/bin/time';
const ONE_CORE = '/usr/bin/taskset';
const MIB = 1024 * 1024;

interface Run {
  seconds: number;
  peakMiB: number;
  sha256: string;
  lines: number;
}

const folder = mkdtempSync(join(tmpdir(), 'relaywatch-speed-'));

function run(label: string, options: string[]): Run {
  const outPath = join(folder, 'out.ndjson');
  const peakPath = join(folder, 'peak');
  const out = openSync(outPath, 'w');
  const command = [process.execPath, PROGRAM, 'scan', ...options];
  if (existsSync(ONE_CORE)) command.unshift(ONE_CORE, '-c', '0');
  if (existsSync(MEASURE)) command.unshift(MEASURE, '-f', '%M', '-o', peakPath);
  const began = performance.now();
  const result = spawnSync(command[0], command.slice(1), { stdio: ['ignore', out, 'pipe'], encoding: 'utf8' });
  const seconds = (performance.now() - began) / 1000;
  closeSync(out);
  if (result.status !== 0) {
    throw new Error(`${label}: ${command.join(' ')} ended with ${result.status ?? result.signal}:\n${result.stderr}`);
  }
  const bytes = readFileSync(outPath);
  const peakMiB = existsSync(peakPath)
    ? Number(readFileSync(peakPath, 'utf8').trim().split('\n').at(-1)) / 1024
    : Number.NaN;
  process.stderr.write(`${label}: ${seconds.toFixed(2)} s, peak ${peakMiB.toFixed(0)} MiB\n`);
  return {
    seconds,
    peakMiB,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    lines: bytes.filter((byte) => byte === 0x0a).length,
  };
}

try {
  let file = values.file;
  let pairs = Number.NaN;
  if (file === undefined) {
    file = join(folder, 'summary.csv');
    const facts = writeSummaryFile(file, Number(values.rows));
    pairs = facts.pairs;
    process.stderr.write(`${facts.rows} rows, ${facts.pairs} pairs, ${(facts.bytes / MIB).toFixed(0)} MiB\n`);
  }
  const domains = join(folder, 'domains.txt');
  writeFileSync(domains, `${SUMMARY_DOMAINS.join('\n')}\n`);
  const common = [file, '--accepted-domains', domains, '--output', 'ndjson', '--quiet'];
  const readers = values.readers.split(',');
  const runs = new Map<string, Run[]>(readers.map((reader) => [reader, []]));
  for (let number = 0; number < Number(values.runs); number++) {
    for (const reader of readers) runs.get(reader)?.push(run(reader, [...common, '--reader', reader]));
  }
  if (values.memory !== undefined) {
    const label = `${readers[0]} with --memory ${values.memory}`;
    runs.set(label, [run(label, [...common, '--reader', readers[0], '--memory', values.memory])]);
  }
  const first = (runs.get(readers[0]) as Run[])[0];
  const base = median((runs.get(readers[0]) as Run[]).map((one) => one.seconds));
  const lines = [
    '| reader | seconds, median | times the first | peak MiB | allowed MiB | incidents | same output |',
    '|---|---|---|---|---|---|---|',
  ];
  for (const [label, all] of runs) {
    const seconds = median(all.map((one) => one.seconds));
    const peak = Math.max(...all.map((one) => one.peakMiB));
    const allowed = label.includes('--memory') ? 400 : 110 + (96 * pairs) / MIB;
    const same = all.every((one) => one.sha256 === first.sha256);
    if (!same) process.exitCode = 1;
    lines.push(
      `| ${label} | ${seconds.toFixed(2)} | ${(seconds / base).toFixed(2)} | ${peak.toFixed(0)} | ` +
        `${Number.isNaN(allowed) ? '' : allowed.toFixed(0)} | ${first.lines} | ${same ? 'yes' : 'NO'} |`,
    );
  }
  process.stdout.write(`${lines.join('\n')}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Rows a second from a file through the whole service (submit, jobs worker, Kafka, detector, Elasticsearch)
 * beside `scan` of the same file:
 *
 *     node bench/service/throughput.ts [--rows 500000] [--runs 3]
 *
 * Wall time is from the start of `submit` until the file's line of the ledger is complete and Elasticsearch has
 * the incidents that `scan` finds. Processor time is that of submit and the two workers from then on; the servers are not counted.
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median } from '../detection/statistics.ts';
import { SUMMARY_DOMAINS, writeSummaryFile } from '../scan/summary-file.ts';
import { cpuMs, Stand, timed } from './stand.ts';

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '500000' }, runs: { type: 'string', default: '3' } },
});
const rows = Number(values.rows);
const tenants = Array.from({ length: Number(values.runs) }, (_, run) => `tenant${run}`);
const stand = await Stand.open(tenants, SUMMARY_DOMAINS);
try {
  const [jobs, detect] = [stand.worker('jobs.yaml'), stand.worker('detect.yaml')];
  await sleep(8_000);
  const results: Record<'scanMs' | 'scanCpuMs' | 'serviceMs' | 'serviceCpuMs' | 'jobsMs' | 'detectMs', number>[] = [];
  for (const [run, tenant] of tenants.entries()) {
    const file = path.join(stand.folder, `${tenant}.csv`);
    // Every run is another file: the same one would be known.
    writeSummaryFile(file, rows, `run ${run}`);
    const scanned = timed(
      ['scan', file, '--accepted-domains', 'domains.txt', '--output', 'ndjson', '--quiet'],
      stand.folder,
    );
    const incidents = scanned.stdout.split('\n').length - 1;
    const before = [cpuMs(jobs), cpuMs(detect)];
    const began = performance.now();
    const submitted = timed(['submit', '--pipeline', 'jobs.yaml', '--tenant', tenant, file], stand.folder);
    const of = { term: { 'relaywatch.tenant': tenant } };
    const complete = { bool: { filter: [of, { term: { 'relaywatch.ledger.is_complete': true } }] } };
    while ((await stand.found('ledger', complete)).length === 0) await sleep(100);
    while ((await stand.found('incident', of)).length < incidents) await sleep(100);
    const serviceMs = performance.now() - began;
    const [jobsMs, detectMs] = [cpuMs(jobs) - before[0], cpuMs(detect) - before[1]];
    const serviceCpuMs = submitted.cpuMs + jobsMs + detectMs;
    results.push({ scanMs: scanned.ms, scanCpuMs: scanned.cpuMs, serviceMs, serviceCpuMs, jobsMs, detectMs });
    process.stderr.write(`run ${run}: ${JSON.stringify(results[run])}, ${incidents} incidents\n`);
  }
  const seconds = (name: keyof (typeof results)[0]) => median(results.map((one) => one[name])) / 1000;
  const line = (what: string, wall: number, cpu: number) =>
    `| ${what} | ${wall.toFixed(2)} | ${cpu.toFixed(2)} | ${Math.round(rows / wall)} | ${Math.round(rows / cpu)} | ` +
    `${(wall / seconds('scanMs')).toFixed(2)} | ${(cpu / seconds('scanCpuMs')).toFixed(2)} |\n`;
  process.stdout.write(
    `${rows} rows\n\n| | wall s | CPU s | rows/s | rows per CPU s | times scan's wall | times scan's CPU |\n|---|---|---|---|---|---|---|\n` +
      line('scan', seconds('scanMs'), seconds('scanCpuMs')) +
      line('service', seconds('serviceMs'), seconds('serviceCpuMs')) +
      `\nof the service's CPU: jobs worker ${seconds('jobsMs').toFixed(2)} s, detector ${seconds('detectMs').toFixed(2)} s\n`,
  );
} finally {
  await stand.close();
}
process.exit(0);

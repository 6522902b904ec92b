/**
 * Documents written for the rows read: a day with an attack, live, walked every second of event time, or every few.
 *
 *     node bench/service/writes.ts [--rows 100000] [--attack 3000] [--step 1]
 *
 * The clock is the rows' own: all that has to be written once a minute or once an hour is.
 */

import { parseArgs } from 'node:util';
import { createMemoryCheckpoints } from '../../src/adapters/memory/checkpoints.ts';
import { MemoryOutputStore } from '../../src/adapters/memory/output-store.ts';
import { DAY_MS, HOUR_MS } from '../../src/core/calendar.ts';
import type { OutputWrite } from '../../src/core/delivery.ts';
import { DetectWorker } from '../../src/runtime/detect/detect-worker.ts';
import { Mail, Packer, PROFILE, type Row, TENANT } from './mail.ts';

const START_MS = Date.UTC(2026, 9, 6);
const ATTACK_MS = START_MS + 10 * HOUR_MS;
const ATTACK_HOURS = 2;

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '100000' },
    attack: { type: 'string', default: '3000' },
    step: { type: 'string', default: '1' },
  },
});
const rows = Number(values.rows);
const stepMs = Number(values.step) * 1_000;
const attackRows = Math.min(Number(values.attack), rows);
const mail = new Mail('writes');
const packer = new Packer('stream.csv');
const byStep = new Map<number, Row[]>();
const put = (row: Row): void => {
  const step = Math.floor(row.timeMs / stepMs);
  const known = byStep.get(step);
  if (known === undefined) byStep.set(step, [row]);
  else known.push(row);
};
for (const row of mail.over(START_MS, START_MS + DAY_MS, rows - attackRows)) put(row);
for (let row = 0; row < attackRows; row++) {
  put(mail.attackRow(Math.floor(ATTACK_MS + (row * ATTACK_HOURS * HOUR_MS) / attackRows)));
}

const counts = new Map<string, number>();
const store = new MemoryOutputStore();
let nowMs = START_MS;
const worker = new DetectWorker({
  pipeline: 'writes',
  profiles: new Map([[TENANT, PROFILE]]),
  checkpoints: createMemoryCheckpoints(),
  outputs: {
    deliver(writes: readonly OutputWrite[]) {
      for (const { kind, document } of writes) {
        const dataset = (document as { event?: { dataset?: string } }).event?.dataset ?? kind;
        counts.set(dataset, (counts.get(dataset) ?? 0) + 1);
      }
      return store.deliver(writes);
    },
    check: () => store.check(),
    knownAlerts: (ids) => store.knownAlerts(ids),
    incidents: (tenant, fromMs, toMs) => store.incidents(tenant, fromMs, toMs),
    rescanned: (tenant, sinceMs) => store.rescanned(tenant, sinceMs),
    openFindings: (tenant) => store.openFindings(tenant),
    close: () => store.close(),
  },
  now: () => nowMs,
  onLate: async () => {},
});
const began = process.cpuUsage();
await worker.assigned(0, 1);
for (let step = START_MS / stepMs, offset = 0; step < (START_MS + DAY_MS) / stepMs; step++) {
  nowMs = (step + 1) * stepMs;
  const arrived = byStep.get(step);
  if (arrived === undefined) {
    await worker.idle(0, 1);
    continue;
  }
  const envelope = packer.pack(arrived);
  const entry = { offset, appendedMs: nowMs, envelope, problem: null, bytes: new Uint8Array(0) };
  offset++;
  await worker.entries(0, 1, [entry], offset);
}
const { user, system } = process.cpuUsage(began);
const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
const lines = [...counts].map(([kind, count]) => `| ${kind} | ${count} | ${((count * 1000) / rows).toFixed(2)} |`);
process.stdout.write(
  `${rows} rows, ${attackRows} of an attack; ${((user + system) / 1e6).toFixed(1)} s of CPU\n\n` +
    `| documents | writes | per 1,000 rows |\n|---|---|---|\n${lines.join('\n')}\n` +
    `| all | ${total} | ${((total * 1000) / rows).toFixed(2)} |\n`,
);

/**
 * What the state of a detector comes to over months:
 *
 *     node bench/service/growth.ts [--days 365] [--rows 1000] [--fresh 30] [--every 3] [--print 30]
 *
 * A tenant with so many rows a day, of which `fresh` come from domains and servers that were never there before, an
 * export a day, and an attack with a domain and a server of its own every so many days. Sizes are those of the checkpoint: the
 * manifest, which is written with every delivery, and the sealed state, which is written once a day, compressed; its parts
 * are given as they are before that.
 */

import { parseArgs } from 'node:util';
import { serialize } from 'node:v8';
import { createMemoryCheckpoints } from '../../src/adapters/memory/checkpoints.ts';
import { MemoryOutputStore } from '../../src/adapters/memory/output-store.ts';
import { DAY_MS, HOUR_MS } from '../../src/core/calendar.ts';
import type { CheckpointStore } from '../../src/core/checkpoint.ts';
import { DetectWorker } from '../../src/runtime/detect/detect-worker.ts';
import { decodeBase } from '../../src/runtime/detect/state-codec.ts';
import { Mail, Packer, PROFILE, type Row, TENANT } from './mail.ts';

const START_MS = Date.UTC(2025, 9, 6);
const ATTACK_ROWS = 120;
const ATTACK_HOUR = 9;

const { values } = parseArgs({
  options: {
    days: { type: 'string', default: '365' },
    rows: { type: 'string', default: '1000' },
    fresh: { type: 'string', default: '30' },
    every: { type: 'string', default: '3' },
    print: { type: 'string', default: '30' },
  },
});
const [days, rows, fresh, every, print] = (['days', 'rows', 'fresh', 'every', 'print'] as const).map((name) =>
  Number(values[name]),
);

let part = new Uint8Array(0);
let manifest = new Uint8Array(0);
const memory = createMemoryCheckpoints();
const checkpoints: CheckpointStore = {
  claim: (key, generation) => memory.claim(key, generation),
  save(key, generation, bytes) {
    manifest = new Uint8Array(bytes);
    return memory.save(key, generation, bytes);
  },
  putPart(key, name, bytes) {
    part = new Uint8Array(bytes);
    return memory.putPart(key, name, bytes);
  },
  part: (key, name) => memory.part(key, name),
  keepParts: (key, names) => memory.keepParts(key, names),
  close: () => memory.close(),
};
const outputs = new MemoryOutputStore();
let nowMs = START_MS;
const worker = new DetectWorker({
  pipeline: 'growth',
  profiles: new Map([[TENANT, PROFILE]]),
  checkpoints,
  outputs,
  now: () => nowMs,
  onLate: async () => {},
});
const mail = new Mail('growth');
let offset = 0;
await worker.assigned(0, 1);
process.stdout.write(
  '| day | incidents | manifest KiB | sealed state KiB | of it, before compression, KiB | CPU s |\n|---|---|---|---|---|---|\n',
);
const began = process.cpuUsage();
for (let day = 1; day <= days; day++) {
  const dayMs = START_MS + (day - 1) * DAY_MS;
  const packer = new Packer(`day-${day}.csv`);
  for (const envelope of [...packer.envelopes(rowsOf(day, dayMs)), packer.end()]) {
    const entry = { offset, appendedMs: nowMs, envelope, problem: null, bytes: new Uint8Array(0) };
    offset++;
    nowMs = dayMs + DAY_MS;
    await worker.entries(0, 1, [entry], offset);
  }
  // Nothing has come for minutes: what can be sealed is.
  for (let minute = 1; minute <= 3; minute++) {
    nowMs = dayMs + DAY_MS + minute * 60_000;
    await worker.idle(0, 1);
  }
  if (day % print === 0 || day === days) report(day);
}

/** In order of time. */
function rowsOf(day: number, dayMs: number): Row[] {
  const all = [...mail.over(dayMs, dayMs + DAY_MS, rows)];
  for (let row = 0; row < fresh; row++) all.push(mail.freshRow(dayMs + Math.floor((row * DAY_MS) / fresh)));
  if (day % every === 0) {
    for (let row = 0; row < ATTACK_ROWS; row++) {
      const server = { ip: `192.0.2.${day % 200}`, connector: `Inbound ${day % 10}` };
      all.push(mail.attackRow(dayMs + ATTACK_HOUR * HOUR_MS + row * 60_000, `prize-${day}.example`, server));
    }
  }
  return all.sort((left, right) => left.timeMs - right.timeMs);
}

function report(day: number): void {
  const { user, system } = process.cpuUsage(began);
  const sizes: [string, number][] = [];
  if (part.length > 0) {
    const { sealed, ...others } = decodeBase(part);
    for (const [name, value] of Object.entries({ ...others, pairs: sealed.pairs, ...sealed.walk })) {
      sizes.push([name, serialize(value).length]);
    }
  }
  for (const [name, value] of Object.entries(JSON.parse(Buffer.from(manifest).toString()).tenants[0].progress)) {
    sizes.push([`manifest: ${name}`, JSON.stringify(value).length]);
  }
  const incidents = part.length === 0 ? 0 : (decodeBase(part).sealed.walk?.book.incidents.length ?? 0);
  const largest = sizes.sort((left, right) => right[1] - left[1]).slice(0, 14);
  const list = largest.map(([name, bytes]) => `${name} ${kib(bytes)}`).join(', ');
  process.stdout.write(
    `| ${day} | ${incidents} | ${kib(manifest.length)} | ${kib(part.length)} | ${list} | ${((user + system) / 1e6).toFixed(0)} |\n`,
  );
}

function kib(bytes: number): string {
  return (bytes / 1024).toFixed(1);
}

/**
 * Elasticsearch is away while rows keep coming and an attack goes on: the memory of the detector, and how long it
 * takes to catch up.
 *
 *     node bench/service/backpressure.ts [--seconds 120] [--rate 1000]
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median } from '../detection/statistics.ts';
import { DOMAIN, Mail, Packer, type Row, TENANT } from './mail.ts';
import { residentMiB, Stand } from './stand.ts';

const TICK_MS = 500;
const BEFORE_MS = 30_000;
/** Share of the rows that are the attack's: there is always something to write. */
const ATTACK_SHARE = 0.02;
const PARTS = 4;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '120' }, rate: { type: 'string', default: '1000' } },
});
const awayMs = Number(values.seconds) * 1000;
const perTick = (Number(values.rate) * TICK_MS) / 1000;
const stand = await Stand.open([TENANT], [DOMAIN]);
const sink = stand.sink();
const samples: { atMs: number; mib: number }[] = [];
try {
  const detect = stand.worker('detect.yaml');
  const mail = new Mail('backpressure');
  const packer = new Packer('stream.csv');
  const sampling = setInterval(() => samples.push({ atMs: Date.now(), mib: residentMiB(detect) }), 1_000);
  let isSending = true;
  const sending = (async () => {
    let beforeMs = Date.now();
    for (let tick = 1, began = beforeMs; isSending; tick++) {
      await sleep(Math.max(0, began + tick * TICK_MS - Date.now()));
      const atMs = Date.now();
      const rows = Array.from({ length: perTick }, (_, index): Row => {
        const timeMs = Math.floor(beforeMs + ((atMs - beforeMs) * index) / perTick);
        return index < perTick * ATTACK_SHARE ? mail.attackRow(timeMs) : mail.row(timeMs);
      });
      beforeMs = atMs;
      await sink.send([packer.pack(rows)]);
    }
  })();
  const between = (fromMs: number, untilMs: number) =>
    samples.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).map(({ mib }) => mib);
  await sleep(BEFORE_MS);
  const incidents = (await stand.found('incident')).length;
  await stand.engines.elasticsearch.server.stop();
  const stoppedMs = Date.now();
  process.stderr.write(`stopped, ${incidents} incidents\n`);
  await sleep(awayMs);
  const startingMs = Date.now();
  await stand.engines.elasticsearch.server.restart();
  const startedMs = Date.now();
  await sleep(10_000);
  isSending = false;
  await sending;
  const quietMs = Date.now();
  await stand.caughtUp();
  const doneMs = Date.now();
  clearInterval(sampling);
  const line = (what: string, mib: number[]) =>
    `| ${what} | ${Math.min(...mib).toFixed(0)} | ${median(mib).toFixed(0)} | ${Math.max(...mib).toFixed(0)} |\n`;
  const parts = Array.from({ length: PARTS }, (_, part) => {
    const [from, until] = [part, part + 1].map((one) => stoppedMs + ((startingMs - stoppedMs) * one) / PARTS);
    return line(`away, part ${part + 1} of ${PARTS}`, between(from, until));
  });
  process.stdout.write(
    `| RSS of the detector, MiB | least | median | most |\n|---|---|---|---|\n` +
      line('before', between(stoppedMs - BEFORE_MS / 2, stoppedMs)) +
      parts.join('') +
      line('afterwards', between(startedMs, doneMs + 1)) +
      `\n${(startingMs - stoppedMs) / 1000} s away at ${values.rate} rows a second; caught up ${((doneMs - startedMs) / 1000).toFixed(1)} s ` +
      `after it answered again, ${((doneMs - quietMs) / 1000).toFixed(1)} s after the last row\n`,
  );
} finally {
  await sink.close();
  await stand.close();
}
process.exit(0);

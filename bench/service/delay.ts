/**
 * How long after the deciding row of an attack its incident is found by a search in Elasticsearch:
 *
 *     node bench/service/delay.ts [--trials 10] [--rate 1000] [--history 50000]
 *
 * Every trial is a tenant with a day of rows behind it, whose rows now come at that rate, an envelope every
 * 50 ms; event time is the present. After some seconds an attack begins. The incident says which row decided
 * (`detected_at`); measured is from the moment at which the envelope of that row is handed to Kafka's client until a
 * search that is repeated every 20 ms finds the incident.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DAY_MS } from '../../src/core/calendar.ts';
import { median } from '../detection/statistics.ts';
import { DOMAIN, Mail, Packer, type Row } from './mail.ts';
import { Stand } from './stand.ts';

const TICK_MS = 50;
const QUIET_MS = 4_000;
/** Share of the rows that are the attack's, once it has begun. */
const ATTACK_SHARE = 0.05;
const TRIAL_MS = 30_000;
const SEARCH_EVERY_MS = 20;

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '10' },
    rate: { type: 'string', default: '1000' },
    history: { type: 'string', default: '50000' },
  },
});
const perTick = (Number(values.rate) * TICK_MS) / 1000;
const tenants = Array.from({ length: Number(values.trials) }, (_, trial) => `tenant${trial}`);
const stand = await Stand.open(tenants, [DOMAIN]);
const sink = stand.sink();
try {
  stand.worker('detect.yaml');
  const delays: number[] = [];
  for (const tenant of tenants) {
    const mail = new Mail(tenant);
    const packer = new Packer(`${tenant}.csv`, tenant);
    const nowMs = Date.now();
    await sink.send([...packer.envelopes(mail.over(nowMs - DAY_MS, nowMs, Number(values.history)))]);
    await sleep(1_000);
    await stand.caughtUp();
    const sent: { untilMs: number; atMs: number }[] = [];
    let foundMs = 0;
    let detectedMs = 0;
    const began = Date.now();
    const searching = (async () => {
      while (foundMs === 0 && Date.now() - began < TRIAL_MS) {
        const [incident] = await stand.found('incident', { term: { 'relaywatch.tenant': tenant } });
        if (incident !== undefined) {
          foundMs = Date.now();
          detectedMs = Date.parse((incident.relaywatch as { incident: { detected_at: string } }).incident.detected_at);
        }
        await sleep(SEARCH_EVERY_MS);
      }
    })();
    let beforeMs = began;
    for (let tick = 1; foundMs === 0 && Date.now() - began < TRIAL_MS; tick++) {
      await sleep(Math.max(0, began + tick * TICK_MS - Date.now()));
      const atMs = Date.now();
      const isAttacked = atMs - began > QUIET_MS;
      const rows = Array.from({ length: perTick }, (_, index): Row => {
        const timeMs = Math.floor(beforeMs + ((atMs - beforeMs) * index) / perTick);
        return isAttacked && index < perTick * ATTACK_SHARE ? mail.attackRow(timeMs) : mail.row(timeMs);
      });
      beforeMs = atMs;
      sent.push({ untilMs: atMs, atMs });
      void sink.send([packer.pack(rows)]);
    }
    await searching;
    const deciding = sent.find(({ untilMs }) => detectedMs < untilMs);
    if (foundMs === 0 || deciding === undefined) throw new Error(`${tenant}: no incident within ${TRIAL_MS} ms`);
    delays.push(foundMs - deciding.atMs);
    process.stderr.write(`${tenant}: ${delays.at(-1)} ms\n`);
  }
  const sorted = [...delays].sort((a, b) => a - b);
  const high = sorted[Math.ceil(sorted.length * 0.95) - 1];
  process.stdout.write(
    `${values.rate} rows a second, ${tenants.length} trials: from the deciding row to the searchable incident ` +
      `median ${(median(delays) / 1000).toFixed(2)} s, 95th percentile ${(high / 1000).toFixed(2)} s, ` +
      `least ${(sorted[0] / 1000).toFixed(2)} s\n`,
  );
} finally {
  await sink.close();
  await stand.close();
}
process.exit(0);

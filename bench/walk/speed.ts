/**
 * How many pairs a second the walk takes with every series on, on one core: a generated tenant with an attack, its
 * records in memory. Processor time of the process, so that what else the machine does counts little.
 *
 *     node bin/node24.js bench/walk/speed.ts [--rows 1000000] [--days 30] [--runs 3]
 */

import { parseArgs } from 'node:util';
import { detectionSettings } from '../../src/config/detection.ts';
import { visitDays } from '../../src/core/order.ts';
import { RecordWalk } from '../detection/record-walk.ts';
import type { EncodedRows } from '../detection/row-encoder.ts';
import { makeAttack } from '../traffic/attack.ts';
import { DAY_MS, HOUR_MS, sortByTime } from '../traffic/message.ts';
import { streamBackground } from '../traffic/world.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    days: { type: 'string', default: '30' },
    runs: { type: 'string', default: '3' },
  },
});
const days = Number(values.days);
const startMs = Date.UTC(2026, 0, 5);
const server = { ip: '192.0.2.25', connector: 'Inbound from DC1' };
const tenant = streamBackground({
  seed: 'walk',
  startMs,
  days,
  rowsPerDay: Number(values.rows) / days,
  hybrid: [{ ...server, applicationRowsPerDay: 300, foreignRowsPerDay: 60 }],
});
const walk = new RecordWalk({ ...tenant, startMs }, detectionSettings(null));
const attack = makeAttack(
  { ...tenant, seed: 'walk' },
  {
    id: 'attack',
    kind: 'relay',
    startMs: startMs + (days - 3) * DAY_MS + 14 * HOUR_MS,
    hours: 3,
    recipientsPerHour: 1000,
    domains: { count: 3 },
    source: server,
  },
);
const rows: EncodedRows[] = [];
let pairs = 0;
let dayMs = startMs;
for (const messages of tenant.days) {
  const ofDay = attack.messages.filter(({ timeMs }) => timeMs >= dayMs && timeMs < dayMs + DAY_MS);
  const whole = [...messages, ...ofDay];
  sortByTime(whole);
  const encoded = walk.encode(whole);
  rows.push(encoded);
  pairs += encoded.size;
  dayMs += DAY_MS;
  // Only the walk is measured: the texts of old rows need no memory.
  walk.forgetBefore(walk.position);
}
process.stdout.write(`${pairs.toLocaleString('en')} pairs of ${days} days\n`);

const empty = walk.save();
const seconds = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
};
for (let run = 1; run <= Number(values.runs); run++) {
  walk.load(empty);
  const ordering = seconds(() => {
    for (const ofDay of rows) visitDays(ofDay, () => {});
  });
  const whole = seconds(() => {
    for (const ofDay of rows) walk.walk(ofDay);
  });
  const alone = whole - ordering;
  const rate = (time: number) => Math.round(pairs / time).toLocaleString('en');
  process.stdout.write(
    `run ${run}: put in order ${ordering.toFixed(2)} s, walked ${alone.toFixed(2)} s: ${rate(alone)} pairs a second (${rate(whole)} with the ordering)\n`,
  );
}

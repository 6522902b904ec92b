/**
 * `npm run chaos -- --schedules 100 --seed 1`: schedules of faults against the whole service on engines of its
 * own. Schedule N of seed S is the same as schedule 1 of seed S + N - 1, so one that failed is run again with
 * `--schedules 1 --seed SEED`. Exit code 1 where one failed.
 */

import { writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { textOf } from '../test/chaos/plan.ts';
import { runSchedule, type ScheduleResult } from '../test/chaos/schedule.ts';
import { TINY_WRITE_QUEUE } from '../test/engines/elasticsearch.ts';
import { startOwnEngines } from '../test/engines/engines.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    'at-once': { type: 'string', default: '1' },
  },
});
const first = Number(values.seed);
const count = Number(values.schedules);
const atOnce = Number(values['at-once']);

// Workers end with this process, and so do the engines.
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));

const began = Date.now();
const results: ScheduleResult[] = [];
const { engines, close } = await startOwnEngines({
  kafka: true,
  elasticsearch: { settings: TINY_WRITE_QUEUE },
  redis: true,
});
try {
  let next = first;
  const lane = async () => {
    while (next < first + count) {
      const result = await runSchedule(next++, engines);
      results.push(result);
      report(result);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
} finally {
  await close();
}
summarize();

function report({ plan, problems, notes, durationMs, log }: ScheduleResult): void {
  const outcome = problems.length === 0 ? 'ok' : 'FAILED';
  print(`${plan.seed} ${outcome} ${(durationMs / 1000).toFixed(1)} s: ${textOf(plan)}`);
  if (problems.length === 0) return;
  for (const problem of problems) print(`    ${problem}`);
  const file = path.join(os.tmpdir(), `relaywatch-chaos-${plan.seed}.log`);
  writeFileSync(file, `${notes.join('\n')}\n\n${problems.join('\n')}\n\n${log}`);
  print(`    Notes and logs of the workers: ${file}. Again: npm run chaos -- --schedules 1 --seed ${plan.seed}`);
}

function summarize(): void {
  const failed = results.filter(({ problems }) => problems.length > 0).map(({ plan }) => plan.seed);
  const kinds = new Map<string, number>();
  for (const { plan } of results) {
    for (const { kind } of plan.faults) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const exits = results.flatMap(({ selfExits }) => selfExits);
  const times = results.map(({ durationMs }) => durationMs / 1000).sort((left, right) => left - right);
  print('');
  for (const [kind, times] of [...kinds].sort()) print(`${String(times).padStart(5)} ${kind}`);
  print(`${exits.length} workers ended by themselves and were started again`);
  for (const [said, count] of counted(exits.map(({ role, code, said }) => `${role} ${code}: ${said.slice(-300)}`))) {
    print(`${String(count).padStart(5)} ${said}`);
  }
  const median = times[Math.floor(times.length / 2)]?.toFixed(1);
  print(`${results.length} schedules in ${((Date.now() - began) / 60_000).toFixed(1)} min, median ${median} s`);
  print(
    `${results.length - failed.length} ok, ${failed.length} failed${failed.length > 0 ? `: ${failed.sort((a, b) => a - b).join(', ')}` : ''}`,
  );
  process.exitCode = failed.length > 0 ? 1 : 0;
}

function counted(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

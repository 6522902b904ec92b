/**
 * `npm run fuzz -- --cases 1000000 --seed 1`: damaged exports of every format through the readers, as many as wanted.
 * Exit code 1 where one crashes, loses a record or takes too long; the seed and the shrunk case are printed.
 */

import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { damagedExport, readFixtures } from '../test/fuzz/exports.ts';
import { checkDamagedExport } from '../test/fuzz/reading.ts';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const cases = Number(values.cases);
const seed = Number(values.seed);
/** Cases between two lines of progress, which have seeds of their own. */
const BATCH = 20_000;
const SLOW_MS = 2_000;

const fixtures = readFixtures();
const began = performance.now();
let slowest = 0;
let largestMiB = 0;
for (let done = 0; done < cases; done += BATCH) {
  const numRuns = Math.min(BATCH, cases - done);
  const details = fc.check(
    fc.property(damagedExport(fixtures), (damaged) => {
      const start = performance.now();
      checkDamagedExport(damaged);
      const tookMs = performance.now() - start;
      slowest = Math.max(slowest, tookMs);
      if (tookMs > SLOW_MS) throw new Error(`${damaged.fixture} took ${Math.round(tookMs)} ms`);
    }),
    { seed: seed + done, numRuns },
  );
  if (details.failed) {
    const { fixture, damages, cuts } = details.counterexample?.[0] ?? { fixture: '', damages: [], cuts: [] };
    process.stdout.write(`seed ${seed + done}: ${fixture} ${JSON.stringify({ damages, cuts })}\n`);
    process.stdout.write(`${String(details.errorInstance)}\n`);
    process.exitCode = 1;
    break;
  }
  largestMiB = Math.max(largestMiB, process.memoryUsage().rss / 1_048_576);
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(
    `${done + numRuns} cases of ${fixtures.length} fixtures in ${seconds.toFixed(0)} s, ` +
      `slowest ${slowest.toFixed(0)} ms, ${largestMiB.toFixed(0)} MiB\n`,
  );
}

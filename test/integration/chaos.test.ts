/**
 * Ten seeded schedules of faults against the whole service; `npm run chaos` runs any number. A schedule that
 * failed is run again with `npm run chaos -- --schedules 1 --seed SEED`.
 */

import { expect, test } from 'vitest';
import { textOf } from '../chaos/plan.ts';
import { runSchedule } from '../chaos/schedule.ts';
import { TINY_WRITE_QUEUE } from '../engines/elasticsearch.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

const SCHEDULES = 10;
const seed = Number(process.env.SEED ?? 1);

describeWithOwnEngines(
  'Chaos',
  { kafka: true, elasticsearch: { settings: TINY_WRITE_QUEUE }, redis: true },
  (engines) => {
    test('after every schedule the incidents are those of scan, and the ledger adds up', {
      timeout: 2_400_000,
    }, async () => {
      const failures: string[] = [];
      // One after the other: they share the engines that they break.
      for (let next = seed; next < seed + SCHEDULES; next++) {
        const { plan, problems } = await runSchedule(next, engines());
        if (problems.length > 0) failures.push(`seed ${plan.seed}: ${textOf(plan)}\n${problems.join('\n')}`);
      }
      expect(failures.join('\n\n')).toBe('');
    });
  },
);

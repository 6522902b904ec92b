/** Real mail of real people as the background: forwarding only, nothing bad known. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultTracesFolder, TRACES } from '../../traces/trace.ts';
import { traceTraffic } from '../../traces/trace-traffic.ts';
import { quietMetrics } from '../metrics.ts';
import type { Scenario } from '../scenario.ts';
import { LEARNING_DAYS } from '../tenants.ts';

/** One trial is one set of forwarding mailboxes. The traces are no part of the project: without them, no trial. */
export const REAL_TRACE_SCENARIOS: Scenario[] = TRACES.flatMap((trace) =>
  [true, false].map((wayInVisible): Scenario => {
    const id = `real-${trace.name}${wayInVisible ? '' : '-way-in-hidden'}`;
    let text: string | null | undefined;
    return {
      id,
      title: `Real mail (${trace.name}), ${wayInVisible ? 'the way in of forwards visible' : 'the way in of forwards hidden'}`,
      trials: trace.name === 'radoslaw' ? 10 : 5,
      make: (seed, index) => {
        if (text === undefined) {
          const path = join(defaultTracesFolder(), trace.file);
          text = existsSync(path) ? readFileSync(path, 'utf8') : null;
          if (text === null) process.stderr.write(`${id}: skipped, ${path} is missing\n`);
        }
        if (text === null) return null;
        return {
          name: `${id}/${index}`,
          traffic: traceTraffic(text, trace.name, { seed: `${seed}/${index}`, wayInVisible }),
          learningDays: LEARNING_DAYS,
        };
      },
      measure: (outcomes) => quietMetrics(outcomes, { unregistered: wayInVisible ? 0.3 : 0.4 }),
    };
  }),
);

/** The evaluation itself: which backgrounds and scenarios, how many trials, and what they amount to. */

import { BACKGROUNDS, type BackgroundKind } from './backgrounds.ts';
import { QUIET_BOUNDS, quietMetrics } from './metrics.ts';
import { type Done, runTasks } from './pool.ts';
import type { QuietOutcome, Scenario, TrialOutcome } from './scenario.ts';
import { SCENARIOS } from './scenarios/registry.ts';
import type { Stream } from './stream.ts';
import { type Result, resultOf } from './tables.ts';
import type { Adjustment, Task } from './task.ts';

export interface EvaluationOptions {
  seed: string;
  scenarios: readonly Scenario[];
  backgrounds: readonly BackgroundKind[];
  /** Trials of each scenario on each background; the quick profile's numbers where null. */
  trials: number | null;
  workers: number;
  adjustment: Adjustment;
  /** A line for each background instead of each pool of them. */
  byBackground?: boolean;
  withStreams?: boolean;
  progress?: (text: string) => void;
}

export interface Evaluation {
  results: Result[];
  outcomes: { scenario: string; outcome: TrialOutcome }[];
  quiet: QuietOutcome[];
  streams: Stream[];
  /** Tasks that threw, with their stacks. */
  failures: string[];
}

/** `A1` is that scenario and `A1-…`, not `A10`. */
export function scenariosCalled(names: readonly string[]): Scenario[] {
  return SCENARIOS.filter((scenario) =>
    names.some((name) => scenario.id.startsWith(name) && !/^\d/.test(scenario.id.slice(name.length))),
  );
}

export function backgroundsCalled(names: readonly string[]): BackgroundKind[] {
  return BACKGROUNDS.filter((kind) => names.includes(kind.id));
}

function groupsOf(kind: BackgroundKind, trials: number | null): number {
  return trials === null ? kind.quickGroups : Math.ceil(trials / kind.trialsEach);
}

export async function evaluate(options: EvaluationOptions): Promise<Evaluation> {
  const tasks: Task[] = [];
  // The largest first, so that no worker is left alone with them in the end.
  for (const kind of [...options.backgrounds].reverse()) {
    for (let group = 0; group < groupsOf(kind, options.trials); group++) {
      tasks.push({
        background: kind.id,
        group,
        seed: options.seed,
        scenarios: options.scenarios.map((scenario) => scenario.id),
        adjustment: options.adjustment,
        withStreams: options.withStreams,
      });
    }
  }
  const done = await runTasks(tasks, options.workers, (finished) =>
    options.progress?.(`${finished} of ${tasks.length} backgrounds`),
  );
  return summary(options, tasks, done);
}

function summary(options: EvaluationOptions, tasks: readonly Task[], done: readonly Done[]): Evaluation {
  const outcomes: Evaluation['outcomes'] = [];
  const quietOf = new Map<string, QuietOutcome[]>();
  const failures: string[] = [];
  const streams: Stream[] = [];
  const poolOf = new Map(BACKGROUNDS.map((kind) => [kind.id, kind.pool as string]));
  for (const kind of options.backgrounds) {
    tasks.forEach((task, index) => {
      if (task.background !== kind.id) return;
      const one = done[index];
      if ('failure' in one) failures.push(`${task.background}/${task.group}: ${one.failure}`);
      else if (one.result !== null) {
        outcomes.push(...one.result.outcomes);
        streams.push(...one.result.streams);
        quietOf.set(kind.quietAs, [...(quietOf.get(kind.quietAs) ?? []), one.result.quiet]);
      }
    });
  }
  const results: Result[] = [];
  for (const [quietAs, tenants] of quietOf) {
    const kinds = options.backgrounds.filter((kind) => kind.quietAs === quietAs);
    results.push({
      scenario: quietAs,
      title: kinds.map((kind) => kind.title).join('; '),
      pool: kinds.map((kind) => kind.id).join(', '),
      kind: 'quiet',
      metrics: quietMetrics(tenants, QUIET_BOUNDS[quietAs] ?? {}),
      types: '',
    });
  }
  for (const scenario of options.scenarios) {
    const mine = outcomes.filter((one) => one.scenario === scenario.id).map((one) => one.outcome);
    const nameOf = ({ background }: TrialOutcome): string =>
      options.byBackground ? background : (poolOf.get(background) as string);
    for (const name of new Set(mine.map(nameOf))) {
      const inPool = mine.filter((outcome) => nameOf(outcome) === name);
      if (inPool.every((outcome) => outcome.attacks.length === 0 && outcome.lookAlike === null)) continue;
      const pool = poolOf.get(inPool[0].background) as string;
      results.push(resultOf(scenario, name, inPool, scenario.measure(inPool, pool)));
    }
  }
  return { results, outcomes, quiet: [...quietOf.values()].flat(), streams, failures };
}

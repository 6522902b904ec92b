/** One piece of work of the evaluation: a background and its trials, here or in a worker thread. */

import { detectionSettings } from '../../src/config/detection.ts';
import type { DetectionSettings, PerWindow } from '../../src/core/series-settings.ts';
import { BACKGROUNDS } from './backgrounds.ts';
import { type GroupResult, planTrials, runGroup } from './group.ts';
import { SCENARIOS } from './scenarios/registry.ts';

/** How far the detector's numbers are moved from what is shipped: to draw the curve of false alarms against leak. */
export interface Adjustment {
  /** Added to every critical z. */
  z: number;
  /** Multiplies every floor. */
  floors: number;
}

export interface Task {
  background: string;
  group: number;
  seed: string;
  scenarios: readonly string[];
  adjustment: Adjustment;
  /** Whether the rows are handed back for the detectors of others. */
  withStreams?: boolean;
}

export const AS_SHIPPED: Adjustment = { z: 0, floors: 1 };

export function adjustedSettings({ z, floors }: Adjustment): DetectionSettings {
  const settings = detectionSettings(null);
  const scaled = (counts: PerWindow): PerWindow =>
    counts.map((count) => Math.max(1, Math.round(count * floors))) as unknown as PerWindow;
  return {
    ...settings,
    series: settings.series.map((series) => ({
      ...series,
      zCritical: series.zCritical + z,
      floors: scaled(series.floors),
    })),
  };
}

/** Null where the background's data is missing here. */
export function runTask(task: Task): GroupResult | null {
  const kind = BACKGROUNDS.find((one) => one.id === task.background);
  if (kind === undefined) throw new Error(`no background is called ${task.background}`);
  const background = kind.open(`${task.seed}/${task.group}`);
  if (background === null) return null;
  const scenarios = SCENARIOS.filter((scenario) => task.scenarios.includes(scenario.id));
  const trials = planTrials(scenarios, background, task.seed, task.group);
  return runGroup(background, trials, adjustedSettings(task.adjustment), task.withStreams);
}

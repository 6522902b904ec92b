/**
 * The contract of a detector: what a series finds, what proves it, where it fails, what looks the same and is
 * none, what to do about it, and its numbers. One file per series; the walk does the counting.
 */

import type { Family } from '../core/incident-document.ts';
import type { DetectorGuide } from '../core/runbook.ts';
import type { SeriesSettings } from '../core/series-settings.ts';

export interface Detector extends DetectorGuide {
  readonly families: readonly Family[];
  /** The behaviour it finds, in one sentence. */
  readonly finds: string;
  /** Which columns of an export prove it. */
  readonly proof: string;
  /** What it cannot see. */
  readonly gaps: readonly string[];
  readonly options: readonly DetectorOption[];
}

/** A number of a detector, as `explain`, lint and the README show it. */
export interface DetectorOption {
  readonly name: string;
  readonly unit: string;
  readonly default: string;
  readonly description: string;
  readonly example: string;
}

/** Of a normal distribution, one-sided. */
const CHANCES: Readonly<Record<number, string>> = { 5: 'three million', 5.5: 'fifty million', 6: 'a billion' };

const perWindow = (values: readonly number[]): string => values.join(' / ');

/** The options of a series, from its numbers: the texts are the same for every series. */
export function seriesOptions(settings: SeriesSettings): readonly DetectorOption[] {
  const unit = settings.unit === 'weight' ? 'weighted recipients' : 'recipients';
  return [
    {
      name: 'floors',
      unit: `${unit} in 15 min / 1 h / 6 h / 24 h`,
      default: perWindow(settings.floors),
      description: 'Fewer are never a hit, however unusual they are.',
      example: `${settings.floors[0]}: ${settings.floors[0] - 1} in 15 minutes stay quiet on any day.`,
    },
    {
      name: 'zCritical',
      unit: 'standard deviations',
      default: String(settings.zCritical),
      description: 'How far above its expectation a count must be to be a hit.',
      example: `${settings.zCritical}: about one chance in ${CHANCES[settings.zCritical]} if the expectation were exact.`,
    },
    {
      name: 'phi0',
      unit: 'squared coefficient of variation in 15 min / 1 h / 6 h / 24 h',
      default: perWindow(settings.phi0),
      description: 'How uneven the counts of a key are taken to be until it has shown its own history.',
      example: `${settings.phi0[3]} in 24 h: a day of half or double the usual is ordinary.`,
    },
    {
      name: 'priorPerDay',
      unit: `${unit} a day`,
      default: String(settings.priorPerDay),
      description: 'What is expected of a key that has no history.',
      example: `${settings.priorPerDay}: the first day of a tenant is judged against it.`,
    },
  ];
}

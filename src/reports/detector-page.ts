/** What `explain` tells of a detector: what it finds, what proves it, what it cannot see, and what to do. */

import type { DetectorGuide } from '../core/runbook.ts';
import { shellNote } from './table.ts';
import { indented, padEnd, wrap } from './text.ts';

const COLUMNS = 80;

/** A detector as `explain` tells it. */
export interface DetectorText extends DetectorGuide {
  readonly finds: string;
  readonly proof: string;
  readonly gaps: readonly string[];
  readonly options: readonly {
    readonly name: string;
    readonly unit: string;
    readonly default: string;
    readonly description: string;
    readonly example: string;
  }[];
}

/** A line for each detector. */
export function detectorList(detectors: readonly DetectorText[]): string {
  const width = Math.max(...detectors.map(({ series }) => series.length)) + 2;
  return detectors.map(({ series, title }) => `${padEnd(series, width)}${title}\n`).join('');
}

export function detectorPage(detector: DetectorText): string {
  const { series, title, finds, proof, gaps, harmless, options, runbook } = detector;
  const lines = [`${series}: ${title}`, '', ...wrap(finds, COLUMNS), '', 'What proves it', ...indented(proof, COLUMNS)];
  lines.push('', 'What it cannot see', ...gaps.flatMap(bullet));
  lines.push('', 'What looks the same and is harmless', ...harmless.flatMap(bullet));
  lines.push('', 'Numbers');
  for (const option of options) {
    lines.push(...bullet(`${option.name} (${option.unit}): ${option.default}`));
    lines.push(...indented(option.description, COLUMNS, 4), ...indented(`For example ${option.example}`, COLUMNS, 4));
  }
  lines.push('', 'What to do (scan puts the values of an incident in the place of {{names}})');
  runbook.forEach((step, index) => {
    const [first, ...rest] = indented(`${step.question}${shellNote(step.show)}`, COLUMNS, 5);
    lines.push(`${String(index + 1).padStart(3)}. ${first.trimStart()}`, ...rest);
    lines.push(...indented(`Look at: ${step.field} (${step.timeRange})`, COLUMNS, 5));
    lines.push(`     ${step.show.text}`);
    if (step.stop !== null) lines.push(`     To stop it${shellNote(step.stop)}: ${step.stop.text}`);
    lines.push(...indented(step.meaning, COLUMNS, 5));
  });
  return `${lines.join('\n')}\n`;
}

function bullet(text: string): string[] {
  return wrap(text, COLUMNS - 4).map((line, index) => `${index === 0 ? '  - ' : '    '}${line}`);
}

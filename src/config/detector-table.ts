/** The table of detectors in the README, as Markdown: a test compares the two. */

import type { Detector } from '../detectors/detector.ts';
import { detectors as allDetectors } from './registry.ts';

const HEADER = ['Series', 'Finds', 'Least recipients in 15 min / 1 h / 6 h / 24 h', 'Score', 'Harmless look-alikes'];

export function detectorTable(detectors: readonly Detector[] = allDetectors): string {
  const rows = detectors.map(({ series, finds, options: [first], settings, harmless }) => [
    `\`${series}\``,
    finds,
    // Without a score it is a fixed limit, which names its own windows.
    settings === null ? `${first.default} ${first.unit}` : first.default,
    settings === null ? '' : String(settings.zCritical),
    harmless.join(' '),
  ]);
  return [HEADER, HEADER.map(() => '---'), ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |\n`).join('');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

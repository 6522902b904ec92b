/** The progress line: one line of stderr that is written over, on a terminal only. */

import { formatCount } from '../reports/text.ts';
import type { ScanProgress } from './scan.ts';

const REDRAW_MS = 100;
/** Back to the first column, and clear to the end of the line (ECMA-48 EL). */
const CLEAR_LINE = '\r\u001b[K';
const MEGABYTE = 1_000_000;

export interface ProgressLine {
  update(progress: ScanProgress): void;
  clear(): void;
}

/** A line on the stream; where it is no terminal, or `quiet`, nothing is written. */
export function createProgressLine(stream: NodeJS.WriteStream, quiet: boolean): ProgressLine {
  if (!stream.isTTY || quiet) return { update: () => {}, clear: () => {} };
  let drawnMs = Number.NEGATIVE_INFINITY;
  let drawn = false;
  return {
    update(progress) {
      const nowMs = performance.now();
      if (nowMs - drawnMs < REDRAW_MS) return;
      drawnMs = nowMs;
      drawn = true;
      stream.write(`${CLEAR_LINE}${progressText(progress)}`);
    },
    clear() {
      if (drawn) stream.write(CLEAR_LINE);
      drawn = false;
    },
  };
}

export function progressText({ phase, bytesRead, bytesTotal, rows }: ScanProgress): string {
  const rowsText = `${formatCount(rows)} rows`;
  if (phase === 'detecting') return `looking for incidents in ${rowsText}`;
  const read = Math.floor(bytesRead / MEGABYTE);
  // Of stdin, and of files that grow, the size is not known.
  if (bytesTotal < bytesRead || bytesTotal === 0) return `reading: ${formatCount(read)} MB, ${rowsText}`;
  const percent = Math.floor((bytesRead / bytesTotal) * 100);
  return `reading: ${percent} % of ${formatCount(Math.ceil(bytesTotal / MEGABYTE))} MB, ${rowsText}`;
}

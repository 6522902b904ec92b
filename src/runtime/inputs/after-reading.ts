/** What reading a whole file shows beside its rows: rows that are missing, bytes that are no text. */

import type { FileLayout } from './layout.ts';

/** Lines of a report at which Microsoft's service stops (Start-HistoricalSearch). */
const REPORT_LINES = 100_000;
/** Refused lines of a file that are looked at for what PowerShell writes between rows. */
export const LOOKED_AT_REFUSALS = 1000;
/** Bytes of a refused line that are looked at. */
export const LOOKED_AT_BYTES = 200;

/** The warning of Get-MessageTraceV2 that its result was cut, which `*>` and transcripts put between the rows. */
export const MORE_RESULTS = /There are more results, use the following command/i;
/**
 * First line of every export of Windows PowerShell, and those of a tracking log: in the middle of exports that were
 * joined, and of a log where the service was started again.
 */
export const TYPE_LINE = /^(?:"?#TYPE |#(?:Software|Version|Log-type|Date|Fields):)/i;

/** The start of a refused line, from its stored bytes. */
export function refusedText(bytes: Uint8Array, layout: FileLayout): string {
  const encoding = layout.encoding === 'windows-1252' ? 'utf-8' : layout.encoding;
  return new TextDecoder(encoding).decode(bytes);
}

/** Warnings for people, for the ledger line of the file. */
export function readingWarnings(found: { records: number; replacedBytes: number; saysMoreResults: boolean }): string[] {
  const warnings: string[] = [];
  if (found.replacedBytes > 0) {
    warnings.push(
      `${found.replacedBytes} bytes are no UTF-8 and were read as "?": were exports of two encodings joined?`,
    );
  }
  if (found.records === REPORT_LINES || found.records + 1 === REPORT_LINES) {
    warnings.push(
      'it has exactly 100,000 lines, where the service cuts reports: rows are probably missing; ask for a shorter time',
    );
  }
  if (found.saysMoreResults) {
    warnings.push(
      'Get-MessageTraceV2 said "There are more results": rows are missing; continue the export as the warning says',
    );
  }
  return warnings;
}

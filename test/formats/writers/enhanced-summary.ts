/** The Enhanced summary of Start-HistoricalSearch. */

import { enhancedSummaryCsv } from '../../../bench/traffic/enhanced-summary-export.ts';
import { encodeExport } from '../../../bench/traffic/export-text.ts';
import type { FormatWriter } from './message.ts';

export const enhancedSummaryWriters: readonly FormatWriter[] = [
  {
    format: 'enhanced-summary',
    form: 'UTF-16 without a byte order mark',
    lacks: ['header_sender', 'refusal', 'verdicts'],
    write: (messages) => [{ name: 'summary.csv', content: encodeExport(enhancedSummaryCsv(messages), 'utf16le') }],
  },
];

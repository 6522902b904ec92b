/** Every writer, format by format. */

import { enhancedSummaryWriters } from './enhanced-summary.ts';
import { extendedReportWriters } from './extended-report.ts';
import type { FormatWriter } from './message.ts';
import { messageTraceWriters } from './message-trace.ts';
import { trackingLogWriters } from './tracking-log.ts';
import { trackingLogCmdletWriters } from './tracking-log-cmdlet.ts';

export const formatWriters: readonly FormatWriter[] = [
  ...messageTraceWriters,
  ...enhancedSummaryWriters,
  ...extendedReportWriters,
  ...trackingLogWriters,
  ...trackingLogCmdletWriters,
];

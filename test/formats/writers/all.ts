/** Every writer, format by format. */

import { adminCenterSummaryWriters } from './admin-center-summary.ts';
import { elasticMessageTraceWriters } from './elastic-message-trace.ts';
import { emailEventsWriters } from './email-events.ts';
import { enhancedSummaryWriters } from './enhanced-summary.ts';
import { extendedReportWriters } from './extended-report.ts';
import { graphMessageTraceWriters } from './graph-message-trace.ts';
import type { FormatWriter } from './message.ts';
import { messageTraceWriters } from './message-trace.ts';
import { powershellWriters } from './powershell-forms.ts';
import { reportingServiceWriters } from './reporting-service.ts';
import { trackingLogWriters } from './tracking-log.ts';
import { trackingLogCmdletWriters } from './tracking-log-cmdlet.ts';

export const formatWriters: readonly FormatWriter[] = [
  ...messageTraceWriters,
  ...powershellWriters,
  ...reportingServiceWriters,
  ...graphMessageTraceWriters,
  ...adminCenterSummaryWriters,
  ...enhancedSummaryWriters,
  ...emailEventsWriters,
  ...elasticMessageTraceWriters,
  ...extendedReportWriters,
  ...trackingLogWriters,
  ...trackingLogCmdletWriters,
];

/** Every writer, format by format. */

import { enhancedSummaryWriters } from './enhanced-summary.ts';
import type { FormatWriter } from './message.ts';
import { messageTraceWriters } from './message-trace.ts';

export const formatWriters: readonly FormatWriter[] = [...messageTraceWriters, ...enhancedSummaryWriters];

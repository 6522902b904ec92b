/** Every component by one line: a new one is a file, a test, and its line here. */

import { enhancedSummary } from '../formats/enhanced-summary.ts';
import type { OtherExport, TraceFormat } from '../formats/format.ts';
import { messageTrace } from '../formats/message-trace.ts';
import { otherExports } from '../formats/other-exports.ts';

export const traceFormats: readonly TraceFormat[] = [messageTrace, enhancedSummary];

export const knownOtherExports: readonly OtherExport[] = otherExports;

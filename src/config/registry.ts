/** Every component by one line: a new one is a file, a test, and its line here. */

import { block } from '../detectors/block.ts';
import { ceilings } from '../detectors/ceilings.ts';
import type { Detector } from '../detectors/detector.ts';
import { mailbox } from '../detectors/mailbox.ts';
import { mailboxRecipients } from '../detectors/mailbox-recipients.ts';
import { relayed } from '../detectors/relayed.ts';
import { tenantExternal } from '../detectors/tenant-external.ts';
import { unregisteredDomain } from '../detectors/unregistered-domain.ts';
import { unregisteredRecipients } from '../detectors/unregistered-recipients.ts';
import { unregisteredSource } from '../detectors/unregistered-source.ts';
import { adminCenterSummary } from '../formats/admin-center-summary.ts';
import { elasticMessageTrace } from '../formats/elastic-message-trace.ts';
import { emailEvents } from '../formats/email-events.ts';
import { enhancedSummary } from '../formats/enhanced-summary.ts';
import { extendedReport } from '../formats/extended-report.ts';
import type { OtherExport, TraceFormat } from '../formats/format.ts';
import { graphMessageTrace } from '../formats/graph-message-trace.ts';
import { messageTrace } from '../formats/message-trace.ts';
import { otherExports } from '../formats/other-exports.ts';
import { trackingLog } from '../formats/tracking-log.ts';
import { trackingLogCmdlet } from '../formats/tracking-log-cmdlet.ts';

/** Of two that fit a header equally well the first counts: documents of Elastic may hold the trace they were made from. */
export const traceFormats: readonly TraceFormat[] = [
  elasticMessageTrace,
  messageTrace,
  graphMessageTrace,
  enhancedSummary,
  emailEvents,
  adminCenterSummary,
  extendedReport,
  trackingLog,
  trackingLogCmdlet,
];

export const knownOtherExports: readonly OtherExport[] = otherExports;

/** In the order in which hits of one moment open and join incidents. */
export const detectors: readonly Detector[] = [
  relayed,
  unregisteredSource,
  unregisteredDomain,
  unregisteredRecipients,
  mailbox,
  mailboxRecipients,
  tenantExternal,
  ceilings,
  block,
];

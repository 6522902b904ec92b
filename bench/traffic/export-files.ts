/** Cuts a tenant's messages into export files as people make them: by days, overlapping, statuses changing. */

import { enhancedSummaryCsv } from './enhanced-summary-export.ts';
import { type ExportEncoding, encodeExport } from './export-text.ts';
import { DAY_MS, MINUTE_MS, type RecipientStatus, type Traffic, type TrafficMessage } from './message.ts';
import {
  type DateStyle,
  type MessageTraceOptions,
  messageTraceCsv,
  messageTraceJson,
  messageTraceNdjson,
} from './message-trace-export.ts';
import { Random } from './random.ts';

export type ExportFormat =
  | 'enhanced-summary'
  | 'message-trace-v1'
  | 'message-trace-v2'
  | 'message-trace-json'
  | 'message-trace-ndjson';

export interface ExportOptions {
  format: ExportFormat;
  encoding?: ExportEncoding;
  dates?: DateStyle;
  delimiter?: ',' | ';' | '\t';
  /** Days in a file; all in one file by default. */
  daysPerFile?: number;
  /** Hours before its start that a file repeats; 0 by default. */
  overlapHours?: number;
  /** `newest-first` as the cmdlets give rows, `shuffled` as the historical report does. */
  order?: 'by-time' | 'newest-first' | 'shuffled';
}

export interface ExportFile {
  name: string;
  bytes: Buffer;
}

/** Mail of the last minutes before an export was made has not reached its final status. */
const UNSETTLED_MS = 10 * MINUTE_MS;

export function* exportFiles(traffic: Traffic, options: ExportOptions): Generator<ExportFile> {
  const daysPerFile = options.daysPerFile ?? traffic.days;
  const overlapMs = (options.overlapHours ?? 0) * 60 * MINUTE_MS;
  const endMs = traffic.startMs + traffic.days * DAY_MS;
  for (let fromMs = traffic.startMs; fromMs < endMs; fromMs += daysPerFile * DAY_MS) {
    const toMs = Math.min(endMs, fromMs + daysPerFile * DAY_MS);
    let messages = traffic.messages.filter(
      (message) => message.timeMs >= fromMs - overlapMs && message.timeMs < (toMs === endMs ? Infinity : toMs),
    );
    if (options.order === 'newest-first') messages = messages.reverse();
    else if (options.order === 'shuffled') messages = new Random(`${traffic.seed}/order/${fromMs}`).shuffle(messages);
    // Only where the next file repeats them: what an export never shows again keeps its final status.
    const unsettled = overlapMs > 0 && toMs < endMs;
    const earlyStatus = (message: TrafficMessage): RecipientStatus | null =>
      unsettled && message.timeMs >= toMs - Math.min(UNSETTLED_MS, overlapMs) ? 'GettingStatus' : null;
    const date = new Date(fromMs).toISOString().slice(0, 10);
    const text = exportText(messages, options, earlyStatus);
    const extension = options.format.endsWith('ndjson') ? 'ndjson' : options.format.endsWith('json') ? 'json' : 'csv';
    yield { name: `${options.format}-${date}.${extension}`, bytes: encodeExport(text, options.encoding ?? 'utf8-bom') };
  }
}

function exportText(
  messages: TrafficMessage[],
  options: ExportOptions,
  earlyStatus: NonNullable<MessageTraceOptions['earlyStatus']>,
): string {
  const trace: MessageTraceOptions = {
    version: options.format === 'message-trace-v1' ? 1 : 2,
    dates: options.dates ?? 'iso',
    delimiter: options.delimiter,
    earlyStatus,
  };
  switch (options.format) {
    case 'enhanced-summary':
      return enhancedSummaryCsv(
        messages.map((message) => {
          const status = earlyStatus(message);
          if (status === null) return message;
          return {
            ...message,
            recipients: message.recipients.map((recipient) =>
              recipient.status === 'Expanded' ? recipient : { ...recipient, status },
            ),
          };
        }),
      );
    case 'message-trace-v1':
    case 'message-trace-v2':
      return messageTraceCsv(messages, trace);
    case 'message-trace-json':
      return messageTraceJson(messages, 'ps7', trace);
    case 'message-trace-ndjson':
      return messageTraceNdjson(messages, 'ps7', trace);
  }
}

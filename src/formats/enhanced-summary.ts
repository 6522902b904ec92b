/**
 * The Enhanced summary of Start-HistoricalSearch and the Exchange admin center: one row per message,
 * all recipients with their events in one cell (Microsoft, "Message trace in the modern EAC", Enhanced
 * summary reports; the first column is documented as `origin_timestamp` and written as
 * `origin_timestamp_utc`). The client IP is there for the last 10 days alone. Whether `sender_address`
 * is the envelope sender or that of the header is not documented.
 */

import type { TraceFormat } from './format.ts';

export const enhancedSummary: TraceFormat = {
  id: 'enhanced-summary',
  title: 'Enhanced summary (Start-HistoricalSearch, Exchange admin center)',
  source: 'Exchange admin center and Exchange Online PowerShell, up to 90 days back',
  command:
    'Start-HistoricalSearch -ReportTitle relaywatch -ReportType MessageTrace -StartDate 2026-08-01 -EndDate 2026-09-01 -SenderAddress *@contoso.com',
  lacks: [
    'which of the two senders it shows',
    'verdicts of the spam filter',
    'replies of servers',
    'the client address after 10 days',
  ],
  shapes: ['csv', 'json'],
  rank: 3,
  columns: {
    event_time: ['origintimestamputc', 'origintimestamp'],
    sender: ['senderaddress', 'sender'],
    recipient_status: ['recipientstatus'],
    subject: ['messagesubject', 'subject'],
    message_id: ['messageid'],
    message_trace_id: ['networkmessageid', 'messagetraceid'],
    from_ip: ['originalclientip'],
    direction: ['directionality'],
    connector: ['connectorid'],
  },
  required: [['event_time'], ['sender'], ['recipient_status'], ['message_trace_id', 'message_id']],
  foreign: ['eventid', 'recipientaddress'],
};

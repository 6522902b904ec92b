/**
 * The Extended report of Start-HistoricalSearch (`-ReportType MessageTraceDetail`) and of the Exchange admin center: a
 * row for each event of a message, as in the tracking logs of Exchange Server (Microsoft Learn, "Message trace in the
 * modern EAC", Extended reports; "Message tracking"). UTF-16LE, often without a byte order mark, in no order.
 *
 * `return_path` is the envelope sender, `sender_address` that of the header. `original_client_ip` is there for the
 * last 10 days alone.
 */

import type { TraceFormat } from './format.ts';

export const extendedReport: TraceFormat = {
  id: 'extended-report',
  title: 'Extended report (Start-HistoricalSearch, Exchange admin center)',
  source: 'Exchange admin center and Exchange Online PowerShell, up to 90 days back',
  command:
    'Start-HistoricalSearch -ReportTitle relaywatch -ReportType MessageTraceDetail -StartDate 2026-08-01 -EndDate 2026-09-01 -SenderAddress *@contoso.com',
  lacks: ['verdicts of the spam filter', 'the client address after 10 days'],
  shapes: ['csv', 'json'],
  rank: 4,
  columns: {
    event_time: ['datetimeutc'],
    sender: ['returnpath'],
    header_sender: ['senderaddress'],
    recipient: ['recipientaddress'],
    related_recipient: ['relatedrecipientaddress'],
    event: ['eventid'],
    event_source: ['source'],
    replies: ['recipientstatus'],
    context: ['sourcecontext'],
    server_name: ['serverhostname'],
    subject: ['messagesubject'],
    message_id: ['messageid'],
    message_trace_id: ['networkmessageid'],
    from_ip: ['originalclientip'],
    client_ip: ['clientip'],
    direction: ['directionality'],
    connector: ['connectorid'],
    organization: ['tenantid'],
  },
  required: [['event_time'], ['event'], ['recipient'], ['sender', 'header_sender'], ['message_trace_id', 'message_id']],
  foreign: [],
  hasServersOwnConnectors: true,
};

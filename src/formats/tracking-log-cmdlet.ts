/**
 * What Get-MessageTrackingLog of Exchange Server shows of the message tracking logs, as Export-Csv or ConvertTo-Json
 * write it: the columns of the logs under names of their own (Microsoft Learn, "Search message tracking logs").
 *
 * `Recipients`, `RecipientStatus` and `Reference` are lists, of which Export-Csv writes the name of their type,
 * `System.String[]`, where they were not joined: such rows are refused. `Timestamp` is in the time zone of the server
 * and says so in JSON alone.
 */

import type { TraceFormat } from './format.ts';

export const trackingLogCmdlet: TraceFormat = {
  id: 'tracking-log-cmdlet',
  title: 'Get-MessageTrackingLog',
  source: 'Exchange Management Shell',
  command:
    "Get-MessageTrackingLog -ResultSize Unlimited -Start 2026-09-01 -End 2026-09-02 | Select-Object *,@{n='RecipientList';e={$_.Recipients -join ';'}},@{n='RecipientStatusList';e={$_.RecipientStatus -join ';'}} -ExcludeProperty Recipients,RecipientStatus | Export-Csv tracking.csv -NoTypeInformation -Encoding UTF8",
  lacks: ['verdicts of the spam filter', 'the time zone of the server, in CSV', 'network message id before 2013'],
  shapes: ['csv', 'json'],
  rank: 6,
  columns: {
    event_time: ['timestamp', 'timestamputc'],
    sender: ['returnpath'],
    header_sender: ['sender'],
    // Lists that were joined are columns that somebody named.
    recipient: ['recipients', 'recipientlist', 'recipientaddresses', 'recipientaddress', 'recipient', 'to'],
    related_recipient: ['relatedrecipientaddress'],
    event: ['eventid'],
    event_source: ['source'],
    replies: ['recipientstatus', 'recipientstatuses', 'recipientstatuslist'],
    context: ['sourcecontext'],
    server_name: ['serverhostname'],
    subject: ['messagesubject', 'subject'],
    message_id: ['messageid'],
    message_trace_id: ['networkmessageid'],
    from_ip: ['originalclientip'],
    client_ip: ['clientip'],
    direction: ['directionality'],
    connector: ['connectorid'],
  },
  required: [['event_time'], ['event'], ['recipient'], ['sender', 'header_sender'], ['message_trace_id', 'message_id']],
  foreign: ['datetimeutc', 'detail', 'messagetraceid'],
};

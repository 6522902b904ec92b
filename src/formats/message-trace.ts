/**
 * Get-MessageTrace and Get-MessageTraceV2, as Export-Csv or ConvertTo-Json write them: one row per
 * message and recipient. V2 keeps the names of V1 and drops some; Select-Object leaves any subset in
 * any order, so the two are one format. So is the report MessageTrace of the Reporting Web Service, which gives the
 * objects of V1 as JSON (`{"d":{"results":[...]}}`, `{"odata.metadata":"...","value":[...]}`) or as Atom.
 * `SenderAddress` is the envelope sender, `FromIP` is empty when a cloud mailbox sent the message (Microsoft, message
 * trace FAQ; Get-MessageTraceV2).
 */

import type { TraceFormat } from './format.ts';

export const messageTrace: TraceFormat = {
  id: 'message-trace',
  title: 'Get-MessageTrace / Get-MessageTraceV2',
  source: 'Exchange Online PowerShell; archives of the Reporting Web Service',
  command:
    'Get-MessageTraceV2 -StartDate 2026-09-01 -EndDate 2026-09-02 -ResultSize 5000 | Export-Csv trace.csv -NoTypeInformation -Encoding UTF8',
  lacks: ['connector', 'direction', 'header sender', 'replies of servers'],
  shapes: ['csv', 'json', 'xml'],
  rank: 2,
  columns: {
    event_time: [
      'received',
      'receivedutc',
      'receiveddatetime',
      'datetimeutc',
      'datereceived',
      'receiveddate',
      'timestamp',
      'date',
      'datetime',
      'time',
    ],
    sender: ['senderaddress', 'sender', 'fromaddress', 'from'],
    recipient: ['recipientaddress', 'recipient', 'recipients', 'toaddress', 'to'],
    status: ['status', 'deliverystatus'],
    // Of Get-MessageTraceDetail, joined by a script.
    reason: ['detail', 'details', 'description', 'reason', 'failurereason', 'errordetail', 'errordetails'],
    subject: ['subject', 'messagesubject'],
    message_id: ['messageid', 'internetmessageid'],
    message_trace_id: ['messagetraceid', 'networkmessageid', 'traceid'],
    to_ip: ['toip', 'recipientip'],
    from_ip: ['fromip', 'senderip', 'originalclientip'],
    organization: ['organization'],
    start_date: ['startdate'],
    end_date: ['enddate'],
  },
  required: [['event_time'], ['sender'], ['recipient'], ['message_trace_id', 'message_id']],
  // Event logs and Defender's EmailEvents also have senders and recipients, but other rows.
  foreign: ['eventid', 'event', 'recipientstatus', 'emaildirection', 'sendermailfromaddress'],
};

/**
 * The list that "Export results" of the message trace in the Exchange admin center saves. Microsoft documents its
 * fields (date, sender, recipient, subject, status, ids) and not the names of its columns, so all plausible ones
 * are taken, as they are where somebody renamed those of Get-MessageTrace (`@{n='Sender';e={$_.SenderAddress}}`).
 * Dates without a zone are UTC; a list without ids is refused, since its rows cannot be told apart.
 */

import type { TraceFormat } from './format.ts';

export const adminCenterSummary: TraceFormat = {
  id: 'admin-center-summary',
  title: 'Exchange admin center, exported message trace',
  source: 'Exchange admin center',
  command: 'Mail flow > Message trace > Export results',
  lacks: ['connector and direction, as a rule', 'header sender', 'replies of servers'],
  shapes: ['csv', 'json'],
  rank: 4,
  columns: {
    event_time: [
      'date',
      'dateutc',
      'dateutc0000',
      'datetime',
      'datetimeutc',
      'datereceived',
      'datereceivedutc',
      'datetimereceived',
      'receiveddate',
      'receivedtime',
      'receivedutc',
      'received',
      'origintimestamp',
      'origintimestamputc',
      'timestamp',
      'timestamputc',
      'receiveddatetime',
      'time',
    ],
    sender: ['sender', 'senderaddress', 'senderemail', 'fromaddress', 'from'],
    recipient: ['recipient', 'recipientaddress', 'recipients', 'recipientemail', 'toaddress', 'to'],
    status: ['status', 'deliverystatus'],
    subject: ['subject', 'messagesubject'],
    message_id: ['messageid', 'internetmessageid'],
    message_trace_id: ['messagetraceid', 'networkmessageid', 'traceid', 'id'],
    to_ip: ['toip', 'recipientip', 'destinationip'],
    from_ip: ['fromip', 'senderip', 'originalclientip', 'sourceip'],
    direction: ['direction', 'directionality'],
    connector: ['connector', 'connectorid', 'connectorname'],
  },
  required: [['event_time'], ['sender'], ['recipient'], ['message_trace_id', 'message_id']],
  foreign: ['eventid', 'event', 'recipientstatus', 'emaildirection', 'sendermailfromaddress', 'organization'],
};

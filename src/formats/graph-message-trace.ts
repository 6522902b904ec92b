/**
 * Message traces of Microsoft Graph: pages of `GET /admin/exchange/tracing/messageTraces`, whose elements stand in
 * `value`, and the elements alone, one per line, as collectors store them (Microsoft Graph, resource type
 * exchangeMessageTrace). `id` is the network message id, `status` has camel case.
 */

import type { TraceFormat } from './format.ts';

export const graphMessageTrace: TraceFormat = {
  id: 'graph-message-trace',
  title: 'Microsoft Graph messageTraces',
  source: 'Microsoft Graph, permission ExchangeMessageTrace.Read.All',
  command:
    'GET /v1.0/admin/exchange/tracing/messageTraces?$filter=receivedDateTime ge 2026-09-01T00:00:00Z and receivedDateTime le 2026-09-02T00:00:00Z&$top=5000',
  lacks: ['connector', 'direction', 'header sender', 'replies of servers'],
  shapes: ['json', 'csv'],
  rank: 2,
  columns: {
    event_time: ['receiveddatetime'],
    sender: ['senderaddress'],
    recipient: ['recipientaddress'],
    status: ['status'],
    subject: ['subject'],
    message_id: ['messageid'],
    message_trace_id: ['id'],
    to_ip: ['toip'],
    from_ip: ['fromip'],
  },
  required: [['event_time'], ['sender'], ['recipient'], ['message_trace_id']],
  // `MessageTraceId` beside `Id` is a trace that somebody renamed columns of.
  foreign: ['eventid', 'event', 'recipientstatus', 'emaildirection', 'sendermailfromaddress', 'messagetraceid'],
};

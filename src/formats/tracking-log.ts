/**
 * The message tracking logs of Exchange Server 2007 to SE (`MSGTRK*.LOG`): a row for each event of a message, in files
 * of the transport service (MSGTRK), of moderation (MSGTRKMA) and of delivery to and submission from mailboxes
 * (MSGTRKMD, MSGTRKMS), which together tell of one message (Microsoft Learn, "Message tracking"). The columns stand in
 * a `#Fields:` line; copies without one are told by their number of columns.
 *
 * `return-path` is the envelope sender, `sender-address` that of the header. Logs before 2013 have no network message
 * id: there the Message-ID and the envelope sender together are the message. Logs before 2010 SP1 have no original
 * client: the client of the arrival by SMTP is taken.
 */

import type { TraceFormat } from './format.ts';

// biome-ignore format: the order of the log
const FIRST = [
  'date-time', 'client-ip', 'client-hostname', 'server-ip', 'server-hostname', 'source-context', 'connector-id',
  'source', 'event-id', 'internal-message-id', 'message-id',
];
// biome-ignore format: the order of the log
const LAST = [
  'recipient-address', 'recipient-status', 'total-bytes', 'recipient-count', 'related-recipient-address', 'reference',
  'message-subject', 'sender-address', 'return-path', 'message-info',
];
const SINCE_2010 = ['directionality', 'tenant-id', 'original-client-ip', 'original-server-ip', 'custom-data'];
const SINCE_2013 = ['network-message-id'];
const SINCE_2016 = ['transport-traffic-type', 'log-id', 'schema-version'];

export const trackingLog: TraceFormat = {
  id: 'tracking-log',
  title: 'Message tracking log of Exchange Server (MSGTRK)',
  source: 'Exchange Server 2007 to SE, on the server',
  command: 'Copy-Item $env:ExchangeInstallPath\\TransportRoles\\Logs\\MessageTracking\\MSGTRK*.LOG D:\\trace',
  lacks: [
    'verdicts of the spam filter',
    'network message id before 2013',
    'direction and original client before 2010 SP1',
  ],
  shapes: ['csv'],
  rank: 5,
  columns: {
    event_time: ['datetime'],
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
  },
  required: [['event_time'], ['event'], ['recipient'], ['sender', 'header_sender'], ['message_trace_id', 'message_id']],
  // Columns of the Extended report have the same names but for the first.
  foreign: ['datetimeutc'],
  withoutHeader: [
    [...FIRST, ...LAST],
    [...FIRST, ...LAST, ...SINCE_2010],
    [...FIRST, ...SINCE_2013, ...LAST, ...SINCE_2010],
    [...FIRST, ...SINCE_2013, ...LAST, ...SINCE_2010, ...SINCE_2016],
  ],
};

/**
 * Documents of Elastic's integration "Microsoft Exchange Online Message Trace", out of Elasticsearch again: the
 * fields of the trace below `microsoft.online_message_trace`, the same in ECS (`email.*`, `source.ip`,
 * `destination.ip`), and the collected row in `event.original` where it was kept (elastic/integrations,
 * microsoft_exchange_online_message_trace, ingest pipeline of the data stream log). The pipeline leaves empty
 * fields out. `event.outcome` is the status of the trace in older releases, in newer ones `success`, `failure` or `unknown`.
 * `@timestamp` is the time of receipt, to the millisecond. What `convert` writes has the same names, with the whole
 * status and the connector under `relaywatch`.
 */

import type { TraceFormat } from './format.ts';

export const elasticMessageTrace: TraceFormat = {
  id: 'elastic-message-trace',
  title: "Elastic's message-trace integration",
  source: "Elasticsearch, Elastic's integration for the message trace",
  command:
    'elasticdump --input=https://HOST:9200/logs-microsoft_exchange_online_message_trace.log-* --output=trace.ndjson --type=data',
  lacks: ['connector', 'direction', 'header sender', 'replies of servers'],
  shapes: ['json', 'csv'],
  rank: 2,
  columns: {
    event_time: [
      'microsoftonlinemessagetracereceived',
      'microsoftonlinemessagetracereceiveddatetime',
      'emaildeliverytimestamp',
      'timestamp',
    ],
    sender: ['microsoftonlinemessagetracesenderaddress', 'emailfromaddress', 'sourceuseremail'],
    recipient: ['microsoftonlinemessagetracerecipientaddress', 'emailtoaddress', 'destinationuseremail'],
    status: ['microsoftonlinemessagetracestatus', 'relaywatchstatus', 'status', 'eventoutcome'],
    subject: ['microsoftonlinemessagetracesubject', 'emailsubject'],
    message_id: ['microsoftonlinemessagetracemessageid', 'emailmessageid'],
    message_trace_id: ['microsoftonlinemessagetracemessagetraceid', 'microsoftonlinemessagetraceid', 'emaillocalid'],
    to_ip: ['microsoftonlinemessagetracetoip', 'destinationip'],
    from_ip: ['microsoftonlinemessagetracefromip', 'sourceip'],
    connector: ['relaywatchconnectorname'],
    organization: ['microsoftonlinemessagetraceorganization'],
    start_date: ['microsoftonlinemessagetracestartdate'],
    end_date: ['microsoftonlinemessagetraceenddate'],
  },
  // No direction: the pipeline works it out from a list of domains, if it was given one.
  // Other products write `email.*` as well; the id of the trace is what they lack.
  required: [['event_time'], ['sender'], ['recipient'], ['message_trace_id']],
  // Not the column of events of tracking logs: `event.id` of ECS has the same canonical name.
  foreign: ['sendermailfromaddress'],
};

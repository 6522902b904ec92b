/**
 * What Elastic's message-trace integration stores of each row (fields of the package
 * microsoft_exchange_online_message_trace), as elasticdump, a search and Kibana give it. Empty fields are left out.
 */

import { sortableTime } from '../../../bench/traffic/export-text.ts';
import { type PairRow, pairRows, quotedCsv } from './export-cells.ts';
import type { FormatWriter, WrittenField, WrittenMessage } from './message.ts';

const LACKS: readonly WrittenField[] = ['connector', 'direction', 'header_sender', 'refusal'];

type Value = string | number | readonly string[];

/** The fields of a document by their full names. */
function fieldsOf({ message, recipient }: PairRow): Record<string, Value> {
  const received = `${sortableTime(message.timeMs)}0000`;
  const trace: Record<string, Value> = {
    MessageId: message.messageId,
    MessageTraceId: message.traceId,
    Organization: 'contoso.onmicrosoft.com',
    Received: received,
    RecipientAddress: recipient.address,
    SenderAddress: message.sender,
    Size: message.sizeBytes,
    Status: recipient.status,
    Subject: message.subject,
    ToIP: recipient.toIp,
    FromIP: message.fromIp,
  };
  const outcome = { Delivered: 'success', Failed: 'failure' }[recipient.status as string] ?? 'unknown';
  const fields: Record<string, Value> = {
    '@timestamp': `${sortableTime(message.timeMs)}Z`,
    'email.delivery_timestamp': received,
    'email.from.address': [message.sender],
    'email.to.address': [recipient.address],
    'email.local_id': message.traceId,
    'email.message_id': message.messageId,
    'email.subject': message.subject,
    'event.dataset': 'microsoft_exchange_online_message_trace.log',
    'event.original': JSON.stringify(trace),
    'event.outcome': outcome,
    'source.ip': message.fromIp,
    'destination.ip': recipient.toIp,
  };
  for (const [name, value] of Object.entries(trace)) fields[`microsoft.online_message_trace.${name}`] = value;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}

/** Members inside members, as the agents send documents. */
function nested(fields: Readonly<Record<string, Value>>): object {
  const document: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const parts = name.split('.');
    let place = document;
    for (const part of parts.slice(0, -1)) {
      place[part] ??= {};
      place = place[part] as Record<string, unknown>;
    }
    place[parts[parts.length - 1]] = value;
  }
  return document;
}

const INDEX = '.ds-logs-microsoft_exchange_online_message_trace.log-default-2026.01.05-000001';

function dump(messages: readonly WrittenMessage[]): string {
  const documents = pairRows(messages).map((row, index) => ({
    _index: INDEX,
    _id: `id${index}`,
    _score: 1,
    _source: nested(fieldsOf(row)),
  }));
  return documents.map((document) => `${JSON.stringify(document)}\n`).join('');
}

function search(messages: readonly WrittenMessage[]): string {
  const hits = pairRows(messages).map((row, index) => {
    const { 'event.original': _, ...fields } = fieldsOf(row);
    return { _index: INDEX, _id: `id${index}`, _source: nested(fields), sort: [index] };
  });
  return JSON.stringify(
    { took: 5, timed_out: false, hits: { total: { value: hits.length, relation: 'eq' }, hits } },
    null,
    2,
  );
}

function originals(messages: readonly WrittenMessage[]): string {
  return pairRows(messages)
    .map((row) =>
      JSON.stringify({
        '@timestamp': '2026-01-20T00:00:00.000Z',
        event: { original: fieldsOf(row)['event.original'] },
      }),
    )
    .join('\n');
}

function kibana(messages: readonly WrittenMessage[]): string {
  const names = [
    'email.delivery_timestamp',
    'email.from.address',
    'email.to.address',
    'email.local_id',
    'email.message_id',
    'email.subject',
    'source.ip',
    'destination.ip',
    'microsoft.online_message_trace.Status',
  ];
  const cell = (value: Value | undefined): string => (value === undefined ? '' : String(value));
  return quotedCsv(
    names,
    pairRows(messages).map((row) => names.map((name) => cell(fieldsOf(row)[name]))),
  );
}

const form = (
  format: string,
  name: string,
  file: string,
  write: (messages: readonly WrittenMessage[]) => string,
): FormatWriter => ({
  format,
  form: name,
  lacks: LACKS,
  write: (messages) => [{ name: file, content: write(messages) }],
});

export const elasticMessageTraceWriters: readonly FormatWriter[] = [
  form('elastic-message-trace', 'elasticdump', 'dump.ndjson', dump),
  form('elastic-message-trace', 'answer of a search', 'search.json', search),
  form('elastic-message-trace', 'table of Kibana', 'kibana.csv', kibana),
  form('message-trace', 'event.original of an integration', 'originals.ndjson', originals),
];

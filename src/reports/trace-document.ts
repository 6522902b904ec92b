/**
 * Canonical rows as documents: ECS 9.4 names where ECS has one, as Elastic's integration for message traces
 * (microsoft_exchange_online_message_trace) fills them, and everything else under `relaywatch`.
 */

import type { CanonicalRow, Refusal } from '../core/canonical-row.ts';
import { ECS_VERSION } from '../core/incident-document.ts';
import type { Status } from '../core/record.ts';
import { jsonLine } from './ndjson.ts';

export interface Organization {
  id?: string;
  name?: string;
}

const OUTCOMES: Record<Status, 'success' | 'failure' | 'unknown'> = {
  unknown: 'unknown',
  getting_status: 'unknown',
  pending: 'unknown',
  expanded: 'unknown',
  delivered: 'success',
  filtered_as_spam: 'failure',
  quarantined: 'failure',
  failed: 'failure',
};
const TYPES = { success: ['allowed'], failure: ['denied'], unknown: ['info'] };
/** Enhanced status codes of what says so in one way alone. */
const CODES: Partial<Record<Refusal, string>> = {
  address_blocked: '5.7.708',
  threshold_exceeded: '5.7.705',
  unregistered_blocked: '5.7.750',
};

/** One line for each row. */
export function traceNdjson(rows: readonly CanonicalRow[], organization: Organization | null): string {
  return rows.map((row) => jsonLine(traceDocument(row, organization))).join('');
}

/** Fields without a value are left out. */
export function traceDocument(row: CanonicalRow, organization: Organization | null): Record<string, unknown> {
  const time = new Date(row.eventMs).toISOString();
  const outcome = OUTCOMES[row.status];
  const code = row.refusal === null ? undefined : CODES[row.refusal];
  const users = [...new Set([row.sender, row.recipient, row.rewrittenSender ?? ''])].filter((user) => user !== '');
  return {
    '@timestamp': time,
    ecs: { version: ECS_VERSION },
    event: {
      kind: 'event',
      category: ['email'],
      type: TYPES[outcome],
      action: 'message-traced',
      module: 'relaywatch',
      dataset: 'relaywatch.trace',
      id: row.pair,
      outcome,
      ...(code === undefined ? {} : { code }),
    },
    ...(organization === null ? {} : { organization }),
    email: {
      delivery_timestamp: time,
      ...optional('direction', row.direction),
      ...(row.sender === '' ? {} : { from: { address: [row.sender] }, sender: { address: row.sender } }),
      to: { address: [row.recipient] },
      ...optional('local_id', withDashes(row.messageTraceId)),
      ...optional('message_id', row.messageId === '' ? '' : `<${row.messageId}>`),
      ...optional('subject', row.subject),
    },
    ...source(row),
    destination: { user: { email: row.recipient, domain: row.recipientDomain } },
    related: { ...(row.sourceIp === '' ? {} : { ip: [row.sourceIp] }), user: users },
    relaywatch: {
      status: row.status,
      statuses_seen: row.statusesSeen,
      sender: {
        ...optional('domain', row.senderDomain),
        ...optional('domain_status', row.senderStatus),
        ...optional('rewritten_from', row.rewrittenSender),
      },
      ...(row.connector === '' ? {} : { connector: { name: row.connector } }),
      sent_on: row.isSentOn,
      ...optional('refusal', row.refusal),
    },
  };
}

function source({ sourceIp, sender, senderDomain }: CanonicalRow): Record<string, unknown> {
  if (sourceIp === '' && sender === '') return {};
  const user = sender === '' ? {} : { user: { email: sender, ...optional('domain', senderDomain) } };
  return { source: { ...optional('ip', sourceIp), ...user } };
}

function optional(name: string, value: string | null): Record<string, string> {
  return value === null || value === '' ? {} : { [name]: value };
}

const GUID_DIGITS = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/;

/** Network message ids as every export writes them; what is none stays as it is. */
function withDashes(messageTraceId: string): string {
  return messageTraceId.replace(GUID_DIGITS, '$1-$2-$3-$4-$5');
}

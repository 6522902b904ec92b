import { expect, test } from 'vitest';
import { STATUSES } from '../../src/core/record.ts';
import { traceDocument, traceNdjson } from '../../src/reports/trace-document.ts';
import { traceRow } from './trace-rows.ts';

test('a row with every field', () => {
  const organization = { id: '39238e87-b5ab-4ef6-a559-af54c6b07b42', name: 'contoso.onmicrosoft.com' };
  expect(traceDocument(traceRow(), organization)).toEqual({
    '@timestamp': '2026-05-06T10:00:01.250Z',
    ecs: { version: '9.4.0' },
    event: {
      kind: 'event',
      category: ['email'],
      type: ['denied'],
      action: 'message-traced',
      module: 'relaywatch',
      dataset: 'relaywatch.trace',
      id: '0123456789abcdef0123456789abcdef',
      outcome: 'failure',
      code: '5.7.750',
    },
    organization,
    email: {
      delivery_timestamp: '2026-05-06T10:00:01.250Z',
      direction: 'outbound',
      from: { address: ['ann@contoso.com'] },
      sender: { address: 'ann@contoso.com' },
      to: { address: ['cara@victim.example'] },
      local_id: 'cf7a249a-5edd-4350-130a-08da8f69e0f6',
      message_id: '<1@contoso.com>',
      subject: 'Hello',
    },
    source: { ip: '198.51.100.7', user: { email: 'ann@contoso.com', domain: 'contoso.com' } },
    destination: { user: { email: 'cara@victim.example', domain: 'victim.example' } },
    related: { ip: ['198.51.100.7'], user: ['ann@contoso.com', 'cara@victim.example', 'bob@fabrikam.example'] },
    relaywatch: {
      status: 'filtered_as_spam',
      statuses_seen: ['delivered', 'filtered_as_spam'],
      sender: { domain: 'contoso.com', domain_status: 'srs_rewritten', rewritten_from: 'bob@fabrikam.example' },
      connector: { name: 'Inbound from DC1' },
      sent_on: true,
      refusal: 'unregistered_blocked',
    },
  });
});

test('a null sender without anything else leaves out what it has not', () => {
  const row = traceRow({
    direction: null,
    senderStatus: null,
    sender: '',
    senderDomain: '',
    rewrittenSender: null,
    subject: '',
    messageTraceId: '',
    messageId: '',
    sourceIp: '',
    connector: '',
    refusal: null,
  });
  const document = traceDocument(row, null);
  expect(Object.keys(document)).not.toContain('source');
  expect(Object.keys(document)).not.toContain('organization');
  expect(document.email).toEqual({
    delivery_timestamp: '2026-05-06T10:00:01.250Z',
    to: { address: ['cara@victim.example'] },
  });
  expect(document.relaywatch).toMatchObject({ sender: {} });
  expect(document.related).toEqual({ user: ['cara@victim.example'] });
});

test.each(STATUSES)('the status %s is told unreduced, and as an outcome', (status) => {
  const { event, relaywatch } = traceDocument(traceRow({ status }), null) as {
    event: { outcome: string };
    relaywatch: { status: string };
  };
  expect(relaywatch.status).toBe(status);
  const expected = status === 'delivered' ? 'success' : /spam|quarantined|failed/.test(status) ? 'failure' : 'unknown';
  expect(event.outcome).toBe(expected);
});

test('a line for each row, without characters that steer a terminal', () => {
  const lines = traceNdjson([traceRow(), traceRow({ subject: 'a\n\u009b\u202eb' })], null);
  expect(lines.split('\n')).toHaveLength(3);
  expect(lines).toContain('a\\n\\u009b\\u202eb');
});

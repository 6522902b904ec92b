import type { CanonicalRow } from '../../src/core/canonical-row.ts';

/** A row that a mailbox here forwarded, with every field. */
export function traceRow(fields: Partial<CanonicalRow> = {}): CanonicalRow {
  return {
    pair: '0123456789abcdef0123456789abcdef',
    eventMs: Date.UTC(2026, 4, 6, 10, 0, 1, 250),
    direction: 'outbound',
    senderStatus: 'srs_rewritten',
    sender: 'ann@contoso.com',
    senderDomain: 'contoso.com',
    rewrittenSender: 'bob@fabrikam.example',
    recipient: 'cara@victim.example',
    recipientDomain: 'victim.example',
    subject: 'Hello',
    status: 'filtered_as_spam',
    statusesSeen: ['delivered', 'filtered_as_spam'],
    messageTraceId: 'cf7a249a5edd4350130a08da8f69e0f6',
    messageId: '1@contoso.com',
    sourceIp: '198.51.100.7',
    connector: 'Inbound from DC1',
    isSentOn: true,
    refusal: 'unregistered_blocked',
    ...fields,
  };
}

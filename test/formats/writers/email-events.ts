/**
 * EmailEvents of Defender XDR: messages of an event hub, storage blobs, results of advanced hunting and exports of
 * Sentinel (Microsoft, "EmailEvents table in the advanced hunting schema", "Stream Microsoft Defender XDR events").
 */

import { pairRows, quotedCsv } from './export-cells.ts';
import type { FormatWriter, WrittenField, WrittenMessage, WrittenRecipient } from './message.ts';

const LACKS: readonly WrittenField[] = ['refusal', 'pending', 'groups'];
const TENANT = '39238e87-b5ab-4ef6-a559-af54c6b07b42';
const RECORDS_OF_MESSAGE = 40;

type Row = Record<string, string | number | null>;

function whereItWent({ status, toIp }: WrittenRecipient): [location: string | null, action: string | null] {
  switch (status) {
    case 'Delivered':
      return toIp === '' ? ['Inbox/folder', 'Delivered'] : ['On-premises/external', 'Delivered'];
    case 'FilteredAsSpam':
      return ['Junk', 'Junked'];
    case 'Quarantined':
      return ['Quarantine', 'Blocked'];
    case 'Failed':
      return ['Failed', 'Blocked'];
    default:
      return [null, null];
  }
}

function rowsOf(messages: readonly WrittenMessage[]): Row[] {
  return pairRows(messages).map(({ message, recipient }, index) => {
    const [location, action] = whereItWent(recipient);
    const domain = (address: string): string => address.slice(address.lastIndexOf('@') + 1);
    const isNull = message.sender === '<>';
    const isV6 = message.fromIp.includes(':');
    return {
      Timestamp: new Date(message.timeMs).toISOString().replace('.000Z', 'Z'),
      NetworkMessageId: message.traceId,
      InternetMessageId: message.messageId,
      SenderMailFromAddress: isNull ? null : message.sender,
      SenderFromAddress: message.headerSender,
      SenderDisplayName: '',
      SenderMailFromDomain: isNull ? null : domain(message.sender),
      SenderFromDomain: domain(message.headerSender),
      SenderIPv4: isV6 || message.fromIp === '' ? null : message.fromIp,
      SenderIPv6: isV6 ? message.fromIp : null,
      RecipientEmailAddress: recipient.address,
      Subject: message.subject,
      EmailClusterId: 4_294_967_299,
      EmailDirection: message.direction === 'inbound' ? 'Inbound' : 'Outbound',
      DeliveryAction: action,
      DeliveryLocation: location,
      AuthenticationDetails: '{"SPF":"none","DKIM":"none"}',
      Connectors: message.connector,
      ReportId: `${message.traceId}-${index}-1`,
      AdditionalFields: null,
      ForwardingInformation: null,
    };
  });
}

const streamed = (row: Row): object => ({
  time: '2026-01-20T00:00:00.5127177Z',
  tenantId: TENANT,
  operationName: 'Publish',
  category: 'AdvancedHunting-EmailEvents',
  _TimeReceivedBySvc: '2026-01-20T00:00:00.1',
  properties: row,
  Tenant: 'DefaultTenant',
});

function eventHub(messages: readonly WrittenMessage[]): string {
  const rows = rowsOf(messages);
  let text = '';
  for (let at = 0; at < rows.length; at += RECORDS_OF_MESSAGE) {
    text += `${JSON.stringify({ records: rows.slice(at, at + RECORDS_OF_MESSAGE).map(streamed) })}\n`;
  }
  return text;
}

function sentinel(messages: readonly WrittenMessage[]): string {
  const rows = rowsOf(messages).map((row) => ({
    TenantId: '0e6f4a9e-1111-2222-3333-444455556666',
    ...row,
    TimeGenerated: row.Timestamp,
    Type: 'EmailEvents',
    SourceSystem: 'Microsoft 365',
  }));
  return quotedCsv(
    Object.keys(rows[0]),
    rows.map((row) => Object.values(row).map((value) => (value === null ? '' : String(value)))),
  );
}

const form = (name: string, file: string, write: (messages: readonly WrittenMessage[]) => string): FormatWriter => ({
  format: 'email-events',
  form: name,
  lacks: LACKS,
  write: (messages) => [{ name: file, content: write(messages) }],
});

export const emailEventsWriters: readonly FormatWriter[] = [
  form('messages of an event hub', 'hub.ndjson', eventHub),
  form('a blob of storage', 'PT1H.json', (messages) =>
    rowsOf(messages)
      .map((row) => `${JSON.stringify(streamed(row))}\r\n`)
      .join(''),
  ),
  form('a result of advanced hunting', 'hunt.json', (messages) =>
    JSON.stringify({ Schema: [{ Name: 'Timestamp', Type: 'DateTime' }], Results: rowsOf(messages) }),
  ),
  form('an export of Sentinel', 'sentinel.csv', sentinel),
];

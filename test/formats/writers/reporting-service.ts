/**
 * The report MessageTrace of the Reporting Web Service: verbose and light JSON of OData, and Atom (OData 2.0, "JSON
 * Verbose Format", "Atom Format"; elements as in Microsoft's reference of the report).
 */

import { sortableTime } from '../../../bench/traffic/export-text.ts';
import { type PairRow, pairRows } from './export-cells.ts';
import type { FormatWriter, WrittenField, WrittenMessage } from './message.ts';

const LACKS: readonly WrittenField[] = ['connector', 'direction', 'header_sender', 'refusal'];
const SERVICE = 'https://reports.office365.com/ecp/reportingwebservice/reporting.svc';

type Value = string | number | null;

function elements(messages: readonly WrittenMessage[], time: (timeMs: number) => string): Record<string, Value>[] {
  return pairRows(messages).map(({ message, recipient }: PairRow, index) => ({
    Organization: 'contoso.onmicrosoft.com',
    MessageId: message.messageId,
    Received: time(message.timeMs),
    SenderAddress: message.sender,
    RecipientAddress: recipient.address,
    Subject: message.subject === '' ? null : message.subject,
    Status: recipient.status,
    ToIP: recipient.toIp === '' ? null : recipient.toIp,
    FromIP: message.fromIp === '' ? null : message.fromIp,
    Size: message.sizeBytes,
    MessageTraceId: message.traceId,
    Index: index,
  }));
}

const isoTime = (timeMs: number): string => `${sortableTime(timeMs)}0000`;

function verbose(messages: readonly WrittenMessage[]): string {
  const results = elements(messages, (timeMs) => `/Date(${timeMs})/`).map((element, index) => ({
    __metadata: {
      id: `${SERVICE}/MessageTrace(${index})`,
      uri: `${SERVICE}/MessageTrace(${index})`,
      type: 'TenantReporting.MessageTrace',
    },
    ...element,
  }));
  const text = JSON.stringify({ d: { results, __next: `${SERVICE}/MessageTrace?$skiptoken=1999` } });
  return text.replaceAll('/Date(', '\\/Date(').replaceAll(')/"', ')\\/"');
}

function light(messages: readonly WrittenMessage[]): string {
  return JSON.stringify({ 'odata.metadata': `${SERVICE}/$metadata#MessageTrace`, value: elements(messages, isoTime) });
}

const TYPES: Record<string, string> = { Received: 'Edm.DateTime', Size: 'Edm.Int32', Index: 'Edm.Int32' };

function atom(messages: readonly WrittenMessage[]): string {
  const entries = elements(messages, isoTime).map((element, index) => {
    const properties = Object.entries(element).map(([name, value]) => {
      if (value === null) return `        <d:${name} m:null="true" />`;
      const type = TYPES[name] === undefined ? '' : ` m:type="${TYPES[name]}"`;
      return `        <d:${name}${type}>${escaped(String(value))}</d:${name}>`;
    });
    return [
      '  <entry>',
      `    <id>${SERVICE}/MessageTrace(${index})</id>`,
      '    <title type="text"></title>',
      '    <updated>2026-01-20T00:00:00Z</updated>',
      '    <author><name /></author>',
      '    <content type="application/xml">',
      '      <m:properties>',
      ...properties,
      '      </m:properties>',
      '    </content>',
      '  </entry>',
    ].join('\r\n');
  });
  return [
    '<?xml version="1.0" encoding="utf-8" standalone="yes"?>',
    `<feed xml:base="${SERVICE}/" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" ` +
      'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns="http://www.w3.org/2005/Atom">',
    '  <title type="text">MessageTrace</title>',
    '  <link rel="self" title="MessageTrace" href="MessageTrace" />',
    ...entries,
    '</feed>',
  ].join('\r\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#xD;');
}

const form = (name: string, file: string, write: (messages: readonly WrittenMessage[]) => string): FormatWriter => ({
  format: 'message-trace',
  form: `Reporting Web Service, ${name}`,
  lacks: LACKS,
  write: (messages) => [{ name: file, content: write(messages) }],
});

export const reportingServiceWriters: readonly FormatWriter[] = [
  form('verbose JSON', 'verbose.json', verbose),
  form('light JSON', 'light.json', light),
  form('Atom', 'feed.xml', atom),
];

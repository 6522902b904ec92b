/** Get-MessageTrackingLog through Export-Csv, with its lists joined, and through ConvertTo-Json of PowerShell 5.1 and 7. */

import { formatDate } from '../../../bench/traffic/message-trace-export.ts';
import type { Random } from '../../../bench/traffic/random.ts';
import type { FormatWriter, WrittenField, WrittenMessage } from './message.ts';
import { type EventRow, eventsOf } from './tracking-events.ts';

// The cmdlet's name of each column of the log.
const NAMES: readonly [string, string][] = [
  ['Timestamp', 'date-time'],
  ['ClientIp', 'client-ip'],
  ['ClientHostname', 'client-hostname'],
  ['ServerIp', 'server-ip'],
  ['ServerHostname', 'server-hostname'],
  ['SourceContext', 'source-context'],
  ['ConnectorId', 'connector-id'],
  ['Source', 'source'],
  ['EventId', 'event-id'],
  ['InternalMessageId', 'internal-message-id'],
  ['MessageId', 'message-id'],
  ['NetworkMessageId', 'network-message-id'],
  ['Recipients', 'recipient-address'],
  ['RecipientStatus', 'recipient-status'],
  ['TotalBytes', 'total-bytes'],
  ['RecipientCount', 'recipient-count'],
  ['RelatedRecipientAddress', 'related-recipient-address'],
  ['Reference', 'reference'],
  ['MessageSubject', 'message-subject'],
  ['Sender', 'sender-address'],
  ['ReturnPath', 'return-path'],
  ['Directionality', 'directionality'],
  ['TenantId', 'tenant-id'],
  ['OriginalClientIp', 'original-client-ip'],
  ['MessageInfo', 'message-info'],
];
const LISTS = ['Recipients', 'RecipientStatus', 'Reference'];
const LACKS: readonly WrittenField[] = ['verdicts'];

function csv(messages: readonly WrittenMessage[], random: Random, separator: string): string {
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
  // The short time of the culture has no fraction of a second, and the log of a server is shown in its zone: UTC here.
  const rows = eventsOf(messages, random).map(({ timeMs, cells }) =>
    NAMES.map(([name, column]) => {
      if (name === 'Timestamp') return quote(formatDate(timeMs, 'us'));
      const text = cells[column] ?? '';
      return quote(name === 'Recipients' ? text.replaceAll(';', separator) : text);
    }).join(','),
  );
  const lines = ['#TYPE Selected.Microsoft.Exchange.Management.TransportLogSearchTasks.MessageTrackingEvent'];
  lines.push(NAMES.map(([name]) => quote(name)).join(','), ...rows);
  return `${lines.join('\r\n')}\r\n`;
}

function json(messages: readonly WrittenMessage[], random: Random, style: 'ps5' | 'ps7'): string {
  const objects = eventsOf(messages, random).map((row) => {
    const values = NAMES.map(([name, column]) => [name, jsonValue(row, name, column, style)] as const);
    return JSON.stringify(Object.fromEntries(values)).replaceAll('/Date(', '\\/Date(').replaceAll(')/"', ')\\/"');
  });
  return `[\r\n${objects.join(',\r\n')}\r\n]\r\n`;
}

function jsonValue({ timeMs, cells }: EventRow, name: string, column: string, style: 'ps5' | 'ps7'): unknown {
  if (name === 'Timestamp') return style === 'ps5' ? `/Date(${timeMs})/` : `${new Date(timeMs).toISOString()}`;
  const text = cells[column] ?? '';
  if (!LISTS.includes(name)) return text === '' ? null : text;
  const values = text === '' ? [] : name === 'RecipientStatus' ? text.split(/;(?=\[|\d|To)/) : text.split(';');
  // Windows PowerShell shows the members of an array that came from a remote session.
  return style === 'ps5' ? { value: values, Count: values.length } : values;
}

export const trackingLogCmdletWriters: readonly FormatWriter[] = [
  {
    format: 'tracking-log-cmdlet',
    form: 'CSV',
    lacks: LACKS,
    write: (messages, random) => [{ name: 'tracking.csv', content: csv(messages, random, ';') }],
  },
  {
    format: 'tracking-log-cmdlet',
    form: 'CSV, lists joined by commas',
    lacks: LACKS,
    write: (messages, random) => [{ name: 'tracking.csv', content: csv(messages, random, ', ') }],
  },
  {
    format: 'tracking-log-cmdlet',
    form: 'JSON of PowerShell 5.1',
    lacks: LACKS,
    write: (messages, random) => [{ name: 'tracking.json', content: json(messages, random, 'ps5') }],
  },
  {
    format: 'tracking-log-cmdlet',
    form: 'JSON of PowerShell 7',
    lacks: LACKS,
    write: (messages, random) => [{ name: 'tracking.json', content: json(messages, random, 'ps7') }],
  },
];

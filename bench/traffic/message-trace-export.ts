/**
 * Writes Get-MessageTrace and Get-MessageTraceV2 exports as Export-Csv and ConvertTo-Json do: one
 * row per message and recipient. Written from Microsoft's documentation of the cmdlets
 * (learn.microsoft.com, Get-MessageTrace, Get-MessageTraceV2, Export-Csv, ConvertTo-Json), apart
 * from the readers of this project, so that each can show the other's mistakes.
 */

import { sortableTime, splitTime, twoDigits } from './export-text.ts';
import type { RecipientStatus, TrafficMessage } from './message.ts';

/** How a DateTime is written: ISO with seven digits, or the exporter's culture (en-US, en-GB, de-DE). */
export type DateStyle = 'iso' | 'us' | 'british' | 'german';

export interface MessageTraceOptions {
  version: 1 | 2;
  dates: DateStyle;
  delimiter?: ',' | ';' | '\t';
  /** PowerShell 5.1 quotes every cell; `-UseQuotes AsNeeded` of PowerShell 7 only where needed. */
  quotes?: 'always' | 'as-needed';
  /** Windows PowerShell without -NoTypeInformation. */
  typeLine?: boolean;
  /** Content of the column Organization (V1). */
  organization?: string;
  /** Statuses to show instead of the final ones, by trace id: the export was made early. */
  earlyStatus?: (message: TrafficMessage) => RecipientStatus | null;
}

// biome-ignore format: the order of the export
export const MESSAGE_TRACE_V1_COLUMNS = [
  'Organization', 'MessageId', 'Received', 'SenderAddress', 'RecipientAddress', 'Subject', 'Status', 'ToIP', 'FromIP',
  'Size', 'MessageTraceId', 'StartDate', 'EndDate', 'Index',
] as const;
// biome-ignore format: the order of the export
export const MESSAGE_TRACE_V2_COLUMNS = [
  'Received', 'SenderAddress', 'RecipientAddress', 'Subject', 'Status', 'ToIP', 'FromIP', 'Size', 'MessageId',
  'MessageTraceId',
] as const;

export function formatDate(timeMs: number, style: DateStyle): string {
  if (style === 'iso') return `${sortableTime(timeMs)}0000`;
  const { year, month, day, hour, minute, second } = splitTime(timeMs);
  const clock = `${twoDigits(minute)}:${twoDigits(second)}`;
  if (style === 'us')
    return `${month}/${day}/${year} ${hour % 12 === 0 ? 12 : hour % 12}:${clock} ${hour < 12 ? 'AM' : 'PM'}`;
  const separator = style === 'british' ? '/' : '.';
  return `${twoDigits(day)}${separator}${twoDigits(month)}${separator}${year} ${twoDigits(hour)}:${clock}`;
}

interface Row {
  message: TrafficMessage;
  recipient: string;
  status: string;
  toIp: string;
  index: number;
}

function* rowsOf(messages: readonly TrafficMessage[], options: MessageTraceOptions): Generator<Row> {
  let index = 0;
  for (const message of messages) {
    const early = options.earlyStatus?.(message) ?? null;
    for (const recipient of message.recipients) {
      const status = early !== null && recipient.status !== 'Expanded' ? early : recipient.status;
      yield { message, recipient: recipient.address, status, toIp: recipient.toIp, index: index++ };
    }
  }
}

/** CSV text in the order of the messages given. Lines end in CRLF, as on Windows. */
export function messageTraceCsv(messages: readonly TrafficMessage[], options: MessageTraceOptions): string {
  const delimiter = options.delimiter ?? ',';
  const always = (options.quotes ?? 'always') === 'always';
  const cell = (text: string): string =>
    always || text.includes(delimiter) || text.includes('"') || text.includes('\n')
      ? `"${text.includes('"') ? text.replaceAll('"', '""') : text}"`
      : text;
  const first = messages.length === 0 ? 0 : messages.reduce((low, message) => Math.min(low, message.timeMs), Infinity);
  const last = messages.reduce((high, message) => Math.max(high, message.timeMs), 0);
  const startDate = formatDate(Math.floor(first / 60_000) * 60_000, options.dates);
  const endDate = formatDate(Math.ceil(last / 60_000) * 60_000, options.dates);
  const lines: string[] = [];
  if (options.typeLine) {
    lines.push(
      options.version === 1
        ? '#TYPE Deserialized.Microsoft.Exchange.Management.FfoReporting.MessageTrace'
        : '#TYPE System.Management.Automation.PSCustomObject',
    );
  }
  const columns = options.version === 1 ? MESSAGE_TRACE_V1_COLUMNS : MESSAGE_TRACE_V2_COLUMNS;
  lines.push(columns.map(cell).join(delimiter));
  for (const { message, recipient, status, toIp, index } of rowsOf(messages, options)) {
    const cells =
      options.version === 1
        ? [
            options.organization ?? '',
            message.messageId,
            formatDate(message.timeMs, options.dates),
            message.sender,
            recipient,
            message.subject,
            status,
            toIp,
            message.fromIp,
            String(message.sizeBytes),
            message.traceId,
            startDate,
            endDate,
            String(index),
          ]
        : [
            formatDate(message.timeMs, options.dates),
            message.sender,
            recipient,
            message.subject,
            status,
            toIp,
            message.fromIp,
            String(message.sizeBytes),
            message.messageId,
            message.traceId,
          ];
    lines.push(cells.map(cell).join(delimiter));
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** `ps5`: `"\/Date(ms)\/"` and escaped angle brackets; `ps7`: ISO without a zone. */
export type JsonStyle = 'ps5' | 'ps7';

function jsonObject(row: Row, style: JsonStyle): string {
  const { message } = row;
  const received =
    style === 'ps5' ? `"\\/Date(${message.timeMs})\\/"` : JSON.stringify(`${sortableTime(message.timeMs)}0000`);
  const rest = JSON.stringify({
    SenderAddress: message.sender,
    RecipientAddress: row.recipient,
    Subject: message.subject === '' ? null : message.subject,
    Status: row.status,
    ToIP: row.toIp === '' ? null : row.toIp,
    FromIP: message.fromIp === '' ? null : message.fromIp,
    Size: message.sizeBytes,
    MessageId: message.messageId,
    MessageTraceId: message.traceId,
  });
  const escaped =
    style === 'ps7'
      ? rest
      : rest
          .replaceAll('<', '\\u003c')
          .replaceAll('>', '\\u003e')
          .replaceAll("'", '\\u0027')
          .replaceAll('&', '\\u0026');
  return `{"Received":${received},${escaped.slice(1)}`;
}

/** What `ConvertTo-Json` makes of the rows: an array, or a lone object where there is one row. */
export function messageTraceJson(
  messages: readonly TrafficMessage[],
  style: JsonStyle,
  options: MessageTraceOptions = { version: 2, dates: 'iso' },
): string {
  const objects: string[] = [];
  for (const row of rowsOf(messages, options)) objects.push(jsonObject(row, style));
  return objects.length === 1 ? objects[0] : `[\r\n${objects.join(',\r\n')}\r\n]\r\n`;
}

/** One object a line. */
export function messageTraceNdjson(
  messages: readonly TrafficMessage[],
  style: JsonStyle,
  options: MessageTraceOptions = { version: 2, dates: 'iso' },
): string {
  let text = '';
  for (const row of rowsOf(messages, options)) text += `${jsonObject(row, style)}\n`;
  return text;
}

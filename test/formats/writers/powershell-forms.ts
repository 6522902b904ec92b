/** What else PowerShell makes of Get-MessageTrace: remote sessions, selected columns, Windows PowerShell's JSON. */

import { encodeExport, sortableTime } from '../../../bench/traffic/export-text.ts';
import { formatDate, messageTraceJson } from '../../../bench/traffic/message-trace-export.ts';
import type { Random } from '../../../bench/traffic/random.ts';
import { pairRows, quotedCsv } from './export-cells.ts';
import type { FormatWriter, WrittenField, WrittenMessage } from './message.ts';

const LACKS: readonly WrittenField[] = ['connector', 'direction', 'header_sender', 'refusal'];

/** Columns of a remote session before those of V1; dates of an American. */
function remoteSession(messages: readonly WrittenMessage[]): string {
  const rows = pairRows(messages).map(({ message, recipient }, index) => [
    'outlook.office365.com',
    '1b7c1e0e-9b2f-4a52-8e5f-2f0a4c5f7a11',
    'False',
    'contoso.onmicrosoft.com',
    message.messageId,
    formatDate(message.timeMs, 'us'),
    message.sender,
    recipient.address,
    message.subject,
    recipient.status,
    recipient.toIp,
    message.fromIp,
    String(message.sizeBytes),
    message.traceId,
    '',
    '',
    String(index),
  ]);
  const header =
    'PSComputerName,RunspaceId,PSShowComputerName,Organization,MessageId,Received,SenderAddress,RecipientAddress,' +
    'Subject,Status,ToIP,FromIP,Size,MessageTraceId,StartDate,EndDate,Index';
  return quotedCsv(header.split(','), rows);
}

/** Select-Object with calculated names, in any order, and a `sep=` line for Excel. */
function selected(messages: readonly WrittenMessage[], random: Random): string {
  const columns: [string, (row: ReturnType<typeof pairRows>[number]) => string][] = [
    ['Sender', ({ message }) => message.sender],
    ['To', ({ recipient }) => recipient.address],
    ['Time', ({ message }) => `${sortableTime(message.timeMs)}+00:00`],
    ['Status', ({ recipient }) => recipient.status],
    ['Message Trace ID', ({ message }) => message.traceId.toUpperCase()],
    ['Message-ID', ({ message }) => message.messageId],
    ['Subject', ({ message }) => message.subject],
    ['From IP', ({ message }) => message.fromIp],
    ['to_ip', ({ recipient }) => recipient.toIp],
    ['Comment', () => 'a; "b"\r\nc'],
  ];
  const order = random.shuffle(columns);
  const rows = pairRows(messages).map((row) => order.map(([, cell]) => cell(row)));
  return `sep=;\r\n${quotedCsv(
    order.map(([name]) => name),
    rows,
    ';',
  )}`;
}

const form = (
  format: string,
  name: string,
  file: string,
  write: (messages: readonly WrittenMessage[], random: Random) => string | Uint8Array,
): FormatWriter => ({
  format,
  form: name,
  lacks: LACKS,
  write: (messages, random) => [{ name: file, content: write(messages, random) }],
});

export const powershellWriters: readonly FormatWriter[] = [
  form('message-trace', 'JSON of Windows PowerShell', 'trace.json', (messages) =>
    encodeExport(messageTraceJson(messages, 'ps5'), 'utf16le-bom'),
  ),
  form('message-trace', 'remote session', 'remote.csv', remoteSession),
  form('message-trace', 'selected columns', 'selected.csv', selected),
];

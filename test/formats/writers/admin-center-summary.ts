/** The exported list of the Exchange admin center. Its names of columns are not documented: these are likely ones. */

import { encodeExport, sortableTime } from '../../../bench/traffic/export-text.ts';
import { pairRows, quotedCsv } from './export-cells.ts';
import type { FormatWriter, WrittenMessage } from './message.ts';

const HEADER = [
  'Date',
  'Sender',
  'Recipient',
  'Subject',
  'Status',
  'To IP',
  'From IP',
  'Size',
  'Message ID',
  'Message Trace ID',
];
const STATUS_NAMES: Record<string, string> = { FilteredAsSpam: 'Filtered as spam', GettingStatus: 'Getting status' };

function list(messages: readonly WrittenMessage[]): string {
  const rows = pairRows(messages).map(({ message, recipient }) => [
    `${sortableTime(message.timeMs)}Z`,
    message.sender,
    recipient.address,
    message.subject,
    STATUS_NAMES[recipient.status] ?? recipient.status,
    recipient.toIp,
    message.fromIp,
    String(message.sizeBytes),
    message.messageId,
    message.traceId,
  ]);
  return quotedCsv(HEADER, rows);
}

export const adminCenterSummaryWriters: readonly FormatWriter[] = [
  {
    format: 'admin-center-summary',
    form: 'UTF-8 with a byte order mark',
    lacks: ['connector', 'direction', 'header_sender', 'refusal'],
    write: (messages) => [{ name: 'results.csv', content: encodeExport(list(messages), 'utf8-bom') }],
  },
];

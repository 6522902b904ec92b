/** The Extended report of Start-HistoricalSearch: 27 columns, a row for each event, in no order. */

import { encodeExport } from '../../../bench/traffic/export-text.ts';
import type { Random } from '../../../bench/traffic/random.ts';
import type { FormatWriter, WrittenMessage } from './message.ts';
import { csvCell, type EventCells, eventsOf } from './tracking-events.ts';

// biome-ignore format: the order of the report
const COLUMNS = [
  'date_time_utc', 'client_ip', 'client_hostname', 'server_ip', 'server_hostname', 'source_context', 'connector_id',
  'source', 'event_id', 'internal_message_id', 'message_id', 'network_message_id', 'recipient_address',
  'recipient_status', 'total_bytes', 'recipient_count', 'related_recipient_address', 'reference', 'message_subject',
  'sender_address', 'return_path', 'message_info', 'directionality', 'tenant_id', 'original_client_ip',
  'original_server_ip', 'custom_data',
];
const TENANT = '39238e87-b5ab-4ef6-a559-af54c6b07b42';

function text(messages: readonly WrittenMessage[], random: Random, quoted: boolean): string {
  const rows = eventsOf(messages, random);
  for (let i = rows.length - 1; i > 0; i--) {
    const other = random.integer(0, i);
    [rows[i], rows[other]] = [rows[other], rows[i]];
  }
  const line = (cells: EventCells): string =>
    COLUMNS.map((column) => {
      if (column === 'tenant_id') return TENANT;
      const name = column === 'date_time_utc' ? 'date-time' : column.replaceAll('_', '-');
      return csvCell(cells[name] ?? '');
    }).join(',');
  const header = COLUMNS.map((column) => (quoted ? `"${column}"` : column)).join(',');
  return `${[header, ...rows.map(({ cells }) => line(cells))].join('\r\n')}\r\n`;
}

export const extendedReportWriters: readonly FormatWriter[] = [
  {
    format: 'extended-report',
    form: 'UTF-16 without a byte order mark',
    lacks: ['verdicts'],
    write: (messages, random) => [
      { name: 'extended.csv', content: encodeExport(text(messages, random, false), 'utf16le') },
    ],
  },
  {
    format: 'extended-report',
    form: 'UTF-8 with quoted names, split',
    lacks: ['verdicts'],
    write: (messages, random) => {
      const [first, ...lines] = text(messages, random, true).split('\r\n').slice(0, -1);
      const half = Math.floor(lines.length / 2);
      // A subject with a line break must not be cut in two.
      const cut = messages.some(({ subject }) => subject.includes('\n')) ? lines.length : half;
      return [lines.slice(0, cut), lines.slice(cut)].map((part, index) => ({
        name: `extended-${index}.csv`,
        content: encodeExport(`${[first, ...part].join('\r\n')}\r\n`, 'utf8-bom'),
      }));
    },
  },
];

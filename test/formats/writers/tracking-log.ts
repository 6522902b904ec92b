/** The message tracking logs of Exchange Server: files of three services, a `#Fields:` line, four sets of columns. */

import type { Random } from '../../../bench/traffic/random.ts';
import type { FormatWriter, WrittenField, WrittenFile, WrittenMessage } from './message.ts';
import { csvCell, eventsOf } from './tracking-events.ts';

const COLUMNS_2007 =
  'date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,connector-id,source,event-id,' +
  'internal-message-id,message-id,recipient-address,recipient-status,total-bytes,recipient-count,' +
  'related-recipient-address,reference,message-subject,sender-address,return-path,message-info';
const COLUMNS_2010 = `${COLUMNS_2007},directionality,tenant-id,original-client-ip,original-server-ip,custom-data`;
const COLUMNS_2013 = COLUMNS_2010.replace(
  'message-id,recipient-address',
  'message-id,network-message-id,recipient-address',
);
const COLUMNS_2016 = `${COLUMNS_2013},transport-traffic-type,log-id,schema-version`;

interface Version {
  form: string;
  columns: string;
  version: string;
  lacks: readonly WrittenField[];
  /** Without the lines that begin with `#`. */
  headless?: true;
}

const VERSIONS: readonly Version[] = [
  { form: 'Exchange 2007', columns: COLUMNS_2007, version: '08.00.0000.000', lacks: ['message_trace_id', 'direction'] },
  { form: 'Exchange 2010', columns: COLUMNS_2010, version: '14.0.0.0', lacks: ['message_trace_id'] },
  { form: 'Exchange 2013', columns: COLUMNS_2013, version: '15.0.0.0', lacks: [] },
  { form: 'Exchange 2016 to SE', columns: COLUMNS_2016, version: '15.02.1544.011', lacks: [] },
  { form: 'without its header', columns: COLUMNS_2016, version: '', lacks: [], headless: true },
];

function files(
  messages: readonly WrittenMessage[],
  random: Random,
  { columns, version, headless }: Version,
): WrittenFile[] {
  const rows = eventsOf(messages, random);
  return (['MSGTRK', 'MSGTRKMD', 'MSGTRKMS'] as const).map((log) => {
    const own = rows.filter((row) => row.log === log).sort((a, b) => a.timeMs - b.timeMs);
    const lines = own.map(({ cells }) =>
      columns
        .split(',')
        .map((column) => csvCell(cells[column] ?? ''))
        .join(','),
    );
    const header = [
      '#Software: Microsoft Exchange Server',
      `#Version: ${version}`,
      '#Log-type: Message Tracking Log',
      '#Date: 2026-01-05T00:00:00.000Z',
      `#Fields: ${columns}`,
    ];
    // The service begins again in the middle of a file, where it was restarted.
    if (headless === undefined) lines.splice(Math.floor(lines.length / 2), 0, ...header);
    const content = [...(headless === undefined ? header : []), ...lines].map((line) => `${line}\r\n`).join('');
    return { name: `${log}2026010500-1.LOG`, content };
  });
}

export const trackingLogWriters: readonly FormatWriter[] = VERSIONS.map((version) => ({
  format: 'tracking-log',
  form: version.form,
  lacks: ['verdicts', ...version.lacks],
  write: (messages, random) => files(messages, random, version),
}));

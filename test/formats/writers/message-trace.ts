/** Get-MessageTrace and Get-MessageTraceV2 in what PowerShell writes. */

import { messageTraceCsv, messageTraceJson, messageTraceNdjson } from '../../../bench/traffic/message-trace-export.ts';
import type { FormatWriter, WrittenField } from './message.ts';

const LACKS: readonly WrittenField[] = ['connector', 'direction', 'header_sender', 'refusal'];

export const messageTraceWriters: readonly FormatWriter[] = [
  {
    format: 'message-trace',
    form: 'V1 of Windows PowerShell',
    lacks: LACKS,
    write: (messages) => [
      {
        name: 'trace.csv',
        content: messageTraceCsv(messages, { version: 1, dates: 'german', delimiter: ';', typeLine: true }),
      },
    ],
  },
  {
    format: 'message-trace',
    form: 'V2 as CSV',
    lacks: LACKS,
    write: (messages) => [
      { name: 'trace.csv', content: messageTraceCsv(messages, { version: 2, dates: 'iso', quotes: 'as-needed' }) },
    ],
  },
  {
    format: 'message-trace',
    form: 'V2 as JSON',
    lacks: LACKS,
    write: (messages) => [{ name: 'trace.json', content: messageTraceJson(messages, 'ps7') }],
  },
  {
    format: 'message-trace',
    form: 'V2 as NDJSON',
    lacks: LACKS,
    write: (messages) => [{ name: 'trace.ndjson', content: messageTraceNdjson(messages, 'ps7') }],
  },
];

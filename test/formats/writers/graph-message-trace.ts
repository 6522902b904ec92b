/** Microsoft Graph, exchangeMessageTrace: pages, newest first, and their elements alone. */

import { pairRows } from './export-cells.ts';
import type { FormatWriter, WrittenField, WrittenFile, WrittenMessage } from './message.ts';

const LACKS: readonly WrittenField[] = ['connector', 'direction', 'header_sender', 'refusal'];
const ADDRESS = 'https://graph.microsoft.com/v1.0/admin/exchange/tracing/messageTraces';
const PAGE = 1_000;

function elements(messages: readonly WrittenMessage[]): object[] {
  const rows = pairRows(messages).sort((one, other) => other.message.timeMs - one.message.timeMs);
  return rows.map(({ message, recipient }) => ({
    id: message.traceId,
    senderAddress: message.sender,
    recipientAddress: recipient.address,
    messageId: message.messageId,
    receivedDateTime: new Date(message.timeMs).toISOString(),
    subject: message.subject,
    status: recipient.status[0].toLowerCase() + recipient.status.slice(1),
    toIP: recipient.toIp,
    fromIP: message.fromIp,
    size: message.sizeBytes,
  }));
}

/** The pages, one in each file or one after the other. */
function pages(messages: readonly WrittenMessage[]): string[] {
  const all = elements(messages);
  return Array.from({ length: Math.ceil(all.length / PAGE) }, (_, page) => {
    const isLast = (page + 1) * PAGE >= all.length;
    const value = all.slice(page * PAGE, (page + 1) * PAGE);
    const more = isLast ? {} : { '@odata.nextLink': `${ADDRESS}?$skiptoken=${page + 1}` };
    return JSON.stringify({ '@odata.context': `${ADDRESS}/$metadata`, value, ...more }, null, page % 2 === 0 ? 2 : 0);
  });
}

const form = (name: string, write: (messages: readonly WrittenMessage[]) => WrittenFile[]): FormatWriter => ({
  format: 'graph-message-trace',
  form: name,
  lacks: LACKS,
  write,
});

export const graphMessageTraceWriters: readonly FormatWriter[] = [
  form('a page in each file', (messages) =>
    pages(messages).map((content, page) => ({ name: `page-${page}.json`, content })),
  ),
  form('pages in one file', (messages) => [{ name: 'pages.json', content: pages(messages).join('\n') }]),
  form('an element on each line', (messages) => [
    {
      name: 'elements.ndjson',
      content: elements(messages)
        .map((element) => `${JSON.stringify(element)}\n`)
        .join(''),
    },
  ]),
];

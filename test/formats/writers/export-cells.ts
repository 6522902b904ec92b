/** Rows as CSV, and one row for each message and recipient: what writers of summaries share. */

import type { WrittenMessage, WrittenRecipient } from './message.ts';

export interface PairRow {
  message: WrittenMessage;
  recipient: WrittenRecipient;
}

/** A row for each recipient of each message. */
export function pairRows(messages: readonly WrittenMessage[]): PairRow[] {
  return messages.flatMap((message) => message.recipients.map((recipient) => ({ message, recipient })));
}

/** CSV with every cell in quotes, as Export-Csv writes it. Lines end in CRLF. */
export function quotedCsv(header: readonly string[], rows: readonly (readonly string[])[], delimiter = ','): string {
  const line = (cells: readonly string[]): string =>
    cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(delimiter);
  return `${[header, ...rows].map(line).join('\r\n')}\r\n`;
}

/**
 * Writes the "Enhanced summary" of Start-HistoricalSearch: one row per message, all its recipients
 * in one cell (`address##Receive, Send;address##Receive, Fail`), and the connector. Written from
 * Microsoft's documentation of the report ("Message trace in the modern Exchange admin center").
 */

import { sortableTime } from './export-text.ts';
import type { TrafficMessage, TrafficRecipient } from './message.ts';

export const ENHANCED_SUMMARY_HEADER =
  'origin_timestamp_utc,sender_address,recipient_status,message_subject,total_bytes,message_id,network_message_id,' +
  'original_client_ip,directionality,connector_id,delivery_priority';

/** The report knows events, not verdicts: mail to the junk folder is delivered, quarantine is no delivery. */
function events(recipient: TrafficRecipient): string {
  const outward = recipient.toIp !== '';
  switch (recipient.status) {
    case 'Delivered':
    case 'FilteredAsSpam':
      return outward ? 'Receive, Send' : 'Receive, Deliver';
    case 'Expanded':
      return 'Receive, Expand';
    case 'Failed':
    case 'Quarantined':
      return 'Receive, Fail';
    case 'Pending':
      return 'Receive, Defer';
    case 'GettingStatus':
      return 'Receive';
  }
}

function cell(text: string): string {
  if (!text.includes(',') && !text.includes('"') && !text.includes('\n')) return text;
  return `"${text.includes('"') ? text.replaceAll('"', '""') : text}"`;
}

/** One row, without the line end. */
export function enhancedSummaryRow(message: TrafficMessage): string {
  const recipients = message.recipients.map((recipient) => `${recipient.address}##${events(recipient)}`).join(';');
  return [
    `${sortableTime(message.timeMs)}0000Z`,
    message.sender,
    cell(recipients),
    cell(message.subject),
    String(message.sizeBytes),
    cell(message.messageId),
    message.traceId,
    message.fromIp,
    message.direction === 'inbound' ? '1' : '2',
    cell(message.connector),
    'Normal',
  ].join(',');
}

/** CSV text in the order of the messages given (the service does not sort by time). Lines end in CRLF. */
export function enhancedSummaryCsv(messages: readonly TrafficMessage[]): string {
  const lines = [ENHANCED_SUMMARY_HEADER];
  for (const message of messages) lines.push(enhancedSummaryRow(message));
  return `${lines.join('\r\n')}\r\n`;
}

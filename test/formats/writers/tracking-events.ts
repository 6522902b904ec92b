/**
 * The events that Exchange logs of a message on its way, as cells by the names of the tracking log's columns; the
 * Extended report and the logs of Exchange Server differ in names, order and number of columns alone. Written from
 * Microsoft Learn, "Message tracking" and "Message trace in the modern EAC".
 */

import type { Random } from '../../../bench/traffic/random.ts';
import type { WrittenMessage, WrittenRecipient } from './message.ts';

/** Cells of a row by column, in the spelling of MSGTRK. */
export type EventCells = Partial<Record<string, string>> & { 'date-time': string; 'event-id': string };

export interface EventRow {
  /** The log that has the row: transport, delivery to mailboxes, submission from mailboxes. */
  log: 'MSGTRK' | 'MSGTRKMD' | 'MSGTRKMS';
  timeMs: number;
  cells: EventCells;
}

/** Rows of messages in order of time, with the events around them that say nothing of a recipient. */
export function eventsOf(messages: readonly WrittenMessage[], random: Random): EventRow[] {
  return messages.flatMap((message, number) => eventsOfMessage(message, number, random));
}

function eventsOfMessage(message: WrittenMessage, number: number, random: Random): EventRow[] {
  const rows: EventRow[] = [];
  const isSubmitted = message.fromIp === '';
  const common = {
    'internal-message-id': String(4_398_046_500_000 + number),
    'message-id': message.messageId,
    'network-message-id': message.traceId,
    'total-bytes': String(message.sizeBytes),
    'message-subject': message.subject,
    'sender-address': message.headerSender,
    'return-path': message.sender === '' ? '<>' : message.sender,
    directionality: message.direction === 'inbound' ? 'Incoming' : 'Originating',
    'original-client-ip': message.fromIp,
    'server-hostname': 'EX01',
    'custom-data': 'S:DeliveryPriority=Normal;S:ToEntity=Internet',
    'transport-traffic-type': 'Email',
    'schema-version': '15.02.1544.011',
  };
  let timeMs = message.timeMs;
  const add = (
    event: string,
    recipients: readonly WrittenRecipient[],
    cells: Partial<Record<string, string>> = {},
    log: EventRow['log'] = 'MSGTRK',
  ): void => {
    rows.push({
      log,
      timeMs,
      cells: {
        ...common,
        'date-time': new Date(timeMs).toISOString(),
        'event-id': event,
        'recipient-address': recipients.map(({ address }) => address).join(';'),
        'recipient-count': String(recipients.length),
        ...cells,
      },
    });
    timeMs += random.integer(1, 900);
  };
  const { recipients } = message;
  const groups = recipients.filter(({ status }) => status === 'Expanded');
  const members = recipients.filter(({ status }) => status !== 'Expanded');
  if (isSubmitted) {
    // Submission is logged once transport has the message; old servers name neither recipients nor the return path.
    add('RECEIVE', recipients, { source: 'STOREDRIVER', 'client-ip': '10.1.1.9' });
    add('SUBMIT', [], { source: 'STOREDRIVER', 'return-path': '', 'sender-address': message.sender }, 'MSGTRKMS');
  } else {
    const connector = { 'connector-id': message.connector };
    add('RECEIVE', recipients, {
      source: 'SMTP',
      'client-ip': message.fromIp,
      'client-hostname': 'mx7.fabrikam.example',
      'recipient-status': recipients.map(() => 'To').join(';'),
      'message-info': '0cA: ',
      ...connector,
    });
    add('HAREDIRECT', recipients, { source: 'SMTP' });
  }
  for (const group of groups) {
    add('EXPAND', members, { source: 'ROUTING', 'related-recipient-address': group.address });
  }
  add('AGENTINFO', recipients, { source: 'AGENT', 'custom-data': 'S:SFA=SUM|SFV=NSPM|SCL=1' });
  const sent = members.filter(({ status, toIp }) => status === 'Delivered' && toIp !== '');
  if (sent.length > 0) {
    add(random.chance(0.5) ? 'SEND' : 'SENDEXTERNAL', sent, {
      source: 'SMTP',
      'client-ip': '10.1.1.9',
      'server-ip': sent[0].toIp,
      'server-hostname': 'mx1.partner.example',
      'connector-id': message.connector,
      'recipient-status': sent.map(() => '250 2.1.5 Recipient OK').join(';'),
      'source-context': '08DF01;250 2.6.0 <x@y> [InternalId=1, Hostname=mx1.partner.example] 18 bytes in 0.1, 1 KB/sec',
    });
  }
  const delivered = members.filter(({ status, toIp }) => status === 'Delivered' && toIp === '');
  if (delivered.length > 0) add('DELIVER', delivered, { source: 'STOREDRIVER' }, 'MSGTRKMD');
  for (const event of ['DEFER', 'FAIL']) {
    const status = event === 'FAIL' ? 'Failed' : 'Pending';
    const refused = members.filter((recipient) => recipient.status === status);
    // One session with one server refuses recipients together.
    for (const reply of new Set(refused.map((recipient) => recipient.reply))) {
      const together = refused.filter((recipient) => recipient.reply === reply);
      const texts = reply === null ? '' : together.map(() => `[${led(reply.text, reply.server, random)}]`).join(';');
      add(event, together, { source: 'SMTP', 'server-hostname': reply?.server ?? '', 'recipient-status': texts });
    }
  }
  add('HADISCARD', [], { source: 'SMTP' });
  return rows;
}

/** What a server said, as Exchange writes it: the order differs between Exchange Online and Exchange Server. */
function led(text: string, server: string, random: Random): string {
  const pairs = [`{LED=${text}}`, `{FQDN=${server}}`, `{IP=${server === '' ? '' : '52.101.40.2'}}`];
  const time = '{LRT=9/5/2026 6:10:14 PM}';
  return (random.chance(0.5) ? [pairs[0], '{MSG=}', pairs[1], pairs[2], time] : [time, ...pairs]).join(';');
}

/** A cell of CSV, in quotes where it needs them. */
export function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

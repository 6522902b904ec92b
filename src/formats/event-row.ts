/** The cells of a row that is one event of a message, for the extraction of rows and for reading single rows again. */

import { STATUS_DELIVERED, STATUS_EXPANDED, STATUS_FAILED, STATUS_UNKNOWN } from '../core/record.ts';
import type { RecordView } from '../readers/reader.ts';
import { recipientPart, splitRecipient, trimBlanks, trimmed } from './cells.ts';
import { EVENT_ARRIVES, EVENT_ENDS, EVENT_SENDS, EVENT_STATUS } from './events.ts';
import type { RoleColumns } from './format.ts';
import { hasSemicolon, isList, listPart, splitList } from './recipient-list.ts';
import { Replies } from './refusal.ts';

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });
const ENCODER = new TextEncoder();
const SMTP = ENCODER.encode('smtp');
/** Exchange Server hands messages from one of its services to another by SMTP too (Microsoft Learn, "Mail flow"). */
const INTERNAL_HOP = ENCODER.encode('intra-organization smtp send connector');
const BOUNCES = ENCODER.encode('bounces+srs=');

export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return DECODER.decode(bytes.subarray(start, end));
}

/**
 * The column of the envelope sender. Rows of events leave it empty where a mailbox submits: the header sender is that
 * mailbox then. In other formats an empty cell is the null sender.
 */
export function senderColumn({ starts, ends }: RecordView, roles: RoleColumns): number {
  const { sender, header_sender: headerSender } = roles;
  if (roles.event < 0 || headerSender < 0) return sender;
  return sender < 0 || starts[sender] === ends[sender] ? headerSender : sender;
}

/** Whether the client of an event row is who submitted the message: it came in by SMTP. */
export function isSubmitted(view: RecordView, roles: RoleColumns, event: number): boolean {
  return (event & EVENT_ARRIVES) !== 0 && roles.client_ip >= 0 && isBySmtp(view, roles);
}

function isBySmtp({ bytes, starts, ends }: RecordView, { event_source: column }: RoleColumns): boolean {
  return column < 0 || begins(bytes, starts[column], ends[column], SMTP);
}

/** Whether the message went to another service of the same servers. */
export function isInternalHop({ bytes, starts, ends }: RecordView, { connector }: RoleColumns): boolean {
  return connector >= 0 && begins(bytes, starts[connector], ends[connector], INTERNAL_HOP);
}

/** The replies in an event row; null where it has none. */
export function repliesOf(view: RecordView, roles: RoleColumns, bySemicolon: boolean): Replies | null {
  const { bytes, starts, ends } = view;
  const cell = (column: number) => (column < 0 ? '' : textOf(bytes, starts[column], ends[column]));
  const server = isBySmtp(view, roles) ? cell(roles.server_name).trim() : '';
  const { recipient } = roles;
  const replies = cell(roles.replies);
  if (/\d\.\d|\d{3}/.test(replies)) {
    const count = countList(bytes, starts[recipient], ends[recipient], bySemicolon);
    return new Replies(replies, count, server);
  }
  const context = cell(roles.context);
  return context === '' ? null : new Replies(context, 1, server);
}

/** The status that an event gives the recipient of that number; `sent`: the message left for another server. */
export function statusOfEventRow(event: number, sent: boolean, replies: Replies | null, recipient: number): number {
  const status = event & EVENT_STATUS;
  if (status === STATUS_DELIVERED && (event & EVENT_SENDS) !== 0 && !sent) return STATUS_UNKNOWN;
  const ends = status === STATUS_FAILED || (event & EVENT_ENDS) !== 0;
  if (!ends || replies === null) return status;
  if (replies.isSuccess(recipient)) return replies.isExpansion(recipient) ? STATUS_EXPANDED : STATUS_UNKNOWN;
  return replies.isFailure(recipient) ? STATUS_FAILED : status;
}

/** Recipients of a record that is not used; 0 where it names none. */
export function countRecipients(view: RecordView, roles: RoleColumns): number {
  const { bytes, starts, ends } = view;
  const { recipient, recipient_status: cell } = roles;
  if (roles.event >= 0) {
    return countList(
      bytes,
      starts[recipient],
      ends[recipient],
      hasSemicolon(bytes, starts[recipient], ends[recipient]),
    );
  }
  if (cell < 0) {
    const [start, end] = [starts[recipient], ends[recipient]];
    return isList(bytes, start, end) ? countList(bytes, start, end, hasSemicolon(bytes, start, end)) : 1;
  }
  let count = 0;
  for (let from = starts[cell]; from < ends[cell]; from = recipientPart.next) {
    splitRecipient(bytes, from, ends[cell]);
    if (recipientPart.start < recipientPart.end || recipientPart.eventsStart < recipientPart.eventsEnd) count++;
  }
  return count;
}

function countList(bytes: Uint8Array, start: number, end: number, bySemicolon: boolean): number {
  let count = 0;
  for (let from = start; from < end; from = listPart.next) {
    splitList(bytes, from, end, bySemicolon);
    if (listPart.start < listPart.end) count++;
  }
  return count;
}

/**
 * Whether the address at `start`, in lower case, is one to which Exchange Online sends the bounces of mail that it
 * relayed for others, `bounces+SRS=hash=ts@domain` (Microsoft Learn, sender-rewriting-scheme).
 */
export function isForBounces(bytes: Uint8Array, start: number): boolean {
  if (bytes[start] !== BOUNCES[0]) return false;
  for (let i = 1; i < BOUNCES.length; i++) if (bytes[start + i] !== BOUNCES[i]) return false;
  return true;
}

function begins(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  trimBlanks(bytes, start, end);
  if (trimmed.end - trimmed.start < word.length) return false;
  for (let i = 0; i < word.length; i++) {
    const byte = bytes[trimmed.start + i];
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== word[i]) return false;
  }
  return true;
}

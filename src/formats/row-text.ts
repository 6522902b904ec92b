/** The strings of one row, read again from its export: what an incident shows of a pair. */

import type { AddressReader } from '../core/address.ts';
import type { PairText } from '../core/ports.ts';
import { SENDER_SRS } from '../core/record.ts';
import { rewrittenSender } from '../core/sender.ts';
import type { RecordView } from '../readers/reader.ts';
import { recipientPart, splitRecipient, trimMessageId, trimMessageTraceId, trimmed } from './cells.ts';
import { senderColumn } from './event-row.ts';
import type { RoleColumns } from './format.ts';
import { hasSemicolon, isList, listPart, splitList } from './recipient-list.ts';

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The texts of a record, in the forms in which rows are compared: two exports of the same row that
 * differ in dashes, brackets or case give the same texts. The recipient is the one with the given hash.
 */
export function readRowText(
  view: RecordView,
  roles: RoleColumns,
  addresses: AddressReader,
  recipientLo: number,
  recipientHi: number,
): Omit<PairText, 'file' | 'offset' | 'length'> {
  const { bytes, starts, ends } = view;
  let messageTraceId = '';
  if (roles.message_trace_id >= 0) {
    trimMessageTraceId(bytes, starts[roles.message_trace_id], ends[roles.message_trace_id]);
    messageTraceId = text(bytes, trimmed.start, trimmed.end).replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
    messageTraceId = messageTraceId.replaceAll('-', '');
  }
  let messageId = '';
  if (roles.message_id >= 0) {
    trimMessageId(bytes, starts[roles.message_id], ends[roles.message_id]);
    messageId = text(bytes, trimmed.start, trimmed.end);
  }
  const column = senderColumn(view, roles);
  const sender = addresses.sender(bytes, starts[column], ends[column]) ? addresses.text() : '';
  const rewritten = addresses.kind === SENDER_SRS ? rewrittenSender(text(bytes, starts[column], ends[column])) : null;
  const subject = roles.subject < 0 ? '' : text(bytes, starts[roles.subject], ends[roles.subject]);
  const recipient = findRecipient(view, roles, addresses, recipientLo, recipientHi);
  const texts = { messageTraceId, messageId, sender, recipient, subject };
  return rewritten === null ? texts : { ...texts, rewrittenSender: rewritten };
}

function findRecipient(view: RecordView, roles: RoleColumns, addresses: AddressReader, lo: number, hi: number): string {
  const { bytes, starts, ends } = view;
  if (roles.event >= 0) {
    for (const column of [roles.recipient, roles.related_recipient]) {
      const found = column < 0 ? '' : findInList(view, column, addresses, lo, hi);
      if (found !== '') return found;
    }
    return '';
  }
  if (roles.recipient_status < 0) {
    if (isList(bytes, starts[roles.recipient], ends[roles.recipient])) {
      return findInList(view, roles.recipient, addresses, lo, hi);
    }
    return addresses.recipient(bytes, starts[roles.recipient], ends[roles.recipient]) ? addresses.text() : '';
  }
  const end = ends[roles.recipient_status];
  for (let from = starts[roles.recipient_status]; from < end; from = recipientPart.next) {
    splitRecipient(bytes, from, end);
    if (!addresses.recipient(bytes, recipientPart.start, recipientPart.end)) continue;
    if (addresses.lo === lo && addresses.hi === hi) return addresses.text();
  }
  return '';
}

function findInList(view: RecordView, column: number, addresses: AddressReader, lo: number, hi: number): string {
  const { bytes, starts, ends } = view;
  const bySemicolon = hasSemicolon(bytes, starts[column], ends[column]);
  for (let from = starts[column]; from < ends[column]; from = listPart.next) {
    splitList(bytes, from, ends[column], bySemicolon);
    if (!addresses.recipient(bytes, listPart.start, listPart.end)) continue;
    if (addresses.lo === lo && addresses.hi === hi) return addresses.text();
  }
  return '';
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return DECODER.decode(bytes.subarray(start, end));
}

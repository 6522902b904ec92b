/**
 * The canonical row: one merged pair with its texts, the same whatever export it came from, as far as that can
 * carry it. What `convert` writes.
 */

import { ChosenTexts } from './identity.ts';
import type { SortedBlock } from './order.ts';
import type { TextSource } from './ports.ts';
import {
  CONNECTOR,
  CONNECTOR_ID_MASK,
  FLAGS,
  fileOf,
  MESSAGE_HI,
  MESSAGE_LO,
  offsetOf,
  RECIPIENT_DOMAIN,
  RECIPIENT_HI,
  RECIPIENT_LO,
  RECORD_DOUBLES,
  RECORD_WORDS,
  REFUSAL_MASK,
  REFUSAL_SHIFT,
  SENDER_DOMAIN,
  SENDER_KIND_SHIFT,
  SENDER_SRS,
  SENT_ON,
  SOURCE,
  STATUS_MASK,
  STATUSES,
  STATUSES_SEEN_SHIFT,
  type Status,
} from './record.ts';
import { type SenderStatus, senderStatus } from './sender.ts';
import { DOMAIN_ACCEPTED, DOMAIN_EXTERNAL, type IdTexts, type TenantModel } from './tenant.ts';

/** By the number of a refusal in a record (`REFUSAL_…`). */
export const REFUSALS = [
  null,
  'deferred',
  'blocked_elsewhere',
  'address_blocked',
  'threshold_exceeded',
  'unregistered_blocked',
] as const;
export type Refusal = Exclude<(typeof REFUSALS)[number], null>;

export type Direction = 'inbound' | 'outbound' | 'internal';

export interface CanonicalRow {
  /** The pair: the same for the same message and recipient in every export of the tenant. 32 hexadecimal digits. */
  pair: string;
  eventMs: number;
  /** Null where no accepted domain is known. */
  direction: Direction | null;
  senderStatus: SenderStatus | null;
  /** P1 sender, lower case; empty for a null sender. */
  sender: string;
  senderDomain: string;
  /** The outside sender whose mail `sender` forwards. */
  rewrittenSender: string | null;
  recipient: string;
  recipientDomain: string;
  subject: string;
  status: Status;
  /** All that were seen, in the order of `STATUSES`. */
  statusesSeen: Status[];
  /** Lower case without dashes; empty where the exports have none. */
  messageTraceId: string;
  /** Without angle brackets. */
  messageId: string;
  sourceIp: string;
  connector: string;
  /** It was sent on to a server outside. */
  isSentOn: boolean;
  /** The gravest answer about the tenant's sending; null without one. */
  refusal: Refusal | null;
}

export interface RowSources {
  /** Null where no accepted domain is known: directions and the status of senders are left open. */
  tenant: TenantModel | null;
  ids: IdTexts;
  texts: TextSource;
  chosen: ChosenTexts;
}

/** Row `index` of a block. */
export function canonicalRow({ words, doubles }: SortedBlock, index: number, sources: RowSources): CanonicalRow {
  const { tenant, ids, texts, chosen } = sources;
  const base = index * RECORD_WORDS;
  const flags = words[base + FLAGS];
  const senderDomain = words[base + SENDER_DOMAIN];
  const recipientDomain = words[base + RECIPIENT_DOMAIN];
  const kind = (flags >>> SENDER_KIND_SHIFT) & 3;
  const stored = texts.read(
    fileOf(words, base),
    offsetOf(words, base),
    words[base + RECIPIENT_LO],
    words[base + RECIPIENT_HI],
  );
  const won = chosen.get(ChosenTexts.key(words, base));
  const sender = won?.sender ?? stored.sender;
  const senderClass = tenant?.domainClass(senderDomain) ?? DOMAIN_EXTERNAL;
  const connector = words[base + CONNECTOR];
  return {
    pair: [MESSAGE_HI, MESSAGE_LO, RECIPIENT_HI, RECIPIENT_LO].map((word) => hex(words[base + word])).join(''),
    eventMs: doubles[index * RECORD_DOUBLES],
    direction: tenant === null ? null : directionOf(tenant, senderClass, recipientDomain),
    senderStatus: tenant === null ? null : senderStatus(kind, senderDomain !== 0, senderClass),
    sender,
    senderDomain: ids.domain(senderDomain),
    rewrittenSender: kind === SENDER_SRS && sender === stored.sender ? (stored.rewrittenSender ?? null) : null,
    recipient: stored.recipient,
    recipientDomain: ids.domain(recipientDomain),
    subject: won?.subject ?? stored.subject,
    status: STATUSES[flags & STATUS_MASK],
    statusesSeen: STATUSES.filter((_, status) => (flags & (1 << (STATUSES_SEEN_SHIFT + status))) !== 0),
    messageTraceId: stored.messageTraceId,
    messageId: won?.messageId ?? stored.messageId,
    sourceIp: ids.source(words[base + SOURCE]),
    connector: ids.connector(connector & CONNECTOR_ID_MASK),
    isSentOn: (flags & SENT_ON) !== 0,
    refusal: REFUSALS[(connector >>> REFUSAL_SHIFT) & REFUSAL_MASK] ?? null,
  };
}

/** Mail to a recipient outside is outbound, whoever sent it: that is what relaying is. */
function directionOf(tenant: TenantModel, senderClass: number, recipientDomain: number): Direction {
  if (tenant.domainClass(recipientDomain) !== DOMAIN_ACCEPTED) return 'outbound';
  return senderClass === DOMAIN_ACCEPTED ? 'internal' : 'inbound';
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

/** What an envelope sender is to the tenant, and whose mail it forwards. */

import { domainToASCII } from 'node:url';
import { SENDER_NULL, SENDER_SRS, SENDER_SYSTEM } from './record.ts';
import { DOMAIN_ACCEPTED, DOMAIN_SUBDOMAIN } from './tenant.ts';

export const SENDER_STATUSES = [
  'accepted',
  /** Below an accepted domain that does not match sub-domains: counts as unregistered. */
  'subdomain_of_accepted',
  'unregistered',
  'null_sender',
  /** A name of Exchange or of a mail system, in an accepted domain. */
  'system',
  /** A mailbox here that forwards mail of others. */
  'srs_rewritten',
] as const;
export type SenderStatus = (typeof SENDER_STATUSES)[number];

/**
 * The status of a sender of that kind (`SENDER_…`) whose domain has that class (`DOMAIN_…`); null for an address
 * without a domain, such as an X.500 name.
 */
export function senderStatus(kind: number, hasDomain: boolean, domainClass: number): SenderStatus | null {
  if (kind === SENDER_NULL) return 'null_sender';
  if (!hasDomain) return null;
  if (domainClass !== DOMAIN_ACCEPTED) {
    return domainClass === DOMAIN_SUBDOMAIN ? 'subdomain_of_accepted' : 'unregistered';
  }
  if (kind === SENDER_SYSTEM) return 'system';
  return kind === SENDER_SRS ? 'srs_rewritten' : 'accepted';
}

const MARK = 'srs=';
/** A hash of five characters, a time of two, the domain and the local part of the first sender. */
const REWRITTEN = /^[^=]{5}=[^=]{2}=([^=]+)=(.+)$/;

/**
 * The outside sender in an address that Exchange Online rewrote, `user+SRS=hash=ts=domain=local@here` (Microsoft
 * Learn, sender-rewriting-scheme), as `local@domain` in lower case; null where the address names none.
 */
export function rewrittenSender(address: string): string | null {
  const plain = address.trim().replace(/^</, '').toLowerCase();
  const local = plain.slice(0, Math.max(0, plain.lastIndexOf('@')));
  const mark = local.lastIndexOf(`+${MARK}`);
  const start = mark >= 0 ? mark + 1 + MARK.length : local.startsWith(MARK) ? MARK.length : -1;
  const match = start < 0 ? null : REWRITTEN.exec(local.slice(start));
  return match === null ? null : `${match[2]}@${domainToASCII(match[1]) || match[1]}`;
}

/**
 * What the events of Exchange's transport say of a pair (Microsoft Learn, "Message tracking", event types in the log;
 * Exchange Online's Extended report has the same). An event either moves a pair on or has nothing to do with
 * whether a message reached a recipient; such a row is dropped for a reason of its own.
 */

import type { DropReason } from '../core/outcome.ts';
import { STATUS_DELIVERED, STATUS_FAILED, STATUS_PENDING } from '../core/record.ts';

/** An event as a number: its status in the lowest three bits, and the bits below. */
export const EVENT_STATUS = 0x7;
/** The message left by SMTP. */
export const EVENT_SENDS = 1 << 3;
/** The message came in: who submitted it stands in this row. */
export const EVENT_ARRIVES = 1 << 4;
/** Replies of a server may stand in the row. */
export const EVENT_REPLIES = 1 << 5;
/** The related recipient was replaced by the recipients: by the members of a group, or by the address behind an alias. */
export const EVENT_REPLACES = 1 << 6;

/** The message ended without a report; the reply in the row tells how. */
export const EVENT_ENDS = 1 << 7;

type Meaning = number | DropReason;

/** Nothing ended: the row says that the pair exists. */
const PASSES = 0;
const SENDS = STATUS_DELIVERED | EVENT_SENDS;

const EVENTS: readonly [string, Meaning][] = [
  ['receive', EVENT_ARRIVES],
  ['send', SENDS],
  ['deliver', STATUS_DELIVERED],
  // Not documented, and in real logs of 2016 and later: SMTP to a server outside the organization.
  ['sendexternal', SENDS],
  ['agentinfo', 'agent_event'],
  ['haredirect', 'shadow_event'],
  ['hareceive', 'shadow_event'],
  ['hadiscard', 'shadow_event'],
  ['haredirectfail', 'shadow_event'],
  ['notifyshadow', 'shadow_event'],
  ['fail', STATUS_FAILED | EVENT_REPLIES],
  ['defer', STATUS_PENDING | EVENT_REPLIES],
  // Spam, moderated messages and copies to groups end so, without a report: its text tells which.
  ['drop', PASSES | EVENT_REPLIES | EVENT_ENDS],
  // The row is of the report, a message of its own to the sender of the failed one.
  ['dsn', PASSES | EVENT_REPLIES],
  ['expand', PASSES | EVENT_REPLACES],
  ['resolve', PASSES | EVENT_REPLACES],
  // The recipient that forwards keeps its rows: they tell a forward.
  ['redirect', PASSES],
  ['transfer', PASSES],
  ['submit', PASSES],
  ['clientsubmission', PASSES],
  ['submitdefer', STATUS_PENDING | EVENT_REPLIES],
  // Both are tried again; what ends them is an event of its own.
  ['submitfail', PASSES | EVENT_REPLIES],
  ['deliverfail', PASSES | EVENT_REPLIES],
  ['duplicatedeliver', PASSES],
  ['duplicateexpand', PASSES],
  ['duplicateredirect', PASSES],
  ['process', 'agent_event'],
  ['processmeetingmessage', 'agent_event'],
  ['initmessagecreated', 'moderation_event'],
  ['badmail', 'service_event'],
  ['load', 'service_event'],
  ['notifymapi', 'service_event'],
  ['poisonmessage', 'service_event'],
  ['suppressed', 'service_event'],
  ['throttle', 'service_event'],
  ['suspend', 'service_event'],
];

/** Families of events, by how their names begin: MODERATORAPPROVE, RESUBMITDEFER and others. */
const FAMILIES: readonly [string, Meaning][] = [
  ['moderat', 'moderation_event'],
  ['resubmit', 'shadow_event'],
  ['ha', 'shadow_event'],
];

const SPELLED = EVENTS.map(([word]) => new TextEncoder().encode(word));

/** The meaning of the event in a cell, whatever its case; blanks do not count. */
export function meaningOfEvent(bytes: Uint8Array, start: number, end: number): Meaning {
  for (let event = 0; event < SPELLED.length; event++) {
    if (isWord(bytes, start, end, SPELLED[event])) return EVENTS[event][1];
  }
  const word = new TextDecoder().decode(bytes.subarray(start, Math.min(end, start + 64)));
  const plain = word.toLowerCase().replace(/\s/g, '');
  return FAMILIES.find(([begin]) => plain.startsWith(begin))?.[1] ?? 'unknown_event';
}

function isWord(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  let at = 0;
  for (let i = start; i < end; i++) {
    if (bytes[i] <= 0x20) continue;
    if (at === word.length || (bytes[i] | 0x20) !== word[at]) return false;
    at++;
  }
  return at === word.length;
}

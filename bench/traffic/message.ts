/**
 * A message as the generator knows it, before any export format. The writers turn it into rows;
 * what is an attack stands in the truth, never here.
 */

/** Final status of a recipient, spelled as Get-MessageTrace does. */
export type RecipientStatus =
  | 'Delivered'
  | 'Failed'
  | 'FilteredAsSpam'
  | 'Quarantined'
  | 'Expanded'
  | 'Pending'
  | 'GettingStatus';

export interface TrafficRecipient {
  address: string;
  status: RecipientStatus;
  /** IP of the recipient's mail server; empty inside the tenant. */
  toIp: string;
}

export interface TrafficMessage {
  /** Network message id, a GUID with dashes. */
  traceId: string;
  /** Message-ID header with angle brackets. A forward has that of the mail it passes on. */
  messageId: string;
  /** Milliseconds since 1970, UTC. */
  timeMs: number;
  /** P1 sender; `<>` for a null sender. */
  sender: string;
  recipients: TrafficRecipient[];
  subject: string;
  sizeBytes: number;
  /** IP of the server that submitted the message; empty where a cloud mailbox is the origin. */
  fromIp: string;
  connector: string;
  /** `inbound` from the internet or from on-premises to here; `originating` everything that leaves or stays. */
  direction: 'inbound' | 'originating';
}

export interface AttackTruth {
  id: string;
  /** `relay` counts as family `unregistered`, `mailbox` as `bulk`. */
  kind: 'relay' | 'mailbox';
  startMs: number;
  endMs: number;
  /** IPs the mail comes from; none for mailboxes. */
  sources: string[];
  connector: string;
  /** Mailboxes that were taken over; none for a relay. */
  mailboxes: string[];
  domains: string[];
  /** Attack recipients in order of time. */
  pairs: { timeMs: number; traceId: string; recipient: string }[];
}

export interface Traffic {
  seed: string;
  tenant: string;
  /** What Get-AcceptedDomain would list, the default domain first. */
  acceptedDomains: string[];
  startMs: number;
  days: number;
  /** In order of time. */
  messages: TrafficMessage[];
  attacks: AttackTruth[];
}

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** Number of rows a message trace has for these messages: one per recipient. */
export function countRows(messages: readonly TrafficMessage[]): number {
  let rows = 0;
  for (const message of messages) rows += message.recipients.length;
  return rows;
}

/** Order of the walk over a world: by time, then by id, so that equal times have one order. */
export function sortByTime(messages: TrafficMessage[]): void {
  messages.sort((a, b) => a.timeMs - b.timeMs || (a.traceId < b.traceId ? -1 : a.traceId > b.traceId ? 1 : 0));
}

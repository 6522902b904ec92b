/**
 * What the text of a refusal tells: whether Exchange Online blocks the tenant (5.7.705, 5.7.708, 5.7.750; Microsoft,
 * "Fix email delivery issues for error code 5.7.700 through 5.7.750") or holds its mail back (4.7.500-699,
 * 4.7.850-899). 5.7.703 is the customer's own block list and tells nothing.
 *
 * Exchange writes what a server answered as `[{LED=550 5.7.750 text};{MSG=};{FQDN=host};{IP=a.b.c.d};{LRT=time}]`,
 * in Exchange Server in another order, in many places cut, and often as the bare text. The text after `LED=` is the
 * other server's own and may hold anything, `};{FQDN=x.outlook.com}` too; the rest is Exchange's. No such server may
 * pass for Microsoft's, so a reply counts as theirs where every server that it names is theirs, and where no other
 * name can have been pushed out of it by its length.
 */

import {
  REFUSAL_ADDRESS_BLOCKED,
  REFUSAL_DEFERRED,
  REFUSAL_ELSEWHERE,
  REFUSAL_NONE,
  REFUSAL_THRESHOLD_EXCEEDED,
  REFUSAL_UNREGISTERED_BLOCKED,
} from '../core/record.ts';

/** Characters of a reply that are looked at: codes stand at its beginning. */
const MAX_REPLY = 16_384;
/** Replies of Microsoft to a refused message are shorter, with all that Exchange writes around them; so is a cut one. */
const LONGEST_OWN_REPLY = 1000;
const LONGEST_CUT_REPLY = 400;

/** An enhanced status code (RFC 3463), and no part of an address or of a longer number. */
const CODES = /(?<![\d.])([45])\.7\.(\d{3})(?!\d|\.\d)/g;
const STRUCTURED = /^\s*(?:Reason:\s*)?\[?\s*\{(?:LED|MSG|FQDN|IP|LRT)=/i;
const SERVERS = /\{FQDN=([^}\]]*)|\[LastAttemptedServerName=([^\]]*)/gi;
const SUCCESS = /(?:^|\{LED=)[\s[]*2\d\d[\s-]/i;
const FAILURE = /(?:^|\{LED=)[\s[]*5\d\d[\s-]/i;
const EXPANSION = /RESOLVER\.GRP\.Expanded/i;

/** A brace that ends no pair, or brackets that end before the text does: Exchange writes neither. */
const STRAY_END = /\}(?!\s*(?:\]?\s*(?:$|;\s*$)|\]\s*;\s*\[|;\s*\{[A-Z]*(?:=|$)))/i;

/** Domains in which Microsoft names the servers of Exchange Online, in all its clouds. */
const MICROSOFT_DOMAINS = [
  'outlook.com',
  'outlook.cn',
  'office365.com',
  'office365.us',
  'office.com',
  'microsoft.com',
  'exchangelabs.com',
  'mx.microsoft',
];

/**
 * The gravest refusal in the text of a reply, one of REFUSAL_*. `server` is the host name that the row gives for
 * whoever answered, where it does so beside the text.
 */
export function refusalOf(text: string, server = ''): number {
  return refusalIn(text, server, namesOthers(text));
}

/** The replies of an event row: one for each recipient, or one for all. */
export class Replies {
  readonly #parts: readonly string[];
  readonly #server: string;
  /** One session refused all recipients of a row, so whoever is named anywhere in it answered. */
  readonly #namesOthers: boolean;

  /** `cell` holds the replies to `recipients` recipients, `server` is that of `refusalOf`. */
  constructor(cell: string, recipients: number, server: string) {
    this.#parts = partsOf(cell, recipients);
    this.#server = server;
    this.#namesOthers = namesOthers(cell);
  }

  /** The refusal of the recipient of that number, from 0. */
  refusal(recipient: number): number {
    return refusalIn(this.#part(recipient), this.#server, this.#namesOthers);
  }

  /** Whether the reply refuses nothing. */
  isSuccess(recipient: number): boolean {
    return SUCCESS.test(this.#part(recipient).slice(0, MAX_REPLY));
  }

  /** Whether the reply refuses for good. */
  isFailure(recipient: number): boolean {
    return FAILURE.test(this.#part(recipient).slice(0, MAX_REPLY));
  }

  /** Whether it says that a copy to a group ended because its members have theirs. */
  isExpansion(recipient: number): boolean {
    return this.isSuccess(recipient) && EXPANSION.test(this.#part(recipient).slice(0, MAX_REPLY));
  }

  #part(recipient: number): string {
    return this.#parts.length === 1 ? this.#parts[0] : this.#parts[recipient];
  }
}

/** As many parts as there are recipients; else the whole cell, which then counts for each. */
function partsOf(cell: string, recipients: number): readonly string[] {
  if (recipients <= 1) return [cell];
  const parts = cell.split(separatorOf(cell), recipients + 1);
  return parts.length === recipients ? parts : [cell];
}

/** What stands between replies: brackets are around each, or it begins with the same name, or it is a bare text. */
function separatorOf(cell: string): RegExp {
  if (/^\s*\[/.test(cell)) return /(?<=\])\s*;(?=\s*\[)/;
  const first = /^\s*\{(LED|MSG|FQDN|IP|LRT)=/i.exec(cell);
  return first === null ? /;/ : new RegExp(`;(?=\\s*\\{${first[1]}=)`, 'i');
}

function refusalIn(text: string, server: string, namesOthers: boolean): number {
  let gravest = REFUSAL_NONE;
  for (const [, family, detail] of text.slice(0, MAX_REPLY).matchAll(CODES)) {
    gravest = Math.max(gravest, family === '5' ? blockOf(detail) : deferralOf(Number(detail)));
  }
  if (gravest === REFUSAL_NONE || !(namesOthers || isForeign(text, server))) return gravest;
  return gravest > REFUSAL_DEFERRED ? REFUSAL_ELSEWHERE : REFUSAL_NONE;
}

function blockOf(detail: string): number {
  if (detail === '750') return REFUSAL_UNREGISTERED_BLOCKED;
  if (detail === '705') return REFUSAL_THRESHOLD_EXCEEDED;
  return detail === '708' ? REFUSAL_ADDRESS_BLOCKED : REFUSAL_NONE;
}

function deferralOf(detail: number): number {
  return (detail >= 500 && detail <= 699) || (detail >= 850 && detail <= 899) ? REFUSAL_DEFERRED : REFUSAL_NONE;
}

/** Whether the text names a server that is not Microsoft's, wherever in it. */
function namesOthers(text: string): boolean {
  for (const [, fqdn, attempted] of text.matchAll(SERVERS)) {
    const name = (fqdn ?? attempted).trim();
    if (name !== '' && !isMicrosoft(name)) return true;
  }
  return false;
}

/** Whether a text that names no other server may still be one's. */
function isForeign(text: string, server: string): boolean {
  // Without the structure only the row itself has a name; one without a dot is a server of Exchange's own.
  if (!STRUCTURED.test(text)) return server.includes('.') && !isMicrosoft(server);
  if (text.length > LONGEST_OWN_REPLY || STRAY_END.test(text)) return true;
  const isCut = !/\{FQDN=/i.test(text) || !/[}\]]\s*$/.test(text);
  return isCut && text.length > LONGEST_CUT_REPLY;
}

function isMicrosoft(name: string): boolean {
  const host = /^[a-z0-9.-]+/.exec(name.trim().toLowerCase())?.[0].replace(/\.$/, '') ?? '';
  return MICROSOFT_DOMAINS.some((domain) => host === domain || host.endsWith(`.${domain}`));
}

/**
 * `--allow`: mail that is known and wanted, as YAML. An entry names a sender domain, a mailbox, a connector, an address or a
 * network, or several of them that must all match; who answers for it, why, and until when.
 */

import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { AllowEntry } from '../core/feedback.ts';
import { acceptedDomain } from './accepted-domains.ts';
import { type FeedbackFile, usableEntries } from './feedback-file.ts';
import { checkShape } from './pipeline/shape.ts';
import { YamlFile } from './pipeline/yaml-file.ts';
import type { ReadFile } from './reference-rows.ts';

const HINT = `A list with an entry for each kind of mail, such as:
  - domain: billing.example
    address: 192.0.2.0/24
    owner: finance@contoso.com
    reason: invoices of the billing service
    expires: 2027-01-01
Of domain, mailbox, connector and address all that are given must match.`;
/** Every row is compared with every entry until one matches. */
const MAX_ENTRIES = 1_000;
const MAX_BYTES = 1_048_576;
const MAX_NAME = 320;
const MAX_TEXT = 1_024;
/** A wider network is no sender's: the whole Internet would be allowed. */
const MIN_PREFIX = { ipv4: 8, ipv6: 16 } as const;
const DAY_MS = 86_400_000;
const WARNED_DAYS = 14;

const text = (most: number) => z.string().trim().min(1).max(most);
const checked = (most: number, problemOf: (value: string) => string | null) =>
  text(most).superRefine((value, context) => {
    const message = problemOf(value);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

const ENTRY = z
  .strictObject({
    domain: checked(MAX_TEXT, (name) =>
      domainOf(name) === null ? 'must be one sender domain, such as billing.example' : null,
    ).optional(),
    mailbox: checked(MAX_TEXT, (address) =>
      mailboxOf(address) === null ? 'must be a mail address, such as news@contoso.com' : null,
    ).optional(),
    connector: text(MAX_TEXT).optional(),
    address: checked(64, networkProblem).optional(),
    owner: text(MAX_NAME),
    reason: text(MAX_TEXT),
    expires: checked(64, (time) =>
      expiryOf(time) === null ? 'must be a day, such as 2027-01-01, or a time with its zone' : null,
    ).optional(),
  })
  .superRefine(({ domain, mailbox, connector, address }, context) => {
    if (domain ?? mailbox ?? connector ?? address) return;
    context.addIssue({
      code: 'custom',
      message: 'needs domain, mailbox, connector or address: it would allow all mail',
    });
  });
const LIST = z.array(ENTRY).max(MAX_ENTRIES);

/** Reads the allow-list at a path. Throws a RelaywatchError (exit 2) with the first entries that are none. */
export async function readAllowList(
  path: string,
  readFile: ReadFile,
  nowMs: number,
): Promise<{ entries: AllowEntry[]; warnings: string[] }> {
  const bytes = path === '' || path === '-' ? null : await readFile(path, '--allow');
  const file = bytes === null ? null : parseAllowList(path, bytes, nowMs);
  return usableEntries({ option: '--allow', path, hint: HINT }, file);
}

/** The entries of a file and what is wrong in it; expired ones are warnings. `shown` is its name in problems. */
export function parseAllowList(shown: string, bytes: Uint8Array, nowMs: number): FeedbackFile<AllowEntry> {
  const file = new YamlFile(shown, bytes, null, MAX_BYTES);
  if (file.problems.length > 0) return { entries: [], problems: file.problems };
  // Nothing but comments.
  if (file.value === null || file.value === undefined) return { entries: [], problems: [] };
  const { data, problems } = checkShape(file, LIST);
  const entries = (data ?? []).map((given, index): AllowEntry => {
    const { domain = null, mailbox = null, connector = null, address = null, owner, reason, expires } = given;
    const entry = {
      domain: domain === null ? null : domainOf(domain),
      mailbox: mailbox === null ? null : mailboxOf(mailbox),
      connector,
      address,
      owner,
      reason,
      expiresMs: expires === undefined ? null : expiryOf(expires),
    };
    const warning = expiryWarning(entry, nowMs);
    if (warning !== null) problems.push(file.problem([index, 'expires'], warning, { severity: 'warning' }));
    return entry;
  });
  return { entries, problems };
}

function expiryWarning(entry: AllowEntry, nowMs: number): string | null {
  const leftMs = (entry.expiresMs ?? Number.POSITIVE_INFINITY) - nowMs;
  const name = nameOf(entry);
  if (leftMs <= 0)
    return `has passed: mail of ${name} counts again since then; ask ${entry.owner}, or take the entry out`;
  if (leftMs > WARNED_DAYS * DAY_MS) return null;
  const days = Math.ceil(leftMs / DAY_MS);
  return `is in ${days === 1 ? 'a day' : `${days} days`}: from then on mail of ${name} counts; ask ${entry.owner}`;
}

/** What an entry matches, for people. */
export function nameOf(
  entry: Partial<Record<'domain' | 'mailbox' | 'connector' | 'address', string | null | undefined>>,
): string {
  return [entry.domain, entry.mailbox, entry.connector, entry.address].filter((part) => part != null).join(' + ');
}

function domainOf(name: string): string | null {
  const domain = acceptedDomain(name);
  return domain === null || domain.matchSubDomains ? null : domain.name;
}

function mailboxOf(address: string): string | null {
  const at = address.lastIndexOf('@');
  const domain = at < 1 ? null : domainOf(address.slice(at + 1));
  return domain === null ? null : `${address.slice(0, at).toLowerCase()}@${domain}`;
}

/** Milliseconds; a day begins at 00:00 UTC. Null for what is no time. */
function expiryOf(time: string): number | null {
  const isTime = z.iso.date().safeParse(time).success || z.iso.datetime({ offset: true }).safeParse(time).success;
  return isTime ? Date.parse(time) : null;
}

function networkProblem(text: string): string | null {
  const [address, prefix, ...rest] = text.split('/');
  const kind = ipaddr.IPv4.isValidFourPartDecimal(address) ? 'ipv4' : isPlainIpv6(address) ? 'ipv6' : null;
  const bits = prefix === undefined ? Number.POSITIVE_INFINITY : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (kind === null || rest.length > 0 || !(prefix === undefined || bits <= (kind === 'ipv4' ? 32 : 128))) {
    return 'must be an IP address, or a network such as 192.0.2.0/24';
  }
  return bits < MIN_PREFIX[kind] ? `is too wide: a network has at least /${MIN_PREFIX[kind]}` : null;
}

/** Without a zone (`%eth0`), which means something on one machine alone. */
function isPlainIpv6(address: string): boolean {
  return !address.includes('%') && ipaddr.IPv6.isValid(address);
}

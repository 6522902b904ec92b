/**
 * `--allow`: mail that is known and wanted, as YAML. An entry names a sender domain, a mailbox, a connector, an address or a
 * network, or several of them that must all match; who answers for it, why, and until when.
 */

import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';
import { parse } from 'yaml';
import { z } from 'zod';
import type { AllowEntry } from '../core/feedback.ts';
import { RelaywatchError } from '../core/outcome.ts';
import type { ReadFile } from './reference-rows.ts';

const EXAMPLE = `- domain: billing.example
  address: 192.0.2.0/24
  owner: finance@contoso.com
  reason: invoices of the billing service
  expires: 2027-01-01`;
const MAX_ENTRIES = 10_000;
const MAX_TEXT = 1024;
const WEEKS_WARNED_MS = 14 * 86_400_000;

export interface AllowFile {
  entries: AllowEntry[];
  /** Entries that have expired, or will soon; for people. */
  warnings: string[];
}

const text = (most: number) => z.string().trim().min(1).max(most);

const ENTRY = z
  .strictObject({
    domain: text(255).transform(domainOf).optional(),
    mailbox: text(MAX_TEXT).transform(mailboxOf).optional(),
    connector: text(MAX_TEXT).optional(),
    address: text(64).refine(isNetwork, 'is no IP address and no network such as 192.0.2.0/24').optional(),
    owner: text(320),
    reason: text(MAX_TEXT),
    expires: z.union([z.iso.date(), z.iso.datetime({ offset: true })]).optional(),
  })
  .refine(
    ({ domain, mailbox, connector, address }) =>
      domain !== undefined || mailbox !== undefined || connector !== undefined || address !== undefined,
    'needs domain, mailbox, connector or address',
  );

/** Reads the allow-list at a path. Throws a RelaywatchError (exit 2) where an entry is none. */
export async function readAllowList(path: string, readFile: ReadFile, nowMs: number): Promise<AllowFile> {
  const bytes = path === '' || path === '-' ? null : await readFile(path, '--allow');
  if (bytes === null)
    throw refusal(path === '' || path === '-' ? '--allow needs a file' : `--allow ${path} does not exist`);
  let value: unknown;
  try {
    value = parse(new TextDecoder().decode(bytes), { maxAliasCount: 0, schema: 'core' });
  } catch (error) {
    throw refusal(`--allow ${path} is no YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  const parsed = z
    .array(ENTRY)
    .max(MAX_ENTRIES)
    .safeParse(value ?? []);
  if (!parsed.success) {
    const [{ path: at, message }] = parsed.error.issues;
    const [index, ...field] = at;
    const where =
      index === undefined ? '' : `, entry ${Number(index) + 1}${field.length === 0 ? '' : `, ${field.join('.')}`}`;
    throw refusal(`--allow ${path}${where}: ${message}`);
  }
  const warnings: string[] = [];
  const entries = parsed.data.map((entry, index): AllowEntry => {
    const expiresMs = entry.expires === undefined ? null : Date.parse(entry.expires);
    const name = `entry ${index + 1} of the allow-list (${nameOf(entry)}, ${entry.owner})`;
    if (expiresMs !== null && expiresMs <= nowMs) {
      warnings.push(`${name} has expired on ${entry.expires}: rows from then on count; ask the owner, or take it out`);
    } else if (expiresMs !== null && expiresMs <= nowMs + WEEKS_WARNED_MS) {
      warnings.push(`${name} expires on ${entry.expires}`);
    }
    const { domain = null, mailbox = null, connector = null, address = null, owner, reason } = entry;
    return { domain, mailbox, connector, address, owner, reason, expiresMs };
  });
  return { entries, warnings };
}

/** What an entry matches, for people. */
export function nameOf(
  entry: Partial<Record<'domain' | 'mailbox' | 'connector' | 'address', string | null | undefined>>,
): string {
  return [entry.domain, entry.mailbox, entry.connector, entry.address].filter((part) => part != null).join(' + ');
}

function domainOf(name: string, context: z.RefinementCtx): string {
  const ascii = domainToASCII(name.toLowerCase().replace(/\.$/, ''));
  if (ascii === '' || ascii.includes('*')) context.addIssue({ code: 'custom', message: `"${name}" is no domain` });
  return ascii;
}

function mailboxOf(address: string, context: z.RefinementCtx): string {
  const at = address.lastIndexOf('@');
  const domain = at < 1 ? '' : domainToASCII(address.slice(at + 1).toLowerCase());
  if (domain === '') context.addIssue({ code: 'custom', message: `"${address}" is no mail address` });
  return `${address.slice(0, at).toLowerCase()}@${domain}`;
}

function isNetwork(address: string): boolean {
  return address.includes('/') ? ipaddr.isValidCIDR(address) : ipaddr.isValid(address);
}

function refusal(message: string): RelaywatchError {
  return new RelaywatchError({
    code: 'wrong_allow_list',
    message,
    hint: `An entry for each kind of mail:\n${EXAMPLE.replace(/^/gm, '  ')}`,
    exitCode: 2,
  });
}

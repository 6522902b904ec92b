/** Commands of a runbook with the values of an incident put in, so that they can be pasted as they are. */

import type { IncidentDocument } from '../core/incident-document.ts';
import type { Placeholder } from '../core/runbook.ts';
import { hasInvisible } from './text.ts';

/** No name or address of Exchange is longer (an address has 320 characters at most, RFC 5321). */
const MAX_VALUE_LENGTH = 320;
/** PowerShell takes all of these for a single quote (about_Quoting_Rules, "smart quotes"). */
const SINGLE_QUOTES = /['\u2018\u2019\u201a\u201b]/g;
/** The most one query of Get-MessageTraceV2 covers. */
const MAX_TRACE_RANGE_MS = 10 * 86_400_000;
const WEEK_MS = 7 * 86_400_000;
const MINUTE_MS = 60_000;

/**
 * A value as a PowerShell literal in single quotes, in which nothing is expanded and no command can hide.
 * Null where the value holds characters that cannot be seen: a person could not check what would be pasted.
 */
export function powerShellLiteral(value: string): string | null {
  if (value === '' || value.length > MAX_VALUE_LENGTH || hasInvisible(value)) return null;
  return `'${value.replace(SINGLE_QUOTES, '$&$&')}'`;
}

/** Literals for the placeholders of a runbook; a placeholder without a usable value is missing. */
export type CommandValues = Partial<Record<Placeholder, string>>;

export function commandValues(incident: IncidentDocument): CommandValues {
  const { contributors, evidence } = incident.relaywatch.incident;
  const startMs = Math.floor(Date.parse(incident.event.start) / MINUTE_MS) * MINUTE_MS;
  const endMs = Math.ceil((Date.parse(incident.event.end) + 1) / MINUTE_MS) * MINUTE_MS;
  const source = contributors.sources[0]?.key;
  const texts: Partial<Record<Placeholder, string | undefined>> = {
    connector: contributors.connectors[0]?.key,
    // A network (2001:db8::/64) is no value for FromIP.
    source: source?.includes('/') ? undefined : source,
    domain: contributors.domains[0]?.key,
    mailbox: contributors.mailboxes[0]?.key,
    trace: evidence[0] === undefined ? undefined : guid(evidence[0].message_trace_id),
    recipient: evidence[0]?.recipient,
    week_before: instant(startMs - WEEK_MS),
    from: instant(startMs),
    to: instant(Math.min(endMs, startMs + MAX_TRACE_RANGE_MS)),
  };
  const values: CommandValues = {};
  for (const [name, text] of Object.entries(texts)) {
    const literal = text === undefined ? null : powerShellLiteral(text);
    if (literal !== null) values[name as Placeholder] = literal;
  }
  return values;
}

/** A command with its placeholders replaced; null where one has no value. */
export function fillCommand(template: string, values: CommandValues): string | null {
  let complete = true;
  const filled = template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name as Placeholder];
    if (value === undefined) complete = false;
    return value ?? '';
  });
  return complete ? filled : null;
}

/** `2026-09-05T18:02:00Z`: PowerShell reads the zone, so the query means the same on every machine. */
function instant(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z');
}

/** A message trace id with its dashes; undefined where the format had none and a hash stands for it. */
function guid(messageTraceId: string): string | undefined {
  const parts = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(messageTraceId);
  return parts === null ? undefined : parts.slice(1).join('-');
}

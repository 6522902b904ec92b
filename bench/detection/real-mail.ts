/** Real mail traces as backgrounds: from a random day on, with random mailboxes that forward. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultTracesFolder, TRACES, type TraceName } from '../traces/trace.ts';
import { traceTraffic } from '../traces/trace-traffic.ts';
import { DAY_MS, type Traffic, type TrafficMessage } from '../traffic/message.ts';
import { Random } from '../traffic/random.ts';
import type { Background } from '../traffic/world.ts';
import type { BackgroundKind } from './backgrounds.ts';

/** Mailboxes of a trace and where they forward to, read off its messages. */
function mailboxesOf(traffic: Traffic): Background['mailboxes'] {
  const domain = `@${traffic.acceptedDomains[0]}`;
  const forwardsTo = new Map<string, Set<string>>();
  for (const message of traffic.messages) {
    if (message.sender.endsWith(domain)) forwardsTo.set(message.sender, forwardsTo.get(message.sender) ?? new Set());
    for (const { address } of message.recipients) {
      const local = address.slice(0, address.lastIndexOf('@'));
      if (address.endsWith(domain)) forwardsTo.set(address, forwardsTo.get(address) ?? new Set());
      else if (address.endsWith('@freemail.example.com')) {
        const mailbox = `${local}${domain}`;
        forwardsTo.set(mailbox, (forwardsTo.get(mailbox) ?? new Set()).add(address));
      }
    }
  }
  return [...forwardsTo].map(([address, targets]) => ({ address, forwardsTo: [...targets] }));
}

function* byDay(messages: readonly TrafficMessage[], startMs: number, days: number): Generator<TrafficMessage[]> {
  let next = 0;
  while (next < messages.length && messages[next].timeMs < startMs) next++;
  for (let day = 0; day < days; day++) {
    const endMs = startMs + (day + 1) * DAY_MS;
    const first = next;
    while (next < messages.length && messages[next].timeMs < endMs) next++;
    yield messages.slice(first, next);
  }
}

const TRACE_TEXTS = new Map<string, string | null>();

function traceText(file: string): string | null {
  let text = TRACE_TEXTS.get(file);
  if (text === undefined) {
    const path = join(defaultTracesFolder(), file);
    text = existsSync(path) ? readFileSync(path, 'utf8') : null;
    if (text === null) process.stderr.write(`skipped: ${path} is missing\n`);
    TRACE_TEXTS.set(file, text);
  }
  return text;
}

/** Real mail from a random day of the trace on; each seed has other forwarding mailboxes, 3 to 24. */
export function real(name: TraceName, id: string, wayInVisible: boolean, quickGroups: number): BackgroundKind {
  const trace = TRACES.find((one) => one.name === name) as (typeof TRACES)[number];
  const kind: BackgroundKind = {
    id: wayInVisible ? id : `${id}-hidden`,
    title: `real mail (${name})${wayInVisible ? '' : ', the way in of forwards not in the export'}`,
    pool: 'real',
    days: 0,
    trialsEach: 4,
    quickGroups,
    quietAs: wayInVisible ? 'real mail' : 'real mail, way in hidden',
    stationary: true,
    open: (seed) => {
      const text = traceText(trace.file);
      if (text === null) return null;
      const random = new Random(`real/${kind.id}/${seed}`);
      const traffic = traceTraffic(text, name, { seed, wayInVisible });
      // The first half year of the Enron trace has next to no mail.
      const firstDay = random.integer(name === 'enron' ? 180 : 0, Math.floor(traffic.days / 3));
      const startMs = traffic.startMs + firstDay * DAY_MS;
      const days = traffic.days - firstDay;
      const unusedDomain = `${name}-group.example`;
      return {
        kind,
        seed: `${kind.id}/${seed}`,
        tenant: traffic.tenant,
        acceptedDomains: [...traffic.acceptedDomains, unusedDomain],
        unusedDomain,
        startMs,
        firstMs: startMs,
        days,
        mailboxes: mailboxesOf(traffic),
        hybrid: [],
        stream: byDay(traffic.messages, startMs, days),
      };
    },
  };
  return kind;
}

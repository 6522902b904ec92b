/**
 * Turns a public mail trace into a tenant's traffic, with the rhythm and the bursts of real people.
 *
 * Nodes become mailboxes of one accepted domain; a share of them is modelled as outside people, so
 * that mail leaves and arrives. Some mailboxes forward: all mail into them comes from outside and
 * leaves again with its foreign P1 domain. The rows move by whole weeks into recent years, which
 * keeps the weekdays and the hours (rows before 2000 would be refused as wrong dates).
 */

import { sortByTime, type Traffic, type TrafficMessage, type TrafficRecipient } from '../traffic/message.ts';
import { externalDomain, externalIp } from '../traffic/names.ts';
import { Random } from '../traffic/random.ts';
import { parseTrace, type TraceName } from './trace.ts';

export interface TraceTrafficOptions {
  seed: string;
  /** Mailboxes that forward; drawn from 3 to 24 by default. */
  forwardingMailboxes?: number;
  /** Whether the rows by which forwarded mail arrived are in the exports; true by default. */
  wayInVisible?: boolean;
  /** Share of the nodes that are outside people; 0.3 by default. */
  outsideShare?: number;
  /** The shifted trace ends in the week before this time; 2026-07-01 by default. */
  endBeforeMs?: number;
}

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;

export function traceTraffic(text: string, name: TraceName, options: TraceTrafficOptions): Traffic {
  const edges = parseTrace(text, name);
  const random = new Random(`trace/${name}/${options.seed}`);
  const nodes = [...new Set(edges.flatMap((edge) => [edge.from, edge.to]))].sort((a, b) => a - b);
  const forwarding = new Set(random.sample(nodes, options.forwardingMailboxes ?? random.integer(3, 24)));
  const others = nodes.filter((node) => !forwarding.has(node));
  const outside = new Set(random.sample(others, Math.round((options.outsideShare ?? 0.3) * others.length)));
  const domain = `${name}.example`;
  const endMs = options.endBeforeMs ?? Date.UTC(2026, 6, 1);
  const lastMs = edges[edges.length - 1].timeMs;
  const shiftMs = Math.floor((endMs - 1 - lastMs) / WEEK_MS) * WEEK_MS;
  // Outside people come in companies of about three.
  const companyOf = (node: number): number => node % Math.max(1, Math.ceil(nodes.length / 3));
  const insideAddress = (node: number): string => `person${node}@${domain}`;
  const outsideAddress = (node: number): string => `person${node}@${externalDomain(companyOf(node))}`;

  // Rows of one sender and second are one message, unless they repeat a recipient.
  const bySender = new Map<string, TrafficMessage>();
  const messages: TrafficMessage[] = [];
  const repeats = new Map<string, number>();
  const add = (key: string, make: () => TrafficMessage, recipient: TrafficRecipient): TrafficMessage => {
    let message = bySender.get(key);
    if (message === undefined) {
      message = make();
      bySender.set(key, message);
      messages.push(message);
    }
    message.recipients.push(recipient);
    return message;
  };
  for (const edge of edges) {
    const timeMs = edge.timeMs + shiftMs;
    const row = `${edge.from}/${edge.to}/${timeMs}`;
    const repeat = repeats.get(row) ?? 0;
    repeats.set(row, repeat + 1);
    const fromOutside = outside.has(edge.from) || forwarding.has(edge.to);
    const toOutside = !fromOutside && outside.has(edge.to);
    const sender = fromOutside ? outsideAddress(edge.from) : insideAddress(edge.from);
    const company = companyOf(toOutside ? edge.to : edge.from);
    const make = (): TrafficMessage => ({
      traceId: random.guid(),
      messageId: `<${random.word().toString(36)}.${timeMs}@${sender.slice(sender.lastIndexOf('@') + 1)}>`,
      timeMs,
      sender,
      recipients: [],
      subject: `Message of person ${edge.from}`,
      sizeBytes: 4000 + (random.word() % 60_000),
      fromIp: fromOutside ? externalIp(company) : '',
      connector: '',
      direction: fromOutside ? 'inbound' : 'originating',
    });
    const recipient: TrafficRecipient = toOutside
      ? { address: outsideAddress(edge.to), status: 'Delivered', toIp: externalIp(company) }
      : { address: insideAddress(edge.to), status: 'Delivered', toIp: '' };
    const hidden = forwarding.has(edge.to) && options.wayInVisible === false;
    const original = hidden ? make() : add(`${edge.from}/${timeMs}/${repeat}/${fromOutside}`, make, recipient);
    if (forwarding.has(edge.to)) {
      messages.push({
        ...original,
        traceId: random.guid(),
        timeMs: timeMs + random.integer(300, 9000),
        recipients: [{ address: `person${edge.to}@freemail.example.com`, status: 'Delivered', toIp: externalIp(900) }],
        direction: 'originating',
      });
    }
  }
  sortByTime(messages);
  const startMs = Math.floor((edges[0].timeMs + shiftMs) / DAY_MS) * DAY_MS;
  const days = Math.floor((messages[messages.length - 1].timeMs - startMs) / DAY_MS) + 1;
  return { seed: options.seed, tenant: name, acceptedDomains: [domain], startMs, days, messages, attacks: [] };
}

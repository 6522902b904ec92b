/**
 * The same traffic in every format gives the same pairs, field by field as far as the format can tell it, and the
 * same incidents. `RELAYWATCH_SEED=N` repeats a run.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../bench/traffic/random.ts';
import { traceFormats } from '../../src/config/registry.ts';
import { PairCollector } from '../../src/core/collect.ts';
import { ChosenTexts, ObservationCounts } from '../../src/core/identity.ts';
import { RECORD_DOUBLES, RECORD_WORDS } from '../../src/core/record.ts';
import { prepareInputs, readInputs } from '../../src/runtime/inputs.ts';
import { scan } from '../../src/runtime/scan.ts';
import { describePair, inputOptions, NOW_MS } from './golden.ts';
import { formatWriters } from './writers/all.ts';
import type { FormatWriter, WrittenField, WrittenMessage } from './writers/message.ts';
import { type WrittenTraffic, without, writtenTraffic } from './writers/traffic.ts';

const SEED = process.env.RELAYWATCH_SEED ?? String(Math.floor(Math.random() * 2 ** 31));

let folder: string;
let traffic: WrittenTraffic;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-same-traffic-'));
  traffic = writtenTraffic(SEED);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Writes the traffic, without what the writer cannot tell, into a folder of its own. */
function writeTraffic(writer: FormatWriter, messages: readonly WrittenMessage[], name?: string): string {
  const place = path.join(folder, (name ?? `${writer.format} ${writer.form}`).replace(/[^\w -]/g, ''));
  mkdirSync(place, { recursive: true });
  for (const { name, content } of writer.write(messages, new Random(`${SEED}/${writer.format}/${writer.form}`))) {
    writeFileSync(path.join(place, name), content);
  }
  return place;
}

/** What the messages are, said as a merged pair is described. */
function expectedPairs(messages: readonly WrittenMessage[]): object[] {
  return messages.flatMap((message) => {
    const sender = message.sender === '<>' ? '' : message.sender.toLowerCase();
    const domain = (address: string) => address.slice(address.lastIndexOf('@') + 1).toLowerCase();
    return message.recipients.map(({ address, status, toIp, reply }) => ({
      at: new Date(message.timeMs).toISOString(),
      message_trace_id: message.traceId.replaceAll('-', '').toLowerCase(),
      message_id: message.messageId.replace(/^<|>$/g, ''),
      sender,
      recipient: address.toLowerCase(),
      status: status.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase(),
      direction: message.direction === 'inbound' ? 'inbound' : 'outbound',
      source: message.fromIp,
      connector: message.connector,
      sent_on: status === 'Delivered' && toIp !== '',
      header_sender_differs: sender !== '' && domain(sender) !== domain(message.headerSender),
      refusal: reply?.refusal ?? 'none',
      subject: message.subject,
    }));
  });
}

/** Fields of a described pair that a format may lack; the others are in every format. */
const FIELDS: readonly [WrittenField, string][] = [
  ['message_trace_id', 'message_trace_id'],
  ['message_id', 'message_id'],
  ['subject', 'subject'],
  ['source', 'source'],
  ['connector', 'connector'],
  ['direction', 'direction'],
  ['sent_on', 'sent_on'],
  ['header_sender', 'header_sender_differs'],
  ['refusal', 'refusal'],
];
const EVERYWHERE = ['at', 'sender', 'recipient', 'status'];

/** Where a message went is a fact of those that were delivered. */
function sentOn({ sent_on, status }: { sent_on?: unknown; status?: unknown }): boolean {
  return sent_on === true && status === 'delivered';
}

/** One line for each pair, with the fields that the format tells, in an order of their own. */
function lines(pairs: readonly object[], lacks: readonly WrittenField[]): string[] {
  const fields = [...EVERYWHERE, ...FIELDS.filter(([field]) => !lacks.includes(field)).map(([, name]) => name)];
  return pairs
    .map((pair): Record<string, unknown> => ({ ...pair, sent_on: sentOn(pair) }))
    .map((pair) => JSON.stringify(fields.map((name) => pair[name])))
    .sort();
}

async function mergedPairs(place: string): Promise<{ pairs: object[]; lost: number }> {
  const inputs = await prepareInputs(inputOptions([place]));
  try {
    const chosen = new ChosenTexts();
    const collector = new PairCollector({
      counts: new ObservationCounts(),
      chosen,
      ids: {
        source: (id) => inputs.dictionaries.sources.text(id),
        connector: (id) => inputs.dictionaries.connectors.text(id),
      },
      texts: inputs.textSource,
      memoryBytes: 1 << 28,
      spill: { append: () => {}, read: () => new Uint32Array(0), remove: () => {} },
    });
    await readInputs(inputs, collector);
    collector.merge(() => {});
    const pairs: object[] = [];
    collector.visitBlocks(({ words, doubles, count }) => {
      for (let index = 0; index < count; index++) {
        const one = words.subarray(index * RECORD_WORDS, (index + 1) * RECORD_WORDS);
        const described = describePair(inputs, one, doubles[index * RECORD_DOUBLES]);
        const { messageId, ...texts } = chosen.get(ChosenTexts.key(one, 0)) ?? {};
        pairs.push({
          refusal: 'none',
          header_sender_differs: false,
          ...described,
          ...texts,
          ...(messageId === undefined ? {} : { message_id: messageId }),
        });
      }
    });
    const lost = inputs.ledgerFiles.reduce(
      (sum, { rows }) => sum + Object.values(rows.dead_lettered).reduce((all, count) => all + count, 0),
      0,
    );
    return { pairs, lost };
  } finally {
    await inputs.dispose();
  }
}

/** What makes no incident: two formats that lack nothing else tell the same. */
const NO_INCIDENT: readonly WrittenField[] = ['direction', 'sent_on', 'verdicts'];

/** The traffic that incidents are compared on: without verdicts, which few formats have. */
function comparable(writer: FormatWriter): WrittenMessage[] {
  return without(traffic.messages, [...writer.lacks, 'verdicts']);
}

/** Incidents without what a format cannot tell of the rows that they show. */
async function incidentsOf(
  place: string,
  accepted: readonly string[],
  lacks: readonly WrittenField[],
): Promise<object[]> {
  const { incidents } = await scan({
    paths: [place],
    tenant: {
      key: 'contoso',
      acceptedDomains: accepted.map((name) => ({ name, matchSubDomains: false })),
      licenses: 100,
      timeZone: 'UTC',
    },
    range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs: NOW_MS },
    format: null,
    dateOrder: null,
    reader: 'js',
    evidenceRows: 10,
    memoryMiB: 512,
  });
  return incidents.map((incident) => {
    const { organization: _, ...shown } = structuredClone(incident) as unknown as Record<string, unknown>;
    const text = JSON.stringify(shown);
    return JSON.parse(
      lacks.includes('message_trace_id') ? text.replace(/"message_trace_id":"\w*"/g, '"message_trace_id":""') : text,
    );
  });
}

/** Incidents that another writer of formats lacking the same gives, by what they lack. */
const references = new Map<string, Promise<object[]>>();

function referenceIncidents(writer: FormatWriter): Promise<object[]> {
  const lacks = writer.lacks.filter((field) => !NO_INCIDENT.includes(field)).sort();
  const key = lacks.join();
  let reference = references.get(key);
  if (reference === undefined) {
    // Messages without an id of their own are told by what all writers of such formats have.
    const other = lacks.includes('message_trace_id')
      ? formatWriters.find((some) => some !== writer && some.lacks.includes('message_trace_id'))
      : formatWriters.find(({ format }) => format === 'extended-report');
    if (other === undefined) throw new Error('no other writer without ids of messages');
    const place = writeTraffic(other, comparable(writer), `reference ${key}`);
    reference = incidentsOf(place, traffic.acceptedDomains, lacks);
    references.set(key, reference);
  }
  return reference;
}

describe(`traffic of seed ${SEED}`, () => {
  it.each(formatWriters.map((writer) => [`${writer.format}, ${writer.form}`, writer] as const))(
    'raises the same incidents from %s',
    async (_, writer) => {
      const place = writeTraffic(writer, comparable(writer), `incidents ${writer.format} ${writer.form}`);
      const incidents = await incidentsOf(place, traffic.acceptedDomains, writer.lacks);
      expect(incidents.length).toBeGreaterThan(0);
      expect(incidents).toEqual(await referenceIncidents(writer));
    },
  );

  it.each(formatWriters.map((writer) => [`${writer.format}, ${writer.form}`, writer] as const))(
    'is read from %s',
    async (_, writer) => {
      const messages = without(traffic.messages, writer.lacks);
      const { pairs, lost } = await mergedPairs(writeTraffic(writer, messages));
      expect(lost).toBe(0);
      const expected = lines(expectedPairs(messages), writer.lacks);
      expect(lines(pairs, writer.lacks)).toEqual(expected);
    },
  );

  it('has a writer for every format', () => {
    const written = new Set(formatWriters.map(({ format }) => format));
    expect(written).toEqual(new Set(traceFormats.map(({ id }) => id)));
  });
});

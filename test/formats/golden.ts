/**
 * Golden files: `case.csv` beside `case.csv.expected.ndjson`, which holds every pair that the export
 * gives, the warnings, and its line of the ledger, in the reading order. Reviewed as a diff; written
 * anew with `UPDATE_FIXTURES=1`.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { FileLedger } from '../../src/core/ledger.ts';
import type { PairSink } from '../../src/core/ports.ts';
import {
  CONNECTOR,
  CONNECTOR_ID_MASK,
  DIRECTION_SHIFT,
  EVENT_ROW,
  FLAGS,
  fileOf,
  HAS_IP_COLUMNS,
  HEADER_SENDER_DIFFERS,
  offsetOf,
  RECIPIENT_DOMAIN,
  RECIPIENT_FOR_BOUNCES,
  RECIPIENT_HI,
  RECIPIENT_LO,
  REFUSAL_MASK,
  REFUSAL_SHIFT,
  SENDER_DOMAIN,
  SENDER_KIND_SHIFT,
  SENT_ON,
  SOURCE,
  STATUS_MASK,
  STATUSES,
} from '../../src/core/record.ts';
import { type InputOptions, type PreparedInputs, prepareInputs, readInputs } from '../../src/runtime/inputs.ts';

export const FIXTURES = join(import.meta.dirname, '../fixtures');
/** The present of all tests. */
export const NOW_MS = Date.UTC(2026, 11, 1);

const DIRECTIONS = ['none', 'inbound', 'outbound'];
const REFUSALS = ['none', 'deferred', 'elsewhere', 'address_blocked', 'threshold_exceeded', 'unregistered_blocked'];
const SENDER_KINDS = ['address', 'null', 'system', 'srs'];

/** Exports in a folder of fixtures. */
export function fixturesIn(folder: string): string[] {
  return readdirSync(join(FIXTURES, folder))
    .filter((name) => !name.endsWith('.expected.ndjson') && !name.startsWith('.'))
    .sort()
    .map((name) => `${folder}/${name}`);
}

export function inputOptions(paths: string[], changes: Partial<InputOptions> = {}): InputOptions {
  return {
    paths,
    format: null,
    dateOrder: null,
    reader: 'js',
    tenantKey: 'contoso',
    sinceMs: null,
    untilMs: null,
    nowMs: NOW_MS,
    ...changes,
  };
}

export interface InputReading {
  /** A line of JSON for each pair, in reading order. */
  pairs: string[];
  ledger: FileLedger[];
  warnings: string[];
  deadLetters: { file: number; code: string; reason: string; line: number; offset: number; length: number }[];
  organizations: PreparedInputs['organizations'];
}

/** Reads inputs to the end, with every text of every pair. */
export async function readAll(options: InputOptions, more?: PairSink): Promise<InputReading> {
  const inputs = await prepareInputs(options);
  try {
    const pairs: string[] = [];
    const deadLetters: InputReading['deadLetters'] = [];
    const sink: PairSink = {
      add(observation) {
        more?.add(observation);
        pairs.push(JSON.stringify(describePair(inputs, observation.words, observation.doubles[0])));
      },
    };
    await readInputs(inputs, sink, undefined, {
      onDeadLetter: (file, letter) => deadLetters.push({ file, ...letter }),
    });
    const { ledgerFiles: ledger, warnings, organizations } = inputs;
    return { pairs, ledger, warnings, deadLetters, organizations };
  } finally {
    await inputs.dispose();
  }
}

/** A pair for people, its texts read again from the export. Traits stand there where the pair has them. */
export function describePair(inputs: PreparedInputs, words: Uint32Array, eventMs: number): Record<string, unknown> {
  const { domains, sources, connectors } = inputs.dictionaries;
  const flags = words[FLAGS];
  const text = inputs.textSource.read(fileOf(words, 0), offsetOf(words, 0), words[RECIPIENT_LO], words[RECIPIENT_HI]);
  return {
    at: new Date(eventMs).toISOString(),
    message_trace_id: text.messageTraceId,
    message_id: text.messageId,
    sender: text.sender,
    sender_kind: SENDER_KINDS[(flags >>> SENDER_KIND_SHIFT) & 3],
    sender_domain: domains.text(words[SENDER_DOMAIN]),
    recipient: text.recipient,
    recipient_domain: domains.text(words[RECIPIENT_DOMAIN]),
    status: STATUSES[flags & STATUS_MASK],
    direction: DIRECTIONS[(flags >>> DIRECTION_SHIFT) & 3],
    source: sources.text(words[SOURCE]),
    connector: connectors.text(words[CONNECTOR] & CONNECTOR_ID_MASK),
    ip_columns: (flags & HAS_IP_COLUMNS) !== 0,
    sent_on: (flags & SENT_ON) !== 0,
    ...describeTraits(words[CONNECTOR]),
    subject: text.subject,
    offset: text.offset,
    length: text.length,
  };
}

function describeTraits(word: number): Record<string, unknown> {
  const refusal = REFUSALS[(word >>> REFUSAL_SHIFT) & REFUSAL_MASK];
  return {
    ...(refusal === 'none' ? {} : { refusal }),
    ...((word & HEADER_SENDER_DIFFERS) === 0 ? {} : { header_sender_differs: true }),
    ...((word & EVENT_ROW) === 0 ? {} : { event_row: true }),
    ...((word & RECIPIENT_FOR_BOUNCES) === 0 ? {} : { for_bounces: true }),
  };
}

/** The equation of the ledger, with the observations handed out in the place of what the store makes of them. */
export function expectBalanced(line: FileLedger, observations: number): void {
  const lost = [...Object.values(line.rows.dropped), ...Object.values(line.rows.dead_lettered)];
  const sum = lost.reduce((total, count) => total + count, 0);
  expect(line.rows.read).toBe(observations + sum);
}

/** Compares what an export gives with its golden file. */
export async function expectGolden(fixture: string, changes: Partial<InputOptions> = {}): Promise<void> {
  const path = join(FIXTURES, fixture);
  const reading = await readAll(inputOptions([path], changes));
  const [line] = reading.ledger;
  const other = await readAll(inputOptions([path], { ...changes, reader: 'fast-csv' }));
  expect(other, 'fast-csv reads the same').toEqual(reading);
  expectBalanced(line, reading.pairs.length);
  const letters = reading.deadLetters.map(({ file: _, ...letter }) => JSON.stringify({ dead_letter: letter }));
  const ledger = JSON.stringify({ ledger: { ...line, path: fixture } });
  const actual = [...reading.pairs, ...letters, ledger].map((text) => `${text}\n`).join('');
  const golden = `${path}.expected.ndjson`;
  if (process.env.UPDATE_FIXTURES === '1') writeFileSync(golden, actual);
  expect(existsSync(golden), `no ${golden}: run once with UPDATE_FIXTURES=1 and review it`).toBe(true);
  expect(actual).toBe(readFileSync(golden, 'utf8'));
}

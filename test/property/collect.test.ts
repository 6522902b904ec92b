/**
 * Collecting against the definition of merging (design, section 3): whatever the order of observations and
 * wherever records are spilled, the merged pairs, their order and the counts are those of the definition.
 * `RELAYWATCH_SEED=N` repeats a run.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CollectorOptions, PairCollector } from '../../src/core/collect.ts';
import { ChosenTexts, ObservationCounts } from '../../src/core/identity.ts';
import type { SpillStore, TextSource } from '../../src/core/ports.ts';
import * as record from '../../src/core/record.ts';

const SEED = Number(process.env.RELAYWATCH_SEED ?? Math.floor(Math.random() * 2 ** 31));
const START_MS = Date.UTC(2026, 0, 5);
const MINUTE_MS = 60_000;

/** One observation of a pair; texts are indexes of `TEXTS`, 0 for an empty field. */
interface Observation {
  message: number;
  recipient: number;
  minute: number;
  status: number;
  direction: number;
  flags: number;
  sender: number;
  messageId: number;
  subject: number;
  source: number;
  connector: number;
  rank: number;
  file: number;
  /** A row of a format with a row for each event. */
  isEvent: boolean;
  refusal: number;
  traits: number;
}

/** In an order that is not theirs, as ids and hashes are in none. */
const TEXTS = ['', 'delta', 'alpha', 'charlie', 'Zulu', 'ältere'];

const text = fc.integer({ min: 0, max: TEXTS.length - 1 });
const observation: fc.Arbitrary<Observation> = fc.record({
  message: fc.integer({ min: 1, max: 6 }),
  recipient: fc.integer({ min: 1, max: 3 }),
  minute: fc.integer({ min: 0, max: 3 * 24 * 60 }),
  status: fc.integer({ min: 0, max: 7 }),
  direction: fc.integer({ min: 0, max: 2 }),
  flags: fc.constantFrom(0, record.HAS_IP_COLUMNS, record.HAS_IP_COLUMNS | record.SENT_ON),
  sender: text,
  messageId: text,
  subject: text,
  source: text,
  connector: text,
  rank: fc.integer({ min: 1, max: 3 }),
  file: fc.integer({ min: 0, max: 2 }),
  isEvent: fc.boolean(),
  refusal: fc.integer({ min: 0, max: 5 }),
  traits: fc.constantFrom(0, record.HEADER_SENDER_DIFFERS, record.RECIPIENT_FOR_BOUNCES),
});

const FIELDS = [
  ['sender', record.RANK_SENDER_SHIFT],
  ['messageId', record.RANK_MESSAGE_ID_SHIFT],
  ['subject', record.RANK_SUBJECT_SHIFT],
  ['source', record.RANK_SOURCE_SHIFT],
  ['connector', record.RANK_CONNECTOR_SHIFT],
] as const;

function write(scratch: record.RecordScratch, one: Observation, offset: number): void {
  const { words, doubles } = scratch;
  words.fill(0);
  doubles[0] = START_MS + one.minute * MINUTE_MS;
  // Some share their low words, all that the table looks at first.
  words[record.MESSAGE_LO] = one.message % 2;
  words[record.MESSAGE_HI] = one.message;
  words[record.RECIPIENT_LO] = 7;
  words[record.RECIPIENT_HI] = 4_294_967_295 - one.recipient;
  words[record.SENDER_LO] = one.sender;
  words[record.SENDER_DOMAIN] = one.sender;
  words[record.MESSAGE_ID_LO] = one.messageId;
  words[record.SUBJECT] = one.subject;
  words[record.SOURCE] = one.source;
  words[record.CONNECTOR] = one.connector | (one.refusal << record.REFUSAL_SHIFT) | one.traits;
  let flags = one.flags | one.status;
  if (one.isEvent) words[record.CONNECTOR] |= record.EVENT_ROW | (one.status << record.EVENT_STATUS_SHIFT);
  else flags |= 1 << (record.STATUSES_SEEN_SHIFT + one.status);
  flags |= one.direction << record.DIRECTION_SHIFT;
  flags |= (one.sender === 0 ? record.SENDER_NULL : record.SENDER_ADDRESS) << record.SENDER_KIND_SHIFT;
  for (const [field, shift] of FIELDS) if (one[field] !== 0) flags |= one.rank << shift;
  words[record.FLAGS] = flags;
  record.writePosition(words, 0, one.file, offset);
}

/** What is known of a pair in the end, for comparison. */
interface MergedPair {
  timeMs: number;
  message: number;
  recipient: number;
  status: string;
  /** A bit for each status of an observation; event rows are one. */
  statuses: number;
  traits: number;
  refusal: number;
  direction: number;
  flags: number;
  fields: Record<string, string>;
}

/** The statuses of the observations of a pair: all its event rows are one, with the highest of theirs. */
function statusBits(all: readonly Observation[]): number {
  const events = all.filter(({ isEvent }) => isEvent).map(({ status }) => status);
  const statuses = all.filter(({ isEvent }) => !isEvent).map(({ status }) => status);
  if (events.length > 0) statuses.push(Math.max(...events));
  return statuses.reduce((bits, status) => bits | (1 << status), 0);
}

/** Event rows beyond the first of their pair. */
function foldedRows(all: readonly Observation[]): number {
  const events = all.filter(({ isEvent }) => isEvent);
  return events.length - new Set(events.map((one) => `${one.message}/${one.recipient}`)).size;
}

/** The definition, written down plainly. */
function mergedByDefinition(observations: readonly Observation[]): MergedPair[] {
  const pairs = new Map<string, Observation[]>();
  for (const one of observations) {
    const key = `${one.message}/${one.recipient}`;
    pairs.set(key, [...(pairs.get(key) ?? []), one]);
  }
  return [...pairs.values()].map((all) => ({
    timeMs: START_MS + Math.min(...all.map((one) => one.minute)) * MINUTE_MS,
    message: all[0].message,
    recipient: all[0].recipient,
    status: record.STATUSES[Math.max(...all.map((one) => one.status))],
    statuses: statusBits(all),
    traits: all.reduce((bits, one) => bits | one.traits | (one.isEvent ? record.EVENT_ROW : 0), 0),
    refusal: Math.max(...all.map((one) => one.refusal)),
    direction: Math.min(...all.map((one) => one.direction || 3)) % 3,
    flags: all.reduce((bits, one) => bits | one.flags, 0),
    fields: Object.fromEntries(
      FIELDS.map(([field]) => {
        const told = all.filter((one) => one[field] !== 0);
        const best = told.filter((one) => one.rank === Math.min(...told.map((other) => other.rank)));
        const texts = best.map((one) => TEXTS[one[field]]).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        return [field, texts[0] ?? ''];
      }),
    ),
  }));
}

class MemorySpill implements SpillStore {
  appended = 0;
  readonly runs = new Map<string, Uint32Array[]>();
  append(run: string, records: Uint32Array): void {
    this.appended++;
    this.runs.set(run, [...(this.runs.get(run) ?? []), records.slice()]);
  }
  read(run: string): Uint32Array {
    const parts = this.runs.get(run) ?? [];
    const all = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
  remove(run: string): void {
    this.runs.delete(run);
  }
}

function collect(observations: readonly Observation[], memoryBytes: number) {
  const counts = new ObservationCounts();
  const chosen = new ChosenTexts();
  const spill = new MemorySpill();
  const texts: TextSource = {
    read: (file, offset) => {
      const one = observations[offset];
      return {
        messageTraceId: String(one.message),
        recipient: String(one.recipient),
        sender: TEXTS[one.sender],
        messageId: TEXTS[one.messageId],
        subject: TEXTS[one.subject],
        file,
        offset,
        length: 1,
      };
    },
  };
  const ids = { source: (id: number) => TEXTS[id], connector: (id: number) => TEXTS[id] };
  const options: CollectorOptions = { counts, chosen, ids, texts, memoryBytes, spill };
  const collector = new PairCollector(options);
  const scratch = record.createRecordScratch();
  observations.forEach((one, index) => {
    write(scratch, one, index);
    collector.add(scratch);
  });
  let visited = 0;
  collector.merge(() => visited++);
  const merged: MergedPair[] = [];
  collector.visitBlocks(({ words, doubles, count }) => {
    for (let index = 0; index < count; index++) {
      const base = index * record.RECORD_WORDS;
      merged.push(mergedPair(words, doubles[index * record.RECORD_DOUBLES], base, texts, chosen));
    }
  });
  return { merged, visited, spilled: spill.appended > 0, left: spill.runs.size, counts: totals(counts) };
}

function mergedPair(
  words: Uint32Array,
  timeMs: number,
  base: number,
  texts: TextSource,
  chosen: ChosenTexts,
): MergedPair {
  const flags = words[base + record.FLAGS];
  const shown = {
    ...texts.read(
      record.fileOf(words, base),
      record.offsetOf(words, base),
      words[base + record.RECIPIENT_LO],
      words[base + record.RECIPIENT_HI],
    ),
    ...chosen.get(ChosenTexts.key(words, base)),
  };
  const hashed = { sender: record.SENDER_LO, messageId: record.MESSAGE_ID_LO, subject: record.SUBJECT };
  for (const [field, word] of Object.entries(hashed)) {
    // What is compared and what is shown must be the same.
    expect(TEXTS[words[base + word]]).toBe(shown[field as keyof typeof hashed]);
  }
  expect(words[base + record.SENDER_DOMAIN]).toBe(words[base + record.SENDER_LO]);
  expect((flags >>> record.SENDER_KIND_SHIFT) & 3).toBe(
    shown.sender === '' ? record.SENDER_NULL : record.SENDER_ADDRESS,
  );
  return {
    timeMs,
    message: words[base + record.MESSAGE_HI],
    recipient: 4_294_967_295 - words[base + record.RECIPIENT_HI],
    status: record.STATUSES[flags & record.STATUS_MASK],
    statuses: record.observedStatuses(flags, words[base + record.CONNECTOR]),
    traits:
      words[base + record.CONNECTOR] & (record.HEADER_SENDER_DIFFERS | record.RECIPIENT_FOR_BOUNCES | record.EVENT_ROW),
    refusal: (words[base + record.CONNECTOR] >>> record.REFUSAL_SHIFT) & record.REFUSAL_MASK,
    direction: (flags >>> record.DIRECTION_SHIFT) & 3,
    flags: flags & (record.HAS_IP_COLUMNS | record.SENT_ON),
    fields: {
      sender: shown.sender,
      messageId: shown.messageId,
      subject: shown.subject,
      source: TEXTS[words[base + record.SOURCE]],
      connector: TEXTS[words[base + record.CONNECTOR] & record.CONNECTOR_ID_MASK],
    },
  };
}

function totals(counts: ObservationCounts): Record<string, number> {
  const sum = (of: number[]): number => of.reduce((total, count) => total + (count ?? 0), 0);
  for (const file of [0, 1, 2]) {
    for (const of of [counts.duplicate, counts.updated])
      expect(of[file] ?? 0, 'no count below zero').toBeGreaterThanOrEqual(0);
  }
  const { accepted, duplicate, updated, folded } = counts;
  return { accepted: sum(accepted), duplicate: sum(duplicate), updated: sum(updated), folded: sum(folded) };
}

function byTimeAndPair(a: MergedPair, b: MergedPair): number {
  return (
    a.timeMs - b.timeMs ||
    a.message - b.message ||
    // Recipients count down in their hashes.
    b.recipient - a.recipient
  );
}

/** All in memory; all spilled from the second observation on. */
const MEMORY = { plenty: 1 << 30, none: 1 };

describe(`collecting pairs (RELAYWATCH_SEED=${SEED})`, () => {
  test('merges as defined, in any order, in memory and spilled', () => {
    const observations = fc.array(observation, { minLength: 1, maxLength: 60, size: 'max' });
    fc.assert(
      fc.property(observations, fc.boolean(), (all, spills) => {
        const expected = mergedByDefinition(all).sort(byTimeAndPair);
        const { merged, visited, spilled, left, counts } = collect(all, spills ? MEMORY.none : MEMORY.plenty);
        expect(merged).toEqual(expected);
        expect([visited, spilled, left]).toEqual([expected.length, spills, 0]);
        const updated = expected.reduce((sum, pair) => sum + bits(pair.statuses) - 1, 0);
        const folded = foldedRows(all);
        expect(counts).toEqual({
          accepted: expected.length,
          updated,
          folded,
          duplicate: all.length - expected.length - updated - folded,
        });
      }),
      { numRuns: 600, seed: SEED },
    );
  }, 30_000);

  test('spills in the middle, and counts what it merged before only once', () => {
    // The table's index doubles at 3,073 pairs: the first change of the memory it uses.
    const pairs = 4_000;
    const observations = Array.from({ length: 3 * pairs }, (_, index): Observation => {
      const pair = (index * 7) % pairs;
      const round = Math.floor(index / pairs);
      const texts = { sender: 1, messageId: 1, subject: 1 + ((pair + round) % 3), source: 1, connector: 0 };
      const place = { message: pair + 1, recipient: 1, minute: (pair * 11 + round) % 4000, file: round };
      const traits = { isEvent: (pair + round) % 3 === 0, refusal: pair % 6, traits: 0 };
      return { ...place, ...texts, ...traits, status: (pair + round) % 8, direction: 2, flags: 0, rank: 1 };
    });
    const expected = mergedByDefinition(observations).sort(byTimeAndPair);
    const inMemory = collect(observations, MEMORY.plenty);
    const spilled = collect(observations, 32_768 * record.RECORD_BYTES + 4 * 4_096);
    expect([inMemory.spilled, spilled.spilled]).toEqual([false, true]);
    expect(inMemory.merged).toEqual(expected);
    expect(spilled.merged).toEqual(expected);
    expect(spilled.counts).toEqual(inMemory.counts);
    expect(spilled.counts.accepted).toBe(pairs);
  });
});

function bits(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest >>>= 1) count += rest & 1;
  return count;
}

/** Batches of kafkajs as entries of the log. */

import type kafkajs from 'kafkajs';
import { decodeEnvelope } from '../../core/envelope-codec.ts';
import type { LogEntry, LogMessage } from '../../core/envelope-log.ts';
import { RelaywatchError } from '../../core/outcome.ts';

/** The header of a message that holds the header of its envelope. */
export const ENVELOPE_HEADER = 'relaywatch-envelope';

/** Bounds of what is decoded and handed over at once: a small batch may hold a lot. */
const SLICE_ENTRIES = 500;
const SLICE_BYTES = 4_194_304;

/** A batch with the fields that kafkajs 2.2.4 has and does not declare (`consumer/batch.js`). */
export interface FetchedBatch extends kafkajs.Batch {
  /** The offset that was asked for. */
  fetchedOffset: string;
  /** All from there on: those of `messages`, control records, and those of aborted transactions. */
  messagesWithinOffset: kafkajs.KafkaMessage[];
}

/** Messages that follow each other; before them `[expected, found)` is missing, or nothing. */
export interface MessageRun {
  gap: { expected: number; found: number } | null;
  messages: kafkajs.KafkaMessage[];
}

/** The messages of a batch, with what is missing in between: only compaction or damage leaves such holes. */
export function runsOf(batch: FetchedBatch): MessageRun[] {
  const visible = new Set(batch.messages);
  let expected = Number(batch.fetchedOffset);
  let run: MessageRun = { gap: null, messages: [] };
  const runs = [run];
  for (const message of batch.messagesWithinOffset) {
    const found = Number(message.offset);
    if (found > expected) {
      run = { gap: { expected, found }, messages: [] };
      runs.push(run);
    }
    if (visible.has(message)) run.messages.push(message);
    expected = found + 1;
  }
  return runs;
}

/** The messages decoded, as many at once as memory allows; decoding goes on when the next are asked for. */
export function* slicesOf(
  messages: readonly kafkajs.KafkaMessage[],
  entryOf: EntryOf = envelopeEntryOf,
): Generator<LogEntry[]> {
  let slice: LogEntry[] = [];
  let bytes = 0;
  for (const message of messages) {
    const entry = entryOf(message);
    slice.push(entry);
    bytes += entry.bytes.length + (entry.envelope?.payload.length ?? 0);
    if (slice.length >= SLICE_ENTRIES || bytes >= SLICE_BYTES) {
      yield slice;
      slice = [];
      bytes = 0;
    }
  }
  if (slice.length > 0) yield slice;
}

/** What a message is as an entry. */
export type EntryOf = (message: kafkajs.KafkaMessage) => LogEntry;

/** Throws for an envelope of a newer schema alone: an older worker must not dispose of it. */
function envelopeEntryOf(message: kafkajs.KafkaMessage): LogEntry {
  const known = rawEntryOf(message);
  const { bytes } = known;
  const header = message.headers?.[ENVELOPE_HEADER];
  if (!(header instanceof Uint8Array)) {
    return { ...known, problem: `the entry is no envelope: it has no header ${ENVELOPE_HEADER}` };
  }
  try {
    return { ...known, envelope: decodeEnvelope(header, bytes), problem: null };
  } catch (error) {
    if (!(error instanceof RelaywatchError) || error.code === 'envelope_newer') throw error;
    return { ...known, problem: error.message };
  }
}

/** A message as it is, of a topic that holds no envelopes. */
export function rawEntryOf(message: kafkajs.KafkaMessage): LogEntry {
  return {
    offset: Number(message.offset),
    appendedMs: Number(message.timestamp),
    envelope: null,
    problem: null,
    bytes: message.value ?? new Uint8Array(0),
    message: { key: message.key, headers: headersOf(message) },
  };
}

function headersOf({ headers = {} }: kafkajs.KafkaMessage): LogMessage['headers'] {
  // The consumer of kafkajs gives buffers, in a list where a name comes twice (`protocol/recordBatch/v0/decoder.js`).
  return headers as LogMessage['headers'];
}

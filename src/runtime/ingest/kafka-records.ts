/**
 * From a topic of raw JSON records to the log of envelopes. Every message is a record, an array of records, an
 * object that wraps them (`{"records":[...]}`, as Event Hubs have them), or one record a line. Its records go on as
 * they came, one a line, in the order of the partition.
 *
 * A partition is a file that grows for ever. Offsets in it count the bytes of those lines from the message on
 * that the group read first. How many they are is kept with the committed offset of the topic, so that the same
 * message gives the same file and offset whoever reads it, and however often. Where that count is lost, or the
 * file has become very large, another file begins: its id is made of the topic, the partition, and the offset
 * and time of its first message.
 */

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ENVELOPE_BYTES,
  ENVELOPE_ROWS,
  ENVELOPE_SCHEMA,
  type Envelope,
  type EnvelopeFile,
  type EnvelopeLayout,
  type RowsHeader,
} from '../../core/envelope.ts';
import type { EnvelopeSink } from '../../core/envelope-log.ts';
import type { DateOrder } from '../../core/event-time.ts';
import type { DeadLetterCode } from '../../core/outcome.ts';
import type { DeadLetter } from '../../core/ports.ts';
import type { RecordHandler, RecordMessage, RecordPlace } from '../../core/record-log.ts';
import { canonicalColumn } from '../../formats/format.ts';
import { createJsonReader } from '../../readers/json.ts';
import { recordMembers, valueNames } from '../../readers/json-members.ts';
import { MAX_RECORD_BYTES } from '../../readers/reader.ts';
import type { RecordArchive } from './record-archive.ts';
import { layoutOfRefused, RecordLayouts } from './record-layouts.ts';

export interface RecordIngestOptions {
  topic: string;
  tenant: string;
  /** Ids of the tenant at Microsoft, lower case: records of others are refused. Empty: records of all are the tenant's. */
  tenantIds: readonly string[];
  /** For dates that a record leaves open. */
  dateOrder: DateOrder | null;
  sink: EnvelopeSink;
  /** Keeps the records for rescans. */
  archive?: Pick<RecordArchive, 'add' | 'look'>;
  /** Wall time in milliseconds. */
  now: () => number;
  /** Envelopes of a partition that is read as it grows are at least so far apart, milliseconds; 200 by default. */
  lingerMs?: number;
  observer?: RecordObserver;
}

/** What telemetry sees; numbers alone. */
export interface RecordObserver {
  /** Records that are in the log now, by format; refused ones by code; those of other tables, which are left out. */
  sent(records: ReadonlyMap<string, number>, refused: ReadonlyMap<DeadLetterCode, number>, others: number): void;
  behind(partition: number, messages: number): void;
  gap(partition: number, expected: number, found: number): void;
}

const LINGER_MS = 200;
/** Positions of rows have 44 bits; a file ends long before. */
const LARGEST_FILE_BYTES = 2 ** 43;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BLANK = 0x20;
/** Category of the records that are wanted, in streams of Defender; other tables may be in the same topic. */
const EMAIL_EVENTS = 'advancedhunting-emailevents';

/** Where a partition stands. */
interface Growth {
  /** Offset and time of the file's first message. */
  from: number;
  atMs: number;
  /** Bytes and lines of the file so far. */
  bytes: number;
  lines: number;
}

interface Owned {
  growth: Growth | null;
  isIdle: boolean;
  sentMs: number;
}

export class RecordIngest implements RecordHandler {
  readonly #options: RecordIngestOptions;
  readonly #layouts: RecordLayouts;
  readonly #partitions = new Map<number, Owned>();
  readonly #stop = new AbortController();

  constructor(options: RecordIngestOptions) {
    this.#options = options;
    this.#layouts = new RecordLayouts(options.dateOrder);
  }

  /** Ends waiting for the log, so that a stop is not held up by a server that is away. */
  abort(): void {
    this.#stop.abort();
  }

  /** All that there was in the partitions that are ours is in the log. */
  get isCaughtUp(): boolean {
    return this.#partitions.size > 0 && [...this.#partitions.values()].every(({ isIdle }) => isIdle);
  }

  async assigned(partition: number, place: RecordPlace | null): Promise<void> {
    const growth = place === null ? null : growthOf(place.note);
    this.#partitions.set(partition, { growth, isIdle: false, sentMs: 0 });
  }

  async messages(partition: number, messages: readonly RecordMessage[], end: number): Promise<RecordPlace> {
    const { now, sink, archive, observer, lingerMs = LINGER_MS } = this.#options;
    const owned = this.#partitions.get(partition) as Owned;
    owned.isIdle = false;
    const next = messages[messages.length - 1].offset + 1;
    // What comes meanwhile comes with the next call, in one envelope instead of many.
    const restMs = Math.min(lingerMs, owned.sentMs + lingerMs - now());
    if (next >= end && restMs > 0) await sleep(restMs, undefined, { signal: this.#stop.signal });
    const batch = new RecordBatch(this.#options, this.#layouts, partition, owned.growth);
    for (const message of messages) batch.take(message);
    batch.close();
    for (const { header, payload } of batch.envelopes) {
      if (header.kind !== 'rows' || header.refusal !== undefined) continue;
      await archive?.add(partition, header.layout.format, payload);
    }
    if (batch.envelopes.length > 0) await sink.send(batch.envelopes, this.#stop.signal);
    await archive?.look();
    owned.growth = batch.growth;
    owned.sentMs = now();
    observer?.sent(batch.sent, batch.refused, batch.others);
    observer?.behind(partition, Math.max(0, end - next));
    return { offset: next, note: owned.growth === null ? '' : noteOf(owned.growth) };
  }

  async gap(partition: number, expected: number, found: number): Promise<void> {
    this.#options.observer?.gap(partition, expected, found);
    const owned = this.#partitions.get(partition);
    // Another log: its messages are no part of this file.
    if (owned !== undefined && found < expected) owned.growth = null;
  }

  async idle(partition: number): Promise<void> {
    const owned = this.#partitions.get(partition);
    if (owned !== undefined) owned.isIdle = true;
    await this.#options.archive?.look();
  }

  async revoked(partition: number): Promise<void> {
    this.#partitions.delete(partition);
  }
}

const NOTE_VERSION = 1;

function noteOf({ from, atMs, bytes, lines }: Growth): string {
  return JSON.stringify([NOTE_VERSION, from, atMs, bytes, lines]);
}

/** Null for a note that is not ours, or of another version. */
function growthOf(note: string): Growth | null {
  if (!/^\[1(?:,\d{1,16}){4}\]$/.test(note)) return null;
  const [, from, atMs, bytes, lines] = JSON.parse(note) as number[];
  return { from, atMs, bytes, lines };
}

/** Messages on their way into envelopes. */
class RecordBatch {
  readonly envelopes: Envelope[] = [];
  readonly sent = new Map<string, number>();
  readonly refused = new Map<DeadLetterCode, number>();
  others = 0;
  growth: Growth | null;

  readonly #options: RecordIngestOptions;
  readonly #layouts: RecordLayouts;
  readonly #partition: number;
  #file: EnvelopeFile | null = null;
  /* The envelope that is being filled. */
  #layout: EnvelopeLayout | null = null;
  #lines: Uint8Array[] = [];
  #bytes = 0;

  constructor(options: RecordIngestOptions, layouts: RecordLayouts, partition: number, growth: Growth | null) {
    this.#options = options;
    this.#layouts = layouts;
    this.#partition = partition;
    this.growth = growth === null ? null : { ...growth };
  }

  take(message: RecordMessage): void {
    const { bytes, offset, appendedMs } = message;
    if (this.growth === null || this.growth.bytes >= LARGEST_FILE_BYTES) {
      this.close();
      this.growth = { from: offset, atMs: Math.max(0, appendedMs), bytes: 0, lines: 0 };
      this.#file = null;
    }
    const options = { columns: [], canonicalColumn, startOffset: 0, startLine: 1, storedLength: lengthItself };
    const reader = createJsonReader(options, {
      record: (view) => this.#record(bytes.subarray(view.offset, view.offset + view.length), offset),
      reject: ({ code, reason, offset: at, length }) => {
        this.#refuse(code, reason, bytes.subarray(at, at + length), offset);
      },
    });
    reader.push(bytes, 0, bytes.length);
    reader.finish();
  }

  /** Ends the envelope that is being filled. */
  close(): void {
    const layout = this.#layout;
    if (layout === null) return;
    const growth = this.growth as Growth;
    const place = { offset: growth.bytes - this.#bytes, line: growth.lines - this.#lines.length + 1 };
    this.#add(layout, { ...place, records: this.#lines.length }, Buffer.concat(this.#lines));
    this.sent.set(layout.format, (this.sent.get(layout.format) ?? 0) + this.#lines.length);
    this.#layout = null;
    this.#lines = [];
    this.#bytes = 0;
  }

  /** A record, which is valid JSON. */
  #record(bytes: Uint8Array, offset: number): void {
    const element = JSON.parse(textOf(bytes)) as Record<string, unknown>;
    const members = recordMembers(element);
    const layout = this.#layouts.of(valueNames(members));
    if (layout === null) {
      const { category } = element;
      if (typeof category === 'string' && category.toLowerCase() !== EMAIL_EVENTS) this.others++;
      else this.#refuse('malformed_record', 'its fields are those of no message trace', bytes, offset);
      return;
    }
    const { tenantIds } = this.#options;
    const { tenantId } = element;
    // Beside properties it is the tenant's id; elsewhere it may be that of a workspace.
    if (members !== element && tenantIds.length > 0 && typeof tenantId === 'string') {
      if (!tenantIds.includes(tenantId.toLowerCase())) {
        this.#refuse('other_tenant', 'the record is of another tenant', bytes, offset);
        return;
      }
    }
    const isFull = this.#lines.length === ENVELOPE_ROWS || this.#bytes + bytes.length + 1 > ENVELOPE_BYTES;
    if (isFull || layout !== this.#layout) this.close();
    this.#layout = layout;
    this.#lines.push(lineOf(bytes));
    this.#grow(bytes.length + 1);
    this.#bytes += bytes.length + 1;
  }

  /** What cannot be used travels as a dead letter of the file. */
  #refuse(code: DeadLetterCode, reason: string, bytes: Uint8Array, offset: number): void {
    this.close();
    const { bytes: at, lines } = this.growth as Growth;
    const place = { offset: at, line: lines + 1 };
    const said = `${reason} (message ${offset} of partition ${this.#partition} of ${this.#options.topic})`;
    const refusal: DeadLetter = { code, reason: said, length: bytes.length, ...place };
    this.#add(layoutOfRefused(), { ...place, records: 1, refusal }, bytes.slice(0, MAX_RECORD_BYTES));
    this.#grow(bytes.length + 1);
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }

  #grow(bytes: number): void {
    const growth = this.growth as Growth;
    growth.bytes += bytes;
    growth.lines++;
  }

  #add(
    layout: EnvelopeLayout,
    more: Pick<RowsHeader, 'offset' | 'line' | 'records' | 'refusal'>,
    payload: Uint8Array,
  ): void {
    const { tenant, topic } = this.#options;
    this.#file ??= fileOf(topic, this.#partition, this.growth as Growth);
    this.envelopes.push({
      header: { kind: 'rows', schema: ENVELOPE_SCHEMA, tenant, file: this.#file, layout, ...more },
      payload,
    });
  }
}

function fileOf(topic: string, partition: number, { from, atMs }: Growth): EnvelopeFile {
  const id = createHash('sha256').update(JSON.stringify(['kafka', topic, partition, from, atMs]));
  return { id: id.digest('hex'), name: `${topic}/${partition}` };
}

/** The record on a line of its own: line breaks in JSON are blanks between its parts. */
function lineOf(bytes: Uint8Array): Uint8Array {
  const line = new Uint8Array(bytes.length + 1);
  line.set(bytes);
  for (let i = 0; i < bytes.length; i++) if (line[i] === LINE_FEED || line[i] === CARRIAGE_RETURN) line[i] = BLANK;
  line[bytes.length] = LINE_FEED;
  return line;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function lengthItself(_bytes: Uint8Array, start: number, end: number): number {
  return end - start;
}

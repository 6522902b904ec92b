/** From an export file to the log: looked at, cut, sent, and its line of the ledger sent after it. */

import { createHash } from 'node:crypto';
import { basename, resolve } from 'node:path';
import {
  expectSame,
  expectUnchanged,
  fileChanged,
  hashRange,
  notReadable,
  type OpenExport,
  openExport,
  readAt,
  readRange,
} from '../../adapters/file/open-export.ts';
import { ENVELOPE_SCHEMA, type FileEndHeader } from '../../core/envelope.ts';
import type { EnvelopeSink } from '../../core/envelope-log.ts';
import type { DateOrder } from '../../core/event-time.ts';
import type { FileLedger } from '../../core/ledger.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import type { DeadLetter } from '../../core/ports.ts';
import { createCsvByteReader } from '../../readers/csv-bytes.ts';
import { MAX_FIELDS } from '../../readers/reader.ts';
import {
  LOOKED_AT_BYTES,
  LOOKED_AT_REFUSALS,
  MORE_RESULTS,
  readingWarnings,
  refusedText,
} from '../inputs/after-reading.ts';
import type { FileLayout } from '../inputs/layout.ts';
import { createStoredRecordReader, type RecordStart, recordStart } from '../inputs/records.ts';
import { prepareInputs } from '../inputs.ts';
import { EnvelopeCutter, type EnvelopeOrigin, envelopesOfCut, payloadLength } from './cut.ts';
import { layoutForEnvelope } from './envelope-records.ts';
import { EnvelopeSender } from './envelope-sender.ts';

export interface IngestProgress {
  /** Everything before this offset is in the log: the `resumeFrom` of the next attempt. */
  offset: number;
  /** Size of the file. */
  bytes: number;
  /** Records sent by this attempt. */
  records: number;
}

export interface IngestOptions {
  tenant: string;
  sink: EnvelopeSink;
  /** The present: rows from the future count as unusable when the first rows are tried. */
  nowMs: number;
  /** Format id, or null (the default) to recognise it. */
  format?: string | null;
  /** Order of day and month where the tenant's profile says it; by default what the file proves. */
  dateOrder?: DateOrder | null;
  /** SHA-256 of the file where it is known already: checked while reading, else worked out before. */
  sha256?: string;
  /** Name for people; the last part of the path by default. */
  name?: string;
  /** The `offset` of the last progress: nothing before it is sent again. */
  resumeFrom?: number;
  /** Refuses symbolic links. */
  noFollow?: boolean;
  onProgress?: (progress: IngestProgress) => void | Promise<void>;
  signal?: AbortSignal;
}

/** What came of a file. */
export interface Ingested {
  /** The ledger as it was sent. */
  ledger: FileEndHeader['ledger'];
  fileId: string;
  /** Where to go on when the file has grown: at the last record, which may not have been whole. Null where nothing can. */
  growth: GrowthPoint | null;
}

/** Where reading a growing file goes on, and what must stay as it was settled. Plain JSON. */
export interface GrowthPoint {
  offset: number;
  line: number;
  wrappers: number;
  dateOrder: DateOrder | null;
  /** Records before the one at `offset`. */
  records: number;
}

/**
 * Sends an export: its records in envelopes, then a `file_end` with its line of the ledger. A file that is
 * refused sends `file_end` alone. Throws a RelaywatchError where there is nothing to send: the file is not
 * there or cannot be read, or it changed while it was read (`file_changed`: hand it over again).
 */
export async function ingestFile(path: string, options: IngestOptions): Promise<Ingested> {
  const file = await openExport(path, options.noFollow === true);
  try {
    const sha256 = options.sha256 ?? (await hashRange(file, file.bytes, options.signal));
    const look = await lookAtExport(file, options);
    await expectUnchanged(file);
    const ledger = { ...look.ledger, sha256 };
    const ingest = new Ingest(file, sha256, ledger, look, options);
    const { layout } = look;
    if (layout !== null) {
      await ingest.rows(layout, recordStart(layout), { isWhole: true, sha256: options.sha256 ?? null });
    }
    await expectUnchanged(file);
    await ingest.end();
    const growth = ledger.refused === null && layout !== null ? ingest.growth(layout, 0) : null;
    return { ledger, fileId: sha256, growth };
  } catch (error) {
    throw readingFailure(path, error);
  } finally {
    await file.handle.close();
  }
}

/**
 * Sends what a growing file has more than at `from`: whole rows only, the last one sent before once more.
 * `fileId` names the file however long it gets; the `file_end` that follows speaks of the file so far.
 */
export async function ingestGrowth(
  path: string,
  fileId: string,
  from: GrowthPoint | null,
  options: IngestOptions,
): Promise<Ingested> {
  const file = await openExport(path, options.noFollow === true);
  try {
    const look = await lookAtExport(file, { ...options, dateOrder: from?.dateOrder ?? options.dateOrder });
    await expectSame(file);
    const ingest = new Ingest(file, fileId, look.ledger, look, options);
    const { layout } = look;
    if (layout === null) return { ledger: look.ledger, fileId, growth: from };
    const start = from === null ? recordStart(layout) : { ...from, pushedOffset: from.offset };
    await ingest.rows(layout, start, { isWhole: false, sha256: null });
    const growth = ingest.growth(layout, from?.records ?? 0);
    look.ledger.records += from?.records ?? 0;
    if (growth.offset !== from?.offset) await ingest.end();
    return { ledger: look.ledger, fileId, growth };
  } catch (error) {
    throw readingFailure(path, error);
  } finally {
    await file.handle.close();
  }
}

/** Failures of the file itself, told as such; all others as they are. */
function readingFailure(path: string, error: unknown): unknown {
  const { syscall } = error as NodeJS.ErrnoException;
  return ['open', 'read', 'stat', 'fstat'].includes(syscall ?? '') ? notReadable(path, error) : error;
}

interface ExportLook {
  /** Null where nothing is to be read: the file is empty or refused. */
  layout: FileLayout | null;
  dateOrder: DateOrder | null;
  ledger: FileEndHeader['ledger'];
}

/** Layout, order of the dates, refusal: all as `scan` settles them, for this file alone. */
async function lookAtExport(file: OpenExport, options: IngestOptions): Promise<ExportLook> {
  // Whole: `-` would be standard input.
  const path = resolve(file.path);
  const name = nameForPeople(options.name ?? basename(path));
  try {
    const inputs = await prepareInputs({
      paths: [path],
      format: options.format ?? null,
      dateOrder: options.dateOrder ?? null,
      reader: 'js',
      tenantKey: options.tenant,
      sinceMs: null,
      untilMs: null,
      nowMs: options.nowMs,
    });
    try {
      const [{ layout, dateOrder }] = inputs.files;
      const { rows: _rows, first: _first, last: _last, ...ledger } = inputs.ledgerFiles[0];
      const code = ledger.refused?.code;
      // The path has led to another file, or to none: there is nothing that could be sent.
      if (code === 'not_found' || code === 'not_readable' || code === 'not_a_file') throw fileChanged(path);
      const problem = layout === null ? null : columnsProblem(layout);
      if (problem === null) return { layout, dateOrder, ledger: { ...ledger, path: name } };
      const refused: FileLedger['refused'] = { code: 'unknown_format', message: problem };
      return { layout: null, dateOrder, ledger: { ...ledger, path: name, refused } };
    } finally {
      await inputs.dispose();
    }
  } catch (error) {
    if (!(error instanceof RelaywatchError) || error.code !== 'ambiguous_dates') throw error;
    const message = `${error.message.replace(path, name)}; ${error.hint}`;
    return { layout: null, dateOrder: null, ledger: refusedLedger(name, file.bytes, message) };
  }
}

/** Columns travel in every header: those of real exports have less than a kilobyte. */
const LARGEST_COLUMNS_BYTES = 65_536;

/** Why the columns cannot travel; null where they can. JSON may have as many keys as somebody likes. */
function columnsProblem({ columns }: FileLayout): string | null {
  const bytes = Buffer.byteLength(JSON.stringify(columns));
  if (columns.length <= MAX_FIELDS && bytes <= LARGEST_COLUMNS_BYTES) return null;
  return `it has ${columns.length} columns with ${bytes} bytes of names: no export of message traces has so many`;
}

function refusedLedger(path: string, bytes: number, message: string): FileEndHeader['ledger'] {
  const unknown = { sha256: null, format: null, encoding: null, delimiter: null, date_order: null, records: 0 };
  const refused: FileLedger['refused'] = { code: 'ambiguous_dates', message };
  return { path, bytes, ...unknown, refused, warnings: [] };
}

const LONGEST_NAME = 255;

/** Names of files may hold anything on Linux, line feeds too. */
function nameForPeople(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, '?').slice(0, LONGEST_NAME);
}

/** One file on its way into the log. */
class Ingest {
  readonly #file: OpenExport;
  readonly #fileId: string;
  readonly #ledger: FileEndHeader['ledger'];
  readonly #look: ExportLook;
  readonly #options: IngestOptions;
  #last: RecordStart | null = null;

  constructor(
    file: OpenExport,
    fileId: string,
    ledger: FileEndHeader['ledger'],
    look: ExportLook,
    options: IngestOptions,
  ) {
    this.#file = file;
    this.#fileId = fileId;
    this.#ledger = ledger;
    this.#look = look;
    this.#options = options;
  }

  /** Sends the records from `start` on; what is at the end of a file that is not whole yet stays for later. */
  async rows(
    layout: FileLayout,
    start: RecordStart,
    { isWhole, sha256 }: { isWhole: boolean; sha256: string | null },
  ): Promise<void> {
    const file = this.#file;
    const { tenant, sink, signal, onProgress } = this.#options;
    const origin: EnvelopeOrigin = {
      tenant,
      file: { id: this.#fileId, name: this.#ledger.path },
      layout: layoutForEnvelope(layout, this.#look.dateOrder),
    };
    let sentRecords = 0;
    let refusals = 0;
    let saysMoreResults = false;
    const noteRefusal = (letter: DeadLetter): void => {
      if (refusals++ >= LOOKED_AT_REFUSALS) return;
      const bytes = readAt(file, letter.offset, Math.min(letter.length, LOOKED_AT_BYTES));
      saysMoreResults ||= MORE_RESULTS.test(refusedText(bytes, layout));
    };
    const cutter: EnvelopeCutter = new EnvelopeCutter(start, () => reader.wrappers);
    const reader = createStoredRecordReader(layout, createCsvByteReader, start, {
      record: (view) => cutter.record(view),
      reject(letter) {
        noteRefusal(letter);
        cutter.reject(letter);
      },
    });
    const hash = sha256 === null ? null : createHash('sha256');
    const sender = new EnvelopeSender(sink, signal, async (offset, records) => {
      sentRecords += records;
      await onProgress?.({ offset, bytes: file.bytes, records: sentRecords });
    });
    try {
      await readRange(file, start.pushedOffset, file.bytes, async (chunk) => {
        signal?.throwIfAborted();
        hash?.update(chunk);
        await reader.push(chunk);
        await this.#take(cutter, origin, sender);
      });
      if (isWhole) await reader.finish();
      cutter.finish(isWhole ? file.bytes : cutter.end);
      await this.#take(cutter, origin, sender);
      await sender.flush();
    } finally {
      await sender.settle();
    }
    if (hash !== null && hash.digest('hex') !== sha256) throw fileChanged(file.path);
    this.#ledger.records = cutter.records;
    const { replacedBytes } = reader;
    const found = { records: cutter.records, replacedBytes, saysMoreResults };
    this.#ledger.warnings.push(...readingWarnings(found));
    this.#last = cutter.last;
  }

  /** Makes envelopes of the cuts that are complete. */
  async #take(cutter: EnvelopeCutter, origin: EnvelopeOrigin, sender: EnvelopeSender): Promise<void> {
    const { cuts } = cutter;
    cutter.cuts = [];
    for (const cut of cuts) {
      if (cut.offset < (this.#options.resumeFrom ?? 0)) continue;
      const length = payloadLength(cut);
      const payload = readAt(this.#file, cut.offset, length);
      if (payload.length < length) throw fileChanged(this.#file.path);
      await sender.add(envelopesOfCut(origin, cut, payload), cut.end, cut.records);
    }
  }

  /** Where the file goes on when it grows; `before` records stood before those that were read. */
  growth(layout: FileLayout, before: number): GrowthPoint {
    const { dateOrder } = this.#look;
    const records = before + Math.max(0, this.#ledger.records - 1);
    if (this.#last === null) {
      return { offset: layout.dataOffset, line: layout.dataLine, wrappers: 0, dateOrder, records };
    }
    const { offset, line, wrappers = 0 } = this.#last;
    return { offset, line, wrappers, dateOrder, records };
  }

  /** Sends the line of the ledger. */
  async end(): Promise<void> {
    const { tenant, sink, signal } = this.#options;
    const header: FileEndHeader = {
      kind: 'file_end',
      schema: ENVELOPE_SCHEMA,
      tenant,
      file: { id: this.#fileId, name: this.#ledger.path },
      ledger: this.#ledger,
    };
    await sink.send([{ header, payload: new Uint8Array(0) }], signal);
  }
}

/**
 * The inputs of a run: exports are found, looked at, and only then read. Everything that can refuse a
 * file or the run is settled in `prepareInputs`, before the first row counts.
 */

import type { Readable } from 'node:stream';
import {
  type FoundFile,
  findExportFiles,
  isBelow,
  type MissingInput,
  missingInput,
  PositionReader,
  pathWithin,
  readChunks,
} from '../adapters/file/export-files.ts';
import { knownOtherExports, traceFormats } from '../config/registry.ts';
import { AddressReader } from '../core/address.ts';
import { Dictionary } from '../core/dictionary.ts';
import type { DateOrder } from '../core/event-time.ts';
import { KeyedHash } from '../core/hash.ts';
import { emptyRowCounts, type FileLedger } from '../core/ledger.ts';
import { type RefusalCode, RelaywatchError } from '../core/outcome.ts';
import type { DeadLetter, PairSink, TextSource } from '../core/ports.ts';
import { MAX_FILES } from '../core/record.ts';
import type { TraceFormat } from '../formats/format.ts';
import { type RowContext, RowExtractor } from '../formats/row.ts';
import { DateOrderScan, settleDateOrders } from './inputs/date-order.ts';
import { type FileLayout, readLayout } from './inputs/layout.ts';
import {
  type CsvReaderFactory,
  createStoredRecordReader,
  loadCsvReader,
  type ReaderName,
  type StoredRecordReader,
} from './inputs/records.ts';
import { createTextSource } from './inputs/text-source.ts';
import { isHopeless, resultIn, Trial, type TrialOutcome } from './inputs/trial.ts';

export type { ReaderName } from './inputs/records.ts';

export interface InputOptions {
  /** Files and folders; `-` is standard input. */
  paths: readonly string[];
  /** Format id, or null to recognise it. */
  format: string | null;
  dateOrder: DateOrder | null;
  reader: ReaderName;
  /** Seeds every hash. */
  tenantKey: string;
  sinceMs: number | null;
  untilMs: number | null;
  nowMs: number;
  /** Work out the SHA-256 of every file, for the ledger and for evidence: a third of the time of reading. */
  fileHashes?: boolean;
  /** Folder for copies of streams; the system's by default. */
  temporaryFolder?: string;
  /** Where `-` reads from; the process's standard input by default. */
  standardInput?: Readable;
}

export interface InputProgress {
  bytesRead: number;
  bytesTotal: number;
  rows: number;
}

export interface PreparedInputs {
  /** One entry per file or refused path; the index is the file's number in records, evidence and ledger. */
  readonly files: readonly PreparedFile[];
  /** Lines of the ledger, by file number; `readInputs` fills the counts, the pair store the rest. */
  readonly ledgerFiles: FileLedger[];
  /** For people: what was skipped, guessed or looks cut. */
  readonly warnings: string[];
  readonly dictionaries: { domains: Dictionary; sources: Dictionary; connectors: Dictionary };
  /** Names and GUIDs of the tenant in the rows, lower case; filled while reading. */
  readonly organizations: { ids: string[]; names: string[] };
  readonly textSource: TextSource;
  readonly bytesTotal: number;
  /** Closes files and deletes copies of streams. */
  dispose(): Promise<void>;
}

export interface PreparedFile {
  path: string;
  /** Null where the file is refused or empty. */
  layout: FileLayout | null;
  dateOrder: DateOrder | null;
}

export interface ReadOptions {
  /** Every row that cannot be used, with the number of its file. */
  onDeadLetter?: (file: number, letter: DeadLetter) => void;
  /** Reading stops between two chunks. */
  signal?: AbortSignal;
}

/** A file in a folder that is no export. */
interface SkippedFile {
  path: string;
  message: string;
}

/** A file on its way through the preparation. */
interface Candidate {
  found: FoundFile;
  layout: FileLayout | null;
  trial: TrialOutcome | null;
  dateOrder: DateOrder | null;
  refused: FileLedger['refused'];
  warnings: string[];
  sha256: string | null;
}

interface Prepared extends PreparedInputs {
  readonly candidates: readonly (Candidate | null)[];
  readonly options: InputOptions;
  readonly createCsvReader: CsvReaderFactory;
  readonly context: RowContext;
  readonly positions: PositionReader;
}

/** Bytes of a file looked at for its layout. */
const HEAD_BYTES = 1 << 20;
/** Bytes of a file within which the first records are tried. */
const TRIAL_BYTES = 16 << 20;
/** Lines of a report at which Microsoft's service stops (Start-HistoricalSearch). */
const REPORT_LINES = 100_000;
/** Refused lines of a file that are looked at for what PowerShell writes between rows. */
const LOOKED_AT_REFUSALS = 1000;

/**
 * Finds the exports behind the paths, tells their layout, settles the order of their dates and tries
 * their first records. Throws a RelaywatchError (exit 2) for an unknown `--format` and for dates whose
 * order cannot be told; what is wrong with single files stands in their ledger lines.
 */
export async function prepareInputs(options: InputOptions): Promise<PreparedInputs> {
  const wanted = wantedFormat(options.format);
  const createCsvReader = await loadCsvReader(options.reader);
  const inputs = await findExportFiles(options.paths, {
    temporaryFolder: options.temporaryFolder,
    standardInput: () => options.standardInput ?? process.stdin,
  });
  try {
    const candidates: Candidate[] = [];
    const missing = [...inputs.missing];
    const skipped: SkippedFile[] = [];
    for (const found of inputs.files) {
      const candidate = await lookAt(found, wanted, createCsvReader, options);
      const { refused } = candidate;
      const isNoExport = refused?.code === 'unknown_format' || refused?.code === 'binary';
      if (isNoExport && !found.isNamed) skipped.push({ path: found.path, message: refused.message });
      else candidates.push(candidate);
    }
    const warnings: string[] = [];
    for (const folder of inputs.folders) {
      const others = skipped.filter(({ path }) => isBelow(path, folder));
      if (candidates.some(({ found }) => isBelow(found.path, folder))) {
        if (others.length > 0) warnings.push(skippedFiles(folder, others));
      } else if (!missing.some(({ path }) => path === folder || isBelow(path, folder))) {
        missing.push({ path: folder, code: 'no_exports', message: noExports(folder, others) });
      }
    }
    await settleDates(candidates, createCsvReader, options);
    for (const candidate of candidates) refuseMostlyUnreadable(candidate);
    return assemble(candidates, missing, warnings, options, createCsvReader, inputs.dispose);
  } catch (error) {
    await inputs.dispose();
    throw error;
  }
}

/**
 * Reads all files that are not refused and gives every pair to the sink. Fills the counts of the
 * ledger lines that reading knows: records, read, dropped, dead letters, first and last.
 */
export async function readInputs(
  inputs: PreparedInputs,
  sink: PairSink,
  onProgress?: (progress: InputProgress) => void,
  options: ReadOptions = {},
): Promise<void> {
  const prepared = inputs as Prepared;
  const progress = { bytesRead: 0, bytesTotal: prepared.bytesTotal, rows: 0 };
  for (let number = 0; number < prepared.candidates.length; number++) {
    const candidate = prepared.candidates[number];
    if (candidate === null || candidate.refused !== null || candidate.layout === null) continue;
    const onChunk = (bytes: number, rows: number): void => {
      progress.bytesRead += bytes;
      progress.rows += rows;
      onProgress?.(progress);
    };
    await readFile(prepared, number, candidate, candidate.layout, sink, onChunk, options);
  }
}

async function readFile(
  prepared: Prepared,
  number: number,
  candidate: Candidate,
  layout: FileLayout,
  sink: PairSink,
  onChunk: (bytes: number, rows: number) => void,
  options: ReadOptions,
): Promise<void> {
  const ledger = prepared.ledgerFiles[number];
  const rows = ledger.rows;
  let lost = 0;
  let refusals = 0;
  const file = { match: layout.match, header: layout.header, dateOrder: candidate.dateOrder, number };
  const counter = {
    drop(reason: keyof typeof rows.dropped): void {
      lost += 1;
      rows.dropped[reason] = (rows.dropped[reason] ?? 0) + 1;
    },
    deadLetter(letter: DeadLetter): void {
      lost += 1;
      rows.dead_lettered[letter.code] = (rows.dead_lettered[letter.code] ?? 0) + 1;
      options.onDeadLetter?.(number, letter);
    },
  };
  const extractor = new RowExtractor(prepared.context, file, sink, counter);
  let records = 0;
  let saysMoreResults = false;
  const reader = createStoredRecordReader(layout, prepared.createCsvReader, startOf(layout), {
    record(view) {
      records += 1;
      extractor.record(view);
    },
    reject(letter) {
      records += 1;
      const line = refusals++ < LOOKED_AT_REFUSALS ? refusedText(prepared, number, layout, letter) : '';
      saysMoreResults ||= MORE_RESULTS.test(line);
      if (TYPE_LINE.test(line)) counter.drop('repeated_header');
      else counter.deadLetter(letter);
    },
  });
  try {
    ledger.sha256 = await readChunks(
      candidate.found.location,
      async (chunk) => {
        options.signal?.throwIfAborted();
        const length = chunk.length;
        const rowsBefore = extractor.rows;
        await reader.push(chunk);
        onChunk(length, extractor.rows - rowsBefore);
        return true;
      },
      { sha256: prepared.options.fileHashes === true },
    );
    const rowsBefore = extractor.rows;
    await reader.finish();
    onChunk(0, extractor.rows - rowsBefore);
  } catch (error) {
    if (error instanceof RelaywatchError || (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    const { code, message } = missingInput(candidate.found.path, error);
    throw new RelaywatchError({
      code,
      message: `${candidate.found.path}: ${message}`,
      hint: 'nothing was reported: run again',
      cause: error,
    });
  }
  ledger.records = records;
  rows.read = extractor.rows + lost;
  ledger.first = extractor.firstMs === null ? null : new Date(extractor.firstMs).toISOString();
  ledger.last = extractor.lastMs === null ? null : new Date(extractor.lastMs).toISOString();
  const warn = (text: string): void => {
    ledger.warnings.push(text);
    prepared.warnings.push(`${candidate.found.path}: ${text}`);
  };
  if (reader.replacedBytes > 0) {
    warn(`${reader.replacedBytes} bytes are no UTF-8 and were read as "?": were exports of two encodings joined?`);
  }
  if (records === REPORT_LINES || records + 1 === REPORT_LINES) {
    warn(
      'it has exactly 100,000 lines, where the service cuts reports: rows are probably missing; ask for a shorter time',
    );
  }
  if (saysMoreResults) {
    warn('Get-MessageTraceV2 said "There are more results": rows are missing; continue the export as the warning says');
  }
}

function startOf(layout: FileLayout): { pushedOffset: number; offset: number; line: number } {
  return { pushedOffset: 0, offset: layout.dataOffset, line: layout.dataLine };
}

/** The warning of Get-MessageTraceV2 that its result was cut, which `*>` and transcripts put between the rows. */
const MORE_RESULTS = /There are more results, use the following command/i;
/** First line of every export of Windows PowerShell: in the middle of exports that were joined. */
const TYPE_LINE = /^"?#TYPE /;

/** The start of a refused line. */
function refusedText(prepared: Prepared, number: number, layout: FileLayout, letter: DeadLetter): string {
  const bytes = new Uint8Array(Math.min(letter.length, 200));
  const length = prepared.positions.read(number, letter.offset, bytes);
  const encoding = layout.encoding === 'windows-1252' ? 'utf-8' : layout.encoding;
  return new TextDecoder(encoding).decode(bytes.subarray(0, length));
}

function wantedFormat(id: string | null): TraceFormat | null {
  if (id === null) return null;
  const format = traceFormats.find((some) => some.id === id);
  if (format !== undefined) return format;
  throw new RelaywatchError({
    code: 'unknown_format_name',
    message: `--format ${id} is no format`,
    hint: `use auto or one of ${traceFormats.map((some) => some.id).join(', ')}`,
    exitCode: 2,
  });
}

/** Layout and trial of one file. */
async function lookAt(
  found: FoundFile,
  wanted: TraceFormat | null,
  createCsvReader: CsvReaderFactory,
  options: InputOptions,
): Promise<Candidate> {
  const candidate: Candidate = {
    found,
    layout: null,
    trial: null,
    dateOrder: options.dateOrder,
    refused: null,
    warnings: [],
    sha256: null,
  };
  const refuse = (code: RefusalCode, message: string): boolean => {
    candidate.refused = { code, message };
    return false;
  };
  let bytes = 0;
  let reader: StoredRecordReader | null = null;
  let trial: Trial | null = null as Trial | null;
  try {
    const take = async (chunk: Uint8Array): Promise<boolean> => {
      if (bytes === 0) {
        const result = readLayout(chunk.subarray(0, HEAD_BYTES), traceFormats, knownOtherExports, wanted);
        if (result.kind === 'empty') return false;
        if (result.kind !== 'layout') return refuse(result.kind, result.message);
        candidate.layout = result.layout;
        const orders = options.dateOrder === null ? (['mdy', 'dmy'] as const) : [options.dateOrder];
        trial = new Trial(result.layout, orders, options.nowMs);
        reader = createStoredRecordReader(result.layout, createCsvReader, startOf(result.layout), trial);
      }
      bytes += chunk.length;
      // Small pushes: the thousandth record is nearly always in the first of them.
      for (let at = 0; at < chunk.length && !trial?.isDone; at += TRIAL_PUSH_BYTES) {
        await reader?.push(chunk.subarray(at, at + TRIAL_PUSH_BYTES));
      }
      return !trial?.isDone && bytes < TRIAL_BYTES;
    };
    await readChunks(found.location, take, { sha256: false });
    if (bytes < TRIAL_BYTES && !trial?.isDone) await finish(reader);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    candidate.layout = null;
    const { code, message } = missingInput(found.path, error);
    refuse(code, message);
  }
  const { layout } = candidate;
  candidate.trial = trial?.outcome() ?? null;
  if (candidate.refused !== null) return candidate;
  if (layout === null) {
    candidate.warnings.push('it is empty: an export without rows');
  } else if (candidate.trial?.records === 0) {
    candidate.warnings.push('it has a header and no rows');
  } else if (layout.assumedEncoding) {
    candidate.warnings.push(
      'it is neither UTF-8 nor UTF-16 and was read as windows-1252: export with -Encoding utf8 to keep all characters',
    );
  }
  return candidate;
}

const TRIAL_PUSH_BYTES = 65_536;

async function finish(reader: StoredRecordReader | null): Promise<void> {
  await reader?.finish();
}

/** Settles the order of day and month of all files whose dates need one. */
async function settleDates(
  candidates: readonly Candidate[],
  createCsvReader: CsvReaderFactory,
  options: InputOptions,
): Promise<void> {
  if (options.dateOrder !== null) return;
  const dated: { candidate: Candidate; path: string; formatId: string; scan: DateOrderScan }[] = [];
  for (const candidate of candidates) {
    const { layout, trial, found } = candidate;
    if (layout === null || trial === null || isHopeless(trial) || !trial.hasCultureDates) continue;
    const scan = new DateOrderScan(layout.match.roles);
    const reader = createStoredRecordReader(layout, createCsvReader, startOf(layout), scan);
    const take = async (chunk: Uint8Array): Promise<boolean> => {
      await reader.push(chunk);
      return true;
    };
    await readChunks(found.location, take, { sha256: false });
    await reader.finish();
    dated.push({ candidate, path: found.path, formatId: layout.match.format.id, scan });
  }
  const orders = settleDateOrders(dated);
  dated.forEach(({ candidate }, index) => {
    candidate.dateOrder = orders[index];
  });
}

/** Refuses a file of which more than half of the first records cannot be used. */
function refuseMostlyUnreadable(candidate: Candidate): void {
  const { layout, trial } = candidate;
  if (layout === null || trial === null || candidate.refused !== null) return;
  const { refused, reasons } = resultIn(trial, candidate.dateOrder);
  if (refused * 2 <= trial.records) return;
  const [most] = reasons;
  const first = trial.records === 1 ? 'its only row' : `${refused} of its first ${trial.records} rows`;
  candidate.refused = {
    code: 'mostly_unreadable',
    message:
      `it looks like ${layout.match.format.title}, but ${first} cannot be used, ` +
      `most often: ${most.reason} (${most.code}). Nothing of it was read; export it again`,
  };
}

async function assemble(
  candidates: readonly Candidate[],
  missing: readonly MissingInput[],
  warnings: string[],
  options: InputOptions,
  createCsvReader: CsvReaderFactory,
  disposeInputs: () => Promise<void>,
): Promise<Prepared> {
  const entries = [
    ...candidates.map((candidate) => ({ path: candidate.found.path, candidate, missing: null })),
    ...missing.map((some) => ({ path: some.path, candidate: null, missing: some })),
  ].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  if (entries.length > MAX_FILES) {
    throw new RelaywatchError({
      code: 'too_many_files',
      message: `${entries.length} files were given, at most ${MAX_FILES} can be read at once`,
      hint: 'scan fewer folders, or join the exports to larger files',
    });
  }
  const ledgerFiles: FileLedger[] = [];
  for (const { candidate, missing: absent, path } of entries) {
    if (candidate === null) {
      ledgerFiles.push(
        ledgerLine(path, 0, null, null, absent === null ? null : { code: absent.code, message: absent.message }),
      );
      continue;
    }
    const { layout, found, refused } = candidate;
    const order = candidate.trial?.hasCultureDates ? candidate.dateOrder : null;
    const line = ledgerLine(path, found.bytes, layout, order, refused);
    line.warnings.push(...candidate.warnings);
    for (const text of candidate.warnings) warnings.push(`${path}: ${text}`);
    const isRead = layout !== null && refused === null;
    if (!isRead && options.fileHashes && refused?.code !== 'not_readable') {
      line.sha256 = await readChunks(found.location, () => true, { sha256: true });
    }
    ledgerFiles.push(line);
  }
  const hash = new KeyedHash(options.tenantKey);
  const context: RowContext = {
    hash,
    addresses: new AddressReader(hash),
    domains: new Dictionary(hash),
    sources: new Dictionary(hash),
    connectors: new Dictionary(hash),
    organizations: { ids: [], names: [] },
    sinceMs: options.sinceMs,
    untilMs: options.untilMs,
    nowMs: options.nowMs,
  };
  const files = entries.map(({ path, candidate }) => ({
    path,
    layout: candidate === null || candidate.refused !== null ? null : candidate.layout,
    dateOrder: candidate?.dateOrder ?? null,
  }));
  const positions = new PositionReader(entries.map(({ path, candidate }) => candidate?.found.location ?? path));
  return {
    files,
    ledgerFiles,
    warnings,
    dictionaries: { domains: context.domains, sources: context.sources, connectors: context.connectors },
    organizations: context.organizations,
    textSource: createTextSource(
      options.tenantKey,
      files.map(({ layout }) => layout),
      positions,
    ),
    bytesTotal: entries.reduce(
      (sum, { candidate }, i) => sum + (files[i].layout ? (candidate?.found.bytes ?? 0) : 0),
      0,
    ),
    candidates: entries.map(({ candidate }) => candidate),
    options,
    createCsvReader,
    context,
    positions,
    async dispose() {
      positions.close();
      await disposeInputs();
    },
  };
}

function ledgerLine(
  path: string,
  bytes: number,
  layout: FileLayout | null,
  dateOrder: DateOrder | null,
  refused: FileLedger['refused'],
): FileLedger {
  return {
    path,
    sha256: null,
    bytes,
    format: layout?.match.format.id ?? null,
    encoding: layout?.encoding ?? null,
    delimiter: layout === null || layout.shape === 'json' ? null : String.fromCharCode(layout.delimiter),
    date_order: dateOrder,
    records: 0,
    rows: emptyRowCounts(),
    first: null,
    last: null,
    refused,
    warnings: [],
  };
}

/** Names shown of the files that a folder holds beside exports. */
const SHOWN_FILES = 10;

function skippedFiles(folder: string, others: readonly SkippedFile[]): string {
  const what = others.length === 1 ? '1 file is no message trace' : `${others.length} files are no message traces`;
  return `${folder}: ${what}, skipped: ${listed(folder, others)}`;
}

function noExports(folder: string, others: readonly SkippedFile[]): string {
  if (others.length === 0) return 'the folder has no files: give the folder or the files of a message trace export';
  return `the folder has no message trace export, only ${listed(folder, others)}`;
}

function listed(folder: string, others: readonly SkippedFile[]): string {
  const shown = others.slice(0, SHOWN_FILES).map(({ path, message }) => `${pathWithin(path, folder)} (${message})`);
  if (others.length > SHOWN_FILES) shown.push(`and ${others.length - SHOWN_FILES} more`);
  return shown.join('; ');
}

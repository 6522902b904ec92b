/**
 * The inputs of a run: exports are found, looked at, and only then read. Everything that can refuse a
 * file or the run is settled in `prepareInputs`, before the first row counts.
 */

import type { Readable } from 'node:stream';
import type { ContainerKind } from '../adapters/file/containers.ts';
import {
  findExportFiles,
  isBelow,
  type MissingInput,
  PositionReader,
  pathWithin,
  readChunks,
} from '../adapters/file/export-files.ts';
import { traceFormats } from '../config/registry.ts';
import { AddressReader } from '../core/address.ts';
import { Dictionary } from '../core/dictionary.ts';
import type { DateOrder } from '../core/event-time.ts';
import { KeyedHash } from '../core/hash.ts';
import { emptyRowCounts, type FileLedger } from '../core/ledger.ts';
import { RelaywatchError } from '../core/outcome.ts';
import type { DeadLetter, PairSink, TextSource } from '../core/ports.ts';
import { MAX_FILES } from '../core/record.ts';
import type { TraceFormat } from '../formats/format.ts';
import { type RowContext, RowExtractor } from '../formats/row.ts';
import {
  LOOKED_AT_BYTES,
  LOOKED_AT_REFUSALS,
  MORE_RESULTS,
  readingWarnings,
  refusedText,
  TYPE_LINE,
} from './inputs/after-reading.ts';
import { type Candidate, lookAt, readFailure, refuseMostlyUnreadable, settleDates } from './inputs/candidate.ts';
import type { FileLayout } from './inputs/layout.ts';
import {
  type CsvReaderFactory,
  createStoredRecordReader,
  loadCsvReader,
  type ReaderName,
  recordStart,
} from './inputs/records.ts';
import { createTextSource } from './inputs/text-source.ts';

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
  /** Files are judged as ingest and a detector judge them, each by itself, instead of all as one export. */
  asIngested?: IngestRules;
  /** Read what is in gzip, zstd and ZIP files; they are refused otherwise. */
  expand?: boolean;
  /** The SHA-256 of a file stands in its ledger line before its first row is read: it is read once more. */
  hashesFirst?: boolean;
  /** Where `-` reads from; the process's standard input by default. */
  standardInput?: Readable;
}

/** Rows of other organisations become dead letters; a file whose dates are ambiguous is refused alone. */
export interface IngestRules {
  /** Organisations of the tenant, lower case; empty for the known ones, or the first that a row names. */
  organizations: readonly string[];
  /** GUIDs and names that rows of the tenant are known to carry, lower case. */
  knownOrganizations: { ids: readonly string[]; names: readonly string[] };
  /** By path, where it was settled before. */
  dateOrders: ReadonlyMap<string, DateOrder>;
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
  /** Bytes of a file as it was stored, fewer at its end. */
  readonly storedBytes: (file: number, offset: number, length: number) => Uint8Array;
  readonly bytesTotal: number;
  /** Closes files and deletes copies of streams. */
  dispose(): Promise<void>;
}

export interface PreparedFile {
  path: string;
  /** Null where the file is refused or empty. */
  layout: FileLayout | null;
  dateOrder: DateOrder | null;
  /** What proved the order of its dates, for people; null where nothing had to. */
  dateEvidence: string | null;
  /** What the file was in. */
  container: ContainerKind | null;
}

export interface ReadOptions {
  /** Every row that cannot be used, with the number of its file. */
  onDeadLetter?: (file: number, letter: DeadLetter) => void;
  /** Awaited after each chunk, of a megabyte at most, and at the end of each file. */
  afterChunk?: () => Promise<void> | undefined;
  /** Reading stops between two chunks. */
  signal?: AbortSignal;
}

/** A file in a folder that is no export. */
interface SkippedFile {
  path: string;
  message: string;
}

interface Prepared extends PreparedInputs {
  readonly candidates: readonly (Candidate | null)[];
  readonly options: InputOptions;
  readonly createCsvReader: CsvReaderFactory;
  readonly context: RowContext;
}

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
    expand: options.expand === true,
    standardInput: () => options.standardInput ?? process.stdin,
  });
  try {
    const candidates: Candidate[] = [];
    const missing = [...inputs.missing];
    const skipped: SkippedFile[] = [];
    for (const found of inputs.files) {
      const candidate = await lookAt(found, {
        wanted,
        createCsvReader,
        dateOrder: options.dateOrder ?? options.asIngested?.dateOrders.get(found.path) ?? null,
        nowMs: options.nowMs,
      });
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
    if (options.asIngested !== undefined) await settleEachDates(candidates, createCsvReader);
    else if (options.dateOrder === null) await settleDates(candidates, createCsvReader);
    for (const candidate of candidates) refuseMostlyUnreadable(candidate);
    return await assemble(candidates, missing, warnings, options, createCsvReader, inputs.dispose);
  } catch (error) {
    await inputs.dispose();
    throw error;
  }
}

/** Settles the dates of each file by what it says itself. */
async function settleEachDates(candidates: readonly Candidate[], createCsvReader: CsvReaderFactory): Promise<void> {
  for (const candidate of candidates) {
    if (candidate.dateOrder !== null || candidate.refused !== null) continue;
    try {
      await settleDates([candidate], createCsvReader);
    } catch (error) {
      if (!(error instanceof RelaywatchError) || error.code !== 'ambiguous_dates') throw error;
      candidate.refused = { code: 'ambiguous_dates', message: `${error.message}; ${error.hint}` };
    }
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
  const reader = createStoredRecordReader(layout, prepared.createCsvReader, recordStart(layout), {
    record(view) {
      records += 1;
      extractor.record(view);
    },
    reject(letter) {
      records += 1;
      const line = refusals++ < LOOKED_AT_REFUSALS ? textOfRefused(prepared, number, layout, letter) : '';
      saysMoreResults ||= MORE_RESULTS.test(line);
      if (TYPE_LINE.test(line)) counter.drop('repeated_header');
      else counter.deadLetter(letter);
    },
  });
  const { fileHashes, hashesFirst } = prepared.options;
  try {
    if (hashesFirst) ledger.sha256 = await hashOf(candidate);
    const sha256 = await readChunks(
      candidate.found.location,
      async (chunk) => {
        options.signal?.throwIfAborted();
        const length = chunk.length;
        const rowsBefore = extractor.rows;
        await reader.push(chunk);
        onChunk(length, extractor.rows - rowsBefore);
        await options.afterChunk?.();
        return true;
      },
      { sha256: fileHashes === true && !hashesFirst },
    );
    ledger.sha256 ??= sha256;
    const rowsBefore = extractor.rows;
    await reader.finish();
    onChunk(0, extractor.rows - rowsBefore);
    await options.afterChunk?.();
  } catch (error) {
    throw readFailure(candidate.found.path, error);
  }
  ledger.records = records;
  rows.read = extractor.rows + lost;
  ledger.first = extractor.firstMs === null ? null : new Date(extractor.firstMs).toISOString();
  ledger.last = extractor.lastMs === null ? null : new Date(extractor.lastMs).toISOString();
  for (const text of readingWarnings({ records, replacedBytes: reader.replacedBytes, saysMoreResults })) {
    ledger.warnings.push(text);
    prepared.warnings.push(`${candidate.found.path}: ${text}`);
  }
}

function hashOf({ found }: Candidate): Promise<string | null> {
  return readChunks(found.location, () => true, { sha256: true });
}

/** The start of a refused line. */
function textOfRefused(prepared: Prepared, number: number, layout: FileLayout, letter: DeadLetter): string {
  return refusedText(prepared.storedBytes(number, letter.offset, Math.min(letter.length, LOOKED_AT_BYTES)), layout);
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
      line.sha256 = await hashOf(candidate);
    }
    ledgerFiles.push(line);
  }
  const hash = new KeyedHash(options.tenantKey);
  const { asIngested } = options;
  const known = asIngested?.knownOrganizations;
  const organizations = { ids: [...(known?.ids ?? [])], names: [...(known?.names ?? [])] };
  const context: RowContext = {
    hash,
    addresses: new AddressReader(hash),
    domains: new Dictionary(hash),
    sources: new Dictionary(hash),
    connectors: new Dictionary(hash),
    organizations,
    ...(asIngested === undefined ? {} : { admits: admission(asIngested.organizations, organizations) }),
    sinceMs: options.sinceMs,
    untilMs: options.untilMs,
    nowMs: options.nowMs,
  };
  const files = entries.map(({ path, candidate }) => ({
    path,
    layout: candidate === null || candidate.refused !== null ? null : candidate.layout,
    dateOrder: candidate?.dateOrder ?? null,
    dateEvidence: candidate?.dateEvidence ?? null,
    container: candidate?.found.container ?? null,
  }));
  const positions = new PositionReader(entries.map(({ path, candidate }) => candidate?.found.location ?? path));
  const storedBytes = (file: number, offset: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, positions.read(file, offset, bytes));
  };
  return {
    files,
    ledgerFiles,
    warnings,
    dictionaries: { domains: context.domains, sources: context.sources, connectors: context.connectors },
    organizations: context.organizations,
    textSource: createTextSource(options.tenantKey, (file) => files[file]?.layout ?? null, positions),
    storedBytes,
    bytesTotal: entries.reduce(
      (sum, { candidate }, i) => sum + (files[i].layout ? (candidate?.found.bytes ?? 0) : 0),
      0,
    ),
    candidates: entries.map(({ candidate }) => candidate),
    options,
    createCsvReader,
    context,
    async dispose() {
      positions.close();
      await disposeInputs();
    },
  };
}

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whose rows are the tenant's: those of the list, or without one of the first organisation that a row named. */
function admission(admitted: readonly string[], known: RowContext['organizations']): (organization: string) => boolean {
  return (organization) => {
    if (admitted.length > 0) return admitted.includes(organization);
    const names = GUID.test(organization) ? known.ids : known.names;
    return names.length === 0 || names.includes(organization);
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
    delimiter: layout === null || layout.shape !== 'csv' ? null : String.fromCharCode(layout.delimiter),
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
  if (others.length === 0) return 'it has no files: give the folder or the files of a message trace export';
  return `it has no message trace export, only ${listed(folder, others)}`;
}

function listed(folder: string, others: readonly SkippedFile[]): string {
  const shown = others.slice(0, SHOWN_FILES).map(({ path, message }) => `${pathWithin(path, folder)} (${message})`);
  if (others.length > SHOWN_FILES) shown.push(`and ${others.length - SHOWN_FILES} more`);
  return shown.join('; ');
}

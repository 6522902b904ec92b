/**
 * A file on its way through the preparation: looked at, its dates settled, and refused where most of its
 * first records cannot be used.
 */

import { type FoundFile, missingInput, readChunks } from '../../adapters/file/export-files.ts';
import { knownOtherExports, traceFormats } from '../../config/registry.ts';
import type { DateOrder } from '../../core/event-time.ts';
import type { FileLedger } from '../../core/ledger.ts';
import { type RefusalCode, RelaywatchError } from '../../core/outcome.ts';
import type { TraceFormat } from '../../formats/format.ts';
import type { RecordHandler } from '../../readers/reader.ts';
import { DateOrderScan, settleDateOrders } from './date-order.ts';
import { type FileLayout, readLayout } from './layout.ts';
import { type CsvReaderFactory, createStoredRecordReader, recordStart, type StoredRecordReader } from './records.ts';
import { Symptoms } from './symptoms.ts';
import { isHopeless, resultIn, Trial, type TrialOutcome } from './trial.ts';

export interface Candidate {
  found: FoundFile;
  /** Null where the file is empty, or was refused before its layout was known. */
  layout: FileLayout | null;
  trial: TrialOutcome | null;
  dateOrder: DateOrder | null;
  /** What proved the order, for people; null where nothing had to. */
  dateEvidence: string | null;
  refused: FileLedger['refused'];
  warnings: string[];
}

export interface LookOptions {
  /** The format that was asked for; null to recognise it. */
  wanted: TraceFormat | null;
  createCsvReader: CsvReaderFactory;
  /** The order that was asked for; null to find it. */
  dateOrder: DateOrder | null;
  nowMs: number;
}

/** Bytes of a file within which the first records are tried. */
const TRIAL_BYTES = 16 << 20;
const TRIAL_PUSH_BYTES = 65_536;
const BLANK_START = 'its first megabyte is blank: no header was found';

/** Layout and trial of one file. */
export async function lookAt(found: FoundFile, options: LookOptions): Promise<Candidate> {
  const candidate: Candidate = {
    found,
    layout: null,
    trial: null,
    dateOrder: options.dateOrder,
    dateEvidence: null,
    refused: null,
    warnings: [],
  };
  const refuse = (code: RefusalCode, message: string): boolean => {
    candidate.refused = { code, message };
    return false;
  };
  let bytes = 0;
  let reader: StoredRecordReader | null = null;
  let trial: Trial | null = null as Trial | null;
  let symptoms: Symptoms | null = null as Symptoms | null;
  try {
    const take = async (chunk: Uint8Array): Promise<boolean> => {
      if (bytes === 0) {
        const result = readLayout(chunk, traceFormats, knownOtherExports, options.wanted);
        if (result.kind === 'empty' && chunk.length < found.bytes) return refuse('unknown_format', BLANK_START);
        if (result.kind === 'empty') return false;
        if (result.kind !== 'layout') return refuse(result.kind, result.message);
        candidate.layout = result.layout;
        const orders = options.dateOrder === null ? (['mdy', 'dmy'] as const) : [options.dateOrder];
        trial = new Trial(result.layout, orders, options.nowMs);
        symptoms = new Symptoms(result.layout);
        const start = recordStart(result.layout);
        reader = createStoredRecordReader(result.layout, options.createCsvReader, start, bothOf(trial, symptoms));
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
    const failure = readFailure(found.path, error);
    if (failure === error) throw error;
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
  } else {
    if (layout.assumedEncoding) {
      candidate.warnings.push(
        'it is neither UTF-8 nor UTF-16 and was read as windows-1252: export with -Encoding utf8 to keep all characters',
      );
    }
    candidate.warnings.push(...(symptoms?.warnings() ?? []));
  }
  return candidate;
}

/** Gives each record to the trial while it wants more, and to the symptoms. */
function bothOf(trial: Trial, symptoms: Symptoms): RecordHandler {
  return {
    record(view) {
      if (trial.isDone) return;
      symptoms.record(view);
      trial.record(view);
    },
    reject: (letter) => trial.reject(letter),
  };
}

async function finish(reader: StoredRecordReader | null): Promise<void> {
  await reader?.finish();
}

/** Settles the order of day and month of all files whose dates need one. */
export async function settleDates(candidates: readonly Candidate[], createCsvReader: CsvReaderFactory): Promise<void> {
  const dated: { candidate: Candidate; path: string; formatId: string; scan: DateOrderScan }[] = [];
  for (const candidate of candidates) {
    const { layout, trial, found } = candidate;
    if (layout === null || trial === null || isHopeless(trial) || !trial.hasCultureDates) continue;
    const scan = new DateOrderScan(layout.match.roles);
    const reader = createStoredRecordReader(layout, createCsvReader, recordStart(layout), scan);
    const take = async (chunk: Uint8Array): Promise<boolean> => {
      await reader.push(chunk);
      return true;
    };
    try {
      await readChunks(found.location, take, { sha256: false });
    } catch (error) {
      throw readFailure(found.path, error);
    }
    await reader.finish();
    dated.push({ candidate, path: found.path, formatId: layout.match.format.id, scan });
  }
  const orders = settleDateOrders(dated);
  dated.forEach(({ candidate }, index) => {
    candidate.dateOrder = orders[index]?.order ?? null;
    candidate.dateEvidence = orders[index]?.evidence ?? null;
  });
}

/** Refuses a file of which more than half of the first records cannot be used. */
export function refuseMostlyUnreadable(candidate: Candidate): void {
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

/** What went wrong in the middle of a file, as an error for a person; what is no failure of a file is left as it is. */
export function readFailure(path: string, error: unknown): unknown {
  // Others, such as `write`, come from what the rows are given to.
  const { syscall } = error as NodeJS.ErrnoException;
  if (syscall !== 'open' && syscall !== 'read') return error;
  const { code, message } = missingInput(path, error);
  return new RelaywatchError({
    code,
    message: `${path}: ${message}`,
    hint: 'nothing was reported: run again',
    cause: error,
  });
}

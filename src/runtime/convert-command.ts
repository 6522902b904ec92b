/** The command `convert`: options, the rows where they belong, and what is said of them. */

import { checkOutputFile, openOutputFile, writeOutputFile } from '../adapters/file/output-file.ts';
import { readReferenceFile } from '../adapters/file/reference-file.ts';
import { EXPORT_COMMAND } from '../config/accepted-domains.ts';
import { type ConvertSettings, resolveConvertOptions } from '../config/convert-options.ts';
import type { RawConvertOptions } from '../config/options.ts';
import type { CanonicalRow } from '../core/canonical-row.ts';
import type { ExitCode } from '../core/outcome.ts';
import { ledgerJson } from '../reports/ndjson.ts';
import { anyRefused, notes, refusedFiles } from '../reports/notes.ts';
import type { Organization } from '../reports/trace-document.ts';
import type { ConvertResult } from './convert.ts';
import { DeadLetterWriter } from './dead-letters/file.ts';
import { createProgressLine } from './progress.ts';
import type { Streams } from './scan-command.ts';
import { streamOutput } from './stream-output.ts';

/** Runs the command; errors that a person can settle are thrown as RelaywatchError. */
export async function runConvert(
  paths: readonly string[],
  raw: RawConvertOptions,
  streams: Streams,
): Promise<ExitCode> {
  const settings = await resolveConvertOptions(paths, raw, {
    nowMs: Date.now(),
    readFile: (path) => readReferenceFile(path, '--accepted-domains'),
  });
  if (settings.isExplained) {
    const { explainInputs } = await import('./convert-explain.ts');
    return explainInputs(settings, streams);
  }
  const { out, ledger, deadLetters } = settings;
  if (out !== null) await checkOutputFile(out, '--out', paths);
  if (ledger !== null) await checkOutputFile(ledger, '--ledger', paths);
  if (deadLetters !== null) await checkOutputFile(deadLetters, '--dead-letters', paths);
  const { stdout, stderr } = streams;
  const result = await convertWithProgress(settings, stdout, stderr);
  if (ledger !== null) await writeOutputFile(ledger, ledgerJson(result.ledger));
  stderr.write(refusedFiles(result.ledger));
  if (!settings.quiet) stderr.write(commandNotes(settings, result));
  return anyRefused(result.ledger.files) ? 1 : 0;
}

async function convertWithProgress(
  settings: ConvertSettings,
  stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
): Promise<ConvertResult> {
  const { convert } = await import('./convert.ts');
  const letters = settings.deadLetters === null ? null : await openOutputFile(settings.deadLetters);
  const output = settings.out === null ? streamOutput(stdout) : await openOutputFile(settings.out);
  const progress = createProgressLine(stderr, settings.quiet);
  const text = await rowText(settings);
  try {
    let isFirst = true;
    const result = await convert(
      {
        ...settings,
        fileHashes: settings.ledger !== null,
        deadLetters: letters === null ? undefined : new DeadLetterWriter(letters),
        onProgress: (read) => progress.update({ phase: 'reading', ...read }),
      },
      async (rows, organization) => {
        if (isFirst) progress.clear();
        const lines = await text(rows, organization, isFirst);
        isFirst = false;
        return (await output.write(lines)) !== false;
      },
    );
    // A header is a table too: rows may be none.
    if (isFirst) await output.write(await text([], null, true));
    await output.finish();
    await letters?.finish();
    return result;
  } finally {
    progress.clear();
    await output.discard();
    await letters?.discard();
  }
}

type RowText = (rows: readonly CanonicalRow[], organization: Organization | null, isFirst: boolean) => Promise<string>;

/** What writes rows in the form that was asked for. */
async function rowText({ output, isRaw }: ConvertSettings): Promise<RowText> {
  if (output === 'ndjson') {
    const { traceNdjson } = await import('../reports/trace-document.ts');
    return async (rows, organization) => traceNdjson(rows, organization);
  }
  const { traceCsv, traceCsvHeader } = await import('../reports/trace-csv.ts');
  return async (rows, organization, isFirst) =>
    (isFirst ? await traceCsvHeader(isRaw) : '') + (await traceCsv(rows, organization, isRaw));
}

function commandNotes(settings: ConvertSettings, result: ConvertResult): string {
  const { inferred, acceptedDomains, ledger } = result;
  const warnings = [...settings.warnings, ...result.warnings];
  if (acceptedDomains.length === 0 && ledger.totals.rows.accepted > 0) {
    warnings.push('no accepted domain is known: rows have no direction and no sender_domain_status');
  }
  return notes({
    warnings,
    inferred: inferred === null || acceptedDomains.length === 0 ? null : { ...inferred, domains: acceptedDomains },
    exportCommand: EXPORT_COMMAND,
    command: 'convert',
    ledger,
    ledgerFile: settings.ledger ?? settings.deadLetters,
  });
}

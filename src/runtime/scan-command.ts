/** The command `scan`: options, the scan, and its results where they belong. */

import { checkOutputFile, openOutputFile, writeOutputFile } from '../adapters/file/output-file.ts';
import { readReferenceFile } from '../adapters/file/reference-file.ts';
import { EXPORT_COMMAND, EXPORT_HINT } from '../config/accepted-domains.ts';
import { nameOf } from '../config/allow-list.ts';
import type { RawScanOptions } from '../config/options.ts';
import { detectors } from '../config/registry.ts';
import { resolveScanOptions, type ScanSettings } from '../config/scan-options.ts';
import { SEVERITIES, SEVERITY_NUMBERS } from '../core/incident-document.ts';
import { type ExitCode, RelaywatchError } from '../core/outcome.ts';
import { evidenceNdjson, incidentsNdjson, ledgerJson } from '../reports/ndjson.ts';
import { allRefused, anyRefused, type HiddenMail, notes, refusedFiles } from '../reports/notes.ts';
import { incidentTable } from '../reports/table.ts';
import { DeadLetterWriter } from './dead-letters/file.ts';
import { createProgressLine } from './progress.ts';
import type { ScanResult } from './scan.ts';

export interface Streams {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

/** Runs the command; errors that a person can settle are thrown as RelaywatchError. */
export async function runScan(
  paths: readonly string[],
  raw: RawScanOptions,
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  const settings = await resolveScanOptions(paths, raw, {
    nowMs: Date.now(),
    readFile: readReferenceFile,
  });
  await checkOutputs(settings);
  const result = await scanWithProgress(settings, stderr);
  refuseWithoutDomains(result);
  // Results come last: a failure before leaves stdout empty.
  if (settings.evidenceOut !== null) {
    await writeOutputFile(settings.evidenceOut, evidenceNdjson(result.evidence, result.ledger.files));
  }
  if (settings.ledger !== null) await writeOutputFile(settings.ledger, ledgerJson(result.ledger));
  stderr.write(refusedFiles(result.ledger));
  if (!settings.quiet) stderr.write(commandNotes(settings, result));
  if (allRefused(result.ledger.files)) return 1;
  const report = reportText(settings, result, settings.out === null && hasColour(stdout));
  if (settings.out === null) await writeAll(stdout, report);
  else await writeOutputFile(settings.out, report);
  return exitCode(settings, result);
}

async function checkOutputs({ paths, out, ledger, deadLetters, evidenceOut }: ScanSettings): Promise<void> {
  if (out !== null) await checkOutputFile(out, '--out', paths);
  if (ledger !== null) await checkOutputFile(ledger, '--ledger', paths);
  if (deadLetters !== null) await checkOutputFile(deadLetters, '--dead-letters', paths);
  if (evidenceOut !== null) await checkOutputFile(evidenceOut, '--evidence-out', paths);
}

async function scanWithProgress(settings: ScanSettings, stderr: NodeJS.WriteStream): Promise<ScanResult> {
  const { scan } = await import('./scan.ts');
  const letters = settings.deadLetters === null ? null : await openOutputFile(settings.deadLetters);
  const progress = createProgressLine(stderr, settings.quiet);
  try {
    const fileHashes = settings.ledger !== null || settings.evidenceOut !== null;
    const deadLetters = letters === null ? undefined : new DeadLetterWriter(letters);
    const result = await scan({ ...settings, fileHashes, deadLetters, onProgress: progress.update });
    await letters?.finish();
    return result;
  } finally {
    progress.clear();
    await letters?.discard();
  }
}

/** Incidents that rest on no known domain at all would call the tenant's own mail a relay. */
function refuseWithoutDomains({ inferred, summary, incidents }: ScanResult): void {
  if (inferred === null || summary.acceptedDomains.length > 0 || incidents.length === 0) return;
  throw new RelaywatchError({
    code: 'accepted_domains',
    message:
      'the domains registered in the tenant cannot be told from these rows, and without them own mail looks relayed',
    hint: EXPORT_HINT,
    exitCode: 2,
  });
}

function commandNotes(settings: ScanSettings, result: ScanResult): string {
  return notes({
    warnings: [...settings.warnings, ...result.warnings],
    labels: { given: settings.tenant.feedback?.labels.length ?? 0, found: result.labelled },
    hidden: hiddenMail(settings, result),
    inferred: result.inferred === null ? null : { ...result.inferred, domains: result.summary.acceptedDomains },
    exportCommand: EXPORT_COMMAND,
    command: 'scan',
    ledger: result.ledger,
    ledgerFile: settings.ledger ?? settings.deadLetters,
  });
}

/** Wanted mail is in no incident, but it is told how much there was of it. */
function hiddenMail({ tenant }: ScanSettings, { allowed }: ScanResult): HiddenMail[] {
  return (tenant.feedback?.allow ?? []).map((entry, index) => ({
    ...allowed[index],
    name: nameOf(entry),
    owner: entry.owner,
  }));
}

function reportText(settings: ScanSettings, result: ScanResult, colour: boolean): string {
  if (settings.output === 'ndjson') return incidentsNdjson(result.incidents);
  return incidentTable({
    incidents: result.incidents,
    summary: result.summary,
    inferred: result.inferred !== null,
    tenant: settings.tenantName,
    guides: detectors,
    colour,
  });
}

/** Colours only on a terminal that can show them (no-color.org). */
function hasColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

/** Writes a text; a reader that has gone away (EPIPE) is no failure, it has seen what it wanted. */
function writeAll(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (error === null || error === undefined || (error as NodeJS.ErrnoException).code === 'EPIPE') resolve();
      else reject(error);
    });
  });
}

function exitCode({ failOn }: ScanSettings, { incidents, ledger }: ScanResult): ExitCode {
  if (anyRefused(ledger.files)) return 1;
  if (failOn === null) return 0;
  const least = SEVERITY_NUMBERS[SEVERITIES.indexOf(failOn)];
  return incidents.some((incident) => incident.event.severity >= least) ? 3 : 0;
}

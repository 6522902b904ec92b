/** The command `explain`: a detector, or the numbers of one incident of some exports. */

import { readReferenceFile } from '../adapters/file/reference-file.ts';
import { EXPORT_COMMAND } from '../config/accepted-domains.ts';
import { nearestName } from '../config/nearest-name.ts';
import type { RawScanOptions } from '../config/options.ts';
import { detectors } from '../config/registry.ts';
import { resolveScanOptions, type ScanSettings } from '../config/scan-options.ts';
import { type ExitCode, RelaywatchError } from '../core/outcome.ts';
import { detectorList, detectorPage } from '../reports/detector-page.ts';
import { incidentPage } from '../reports/incident-page.ts';
import { anyRefused, notes, refusedFiles } from '../reports/notes.ts';
import { createProgressLine } from './progress.ts';
import type { ScanResult } from './scan.ts';
import type { Streams } from './scan-command.ts';

const IDS_SHOWN = 5;
const INCIDENT = /^rw-[0-9a-f]{16}$/i;

export async function runExplain(
  [name, ...paths]: readonly string[],
  raw: RawScanOptions,
  streams: Streams,
): Promise<ExitCode> {
  if (name === undefined) {
    streams.stdout.write(detectorList(detectors));
    return 0;
  }
  if (INCIDENT.test(name)) return explainIncident(name.toLowerCase(), paths, raw, streams);
  const detector = detectors.find(({ series }) => series === name);
  if (detector === undefined) throw unknownName(name);
  if (paths.length > 0) {
    throw wrongUsage(
      `explaining the detector ${name} takes no files: ${paths[0]} is not used`,
      'To explain an incident, give its id before the files: relaywatch explain rw-0123456789abcdef exports/',
    );
  }
  streams.stdout.write(detectorPage(detector));
  return 0;
}

function unknownName(name: string): RelaywatchError {
  if (/^rw-/i.test(name)) {
    return wrongUsage(
      `${name} is no id of an incident: it has rw- and 16 digits from 0-9 and a-f`,
      'relaywatch scan shows the id of every incident, with --output ndjson as event.id',
    );
  }
  const names = detectors.map(({ series }) => series);
  const nearest = nearestName(name, names);
  return wrongUsage(
    `there is no detector ${name}`,
    `${nearest === null ? '' : `Did you mean ${nearest}? `}It is one of: ${names.join(', ')}. An incident is named by its id, such as rw-0123456789abcdef.`,
  );
}

async function explainIncident(
  id: string,
  paths: readonly string[],
  raw: RawScanOptions,
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  if (paths.length === 0) {
    throw wrongUsage(
      `explaining ${id} needs the exports that it was found in`,
      `relaywatch explain ${id} exports/ --accepted-domains accepted-domains.csv`,
    );
  }
  const settings = await resolveScanOptions(paths, raw, { nowMs: Date.now(), readFile: readReferenceFile });
  const { scan } = await import('./scan.ts');
  const progress = createProgressLine(stderr, settings.quiet);
  const result = await scan({
    ...settings,
    deadLetters: undefined,
    explain: id,
    fileHashes: false,
    onProgress: progress.update,
  }).finally(() => progress.clear());
  stderr.write(refusedFiles(result.ledger));
  if (!settings.quiet) stderr.write(explainNotes(settings, result));
  const document = result.incidents.find((incident) => incident.event.id === id);
  if (document === undefined) throw unknownIncident(id, result);
  const { explanation, marks } = result.explained ?? { explanation: null, marks: [] };
  const [series] = document.relaywatch.incident.series;
  const raisedBy = detectors.find((detector) => detector.series === (explanation?.series ?? series));
  stdout.write(incidentPage(document, explanation, marks, raisedBy?.title ?? ''));
  return anyRefused(result.ledger.files) ? 1 : 0;
}

function explainNotes(settings: ScanSettings, result: ScanResult): string {
  return notes({
    warnings: [...settings.warnings, ...result.warnings],
    inferred: result.inferred === null ? null : { ...result.inferred, domains: result.summary.acceptedDomains },
    exportCommand: EXPORT_COMMAND,
    command: 'explain',
    ledger: result.ledger,
    ledgerFile: null,
  });
}

function unknownIncident(id: string, { incidents }: ScanResult): RelaywatchError {
  const known = incidents.map((incident) => incident.event.id);
  const more = known.length > IDS_SHOWN ? ` and ${known.length - IDS_SHOWN} more` : '';
  const found = known.length === 0 ? 'They have none' : `They have ${known.slice(0, IDS_SHOWN).join(', ')}${more}`;
  return new RelaywatchError({
    code: 'unknown_incident',
    message: `these exports have no incident ${id}`,
    hint: `${found}. Give all exports and the options that it was found with: ids depend on --tenant and on the rows.`,
    exitCode: 1,
  });
}

function wrongUsage(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'usage', message, hint, exitCode: 2 });
}

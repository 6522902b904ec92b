/** The command `explain`: a detector, or the numbers of one incident of some exports. */

import { readReferenceFile } from '../adapters/file/reference-file.ts';
import { nearestName } from '../config/nearest-name.ts';
import type { RawScanOptions } from '../config/options.ts';
import { detectors } from '../config/registry.ts';
import { resolveScanOptions } from '../config/scan-options.ts';
import { type ExitCode, RelaywatchError } from '../core/outcome.ts';
import { detectorList, detectorPage } from '../reports/detector-page.ts';
import { incidentPage } from '../reports/incident-page.ts';
import { refusedFiles } from '../reports/notes.ts';
import { createProgressLine } from './progress.ts';
import type { Streams } from './scan-command.ts';

const INCIDENT = /^rw-[0-9a-f]{16}$/;

export async function runExplain(
  [name, ...paths]: readonly string[],
  raw: RawScanOptions,
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  if (name === undefined) {
    stdout.write(detectorList(detectors));
    return 0;
  }
  if (INCIDENT.test(name)) return explainIncident(name, paths, raw, { stdout, stderr });
  const detector = detectors.find(({ series }) => series === name);
  if (detector === undefined) {
    const nearest = nearestName(
      name,
      detectors.map(({ series }) => series),
    );
    throw new RelaywatchError({
      code: 'unknown_detector',
      message: `there is no detector ${name}${nearest === null ? '' : `; did you mean ${nearest}?`}`,
      hint: 'relaywatch explain lists them; an incident is named by its id, such as rw-0123456789abcdef',
      exitCode: 2,
    });
  }
  stdout.write(detectorPage(detector));
  return 0;
}

async function explainIncident(
  id: string,
  paths: readonly string[],
  raw: RawScanOptions,
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  if (paths.length === 0) {
    throw new RelaywatchError({
      code: 'no_input',
      message: `explaining ${id} needs the exports that it was found in`,
      hint: `relaywatch explain ${id} exports/ --accepted-domains accepted-domains.csv`,
      exitCode: 2,
    });
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
  const document = result.incidents.find((incident) => incident.event.id === id);
  if (document === undefined) {
    const known = result.incidents.map((incident) => incident.event.id);
    throw new RelaywatchError({
      code: 'unknown_incident',
      message: `these exports have no incident ${id}`,
      hint:
        known.length === 0
          ? 'They have no incident at all: give the exports, and the options, that it was found with.'
          : `They have ${known.slice(0, 5).join(', ')}: give the exports, and the options, that it was found with.`,
      exitCode: 1,
    });
  }
  stdout.write(incidentPage(document, result.explained?.explanation ?? null, result.explained?.marks ?? []));
  return 0;
}

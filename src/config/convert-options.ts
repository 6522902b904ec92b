/** From the options of `convert` as typed to the values it takes. Every wrong value is exit 2. */

import type { ReadFile } from './accepted-domains.ts';
import { CONVERT_OUTPUTS, type RawConvertOptions } from './options.ts';
import { choice, resolveScanOptions, type ScanSettings, usage } from './scan-options.ts';

export interface ConvertSettings
  extends Pick<
    ScanSettings,
    | 'paths'
    | 'tenant'
    | 'range'
    | 'format'
    | 'dateOrder'
    | 'reader'
    | 'memoryMiB'
    | 'out'
    | 'ledger'
    | 'deadLetters'
    | 'quiet'
    | 'warnings'
  > {
  output: (typeof CONVERT_OUTPUTS)[number];
  /** CSV cells as they are. */
  isRaw: boolean;
  isExplained: boolean;
}

export async function resolveConvertOptions(
  paths: readonly string[],
  { explain = false, raw = false, output, ...shared }: RawConvertOptions,
  surroundings: { nowMs: number; readFile: ReadFile },
): Promise<ConvertSettings> {
  if (paths.length === 0) {
    throw usage('convert needs a file or a folder to read', 'For example: relaywatch convert trace.csv --output csv');
  }
  const form = choice('--output', output ?? 'ndjson', CONVERT_OUTPUTS);
  if (raw && form !== 'csv') throw usage('--raw is for CSV alone', 'Add --output csv, or leave --raw out.');
  if (explain) {
    const [other] = Object.entries({
      output,
      out: shared.out,
      ledger: shared.ledger,
      'dead-letters': shared.deadLetters,
    })
      .filter(([, value]) => value !== undefined)
      .map(([name]) => name);
    if (other !== undefined) throw usage(`--explain prints no rows and takes no --${other}`, 'Leave one of them out.');
  }
  const settings = await resolveScanOptions(paths, shared, surroundings);
  return { ...settings, output: form, isRaw: raw, isExplained: explain };
}

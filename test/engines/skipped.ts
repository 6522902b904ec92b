/** What a test run did not prove: suites write it down when they are skipped, the end of the run says it. */

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ENGINES, type EngineName } from './engines.ts';

/** Engines that this machine cannot run, and why. */
export type MissingEngines = Partial<Record<EngineName, string>>;

export interface SkippedSuite {
  suite: string;
  missing: EngineName[];
}

const FILE_NAME = 'skipped.ndjson';

/** Writes down a suite, in a folder of the run. */
export function recordSkipped(folder: string, skipped: SkippedSuite): void {
  appendFileSync(path.join(folder, FILE_NAME), `${JSON.stringify(skipped)}\n`);
}

export function readSkipped(folder: string): SkippedSuite[] {
  const file = path.join(folder, FILE_NAME);
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  return lines.map((line) => JSON.parse(line));
}

/** One line for all of them; null when there are none. */
export function notProven(skipped: SkippedSuite[], reasons: MissingEngines): string | null {
  if (skipped.length === 0) return null;
  const engines = ENGINES.filter((name) => skipped.some(({ missing }) => missing.includes(name)));
  const why = [...Map.groupBy(engines, (name) => reasons[name])].map(
    ([reason, names]) => `${names.join(', ')}: ${reason}`,
  );
  const suites = [...new Set(skipped.map(({ suite }) => `"${suite}"`))].sort().join(', ');
  return (
    `!!! NOT PROVEN, because engines are missing (${why.join('; ')}): ${suites}. ` +
    'With RELAYWATCH_REQUIRE_ENGINES=1 these fail.'
  );
}

/** Whether a missing engine is a failure: RELAYWATCH_REQUIRE_ENGINES=1. */
export function enginesAreRequired(): boolean {
  return !['', '0'].includes(process.env.RELAYWATCH_REQUIRE_ENGINES ?? '');
}

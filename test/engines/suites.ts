/** Suites of tests that need engines: skipped, or failed, where there are none. */

import { afterAll, beforeAll, describe, inject } from 'vitest';
import {
  ENGINES,
  type EngineName,
  type Engines,
  type OwnEngines,
  shared,
  startEngines,
  startOwnEngines,
  type Wanted,
} from './engines.ts';
import { enginesAreRequired, type MissingEngines, recordSkipped } from './skipped.ts';

/** What the start of a test run tells all its test files. */
export interface EnginesOfRun {
  /** Folder of the set of servers that they share; null when there can be none, and all engines are missing. */
  set: string | null;
  missing: MissingEngines;
  /** Folder for what they leave to be read at the end. */
  notes: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    engines: EnginesOfRun;
  }
}

const START_TIMEOUT_MS = 240_000;

/**
 * Tests with engines that the whole run shares: they use names of their own, and leave the engines as
 * they are. `engines` may be called inside of tests and hooks.
 */
export function describeWithEngines<const W extends Wanted>(
  name: string,
  wanted: W,
  tests: (engines: () => Engines<W>) => void,
): void {
  describeUnless(name, missingOf(wanted, true), () => {
    let engines: Engines<W>;
    beforeAll(async () => {
      engines = await startEngines(wanted, inject('engines').set!);
    }, START_TIMEOUT_MS);
    tests(() => engines);
  });
}

/** Tests with engines of their own, which they may pause, kill and restart. */
export function describeWithOwnEngines<const W extends Wanted>(
  name: string,
  wanted: W,
  tests: (engines: () => OwnEngines<W>) => void,
): void {
  describeUnless(name, missingOf(wanted, false), () => {
    let own: Awaited<ReturnType<typeof startOwnEngines<W>>> | undefined;
    beforeAll(async () => {
      own = await startOwnEngines(wanted);
    }, START_TIMEOUT_MS);
    afterAll(() => own?.close());
    tests(() => own!.engines);
  });
}

function missingOf(wanted: Wanted, mayBeGiven: boolean): EngineName[] {
  const { missing, set } = inject('engines');
  return ENGINES.filter((name) => {
    const options = wanted[name];
    return options !== undefined && missing[name] !== undefined && !(mayBeGiven && shared(name, options, set) !== null);
  });
}

function describeUnless(suite: string, missing: EngineName[], tests: () => void): void {
  if (missing.length === 0) {
    describe(suite, tests);
    return;
  }
  const { notes, missing: reasons } = inject('engines');
  if (enginesAreRequired()) {
    const why = missing.map((name) => `${name} is required and cannot be started: ${reasons[name]}`).join('; ');
    describe(suite, () => {
      beforeAll(() => {
        throw new Error(why);
      });
      tests();
    });
    return;
  }
  recordSkipped(notes, { suite, missing });
  describe.skip(suite, tests);
}

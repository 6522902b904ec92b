/** Before and after all tests that need engines. Servers start later, when the first test asks for one. */

import type { TestProject } from 'vitest/node';
import { openSet } from './engine-set.ts';
import { ENGINES, installEngine, whyMissing } from './engines.ts';
import { type MissingEngines, notProven, readSkipped } from './skipped.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const set = await openSet();
  const missing: MissingEngines = {};
  for (const name of ENGINES) {
    try {
      const reason = whyMissing(name);
      if (reason === null) await installEngine(name);
      else missing[name] = reason;
    } catch (error) {
      missing[name] = (error as Error).message;
    }
  }
  project.provide('engines', { set: set.folder, missing });
  return async () => {
    const line = notProven(readSkipped(set.folder), missing);
    await set.close();
    if (line !== null) process.stderr.write(`\n${line}\n\n`);
  };
}

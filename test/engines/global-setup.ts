/** Before and after all tests that need engines. Servers start later, when the first test asks for one. */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { startComposed } from './compose.ts';
import { openSet } from './engine-set.ts';
import { ENGINES, type EngineName, given, installEngine, whyMissing } from './engines.ts';
import { type MissingEngines, notProven, readSkipped } from './skipped.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const set = await openSet().catch((error: Error) => error);
  const notes = set instanceof Error ? mkdtempSync(path.join(os.tmpdir(), 'relaywatch-tests-')) : set.folder;
  if (!(set instanceof Error)) {
    await startComposed(
      set.folder,
      ENGINES.filter((name) => given(name) === null),
    );
  }
  const missing: MissingEngines = {};
  for (const name of ENGINES) {
    const reason = set instanceof Error ? set.message : await whyNotReady(name);
    if (reason !== null) missing[name] = reason;
  }
  project.provide('engines', { set: set instanceof Error ? null : set.folder, missing, notes });
  return async () => {
    const line = notProven(readSkipped(notes), missing);
    if (set instanceof Error) rmSync(notes, { recursive: true });
    else await set.close();
    if (line !== null) process.stderr.write(`\n${line}\n\n`);
  };
}

/** Installs an engine; null when it is there, else why it is not. */
async function whyNotReady(name: EngineName): Promise<string | null> {
  try {
    const reason = whyMissing(name);
    if (reason === null) await installEngine(name);
    return reason;
  } catch (error) {
    return (error as Error).message;
  }
}

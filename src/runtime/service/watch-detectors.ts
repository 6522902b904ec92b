/** Whether the detectors go on: a partition whose entries nobody takes is a finding, until somebody does. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, replaceFile } from '../../adapters/file/durable-file.ts';
import type { Pipeline } from '../../config/pipeline/pipeline.ts';
import { MINUTE_MS } from '../../core/calendar.ts';
import type { OutputStore, ReplaceWrite } from '../../core/delivery.ts';
import { DEFAULT_COMPLETENESS } from '../completeness/checks.ts';
import { type CompletenessState, createCompletenessMonitor } from '../completeness/monitor.ts';
import { kafkaSettings, logOf, type OnTrouble } from './components.ts';

const LOOK_EVERY_MS = MINUTE_MS;
const STATE_FILE = 'completeness.json';

export interface WatchDetectorsOptions {
  pipeline: Pipeline;
  outputs: OutputStore;
  onTrouble: OnTrouble;
  now: () => number;
  signal: AbortSignal;
}

/** Looks once a minute, until `signal` aborts. What is open is remembered in the spool, where there is one. */
export async function watchDetectors({ pipeline, outputs, onTrouble, now, signal }: WatchDetectorsOptions) {
  const { readKafkaLag } = await import('../../adapters/kafka/lag.ts');
  const settings = kafkaSettings(logOf(pipeline));
  const folder = pipeline.jobs?.spool ?? null;
  const tenants = pipeline.tenants.map(({ key }) => key);
  const monitor = createCompletenessMonitor({ pipeline: pipeline.name, tenants, settings: DEFAULT_COMPLETENESS });
  const saved = folder === null ? null : await readState(path.join(folder, STATE_FILE));
  if (saved !== null) monitor.load(saved);
  /** Findings that the store has not taken yet. */
  let undelivered: ReplaceWrite[] = [];
  const moved = new Map<number, { committedOffset: number; atMs: number }>();
  while (!signal.aborted) {
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const atMs = now();
      const partitions = (await readKafkaLag(settings)).map(({ partition, endOffset, committedOffset }) => {
        const before = moved.get(partition);
        if (before?.committedOffset !== committedOffset) moved.set(partition, { committedOffset, atMs });
        return {
          partition,
          endOffset,
          committedOffset,
          lagEntries: endOffset - Math.max(0, committedOffset),
          committedMovedAtMs: moved.get(partition)?.atMs ?? atMs,
        };
      });
      undelivered.push(...monitor.observe({ atMs, tenants: [], partitions }));
      if (undelivered.length > 0) await outputs.deliver(undelivered, signal);
      undelivered = [];
      if (folder !== null) await saveState(folder, monitor.save());
      onTrouble('detectors', null);
    } catch (error) {
      if (signal.aborted) return;
      onTrouble('detectors', `it cannot be seen whether the detectors go on: ${(error as Error).message}`);
    }
  }
}

async function readState(file: string): Promise<CompletenessState | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return JSON.parse(text) as CompletenessState;
  } catch {
    return null;
  }
}

async function saveState(folder: string, state: CompletenessState): Promise<void> {
  await makeFolder(folder);
  await replaceFile(path.join(folder, STATE_FILE), [Buffer.from(JSON.stringify(state))]);
}

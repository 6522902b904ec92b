/** What every long-running worker is given, and how it waits for what is away. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Pipeline } from '../../config/pipeline/pipeline.ts';
import type { OutputStore } from '../../core/delivery.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { OnTrouble } from './components.ts';

export interface ServiceContext {
  pipeline: Pipeline;
  telemetry: Telemetry;
  /** Wall time in milliseconds. */
  now: () => number;
  /** Stop when everything that is there has been read. */
  once: boolean;
  /** Aborts when the worker is to stop: finish, checkpoint, leave. */
  signal: AbortSignal;
}

/** A worker of one role. Resolves when it has stopped as it was asked to; rejects for what a person has to mend. */
export type Service = (context: ServiceContext) => Promise<void>;

/** Outputs that are away hold a stopping worker up no longer than this: what was not written is written after. */
export const STOP_PATIENCE_MS = 10_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** Says what is wrong with a part, once, and when it works again. */
export function troubleReporter({ telemetry }: Pick<ServiceContext, 'telemetry'>): OnTrouble {
  const current = new Map<string, string>();
  return (component, trouble) => {
    if (trouble === null) {
      current.delete(component);
      telemetry.ready(component, true, `${component} answers again`);
      return;
    }
    telemetry.metrics.trouble(component);
    telemetry.ready(component, false, trouble);
    if (current.get(component) === trouble) return;
    current.set(component, trouble);
  };
}

/**
 * What is told of servers that a part waits for. Attempt after attempt is a sign of its life, which a restart would
 * not help: that the server is away is a matter of readiness.
 */
export function waitingPart(part: string, telemetry: Pick<Telemetry, 'progress'>, onTrouble: OnTrouble): OnTrouble {
  return (component, trouble) => {
    telemetry.progress(part);
    onTrouble(component, trouble);
  };
}

/**
 * Works, and asks the outputs meanwhile whether they take what is to come: where they do not, as with a wrong key,
 * the worker ends now and not with the first incident. Outputs that are away hold nothing up.
 */
export async function workWithOutputs(
  outputs: Pick<OutputStore, 'check'>,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const inner = new AbortController();
  const stop = AbortSignal.any([signal, inner.signal]);
  const checking = outputs.check(stop).catch((error) => {
    if (stop.aborted) return;
    inner.abort();
    throw error;
  });
  const working = work(stop).finally(() => inner.abort());
  for (const end of await Promise.allSettled([checking, working])) {
    if (end.status === 'rejected') throw end.reason;
  }
}

/** Tries until it succeeds or `signal` aborts; what a person has to mend (exit code 2) is not tried again. */
export async function patiently<T>(
  what: () => Promise<T>,
  signal: AbortSignal,
  onFailure: (message: string) => void,
): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      return await what();
    } catch (error) {
      if (signal.aborted || (error instanceof RelaywatchError && error.exitCode === 2)) throw error;
      onFailure((error as Error).message);
      await sleep(pauseMs, undefined, { signal });
    }
  }
}

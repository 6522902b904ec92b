/** The worker of the role `detect`: envelopes from Kafka, incidents to the outputs, checkpoints between. */

import { setTimeout as sleep } from 'node:timers/promises';
import { DAY_MS, dayOf } from '../../core/calendar.ts';
import type { JobQueue } from '../../core/jobs.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { DetectWorker } from '../detect/detect-worker.ts';
import { lateRowsFinding } from '../detect/findings.ts';
import { DETECTOR } from '../telemetry/telemetry.ts';
import {
  logOf,
  openCheckpoints,
  openDeadLetters,
  openJobs,
  openOutputs,
  openSource,
  profilesOf,
} from './components.ts';
import { homePartitions } from './home-partitions.ts';
import { patiently, type Service, STOP_PATIENCE_MS, troubleReporter, waitingPart, workWithOutputs } from './service.ts';
import { reportTenants } from './tenant-gauges.ts';
import { watchSource } from './watch-source.ts';

/** Entries that are not handed over for so long, although there are some, mean a worker that is stuck. */
const STUCK_AFTER_MS = 300_000;

export const runDetect: Service = async ({ pipeline, telemetry, now, signal }) => {
  const reportTrouble = troubleReporter({ telemetry });
  const onTrouble = waitingPart(DETECTOR, telemetry, reportTrouble);
  const outputs = await openOutputs(pipeline, onTrouble);
  const checkpoints = await openCheckpoints(pipeline, onTrouble);
  const jobs = pipeline.jobs === null ? null : await openJobs(pipeline, onTrouble);
  const deadEntries = await openDeadLetters(pipeline, onTrouble);
  // A source that has trouble with a detector that is stuck is no sign of its life.
  const source = await openSource(pipeline, reportTrouble);
  const worker = new DetectWorker({
    pipeline: pipeline.name,
    profiles: profilesOf(pipeline),
    checkpoints,
    outputs,
    deadEntries,
    now,
    homeOf: await homePartitions(pipeline, signal),
    observer: telemetry.observer,
    onLate: async (tenant, fromMs) => {
      telemetry.log.warn(
        'A rescan is due: rows came after their day was sealed, or what a rescan found may have ended',
        { action: 'late_rows', tenant },
      );
      const fromDayMs = dayOf(fromMs) * DAY_MS;
      if (jobs === null) await outputs.deliver([lateRowsFinding(tenant, fromDayMs, now())], signal);
      else await submitRescan(jobs, tenant, fromDayMs);
    },
  });
  async function submitRescan(queue: JobQueue, tenant: string, fromMs: number): Promise<void> {
    const job = { kind: 'rescan', tenant, fromMs, toMs: null } as const;
    await patiently(
      () => queue.submit(job),
      signal,
      (message) => onTrouble('jobs', message),
    );
    onTrouble('jobs', null);
  }
  telemetry.watch(DETECTOR, STUCK_AFTER_MS);
  const stopGauges = reportTenants(worker, telemetry);
  const { group, brokers } = logOf(pipeline);
  telemetry.ready('kafka', false, `joining the group ${group} at ${brokers.join(', ')}`);
  let hasJoined = false;
  const { handler, stop } = watchSource(source, worker, {
    onFree: () => telemetry.progress(DETECTOR),
    onReady: (isReady) => {
      const detail = isReady ? 'consuming' : `Kafka (${brokers.join(', ')}) has given no sign of life for a while`;
      // It was not ready before, so that nothing is said otherwise.
      if (!isReady && !hasJoined) telemetry.log.warn(detail, { action: 'component_not_ready', component: 'kafka' });
      hasJoined ||= isReady;
      telemetry.ready('kafka', isReady, detail);
    },
  });
  let hasGivenUp = false;
  try {
    await workWithOutputs(outputs, signal, (stop) => {
      stop.addEventListener('abort', () => {
        sleep(STOP_PATIENCE_MS, undefined, { ref: false }).then(() => {
          hasGivenUp = true;
          worker.abort();
          // What waits for Redis ends with the connection.
          void checkpoints.close();
        });
      });
      return source.run(handler, stop);
    });
  } catch (error) {
    if (!hasGivenUp || !(error instanceof RelaywatchError) || error.code !== 'redis_closed') throw error;
  } finally {
    stop();
    stopGauges();
    worker.abort();
    await Promise.allSettled([outputs.close(), checkpoints.close(), deadEntries.close(), jobs?.close()]);
  }
};

/**
 * The worker of the role `embedded`: a folder of exports in, incidents out, in one process and without any
 * service. Exports go to the archive and to a journal, the detector reads the journal, and what it knows
 * lies in the state folder: killed at any moment, the next start goes on.
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createArchive } from '../../adapters/file/archive.ts';
import { lockFolder } from '../../adapters/file/folder-lock.ts';
import { openJournal } from '../../adapters/file/journal.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { DetectWorker } from '../detect/detect-worker.ts';
import { DETECTOR } from '../telemetry/telemetry.ts';
import { openCheckpoints, openOutputs, profilesOf } from './components.ts';
import { type ExportFolder, openExportFolder } from './export-folder.ts';
import { RescanQueue } from './rescan-queue.ts';
import { type Service, STOP_PATIENCE_MS, troubleReporter, waitingPart, workWithOutputs } from './service.ts';
import { reportTenants } from './tenant-gauges.ts';

const STUCK_AFTER_MS = 300_000;
/** Nobody else hands exports over: those that are there have been seen. */
const SEAL_QUIET_MS = 10_000;
const LOOK_EVERY_MS = 500;
/** The journal has one for all tenants. */
const JOURNAL_PARTITION = 0;

export const runEmbedded: Service = async ({ pipeline, telemetry, now, signal, once }) => {
  const { state, archive: archiveSettings } = pipeline;
  if (state?.kind !== 'folder' || pipeline.inputs.folder === null || archiveSettings === null) {
    throw new RelaywatchError({
      code: 'pipeline',
      message: `${pipeline.file}: the role embedded needs inputs.folder, state.folder and archive`,
      hint: 'relaywatch lint shows what the role needs.',
      exitCode: 2,
    });
  }
  const lock = await lockFolder(state.path);
  try {
    const onTrouble = waitingPart(DETECTOR, telemetry, troubleReporter({ telemetry }));
    const outputs = await openOutputs(pipeline, onTrouble);
    const checkpoints = await openCheckpoints(pipeline, onTrouble);
    const journal = await openJournal(path.join(state.path, 'journal'));
    const archive = createArchive(archiveSettings.path);
    const profiles = profilesOf(pipeline);
    const rescans = new RescanQueue({
      folder: path.join(state.path, 'rescans'),
      archive,
      profiles,
      outputs,
      telemetry,
      now,
      beforeRescan: () => folder.archiveGrowth(),
    });
    await rescans.open();
    let isReading = true;
    let isJournalTroubled = false;
    const worker = new DetectWorker({
      pipeline: pipeline.name,
      profiles,
      checkpoints,
      outputs,
      now,
      isHeld: () => isReading,
      homeOf: () => JOURNAL_PARTITION,
      sealQuietMs: SEAL_QUIET_MS,
      onLate: (tenant, fromMs) => rescans.add(tenant, fromMs),
      observer: {
        ...telemetry.observer,
        checkpointed(partition, nextOffset, oldestOffset) {
          telemetry.observer.checkpointed(partition, nextOffset, oldestOffset);
          journal.trim(oldestOffset).then(
            () => {
              if (isJournalTroubled) onTrouble('journal', null);
              isJournalTroubled = false;
            },
            (error: Error) => {
              isJournalTroubled = true;
              onTrouble('journal', error.message);
            },
          );
        },
      },
    });
    telemetry.watch(DETECTOR, STUCK_AFTER_MS);
    telemetry.ready('folder', true, 'watching');
    const stopGauges = reportTenants(worker, telemetry);
    const inner = new AbortController();
    const stop = AbortSignal.any([signal, inner.signal]);
    signal.addEventListener('abort', () => {
      sleep(STOP_PATIENCE_MS, undefined, { ref: false }).then(() => worker.abort());
    });
    let handedOver = 0;
    const folder: ExportFolder = await openExportFolder({
      pipeline,
      stateFolder: path.join(state.path, 'watch'),
      sink: journal.sink,
      archive,
      telemetry,
      now,
      signal: stop,
      onHandedOver: () => {
        handedOver++;
      },
    });
    const consuming = workWithOutputs(outputs, stop, (both) => journal.source.run(worker, both));
    // A detector that failed ends the looking too.
    consuming.catch(() => inner.abort());
    try {
      // A run that is to end once all is read waits for copies that are still growing.
      const quietLooks = Math.ceil(pipeline.inputs.folder.settleMs / LOOK_EVERY_MS) + 2;
      for (let quiet = 0; !stop.aborted && quiet < quietLooks; ) {
        const before = handedOver;
        isReading = true;
        await folder.look();
        isReading = handedOver !== before;
        const isCaughtUp = !isReading && worker.doneUntil(JOURNAL_PARTITION) >= journal.end;
        if (isCaughtUp) await rescans.run(stop);
        quiet = once && isCaughtUp ? quiet + 1 : 0;
        await sleep(LOOK_EVERY_MS, undefined, { signal: stop }).catch(() => undefined);
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    } finally {
      isReading = false;
      stopGauges();
      inner.abort();
      await consuming.finally(() => folder.close());
      await Promise.allSettled([outputs.close(), checkpoints.close(), journal.close()]);
    }
  } finally {
    await lock.release();
  }
};

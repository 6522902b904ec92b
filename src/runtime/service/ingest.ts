/** The worker of the role `ingest`: a folder of exports to the log, and to the archive where there is one. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createArchive } from '../../adapters/file/archive.ts';
import { lockFolder } from '../../adapters/file/folder-lock.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { openSink } from './components.ts';
import { openExportFolder } from './export-folder.ts';
import { type Service, troubleReporter } from './service.ts';

const LOOK_EVERY_MS = 1_000;

export const runIngest: Service = async ({ pipeline, telemetry, now, signal, once }) => {
  const { state, inputs } = pipeline;
  if (state?.kind !== 'folder' || inputs.folder === null) {
    throw new RelaywatchError({
      code: 'pipeline',
      message: `${pipeline.file}: the role ingest needs inputs.folder and state.folder`,
      hint: 'The state folder remembers what was handed over; relaywatch lint shows what the role needs.',
      exitCode: 2,
    });
  }
  const lock = await lockFolder(state.path);
  try {
    const sink = await openSink(pipeline, troubleReporter({ telemetry }));
    let handedOver = 0;
    const folder = await openExportFolder({
      pipeline,
      stateFolder: path.join(state.path, 'watch'),
      sink,
      archive: pipeline.archive === null ? null : createArchive(pipeline.archive.path),
      telemetry,
      now,
      signal,
      onHandedOver: () => {
        handedOver++;
      },
    });
    telemetry.ready('folder', true, 'watching');
    try {
      const quietLooks = Math.ceil(inputs.folder.settleMs / LOOK_EVERY_MS) + 2;
      for (let quiet = 0; !signal.aborted && quiet < quietLooks; ) {
        const before = handedOver;
        await folder.look();
        telemetry.progress('folder');
        quiet = once && handedOver === before ? quiet + 1 : 0;
        await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await Promise.allSettled([folder.close(), sink.close()]);
    }
  } finally {
    await lock.release();
  }
};

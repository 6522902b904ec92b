/** The worker of the role `ingest`: a folder of exports, a topic of records, or both, to the log. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createArchive } from '../../adapters/file/archive.ts';
import { lockFolder } from '../../adapters/file/folder-lock.ts';
import type { KafkaInput } from '../../config/pipeline/pipeline.ts';
import type { EnvelopeSink } from '../../core/envelope-log.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { RecordIngest, type RecordObserver } from '../ingest/kafka-records.ts';
import { RecordArchive } from '../ingest/record-archive.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { openRecordSource, openSink } from './components.ts';
import { openExportFolder } from './export-folder.ts';
import { type Service, type ServiceContext, STOP_PATIENCE_MS, troubleReporter, waitingPart } from './service.ts';

const LOOK_EVERY_MS = 1_000;
/** What `/healthz` calls the reading of a topic. */
const RECORDS = 'ingest';
/** A topic of which there is no sign of life for so long means a worker that is stuck. */
const STUCK_AFTER_MS = 300_000;
const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const runIngest: Service = async (context) => {
  const { pipeline, telemetry, signal } = context;
  const { inputs } = pipeline;
  if (inputs.folder === null && inputs.kafka === null) {
    throw new RelaywatchError({
      code: 'pipeline',
      message: `${pipeline.file}: the role ingest needs inputs.folder or inputs.kafka`,
      hint: 'relaywatch lint shows what the role needs.',
      exitCode: 2,
    });
  }
  const sink = await openSink(pipeline, waitingPart(RECORDS, telemetry, troubleReporter({ telemetry })));
  const inner = new AbortController();
  const both = { ...context, signal: AbortSignal.any([signal, inner.signal]) };
  const parts: Promise<void>[] = [];
  if (inputs.folder !== null) parts.push(ingestFolder(both, sink));
  if (inputs.kafka !== null) parts.push(ingestRecords(both, inputs.kafka, sink));
  try {
    await Promise.all(parts);
  } finally {
    // One that failed ends the other.
    inner.abort();
    await Promise.allSettled(parts);
    await sink.close();
  }
};

/** The folder's exports to the log, and to the archive where there is one. */
async function ingestFolder(context: ServiceContext, sink: EnvelopeSink): Promise<void> {
  const { pipeline, telemetry, now, signal, once } = context;
  const { state, inputs } = pipeline;
  if (state?.kind !== 'folder' || inputs.folder === null) {
    throw new RelaywatchError({
      code: 'pipeline',
      message: `${pipeline.file}: the role ingest needs state.folder for its inputs.folder`,
      hint: 'The state folder remembers what was handed over; relaywatch lint shows what the role needs.',
      exitCode: 2,
    });
  }
  const lock = await lockFolder(state.path);
  try {
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
      await folder.close();
    }
  } finally {
    await lock.release();
  }
}

/** The topic's records to the log. How far they are is kept by the group of the topic. */
async function ingestRecords(context: ServiceContext, input: KafkaInput, sink: EnvelopeSink): Promise<void> {
  const { pipeline, telemetry, now, signal, once } = context;
  const profile = pipeline.tenants.find(({ key }) => key === input.tenant);
  const source = await openRecordSource(input, troubleReporter({ telemetry }));
  const { tenant, topic } = input;
  const archive =
    pipeline.archive === null
      ? null
      : new RecordArchive({
          archive: createArchive(pipeline.archive.path),
          folder: pipeline.archive.path,
          tenant,
          topic,
          now,
        });
  const ingest = new RecordIngest({
    topic,
    tenant,
    ...(archive === null ? {} : { archive }),
    tenantIds: (profile?.organizations ?? []).filter((one) => GUID.test(one)),
    dateOrder: profile?.dateOrder ?? null,
    sink,
    now,
    observer: recordObserver(telemetry, input),
  });
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  signal.addEventListener('abort', () => {
    sleep(STOP_PATIENCE_MS, undefined, { ref: false }).then(() => ingest.abort());
  });
  telemetry.watch(RECORDS, STUCK_AFTER_MS);
  telemetry.ready(RECORDS, true, `reading ${input.topic}`);
  let aliveMs = source.lastProgressMs;
  const look = setInterval(() => {
    if (source.lastProgressMs !== aliveMs) telemetry.progress(RECORDS);
    aliveMs = source.lastProgressMs;
    if (once && ingest.isCaughtUp) done.abort();
  }, LOOK_EVERY_MS);
  try {
    await source.run(ingest, stop);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(look);
    ingest.abort();
    await archive?.close();
  }
}

function recordObserver({ metrics, log }: Telemetry, { topic, tenant }: KafkaInput): RecordObserver {
  return {
    sent(records, refused, others) {
      for (const [format, count] of records) metrics.rowsIngested(format, 'sent', count);
      for (const [code, count] of refused) metrics.deadLetters(code, count);
      if (others > 0) metrics.rowsIngested('other', 'dropped', others);
    },
    behind: (partition, messages) => metrics.consumerLag(partition, messages),
    gap(partition, expected, found) {
      const lost = found - expected;
      const what =
        lost < 0
          ? `${topic} is not the topic that was read before: it is read from its oldest message on`
          : `${lost} messages of ${topic} were removed before they were read`;
      log.error(what, { action: 'records_lost', tenant, partition, count: Math.max(0, lost) });
    },
  };
}

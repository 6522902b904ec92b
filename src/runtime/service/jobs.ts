/** The worker of the role `jobs`: submitted files to the log, rescans of past days, and what is missing. */

import { createArchive } from '../../adapters/file/archive.ts';
import { createJobSpool } from '../../adapters/file/job-spool.ts';
import { type Job, type JobContext, JobRefused } from '../../core/jobs.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { ingestFile } from '../ingest/ingest-file.ts';
import { resubmitPending, withSpool } from '../jobs/resubmit.ts';
import { rescanArchive } from '../rescan/rescan-archive.ts';
import { openJobs, openOutputs, openSink, profilesOf, troublesOf } from './components.ts';
import { type Service, troubleReporter, workWithOutputs } from './service.ts';
import { watchDetectors } from './watch-detectors.ts';

/** What is wrong with a file, and stays so. */
const FILE_CODES: ReadonlySet<string> = new Set(['file_changed', 'not_found', 'not_readable', 'not_a_file']);

export const runJobs: Service = async ({ pipeline, telemetry, now, signal }) => {
  const onTrouble = troubleReporter({ telemetry });
  const queue = await openJobs(pipeline, onTrouble);
  const sink = await openSink(pipeline, onTrouble);
  const outputs = await openOutputs(pipeline, onTrouble);
  const archive = pipeline.archive === null ? null : createArchive(pipeline.archive.path);
  const profiles = profilesOf(pipeline);

  async function handle(job: Job, context: JobContext): Promise<void> {
    const profile = profiles.get(job.tenant);
    if (profile === undefined) throw new JobRefused(`the pipeline ${pipeline.name} has no tenant ${job.tenant}`);
    const startedMs = now();
    try {
      if (job.kind === 'ingest') {
        await archive?.put(job.tenant, job.path, { sha256: job.sha256, signal: context.signal });
        const resumeFrom = Number(context.progress.offset ?? 0);
        const { ledger } = await ingestFile(job.path, {
          tenant: job.tenant,
          sink,
          sha256: job.sha256,
          nowMs: startedMs,
          dateOrder: profile.dateOrder,
          resumeFrom,
          onProgress: ({ offset }) => context.save({ offset }),
          signal: context.signal,
        });
        telemetry.metrics.filesIngested(ledger.refused === null ? 'complete' : 'refused');
      } else {
        if (archive === null || pipeline.archive === null)
          throw new JobRefused(`the pipeline ${pipeline.name} has no archive to rescan`);
        const { fromMs, toMs } = job;
        const { signal: stop } = context;
        const { warnings } = await rescanArchive({
          archive,
          workFolder: pipeline.archive.path,
          profile,
          outputs,
          fromMs,
          toMs,
          dryRun: false,
          nowMs: startedMs,
          signal: stop,
        });
        for (const warning of warnings) telemetry.log.warn(warning, { action: 'rescan_warning', tenant: job.tenant });
      }
      telemetry.metrics.jobs(job.kind, 'done');
      telemetry.log.info('A job is done', {
        action: `${job.kind}_done`,
        tenant: job.tenant,
        durationMs: now() - startedMs,
      });
    } catch (error) {
      if (context.signal.aborted) throw error;
      telemetry.metrics.jobs(job.kind, 'failed');
      telemetry.log.error('A job failed', { action: `${job.kind}_failed`, tenant: job.tenant, error });
      // A file that is gone or is another one now, or that nobody can read, stays so.
      if (error instanceof RelaywatchError && FILE_CODES.has(error.code)) throw new JobRefused(error.message);
      throw error;
    }
  }

  const spool = pipeline.jobs?.spool == null ? null : createJobSpool(pipeline.jobs.spool);
  telemetry.ready('jobs', true, 'waiting for jobs');
  try {
    await workWithOutputs(outputs, signal, (stop) =>
      Promise.all([
        queue.work(spool === null ? handle : withSpool(spool, handle), stop),
        watchDetectors({ pipeline, outputs, onTrouble, now, signal: stop }),
        spool === null ? null : resubmitPending(spool, queue, stop, troublesOf('jobs', onTrouble)),
      ]),
    );
  } finally {
    await Promise.allSettled([queue.close(), sink.close(), outputs.close()]);
  }
};

/** The command `run`: a worker that goes on until it is stopped. */

import { loadPipeline } from '../config/pipeline/load.ts';
import type { Pipeline, Role } from '../config/pipeline/pipeline.ts';
import { type ExitCode, RelaywatchError } from '../core/outcome.ts';
import { defaultPipeline, pipelineSurroundings } from './pipeline-files.ts';
import type { Streams } from './scan-command.ts';
import type { Service } from './service/service.ts';

/** A worker that is asked to stop and does not is ended: what it had not written is written by the next one. */
const STOP_DEADLINE_MS = 25_000;
const EXIT_AFTER_MS = 1_000;

const SERVICES: Record<Role, () => Promise<Service>> = {
  embedded: async () => (await import('./service/embedded.ts')).runEmbedded,
  ingest: async () => (await import('./service/ingest.ts')).runIngest,
  detect: async () => (await import('./service/detect.ts')).runDetect,
  jobs: async () => (await import('./service/jobs.ts')).runJobs,
};

export interface RawRunOptions {
  /** Stop when everything that is there has been read, instead of waiting for more. */
  once?: boolean;
}

export async function runRun(paths: readonly string[], raw: RawRunOptions, { stderr }: Streams): Promise<ExitCode> {
  if (paths.length > 1) {
    throw new RelaywatchError({
      code: 'usage',
      message: `run takes one pipeline, and there are ${paths.length}`,
      hint: 'Start a worker for each.',
      exitCode: 2,
    });
  }
  const pipeline = await loadPipeline(paths[0] ?? (await defaultPipeline('embedded')), pipelineSurroundings());
  return await serve(pipeline, raw, stderr);
}

async function serve(
  pipeline: Pipeline,
  { once = false }: RawRunOptions,
  stderr: NodeJS.WriteStream,
): Promise<ExitCode> {
  const { createTelemetry } = await import('./telemetry/telemetry.ts');
  const { name, role, tenants } = pipeline;
  const telemetry = createTelemetry({
    pipeline: name,
    role,
    tenants: tenants.map(({ key }) => key),
    host: pipeline.telemetry?.host ?? null,
    port: pipeline.telemetry?.port ?? null,
    logStream: stderr,
    now: Date.now,
  });
  for (const warning of pipeline.warnings) telemetry.log.warn(warning, { action: 'pipeline_warning' });
  const stop = new AbortController();
  let deadline: NodeJS.Timeout | undefined;
  const onSignal = () => {
    if (stop.signal.aborted) return;
    telemetry.log.info('Stopping: what is under way is finished first', { action: 'worker_stopping' });
    stop.abort();
    deadline = setTimeout(() => {
      telemetry.log.error('Stopping took too long; what was not written is written after the next start', {
        action: 'worker_stopped',
      });
      process.exit(1);
    }, STOP_DEADLINE_MS);
    deadline.unref();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    const service = await SERVICES[role]();
    const serving = await telemetry.start();
    const where = serving === null ? '' : `; health and metrics on port ${serving.port}`;
    telemetry.log.info(`The worker of ${name} (${role}) has started${where}`, { action: 'worker_started' });
    await service({ pipeline, telemetry, now: Date.now, signal: stop.signal, once });
    telemetry.log.info('The worker has stopped', { action: 'worker_stopped' });
    return 0;
  } catch (error) {
    if (stop.signal.aborted && isAbort(error)) return 0;
    throw error;
  } finally {
    clearTimeout(deadline);
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await telemetry.close();
    // A client that lost its server may keep a connection or a timer; nothing of ours is left to wait for.
    setTimeout(() => process.exit(), EXIT_AFTER_MS).unref();
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || (error as { code?: unknown }).code === 'ABORT_ERR');
}

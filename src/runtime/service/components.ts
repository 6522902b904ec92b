/** The parts of a worker, opened as its pipeline says. Clients are loaded when a pipeline needs them. */

import path from 'node:path';
import type { KafkaSasl, KafkaSettings } from '../../adapters/kafka/settings.ts';
import type { KafkaConnection, KafkaInput, KafkaLog, Pipeline, SaslSettings } from '../../config/pipeline/pipeline.ts';
import { revealSecrets } from '../../config/pipeline/secret.ts';
import type { CheckpointStore } from '../../core/checkpoint.ts';
import type { DeadEntrySink } from '../../core/dead-entries.ts';
import type { OutputStore } from '../../core/delivery.ts';
import type { EnvelopeSink, EnvelopeSource } from '../../core/envelope-log.ts';
import type { JobQueue } from '../../core/jobs.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import type { RecordSource } from '../../core/record-log.ts';
import type { RescanProfile } from '../rescan/rescan.ts';
import { tokenSource } from './token-source.ts';

/** Told, in a line, what keeps a part from working at the moment; null when it works again. */
export type OnTrouble = (component: string, trouble: string | null) => void;

export async function openOutputs(pipeline: Pipeline, onTrouble: OnTrouble): Promise<OutputStore> {
  const { outputs } = pipeline;
  if (outputs === null) throw missing(pipeline, 'outputs');
  if (outputs.kind === 'folder') {
    const { createOutputFolder } = await import('../../adapters/file/output-folder.ts');
    return createOutputFolder(outputs.path);
  }
  const { createElasticsearchStore } = await import('../../adapters/elasticsearch/store.ts');
  return createElasticsearchStore(revealSecrets(outputs.elasticsearch), {
    onTrouble: (trouble) => onTrouble('elasticsearch', trouble === null ? null : trouble.message),
  });
}

export async function openCheckpoints(pipeline: Pipeline, onTrouble: OnTrouble): Promise<CheckpointStore> {
  const { state } = pipeline;
  if (state === null) throw missing(pipeline, 'state');
  if (state.kind === 'folder') {
    const { createCheckpointFolder } = await import('../../adapters/file/checkpoint-folder.ts');
    return createCheckpointFolder(path.join(state.path, 'checkpoints'));
  }
  const { createRedisCheckpoints } = await import('../../adapters/redis/checkpoints.ts');
  return createRedisCheckpoints(revealSecrets(state.redis), troublesOf('redis', onTrouble));
}

export async function openSink(pipeline: Pipeline, onTrouble: OnTrouble): Promise<EnvelopeSink> {
  const { createKafkaSink } = await import('../../adapters/kafka/sink.ts');
  return createKafkaSink(kafkaSettings(logOf(pipeline)), troublesOf('kafka', onTrouble));
}

export async function openSource(pipeline: Pipeline, onTrouble: OnTrouble): Promise<EnvelopeSource> {
  const { createKafkaSource } = await import('../../adapters/kafka/source.ts');
  return createKafkaSource(kafkaSettings(logOf(pipeline)), troublesOf('kafka', onTrouble));
}

/** Where the detectors put entries of the log that they cannot use. */
export async function openDeadLetters(pipeline: Pipeline, onTrouble: OnTrouble): Promise<DeadEntrySink> {
  const { createKafkaDeadLetters } = await import('../../adapters/kafka/dead-letters.ts');
  const log = logOf(pipeline);
  return createKafkaDeadLetters(kafkaSettings(log), log.deadLetterTopic, troublesOf('dead_letters', onTrouble));
}

export async function openRecordSource(input: KafkaInput, onTrouble: OnTrouble): Promise<RecordSource> {
  const { createKafkaRecordSource } = await import('../../adapters/kafka/records-source.ts');
  return createKafkaRecordSource(kafkaSettings(input), troublesOf('ingest', onTrouble));
}

export async function openJobs(pipeline: Pipeline, onTrouble: OnTrouble): Promise<JobQueue> {
  const { jobs } = pipeline;
  if (jobs === null) throw missing(pipeline, 'jobs');
  const { createJobQueue } = await import('../../adapters/bullmq/job-queue.ts');
  const { spool: _spool, ...settings } = jobs;
  return createJobQueue(revealSecrets(settings), troublesOf('jobs', onTrouble));
}

/** The tenants of a pipeline by their key. */
export function profilesOf({ tenants, detection }: Pipeline): Map<string, RescanProfile> {
  return new Map(
    tenants.map(({ organizations, dateOrder, silentAfterMs, ...settings }) => [
      settings.key,
      {
        settings,
        organizations,
        dateOrder,
        evidenceRows: detection.evidenceRows,
        silentAfterMs: silentAfterMs ?? detection.silentAfterMs,
      },
    ]),
  );
}

export function logOf(pipeline: Pipeline): KafkaLog {
  if (pipeline.log === null) throw missing(pipeline, 'log');
  return pipeline.log;
}

export function troublesOf(component: string, onTrouble: OnTrouble) {
  return {
    onTrouble: (trouble: string) => onTrouble(component, trouble),
    onRecovered: () => onTrouble(component, null),
  };
}

/** The settings as the client takes them, with the texts of secrets. */
export function kafkaSettings(connection: KafkaConnection): KafkaSettings {
  const { sasl, ...plain } = connection;
  return { ...revealSecrets(plain), sasl: sasl === null ? null : saslOf(sasl) };
}

function saslOf(sasl: SaslSettings): KafkaSasl {
  if (sasl.mechanism !== 'oauthbearer') return { ...sasl, password: sasl.password.reveal() };
  return { mechanism: sasl.mechanism, token: tokenSource(sasl) };
}

function missing({ file, role }: Pipeline, section: string): RelaywatchError {
  return new RelaywatchError({
    code: 'pipeline',
    message: `${file}: a pipeline of role ${role} has no section "${section}"`,
    hint: 'relaywatch lint shows what the role needs.',
    exitCode: 2,
  });
}

/** The commands `setup` and `doctor`: the servers of pipelines brought into shape, or looked at. */

import { loadPipeline } from '../config/pipeline/load.ts';
import type { KafkaConnection, Pipeline } from '../config/pipeline/pipeline.ts';
import { revealSecrets } from '../config/pipeline/secret.ts';
import type { ExitCode } from '../core/outcome.ts';
import type { Check, SetupStep } from '../core/setup.ts';
import { terminalSafe } from '../reports/text.ts';
import { checkFolders } from './folder-checks.ts';
import { namedPipelines, pipelineSurroundings } from './pipeline-files.ts';
import type { Streams } from './scan-command.ts';
import { kafkaSettings } from './service/components.ts';

/** Tenants are spread over so many partitions, as infra/kafka/topics.json has them; a later change would move them. */
export const PARTITIONS = 12;
const RETENTION_MS = 7 * 86_400_000;

export interface RawSetupOptions {
  dryRun?: boolean;
  partitions?: string;
  replicationFactor?: string;
  quiet?: boolean;
}

export async function runSetup(
  paths: readonly string[],
  raw: RawSetupOptions,
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  const pipelines = await load(paths);
  const dryRun = raw.dryRun === true;
  const steps: SetupStep[] = [];
  for (const elasticsearch of distinct(pipelines.map(({ outputs }) => outputs))) {
    if (elasticsearch.kind !== 'elasticsearch') continue;
    const { setupElasticsearch } = await import('../adapters/elasticsearch/setup.ts');
    steps.push(...(await setupElasticsearch(revealSecrets(elasticsearch.elasticsearch), { dryRun })));
  }
  const replicationFactor = raw.replicationFactor === undefined ? null : Number(raw.replicationFactor);
  for (const log of byTopic(pipelines.flatMap((pipeline) => pipeline.log ?? []))) {
    const { setupKafka } = await import('../adapters/kafka/setup.ts');
    const partitions = Number(raw.partitions ?? PARTITIONS);
    const options = { dryRun, partitions, replicationFactor, retentionMs: RETENTION_MS };
    steps.push(...(await setupKafka(kafkaSettings(log), options)));
  }
  for (const { topic, connection } of deadLettersOf(pipelines)) {
    const { setupDeadLetters } = await import('../adapters/kafka/setup.ts');
    steps.push(...(await setupDeadLetters(kafkaSettings(connection), topic, { dryRun, replicationFactor })));
  }
  for (const { what, state } of steps) stdout.write(`${terminalSafe(`${state.padEnd(12)} ${what}`)}\n`);
  if (raw.quiet !== true) stderr.write(steps.length === 0 ? 'These pipelines use no server.\n' : summary(steps));
  return 0;
}

function summary(steps: readonly SetupStep[]): string {
  const changed = steps.filter(({ state }) => state !== 'unchanged').length;
  return changed === 0 ? 'Nothing to change.\n' : `${changed} of ${steps.length} changed or to be changed.\n`;
}

export async function runDoctor(
  paths: readonly string[],
  { quiet = false }: { quiet?: boolean },
  { stdout, stderr }: Streams,
): Promise<ExitCode> {
  const pipelines = await load(paths);
  const checks: Check[] = [];
  for (const outputs of distinct(pipelines.map((pipeline) => pipeline.outputs))) {
    if (outputs.kind !== 'elasticsearch') continue;
    const { checkElasticsearch } = await import('../adapters/elasticsearch/check.ts');
    checks.push(...(await checkElasticsearch(revealSecrets(outputs.elasticsearch))));
  }
  for (const log of byTopic(pipelines.flatMap((pipeline) => pipeline.log ?? []))) {
    const { checkKafka } = await import('../adapters/kafka/setup.ts');
    checks.push(...(await checkKafka(kafkaSettings(log))));
  }
  for (const { topic, connection } of deadLettersOf(pipelines)) {
    const { checkDeadLetters } = await import('../adapters/kafka/setup.ts');
    checks.push(...(await checkDeadLetters(kafkaSettings(connection), topic)));
  }
  for (const input of byTopic(pipelines.flatMap(({ inputs }) => inputs.kafka ?? []))) {
    const { checkKafkaInput } = await import('../adapters/kafka/setup.ts');
    checks.push(...(await checkKafkaInput(kafkaSettings(input))));
  }
  const servers = pipelines.flatMap(({ state, jobs }) => [
    state?.kind === 'redis' ? state.redis : null,
    jobs === null ? null : jobs.redis,
  ]);
  for (const redis of distinct(servers)) {
    const { checkRedis } = await import('../adapters/redis/check.ts');
    checks.push(...(await checkRedis(revealSecrets(redis))));
  }
  checks.push(...(await checkFolders(pipelines)));
  for (const { ok, what, detail, hint } of checks) {
    stdout.write(`${terminalSafe(`${ok ? 'ok    ' : 'failed'} ${what}: ${detail}`)}\n`);
    if (hint !== null) stdout.write(`       ${terminalSafe(hint)}\n`);
  }
  const failed = checks.filter(({ ok }) => !ok).length;
  if (!quiet)
    stderr.write(
      checks.length === 0 ? 'These pipelines use no server and no folder.\n' : `${failed} of ${checks.length} failed\n`,
    );
  return failed > 0 ? 1 : 0;
}

async function load(paths: readonly string[]): Promise<Pipeline[]> {
  const surroundings = pipelineSurroundings();
  const pipelines: Pipeline[] = [];
  for (const file of await namedPipelines(paths)) pipelines.push(await loadPipeline(file, surroundings));
  return pipelines;
}

/** One of each topic: what reads and writes it needs the same. */
function byTopic<T extends { brokers: string[]; topic: string }>(uses: readonly T[]): T[] {
  return uses.filter((use, index) => uses.findIndex((other) => placeOf(other) === placeOf(use)) === index);
}

/** Topics of dead entries, which the detectors write. */
function deadLettersOf(
  pipelines: readonly Pipeline[],
): { topic: string; brokers: string[]; connection: KafkaConnection }[] {
  const logs = pipelines.flatMap(({ role, log }) => (role === 'detect' && log !== null ? [log] : []));
  return byTopic(
    logs.map(({ deadLetterTopic, ...connection }) => ({
      topic: deadLetterTopic,
      brokers: connection.brokers,
      connection,
    })),
  );
}

function placeOf({ brokers, topic }: { brokers: string[]; topic: string }): string {
  return JSON.stringify([brokers, topic]);
}

/** What several pipelines share is looked at once. Secrets print as one text, so their owners decide. */
function distinct<T extends object>(values: readonly (T | null)[]): T[] {
  const present = values.filter((value) => value !== null);
  const texts = present.map((value) => JSON.stringify(revealSecrets(value)));
  return present.filter((_, index) => texts.indexOf(texts[index]) === index);
}

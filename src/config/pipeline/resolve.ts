/** From the checked values of a file to the pipeline: defaults, absolute paths, and the texts of secrets and certificates. */

import path from 'node:path';
import type { CheckedFile } from './checked-file.ts';
import type { PipelineFiles } from './files.ts';
import type {
  ElasticsearchConnection,
  KafkaConnection,
  Pipeline,
  PipelineCase,
  RedisConnection,
  TenantProfile,
} from './pipeline.ts';
import type { Path, PipelineProblem } from './problem.ts';
import { DEFAULTS, type PipelineFileData } from './schema.ts';
import { Secret } from './secret.ts';

type KafkaData =
  | NonNullable<PipelineFileData['log']>['kafka']
  | NonNullable<NonNullable<PipelineFileData['inputs']>['kafka']>;
type RedisData = NonNullable<PipelineFileData['jobs']>['redis'];
type ElasticsearchData = NonNullable<NonNullable<PipelineFileData['outputs']>['elasticsearch']>;
type SecretData = NonNullable<RedisData['password']>;

const MAX_SECRET_BYTES = 65_536;

export async function resolvePipeline(
  checked: CheckedFile,
  tenants: TenantProfile[],
  files: PipelineFiles,
): Promise<{ pipeline: Pipeline; problems: PipelineProblem[] }> {
  const resolver = new Resolver(checked, files);
  const pipeline = await resolver.pipeline(tenants);
  return { pipeline, problems: resolver.problems };
}

class Resolver {
  readonly problems: PipelineProblem[] = [];
  readonly #checked: CheckedFile;
  readonly #files: PipelineFiles;

  constructor(checked: CheckedFile, files: PipelineFiles) {
    this.#checked = checked;
    this.#files = files;
  }

  async pipeline(tenants: TenantProfile[]): Promise<Pipeline> {
    const { file, data } = this.#checked;
    const { inputs, log, state, outputs, jobs, archive, telemetry, detection } = data;
    return {
      name: data.name,
      file: path.resolve(file.shown),
      role: data.role,
      tenants,
      inputs: {
        folder:
          inputs?.folder === undefined
            ? null
            : {
                path: this.#path(inputs.folder.path),
                tenant: inputs.folder.tenant ?? null,
                settleMs: inputs.folder.settle_ms ?? DEFAULTS.settleMs,
              },
        kafka:
          inputs?.kafka === undefined
            ? null
            : {
                ...(await this.#kafka(['inputs', 'kafka'], inputs.kafka)),
                topic: inputs.kafka.topic,
                group: inputs.kafka.group,
                tenant: inputs.kafka.tenant,
              },
      },
      log: log === undefined ? null : await this.#log(log.kafka),
      state:
        state?.folder !== undefined
          ? { kind: 'folder', path: this.#path(state.folder.path) }
          : state?.redis !== undefined
            ? { kind: 'redis', redis: await this.#redis(['state', 'redis'], state.redis) }
            : null,
      outputs:
        outputs?.folder !== undefined
          ? { kind: 'folder', path: this.#path(outputs.folder.path) }
          : outputs?.elasticsearch !== undefined
            ? { kind: 'elasticsearch', elasticsearch: await this.#elasticsearch(outputs.elasticsearch) }
            : null,
      jobs:
        jobs === undefined
          ? null
          : {
              redis: await this.#redis(['jobs', 'redis'], jobs.redis),
              spool: jobs.spool === undefined ? null : this.#path(jobs.spool.path),
              concurrency: jobs.concurrency ?? DEFAULTS.concurrency,
            },
      archive: archive === undefined ? null : { path: this.#path(archive.path) },
      telemetry:
        telemetry === undefined
          ? null
          : { host: telemetry.host ?? DEFAULTS.telemetryHost, port: telemetry.port ?? DEFAULTS.telemetryPort },
      detection: { evidenceRows: detection?.evidence_rows ?? DEFAULTS.evidenceRows },
      cases: (data.cases ?? []).map((_, index) => this.#case(index)),
      warnings: [],
    };
  }

  #path(relative: string): string {
    return path.resolve(path.dirname(this.#checked.file.shown), relative);
  }

  async #log(kafka: NonNullable<PipelineFileData['log']>['kafka']): Promise<Pipeline['log']> {
    const topic = kafka.topic ?? DEFAULTS.envelopeTopic;
    return {
      ...(await this.#kafka(['log', 'kafka'], kafka)),
      topic,
      deadLetterTopic: kafka.dead_letter_topic ?? `${topic}-dead-letters`,
      group: kafka.group ?? DEFAULTS.detectorGroup,
    };
  }

  async #kafka(at: Path, kafka: KafkaData): Promise<KafkaConnection> {
    const { tls, sasl } = kafka;
    const place = [...at, 'sasl'];
    return {
      brokers: kafka.brokers,
      clientId: kafka.client_id ?? DEFAULTS.clientId,
      tls:
        tls === undefined || tls === false
          ? null
          : { ca: tls === true ? null : await this.#certificates([...at, 'tls', 'ca_file'], tls.ca_file) },
      sasl:
        sasl === undefined
          ? null
          : {
              mechanism: sasl.mechanism,
              username: sasl.username ?? null,
              password: await this.#secret([...place, 'password'], sasl.password),
              tokenEndpoint: sasl.token_endpoint ?? null,
              clientId: sasl.client_id ?? null,
              clientSecret: await this.#secret([...place, 'client_secret'], sasl.client_secret),
              scope: sasl.scope ?? null,
            },
      allowPlaintext: kafka.allow_plaintext ?? false,
    };
  }

  async #redis(at: Path, redis: RedisData): Promise<RedisConnection> {
    const ca = await this.#certificates([...at, 'ca_file'], redis.ca_file);
    return {
      url: redis.url,
      username: redis.username ?? null,
      password: await this.#secret([...at, 'password'], redis.password),
      tls: ca === null ? null : { ca },
      prefix: redis.prefix ?? DEFAULTS.redisPrefix,
      allowPlaintext: redis.allow_plaintext ?? false,
    };
  }

  async #elasticsearch(settings: ElasticsearchData): Promise<ElasticsearchConnection> {
    const at: Path = ['outputs', 'elasticsearch'];
    return {
      nodes: settings.nodes,
      apiKey: await this.#secret([...at, 'api_key'], settings.api_key),
      username: settings.username ?? null,
      password: await this.#secret([...at, 'password'], settings.password),
      ca: await this.#certificates([...at, 'ca_file'], settings.ca_file),
      caFingerprint: settings.ca_fingerprint ?? null,
      namespace: settings.namespace ?? DEFAULTS.namespace,
      allowPlaintext: settings.allow_plaintext ?? false,
    };
  }

  #case(index: number): PipelineCase {
    const { file, data } = this.#checked;
    const { name, tenant, files = [], rows = null, expect } = data.cases![index];
    const { line, column } = file.problem(['cases', index, 'name'], '');
    const place = { file: file.shown, line, column };
    return { name, place, tenant, files: files.map((one) => this.#path(one)), rows, expect };
  }

  async #secret(at: Path, data: SecretData | undefined): Promise<Secret | null> {
    if (data === undefined) return null;
    if (typeof data === 'string') return data === '' ? null : new Secret(data);
    const text = await this.#text([...at, 'file'], data.file);
    // An editor ends a file with a line break; no secret does.
    const secret = text.replace(/\r?\n$/, '');
    if (text !== '' && secret === '') this.#problem([...at, 'file'], `the file ${data.file} is empty`);
    return new Secret(secret);
  }

  async #certificates(at: Path, file: string | undefined): Promise<string | null> {
    if (file === undefined) return null;
    const text = await this.#text(at, file);
    if (text !== '' && !text.includes('-----BEGIN CERTIFICATE-----')) {
      this.#problem(at, `the file ${file} holds no certificate in PEM form`);
    }
    return text;
  }

  async #text(at: Path, file: string): Promise<string> {
    const bytes = await this.#files.readFile(this.#path(file));
    if (bytes === null) this.#problem(at, `there is no file ${file}`);
    else if (bytes.length === 0) this.#problem(at, `the file ${file} is empty`);
    else if (bytes.length > MAX_SECRET_BYTES) this.#problem(at, `the file ${file} is larger than 64 KiB`);
    else return new TextDecoder().decode(bytes);
    return '';
  }

  #problem(at: Path, message: string): void {
    this.problems.push(this.#checked.file.problem(at, message));
  }
}

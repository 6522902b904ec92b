/** From the checked values of a file to the pipeline: defaults, absolute paths, and the texts of secrets and certificates. */

import path from 'node:path';
import { DEFAULT_NAMESPACE, DEFAULT_REQUEST_TIMEOUT_MS } from '../../adapters/elasticsearch/settings.ts';
import { DEFAULT_PREFIX } from '../../adapters/redis/settings.ts';
import { HOUR_MS } from '../../core/calendar.ts';
import type { CheckedFile } from './checked-file.ts';
import type { PipelineFiles } from './files.ts';
import type {
  ElasticsearchConnection,
  JobsSettings,
  KafkaConnection,
  KafkaLog,
  Pipeline,
  PipelineCase,
  PipelineCases,
  RedisConnection,
  SaslSettings,
  TenantProfile,
} from './pipeline.ts';
import type { Path, PipelineProblem } from './problem.ts';
import { DEFAULTS, type PipelineFileData } from './schema.ts';
import { Secret } from './secret.ts';

type LogData = NonNullable<PipelineFileData['log']>['kafka'];
type InputData = NonNullable<NonNullable<PipelineFileData['inputs']>['kafka']>;
/** What the two have in common, in the terms of the wider one. */
type KafkaData = Omit<LogData, 'dead_letter_topic'> | InputData;
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

/** The part of a pipeline that its cases need: no server, so no secret either. */
export function resolveCases(checked: CheckedFile, tenants: TenantProfile[], files: PipelineFiles): PipelineCases {
  return new Resolver(checked, files).cases(tenants);
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
    const { inputs, log, state, outputs, jobs, archive, telemetry } = data;
    return {
      file: path.resolve(file.shown),
      role: data.role,
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
      jobs: jobs === undefined ? null : await this.#jobs(jobs),
      archive: archive === undefined ? null : { path: this.#path(archive.path) },
      telemetry:
        telemetry === undefined
          ? null
          : { host: telemetry.host ?? DEFAULTS.telemetryHost, port: telemetry.port ?? DEFAULTS.telemetryPort },
      ...this.cases(tenants),
      warnings: [],
    };
  }

  cases(tenants: TenantProfile[]): PipelineCases {
    const { data } = this.#checked;
    return {
      name: data.name,
      tenants,
      detection: {
        evidenceRows: data.detection?.evidence_rows ?? DEFAULTS.evidenceRows,
        silentAfterMs: (data.detection?.silent_after_hours ?? DEFAULTS.silentAfterHours) * HOUR_MS,
      },
      cases: (data.cases ?? []).map((_, index) => this.#case(index)),
    };
  }

  #path(relative: string): string {
    return path.resolve(path.dirname(this.#checked.file.shown), relative);
  }

  async #log(kafka: LogData): Promise<KafkaLog> {
    const connection = await this.#kafka(['log', 'kafka'], kafka);
    return { ...connection, deadLetterTopic: kafka.dead_letter_topic ?? `${connection.topic}-dead-letters` };
  }

  async #kafka(at: Path, kafka: KafkaData): Promise<KafkaConnection> {
    return {
      brokers: kafka.brokers,
      clientId: kafka.client_id ?? DEFAULTS.clientId,
      topic: kafka.topic ?? DEFAULTS.envelopeTopic,
      group: kafka.group ?? DEFAULTS.detectorGroup,
      tls: await this.#tls([...at, 'tls'], kafka.tls ?? false),
      sasl: await this.#sasl([...at, 'sasl'], kafka.sasl),
      allowPlaintext: kafka.allow_plaintext ?? false,
      sessionTimeoutMs: kafka.session_timeout_ms ?? DEFAULTS.sessionTimeoutMs,
      maxWaitTimeMs: kafka.max_wait_ms ?? DEFAULTS.maxWaitMs,
    };
  }

  async #tls(at: Path, tls: NonNullable<KafkaData['tls']>): Promise<KafkaConnection['tls']> {
    if (tls === false) return null;
    const files = tls === true ? {} : tls;
    return {
      ca: await this.#certificates([...at, 'ca_file'], files.ca_file),
      cert: await this.#certificates([...at, 'cert_file'], files.cert_file),
      key: files.key_file === undefined ? null : await this.#secret([...at, 'key_file'], files.key_file),
    };
  }

  async #sasl(at: Path, sasl: KafkaData['sasl']): Promise<SaslSettings | null> {
    if (sasl === undefined) return null;
    const { mechanism } = sasl;
    if (mechanism === 'oauthbearer') {
      return {
        mechanism,
        tokenEndpoint: sasl.token_endpoint!,
        clientId: sasl.client_id!,
        clientSecret: await this.#neededSecret([...at, 'client_secret'], sasl.client_secret!),
        scope: sasl.scope ?? null,
      };
    }
    return {
      mechanism,
      username: sasl.username!,
      password: await this.#neededSecret([...at, 'password'], sasl.password!),
    };
  }

  async #redis(at: Path, redis: RedisData): Promise<RedisConnection> {
    const ca = await this.#certificates([...at, 'ca_file'], redis.ca_file);
    return {
      url: redis.url,
      username: redis.username ?? null,
      password: await this.#secretOf([...at, 'password'], redis.password),
      tls: ca === null ? null : { ca },
      prefix: redis.prefix ?? DEFAULT_PREFIX,
      allowPlaintext: redis.allow_plaintext ?? false,
    };
  }

  async #jobs(jobs: NonNullable<PipelineFileData['jobs']>): Promise<JobsSettings> {
    const redis = await this.#redis(['jobs', 'redis'], jobs.redis);
    return {
      redis,
      prefix: redis.prefix,
      concurrency: jobs.concurrency ?? DEFAULTS.concurrency,
      lockDurationMs: DEFAULTS.lockDurationMs,
      spool: jobs.spool === undefined ? null : this.#path(jobs.spool.path),
    };
  }

  async #elasticsearch(settings: ElasticsearchData): Promise<ElasticsearchConnection> {
    const at: Path = ['outputs', 'elasticsearch'];
    const key = await this.#secretOf([...at, 'api_key'], settings.api_key);
    const password = await this.#secretOf([...at, 'password'], settings.password);
    return {
      node: settings.nodes,
      auth: key !== null ? { apiKey: key } : password !== null ? { username: settings.username!, password } : null,
      ca: await this.#certificates([...at, 'ca_file'], settings.ca_file),
      caFingerprint: settings.ca_fingerprint ?? null,
      allowPlaintext: settings.allow_plaintext ?? false,
      requestTimeoutMs: DEFAULT_REQUEST_TIMEOUT_MS,
      namespace: settings.namespace ?? DEFAULT_NAMESPACE,
    };
  }

  #case(index: number): PipelineCase {
    const { file, data } = this.#checked;
    const { name, tenant, files = [], rows = null, expect } = data.cases![index];
    const { line, column } = file.problem(['cases', index, 'name'], '');
    const place = { file: file.shown, line, column };
    return { name, place, tenant, files: files.map((one) => this.#path(one)), rows, expect };
  }

  /** Null for what is not given, or is given as nothing. */
  async #secretOf(at: Path, data: SecretData | undefined): Promise<Secret | null> {
    if (data === undefined || data === '') return null;
    return typeof data === 'string' ? new Secret(data) : this.#secret([...at, 'file'], data.file);
  }

  async #neededSecret(at: Path, data: SecretData): Promise<Secret> {
    const secret = await this.#secretOf(at, data);
    if (secret === null) this.#problem(at, 'is empty');
    return secret ?? new Secret('');
  }

  async #secret(at: Path, file: string): Promise<Secret> {
    const text = await this.#text(at, file);
    // An editor ends a file with a line break; no secret does.
    const secret = text.replace(/\r?\n$/, '');
    if (text !== '' && secret === '') this.#problem(at, `the file ${file} is empty`);
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

/** Servers that a pipeline names: addresses, TLS, and how it proves who it is. */

import type { CheckedFile } from './checked-file.ts';
import type { Path, PipelineProblem } from './problem.ts';
import { DEFAULTS, type PipelineFileData } from './schema.ts';
import type { YamlFile } from './yaml-file.ts';

type KafkaData =
  | NonNullable<PipelineFileData['log']>['kafka']
  | NonNullable<NonNullable<PipelineFileData['inputs']>['kafka']>;
type SaslData = NonNullable<KafkaData['sasl']>;
type RedisData = NonNullable<PipelineFileData['jobs']>['redis'];
type ElasticsearchData = NonNullable<NonNullable<PipelineFileData['outputs']>['elasticsearch']>;

export function serverProblems({ file, data }: CheckedFile): PipelineProblem[] {
  const problems: PipelineProblem[] = [];
  if (data.inputs?.kafka !== undefined) problems.push(...kafkaProblems(file, ['inputs', 'kafka'], data.inputs.kafka));
  if (data.log !== undefined) problems.push(...kafkaProblems(file, ['log', 'kafka'], data.log.kafka));
  if (data.state?.redis !== undefined) problems.push(...redisProblems(file, ['state', 'redis'], data.state.redis));
  if (data.jobs !== undefined) problems.push(...redisProblems(file, ['jobs', 'redis'], data.jobs.redis));
  if (data.outputs?.elasticsearch !== undefined) {
    problems.push(...elasticsearchProblems(file, ['outputs', 'elasticsearch'], data.outputs.elasticsearch));
  }
  const [input, log] = [data.inputs?.kafka, data.log?.kafka];
  if (
    input !== undefined &&
    log?.topic === input.topic &&
    log.brokers.some((broker) => input.brokers.includes(broker))
  ) {
    problems.push(
      file.problem(['inputs', 'kafka', 'topic'], 'is the topic of log.kafka: ingest would read what it writes'),
    );
  }
  if (log?.dead_letter_topic !== undefined && log.dead_letter_topic === log.topic) {
    problems.push(file.problem(['log', 'kafka', 'dead_letter_topic'], 'is the topic of the envelopes'));
  }
  return problems;
}

function kafkaProblems(file: YamlFile, at: Path, kafka: KafkaData): PipelineProblem[] {
  const problems: PipelineProblem[] = [];
  const encrypted = kafka.tls !== undefined && kafka.tls !== false;
  for (const [index, broker] of kafka.brokers.entries()) {
    const place = [...at, 'brokers', index];
    const host = broker.slice(0, broker.lastIndexOf(':'));
    if (file.isUnset(place) || encrypted || kafka.allow_plaintext === true || isLoopback(host)) continue;
    problems.push(plaintext(file, place, 'tls: true, or tls with a ca_file'));
  }
  const files = typeof kafka.tls === 'object' ? kafka.tls : {};
  if ((files.cert_file === undefined) !== (files.key_file === undefined)) {
    problems.push(file.problem([...at, 'tls'], 'cert_file and key_file go together: give both, or neither'));
  }
  const { session_timeout_ms: session = DEFAULTS.sessionTimeoutMs, max_wait_ms: wait = DEFAULTS.maxWaitMs } = kafka;
  if (session < wait * 10) {
    const name = kafka.session_timeout_ms === undefined ? 'max_wait_ms' : 'session_timeout_ms';
    problems.push(file.problem([...at, name], 'session_timeout_ms must be ten times max_wait_ms, at least'));
  }
  if (kafka.sasl !== undefined) problems.push(...saslProblems(file, [...at, 'sasl'], kafka.sasl));
  return problems;
}

function saslProblems(file: YamlFile, at: Path, sasl: SaslData): PipelineProblem[] {
  const token = ['token_endpoint', 'client_id', 'client_secret'] as const;
  const name = ['username', 'password'] as const;
  const needed: readonly (keyof SaslData)[] = sasl.mechanism === 'oauthbearer' ? token : name;
  const useless: readonly (keyof SaslData)[] = sasl.mechanism === 'oauthbearer' ? name : [...token, 'scope'];
  const problems = needed
    .filter((key) => sasl[key] === undefined)
    .map((key) => file.problem(at, `${sasl.mechanism} needs ${key}`));
  for (const key of useless) {
    if (sasl[key] === undefined) continue;
    problems.push(
      file.problem([...at, key], `${sasl.mechanism} has no use for it`, { allowed: [...needed], atKey: true }),
    );
  }
  const endpoint = sasl.token_endpoint === undefined ? null : urlOf(sasl.token_endpoint);
  const place = [...at, 'token_endpoint'];
  if (sasl.token_endpoint !== undefined && !file.isUnset(place)) {
    const secure = endpoint?.protocol === 'https:' || (endpoint?.protocol === 'http:' && isLoopback(endpoint.hostname));
    if (!secure) problems.push(file.problem(place, 'must be a URL that begins with https://'));
  }
  return problems;
}

function redisProblems(file: YamlFile, at: Path, redis: RedisData): PipelineProblem[] {
  const place = [...at, 'url'];
  if (file.isUnset(place)) return [];
  const url = urlOf(redis.url);
  if (url === null || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    return [file.problem(place, 'must be redis://host:port, or rediss://host:port for TLS')];
  }
  const problems: PipelineProblem[] = [];
  if (url.username !== '' || url.password !== '') {
    problems.push(file.problem(place, 'holds a user or a password; give username and password beside it'));
  }
  if (url.protocol === 'redis:' && redis.allow_plaintext !== true && !isLoopback(url.hostname)) {
    problems.push(plaintext(file, place, 'rediss://'));
  }
  if (url.protocol === 'redis:' && redis.ca_file !== undefined) {
    problems.push(file.problem([...at, 'ca_file'], 'is for TLS: the url then begins with rediss://', { atKey: true }));
  }
  return problems;
}

function elasticsearchProblems(file: YamlFile, at: Path, settings: ElasticsearchData): PipelineProblem[] {
  const problems: PipelineProblem[] = [];
  for (const [index, node] of settings.nodes.entries()) {
    const place = [...at, 'nodes', index];
    if (file.isUnset(place)) continue;
    const url = urlOf(node);
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      problems.push(file.problem(place, 'must be https://host:port'));
      continue;
    }
    if (url.username !== '' || url.password !== '') {
      problems.push(file.problem(place, 'holds a user or a password; give api_key, or username and password'));
    }
    if (url.protocol === 'http:' && settings.allow_plaintext !== true && !isLoopback(url.hostname)) {
      problems.push(plaintext(file, place, 'https://'));
    }
  }
  const isPlain = settings.nodes.some((node) => node.startsWith('http:'));
  for (const name of ['ca_file', 'ca_fingerprint'] as const) {
    if (isPlain && settings[name] !== undefined) {
      problems.push(file.problem([...at, name], 'is for TLS: the addresses then begin with https://', { atKey: true }));
    }
  }
  const { api_key: key, username, password } = settings;
  if (key !== undefined && (username !== undefined || password !== undefined)) {
    problems.push(
      file.problem([...at, 'api_key'], 'give api_key, or username and password, not both', { atKey: true }),
    );
  } else if ((username === undefined) !== (password === undefined)) {
    problems.push(file.problem(at, username === undefined ? 'password needs username' : 'username needs password'));
  }
  return problems;
}

function plaintext(file: YamlFile, at: Path, cure: string): PipelineProblem {
  return file.problem(
    at,
    `is elsewhere and would be spoken to without TLS; use ${cure} (allow_plaintext: true forgoes it)`,
  );
}

function urlOf(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

/** `localhost` and names below it, 127.0.0.0/8 and ::1 (RFC 6761, RFC 1122 3.2.1.3, RFC 4291 2.5.3). */
function isLoopback(host: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

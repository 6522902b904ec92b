/** What an error of kafkajs means: something that passes, or something that a person has to mend. */

import { RelaywatchError } from '../../core/outcome.ts';
import type { KafkaSettings } from './settings.ts';

/** Fields that errors of kafkajs may have (kafkajs `src/errors.js`, `src/protocol/error.js`). */
interface KafkaFailure {
  name?: string;
  type?: string;
  code?: string | number;
  message?: string;
  cause?: unknown;
}

const FORBIDDEN = [
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SECURITY_DISABLED',
];
const LOGIN = ['SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM', 'ILLEGAL_SASL_STATE'];
const TOO_LARGE = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];
const REFUSED = [
  'INVALID_SESSION_TIMEOUT',
  'INVALID_TOPIC_EXCEPTION',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_GROUP_ID',
  'UNSUPPORTED_VERSION',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_PARTITIONS',
];
/** Codes of Node for certificates that are not believed. */
const CERTIFICATE =
  /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|HOSTNAME_MISMATCH|INVALID_CA)/;

/** Alerts of TLS in which a broker says what is wrong with our certificate (OpenSSL's names, RFC 8446 6.2). */
const OWN_CERTIFICATE = /_ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_|NO_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA)/;

/** The error to stop with; null where waiting may help. */
export function refusalOf(error: unknown, settings: KafkaSettings): RelaywatchError | null {
  for (const failure of causes(error)) {
    if (failure instanceof RelaywatchError) return failure;
    const refusal = explain(failure, settings);
    if (refusal !== null) return new RelaywatchError({ ...refusal, cause: error });
  }
  return null;
}

/** One line about an error, for a report of trouble. */
export function troubleText(error: unknown): string {
  const found = causes(error);
  const [failure] = found;
  // All that a broker says to whom it does not understand.
  if (found.some(({ name }) => name === 'KafkaJSConnectionClosedError')) {
    return 'the broker closed the connection (as when it stops, and where TLS or a login is missing)';
  }
  const text =
    failure?.message === undefined || failure.message === '' ? String(failure?.name ?? error) : failure.message;
  return text.replaceAll(/\s+/g, ' ').slice(0, 300);
}

function explain(
  failure: KafkaFailure,
  { topic, group, sasl }: KafkaSettings,
): { code: string; message: string; hint: string } | null {
  const { name = '', type = '', code, message = '' } = failure;
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    return {
      code: 'kafka_topic_missing',
      message: `Kafka has no topic ${topic}, or this user may not see it`,
      hint: 'relaywatch setup creates it; relaywatch doctor says what is missing.',
    };
  }
  if (FORBIDDEN.includes(type)) {
    return {
      code: 'kafka_forbidden',
      message: `Kafka refuses this user (${type}) on topic ${topic} or group ${group}`,
      hint: 'Writers need Write and Describe on the topic; readers need Read and Describe on the topic, and Read on the group.',
    };
  }
  if (name === 'KafkaJSSASLAuthenticationError' || LOGIN.includes(type)) {
    return {
      code: 'kafka_login',
      message: `Kafka does not accept the login${sasl === null ? '' : ` (SASL ${sasl.mechanism})`}`,
      hint: 'Check mechanism, user name and password; the listener of the broker must offer that mechanism.',
    };
  }
  if (TOO_LARGE.includes(type)) {
    return {
      code: 'kafka_too_large',
      message: `Kafka refuses an envelope as too large for topic ${topic}`,
      hint: 'relaywatch setup sets max.message.bytes of the topic; a broker may set a lower bound.',
    };
  }
  if (name === 'KafkaJSNotImplemented') {
    return {
      code: 'kafka_compression',
      message: `topic ${topic} holds entries that cannot be read: ${message}`,
      hint: 'Envelopes are compressed already: set compression.type of the topic to producer, and write with none, gzip or zstd.',
    };
  }
  if (REFUSED.includes(type) || name === 'KafkaJSServerDoesNotSupportApiKey') {
    return {
      code: 'kafka_refused',
      message: `Kafka refuses a request: ${type === '' ? message : type}`,
      hint: 'Check the settings against those of the broker: session timeout, version, policies.',
    };
  }
  if (typeof code === 'string' && OWN_CERTIFICATE.test(code)) {
    return {
      code: 'kafka_certificate',
      message: `Kafka does not accept the certificate of this client, or misses one: ${code}`,
      hint: 'Give a certificate with its key that an authority of the broker signed and that is still valid.',
    };
  }
  if (typeof code === 'string' && CERTIFICATE.test(code)) {
    return {
      code: 'kafka_certificate',
      message: `the connection to Kafka is not secure: ${code}`,
      hint: 'Give the certificate of the authority that signed that of the broker, and the name that it is made out to.',
    };
  }
  return null;
}

/** An error and what it was caused by, the innermost last. */
function causes(error: unknown): KafkaFailure[] {
  const found: KafkaFailure[] = [];
  for (let next = error; typeof next === 'object' && next !== null && found.length < 10; ) {
    found.push(next);
    const { cause, errors } = next as { cause?: unknown; errors?: unknown };
    next = cause ?? (Array.isArray(errors) ? errors[0] : undefined);
  }
  return found;
}

/** How Kafka is reached. */

import { RelaywatchError } from '../../core/outcome.ts';

export interface KafkaSettings {
  /** `host:port`, any few of the cluster. */
  brokers: string[];
  clientId: string;
  /** The topic of the envelopes. */
  topic: string;
  /** The consumer group of the detectors. */
  group: string;
  /** Texts in PEM: authorities that are trusted instead of the system's, and a certificate of our own with its key. */
  tls: { ca: string | null; cert: string | null; key: string | null } | null;
  sasl: KafkaSasl | null;
  /** Allows connections without TLS to servers on other machines. */
  allowPlaintext: boolean;
  /** A member that is silent for longer loses its partitions. Brokers allow 6 s to 30 min unless told otherwise. */
  sessionTimeoutMs: number;
  /** How long a broker waits for entries before it answers that there are none. */
  maxWaitTimeMs: number;
}

export type KafkaSasl =
  /** Azure Event Hubs: user name `$ConnectionString`, the connection string as password. */
  | { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }
  /** `token` is asked for every new connection. */
  | { mechanism: 'oauthbearer'; token: () => Promise<{ value: string }> };

const MAX_TOPIC_CHARACTERS = 249;
const TOPIC_NAME = /^[A-Za-z0-9._-]+$/;

/** Throws a RelaywatchError (`kafka_settings`) for settings that cannot work, or send data in plain text. */
export function checkKafkaSettings(settings: KafkaSettings): void {
  const { brokers, topic, group, sessionTimeoutMs, maxWaitTimeMs } = settings;
  if (brokers.length === 0) throw wrong('no brokers of Kafka are given', 'Give host:port of one or more.');
  for (const broker of brokers) {
    const { host } = brokerAddress(broker);
    if (!isAllowedHost(settings, host)) {
      throw wrong(
        `the broker ${broker} is another machine, and without TLS passwords and data travel in plain text`,
        'Switch TLS on, or allow plain text where the network between is your own.',
      );
    }
  }
  if (!TOPIC_NAME.test(topic) || topic.length > MAX_TOPIC_CHARACTERS || topic === '.' || topic === '..') {
    throw wrong(`${JSON.stringify(topic)} is no name of a topic`, 'Use letters, digits, dots, dashes and underscores.');
  }
  if (group === '') throw wrong('the consumer group has no name', 'Name one: workers of one name share the work.');
  // Heartbeats go out between two fetches.
  if (!(maxWaitTimeMs > 0) || !(sessionTimeoutMs >= maxWaitTimeMs * 10)) {
    throw wrong(
      `a session timeout of ${sessionTimeoutMs} ms is too short for fetches that wait ${maxWaitTimeMs} ms`,
      'The session timeout has to be ten times as long, at least.',
    );
  }
  if (settings.tls !== null && (settings.tls.cert === null) !== (settings.tls.key === null)) {
    throw wrong('a certificate needs its key, and a key its certificate', 'Give both, or neither.');
  }
}

/** Whether data may be sent to that host as these settings say. Brokers name each other, so every connection is asked about. */
export function isAllowedHost(settings: KafkaSettings, host: string): boolean {
  return settings.tls !== null || settings.allowPlaintext || isLoopback(host);
}

function brokerAddress(broker: string): { host: string; port: number } {
  const [, ipv6, name, port] = /^(?:\[([0-9a-f:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/i.exec(broker) ?? [];
  const number = Number(port);
  if (!(number > 0 && number < 65_536)) {
    throw wrong(`${JSON.stringify(broker)} is no address of a broker`, 'Write host:port, without a scheme.');
  }
  return { host: ipv6 ?? name, port: number };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function wrong(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'kafka_settings', message, hint, exitCode: 2 });
}

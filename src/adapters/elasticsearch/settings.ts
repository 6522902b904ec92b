/** How Elasticsearch is reached, and under which names it keeps what is found. */

import { RelaywatchError } from '../../core/outcome.ts';

export interface ElasticsearchSettings {
  /** Addresses, as `https://host:9200`, without a user. */
  node: string[];
  auth: { apiKey: string } | { username: string; password: string } | null;
  /** Certificates (PEM) of the authorities that are trusted instead of the system's. */
  ca: string | null;
  /**
   * SHA-256 of the authority's certificate, which must have signed the server's. Asked for beyond what
   * TLS checks and never instead: a private authority needs `ca` as well.
   */
  caFingerprint: string | null;
  /** Allows http to a server on another machine. */
  allowPlaintext: boolean;
  /** A request without an answer for so long counts as failed, and is made again. */
  requestTimeoutMs: number;
  /** Keeps the documents of one installation apart from those of others on the same cluster. */
  namespace: string;
}

export const DEFAULT_NAMESPACE = 'default';
export const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;

/** Where documents of each kind go. */
export interface StoreNames {
  /** Data streams. */
  alert: string;
  dead_letter: string;
  /** Aliases of plain indices. */
  incident: string;
  ledger: string;
  finding: string;
}

/** In the default namespace `relaywatch-incidents`, else `relaywatch-incidents-NAMESPACE`. */
export function storeNames(namespace: string): StoreNames {
  const ending = namespace === DEFAULT_NAMESPACE ? '' : `-${namespace}`;
  return {
    alert: `logs-relaywatch.alert-${namespace}`,
    dead_letter: `logs-relaywatch.dead_letter-${namespace}`,
    incident: `relaywatch-incidents${ending}`,
    ledger: `relaywatch-ledger${ending}`,
    finding: `relaywatch-findings${ending}`,
  };
}

/** The kinds that are kept in plain indices behind an alias. */
export const ALIASED = ['incident', 'ledger', 'finding'] as const;
/** The kinds that are kept in data streams. */
export const STREAMED = ['alert', 'dead_letter'] as const;

/** First index behind an alias. */
export function firstIndexOf(alias: string): string {
  return `${alias}-000001`;
}

/** The addresses, for messages. */
export function placeOf(settings: ElasticsearchSettings): string {
  return `Elasticsearch at ${settings.node.join(', ')}`;
}

/** @throws RelaywatchError `elasticsearch_settings` */
export function checkSettings(settings: ElasticsearchSettings): void {
  const { node, ca, caFingerprint, namespace, requestTimeoutMs } = settings;
  if (node.length === 0) throw refusal('No address of Elasticsearch is given', 'Give one, as https://host:9200.');
  for (const address of node) checkAddress(address, settings);
  const isPlain = node.some((address) => address.startsWith('http:'));
  if (isPlain && (ca !== null || caFingerprint !== null)) {
    throw refusal('Certificates are given for an address that begins with http://', 'Write https:// instead.');
  }
  if (caFingerprint !== null && !/^(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}$/i.test(caFingerprint)) {
    throw refusal('The fingerprint of the authority is no SHA-256', 'It has 64 hexadecimal digits, in pairs or not.');
  }
  // The name becomes part of index names; a "-" would end it, and digits alone are the numbers of indices.
  if (!/^[a-z0-9_.]{1,100}$/.test(namespace) || !/[a-z]/.test(namespace)) {
    throw refusal(
      `The namespace ${JSON.stringify(namespace)} cannot be part of an index name`,
      'Use lower-case letters, digits, "_" and ".", with at least one letter.',
    );
  }
  if (!(requestTimeoutMs > 0)) throw refusal('The request timeout is not above 0', 'Give it in milliseconds.');
}

function checkAddress(address: string, { allowPlaintext }: ElasticsearchSettings): void {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw refusal('An address of Elasticsearch is no URL', 'Write it as https://host:9200.');
  }
  if (url.username !== '' || url.password !== '') {
    throw refusal(
      `The address of Elasticsearch on ${url.host} contains a user or password, which would be printed`,
      'Give them apart from the address.',
    );
  }
  if (url.protocol === 'http:' && !allowPlaintext && !isLoopback(url.hostname)) {
    throw refusal(
      `${url.origin} is another machine, and http sends passwords and data in plain text`,
      'Use https://, or allow plain text where the network between is your own.',
    );
  }
}

/** `localhost` and names below it, 127.0.0.0/8 and ::1 (RFC 6761, RFC 1122 3.2.1.3, RFC 4291 2.5.3). */
function isLoopback(host: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(host);
}

function refusal(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'elasticsearch_settings', message, hint, exitCode: 2 });
}

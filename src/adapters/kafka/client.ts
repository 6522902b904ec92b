/** A client of kafkajs for our settings, and the end of all its connections. */

import net from 'node:net';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { constants, gzip, unzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { RelaywatchError } from '../../core/outcome.ts';
import { bearerLogin } from './bearer.ts';
import { mendRequestQueue } from './request-queue.ts';
import { checkKafkaSettings, isAllowedHost, type KafkaSettings } from './settings.ts';

export interface KafkaClient {
  kafka: kafkajs.Kafka;
  /** Ends all connections at once, and makes no new ones: kafkajs leaves some behind, and tries to bring them back. */
  destroy(): void;
}

const CONNECTION_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 60_000;
/** What a compressed batch of entries may grow to: fetches are bounded at 10 MB before that. */
const LARGEST_BATCH_BYTES = 134_217_728;

/** `retries` is how often an answer is asked for before the caller is told; it decides how to go on. */
export function createKafkaClient(settings: KafkaSettings, retries: number): KafkaClient {
  checkKafkaSettings(settings);
  mendRequestQueue();
  registerCodecs();
  const sockets = new Set<net.Socket>();
  let destroyed = false;
  const socketFactory: kafkajs.ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (destroyed) throw new Error('the client is closed');
    if (!isAllowedHost(settings, host)) throw new Error(`${host} is another machine, and plain text is not allowed`);
    const servername = net.isIP(host) === 0 ? { servername: host } : {};
    const socket = ssl
      ? tls.connect({ host, port, ...servername, ...ssl }, onConnect)
      : net.connect({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const kafka = new kafkajs.Kafka({
    brokers: settings.brokers,
    clientId: settings.clientId,
    ...(settings.tls === null ? {} : { ssl: tlsOptions(settings.tls) }),
    ...(settings.sasl === null ? {} : { sasl: saslOptions(settings.sasl) }),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    authenticationTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { initialRetryTime: 200, maxRetryTime: 3_000, multiplier: 2, factor: 0.2, retries },
    // What matters comes as errors and events; its own log names hosts and prints stacks.
    logLevel: kafkajs.logLevel.NOTHING,
    socketFactory,
  });
  return {
    kafka,
    destroy() {
      destroyed = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

function tlsOptions({ ca, cert, key }: NonNullable<KafkaSettings['tls']>): tls.ConnectionOptions {
  return { ...(ca === null ? {} : { ca: [ca] }), ...(cert === null || key === null ? {} : { cert, key }) };
}

function saslOptions(sasl: NonNullable<KafkaSettings['sasl']>): kafkajs.SASLOptions | kafkajs.Mechanism {
  if (sasl.mechanism === 'oauthbearer') return bearerLogin(sasl.token);
  const { mechanism, username, password } = sasl;
  return { mechanism, username, password } as kafkajs.SASLOptions;
}

/**
 * kafkajs knows gzip alone, and inflates it without bounds. Snappy and LZ4 stay unknown: there is no codec for
 * them in Node, and a consumer that meets one says so.
 */
function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  const bound = { maxOutputLength: LARGEST_BATCH_BYTES };
  const inflated = (inflate: (buffer: Buffer) => Promise<Buffer>) => async (buffer: Buffer) => {
    try {
      return await inflate(buffer);
    } catch (cause) {
      throw new RelaywatchError({
        code: 'kafka_batch_damaged',
        message: `a compressed batch of entries is damaged, or has more than ${LARGEST_BATCH_BYTES} bytes`,
        hint: 'Find out what else writes to the topic; kafka-delete-records removes the batch.',
        cause,
      });
    }
  };
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => promisify(zstdCompress)(buffer),
    decompress: inflated((buffer) =>
      promisify(zstdDecompress)(buffer, { ...bound, params: { [constants.ZSTD_d_windowLogMax]: 27 } }),
    ),
  });
  CompressionCodecs[CompressionTypes.GZIP] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => promisify(gzip)(buffer),
    decompress: inflated((buffer) => promisify(unzip)(buffer, bound)),
  });
}

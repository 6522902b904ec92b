/** Health and metrics over HTTP, for orchestrators and Prometheus. Nothing can be changed through it. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RelaywatchError } from '../../core/outcome.ts';

export interface Answer {
  status: number;
  contentType: string;
  body: string;
}

/** Answers by path, as `/healthz`. */
export type Answers = Readonly<Record<string, () => Answer | Promise<Answer>>>;

/** A scrape takes milliseconds; whoever needs longer to ask is no orchestrator. */
const REQUEST_TIMEOUT_MS = 5_000;
const CONNECTIONS = 32;
const HEADER_BYTES = 8_192;

export interface TelemetryServer {
  port: number;
  close(): Promise<void>;
}

/** Throws a RelaywatchError (`telemetry_address`) where it cannot listen there. */
export async function startTelemetryServer(host: string, port: number, answers: Answers): Promise<TelemetryServer> {
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 2,
      maxHeaderSize: HEADER_BYTES,
    },
    (request, response) => {
      respond(request, response, answers);
    },
  );
  server.maxConnections = CONNECTIONS;
  await listening(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, answers: Answers): Promise<void> {
  const answer = await answerTo(request, answers);
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // A body, if there is one, is never read: the connection ends instead.
    connection: 'close',
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function answerTo({ method, url = '' }: IncomingMessage, answers: Answers): Promise<Answer> {
  const [path] = url.split('?', 1);
  if (!Object.hasOwn(answers, path)) return text(404, 'There are /healthz, /readyz and /metrics.\n');
  if (method !== 'GET' && method !== 'HEAD') return text(404, 'Only GET and HEAD are answered.\n');
  try {
    return await answers[path]();
  } catch {
    return text(500, 'The answer could not be made.\n');
  }
}

function text(status: number, body: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new RelaywatchError({
          code: 'telemetry_address',
          message: `health and metrics cannot be served on ${host}, port ${port}: ${cause.code ?? cause.name}`,
          hint: 'Give telemetry another port, or 0 for a free one; the host must be an address of this machine.',
          cause,
        }),
      );
    });
    server.listen({ host, port, backlog: CONNECTIONS }, resolve);
  });
}

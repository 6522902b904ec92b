import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';

/** Where a server speaks HTTP, and how it is to be spoken to. */
export interface WebAddress {
  url: string;
  username?: string;
  password?: string;
  /** Certificate, as PEM, that the server's must be signed with. */
  ca?: string;
}

const TIMEOUT_MS = 60_000;

/** One request; whatever the server answers is a result. */
export function requestJson(
  address: WebAddress,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  const { url, username, password, ca } = address;
  return new Promise((resolve, reject) => {
    const options = {
      method,
      auth: username === undefined ? undefined : `${username}:${password}`,
      ca,
      agent: false as const,
      timeout: TIMEOUT_MS,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
    };
    const send = url.startsWith('https:') ? requestSecure : requestPlain;
    const request = send(new URL(path, url), options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode!, body: text === '' ? null : JSON.parse(text) }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`No answer from ${url} within ${TIMEOUT_MS / 1000} s`)));
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

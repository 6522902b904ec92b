/** What an endpoint of access tokens may answer, and what is made of it. */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Secret } from '../../../src/config/pipeline/secret.ts';
import { RelaywatchError } from '../../../src/core/outcome.ts';
import { tokenSource } from '../../../src/runtime/service/token-source.ts';

let answer: (response: ServerResponse) => void;
let asked: string[];
let origin: string;
let close: () => Promise<void>;

beforeEach(async () => {
  asked = [];
  const server = createServer(async (request, response) => {
    const body: Uint8Array[] = [];
    for await (const chunk of request) body.push(chunk as Uint8Array);
    asked.push(Buffer.concat(body).toString());
    answer(response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
});

afterEach(() => close());

const source = () =>
  tokenSource({
    mechanism: 'oauthbearer',
    tokenEndpoint: `${origin}/tenant/oauth2/token`,
    clientId: 'relaywatch',
    clientSecret: new Secret('very secret'),
    scope: 'kafka',
  });

async function failure(): Promise<Error> {
  const error = await source()().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(String((error as Error).message)).toContain(`no token for Kafka from ${origin}:`);
  expect(JSON.stringify([error, String(error)])).not.toContain('very secret');
  return error as Error;
}

test('a token is asked for each time it is needed', async () => {
  answer = (response) => response.end(JSON.stringify({ access_token: `token ${asked.length}` }));
  const token = source();
  expect(await token()).toEqual({ value: 'token 1' });
  expect(await token()).toEqual({ value: 'token 2' });
  expect(asked[0]).toBe('grant_type=client_credentials&client_id=relaywatch&client_secret=very+secret&scope=kafka');
});

test.each([408, 429, 500, 502, 503])('%i passes', async (status) => {
  answer = (response) => response.writeHead(status).end();
  expect(await failure()).not.toBeInstanceOf(RelaywatchError);
});

test('an endpoint that is away, or breaks off, passes', async () => {
  answer = (response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{');
    setTimeout(() => response.destroy(), 20);
  };
  expect(await failure()).not.toBeInstanceOf(RelaywatchError);
  await close();
  expect((await failure()).message).toContain('ECONNREFUSED');
});

test.each([
  ['a refusal', (response: ServerResponse) => response.writeHead(401).end('{}'), /it answered 401/],
  ['another place', (response: ServerResponse) => response.writeHead(302, { location: '/x' }).end(), /it answered 302/],
  ['a page', (response: ServerResponse) => response.end('<html>'), /no access_token/],
  [
    'too much',
    (response: ServerResponse) => response.end(JSON.stringify({ access_token: 'x'.repeat(70_000) })),
    /no acc/,
  ],
])('%s is for a person to mend', async (_, answers, message) => {
  answer = answers;
  const error = await failure();
  expect(error).toMatchObject({ code: 'token_endpoint', message: expect.stringMatching(message) });
});

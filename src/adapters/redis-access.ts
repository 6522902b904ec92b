/** How a Redis server is reached, and what its refusals mean: shared by all that speaks to one. */

import { isIP } from 'node:net';
import { RelaywatchError } from '../core/outcome.ts';

export interface RedisAccess {
  /** `redis://` or `rediss://` (TLS), host, port, and the number of the database as path: `rediss://redis.example:6379/2`. */
  url: string;
  /** Instead of those in the URL. */
  username: string | null;
  password: string | null;
  /** Certificates (PEM) of the authorities that are trusted instead of the system's, for `rediss://`. */
  tls: { ca: string } | null;
  /** Allows a connection without TLS to a server on another machine. */
  allowPlaintext: boolean;
}

/** The same, checked and taken apart; the names are those of the client's options. */
export interface RedisAddress {
  host: string;
  port: number;
  db: number;
  username?: string;
  password?: string;
  tls?: { ca?: string };
}

/** A connection that we end has nothing to say any more; the client would wait 2 seconds for the server's end of it. */
export const DISCONNECT_TIMEOUT_MS = 200;

/** @throws RelaywatchError `redis_settings` for an address that says nothing, or too much. */
export function redisAddress(access: RedisAccess): RedisAddress {
  const url = URL.canParse(access.url) ? new URL(access.url) : null;
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '') {
    throw settings('The address of Redis is no URL of the form redis://host:6379 or rediss://host:6379');
  }
  const place = placeOf(url);
  const db = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (db === undefined) throw settings(`${place}: after the port stands the number of a database, or nothing`);
  if (url.search !== '' || url.hash !== '') throw settings(`${place}: what follows after "?" or "#" is not understood`);
  const isTls = url.protocol === 'rediss:';
  if (!isTls && access.tls !== null) {
    throw settings(
      `${place}: there are certificates for TLS, and redis:// does without TLS`,
      'Write rediss:// instead.',
    );
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (!isTls && !access.allowPlaintext && !isLoopback(host)) {
    throw settings(
      `${place} is another machine, and redis:// sends passwords and data in plain text`,
      'Use rediss://, or allow plain text where the network between is your own.',
    );
  }
  const username = access.username ?? decodeURIComponent(url.username);
  const password = access.password ?? decodeURIComponent(url.password);
  return {
    host,
    port: url.port === '' ? 6379 : Number(url.port),
    db: Number(db),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(isTls ? { tls: access.tls === null ? {} : { ca: access.tls.ca } } : {}),
  };
}

/** The address without user and password, for messages. */
export function redisPlace(access: RedisAccess): string {
  return URL.canParse(access.url) ? placeOf(new URL(access.url)) : 'Redis';
}

function placeOf(url: URL): string {
  return `Redis at ${url.protocol}//${url.host}`;
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host === 'localhost' || host.endsWith('.localhost');
}

function settings(message: string, hint = 'Correct the address of Redis.'): RelaywatchError {
  return new RelaywatchError({ code: 'redis_settings', message, hint, exitCode: 2 });
}

/** Answers after which a server comes round by itself, or after something beside it was mended. */
const PASSING = /^(LOADING|MASTERDOWN|READONLY|BUSY|TRYAGAIN|CLUSTERDOWN|OOM|MISCONF|NOREPLICAS|UNBLOCKED|IOERR)\b/;
/** Errors of ioredis itself (built/Redis.js, built/redis/event_handler.js): the connection is gone, or nothing comes. */
const CONNECTION_GONE = /Connection is closed|isn't writeable|timed out|[Ss]ocket timeout|due to connection close/;
const CONNECTION_ERRORS = new Set(['MaxRetriesPerRequestError', 'AbortError', 'ConnectionClosedError']);
/** What ioredis says where the other end does not speak RESP (redis-parser, and its parser of RESP3). */
const NO_REDIS = /Unknown RESP type|Protocol error/;
/** What Node says of certificates and of servers without TLS. */
const TLS_PROBLEM = /^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/**
 * What a person has to mend: a password, a right, a certificate. Null for what passes: a server that is away,
 * starting, a replica for the moment, or out of memory or disk.
 */
export function redisRefusal(error: unknown, place: string): RelaywatchError | null {
  if (error instanceof RelaywatchError) return error;
  const { message, name, code } = fieldsOf(error);
  const refuse = (hint: string) =>
    new RelaywatchError({
      code: 'redis_refused',
      message: `${place} refuses: ${firstLine(message)}`,
      hint,
      cause: error,
    });
  if (NO_REDIS.test(message)) {
    return new RelaywatchError({
      code: 'redis_refused',
      message: `${place} does not speak the protocol of Redis`,
      hint: 'Check host and port: something else answers there.',
      cause: error,
    });
  }
  if (TLS_PROBLEM.test(code)) {
    return refuse(
      'Give the certificate of the authority that signed the one of the server, and the name that it is for.',
    );
  }
  if (/^(NOAUTH|WRONGPASS)\b|invalid (username-)?password/i.test(message)) return refuse('Correct user and password.');
  if (/^NOPERM\b/.test(message)) return refuse('Give the user the rights that the message names (ACL SETUSER).');
  if (/DB index is out of range/.test(message)) {
    return refuse('Name a database that the server has at the end of the URL; usually they are 0 to 15.');
  }
  const passes =
    name === 'ReplyError'
      ? PASSING.test(message)
      : CONNECTION_ERRORS.has(name) || CONNECTION_GONE.test(message) || /^E[A-Z_]+$/.test(code);
  return passes ? null : refuse('Run `relaywatch doctor`: it looks at version, rights and settings of the server.');
}

/** What happened, in one line of bounded length. */
export function redisProblem(error: unknown): string {
  const { message, code } = fieldsOf(error);
  // Of several addresses that were tried, the client gives an error without a message.
  if (NO_REDIS.test(message)) return 'what answers does not speak the protocol of Redis';
  return firstLine(message === '' ? code || 'no connection' : message);
}

function fieldsOf(error: unknown): { message: string; name: string; code: string } {
  const { message, name, code } = error as { message?: unknown; name?: unknown; code?: unknown };
  return { message: String(message ?? error), name: String(name ?? ''), code: String(code ?? '') };
}

function firstLine(message: string): string {
  return message.split(/[\r\n]/, 1)[0].slice(0, 300);
}

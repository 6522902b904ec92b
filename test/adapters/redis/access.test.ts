/** Addresses of Redis, and what its errors mean. */

import { describe, expect, test } from 'vitest';
import {
  type RedisAccess,
  redisAddress,
  redisPlace,
  redisProblem,
  redisRefusal,
} from '../../../src/adapters/redis-access.ts';

function access(url: string, changes: Partial<RedisAccess> = {}): RedisAccess {
  return { url, username: null, password: null, tls: null, allowPlaintext: false, ...changes };
}

describe('the address of Redis', () => {
  test.each([
    ['redis://127.0.0.1', { host: '127.0.0.1', port: 6379, db: 0 }],
    ['redis://localhost:7000/3', { host: 'localhost', port: 7000, db: 3 }],
    ['redis://[::1]:7000/', { host: '::1', port: 7000, db: 0 }],
    ['rediss://redis.example:1', { host: 'redis.example', port: 1, db: 0, tls: {} }],
    ['redis://:p%40ss@127.0.0.1', { host: '127.0.0.1', port: 6379, db: 0, password: 'p@ss' }],
    ['redis://me:secret@127.1.2.3', { host: '127.1.2.3', port: 6379, db: 0, username: 'me', password: 'secret' }],
  ])('%s is understood', (url, address) => {
    expect(redisAddress(access(url))).toEqual(address);
  });

  test('user, password and authority may stand beside it', () => {
    const changes = { username: 'you', password: 'other', tls: { ca: 'PEM' } };
    expect(redisAddress(access('rediss://me:secret@redis.example', changes))).toEqual({
      host: 'redis.example',
      port: 6379,
      db: 0,
      username: 'you',
      password: 'other',
      tls: { ca: 'PEM' },
    });
  });

  test.each([
    ['', 'no URL'],
    ['http://127.0.0.1', 'no URL'],
    ['127.0.0.1:6379', 'no URL'],
    ['redis://127.0.0.1/x', 'number of a database'],
    ['redis://127.0.0.1?family=6', 'not understood'],
    ['redis://me:secret@redis.example', 'plain text'],
    ['redis://127.0.0.1.example', 'plain text'],
    ['redis://10.0.0.1', 'plain text'],
  ])('%s is refused', (url, message) => {
    const refused = expect.objectContaining({
      code: 'redis_settings',
      exitCode: 2,
      message: expect.stringContaining(message),
    });
    expect(() => redisAddress(access(url))).toThrow(refused);
    expect(() => redisAddress(access(url))).not.toThrow('secret');
  });

  test('plain text to another machine has to be asked for, and certificates need TLS', () => {
    expect(redisAddress(access('redis://redis.example', { allowPlaintext: true })).host).toBe('redis.example');
    expect(() => redisAddress(access('redis://127.0.0.1', { tls: { ca: 'PEM' } }))).toThrow('certificates');
  });

  test('is shown without user and password', () => {
    expect(redisPlace(access('rediss://me:secret@redis.example:1/2'))).toBe('Redis at rediss://redis.example:1');
  });
});

describe('an error of Redis', () => {
  const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });
  const coded = (code: string) => Object.assign(new Error(code), { code });

  test.each([
    reply('LOADING Redis is loading the dataset in memory'),
    reply("OOM command not allowed when used memory > 'maxmemory'."),
    reply('MISCONF Errors writing to the AOF file: No space left on device'),
    reply("READONLY You can't write against a read only replica."),
    coded('ECONNREFUSED'),
    coded('ENOTFOUND'),
    coded('EAI_AGAIN'),
    new Error('Connection is closed.'),
    new Error('Command timed out'),
    new Error("Stream isn't writeable and enableOfflineQueue options is false"),
  ])('passes: %s', (error) => {
    expect(redisRefusal(error, 'it')).toBeNull();
  });

  test.each([
    [reply('WRONGPASS invalid username-password pair or user is disabled.'), 'Correct user and password.'],
    [reply('NOAUTH Authentication required.'), 'Correct user and password.'],
    [reply("NOPERM this user has no permissions to run the 'eval' command"), 'ACL SETUSER'],
    [reply("ERR unknown command 'EVAL'"), 'doctor'],
    [reply('ERR DB index is out of range'), 'usually they are 0 to 15'],
    [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'certificate'],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'certificate'],
    [new TypeError('client.something is not a function'), 'doctor'],
  ])('is for a person: %s', (error, hint) => {
    const refusal = redisRefusal(error, 'Redis at X');
    expect(refusal).toMatchObject({ code: 'redis_refused', message: `Redis at X refuses: ${error.message}` });
    expect(refusal?.hint).toContain(hint);
  });

  test('something else than Redis is called that', () => {
    const error = new Error('Unknown RESP type 72 "H". Please report this.');
    expect(redisRefusal(error, 'Redis at X')).toMatchObject({
      code: 'redis_refused',
      message: 'Redis at X does not speak the protocol of Redis',
    });
    expect(redisProblem(error)).toBe('what answers does not speak the protocol of Redis');
  });

  test('is told in one line', () => {
    expect(redisProblem(new Error('one\ntwo'))).toBe('one');
    expect(redisProblem(Object.assign(new Error(''), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED');
    expect(redisProblem(new Error(''))).toBe('no connection');
    expect(redisProblem('text')).toBe('text');
  });
});

/** A connection that is made anew whenever it is gone, and calls that wait for it. */

import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { RelaywatchError } from '../../core/outcome.ts';
import { DISCONNECT_TIMEOUT_MS, redisAddress, redisPlace, redisProblem, redisRefusal } from '../redis-access.ts';
import type { RedisOptions, RedisSettings } from './settings.ts';

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
/** 32 MB over a slow network; a paused server is noticed after it. */
const ANSWER_TIMEOUT_MS = 30_000;

export class RedisLink {
  /** For messages: without user and password. */
  readonly place: string;
  readonly #create: () => Redis;
  readonly #db: number;
  readonly #options: RedisOptions;
  readonly #closing = new AbortController();
  #client: Promise<Redis> | null = null;
  #isTroubled = false;

  constructor(settings: RedisSettings, options: RedisOptions) {
    const address = redisAddress(settings);
    const answerTimeoutMs = options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
    this.place = redisPlace(settings);
    this.#db = address.db;
    this.#options = options;
    // The client neither queues, resends nor reconnects by itself: it would send again what may have been done.
    this.#create = () =>
      new Redis({
        ...address,
        lazyConnect: true,
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        retryStrategy: () => null,
        connectTimeout: Math.min(10_000, answerTimeoutMs),
        disconnectTimeout: DISCONNECT_TIMEOUT_MS,
        commandTimeout: answerTimeoutMs,
        connectionName: 'relaywatch',
      });
  }

  /**
   * Runs `run`, again and again while the server is away, so it has to stand being run twice. `what` says
   * what waits. Rejects for what a person has to mend, and once the link is closed.
   */
  async call<T>(what: string, run: (client: Redis) => Promise<T>): Promise<T> {
    const { onTrouble, onRecovered, random = Math.random, maxPauseMs = MAX_PAUSE_MS } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await this.once(run);
        if (this.#isTroubled) onRecovered?.();
        this.#isTroubled = false;
        return answer;
      } catch (error) {
        if (this.#closing.signal.aborted) throw this.#closed(what);
        const refusal = redisRefusal(error, this.place);
        if (refusal !== null) throw refusal;
        this.#isTroubled = true;
        onTrouble?.(`${what} waits for ${this.place}: ${redisProblem(error)}`);
      }
      const longest = Math.min(maxPauseMs, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 20));
      await pause(longest * (0.5 + random() / 2), undefined, { signal: this.#closing.signal }).catch(() => {
        throw this.#closed(what);
      });
    }
  }

  /** Runs `run` once; rejects with what the client says where the server does not answer. */
  async once<T>(run: (client: Redis) => Promise<T>): Promise<T> {
    const client = await this.#connected();
    try {
      return await run(client);
    } catch (error) {
      // Behind a command that is not answered in time the next ones would wait too.
      if ((error as Error).name !== 'ReplyError') this.#drop(client);
      throw error;
    }
  }

  /** Ends the connection, and every call that waits. */
  async close(): Promise<void> {
    this.#closing.abort();
    const client = await this.#client?.catch(() => null);
    if (client != null) this.#drop(client);
  }

  #connected(): Promise<Redis> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closed('A call'));
    this.#client ??= this.#connect().catch((error) => {
      this.#client = null;
      throw error;
    });
    return this.#client;
  }

  async #connect(): Promise<Redis> {
    const client = this.#create();
    // "Connection is closed" is all that connect() says; why is in the event before it.
    let reason: unknown = null;
    client.on('error', (error) => {
      reason ??= error;
    });
    const abort = () => client.disconnect();
    this.#closing.signal.addEventListener('abort', abort);
    try {
      await client.connect();
      // The client selects it too, and goes on in database 0 where there is none of that number.
      if (this.#db !== 0) await client.select(this.#db);
      client.once('end', () => this.#forget(client));
      return client;
    } catch (error) {
      client.disconnect();
      throw reason ?? error;
    } finally {
      this.#closing.signal.removeEventListener('abort', abort);
    }
  }

  #drop(client: Redis): void {
    this.#forget(client);
    client.disconnect();
  }

  #forget(client: Redis): void {
    void this.#client?.then(
      (current) => {
        if (current === client) this.#client = null;
      },
      () => {},
    );
  }

  #closed(what: string): RelaywatchError {
    return new RelaywatchError({
      code: 'redis_closed',
      message: `${what} was given up: the connection to ${this.place} was closed`,
      hint: 'Nothing is to be done; the worker was stopping.',
    });
  }
}

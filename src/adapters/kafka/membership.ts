/** One membership of the consumer group: from joining to leaving, with all that kafkajs leaves to its users. */

import kafkajs from 'kafkajs';
import { Fenced } from '../../core/checkpoint.ts';
import type { PartitionHandler } from '../../core/envelope-log.ts';
import { type EntryOf, type FetchedBatch, runsOf } from './batch.ts';
import { type LogBounds, logBounds } from './bounds.ts';
import { createKafkaClient, type KafkaClient } from './client.ts';
import { Commits } from './commits.ts';
import { refusalOf, troubleText } from './failures.ts';
import { endedWithin, Gate, Lane, type LaneHooks, type Ownership } from './lane.ts';
import type { KafkaSettings } from './settings.ts';

export interface MembershipOptions {
  onTrouble(trouble: string): void;
  now(): number;
  idleMs: number;
  stuckMs: number;
  /** What messages are as entries; envelopes unless said. */
  entryOf?: EntryOf;
  /** What Kafka is to keep with the offset up to which a partition is done; asked right after the call that did it. */
  noteOf?(partition: number): string;
}

export interface MembershipHooks {
  /** Kafka gave a sign of life. */
  alive(): void;
  /** A generation that is greater than all before. */
  generation(memberId: string): number;
}

/** How it ended; `achieved`: entries came, or there were none to come. */
export type MembershipEnd =
  | { kind: 'stopped' | 'fenced' | 'stuck'; achieved: boolean }
  /** The handler failed. */
  | { kind: 'failed'; achieved: boolean; error: unknown }
  /** kafkajs gave up. */
  | { kind: 'crashed'; achieved: boolean; error: unknown };

type Ending =
  | { kind: 'stopped' | 'fenced' | 'stuck' }
  | { kind: 'failed'; error: unknown }
  | { kind: 'crashed'; error: unknown };

/** Calls that take longer have their partition paused, so that the others get on. */
const SLOW_CALL_MS = 500;
const STOP_DEADLINE_MS = 10_000;
/** An offset beyond the end may be a leader that is still reading its log: it is asked again before that is believed. */
const BEYOND_END_ATTEMPTS = 5;
const RETRY_MS = 1_000;
/** About half a minute, before kafkajs gives up. */
const RETRIES = 15;
const PROBE_RETRIES = 2;
const PARTITIONS_AT_ONCE = 256;

export class Membership {
  readonly #settings: KafkaSettings;
  readonly #options: MembershipOptions;
  readonly #handler: PartitionHandler;
  readonly #hooks: MembershipHooks;
  readonly #client: KafkaClient;
  readonly #consumer: kafkajs.Consumer;
  readonly #gate = new Gate();
  readonly #lanes = new Map<number, Lane>();
  readonly #ending = Promise.withResolvers<Ending>();
  readonly #over = new AbortController();
  #achieved = false;
  #aliveMs: number;
  #memberId = '';
  /** Attempts to join since the group was last shared out. */
  #attempts = 0;
  readonly #commits: Commits;
  #boundsMs: number;
  #asking: Promise<Map<number, LogBounds>> | null = null;
  /** Where partitions stood at the last look, with entries waiting. */
  #behind = new Map<number, number>();

  constructor(settings: KafkaSettings, options: MembershipOptions, handler: PartitionHandler, hooks: MembershipHooks) {
    this.#settings = settings;
    this.#options = options;
    this.#handler = handler;
    this.#hooks = hooks;
    this.#aliveMs = options.now();
    this.#boundsMs = this.#aliveMs;
    this.#client = createKafkaClient(settings, RETRIES);
    const { sessionTimeoutMs, maxWaitTimeMs } = settings;
    this.#consumer = this.#client.kafka.consumer({
      groupId: settings.group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: sessionTimeoutMs * 2,
      heartbeatInterval: Math.max(maxWaitTimeMs, Math.floor(sessionTimeoutMs / 10)),
      maxWaitTimeInMs: maxWaitTimeMs,
      allowAutoTopicCreation: false,
      partitionAssigners: [(config) => this.#assigner(config)],
      // We begin anew ourselves, and say so.
      retry: { retries: RETRIES, restartOnFailure: async () => false },
    });
    this.#commits = new Commits(this.#consumer, settings.topic, options.onTrouble);
  }

  async run(signal: AbortSignal): Promise<MembershipEnd> {
    const stop = () => this.#ending.resolve({ kind: 'stopped' });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const timer = setInterval(() => this.#tick(), Math.ceil(this.#options.idleMs / 2));
    void this.#join();
    const ending = await this.#ending.promise;
    signal.removeEventListener('abort', stop);
    const failure = await this.#leave();
    clearInterval(timer);
    const achieved = this.#achieved;
    return failure !== null && ending.kind !== 'failed' ? { ...failure, achieved } : { ...ending, achieved };
  }

  async #join(): Promise<void> {
    const { CRASH, GROUP_JOIN, HEARTBEAT } = this.#consumer.events;
    this.#consumer.on(CRASH, ({ payload }) => this.#ending.resolve({ kind: 'crashed', error: payload.error }));
    this.#consumer.on(GROUP_JOIN, ({ payload }) => this.#shared(payload.memberId, payload.memberAssignment));
    this.#consumer.on(HEARTBEAT, () => {
      this.#alive();
      // There may be more members than partitions.
      if ([...this.#lanes.values()].every(({ ownership }) => ownership === null)) this.#achieved = true;
    });
    try {
      await this.#probe();
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [this.#settings.topic], fromBeginning: true });
      if (this.#over.signal.aborted) return;
      await this.#consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch: (payload) => this.#batch(payload),
      });
    } catch (error) {
      this.#ending.resolve({ kind: 'crashed', error });
    }
  }

  /** Whether the topic is there and may be read: kafkajs asks for half a minute before it says so. */
  async #probe(): Promise<void> {
    const client = createKafkaClient(this.#settings, PROBE_RETRIES);
    try {
      await logBounds(client, this.#settings.topic);
    } catch (error) {
      const refusal = refusalOf(error, this.#settings);
      if (refusal !== null) throw refusal;
    } finally {
      client.destroy();
    }
  }

  /** Ends all calls, then the membership. Resolves to what failed on the way. */
  async #leave(): Promise<{ kind: 'failed'; error: unknown } | null> {
    this.#over.abort();
    this.#gate.open();
    this.#control((topic) => this.#consumer.pause([{ topic }]));
    let failure: { kind: 'failed'; error: unknown } | null = null;
    this.#lateFailure = (error) => {
      failure ??= { kind: 'failed', error };
    };
    for (const lane of this.#lanes.values()) lane.release();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.quiet));
    const stopped = this.#commits
      .flush()
      .catch(() => {})
      .then(() => this.#consumer.disconnect())
      .catch(() => {});
    await endedWithin(stopped, STOP_DEADLINE_MS);
    this.#client.destroy();
    return failure;
  }

  #lateFailure: ((error: unknown) => void) | null = null;

  /** The usual assigner; `findGroupCoordinator` is what kafkajs does first when it joins (`consumer/consumerGroup.js`). */
  #assigner(config: Parameters<kafkajs.PartitionAssigner>[0]): kafkajs.Assigner {
    const { cluster } = config;
    const find = cluster.findGroupCoordinator.bind(cluster);
    cluster.findGroupCoordinator = async (group) => {
      await this.#beforeJoining();
      return find(group);
    };
    return kafkajs.PartitionAssigners.roundRobin(config);
  }

  /** Lets calls under way end before others may be given their partitions. */
  async #beforeJoining(): Promise<void> {
    this.#attempts++;
    if (this.#over.signal.aborted) return;
    this.#gate.close();
    const waitMs = this.#settings.sessionTimeoutMs / 2;
    if (!(await this.#gate.quiet(waitMs))) {
      this.#options.onTrouble(`a call is under way for more than ${waitMs} ms while the group is shared out anew`);
    }
  }

  /** The group is shared out: runs before the next fetch, so that what is set here holds for it. */
  #shared(memberId: string, assignment: Record<string, number[]>): void {
    this.#alive();
    if (this.#over.signal.aborted) return;
    const { topic } = this.#settings;
    const assigned = new Set(assignment[topic] ?? []);
    // The same member, at the first attempt: nobody else can have had our partitions in between.
    const stayed = memberId === this.#memberId && this.#attempts === 1;
    this.#memberId = memberId;
    this.#attempts = 0;
    for (const lane of this.#lanes.values()) {
      const owned = lane.ownership;
      if (owned === null) continue;
      if (!stayed || !assigned.has(lane.partition)) {
        lane.release();
        this.#commits.forget(lane.partition);
      } else if (owned.position !== null) this.#seek(lane.partition, owned.position);
    }
    const fresh = [...assigned].filter((partition) => (this.#lanes.get(partition)?.ownership ?? null) === null);
    this.#control(() => this.#consumer.pause([{ topic, partitions: fresh }]));
    const generation = this.#hooks.generation(memberId);
    for (const partition of fresh) void this.#take(this.#lane(partition), generation);
    this.#gate.open();
  }

  #lane(partition: number): Lane {
    let lane = this.#lanes.get(partition);
    if (lane === undefined) {
      const hooks: LaneHooks = {
        now: this.#options.now,
        entryOf: this.#options.entryOf,
        failed: (error) => this.#failed(error),
        done: (done, offset) => this.#commits.add(done, offset, this.#options.noteOf?.(done) ?? null),
      };
      lane = new Lane(partition, this.#handler, this.#gate, hooks);
      this.#lanes.set(partition, lane);
    }
    return lane;
  }

  #failed(error: unknown): void {
    const isFenced = error instanceof Fenced;
    this.#ending.resolve(isFenced ? { kind: 'fenced' } : { kind: 'failed', error });
    if (!isFenced) this.#lateFailure?.(error);
  }

  async #take(lane: Lane, generation: number): Promise<void> {
    const { owned, start } = await lane.take(generation);
    await this.#begin(lane, owned, start);
  }

  /** Fetches from there on; the partition is paused until it is known that the log still has it. */
  async #begin(lane: Lane, owned: Ownership, start: number | null): Promise<void> {
    for (let attempt = 1; !owned.released; attempt++) {
      const bounds = await this.#bounds(lane.partition);
      if (bounds === null || owned.released) return;
      const { low, high } = bounds;
      let position = start ?? low;
      if (position > high && attempt < BEYOND_END_ATTEMPTS) {
        await this.#pause(RETRY_MS);
        continue;
      }
      if (position < low || position > high) {
        await lane.gap(owned, position, low);
        position = low;
      }
      if (owned.released) return;
      owned.position = position;
      owned.end = high;
      owned.lastMs = this.#options.now();
      this.#seek(lane.partition, position);
      this.#control((topic) => this.#consumer.resume([{ topic, partitions: [lane.partition] }]));
      return;
    }
  }

  /** What the log holds of a partition; asks until there is an answer. Null when the membership is over. */
  async #bounds(partition: number): Promise<LogBounds | null> {
    while (!this.#over.signal.aborted) {
      try {
        const bounds = (await this.#ask()).get(partition);
        if (bounds !== undefined) return bounds;
      } catch (error) {
        const refusal = refusalOf(error, this.#settings);
        if (refusal !== null) this.#ending.resolve({ kind: 'crashed', error: refusal });
        this.#options.onTrouble(`Kafka does not say what partition ${partition} holds: ${troubleText(error)}`);
      }
      await this.#pause(RETRY_MS);
    }
    return null;
  }

  /** One question at a time, whoever asks. */
  #ask(): Promise<Map<number, LogBounds>> {
    this.#asking ??= logBounds(this.#client, this.#settings.topic).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #batch({ batch, resolveOffset, isStale }: kafkajs.EachBatchPayload): Promise<void> {
    this.#alive();
    const { partition } = batch;
    if (this.#over.signal.aborted || isStale()) return;
    const lane = this.#lanes.get(partition);
    const owned = lane?.ownership ?? null;
    const pause = () => this.#control((topic) => this.#consumer.pause([{ topic, partitions: [partition] }]));
    if (lane === undefined || owned === null || owned.position === null) return pause();
    const fetched = batch as FetchedBatch;
    if (Number(fetched.fetchedOffset) !== owned.position) {
      // kafkajs went elsewhere because the offset is gone, or this was fetched before the partition was ours.
      const { position } = owned;
      owned.position = null;
      pause();
      void this.#begin(lane, owned, position);
      return;
    }
    const last = batch.lastOffset();
    owned.position = Number(last) + 1;
    owned.end = Math.max(Number(batch.highWatermark), owned.position);
    owned.lastMs = this.#options.now();
    this.#achieved = true;
    resolveOffset(last);
    const handled = lane.hand(owned, runsOf(fetched)).then(() => true);
    if ((await endedWithin(handled, SLOW_CALL_MS)) !== null) return;
    pause();
    void handled.then(() => {
      if (owned.released || owned.position === null) return;
      this.#control((topic) => this.#consumer.resume([{ topic, partitions: [partition] }]));
    });
  }

  #tick(): void {
    if (this.#over.signal.aborted) return;
    const now = this.#options.now();
    for (const lane of this.#lanes.values()) {
      const owned = lane.ownership;
      if (owned === null) continue;
      const isThrough = owned.position !== null && owned.position >= owned.end;
      if (!isThrough || lane.isBusy || now - owned.lastMs < this.#options.idleMs) continue;
      this.#achieved = true;
      void lane.idle(owned);
    }
    this.#commits.send(now);
    if (now - this.#aliveMs > this.#options.stuckMs) this.#ending.resolve({ kind: 'stuck' });
    else if (now - this.#boundsMs > this.#options.stuckMs) void this.#lookBehind(now);
  }

  /** Looks for partitions of which nothing comes although there is something: kafkajs may forget one. */
  async #lookBehind(now: number): Promise<void> {
    this.#boundsMs = now;
    const bounds = await this.#ask().catch(() => null);
    const behind = new Map<number, number>();
    for (const { partition, ownership: owned, isBusy } of this.#lanes.values()) {
      const log = bounds?.get(partition);
      if (owned === null || owned.position === null || isBusy || log === undefined) continue;
      owned.end = Math.max(owned.end, log.high);
      if (owned.position >= log.high) continue;
      if (this.#behind.get(partition) === owned.position) this.#ending.resolve({ kind: 'stuck' });
      behind.set(partition, owned.position);
    }
    this.#behind = behind;
  }

  #alive(): void {
    this.#aliveMs = this.#options.now();
    this.#hooks.alive();
  }

  #seek(partition: number, position: number): void {
    this.#control((topic) => this.#consumer.seek({ topic, partition, offset: String(position) }));
  }

  /** kafkajs throws where it is not consuming: then there is nothing to control. */
  #control(action: (topic: string) => void): void {
    try {
      action(this.#settings.topic);
    } catch {
      // The next membership begins with all this anyway.
    }
  }

  async #pause(ms: number): Promise<void> {
    await endedWithin(
      new Promise<void>((resolve) => this.#over.signal.addEventListener('abort', () => resolve(), { once: true })),
      ms,
    );
  }
}

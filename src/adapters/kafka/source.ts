/** Envelopes from Kafka: a member of a consumer group that is begun anew whenever it is stuck or thrown out. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { EnvelopeSource, PartitionHandler } from '../../core/envelope-log.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import type { EntryOf } from './batch.ts';
import { logBounds } from './bounds.ts';
import { createKafkaClient } from './client.ts';
import { refusalOf, troubleText } from './failures.ts';
import { endedWithin } from './lane.ts';
import { Membership, type MembershipEnd } from './membership.ts';
import type { KafkaSettings } from './settings.ts';

export interface KafkaSourceOptions {
  /** Is told, in a line, what keeps entries from coming. */
  onTrouble?: (trouble: string) => void;
  /** Is told when Kafka gives a sign of life again. */
  onRecovered?: () => void;
  /** Wall time, milliseconds. */
  now?: () => number;
  /** How long nothing arrives before `idle` is called, milliseconds. */
  idleMs?: number;
  /** A member without any sign of life for longer is replaced, milliseconds. */
  stuckMs?: number;
  /** What messages are as entries; envelopes unless said. */
  entryOf?: EntryOf;
  /** What Kafka is to keep with the offset up to which a partition is done; asked right after the call that did it. */
  noteOf?: (partition: number) => string;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;
/** So many members in a row that achieve nothing although Kafka answers, and another will not help either. */
const FRUITLESS_MEMBERS = 5;
const REACH_TIMEOUT_MS = 10_000;
/** Room for members that join in the same millisecond: below 2^53 until the year 2248. */
const MEMBERS_PER_MS = 1_024;

/**
 * A source for one topic. Plain kafkajs is not enough: it moves partitions without a word, begins anew at
 * offsets of its own when an offset is gone, and may stop in silence. Here
 * - the handler decides where a partition begins, and is told of every gap, also when kafkajs skips one;
 * - a slow handler pauses its partition alone, and the member stays in its group;
 * - before the group is shared out anew the calls under way end, for half a session timeout at the most;
 * - a partition that stays ours through a rebalance goes on as if nothing had been.
 *
 * Generations. Those of Kafka do not do: they begin at 1 again when a group was empty for long, and all members
 * share them. Ours is the wall time at which the member was given the partition, times 1,024, plus a number
 * from its member id. Whoever is given a partition later therefore has the greater number, whatever was
 * restarted in between, as long as clocks agree to within the time that a rebalance takes. Where they do
 * not, the rightful owner is fenced; it then joins anew and moves its generations into the future, twice as
 * far each time, until they pass. Two owners are never both let through: the store compares.
 */
export function createKafkaSource(settings: KafkaSettings, options: KafkaSourceOptions = {}): EnvelopeSource {
  // Wrong settings are said now.
  createKafkaClient(settings, 0).destroy();
  return new KafkaSource(settings, options);
}

class KafkaSource implements EnvelopeSource {
  lastProgressMs: number;
  readonly #settings: KafkaSettings;
  readonly #options: KafkaSourceOptions & Required<Omit<KafkaSourceOptions, 'entryOf' | 'noteOf' | 'onRecovered'>>;
  #isTroubled = false;
  #lastGeneration = 0;
  /** By how much generations are ahead of the clock, milliseconds. */
  #leadMs = 0;

  constructor(settings: KafkaSettings, options: KafkaSourceOptions) {
    this.#settings = settings;
    // A member waits for two session timeouts while the group is shared out.
    const stuckMs = Math.max(20_000, settings.sessionTimeoutMs * 4);
    const onTrouble = (trouble: string) => {
      this.#isTroubled = true;
      options.onTrouble?.(trouble);
    };
    this.#options = { now: Date.now, idleMs: 1_000, stuckMs, ...options, onTrouble };
    this.lastProgressMs = this.#options.now();
  }

  async run(handler: PartitionHandler, signal: AbortSignal): Promise<void> {
    const { onTrouble } = this.#options;
    let waitMs = FIRST_WAIT_MS;
    let fruitless = 0;
    while (!signal.aborted) {
      const end = await this.#member(handler, signal);
      if (end.kind === 'stopped') return;
      if (end.kind === 'failed') throw end.error;
      const refusal = end.kind === 'crashed' ? refusalOf(end.error, this.#settings) : null;
      if (refusal !== null) throw refusal;
      if (end.kind === 'fenced') this.#leadMs = Math.max(1_000, this.#leadMs * 2);
      fruitless = end.achieved ? 0 : fruitless + 1;
      waitMs = end.achieved ? FIRST_WAIT_MS : Math.min(waitMs * 2, LONGEST_WAIT_MS);
      onTrouble(
        `Kafka gives nothing of ${this.#settings.topic}: ${textOf(end)}; joining the group ${this.#settings.group} anew`,
      );
      if (fruitless >= FRUITLESS_MEMBERS && end.kind !== 'fenced' && (await this.#answers())) throw this.#stuck(end);
      await sleep(waitMs, undefined, { signal }).catch(() => {});
    }
  }

  /** One membership of the group, from joining to leaving. */
  #member(handler: PartitionHandler, signal: AbortSignal): Promise<MembershipEnd> {
    const membership = new Membership(this.#settings, this.#options, handler, {
      alive: () => {
        this.lastProgressMs = this.#options.now();
        if (this.#isTroubled) this.#options.onRecovered?.();
        this.#isTroubled = false;
      },
      generation: (memberId) => this.#generation(memberId),
    });
    return membership.run(signal);
  }

  #generation(memberId: string): number {
    let number = 0;
    for (const character of memberId) number = (number * 31 + character.charCodeAt(0)) % MEMBERS_PER_MS;
    const byClock = (this.#options.now() + this.#leadMs) * MEMBERS_PER_MS + number;
    this.#lastGeneration = Math.max(this.#lastGeneration + 1, byClock);
    return this.#lastGeneration;
  }

  /** Whether Kafka answers somebody who comes anew. */
  async #answers(): Promise<boolean> {
    const client = createKafkaClient(this.#settings, 1);
    try {
      return (await endedWithin(logBounds(client, this.#settings.topic), REACH_TIMEOUT_MS)) !== null;
    } catch {
      return false;
    } finally {
      client.destroy();
    }
  }

  #stuck(end: MembershipEnd): RelaywatchError {
    return new RelaywatchError({
      code: 'kafka_stuck',
      message: `${FRUITLESS_MEMBERS} attempts to read topic ${this.#settings.topic} came to nothing although Kafka answers: ${textOf(end)}`,
      hint: 'Restart this worker; if that does not help, look at the log of the broker and at the consumer group.',
      cause: end.kind === 'crashed' ? end.error : undefined,
    });
  }
}

function textOf(end: MembershipEnd): string {
  if (end.kind === 'crashed') return troubleText(end.error);
  return end.kind === 'fenced' ? 'another worker has a newer generation' : 'this member has been silent for too long';
}

/** Records of others from Kafka: the same member of a consumer group as for envelopes, but Kafka keeps how far it is. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LogEntry, PartitionHandler } from '../../core/envelope-log.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import type { RecordHandler, RecordPlace, RecordSource } from '../../core/record-log.ts';
import { rawEntryOf } from './batch.ts';
import type { KafkaSettings } from './settings.ts';
import { withAdmin } from './setup.ts';
import { createKafkaSource, type KafkaSourceOptions } from './source.ts';

export type KafkaRecordSourceOptions = Omit<KafkaSourceOptions, 'entryOf' | 'noteOf'>;

const RETRY_MS = 2_000;

/**
 * A source for one topic. How far a partition is done is committed once a second, and before the group is left,
 * with the handler's note as the metadata of the offset (Kafka protocol, OffsetCommit: `committed_metadata`).
 * Kafka forgets it when the group was empty for `offsets.retention.minutes` (7 days): what the topic then still
 * has is read again. So are messages of up to the last second when a member dies or partitions move.
 */
export function createKafkaRecordSource(settings: KafkaSettings, options: KafkaRecordSourceOptions = {}): RecordSource {
  const notes = new Map<number, string>();
  const source = createKafkaSource(settings, {
    ...options,
    entryOf: rawEntryOf,
    noteOf: (partition) => notes.get(partition) ?? '',
  });
  const places = new CommittedPlaces(settings, () => options.onRecovered?.());
  return {
    async run(handler, signal) {
      while (!signal.aborted) {
        try {
          return await source.run(partitionHandler(handler, places, notes), signal);
        } catch (error) {
          if (!(error instanceof PlacesUnknown)) throw error;
          options.onTrouble?.(`${error.message}; asking again in ${RETRY_MS / 1000} s`);
          await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
        }
      }
    },
    get lastProgressMs() {
      return source.lastProgressMs;
    },
  };
}

function partitionHandler(
  handler: RecordHandler,
  places: CommittedPlaces,
  notes: Map<number, string>,
): PartitionHandler {
  return {
    async assigned(partition) {
      const place = await places.of(partition);
      await handler.assigned(partition, place);
      return place?.offset ?? null;
    },
    async entries(partition, _generation, entries: readonly LogEntry[], end) {
      const { offset, note } = await handler.messages(partition, entries, end);
      notes.set(partition, note);
      return offset;
    },
    gap: (partition, expected, found) => handler.gap(partition, expected, found),
    async idle(partition) {
      await handler.idle(partition);
      return null;
    },
    async revoked(partition) {
      await handler.revoked(partition);
      notes.delete(partition);
    },
  };
}

/** Kafka did not say where to begin: it is away, and may come back. */
class PlacesUnknown extends Error {}

/** What the group has committed, asked for all partitions at once when some are assigned. */
class CommittedPlaces {
  readonly #settings: KafkaSettings;
  readonly #onRecovered: () => void;
  #asking: Promise<Map<number, RecordPlace>> | null = null;
  #isUnknown = false;

  constructor(settings: KafkaSettings, onRecovered: () => void) {
    this.#settings = settings;
    this.#onRecovered = onRecovered;
  }

  /** Null where nothing is committed. */
  async of(partition: number): Promise<RecordPlace | null> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return (await this.#asking).get(partition) ?? null;
  }

  async #ask(): Promise<Map<number, RecordPlace>> {
    const { topic, group } = this.#settings;
    try {
      const [{ partitions }] = await withAdmin(this.#settings, (admin) =>
        admin.fetchOffsets({ groupId: group, topics: [topic] }),
      );
      if (this.#isUnknown) this.#onRecovered();
      this.#isUnknown = false;
      const known = partitions.filter(({ offset }) => Number(offset) >= 0);
      return new Map(
        known.map(({ partition, offset, metadata }) => [partition, { offset: Number(offset), note: metadata ?? '' }]),
      );
    } catch (error) {
      if (!(error instanceof RelaywatchError) || error.code !== 'kafka_unreachable') throw error;
      this.#isUnknown = true;
      throw new PlacesUnknown(error.message);
    }
  }
}

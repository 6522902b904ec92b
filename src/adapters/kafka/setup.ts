/** The topics of the envelopes and of dead entries: created, brought into the state that they need, and looked at. */

import kafkajs from 'kafkajs';
import { RelaywatchError } from '../../core/outcome.ts';
import type { Check, SetupStep } from '../../core/setup.ts';
import { createKafkaClient } from './client.ts';
import { refusalOf, troubleText } from './failures.ts';
import { endedWithin } from './lane.ts';
import type { KafkaSettings } from './settings.ts';

export interface KafkaSetupOptions {
  /** Says what would be done, and does nothing. */
  dryRun: boolean;
  /** Of a topic that does not exist yet. */
  partitions: number;
  /** Of a topic that does not exist yet; null for as many as there are brokers, up to three. */
  replicationFactor: number | null;
  retentionMs: number;
}

/** Open days are replayed from the log after a restart: it has to keep them. */
export const LEAST_RETENTION_MS = 7 * 86_400_000;
/** An envelope may hold a record of 2 MiB, and its header. */
export const LEAST_MESSAGE_BYTES = 4_194_304;
/** Dead entries have the bytes of what was written, and more headers. */
const LEAST_DEAD_MESSAGE_BYTES = LEAST_MESSAGE_BYTES + 1_048_576;
const DEAD_PARTITIONS = 1;
/** So many brokers may have an entry: two of them may fail. */
const MOST_COPIES = 3;
const RETRIES = 3;
const DISCONNECT_MS = 5_000;

/** A setting of the topic: what is asked for, what will do, and what it is good for. */
interface TopicSetting {
  name: string;
  wanted: string;
  willDo(value: string): boolean;
  why: string;
}

/** The settings that the topic needs (Kafka documentation, "Topic Configs"). */
export function topicSettings(retentionMs: number): TopicSetting[] {
  const fixed = (name: string, wanted: string, why: string) => ({
    name,
    wanted,
    willDo: (value: string) => value === wanted,
    why,
  });
  return [
    fixed('cleanup.policy', 'delete', 'compaction would keep one envelope of each tenant'),
    {
      name: 'retention.ms',
      wanted: String(retentionMs),
      willDo: (value) => Number(value) === -1 || Number(value) >= retentionMs,
      why: 'open days are replayed after a restart',
    },
    {
      name: 'max.message.bytes',
      wanted: String(LEAST_MESSAGE_BYTES),
      willDo: (value) => Number(value) >= LEAST_MESSAGE_BYTES,
      why: 'an envelope holds at least one record, however long',
    },
    fixed(
      'message.timestamp.type',
      'LogAppendTime',
      'delays are measured from the time at which Kafka took an envelope',
    ),
    fixed('compression.type', 'producer', 'envelopes are compressed already'),
  ];
}

/** The settings that the topic of dead entries needs. How long it keeps them is up to the brokers. */
function deadTopicSettings(): TopicSetting[] {
  return [
    {
      name: 'cleanup.policy',
      wanted: 'delete',
      willDo: (value) => value === 'delete',
      why: 'compaction would keep one entry of each tenant',
    },
    {
      name: 'max.message.bytes',
      wanted: String(LEAST_DEAD_MESSAGE_BYTES),
      willDo: (value) => Number(value) >= LEAST_DEAD_MESSAGE_BYTES,
      why: 'a dead entry may be as large as any of the log, and has more headers',
    },
  ];
}

/** Idempotent. Throws a RelaywatchError for what a person has to mend, Kafka being away included. */
export async function setupKafka(settings: KafkaSettings, options: KafkaSetupOptions): Promise<SetupStep[]> {
  const { partitions, retentionMs } = options;
  if (!(retentionMs >= LEAST_RETENTION_MS)) {
    throw new RelaywatchError({
      code: 'kafka_settings',
      message: `a retention of ${retentionMs} ms is too short: open days are replayed from the log`,
      hint: `Use ${LEAST_RETENTION_MS} (7 days) or more.`,
      exitCode: 2,
    });
  }
  const keeps = `: more or fewer (${partitions}) would move tenants to other partitions`;
  return setupTopic(settings, topicSettings(retentionMs), { ...options, keeps });
}

/** As `setupKafka`, for the topic of dead entries. */
export function setupDeadLetters(
  settings: KafkaSettings,
  deadLetterTopic: string,
  { dryRun, replicationFactor }: Pick<KafkaSetupOptions, 'dryRun' | 'replicationFactor'>,
): Promise<SetupStep[]> {
  const options = { dryRun, replicationFactor, partitions: DEAD_PARTITIONS, keeps: '' };
  return setupTopic({ ...settings, topic: deadLetterTopic }, deadTopicSettings(), options);
}

/** `keeps` is said where an existing topic has another number of partitions. */
async function setupTopic(
  settings: KafkaSettings,
  wantedSettings: readonly TopicSetting[],
  options: Omit<KafkaSetupOptions, 'retentionMs'> & { keeps: string },
): Promise<SetupStep[]> {
  const { dryRun, partitions } = options;
  const { topic } = settings;
  return withAdmin(settings, async (admin) => {
    const existing = await topicOf(admin, topic);
    if (existing === null) {
      const replicationFactor = options.replicationFactor ?? (await copiesOf(admin));
      const what = `topic ${topic} with ${partitions} partitions, replication factor ${replicationFactor}`;
      if (dryRun) return [{ what, state: 'would create' }];
      const configEntries = wantedSettings.map(({ name, wanted }) => ({ name, value: wanted }));
      const created = { topic, numPartitions: partitions, replicationFactor, configEntries };
      await admin.createTopics({ topics: [created], waitForLeaders: true });
      return [{ what, state: 'created' }];
    }
    const asked = existing === partitions ? '' : options.keeps;
    const steps: SetupStep[] = [
      { what: `topic ${topic} keeps its ${existing} partitions${asked}`, state: 'unchanged' },
    ];
    const values = await configOf(admin, topic);
    const changes = wantedSettings.filter(({ name, willDo }) => !willDo(values.get(name)?.value ?? ''));
    if (changes.length > 0 && !dryRun) await changeConfig(admin, topic, values, changes);
    for (const { name, wanted, why } of wantedSettings) {
      const isChanged = changes.some((one) => one.name === name);
      const what = `${name} of topic ${topic}${isChanged ? ` = ${wanted}: ${why}` : ''}`;
      steps.push({ what, state: isChanged ? (dryRun ? 'would update' : 'updated') : 'unchanged' });
    }
    return steps;
  });
}

async function copiesOf(admin: kafkajs.Admin): Promise<number> {
  const { brokers } = await admin.describeCluster();
  return Math.min(MOST_COPIES, brokers.length);
}

/** What `doctor` says of Kafka and the topic of the envelopes; never throws. */
export function checkKafka(settings: KafkaSettings): Promise<Check[]> {
  return checkTopic(settings, topicSettings(LEAST_RETENTION_MS));
}

/** As `checkKafka`, for the topic of dead entries. */
export function checkDeadLetters(settings: KafkaSettings, deadLetterTopic: string): Promise<Check[]> {
  return checkTopic({ ...settings, topic: deadLetterTopic }, deadTopicSettings());
}

/** As `checkKafka`, for a topic of others: it is there and may be read. */
export function checkKafkaInput(settings: KafkaSettings): Promise<Check[]> {
  return checkTopic(settings, null);
}

/** `wantedSettings` is null for a topic whose settings are not ours, and may not be shown to us. */
async function checkTopic(settings: KafkaSettings, wantedSettings: readonly TopicSetting[] | null): Promise<Check[]> {
  const { topic, brokers } = settings;
  const reached = `Kafka at ${brokers.join(', ')}`;
  const checks: Check[] = [];
  try {
    await withAdmin(settings, async (admin) => {
      const cluster = await admin.describeCluster();
      checks.push({ what: reached, ok: true, detail: `answers, ${cluster.brokers.length} brokers`, hint: null });
      const partitions = await topicOf(admin, topic);
      if (partitions === null) {
        const hint =
          wantedSettings === null
            ? 'Whoever writes to it has to create it; check its name.'
            : 'relaywatch setup creates it.';
        checks.push({ what: `topic ${topic}`, ok: false, detail: 'does not exist, or may not be seen', hint });
        return;
      }
      await admin.fetchTopicOffsets(topic);
      checks.push({ what: `topic ${topic}`, ok: true, detail: `${partitions} partitions, may be read`, hint: null });
      if (wantedSettings === null) return;
      const values = await configOf(admin, topic);
      for (const { name, willDo, why } of wantedSettings) {
        const value = values.get(name)?.value ?? '';
        const hint = `${why}: relaywatch setup sets it.`;
        checks.push({
          what: `${name} of topic ${topic}`,
          ok: willDo(value),
          detail: value,
          hint: willDo(value) ? null : hint,
        });
      }
    });
  } catch (error) {
    const { message, hint } = error as RelaywatchError;
    checks.push({ what: checks.length === 0 ? reached : `topic ${topic}`, ok: false, detail: message, hint });
  }
  return checks;
}

/** Work with an administrator of its own; its failures are explained. */
export async function withAdmin<Result>(
  settings: KafkaSettings,
  work: (admin: kafkajs.Admin) => Promise<Result>,
): Promise<Result> {
  const client = createKafkaClient(settings, RETRIES);
  const admin = client.kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw refusalOf(error, settings) ?? unreachable(error, settings);
  } finally {
    await endedWithin(
      admin.disconnect().catch(() => {}),
      DISCONNECT_MS,
    );
    client.destroy();
  }
}

function unreachable(cause: unknown, { brokers }: KafkaSettings): RelaywatchError {
  return new RelaywatchError({
    code: 'kafka_unreachable',
    message: `Kafka at ${brokers.join(', ')} does not do what it is asked: ${troubleText(cause)}`,
    hint: 'Check addresses, ports and TLS, and that the brokers run.',
    cause,
  });
}

/** The number of partitions; null where there is no such topic. */
async function topicOf(admin: kafkajs.Admin, topic: string): Promise<number | null> {
  if (!(await admin.listTopics()).includes(topic)) return null;
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0].partitions.length;
}

interface ConfigValue {
  value: string;
  /** Set for this topic, not for the broker or by default. */
  isOwn: boolean;
}

async function configOf(admin: kafkajs.Admin, topic: string): Promise<Map<string, ConfigValue>> {
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }];
  const described = await admin.describeConfigs({ resources, includeSynonyms: false });
  const entries = described.resources[0].configEntries;
  return new Map(
    entries.map(({ configName, configValue, configSource }) => [
      configName,
      { value: configValue, isOwn: configSource === kafkajs.ConfigSource.TOPIC_CONFIG },
    ]),
  );
}

/** All own settings of the topic go along: those that are not named would be lost (KIP-133, AlterConfigs). */
async function changeConfig(
  admin: kafkajs.Admin,
  topic: string,
  values: Map<string, ConfigValue>,
  changes: readonly TopicSetting[],
): Promise<void> {
  const own = [...values].flatMap(([name, { value, isOwn }]) => (isOwn ? [[name, value] as const] : []));
  const config = new Map([...own, ...changes.map(({ name, wanted }) => [name, wanted] as const)]);
  const configEntries = [...config].map(([name, value]) => ({ name, value }));
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries };
  await admin.alterConfigs({ validateOnly: false, resources: [resource] });
}

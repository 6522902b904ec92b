/** A pipeline as the runtime takes it: checked, with absolute paths, defaults filled in and secrets wrapped. */

import type { JobQueueSettings } from '../../adapters/bullmq/settings.ts';
import type { ElasticsearchSettings } from '../../adapters/elasticsearch/settings.ts';
import type { KafkaSettings } from '../../adapters/kafka/settings.ts';
import type { RedisSettings } from '../../adapters/redis/settings.ts';
import type { DateOrder } from '../../core/event-time.ts';
import type { Family, IncidentType, Severity } from '../../core/incident-document.ts';
import type { AcceptedDomain, TenantSettings } from '../../core/settings.ts';
import type { ROLES } from './schema.ts';
import type { Secret } from './secret.ts';

/** Settings of an adapter with some fields wrapped; `revealSecrets` makes the adapter's own of them. */
type Wrapped<Settings, Field extends keyof Settings> = Omit<Settings, Field> & {
  [Name in Field]: Secret | Extract<Settings[Name], null>;
};

export type Role = (typeof ROLES)[number];

export interface TenantProfile extends TenantSettings {
  /** Never inferred: a detector that runs for months must not guess. */
  acceptedDomains: AcceptedDomain[];
  /** For dates that an export leaves open; null where it must tell. */
  dateOrder: DateOrder | null;
  /** Names and ids of the tenant, lower case; rows of others are dead letters. Empty: all rows are the tenant's. */
  organizations: string[];
  /** Without a row for so long the source counts as silent; null for as long as the pipeline says. */
  silentAfterMs: number | null;
}

export interface FolderInput {
  path: string;
  /** Key of the tenant; null where the names of the folders inside are the keys. */
  tenant: string | null;
  settleMs: number;
}

/** As the adapter takes it, but for tokens: who runs the pipeline asks the endpoint for them. */
export type SaslSettings =
  | { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: Secret }
  | { mechanism: 'oauthbearer'; tokenEndpoint: string; clientId: string; clientSecret: Secret; scope: string | null };

export interface KafkaConnection extends Omit<KafkaSettings, 'sasl' | 'tls'> {
  tls: Wrapped<NonNullable<KafkaSettings['tls']>, 'key'> | null;
  sasl: SaslSettings | null;
}

export interface KafkaInput extends KafkaConnection {
  tenant: string;
}

export interface KafkaLog extends KafkaConnection {
  deadLetterTopic: string;
}

export type RedisConnection = Wrapped<RedisSettings, 'password'>;

export interface ElasticsearchConnection extends Omit<ElasticsearchSettings, 'auth'> {
  auth: { apiKey: Secret } | { username: string; password: Secret } | null;
}

export type StateSettings = { kind: 'folder'; path: string } | { kind: 'redis'; redis: RedisConnection };
export type OutputSettings =
  | { kind: 'folder'; path: string }
  | { kind: 'elasticsearch'; elasticsearch: ElasticsearchConnection };

export interface JobsSettings extends Omit<JobQueueSettings, 'redis'> {
  redis: RedisConnection;
  /** Folder that remembers submitted jobs until they are done, whatever Redis loses; null for none. */
  spool: string | null;
}

export interface ExpectedIncident {
  family?: Family;
  type?: IncidentType;
  severity?: Severity;
  /** Keys that are among the contributors, by kind. */
  contributors?: Partial<Record<'domains' | 'sources' | 'connectors' | 'mailboxes' | 'subjects', string[]>>;
}

/** Rows in, incidents out. */
export interface PipelineCase {
  name: string;
  /** Where the case stands, for messages. */
  place: { file: string; line: number; column: number };
  tenant: string;
  /** Exports and folders of exports; empty where `rows` is given. */
  files: string[];
  /** An export as text, or null. */
  rows: string | null;
  expect: { incidents: ExpectedIncident[] };
}

/** What the cases of a pipeline are run with. */
export interface PipelineCases {
  name: string;
  /** At least one; keys are unique. */
  tenants: TenantProfile[];
  /** `silentAfterMs`: without a row of a tenant for so long its source counts as silent. */
  detection: { evidenceRows: number; silentAfterMs: number };
  cases: PipelineCase[];
}

/** Sections that a role has no use for are null. */
export interface Pipeline extends PipelineCases {
  /** Absolute path of the file. */
  file: string;
  role: Role;
  inputs: { folder: FolderInput | null; kafka: KafkaInput | null };
  log: KafkaLog | null;
  state: StateSettings | null;
  outputs: OutputSettings | null;
  jobs: JobsSettings | null;
  archive: { path: string } | null;
  telemetry: { host: string; port: number } | null;
  /** What makes the pipeline doubtful, for people: lines that name file and place. */
  warnings: string[];
}

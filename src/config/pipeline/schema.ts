/**
 * What may stand in a pipeline file and in a file of a tenant: names, types and bounds. What the fields mean
 * together is in `checks.ts`, defaults in `resolve.ts`. Keys are snake_case, units last.
 */

import { z } from 'zod';
import { DEFAULT_NAMESPACE } from '../../adapters/elasticsearch/settings.ts';
import { DEFAULT_PREFIX } from '../../adapters/redis/settings.ts';
import { type Family, type IncidentType, SEVERITIES } from '../../core/incident-document.ts';
import { DATE_ORDERS, DEFAULT_EVIDENCE_ROWS, MAX_EVIDENCE_ROWS } from '../options.ts';

export const ROLES = ['embedded', 'ingest', 'detect', 'jobs'] as const;
export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const;

const FAMILIES = ['unregistered', 'bulk', 'limit', 'blocked'] as const satisfies readonly Family[];
const INCIDENT_TYPES = [
  'relay',
  'domain_rotation',
  'rogue_connector',
  'compromised_mailbox',
  'distributed_mailboxes',
  'bulk_sender',
  'forwarding',
  'forwarding_loop',
  'queue_flush',
  'backscatter',
  'growth',
  'profile_shift',
  'limit',
  'blocked',
  'unknown',
] as const satisfies readonly IncidentType[];

export const DEFAULTS = {
  settleMs: 2_000,
  licenses: null,
  timeZone: 'UTC',
  clientId: 'relaywatch',
  envelopeTopic: 'relaywatch-envelopes',
  detectorGroup: 'relaywatch-detect',
  sessionTimeoutMs: 30_000,
  maxWaitMs: 500,
  concurrency: 1,
  lockDurationMs: 30_000,
  telemetryHost: '127.0.0.1',
  telemetryPort: 9_464,
  evidenceRows: DEFAULT_EVIDENCE_ROWS,
  silentAfterHours: 6,
} as const;

const text = (description: string) => z.string().min(1).max(4_096).describe(description);

/** A whole number, or the same as text: from the environment everything is text. */
const wholeNumber = (min: number, max: number, description: string) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value),
    z.int().min(min).max(max).describe(description),
  );

const yesNo = (description: string) =>
  z.preprocess(
    (value) => (value === 'true' ? true : value === 'false' ? false : value),
    z.boolean().describe(description),
  );

const path = (description: string) => text(`${description} Relative to this file.`);

const tenantKey = (description: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
    .meta({ description, shape: 'a name of up to 63 letters, digits, dots, hyphens and underscores' });

const fileOfSecret = z.strictObject({ file: path('File that holds the secret and nothing else.') });
/** Empty text is no secret: a variable that is set to nothing switches it off. */
const secret = (description: string) =>
  z
    .union([z.string().max(4_096).describe(`${description} From the environment: \${NAME}.`), fileOfSecret])
    .describe(description);

const plaintext = yesNo('Talk to a server elsewhere without TLS. Default: false.').optional();

const tls = z
  .union([
    yesNo('TLS, trusting what Node trusts.'),
    z.strictObject({
      ca_file: path('Certificates of the authorities to trust, PEM.').optional(),
      cert_file: path('Certificate of this client, PEM, where brokers ask for one.').optional(),
      key_file: path('Key of that certificate, PEM.').optional(),
    }),
  ])
  .describe('TLS: true, or whom to trust and who we are. Default: false.');

const sasl = z
  .strictObject({
    mechanism: z.enum(SASL_MECHANISMS).describe('How the client proves who it is.'),
    username: text('Name for plain and scram; $ConnectionString for Event Hubs.').optional(),
    password: secret('Password for plain and scram; the connection string for Event Hubs.').optional(),
    token_endpoint: text('OAuth 2.0 token endpoint, for oauthbearer.').optional(),
    client_id: text('OAuth 2.0 client, for oauthbearer.').optional(),
    client_secret: secret('Secret of the OAuth 2.0 client, for oauthbearer.').optional(),
    scope: text('OAuth 2.0 scope, for oauthbearer.').optional(),
  })
  .describe('Signing in to Kafka.');

const topic = (description: string) =>
  z
    .string()
    .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/)
    .meta({ description, shape: 'a topic name: letters, digits, dots, hyphens and underscores' });

const kafkaConnection = {
  brokers: z
    .array(
      z
        .string()
        .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@[\]]+):\d{1,5}$/)
        .meta({ shape: 'host:port' }),
    )
    .min(1)
    .max(100)
    .describe('host:port of one or more brokers.'),
  client_id: text(`Name of this client in the logs of the brokers. Default: ${DEFAULTS.clientId}.`).optional(),
  tls: tls.optional(),
  sasl: sasl.optional(),
  allow_plaintext: plaintext,
  session_timeout_ms: wholeNumber(
    6_000,
    1_800_000,
    `A member that is silent for longer loses its partitions. Default: ${DEFAULTS.sessionTimeoutMs}.`,
  ).optional(),
  max_wait_ms: wholeNumber(
    10,
    30_000,
    `How long a broker waits for entries before it answers that there are none. Default: ${DEFAULTS.maxWaitMs}.`,
  ).optional(),
};

const kafkaInput = z
  .strictObject({
    ...kafkaConnection,
    topic: topic('Topic, or Event Hub, of the records.'),
    group: text('Consumer group that relaywatch reads as; what it has committed is where the next worker goes on.'),
    tenant: tenantKey('Tenant that the events belong to.'),
  })
  .describe('JSON records, such as the EmailEvents that Defender XDR streams to Event Hubs, or to any Kafka.');

const kafkaLog = z
  .strictObject({
    ...kafkaConnection,
    topic: topic(`Topic of the envelopes. Default: ${DEFAULTS.envelopeTopic}.`).optional(),
    dead_letter_topic: topic(
      'Topic of what cannot be read as an envelope. Default: the topic and -dead-letters.',
    ).optional(),
    group: text(`Consumer group of the detectors. Default: ${DEFAULTS.detectorGroup}.`).optional(),
  })
  .describe('Kafka between ingest and detection.');

const redis = z
  .strictObject({
    url: text('redis://host:port/database; rediss:// for TLS.'),
    username: text('User of the ACL. Default: the default user.').optional(),
    password: secret('Password of the user.').optional(),
    ca_file: path('Certificates of the authorities to trust, PEM.').optional(),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9._{}-]{1,64}$/)
      .meta({
        description: `What all keys begin with. Default: ${DEFAULT_PREFIX}.`,
        shape: 'up to 64 letters, digits, dots, hyphens, underscores and braces',
      })
      .optional(),
    allow_plaintext: plaintext,
  })
  .describe('Redis, with AOF and noeviction.');

const folderAt = (description: string) => z.strictObject({ path: path(description) }).describe(description);

const elasticsearch = z
  .strictObject({
    nodes: z.array(text('https://host:port')).min(1).max(100).describe('Addresses of one or more nodes.'),
    api_key: secret('API key, encoded as Elasticsearch gives it.').optional(),
    username: text('User, where there is no API key.').optional(),
    password: secret('Password of the user.').optional(),
    ca_file: path('Certificates of the authority to trust, PEM.').optional(),
    ca_fingerprint: z
      .string()
      .regex(/^(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/)
      .meta({
        description: 'SHA-256 of the authority that must have signed; beside ca_file, not in its place.',
        shape: 'the SHA-256 of a certificate, 64 hex digits',
      })
      .optional(),
    namespace: z
      .string()
      .regex(/^(?=[a-z0-9_.]*[a-z])[a-z0-9_.]{1,100}$/)
      .meta({
        description: `Last part of the names of indices. Default: ${DEFAULT_NAMESPACE}.`,
        shape: 'up to 100 lower-case letters, digits, dots and underscores, with at least one letter',
      })
      .optional(),
    allow_plaintext: plaintext,
  })
  .describe('Elasticsearch 8 or 9.');

const acceptedDomain = z.union([
  z.string().min(1).max(255),
  z.strictObject({
    name: z.string().min(1).max(255).describe('The domain.'),
    match_subdomains: yesNo('The entry covers the domains below it too. Default: false.').optional(),
  }),
]);

const silentAfterHours = (description: string) => wholeNumber(1, 96, description).optional();

const tenantFields = {
  key: tenantKey(
    'Name of the tenant here: partition key of its rows, and part of what ids are made of. It never changes.',
  ),
  accepted_domains: z
    .union([
      text('File of Get-AcceptedDomain (CSV or JSON), or with one domain a line. Relative to this file.'),
      z.array(acceptedDomain).min(1).max(100_000),
    ])
    .describe('The domains registered in the tenant: a file, or the list.')
    .optional(),
  licenses: wholeNumber(
    1,
    10_000_000,
    'Licenses: watches how near the tenant is to its limit of recipients.',
  ).optional(),
  time_zone: text('Zone of the office hours, such as Europe/Berlin. Default: UTC.').optional(),
  date_order: z.enum(DATE_ORDERS).describe('Order of day, month and year where an export does not tell.').optional(),
  organizations: z
    .array(z.string().min(1).max(255))
    .min(1)
    .max(100)
    .describe(
      'Names (contoso.onmicrosoft.com) and ids of the tenant; rows of others are dead letters. Default: all rows are its.',
    )
    .optional(),
  labels: path(
    "Analysts' verdicts about its incidents, benign or abuse, as NDJSON. Read at the start: restart after a change.",
  ).optional(),
  allow: path(
    'Mail of it that is known and wanted, as YAML: by domain, mailbox, connector or address. Read at the start.',
  ).optional(),
  connectors: path(
    'Its connectors, from Get-InboundConnector and Get-OutboundConnector as JSON or CSV. Read at the start.',
  ).optional(),
  silent_after_hours: silentAfterHours(
    'Without a row of it for so long its source counts as silent, unless it is used to pauses. Default: as the pipeline says.',
  ),
};

export const tenantFileSchema = z.strictObject(tenantFields).describe('A tenant of relaywatch, in a file of its own.');

const expectedIncident = z.strictObject({
  family: z.enum(FAMILIES).optional(),
  type: z.enum(INCIDENT_TYPES).optional(),
  severity: z.enum(SEVERITIES).describe('Severity in words.').optional(),
  contributors: z
    .strictObject(
      Object.fromEntries(
        (['domains', 'sources', 'connectors', 'mailboxes', 'subjects'] as const).map((kind) => [
          kind,
          z.array(z.string().min(1)).min(1).optional(),
        ]),
      ) as Record<
        'domains' | 'sources' | 'connectors' | 'mailboxes' | 'subjects',
        z.ZodOptional<z.ZodArray<z.ZodString>>
      >,
    )
    .describe('Keys that must be among the contributors.')
    .optional(),
});

const pipelineCase = z.strictObject({
  name: text('What the case shows.'),
  tenant: tenantKey('Tenant whose rows these are.'),
  files: z.array(path('Export or folder of exports.')).min(1).max(1_000).optional(),
  rows: z.string().min(1).describe('Rows in place of files: an export as text, with its header.').optional(),
  expect: z.strictObject({
    incidents: z.array(expectedIncident).max(1_000).describe('Exactly these incidents, in any order; [] for none.'),
  }),
});

export const pipelineSchema = z
  .strictObject({
    name: tenantKey('Name of the pipeline: part of the keys of its checkpoints.'),
    role: z.enum(ROLES).describe('What a process with this pipeline does; embedded does all of it.'),
    tenants: z.array(tenantFileSchema).min(1).max(10_000).describe('Tenants.').optional(),
    tenant_files: z
      .union([path('File, or tenants/*.yaml.'), z.array(path('File, or tenants/*.yaml.')).min(1).max(10_000)])
      .describe('Tenants in files of their own.')
      .optional(),
    inputs: z
      .strictObject({
        folder: z
          .strictObject({
            path: path('Folder into which exports are dropped.'),
            tenant: tenantKey('Tenant whose exports these are.').optional(),
            tenant_from: z
              .enum(['subfolder'])
              .describe('The name of the folder in which an export lies is the key of its tenant.')
              .optional(),
            settle_ms: wholeNumber(
              0,
              3_600_000,
              `A file that did not change for so long is complete. Default: ${DEFAULTS.settleMs}.`,
            ).optional(),
          })
          .describe('A folder that is watched.')
          .optional(),
        kafka: kafkaInput.optional(),
      })
      .describe('Where rows come from.')
      .optional(),
    log: z.strictObject({ kafka: kafkaLog }).describe('What lies between ingest and detection.').optional(),
    state: z
      .strictObject({
        folder: folderAt('Folder for checkpoints.').optional(),
        redis: redis.optional(),
      })
      .describe('Where the process continues after a restart: a folder or Redis.')
      .optional(),
    outputs: z
      .strictObject({
        folder: folderAt('Folder for incidents, alerts, the ledger and dead letters.').optional(),
        elasticsearch: elasticsearch.optional(),
      })
      .describe('Where findings are kept: a folder or Elasticsearch.')
      .optional(),
    jobs: z
      .strictObject({
        redis,
        spool: folderAt(
          'Folder, the same for submit and all workers, that remembers jobs until they are done.',
        ).optional(),
        concurrency: wholeNumber(1, 64, `Jobs at a time. Default: ${DEFAULTS.concurrency}.`).optional(),
      })
      .describe('The queue of jobs.')
      .optional(),
    archive: folderAt('Folder that keeps the raw exports, for rescans and evidence.').optional(),
    telemetry: z
      .strictObject({
        host: text(`Address to listen on. Default: ${DEFAULTS.telemetryHost}.`).optional(),
        port: wholeNumber(
          0,
          65_535,
          `Port of /healthz, /readyz and /metrics. Default: ${DEFAULTS.telemetryPort}.`,
        ).optional(),
      })
      .describe('Health and metrics over HTTP. Default: none.')
      .optional(),
    detection: z
      .strictObject({
        evidence_rows: wholeNumber(
          0,
          MAX_EVIDENCE_ROWS,
          `Sample rows of an incident. Default: ${DEFAULTS.evidenceRows}.`,
        ).optional(),
        silent_after_hours: silentAfterHours(
          `Without a row of a tenant for so long its source counts as silent. Default: ${DEFAULTS.silentAfterHours}.`,
        ),
      })
      .describe('Numbers of the detection.')
      .optional(),
    cases: z.array(pipelineCase).max(1_000).describe('Rows in, incidents out: what `relaywatch test` runs.').optional(),
  })
  .describe('A pipeline of relaywatch.');

export type PipelineFileData = z.infer<typeof pipelineSchema>;
export type TenantFileData = z.infer<typeof tenantFileSchema>;

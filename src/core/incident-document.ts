/**
 * The incident document: one line of `scan --output ndjson`, and the same in Elasticsearch. ECS 9.4
 * names where ECS has one, everything else under `relaywatch`. Times are RFC 3339 UTC with
 * milliseconds, shares have 3 digits, expectations and scores 2.
 */

export const ECS_VERSION = '9.4.0';

export type Family = 'unregistered' | 'bulk' | 'limit' | 'blocked';

export type IncidentType =
  | 'relay'
  | 'domain_rotation'
  | 'rogue_connector'
  | 'compromised_mailbox'
  | 'distributed_mailboxes'
  | 'bulk_sender'
  | 'forwarding'
  | 'forwarding_loop'
  | 'queue_flush'
  | 'backscatter'
  | 'growth'
  | 'profile_shift'
  | 'limit'
  | 'blocked'
  | 'unknown';

export type IncidentState = 'open' | 'closed' | 'retracted';

export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];
/** `event.severity` of low, medium, high, critical (the numbers of Elastic Security's rules). */
export const SEVERITY_NUMBERS = [21, 47, 73, 99] as const;

export type SeriesName =
  | 'relayed'
  | 'unregistered_recipients'
  | 'unregistered_domain'
  | 'unregistered_source'
  | 'mailbox'
  | 'mailbox_recipients'
  | 'tenant_external'
  | 'ceiling'
  | 'block';

export type Statistic = 'scan' | 'cusum' | 'ceiling';

export interface Contributor {
  key: string;
  recipients: number;
  /** Share of the incident's recipients. */
  share: number;
}

export interface Contributors {
  domains: Contributor[];
  sources: Contributor[];
  connectors: Contributor[];
  mailboxes: Contributor[];
  subjects: Contributor[];
}

export interface Escalation {
  at: string;
  observed: number;
  severity: number;
}

export interface EvidenceRow {
  message_trace_id: string;
  sender: string;
  recipient: string;
  subject: string;
  status: string;
  at: string;
}

export interface LimitUse {
  name: string;
  used: number;
  budget: number;
  share: number;
  forecast_at: string | null;
}

export interface IncidentDocument {
  '@timestamp': string;
  ecs: { version: string };
  message: string;
  event: {
    id: string;
    kind: 'alert';
    category: ['email', 'threat'];
    type: ['indicator'];
    action: IncidentType;
    module: 'relaywatch';
    dataset: 'relaywatch.incident';
    start: string;
    end: string;
    severity: number;
    risk_score: number;
    reason: string;
  };
  rule: { id: string; name: string; version: string; category: string };
  threat?: { framework: string; tactic: { id: string[]; name: string[] }; technique: { id: string[]; name: string[] } };
  organization?: { id?: string; name?: string };
  source?: { ip: string };
  email?: { from: { address: string[] } };
  related: { ip: string[]; user: string[] };
  relaywatch: {
    incident: {
      family: Family;
      type: IncidentType;
      state: IncidentState;
      reopened_count: number;
      detected_at: string;
      series: SeriesName[];
      observed: number | null;
      expected: number | null;
      expected_p95: number | null;
      /** `15m`, `1h`, `6h`, `24h`, or the hours since a ramp began, as in `37h`; null for a block. */
      window: string | null;
      statistic: Statistic | null;
      score: number | null;
      messages: number;
      recipients: number;
      recipients_at_detection: number;
      contributors: Contributors;
      escalations: Escalation[];
      evidence: EvidenceRow[];
      limit?: LimitUse;
    };
  };
}

/** Where an evidence row stands, for `--evidence-out`; `offset` and `length` count decompressed bytes as stored. */
export interface EvidencePointer {
  incident: string;
  message_trace_id: string;
  recipient: string;
  file: number;
  offset: number;
  length: number;
}

/** Incidents of a walk → incident documents. The only place where the texts of rows are read. */

import { createHash } from 'node:crypto';
import { formatTime } from './calendar.ts';
import { ChosenTexts } from './identity.ts';
import {
  type Contributor,
  type Contributors,
  ECS_VERSION,
  type EvidencePointer,
  type EvidenceRow,
  type Family,
  type IncidentDocument,
  type IncidentType,
  SEVERITY_NUMBERS,
} from './incident-document.ts';
import { BLOCKS, reasonOf, sentence } from './incident-texts.ts';
import type { PairText, TextSource } from './ports.ts';
import { positionFile, positionOffset, STATUSES } from './record.ts';
import type { CampaignKey } from './walk/campaign.ts';
import type { Incident, RowPlace } from './walk/incident.ts';
import type { MailboxPlace } from './walk/series-keys.ts';
import type { Walk } from './walk/walk.ts';

const CONTRIBUTORS = 5;
/** Equal counts are put in order by their texts; of more keys than this the hash chooses which are read. */
const TEXTS_READ = 500;
/** Evidence is spread over so many contributors. */
const EVIDENCE_SPREAD = 5;

export interface DocumentOptions {
  tenantKey: string;
  organization: { id?: string; name?: string } | null;
  evidenceRows: number;
  /** Rows of an incident in `DescribedIncidents.evidence`, where that is more. */
  pointerRows?: number;
}

export interface DescribedIncidents {
  /** Ordered by (detected_at, id). */
  incidents: IncidentDocument[];
  evidence: EvidencePointer[];
}

const RULE_NAMES: Record<Family, string> = {
  unregistered: 'Spike of unregistered sender domains',
  bulk: 'Suspicious bulk volume',
  limit: 'A sending limit of Microsoft nears',
  blocked: 'Microsoft refuses mail of the tenant',
};

/** Describes the incidents detected at or after `reportSinceMs`. Ids are given out over all incidents. */
export function describeIncidents(
  walk: Walk,
  texts: TextSource,
  chosen: ChosenTexts,
  options: DocumentOptions,
  reportSinceMs: number | null,
): DescribedIncidents {
  const describer = new IncidentDescriber(walk, texts, chosen, options);
  const taken = new Set<string>();
  const described: { document: IncidentDocument; pointers: EvidencePointer[] }[] = [];
  for (const incident of walk.incidents) {
    const id = describer.id(incident, taken);
    if (reportSinceMs !== null && incident.detectedMs < reportSinceMs) continue;
    described.push(describer.describe(incident, id));
  }
  described.sort(
    (left, right) =>
      compareText(left.document['@timestamp'], right.document['@timestamp']) ||
      compareText(left.document.event.id, right.document.event.id),
  );
  return {
    incidents: described.map((entry) => entry.document),
    evidence: described.flatMap((entry) => entry.pointers),
  };
}

/** Makes ids and documents of a walk's incidents, one at a time. */
export class IncidentDescriber {
  readonly #walk: Walk;
  readonly #texts: TextSource;
  readonly #chosen: ChosenTexts;
  readonly #options: DocumentOptions;

  constructor(walk: Walk, texts: TextSource, chosen: ChosenTexts, options: DocumentOptions) {
    this.#walk = walk;
    this.#texts = texts;
    this.#chosen = chosen;
    this.#options = options;
  }

  /** `rw-` and a hash of tenant, family, campaign key and day; a running number where that is taken. */
  id(incident: Incident, taken: Set<string>): string {
    const day = formatTime(incident.detectedMs).slice(0, 10);
    for (let number = 0; ; number++) {
      const made = [this.#options.tenantKey, incident.family, this.#keyText(incident.key), day];
      const hash = createHash('sha256').update(JSON.stringify(number === 0 ? made : [...made, number]));
      const id = `rw-${hash.digest('hex').slice(0, 16)}`;
      if (taken.has(id)) continue;
      taken.add(id);
      return id;
    }
  }

  /** The id of an incident that is about to be the walk's next. */
  nextId(incident: Incident): string {
    const taken = new Set<string>();
    for (const other of this.#walk.incidents) this.id(other, taken);
    return this.id(incident, taken);
  }

  describe(incident: Incident, id: string): { document: IncidentDocument; pointers: EvidencePointer[] } {
    const { totals } = incident;
    const contributors = this.#contributors(incident);
    const { rows, pointers } = this.#evidence(incident, id);
    const reason = reasonOf(incident, contributors);
    const topSource = contributors.sources[0];
    const mailboxes = contributors.mailboxes.map((contributor) => contributor.key);
    const document: IncidentDocument = {
      '@timestamp': formatTime(incident.detectedMs),
      ecs: { version: ECS_VERSION },
      message: sentence(incident, contributors),
      event: {
        id,
        kind: 'alert',
        category: ['email', 'threat'],
        type: ['indicator'],
        action: incident.type,
        module: 'relaywatch',
        dataset: 'relaywatch.incident',
        start: formatTime(incident.startMs),
        end: formatTime(Math.max(totals.lastMs, incident.startMs)),
        severity: SEVERITY_NUMBERS[incident.severity],
        risk_score: riskScore(incident),
        reason,
      },
      rule: { id: incident.family, name: RULE_NAMES[incident.family], version: '1', category: incident.family },
      ...threatOf(incident.type),
      ...(this.#options.organization === null ? {} : { organization: this.#options.organization }),
      ...(topSource !== undefined && topSource.share >= 0.5 ? { source: { ip: addressOf(topSource.key) } } : {}),
      ...(incident.family === 'bulk' && mailboxes.length > 0 ? { email: { from: { address: mailboxes } } } : {}),
      related: { ip: contributors.sources.map((contributor) => addressOf(contributor.key)), user: mailboxes },
      relaywatch: {
        incident: {
          family: incident.family,
          type: incident.type,
          state: incident.isOpen ? 'open' : 'closed',
          reopened_count: incident.reopenedCount,
          detected_at: formatTime(incident.detectedMs),
          series: [...incident.series],
          observed: incident.numbers.observed,
          expected: rounded(incident.numbers.expected, 2),
          expected_p95: incident.numbers.expectedP95,
          window: incident.numbers.window,
          statistic: incident.numbers.statistic,
          score: rounded(incident.numbers.score, 2),
          messages: totals.messages,
          recipients: totals.recipients,
          recipients_at_detection: incident.recipientsAtDetection,
          contributors,
          escalations: incident.escalations.map((escalation) => ({
            at: formatTime(escalation.atMs),
            observed: escalation.observed,
            severity: SEVERITY_NUMBERS[escalation.severity],
          })),
          evidence: rows,
        },
      },
    };
    if (incident.limit !== null) {
      const { name, used, budget, forecastMs } = incident.limit;
      document.relaywatch.incident.limit = {
        name,
        used,
        budget,
        share: rounded(used / budget, 3) as number,
        forecast_at: forecastMs === null ? null : formatTime(forecastMs),
      };
    }
    return { document, pointers };
  }

  #contributors(incident: Incident): Contributors {
    const { traits, subjects } = incident.totals;
    const total = traits.pairs;
    const known = (kind: 'domain' | 'source' | 'connector') => (key: number) => this.#walk.keyText(kind, key);
    const hashOf = (key: number) => this.#walk.keyText('mailbox', key);
    const subjectCounts = new Map([...subjects].map(([hash, subject]) => [hash, subject.count]));
    return {
      domains: top(traits.domains, total, known('domain')),
      sources: top(traits.sources, total, known('source')),
      connectors: top(traits.connectors, total, known('connector')),
      mailboxes: top(traits.mailboxes, total, (key) => this.mailboxText(key), hashOf),
      subjects: top(
        subjectCounts,
        total,
        (hash) => this.#read((subjects.get(hash) as { place: RowPlace }).place).subject,
        (hash) => String(hash).padStart(10, '0'),
      ),
    };
  }

  /** Rows of the top contributors in turn: of each the first, then a random but stable choice. */
  #evidence(incident: Incident, id: string): { rows: EvidenceRow[]; pointers: EvidencePointer[] } {
    const byMailbox = incident.family === 'bulk';
    const counts = byMailbox ? incident.totals.traits.mailboxes : incident.totals.traits.domains;
    const groups = new Map<number, RowPlace[]>();
    for (const place of incident.totals.sample) {
      const key = byMailbox ? place.mailbox : place.domain;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [place]);
      else group.push(place);
    }
    const textOf = (key: number) => (key === 0 ? '' : this.#walk.keyText(byMailbox ? 'mailbox' : 'domain', key));
    const ordered = [...groups].sort(
      (left, right) =>
        (counts.get(right[0]) ?? 0) - (counts.get(left[0]) ?? 0) || compareText(textOf(left[0]), textOf(right[0])),
    );
    const { evidenceRows, pointerRows = 0 } = this.#options;
    const wanted = Math.max(evidenceRows, pointerRows);
    const chosen: RowPlace[] = [];
    const rounds = Math.max(0, ...ordered.map(([, places]) => places.length));
    for (let round = 0; round < rounds; round++) {
      for (let group = 0; group < ordered.length && group < EVIDENCE_SPREAD; group++) {
        const place = ordered[group][1][round];
        if (place !== undefined && chosen.length < wanted) chosen.push(place);
      }
    }
    for (const [, places] of ordered.slice(EVIDENCE_SPREAD)) {
      for (const place of places) if (chosen.length < wanted) chosen.push(place);
    }
    const shown = chosen
      .map((place, rank) => ({ place, rank, text: this.#read(place) }))
      .sort(
        (left, right) =>
          left.place.timeMs - right.place.timeMs || compareText(pairText(left.text), pairText(right.text)),
      );
    const evidence = shown.filter(({ rank }) => rank < evidenceRows);
    return {
      rows: evidence.map(({ place, text }) => ({
        message_trace_id: text.messageTraceId,
        sender: text.sender,
        recipient: text.recipient,
        subject: text.subject,
        status: STATUSES[place.status],
        at: formatTime(place.timeMs),
      })),
      pointers: shown.map(({ text }) => ({
        incident: id,
        message_trace_id: text.messageTraceId,
        recipient: text.recipient,
        file: text.file,
        offset: text.offset,
        length: text.length,
      })),
    };
  }

  /** The texts of a pair: those at its position, or those that won where its observations disagreed. */
  #read(place: Omit<MailboxPlace, 'mailboxLo' | 'mailboxHi' | 'isRecipient'>): PairText {
    const text = this.#texts.read(
      positionFile(place.positionHi),
      positionOffset(place.positionLo, place.positionHi),
      place.recipientLo,
      place.recipientHi,
    );
    const chosen = this.#chosen.get(ChosenTexts.keyOf(place));
    return chosen === undefined ? text : { ...text, ...chosen };
  }

  /** The address of a mailbox by the walk's number of it. */
  mailboxText(key: number): string {
    const place = this.#walk.mailboxPlace(key);
    const text = this.#read(place);
    return place.isRecipient ? text.recipient : forwardingMailbox(text.sender);
  }

  #keyText(key: CampaignKey): string {
    switch (key.kind) {
      case 'tenant':
        return 'tenant';
      case 'limit':
        return `limit ${key.b}${key.a === 0 ? '' : ` ${this.mailboxText(key.a)}`}`;
      case 'block':
        return `block ${BLOCKS[key.a].code}`;
      case 'connector':
      case 'source':
      case 'domain':
        return `${key.kind} ${this.#walk.keyText(key.kind, key.a)}`;
      default:
        return `${key.kind} ${this.mailboxText(key.a)} ${key.b}`;
    }
  }
}

/** `user+SRS=hash=ts=domain=local@here` (sender rewriting of Exchange Online) is the mailbox `user@here`. */
const REWRITTEN = /^(.+)\+srs=[^=@]{5}=[^=@]{2}(?:=[^@]*)?@([^@]+)$/;

function forwardingMailbox(sender: string): string {
  return sender.replace(REWRITTEN, '$1@$2');
}

function pairText(text: PairText): string {
  return `${text.messageTraceId} ${text.recipient}`;
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The five largest counts, equal ones in the order of their texts. `cheapOrder` chooses among too many equals. */
function top(
  counts: ReadonlyMap<number, number>,
  total: number,
  textOf: (key: number) => string,
  cheapOrder: (key: number) => string = textOf,
): Contributor[] {
  const ordered = [...counts].sort((left, right) => right[1] - left[1]);
  if (ordered.length > CONTRIBUTORS) {
    const least = ordered[CONTRIBUTORS - 1][1];
    const equal = ordered.filter(([, count]) => count === least);
    const above = ordered.filter(([, count]) => count > least);
    if (equal.length > TEXTS_READ) equal.sort((left, right) => compareText(cheapOrder(left[0]), cheapOrder(right[0])));
    ordered.length = 0;
    ordered.push(...above, ...equal.slice(0, TEXTS_READ));
  }
  return ordered
    .map(([key, count]) => ({ key: textOf(key), recipients: count, share: rounded(count / total, 3) as number }))
    .sort((left, right) => right.recipients - left.recipients || compareText(left.key, right.key))
    .slice(0, CONTRIBUTORS);
}

function rounded(value: number | null, digits: 2 | 3): number | null {
  if (value === null) return null;
  const factor = digits === 2 ? 100 : 1000;
  return Math.round(value * factor) / factor;
}

/** The network of a /64 as an address. */
function addressOf(sourceKey: string): string {
  return sourceKey.endsWith('/64') ? sourceKey.slice(0, -3) : sourceKey;
}

const RISK_BANDS = [
  [1, 21],
  [22, 47],
  [48, 73],
  [74, 100],
] as const;
/** ln(10,001): ten thousand recipients reach the top of a band. */
const RISK_FULL = 9.210440366976517;

function riskScore(incident: Incident): number {
  const [low, high] = RISK_BANDS[incident.severity];
  const size = Math.min(1, Math.log(1 + incident.totals.recipients) / RISK_FULL);
  return Math.round(low + (high - low) * size);
}

/** MITRE ATT&CK technique of the types that are attacks. */
function threatOf(type: IncidentType): Pick<IncidentDocument, 'threat'> {
  switch (type) {
    case 'relay':
    case 'domain_rotation':
    case 'rogue_connector':
      return threat('TA0040', 'Impact', 'T1496', 'Resource Hijacking');
    case 'compromised_mailbox':
    case 'distributed_mailboxes':
      return threat('TA0001', 'Initial Access', 'T1078', 'Valid Accounts');
    default:
      return {};
  }
}

function threat(
  tacticId: string,
  tacticName: string,
  techniqueId: string,
  techniqueName: string,
): Pick<IncidentDocument, 'threat'> {
  return {
    threat: {
      framework: 'MITRE ATT&CK',
      tactic: { id: [tacticId], name: [tacticName] },
      technique: { id: [techniqueId], name: [techniqueName] },
    },
  };
}

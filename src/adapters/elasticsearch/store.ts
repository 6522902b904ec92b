/**
 * Where findings are kept in Elasticsearch. Alerts and dead letters never change: data streams, `create`,
 * ids made by the core. Incidents, the ledger and findings on completeness do: plain indices behind an alias,
 * guarded by what is stored and by their sequence. Everything may be delivered twice.
 */

import type { Client, estypes } from '@elastic/elasticsearch';
import { formatTime } from '../../core/calendar.ts';
import type {
  AppendWrite,
  DeliveryReport,
  IncidentWrite,
  OutputStore,
  OutputWrite,
  ReplaceWrite,
  StoredIncident,
} from '../../core/delivery.ts';
import { replacementToStore, storedIncident } from '../../core/stored-documents.ts';
import { failureOutcome, notSetUp, outdated } from './answers.ts';
import { type BulkOperation, BulkWriter } from './bulk-writer.ts';
import { openClient } from './client.ts';
import { writeIncidents } from './incident-writes.ts';
import { type Patience, type WaitOptions, Waits } from './patience.ts';
import { type ElasticsearchSettings, placeOf, STREAMED, type StoreNames, storeNames } from './settings.ts';
import { missingFields } from './templates.ts';

/** Ids that are looked up at a time. */
const IDS_PER_SEARCH = 1000;
/** Hits of one page of a search: incidents have tens of kilobytes. */
const PAGE = 250;
/** Orders in which no two documents are alike. */
const SORTED_BY: Record<'incident' | 'finding', estypes.SortCombinations[]> = {
  incident: [{ 'relaywatch.incident.detected_at': 'asc' }, { 'event.id': 'asc' }],
  finding: [{ 'relaywatch.finding.code': 'asc' }, { 'relaywatch.finding.subject': 'asc' }],
};

type Document = Record<string, unknown>;

export function createElasticsearchStore(settings: ElasticsearchSettings, options: WaitOptions = {}): OutputStore {
  return new ElasticsearchStore(settings, options);
}

class ElasticsearchStore implements OutputStore {
  readonly #client: Client;
  readonly #names: StoreNames;
  readonly #place: string;
  readonly #waits: Waits;
  readonly #bulk: BulkWriter;
  #isSetUp = false;

  constructor(settings: ElasticsearchSettings, options: WaitOptions) {
    this.#client = openClient(settings);
    this.#names = storeNames(settings.namespace);
    this.#place = placeOf(settings);
    this.#waits = new Waits(options);
    this.#bulk = new BulkWriter(this.#client, this.#place);
  }

  async check(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#checkSetUp(signal);
    await this.#checkFields(signal);
  }

  async deliver(writes: readonly OutputWrite[], signal?: AbortSignal): Promise<DeliveryReport> {
    signal?.throwIfAborted();
    const report: DeliveryReport = { written: 0, unchanged: 0, refused: [] };
    if (writes.length > 0) await this.#checkSetUp(signal);
    for (const round of roundsOf(writes)) {
      const incidents = round.filter((write) => write.kind === 'incident');
      const appends = round.filter(isAppend);
      const replacements = round.filter(isReplacement);
      await this.#writeIncidents(incidents, report, signal);
      const known = await this.#known(appends, signal);
      report.unchanged += known.size;
      const others = [...appends.filter((write) => !known.has(write)), ...replacements];
      await this.#waits.with((patience) => this.#write(others, report, patience, signal));
    }
    return report;
  }

  async knownAlerts(ids: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    signal?.throwIfAborted();
    if (ids.length === 0) return new Set();
    await this.#refresh(this.#names.alert, signal);
    return this.#idsIn([this.#names.alert], ids, signal);
  }

  async incidents(tenant: string, fromMs: number, toMs: number, signal?: AbortSignal): Promise<StoredIncident[]> {
    const bounds = {
      ...(Number.isFinite(fromMs) ? { gte: fromMs } : {}),
      ...(Number.isFinite(toMs) ? { lt: toMs } : {}),
      format: 'epoch_millis',
    };
    const range = { range: { 'relaywatch.incident.detected_at': bounds } };
    return (await this.#documentsThat('incident', tenant, [range], signal)).map(storedIncident);
  }

  async rescanned(tenant: string, sinceMs: number, signal?: AbortSignal): Promise<StoredIncident[]> {
    const since = { range: { 'event.end': { gte: sinceMs, format: 'epoch_millis' } } };
    const isOpen = { term: { 'relaywatch.incident.state': 'open' } };
    const isMeant = { bool: { should: Number.isFinite(sinceMs) ? [isOpen, since] : [{ match_all: {} }] } };
    const filter = [{ exists: { field: 'relaywatch.rescan.through' } }, isMeant];
    return (await this.#documentsThat('incident', tenant, filter, signal)).map(storedIncident);
  }

  openFindings(tenant: string, signal?: AbortSignal): Promise<Document[]> {
    return this.#documentsThat('finding', tenant, [{ term: { 'relaywatch.finding.state': 'open' } }], signal);
  }

  /** Every document of the tenant in an index, whatever was written a moment ago included. */
  async #documentsThat(
    kind: keyof typeof SORTED_BY,
    tenant: string,
    filter: readonly estypes.QueryDslQueryContainer[],
    signal?: AbortSignal,
  ): Promise<Document[]> {
    signal?.throwIfAborted();
    await this.#checkSetUp(signal);
    await this.#refresh(this.#names[kind], signal);
    const found: Document[] = [];
    let after: (string | number)[] | undefined;
    do {
      const { hits } = await this.#persist(
        () =>
          this.#client.search<Document>(
            {
              index: this.#names[kind],
              size: PAGE,
              query: { bool: { filter: [{ term: { 'relaywatch.tenant': tenant } }, ...filter] } },
              sort: SORTED_BY[kind],
              search_after: after,
              allow_partial_search_results: false,
              track_total_hits: false,
            },
            { signal },
          ),
        signal,
      );
      found.push(...hits.hits.map((hit) => hit._source!));
      after = hits.hits.length < PAGE ? undefined : (hits.hits[PAGE - 1].sort as (string | number)[]);
    } while (after !== undefined);
    return found;
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #writeIncidents(writes: readonly IncidentWrite[], report: DeliveryReport, signal?: AbortSignal): Promise<void> {
    const parts = {
      client: this.#client,
      bulk: this.#bulk,
      waits: this.#waits,
      alias: this.#names.incident,
      place: this.#place,
      persist: this.#persistWith,
    };
    await writeIncidents(writes, parts, report, signal);
  }

  async #write(
    writes: readonly (AppendWrite | ReplaceWrite)[],
    report: DeliveryReport,
    patience: Patience,
    signal?: AbortSignal,
  ): Promise<void> {
    let pending = writes;
    while (pending.length > 0) {
      const outcomes = await this.#bulk.send(
        pending.map((write) => this.#operation(write)),
        signal,
      );
      const again: (AppendWrite | ReplaceWrite)[] = [];
      for (const [index, outcome] of outcomes.entries()) {
        const write = pending[index];
        if (outcome.kind === 'broken') throw outcome.error;
        if (outcome.kind === 'ok') report.written += 1;
        // It is there already, or what is there is newer.
        else if (outcome.kind === 'conflict') report.unchanged += 1;
        else if (outcome.kind === 'wait') again.push(write);
        else report.refused.push({ write, reason: outcome.reason });
      }
      if (again.length < pending.length) patience.progress();
      const waiting = outcomes.find((outcome) => outcome.kind === 'wait');
      if (waiting !== undefined) await patience.wait(waiting.code, waiting.message, signal);
      pending = again;
    }
  }

  #operation(write: AppendWrite | ReplaceWrite): BulkOperation {
    const to = { _index: this.#names[write.kind], _id: write.id };
    if (isAppend(write)) {
      // Rules of Elastic Security look for what is new by this field: `@timestamp` is when the mail was sent.
      const event = { ...(write.document.event as object | undefined), ingested: formatTime(this.#waits.now()) };
      return { action: { create: { ...to, require_data_stream: true } }, document: { ...write.document, event } };
    }
    const { sequence } = write;
    if (!Number.isSafeInteger(sequence) || sequence < 0) throw new RangeError(`${sequence} is no sequence`);
    const guard = { version: sequence, version_type: 'external_gte', require_alias: true };
    return { action: { index: { ...to, ...guard } }, document: replacementToStore(write) };
  }

  /**
   * Those that are stored already. `create` alone would not tell: an id is unique in one backing index of a
   * data stream, and after a rollover there are several. Alerts are few and must never be repeated, so what
   * was written a moment ago counts too; a dead letter may come twice when it is written again within the
   * second before a rollover.
   */
  async #known(writes: readonly AppendWrite[], signal?: AbortSignal): Promise<Set<AppendWrite>> {
    if (writes.some(({ kind }) => kind === 'alert')) await this.#refresh(this.#names.alert, signal);
    const known = new Set<AppendWrite>();
    for (const kind of STREAMED) {
      const ofKind = writes.filter((write) => write.kind === kind);
      const ids = ofKind.map(({ id }) => id);
      const found = await this.#idsIn([this.#names[kind]], ids, signal);
      for (const write of ofKind) if (found.has(write.id)) known.add(write);
    }
    return known;
  }

  async #idsIn(index: string[], ids: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    const found = new Set<string>();
    for (let at = 0; at < ids.length; at += IDS_PER_SEARCH) {
      const values = ids.slice(at, at + IDS_PER_SEARCH);
      const { hits } = await this.#persist(
        () =>
          this.#client.search(
            {
              index,
              ignore_unavailable: true,
              query: { ids: { values } },
              // More than the ids: copies of one id may lie in several backing indices.
              size: 10 * IDS_PER_SEARCH,
              _source: false,
              allow_partial_search_results: false,
              track_total_hits: false,
            },
            { signal },
          ),
        signal,
      );
      for (const hit of hits.hits) found.add(hit._id!);
    }
    return found;
  }

  /** Makes what was written just before visible to searches. */
  async #refresh(index: string, signal?: AbortSignal): Promise<void> {
    await this.#persist(() => this.#client.indices.refresh({ index, ignore_unavailable: true }, { signal }), signal);
  }

  /**
   * Data streams of these names come into being with the first document, with mappings that are not ours
   * where `setup` has not put its templates there: so nothing is written before it has run.
   */
  async #checkSetUp(signal?: AbortSignal): Promise<void> {
    if (this.#isSetUp) return;
    const name = this.#names.incident;
    if (!(await this.#persist(() => this.#client.indices.existsAlias({ name }, { signal }), signal))) {
      throw notSetUp(this.#place, `there is no alias ${name}`).error;
    }
    this.#isSetUp = true;
  }

  /** Strict mappings refuse what they do not know: rather now than with the first document. */
  async #checkFields(signal?: AbortSignal): Promise<void> {
    const lacking = new Set<string>();
    for (const [kind, index] of Object.entries(this.#names) as [keyof StoreNames, string][]) {
      const request = { index, ignore_unavailable: true, allow_no_indices: true };
      // Who only writes need not see mappings.
      const found = await this.#persist(
        () => this.#client.indices.getMapping(request, { signal, ignore: [403, 404] }),
        signal,
      );
      for (const field of missingFields(kind, found)) lacking.add(field);
    }
    if (lacking.size > 0) throw outdated(this.#place, [...lacking]).error;
  }

  #persist<Result>(request: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    return this.#waits.with((patience) => this.#persistWith(request, patience, signal));
  }

  /** Makes a request until it is answered. */
  #persistWith = async <Result>(
    request: () => Promise<Result>,
    patience: Patience,
    signal?: AbortSignal,
  ): Promise<Result> => {
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await request();
      } catch (error) {
        signal?.throwIfAborted();
        const outcome = failureOutcome(error, this.#place);
        if (outcome.kind === 'broken') throw outcome.error;
        if (outcome.kind !== 'wait') throw error;
        await patience.wait(outcome.code, outcome.message, signal);
      }
    }
  };
}

function isAppend(write: OutputWrite): write is AppendWrite {
  return write.kind === 'alert' || write.kind === 'dead_letter';
}

function isReplacement(write: OutputWrite): write is ReplaceWrite {
  return write.kind === 'ledger' || write.kind === 'finding';
}

/** In each round every document once, in the order of delivery. */
function roundsOf(writes: readonly OutputWrite[]): OutputWrite[][] {
  const rounds: OutputWrite[][] = [];
  const times = new Map<string, number>();
  for (const write of writes) {
    const key = `${write.kind} ${write.id}`;
    const round = times.get(key) ?? 0;
    times.set(key, round + 1);
    if (rounds.length === round) rounds.push([]);
    rounds[round].push(write);
  }
  return rounds;
}

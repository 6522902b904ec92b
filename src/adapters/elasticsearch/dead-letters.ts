/** Dead letters read back from their data stream, for the command that lists and replays them. */

import { RelaywatchError } from '../../core/outcome.ts';
import { failureOutcome, type Outcome } from './answers.ts';
import { openClient } from './client.ts';
import { type ElasticsearchSettings, placeOf, storeNames } from './settings.ts';

/** Documents of one page: each has up to 20 KiB. */
const PAGE = 500;
/** How long the server keeps the point in time between two pages. */
const KEEP_ALIVE = '5m';

export interface StoredDeadLetter {
  id: string;
  document: Record<string, unknown>;
}

/**
 * All dead letters of the tenant, or of all tenants, as they are at this moment, in no particular order. Waits for
 * nothing: rejects with a RelaywatchError when the server is away.
 */
export async function* readDeadLetters(
  settings: ElasticsearchSettings,
  tenant: string | undefined,
): AsyncGenerator<StoredDeadLetter> {
  const client = openClient(settings);
  const { dead_letter: index } = storeNames(settings.namespace);
  const asked = async <Result>(request: () => Promise<Result>): Promise<Result> => {
    try {
      return await request();
    } catch (error) {
      throw problemOf(failureOutcome(error, placeOf(settings)));
    }
  };
  try {
    // It comes into being with the first document.
    if (!(await asked(() => client.indices.exists({ index })))) return;
    const opened = await asked(() => client.openPointInTime({ index, keep_alive: KEEP_ALIVE }));
    let { id } = opened;
    try {
      for (let after: (string | number)[] | undefined; ; ) {
        const { hits, pit_id: next } = await asked(() =>
          client.search<Record<string, unknown>>({
            pit: { id, keep_alive: KEEP_ALIVE },
            size: PAGE,
            query: tenant === undefined ? { match_all: {} } : { term: { 'relaywatch.tenant': tenant } },
            sort: [{ _shard_doc: 'asc' }],
            search_after: after,
            allow_partial_search_results: false,
            track_total_hits: false,
          }),
        );
        id = next ?? id;
        for (const hit of hits.hits) yield { id: hit._id!, document: hit._source! };
        if (hits.hits.length < PAGE) return;
        after = hits.hits[PAGE - 1].sort as (string | number)[];
      }
    } finally {
      await client.closePointInTime({ id }).catch(() => undefined);
    }
  } finally {
    await client.close();
  }
}

/** Somebody waits at a terminal: what would be waited for elsewhere is an error here. */
function problemOf(outcome: Outcome): RelaywatchError {
  if (outcome.kind === 'broken') return outcome.error;
  const message = outcome.kind === 'wait' ? outcome.message : 'reason' in outcome ? outcome.reason : outcome.kind;
  return new RelaywatchError({
    code: 'elasticsearch_away',
    message,
    hint: 'Try again when Elasticsearch answers; relaywatch doctor says what is wrong.',
  });
}

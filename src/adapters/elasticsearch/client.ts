/** The client of Elasticsearch, made so that nothing is retried, logged or waited for behind our back. */

import { Client } from '@elastic/elasticsearch';
import { checkSettings, type ElasticsearchSettings } from './settings.ts';

/**
 * The media types of version 8, which servers of version 8 speak and those of version 9 understand (REST
 * API compatibility: each version speaks the one before). The client's own `compatible-with=9` is
 * refused by servers of version 8 in every request with a body.
 */
const JSON_TYPE = 'application/vnd.elasticsearch+json; compatible-with=8';
const NDJSON_TYPE = 'application/vnd.elasticsearch+x-ndjson; compatible-with=8';

/** For requests of bulk. */
export const BULK_HEADERS = { 'content-type': NDJSON_TYPE };

export function openClient(settings: ElasticsearchSettings): Client {
  checkSettings(settings);
  const { node, auth, ca, caFingerprint, requestTimeoutMs } = settings;
  return new Client({
    node,
    auth: auth ?? undefined,
    tls: ca === null ? undefined : { ca },
    caFingerprint: caFingerprint ?? undefined,
    // Version 9 waits for ever by default, and retries 502 to 504 in silence: both are decided in one place, here.
    maxRetries: 0,
    requestTimeout: requestTimeoutMs,
    headers: { accept: JSON_TYPE, 'content-type': JSON_TYPE },
    redaction: { type: 'remove' },
  });
}

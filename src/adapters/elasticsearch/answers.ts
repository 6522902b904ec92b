/** What an answer of Elasticsearch means for the documents that were sent. */

import { errors } from '@elastic/elasticsearch';
import { RelaywatchError } from '../../core/outcome.ts';

/** Why a request is made again later. `read_only`: a block on the index, as a full disk brings it. */
export type TroubleCode = 'busy' | 'read_only' | 'away';

export type Outcome =
  | { kind: 'ok' }
  /** There is one with this id, with a higher version, or it has changed meanwhile. */
  | { kind: 'conflict' }
  /** Will never be taken as it is. The reason may quote the document: it is for the refused write, not for logs. */
  | { kind: 'refused'; reason: string }
  /** The request as a whole was not taken for what is in it; a smaller one may be. */
  | { kind: 'split'; reason: string }
  | { kind: 'wait'; code: TroubleCode; message: string }
  | { kind: 'broken'; error: RelaywatchError };

/** What of an answer tells what became of a document or a request. */
export interface Answer {
  status: number;
  /** Class of the error, as `strict_dynamic_mapping_exception`. */
  type: string;
  reason: string;
}

interface ErrorBody {
  type?: string;
  reason?: string | null;
  caused_by?: ErrorBody;
}

/** Longest reason that is handed on: some repeat the document. */
const REASON_LENGTH = 500;

/** One entry of the answer to a bulk request. */
export function itemOutcome(
  item: { status: number; error?: ErrorBody; failure_store?: string },
  place: string,
): Outcome {
  // Only seen where somebody switched the failure store on: the document is not where it belongs.
  if (item.failure_store === 'used') return { kind: 'refused', reason: 'it went to the failure store' };
  if (item.status < 300) return { kind: 'ok' };
  if (item.status === 409) return { kind: 'conflict' };
  const answer = { status: item.status, type: item.error?.type ?? '', reason: reasonOf(item.error) };
  const outcome = answerOutcome(answer, place);
  return outcome.kind === 'split' ? { kind: 'refused', reason: outcome.reason } : outcome;
}

/** One document that could not be read: such entries have no status. */
export function readOutcome(error: ErrorBody, place: string): Outcome {
  const type = error.type ?? '';
  const status = READ_STATUS[type] ?? 503;
  return answerOutcome({ status, type, reason: reasonOf(error) }, place);
}

const READ_STATUS: Record<string, number> = {
  index_not_found_exception: 404,
  security_exception: 403,
  // "alias [...] has more than one index associated with it".
  illegal_argument_exception: 404,
};

/** What a request that failed as a whole means. Errors that are not the client's are thrown again. */
export function failureOutcome(error: unknown, place: string): Outcome {
  if (error instanceof errors.ResponseError) {
    const body = error.body as { error?: ErrorBody | string } | undefined;
    const found = typeof body?.error === 'object' ? body.error : undefined;
    const answer = { status: error.statusCode ?? 0, type: found?.type ?? '', reason: reasonOf(found) };
    return answerOutcome(answer, place);
  }
  if (error instanceof errors.ProductNotSupportedError) {
    return broken('elasticsearch_other_product', `${place}: what answers is not Elasticsearch`, 'Check the address.');
  }
  if (error instanceof errors.ConnectionError && CERTIFICATE.test(error.message)) {
    return broken(
      'elasticsearch_certificate',
      `${place} cannot be trusted: ${error.message}`,
      'Give the certificate of the authority that signed the server’s (and the name it was made for as address).',
    );
  }
  if (
    error instanceof errors.ConnectionError ||
    error instanceof errors.TimeoutError ||
    error instanceof errors.NoLivingConnectionsError
  ) {
    return waiting('away', `${place} does not answer: ${error.message}`);
  }
  throw error;
}

function waiting(code: TroubleCode, message: string): Outcome & { kind: 'wait' } {
  return { kind: 'wait', code, message };
}

/** In messages of Node's TLS (`tls.connect`) and of the client's check of the fingerprint. */
const CERTIFICATE = /certificate|self.signed|altname|fingerprint|wrong version number|unsupported protocol/i;

/** Refusals that say something of the index, not of the document, and come as 400. */
const MISPLACED = /no write index is defined|alias .* has more than one ind/i;

function answerOutcome({ status, type, reason }: Answer, place: string): Outcome {
  const said = reason === '' ? `it answered ${status}` : reason;
  const isBlocked = type === 'cluster_block_exception' && status !== 503;
  if (isBlocked || type === 'index_closed_exception') {
    return waiting('read_only', `${place} lets nobody write: ${said}. Make room on its disks, or lift the block.`);
  }
  switch (status) {
    case 400:
      if (type === 'media_type_header_exception') return unexpected(place, status, said);
      if (MISPLACED.test(reason)) return notSetUp(place, said);
      return { kind: 'split', reason: said };
    case 401:
      return broken(
        'elasticsearch_unknown_user',
        `${place} does not know who we are: the API key, or user and password, are wrong or expired`,
        'Give an API key that is valid. "relaywatch doctor" tries it.',
      );
    case 403:
      return broken(
        'elasticsearch_forbidden',
        `${place} does not allow what is needed: ${said}`,
        `The API key or user needs: ${NEEDED_PRIVILEGES}. "relaywatch doctor" names what is missing.`,
      );
    case 404:
      return notSetUp(place, said);
    case 413:
      return { kind: 'split', reason: `the request is longer than the server takes (${said})` };
    case 429:
      return waiting('busy', `${place} has too much to do: ${said}`);
    default:
      return status >= 500 ? waiting('away', `${place} cannot answer: ${said}`) : unexpected(place, status, said);
  }
}

/** Privileges on indices of who writes and reads, in the words of Elasticsearch. */
export const STREAM_PRIVILEGES = ['auto_configure', 'create_doc', 'read', 'maintenance', 'view_index_metadata'];
export const ALIAS_PRIVILEGES = ['index', 'read', 'maintenance', 'view_index_metadata'];

const NEEDED_PRIVILEGES = `${STREAM_PRIVILEGES.join(', ')} on logs-relaywatch.*; ${ALIAS_PRIVILEGES.join(', ')} on relaywatch-*`;

export function notSetUp(place: string, said: string): Outcome & { kind: 'broken' } {
  return broken(
    'elasticsearch_not_set_up',
    `${place} has no place for incidents yet: ${said}`,
    'Run "relaywatch setup", which creates templates and indices.',
  );
}

/** Indices are of an earlier version: they would refuse documents of this one. */
export function outdated(place: string, lacking: readonly string[]): Outcome & { kind: 'broken' } {
  return broken(
    'elasticsearch_not_set_up',
    `${place} has indices of an earlier version, which lack fields: ${lacking.slice(0, 10).join(', ')}`,
    'Run "relaywatch setup", which adds them.',
  );
}

function unexpected(place: string, status: number, said: string): Outcome {
  return broken(
    'elasticsearch_unexpected',
    `${place} answered what was not expected (${status}): ${said}`,
    'Versions 8.14 and newer, and 9, are known to work. Check the version, and what stands between.',
  );
}

function broken(code: string, message: string, hint: string): Outcome & { kind: 'broken' } {
  return { kind: 'broken', error: new RelaywatchError({ code, message, hint }) };
}

function reasonOf(error: ErrorBody | undefined): string {
  const causes: string[] = [];
  for (let at = error; at !== undefined && causes.length < 3; at = at.caused_by) {
    if (at.reason) causes.push(at.reason);
  }
  return causes.join(': ').slice(0, REASON_LENGTH);
}

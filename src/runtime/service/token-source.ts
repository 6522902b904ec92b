/** Access tokens for Kafka: the client credentials grant of OAuth 2.0 (RFC 6749, section 4.4). */

import type { SaslSettings } from '../../config/pipeline/pipeline.ts';
import { RelaywatchError } from '../../core/outcome.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 65_536;

/** Answers of an endpoint that is busy or away (RFC 9110, 15.5.9 and 15.6; RFC 6585, 4); the other refusals stay. */
const PASSING = new Set([408, 429]);

/**
 * Asks the endpoint for a new token whenever the client needs one. An endpoint that is busy or away is an Error that
 * passes; a RelaywatchError (`token_endpoint`) is what a person has to mend.
 */
export function tokenSource(
  sasl: Extract<SaslSettings, { mechanism: 'oauthbearer' }>,
): () => Promise<{ value: string }> {
  const { origin } = new URL(sasl.tokenEndpoint);
  const away = (why: string, cause?: unknown) => new Error(`no token for Kafka from ${origin}: ${why}`, { cause });
  return async () => {
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: sasl.clientId,
      client_secret: sasl.clientSecret.reveal(),
      ...(sasl.scope === null ? {} : { scope: sasl.scope }),
    });
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(sasl.tokenEndpoint, { method: 'POST', body, redirect: 'manual', signal }).catch(
      (error: Error) => {
        const { code } = (error.cause ?? {}) as { code?: unknown };
        throw away(`it cannot be reached (${typeof code === 'string' ? code : error.message})`);
      },
    );
    if (answer.status >= 500 || PASSING.has(answer.status)) throw away(`it answered ${answer.status}`);
    if (!answer.ok) throw refused(origin, `it answered ${answer.status}`);
    const text = await answer.text().catch((error: Error) => {
      throw away(`its answer broke off (${error.message})`);
    });
    const token = text.length > MAX_ANSWER_BYTES ? undefined : accessToken(text);
    if (token === undefined) throw refused(origin, 'its answer has no access_token');
    return { value: token };
  };
}

function accessToken(text: string): string | undefined {
  try {
    const { access_token: token } = JSON.parse(text) as { access_token?: unknown };
    return typeof token === 'string' && token !== '' ? token : undefined;
  } catch {
    return undefined;
  }
}

function refused(origin: string, why: string): RelaywatchError {
  return new RelaywatchError({
    code: 'token_endpoint',
    message: `no token for Kafka from ${origin}: ${why}`,
    hint: 'Check token_endpoint, client_id, client_secret and scope under log.kafka.sasl.',
  });
}

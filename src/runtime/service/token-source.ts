/** Access tokens for Kafka: the client credentials grant of OAuth 2.0 (RFC 6749, section 4.4). */

import type { SaslSettings } from '../../config/pipeline/pipeline.ts';
import { RelaywatchError } from '../../core/outcome.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 65_536;

/** Asks the endpoint for a new token whenever the client needs one. */
export function tokenSource(
  sasl: Extract<SaslSettings, { mechanism: 'oauthbearer' }>,
): () => Promise<{ value: string }> {
  return async () => {
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: sasl.clientId,
      client_secret: sasl.clientSecret.reveal(),
      ...(sasl.scope === null ? {} : { scope: sasl.scope }),
    });
    const answer = await fetch(sasl.tokenEndpoint, {
      method: 'POST',
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: Error) => {
      throw refused(sasl.tokenEndpoint, `it cannot be reached (${error.message})`);
    });
    const text = await answer.text();
    if (!answer.ok) throw refused(sasl.tokenEndpoint, `it answered ${answer.status}`);
    const token = text.length > MAX_ANSWER_BYTES ? undefined : accessToken(text);
    if (token === undefined) throw refused(sasl.tokenEndpoint, 'its answer has no access_token');
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

function refused(endpoint: string, why: string): RelaywatchError {
  return new RelaywatchError({
    code: 'token_endpoint',
    message: `no token for Kafka from ${new URL(endpoint).origin}: ${why}`,
    hint: 'Check token_endpoint, client_id, client_secret and scope under log.kafka.sasl.',
  });
}

/**
 * SASL OAUTHBEARER (RFC 7628) for kafkajs. Its own takes the broker's refusal of a token for success: the refusal
 * comes as a message without an error code, and only what is asked next fails, as a connection that breaks.
 */

import type kafkajs from 'kafkajs';
import { RelaywatchError } from '../../core/outcome.ts';

/** Kafkajs hands messages of SASL over with their length in front. */
const LENGTH_BYTES = 4;

export function bearerLogin(token: () => Promise<{ value: string }>): kafkajs.Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ saslAuthenticate }) => ({
      async authenticate() {
        const { value } = await token();
        const refusal = await saslAuthenticate({
          request: { encode: () => withLength(`n,,\u0001auth=Bearer ${value}\u0001\u0001`) },
          response: { decode: (message) => message.subarray(LENGTH_BYTES), parse: (text: Buffer) => String(text) },
        });
        if (!refusal) return;
        // What the broker says may quote the token: it goes no further.
        throw new RelaywatchError({
          code: 'kafka_login',
          message: 'Kafka does not accept the token (SASL oauthbearer)',
          hint: 'Check scope and audience of the token, its lifetime and the clocks, and whom the broker trusts.',
        });
      },
    }),
  };
}

function withLength(message: string): Buffer {
  const bytes = Buffer.from(message);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

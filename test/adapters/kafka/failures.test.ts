/** Errors of kafkajs: what a person has to mend is told from what passes. */

import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { refusalOf, troubleText } from '../../../src/adapters/kafka/failures.ts';
import type { KafkaSettings } from '../../../src/adapters/kafka/settings.ts';
import { RelaywatchError } from '../../../src/core/outcome.ts';

const SETTINGS = {
  topic: 'envelopes',
  group: 'detectors',
  sasl: { mechanism: 'plain', username: 'relaywatch', password: 'do not tell' },
} as KafkaSettings;

function protocolError(type: string): Error {
  return Object.assign(new Error(`refused: ${type}`), { name: 'KafkaJSProtocolError', type, code: 3, retriable: true });
}

describe('errors of kafkajs', () => {
  test.each([
    [protocolError('UNKNOWN_TOPIC_OR_PARTITION'), 'kafka_topic_missing'],
    [protocolError('TOPIC_AUTHORIZATION_FAILED'), 'kafka_forbidden'],
    [protocolError('GROUP_AUTHORIZATION_FAILED'), 'kafka_forbidden'],
    [protocolError('MESSAGE_TOO_LARGE'), 'kafka_too_large'],
    [protocolError('INVALID_SESSION_TIMEOUT'), 'kafka_refused'],
    [Object.assign(new Error('wrong: do not tell'), { name: 'KafkaJSSASLAuthenticationError' }), 'kafka_login'],
    [
      Object.assign(new Error('LZ4 compression not implemented'), { name: 'KafkaJSNotImplemented' }),
      'kafka_compression',
    ],
    [Object.assign(new Error('Connection error'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' }), 'kafka_certificate'],
    [Object.assign(new Error('Connection error'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }), 'kafka_certificate'],
    [
      Object.assign(new Error('Connection error'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' }),
      'kafka_certificate',
    ],
    [new RelaywatchError({ code: 'kafka_batch_damaged', message: 'm', hint: 'h' }), 'kafka_batch_damaged'],
  ])('%s is for a person: %s', (error, code) => {
    const wrapped = new kafkajs.KafkaJSNumberOfRetriesExceeded(error, { retryCount: 5, retryTime: 1 });
    for (const one of [error, wrapped, new Error('outside', { cause: wrapped })]) {
      const refusal = refusalOf(one, SETTINGS);
      expect(refusal).toMatchObject({ code, hint: expect.stringMatching(/./) });
      expect(refusal?.message).not.toContain('do not tell');
    }
  });

  test.each([
    new kafkajs.KafkaJSConnectionError('Connection error: connect ECONNREFUSED', {
      broker: 'b:1',
      code: 'ECONNREFUSED',
    }),
    Object.assign(new Error('Request timed out'), { name: 'KafkaJSRequestTimeoutError', retriable: true }),
    protocolError('NOT_LEADER_FOR_PARTITION'),
    protocolError('GROUP_COORDINATOR_NOT_AVAILABLE'),
    protocolError('NOT_ENOUGH_REPLICAS'),
    new Error('anything else'),
    'no error at all',
    null,
  ])('%s may pass', (error) => {
    expect(refusalOf(error, SETTINGS)).toBeNull();
  });

  test('are told in one line', () => {
    expect(troubleText(new Error('two\nlines'))).toBe('two lines');
    expect(troubleText(new Error('x'.repeat(1_000))).length).toBe(300);
    expect(troubleText('text')).toBe('text');
    const closed = Object.assign(new Error('Closed connection'), { name: 'KafkaJSConnectionClosedError' });
    expect(troubleText(new Error('outside', { cause: closed }))).toContain('where TLS or a login is missing');
  });
});

/** Batches of kafkajs as entries: what is missing, what is no envelope, how much at once. */

import type kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { ENVELOPE_HEADER, type FetchedBatch, runsOf, slicesOf } from '../../../src/adapters/kafka/batch.ts';
import { encodeEnvelope } from '../../../src/core/envelope-codec.ts';
import { envelope } from '../contract/envelope-log.ts';

function message(offset: number, payload?: Uint8Array): kafkajs.KafkaMessage {
  const sent = envelope('contoso', offset);
  const { header, body } = encodeEnvelope({ ...sent, payload: payload ?? sent.payload });
  const headers = { [ENVELOPE_HEADER]: Buffer.from(header) };
  return {
    offset: String(offset),
    timestamp: '1790000000000',
    value: Buffer.from(body),
    headers,
  } as unknown as kafkajs.KafkaMessage;
}

function batch(fetchedOffset: number, all: kafkajs.KafkaMessage[], hidden: number[] = []): FetchedBatch {
  const messages = all.filter(({ offset }) => !hidden.includes(Number(offset)));
  return { fetchedOffset: String(fetchedOffset), messagesWithinOffset: all, messages } as FetchedBatch;
}

const shapeOf = (fetched: FetchedBatch) =>
  runsOf(fetched).map(({ gap, messages }) => [gap, messages.map(({ offset }) => Number(offset))]);

describe('a batch', () => {
  test('without holes is one run', () => {
    expect(
      shapeOf(
        batch(
          5,
          [5, 6, 7].map((offset) => message(offset)),
        ),
      ),
    ).toEqual([[null, [5, 6, 7]]]);
  });

  test('has no hole where Kafka keeps marks of its own', () => {
    expect(
      shapeOf(
        batch(
          5,
          [5, 6, 7].map((offset) => message(offset)),
          [6],
        ),
      ),
    ).toEqual([[null, [5, 7]]]);
  });

  test('says what is missing, before and in between', () => {
    expect(
      shapeOf(
        batch(
          3,
          [5, 6, 9].map((offset) => message(offset)),
        ),
      ),
    ).toEqual([
      [null, []],
      [{ expected: 3, found: 5 }, [5, 6]],
      [{ expected: 7, found: 9 }, [9]],
    ]);
  });

  test('gives entries, and a problem where a message is no envelope', () => {
    const foreign = { offset: '2', timestamp: '7', value: Buffer.from('hello'), headers: {} } as kafkajs.KafkaMessage;
    const tombstone = { ...message(3), value: null };
    const [[good, strange, empty]] = slicesOf([message(1), foreign, tombstone]);
    expect(good).toMatchObject({ offset: 1, appendedMs: 1_790_000_000_000, problem: null });
    expect(good.envelope?.header.tenant).toBe('contoso');
    expect(strange).toMatchObject({ offset: 2, envelope: null });
    expect(strange.problem).toBe('the entry is no envelope: it has no header relaywatch-envelope');
    expect(Buffer.from(strange.bytes).toString()).toBe('hello');
    expect(empty).toMatchObject({ envelope: null, problem: expect.stringContaining('checksum') });
  });

  test('is decoded as far as memory allows', () => {
    // A few hundred bytes each, which grow to 2 MB.
    const bombs = Array.from({ length: 20 }, (_, offset) => message(offset, new Uint8Array(2_000_000)));
    expect([...slicesOf(bombs)].map((slice) => slice.length)).toEqual([3, 3, 3, 3, 3, 3, 2]);
    const small = Array.from({ length: 1_200 }, (_, offset) => message(offset));
    expect([...slicesOf(small)].map((slice) => slice.length)).toEqual([500, 500, 200]);
  });
});

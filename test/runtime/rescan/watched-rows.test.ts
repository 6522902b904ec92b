import { expect, it } from 'vitest';
import { AddressReader } from '../../../src/core/address.ts';
import { KeyedHash } from '../../../src/core/hash.ts';
import {
  createRecordScratch,
  MESSAGE_HI,
  MESSAGE_LO,
  RECIPIENT_HI,
  RECIPIENT_LO,
  RECORD_WORDS,
} from '../../../src/core/record.ts';
import { WatchedRows } from '../../../src/runtime/rescan/watched-rows.ts';

const AT = '2026-06-04T14:36:00.310Z';
const GUID = '6eb215f3-c55c-4b90-a43f-dd5d8f41a968';
const plain = GUID.replaceAll('-', '');

/** A record among others, as rows of exports make it. */
function pair(messageId: string, recipient: string, at: string): Uint32Array {
  const hash = new KeyedHash('contoso');
  const { words, doubles } = createRecordScratch();
  doubles[0] = Date.parse(at);
  const id = Buffer.from(messageId);
  hash.lowerCaseWithoutDashes(id, 0, id.length);
  words[MESSAGE_LO] = hash.lo;
  words[MESSAGE_HI] = hash.hi;
  const addresses = new AddressReader(hash);
  addresses.recipient(Buffer.from(recipient), 0, Buffer.byteLength(recipient));
  words[RECIPIENT_LO] = addresses.lo;
  words[RECIPIENT_HI] = addresses.hi;
  const records = new Uint32Array(RECORD_WORDS * 2);
  records.set(words.subarray(0, RECORD_WORDS), RECORD_WORDS);
  return records;
}

it('knows a row by its message and recipient, however the export writes them', () => {
  const row = { message_trace_id: plain, recipient: 'a@b.example', at: AT };
  const watched = new WatchedRows('contoso', [row]);
  watched.see(pair(GUID, 'c@b.example', AT), RECORD_WORDS);
  watched.see(pair(GUID.replace('6', '7'), 'a@b.example', AT), RECORD_WORDS);
  expect(watched.wasSeen(row)).toBe(false);
  watched.see(pair(GUID.toUpperCase(), 'A@B.example', '2026-06-05T00:00:00Z'), RECORD_WORDS);
  expect(watched.wasSeen(row)).toBe(true);
  expect(watched.wasSeen({ ...row, recipient: 'c@b.example' })).toBe(false);
});

it('knows a row without a network message id by its recipient and time', () => {
  const rows = [AT, '2026-06-04T14:36:01.310Z'].map((at) => ({ message_trace_id: '', recipient: 'a@b.example', at }));
  const watched = new WatchedRows('contoso', rows);
  watched.see(pair('whatever stands for it', 'a@b.example', AT), RECORD_WORDS);
  expect(rows.map((row) => watched.wasSeen(row))).toEqual([true, false]);
});

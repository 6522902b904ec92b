import { describe, expect, it } from 'vitest';
import { AddressReader } from '../../src/core/address.ts';
import { KeyedHash } from '../../src/core/hash.ts';
import { enhancedSummary } from '../../src/formats/enhanced-summary.ts';
import { canonicalColumn, matchFormat } from '../../src/formats/format.ts';
import { readRowText } from '../../src/formats/row-text.ts';
import type { RecordView } from '../../src/readers/reader.ts';

const COLUMNS = [
  'origin_timestamp',
  'sender_address',
  'recipient_status',
  'message_subject',
  'message_id',
  'network_message_id',
];

function textOf(row: string[], recipient: string) {
  const roles = matchFormat(enhancedSummary, COLUMNS.map(canonicalColumn))?.roles;
  if (roles === undefined) throw new Error('the header does not match');
  const bytes = new TextEncoder().encode(row.join('\u0000'));
  const starts = new Int32Array(row.length);
  const ends = new Int32Array(row.length);
  let at = 0;
  row.forEach((cell, i) => {
    starts[i] = at;
    ends[i] = at + new TextEncoder().encode(cell).length;
    at = ends[i] + 1;
  });
  const view: RecordView = { bytes, starts, ends, count: row.length, offset: 0, length: at, line: 1 };
  const hash = new KeyedHash('contoso');
  hash.text(recipient);
  return readRowText(view, roles, new AddressReader(hash), hash.lo, hash.hi);
}

describe('texts of a row', () => {
  const row = [
    '2026-09-05T18:10:13Z',
    'John+SRS=44ldt=IX=fabrikam.com=bob@Contoso.com',
    'Ann@Victim.example##Receive, Send;bob@münchen.example##Receive, Fail',
    '\ufeffGrüße',
    ' <A@b> ',
    'CF7A249A-5EDD-4350-130A-08DA8F69E0F6',
  ];

  it('come in the forms that are compared', () => {
    expect(textOf(row, 'ann@victim.example')).toEqual({
      messageTraceId: 'cf7a249a5edd4350130a08da8f69e0f6',
      messageId: 'A@b',
      sender: 'john@contoso.com',
      rewrittenSender: 'bob@fabrikam.com',
      recipient: 'ann@victim.example',
      subject: '\ufeffGrüße',
    });
  });

  it('name the recipient that was asked for', () => {
    expect(textOf(row, 'bob@xn--mnchen-3ya.example').recipient).toBe('bob@xn--mnchen-3ya.example');
    expect(textOf(row, 'nobody@victim.example').recipient).toBe('');
  });

  it('are empty where the row has none', () => {
    const empty = ['2026-09-05T18:10:13Z', '<>', '', '', '', ''];
    expect(textOf(empty, 'x')).toEqual({ messageTraceId: '', messageId: '', sender: '', recipient: '', subject: '' });
  });
});

import { describe, expect, it } from 'vitest';
import { traceFormats } from '../../src/config/registry.ts';
import { enhancedSummary } from '../../src/formats/enhanced-summary.ts';
import { canonicalColumn, matchFormat, missingRoles, recogniseFormat } from '../../src/formats/format.ts';
import { messageTrace } from '../../src/formats/message-trace.ts';

const header = (text: string): string[] => text.split(',').map(canonicalColumn);

describe('headers', () => {
  it('are compared without case and punctuation', () => {
    for (const name of [
      'SenderAddress',
      'sender_address',
      'Sender Address',
      '"sender-address"',
      '\ufeffSenderAddress',
    ]) {
      expect(canonicalColumn(name)).toBe('senderaddress');
    }
  });

  it('name the format', () => {
    const trace = header('Received,SenderAddress,RecipientAddress,Status,MessageTraceId');
    expect(recogniseFormat(traceFormats, trace)?.format.id).toBe('message-trace');
    const summary = header('origin_timestamp,sender_address,Recipient_status,message_id');
    expect(recogniseFormat(traceFormats, summary)?.format.id).toBe('enhanced-summary');
    expect(recogniseFormat(traceFormats, header('name,price'))).toBeNull();
  });

  it('of other exports match no format', () => {
    const extended = 'date_time_utc,event_id,recipient_address,sender_address,message_id,network_message_id';
    expect(recogniseFormat(traceFormats, header(extended))).toMatchObject({ format: { id: 'extended-report' } });
  });

  it('give each role its documented column', () => {
    const match = matchFormat(messageTrace, header('From,Received,Date,SenderAddress,RecipientAddress,MessageId'));
    expect(match?.roles).toMatchObject({ event_time: 1, sender: 3, recipient: 4, message_id: 5, message_trace_id: -1 });
    const calculated = matchFormat(messageTrace, header('From,Date,To,Network Message ID'));
    expect(calculated?.roles).toMatchObject({ event_time: 1, sender: 0, recipient: 2, message_trace_id: 3 });
  });

  it('say what they lack', () => {
    expect(missingRoles(messageTrace, header('Received,SenderAddress,Subject'))).toEqual([
      'recipientaddress',
      'messagetraceid or messageid',
    ]);
    expect(
      missingRoles(enhancedSummary, header('origin_timestamp_utc,sender_address,recipient_status,message_id')),
    ).toEqual([]);
  });
});

describe('formats', () => {
  it('have ids, ranks and canonical names', () => {
    expect(new Set(traceFormats.map(({ id }) => id)).size).toBe(traceFormats.length);
    for (const format of traceFormats) {
      expect(format.id).toMatch(/^[a-z][a-z0-9-]+$/);
      expect(format.rank).toBeGreaterThanOrEqual(1);
      expect(format.rank).toBeLessThanOrEqual(7);
      const names = [...Object.values(format.columns).flat(), ...format.foreign];
      for (const name of names) expect(canonicalColumn(name)).toBe(name);
      expect(new Set(names).size, `${format.id} gives one column two roles`).toBe(names.length);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { STATUS_DELIVERED, STATUS_FAILED, STATUS_PENDING, STATUS_UNKNOWN } from '../../src/core/record.ts';
import { EVENT_ARRIVES, EVENT_SENDS, EVENT_STATUS, meaningOfEvent } from '../../src/formats/events.ts';

function meaning(text: string): ReturnType<typeof meaningOfEvent> {
  const bytes = new TextEncoder().encode(text);
  return meaningOfEvent(bytes, 0, bytes.length);
}

describe('events', () => {
  it.each([
    ['RECEIVE', STATUS_UNKNOWN],
    ['SEND', STATUS_DELIVERED],
    ['SENDEXTERNAL', STATUS_DELIVERED],
    ['Send external', STATUS_DELIVERED],
    ['DELIVER', STATUS_DELIVERED],
    ['deliver', STATUS_DELIVERED],
    ['FAIL', STATUS_FAILED],
    ['DEFER', STATUS_PENDING],
    ['SUBMITDEFER', STATUS_PENDING],
    ['DSN', STATUS_UNKNOWN],
    ['DROP', STATUS_UNKNOWN],
    ['EXPAND', STATUS_UNKNOWN],
    ['DELIVERFAIL', STATUS_UNKNOWN],
  ])('%s gives its recipients a status', (word, status) => {
    const told = meaning(word);
    expect(typeof told).toBe('number');
    expect((told as number) & EVENT_STATUS).toBe(status);
  });

  it.each([
    ['HADISCARD', 'shadow_event'],
    ['HARECEIVE', 'shadow_event'],
    ['HAREDIRECTFAIL', 'shadow_event'],
    ['RESUBMITDEFER', 'shadow_event'],
    ['AGENTINFO', 'agent_event'],
    ['MODERATORAPPROVE', 'moderation_event'],
    ['MODERATIONEXPIRE', 'moderation_event'],
    ['THROTTLE', 'service_event'],
    ['POISONMESSAGE', 'service_event'],
    ['BADMAIL', 'service_event'],
    ['TELEPORT', 'unknown_event'],
    ['SENDS', 'unknown_event'],
    ['', 'unknown_event'],
  ])('%s says nothing of a recipient', (word, reason) => {
    expect(meaning(word)).toBe(reason);
  });

  it('tell where a message came in and where it left', () => {
    expect((meaning('RECEIVE') as number) & EVENT_ARRIVES).not.toBe(0);
    expect((meaning('SENDEXTERNAL') as number) & EVENT_SENDS).not.toBe(0);
    expect((meaning('DELIVER') as number) & EVENT_SENDS).toBe(0);
  });
});

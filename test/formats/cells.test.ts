import { describe, expect, it } from 'vitest';
import { STATUS_MASK, STATUSES } from '../../src/core/record.ts';
import {
  EVENTS_SENT_ON,
  excerpt,
  recipientPart,
  splitRecipient,
  statusOfEvents,
  statusOfWord,
  trimMessageId,
  trimMessageTraceId,
  trimmed,
} from '../../src/formats/cells.ts';

const encoder = new TextEncoder();

/** Runs a function over a cell that stands between other bytes. */
function overCell<T>(text: string, run: (bytes: Uint8Array, start: number, end: number) => T): T {
  const bytes = encoder.encode(`;#a${text}b;##c`);
  return run(bytes, 3, bytes.length - 5);
}

function trimmedText(trim: (bytes: Uint8Array, start: number, end: number) => void, text: string): string {
  return overCell(text, (bytes, start, end) => {
    trim(bytes, start, end);
    return new TextDecoder().decode(bytes.subarray(trimmed.start, trimmed.end));
  });
}

describe('ids', () => {
  it('trims brackets and blanks from Message-IDs', () => {
    expect(trimmedText(trimMessageId, ' <a@b> ')).toBe('a@b');
    expect(trimmedText(trimMessageId, 'a@b')).toBe('a@b');
    expect(trimmedText(trimMessageId, '<>')).toBe('');
    expect(trimmedText(trimMessageId, '')).toBe('');
  });

  it('takes ids of zeros for none', () => {
    expect(trimmedText(trimMessageTraceId, ' cf7a ')).toBe('cf7a');
    expect(trimmedText(trimMessageTraceId, '00000000-0000-0000-0000-000000000000')).toBe('');
    expect(trimmedText(trimMessageTraceId, '00000000-0000-0000-0000-000000000001')).not.toBe('');
  });
});

describe('status words', () => {
  it.each([
    ['', 'unknown'],
    ['None', 'unknown'],
    ['unknownFutureValue', 'unknown'],
    ['GettingStatus', 'getting_status'],
    ['Getting status', 'getting_status'],
    ['PENDING', 'pending'],
    [' Expanded ', 'expanded'],
    ['Delivered', 'delivered'],
    ['filteredAsSpam', 'filtered_as_spam'],
    ['Quarantined', 'quarantined'],
    ['Failed', 'failed'],
    ['Fail', undefined],
    ['Failedd', undefined],
    ['Delivered!', undefined],
    ['Zugestellt', undefined],
  ])('%j is %s', (text, expected) => {
    expect(STATUSES[overCell(text, statusOfWord)]).toBe(expected);
  });
});

describe('events of a recipient', () => {
  it.each([
    ['Receive, Send', 'delivered'],
    ['Receive, SEND EXTERNAL', 'delivered'],
    ['Receive,Deliver', 'delivered'],
    ['Receive, Fail', 'failed'],
    ['Receive, Send, Fail', 'failed'],
    ['Receive, Fail, Send', 'failed'],
    ['Receive, Defer', 'pending'],
    ['Receive, Defer, Deliver', 'delivered'],
    ['Receive, Expand', 'expanded'],
    ['Receive, Quarantine', 'quarantined'],
    ['Receive, Spam, Deliver', 'filtered_as_spam'],
    ['FilteredAsSpam', 'filtered_as_spam'],
    ['Receive, Submit, Transfer, Resolve, Redirect, Drop', 'unknown'],
    ['Receive', 'unknown'],
    ['s', 'unknown'],
    ['', 'unknown'],
    [' , ,', 'unknown'],
  ])('%s is %s', (text, expected) => {
    expect(STATUSES[overCell(text, statusOfEvents) & STATUS_MASK]).toBe(expected);
  });
});

describe('where a recipient was', () => {
  it.each([
    ['Receive, Send', true],
    ['Send external', true],
    ['Receive, Deliver', false],
    ['Receive, Send, Deliver', false],
    ['Receive, Fail', false],
    ['Receive', false],
  ])('%s was sent on: %s', (text, expected) => {
    expect((overCell(text, statusOfEvents) & EVENTS_SENT_ON) !== 0).toBe(expected);
  });
});

describe('recipients of a cell', () => {
  const split = (text: string): string[] =>
    overCell(text, (bytes, start, end) => {
      const parts: string[] = [];
      for (let from = start; from < end; from = recipientPart.next) {
        splitRecipient(bytes, from, end);
        const part = (a: number, b: number): string => new TextDecoder().decode(bytes.subarray(a, b));
        parts.push(
          `${part(recipientPart.start, recipientPart.end)} / ${part(recipientPart.eventsStart, recipientPart.eventsEnd)}`,
        );
      }
      return parts;
    });

  it.each([
    ['a@b##Receive, Send', ['a@b / Receive, Send']],
    ['a@b##Receive, Send;c@d##Receive, Fail', ['a@b / Receive, Send', 'c@d / Receive, Fail']],
    ['a@b##Receive; c@d##Fail;', ['a@b / Receive', 'c@d / Fail']],
    ['a@b;c@d', ['a@b / ', 'c@d / ']],
    ['a#1@b##Send', ['a#1@b / Send']],
    ['a@b##', ['a@b / ']],
    ['a@b##x##y', ['a@b / x##y']],
    ['"a;b"@c##Send;d@e##Fail', ['"a;b"@c / Send', 'd@e / Fail']],
    ['"a\\";b"@c##Send', ['"a\\";b"@c / Send']],
    ['"a;b##Send', ['"a / ', 'b / Send']],
    ['', []],
    [';;', [' / ', ' / ']],
  ])('%s', (text, expected) => {
    expect(split(text)).toEqual(expected);
  });
});

describe('excerpts for messages', () => {
  it('are short and harmless', () => {
    expect(overCell('plain', excerpt)).toBe('plain');
    expect(overCell('a\u001b[31m\u202e\r\nb', excerpt)).toBe('a\ufffd[31m\ufffd\ufffd\ufffdb');
    const long = overCell('\u{1f389}'.repeat(5000), excerpt);
    expect(Array.from(long)).toHaveLength(61);
    expect(long.isWellFormed()).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import {
  STATUS_DELIVERED,
  STATUS_EXPANDED,
  STATUS_FAILED,
  STATUS_PENDING,
  STATUS_UNKNOWN,
} from '../../src/core/record.ts';
import { isForBounces, statusOfEventRow } from '../../src/formats/event-row.ts';
import { EVENT_ENDS, EVENT_REPLIES, EVENT_SENDS } from '../../src/formats/events.ts';
import { Replies } from '../../src/formats/refusal.ts';

describe('the status of an event row', () => {
  const fail = STATUS_FAILED | EVENT_REPLIES;
  const drop = EVENT_REPLIES | EVENT_ENDS;
  const dsn = EVENT_REPLIES;
  const expanded = '250 2.1.5 RESOLVER.GRP.Expanded; distribution list expanded';

  it.each([
    ['a failure without a reply', fail, '', STATUS_FAILED],
    ['a failure', fail, '550 5.1.1 User unknown', STATUS_FAILED],
    ['the end of a copy to a group', fail, expanded, STATUS_EXPANDED],
    ['a failure that is none', fail, '250 2.0.0 OK', STATUS_UNKNOWN],
    ['a drop', drop, '', STATUS_UNKNOWN],
    ['a drop of spam', drop, '550 5.7.1 Spam', STATUS_FAILED],
    ['a drop of a copy to a group', drop, `[{LED=${expanded}};{FQDN=}]`, STATUS_EXPANDED],
    ['a report', dsn, '550 5.1.1 User unknown', STATUS_UNKNOWN],
    ['a deferral', STATUS_PENDING | EVENT_REPLIES, '451 4.7.500 Server busy', STATUS_PENDING],
  ])('%s', (_, event, reply, status) => {
    expect(statusOfEventRow(event, false, reply === '' ? null : new Replies(reply, 1, ''), 0)).toBe(status);
  });

  it('is no delivery where a message only went to another service of the same servers', () => {
    expect(statusOfEventRow(STATUS_DELIVERED | EVENT_SENDS, true, null, 0)).toBe(STATUS_DELIVERED);
    expect(statusOfEventRow(STATUS_DELIVERED | EVENT_SENDS, false, null, 0)).toBe(STATUS_UNKNOWN);
  });
});

it.each([
  ['bounces+srs=hne87=c7@contoso.com', true],
  ['bounces+srs=', true],
  ['bounces+sr', false],
  ['bounce@contoso.com', false],
  ['anna+srs=hne87=c7=x.example=y@contoso.com', false],
  ['', false],
])('%s is an address for bounces: %s', (address, expected) => {
  expect(isForBounces(new TextEncoder().encode(address), 0)).toBe(expected);
});

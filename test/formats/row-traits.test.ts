/** What ordinary rows tell beside their fields: refusals joined to a trace, header senders, addresses for bounces. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inputOptions, readAll } from './golden.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-traits-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function rowsOf(lines: string[]): Promise<Record<string, unknown>[]> {
  const file = path.join(folder, 'export.csv');
  writeFileSync(file, `${lines.join('\r\n')}\r\n`);
  const { pairs, deadLetters } = await readAll(inputOptions([file]));
  expect(deadLetters).toEqual([]);
  return pairs.map((pair) => JSON.parse(pair));
}

const TIME = '2026-09-05T18:10:13Z';

describe('a row', () => {
  it('of a trace may carry the reply that somebody joined to it', async () => {
    const rows = await rowsOf([
      'Received,SenderAddress,RecipientAddress,Status,MessageTraceId,Detail',
      `${TIME},a@b.example,c@d.example,Failed,1,Reason: [{LED=550 5.7.750 Service unavailable};{MSG=};{FQDN=};{IP=};{LRT=}]`,
      `${TIME},a@b.example,c@d.example,Failed,2,Reason: [{LED=550 5.7.705 no};{MSG=};{FQDN=mx.d.example};{IP=};{LRT=}]`,
      `${TIME},a@b.example,c@d.example,Delivered,3,`,
    ]);
    expect(rows.map(({ refusal }) => refusal)).toEqual(['unregistered_blocked', 'elsewhere', undefined]);
  });

  it('of EmailEvents tells whether the header names another domain', async () => {
    const columns =
      'Timestamp,NetworkMessageId,SenderMailFromAddress,RecipientEmailAddress,EmailDirection,DeliveryAction';
    const row = (id: number, from: string, header: string) =>
      `${TIME},${id},${from},c@d.example,Outbound,Delivered,${header}`;
    const senders = [
      ['a@b.example', 'x@b.example', undefined],
      ['a@b.example', 'X@B.EXAMPLE', undefined],
      ['a@b.example', 'a@c.example', true],
      ['a@b.example', 'a@sub.b.example', true],
      ['a@b.example', '', undefined],
      ['', 'a@c.example', undefined],
    ] as const;
    const addresses = [
      `${columns},SenderFromAddress`,
      ...senders.map(([from, header], index) => row(index + 1, from, header)),
    ];
    const expected = senders.map(([, , differs]) => differs);
    expect((await rowsOf(addresses)).map((one) => one.header_sender_differs)).toEqual(expected);
    const domains = [
      `${columns},SenderFromDomain`,
      ...senders.map(([from, header], index) => row(index + 1, from, header.slice(header.indexOf('@') + 1))),
    ];
    expect((await rowsOf(domains)).map((one) => one.header_sender_differs)).toEqual(expected);
  });

  it('of any format tells an address for bounces', async () => {
    const rows = await rowsOf([
      'Received,SenderAddress,RecipientAddress,Status,MessageTraceId',
      `${TIME},<>,Bounces+SRS=HnE87=C7@contoso.com,Delivered,1`,
      `${TIME},<>,bounces@contoso.com,Delivered,2`,
    ]);
    expect(rows.map((row) => row.for_bounces)).toEqual([true, undefined]);
    const summary = await rowsOf([
      'origin_timestamp_utc,sender_address,recipient_status,message_id,network_message_id',
      `${TIME},<>,"bounces+srs=HnE87=C7@contoso.com##Receive, Deliver;ann@contoso.com##Receive, Deliver",x,3`,
    ]);
    expect(summary.map((row) => row.for_bounces)).toEqual([true, undefined]);
  });
});

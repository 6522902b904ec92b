import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { addAttack } from '../../bench/traffic/attack.ts';
import { enhancedSummaryCsv } from '../../bench/traffic/enhanced-summary-export.ts';
import { exportFiles } from '../../bench/traffic/export-files.ts';
import { encodeExport } from '../../bench/traffic/export-text.ts';
import { countRows, DAY_MS, HOUR_MS, MINUTE_MS, type TrafficMessage } from '../../bench/traffic/message.ts';
import {
  formatDate,
  messageTraceCsv,
  messageTraceJson,
  messageTraceNdjson,
} from '../../bench/traffic/message-trace-export.ts';
import { Random, WeightedChoice } from '../../bench/traffic/random.ts';
import { generateBackground } from '../../bench/traffic/world.ts';

const START_MS = Date.UTC(2026, 0, 5);
const SERVER = { ip: '192.0.2.25', connector: 'Inbound from DC1' };

function background(seed: string, rowsPerDay = 300, days = 14) {
  return generateBackground({
    seed,
    startMs: START_MS,
    days,
    rowsPerDay,
    hybrid: [{ ...SERVER, applicationRowsPerDay: 12, foreignRowsPerDay: 3 }],
  });
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

describe('random numbers', () => {
  it('are the same for the same seed, and different for another', () => {
    const words = (seed: string) => {
      const random = new Random(seed);
      return Array.from({ length: 20 }, () => random.word());
    };
    expect(words('a')).toEqual(words('a'));
    expect(new Set([...words('a'), ...words('b')]).size).toBe(40);
    expect(new Random('a').fork('x').word()).not.toBe(new Random('a').fork('y').word());
  });

  it('have the means and variances they promise', () => {
    const random = new Random('moments');
    const moments = (draw: () => number) => {
      let sum = 0;
      let squares = 0;
      const draws = 40_000;
      for (let index = 0; index < draws; index++) {
        const value = draw();
        sum += value;
        squares += value * value;
      }
      const mean = sum / draws;
      return { mean, variance: squares / draws - mean * mean };
    };
    const close = (draw: () => number, mean: number, variance: number) => {
      const found = moments(draw);
      expect(Math.abs(found.mean / mean - 1), `mean ${found.mean}, wanted ${mean}`).toBeLessThan(0.05);
      expect(Math.abs(found.variance / variance - 1), `variance ${found.variance}, wanted ${variance}`).toBeLessThan(
        0.15,
      );
    };
    close(() => random.uniform(), 0.5, 1 / 12);
    close(() => random.factor(0.3), 1, 0.3);
    close(() => random.factor(3), 1, 3);
    close(() => random.poisson(3.5), 3.5, 3.5);
    close(() => random.poisson(70), 70, 70);
    close(() => random.poisson(900), 900, 900);
    close(() => random.geometric(2.5), 2.5, 2.5 * 1.5);
    close(() => random.exponential(4), 4, 16);
    const choice = new WeightedChoice([1, 2, 7]);
    close(() => choice.draw(random), 1.6, 0.1 * 0 + 0.2 * 1 + 0.7 * 4 - 1.6 * 1.6);
  });
});

describe('a world', () => {
  it('is the same for the same seed, byte for byte', () => {
    const digest = (seed: string) => {
      const world = background(seed);
      addAttack(world, {
        kind: 'relay',
        id: 'one',
        startMs: START_MS + 9 * DAY_MS,
        hours: 2,
        recipientsPerHour: 100,
        domains: { count: 1 },
        source: SERVER,
      });
      return createHash('sha256')
        .update(messageTraceCsv(world.traffic.messages, { version: 1, dates: 'us' }))
        .digest('hex');
    };
    expect(digest('same')).toBe(digest('same'));
    expect(digest('same')).not.toBe(digest('other'));
  });

  it.each([10, 300, 1000])('has about %i rows a day, in order of time, inside its days', (rowsPerDay) => {
    const { traffic } = generateBackground({ seed: 'size', startMs: START_MS, days: 28, rowsPerDay });
    const rows = countRows(traffic.messages) / 28;
    expect(rows).toBeGreaterThan(rowsPerDay * 0.6);
    expect(rows).toBeLessThan(rowsPerDay * 1.6);
    let before = START_MS;
    for (const message of traffic.messages) {
      expect(message.timeMs).toBeGreaterThanOrEqual(before);
      before = message.timeMs;
    }
    expect(before).toBeLessThan(START_MS + 28 * DAY_MS);
  });

  it('has the columns of Exchange right: FromIP, ToIP and direction say where mail comes from and goes', () => {
    const { traffic } = background('columns');
    const accepted = new Set(traffic.acceptedDomains);
    const seen = { inbound: 0, outbound: 0, internal: 0, forwards: 0, relayed: 0, bounces: 0, groups: 0 };
    for (const message of traffic.messages) {
      expect(message.recipients.length).toBeGreaterThan(0);
      expect(new Set(message.recipients.map((recipient) => recipient.address)).size).toBe(message.recipients.length);
      const senderHere = accepted.has(domainOf(message.sender));
      if (message.sender === '<>') seen.bounces++;
      for (const recipient of message.recipients) {
        const recipientHere = accepted.has(domainOf(recipient.address));
        expect(recipient.toIp === '').toBe(recipientHere);
        if (recipient.status === 'Expanded') seen.groups++;
        if (message.fromIp === SERVER.ip) {
          seen.relayed++;
          // A forward of the server's mail has its address, but came through no connector.
          if (recipientHere || !senderHere) expect(message.connector).toBe(SERVER.connector);
        } else if (senderHere) {
          expect(message.fromIp).toBe('');
          seen[recipientHere ? 'internal' : 'outbound']++;
        } else if (message.sender !== '<>') {
          expect(message.fromIp).not.toBe('');
          seen[recipientHere ? 'inbound' : 'forwards']++;
        }
      }
    }
    for (const [kind, count] of Object.entries(seen)) expect(count, kind).toBeGreaterThan(0);
  });

  it('lets every forward follow its way in within seconds, under the same Message-ID', () => {
    const world = background('forwards', 300, 21);
    const accepted = new Set(world.traffic.acceptedDomains);
    const arrivedAt = new Map<string, number>();
    let forwards = 0;
    let sameTrace = 0;
    for (const message of world.traffic.messages) {
      const local = message.recipients.some((recipient) => accepted.has(domainOf(recipient.address)));
      if (local) arrivedAt.set(message.messageId, message.timeMs);
      const foreign =
        !accepted.has(domainOf(message.sender)) && message.sender !== '<>' && message.fromIp !== SERVER.ip;
      if (!foreign || !message.recipients.some((recipient) => !accepted.has(domainOf(recipient.address)))) continue;
      forwards++;
      if (local) sameTrace++;
      const arrived = arrivedAt.get(message.messageId);
      expect(arrived).toBeDefined();
      expect(message.timeMs - (arrived as number)).toBeLessThanOrEqual(10_000);
    }
    expect(forwards).toBeGreaterThan(50);
    expect(sameTrace).toBeGreaterThan(0);
    expect(sameTrace).toBeLessThan(forwards);
  });
});

describe('an attack', () => {
  it.each([1, 20, 100])(
    'sends what it should, and the truth lists it (%i recipients a message)',
    (recipientsPerMessage) => {
      const world = background('attacked');
      const before = world.traffic.messages.length;
      const startMs = START_MS + 10 * DAY_MS;
      const truth = addAttack(world, {
        kind: 'relay',
        id: 'burst',
        startMs,
        hours: 5,
        recipientsPerHour: 1000,
        recipientsPerMessage,
        domains: { messagesPerDomain: 5 },
        source: { ip: '198.51.100.250', connector: 'relay77' },
      });
      expect(truth.pairs.length).toBeGreaterThan(2000);
      expect(truth.pairs.length).toBeLessThan(9000);
      const messages = new Map(world.traffic.messages.map((message) => [message.traceId, message]));
      expect(messages.size - before).toBe(truth.pairs.length / recipientsPerMessage);
      for (const pair of truth.pairs) {
        const message = messages.get(pair.traceId) as TrafficMessage;
        expect(message.recipients.some((recipient) => recipient.address === pair.recipient)).toBe(true);
        expect(message.fromIp).toBe('198.51.100.250');
        expect(pair.timeMs).toBe(message.timeMs);
        expect(pair.timeMs).toBeGreaterThanOrEqual(startMs);
        expect(pair.timeMs).toBeLessThan(startMs + 5 * HOUR_MS + 10 * MINUTE_MS);
      }
      const domains = new Set(
        truth.pairs.map((pair) => domainOf((messages.get(pair.traceId) as TrafficMessage).sender)),
      );
      expect(domains.size).toBeGreaterThan(truth.pairs.length / recipientsPerMessage / 6);
    },
  );

  it('can hide behind a blind copy to a mailbox that forwards', () => {
    const world = background('bcc');
    const forwarder = world.mailboxes.find((mailbox) => mailbox.forwardsTo.length > 0);
    if (forwarder === undefined) throw new Error('the world has no forwarding mailbox');
    const truth = addAttack(world, {
      kind: 'relay',
      id: 'bcc',
      startMs: START_MS + 10 * DAY_MS,
      hours: 1,
      recipientsPerHour: 100,
      domains: { count: 1 },
      source: SERVER,
      bccMailbox: forwarder.address,
    });
    const ids = new Set(truth.pairs.map((pair) => pair.traceId));
    const attack = world.traffic.messages.filter((message) => ids.has(message.traceId));
    expect(attack.every((message) => message.recipients.some((one) => one.address === forwarder.address))).toBe(true);
    const attackIds = new Set(attack.map((message) => message.messageId));
    const passedOn = world.traffic.messages.filter(
      (message) => attackIds.has(message.messageId) && !ids.has(message.traceId),
    );
    expect(passedOn.map((message) => message.recipients[0].address)).toContain(forwarder.forwardsTo[0]);
  });
});

const SAMPLE: TrafficMessage[] = [
  {
    traceId: 'cf7a249a-5edd-4350-a30a-08da8f69e0f6',
    messageId: '<x@fabrikam.example>',
    timeMs: Date.UTC(2026, 8, 5, 18, 10, 13, 490),
    sender: 'promo@fabrikam.example',
    recipients: [
      { address: 'ann@victim.example', status: 'Failed', toIp: '203.0.113.9' },
      { address: 'bob@contoso.example', status: 'Delivered', toIp: '' },
    ],
    subject: 'You won, "Ann" – it\'s <free>',
    sizeBytes: 18233,
    fromIp: '198.51.100.25',
    connector: 'Inbound from DC1',
    direction: 'originating',
  },
];

describe('exports', () => {
  it('write Get-MessageTrace as Windows PowerShell does', () => {
    const text = messageTraceCsv(SAMPLE, {
      version: 1,
      dates: 'us',
      typeLine: true,
      organization: 'contoso.onmicrosoft.com',
    });
    const lines = text.split('\r\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^#TYPE /);
    expect(lines[2]).toBe(
      '"contoso.onmicrosoft.com","<x@fabrikam.example>","9/5/2026 6:10:13 PM","promo@fabrikam.example",' +
        '"ann@victim.example","You won, ""Ann"" – it\'s <free>","Failed","203.0.113.9","198.51.100.25","18233",' +
        '"cf7a249a-5edd-4350-a30a-08da8f69e0f6","9/5/2026 6:10:00 PM","9/5/2026 6:11:00 PM","0"',
    );
  });

  it('write Get-MessageTraceV2 with quotes where needed', () => {
    const lines = messageTraceCsv(SAMPLE, { version: 2, dates: 'iso', quotes: 'as-needed', delimiter: ';' }).split(
      '\r\n',
    );
    expect(lines[0]).toBe(
      'Received;SenderAddress;RecipientAddress;Subject;Status;ToIP;FromIP;Size;MessageId;MessageTraceId',
    );
    expect(lines[2]).toBe(
      '2026-09-05T18:10:13.4900000;promo@fabrikam.example;bob@contoso.example;' +
        '"You won, ""Ann"" – it\'s <free>";Delivered;;198.51.100.25;18233;<x@fabrikam.example>;' +
        'cf7a249a-5edd-4350-a30a-08da8f69e0f6',
    );
  });

  it('write dates in the culture of the exporter', () => {
    const morning = Date.UTC(2026, 8, 5, 0, 5, 9);
    expect(formatDate(morning, 'us')).toBe('9/5/2026 12:05:09 AM');
    expect(formatDate(morning, 'british')).toBe('05/09/2026 00:05:09');
    expect(formatDate(morning, 'german')).toBe('05.09.2026 00:05:09');
    expect(formatDate(morning, 'iso')).toBe('2026-09-05T00:05:09.0000000');
  });

  it('write JSON of both PowerShells with the same meaning', () => {
    const seven = JSON.parse(messageTraceJson(SAMPLE, 'ps7'));
    const five = JSON.parse(messageTraceJson(SAMPLE, 'ps5'));
    expect(seven).toHaveLength(2);
    expect(seven[0].Received).toBe('2026-09-05T18:10:13.4900000');
    expect(five[0].Received).toBe(`/Date(${SAMPLE[0].timeMs})/`);
    expect(messageTraceJson(SAMPLE, 'ps5')).not.toMatch(/[<>&']/);
    expect({ ...five[1], Received: 0 }).toEqual({ ...seven[1], Received: 0 });
    const lines = messageTraceNdjson(SAMPLE, 'ps7').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(seven);
  });

  it('write the Enhanced summary with all recipients of a message in one cell', () => {
    const [, row] = enhancedSummaryCsv(SAMPLE).split('\r\n');
    expect(row).toBe(
      '2026-09-05T18:10:13.4900000Z,promo@fabrikam.example,' +
        '"ann@victim.example##Receive, Fail;bob@contoso.example##Receive, Deliver",' +
        '"You won, ""Ann"" – it\'s <free>",18233,<x@fabrikam.example>,cf7a249a-5edd-4350-a30a-08da8f69e0f6,' +
        '198.51.100.25,2,Inbound from DC1,Normal',
    );
  });

  it('repeat what overlaps, with statuses that settle in the next file', () => {
    const { traffic } = background('overlap', 300, 6);
    const files = [...exportFiles(traffic, { format: 'message-trace-ndjson', daysPerFile: 1.5, overlapHours: 6 })];
    expect(files.map((file) => file.name)).toEqual([
      'message-trace-ndjson-2026-01-05.ndjson',
      'message-trace-ndjson-2026-01-06.ndjson',
      'message-trace-ndjson-2026-01-08.ndjson',
      'message-trace-ndjson-2026-01-09.ndjson',
    ]);
    const final = new Map<string, string>();
    let rows = 0;
    let early = 0;
    for (const file of files) {
      const lines = file.bytes
        .toString('utf8')
        .replace(/^\ufeff/, '')
        .trimEnd()
        .split('\n');
      for (const line of lines) {
        const row = JSON.parse(line);
        rows++;
        if (row.Status === 'GettingStatus') early++;
        final.set(`${row.MessageTraceId} ${row.RecipientAddress}`, row.Status);
      }
    }
    expect(final.size).toBe(countRows(traffic.messages));
    expect(rows).toBeGreaterThan(final.size);
    expect(early).toBeGreaterThan(0);
    expect([...final.values()]).not.toContain('GettingStatus');
  });

  it('are encoded as asked', () => {
    expect([...encodeExport('é', 'utf8-bom')]).toEqual([0xef, 0xbb, 0xbf, 0xc3, 0xa9]);
    expect([...encodeExport('é', 'utf16le')]).toEqual([0xe9, 0]);
    expect([...encodeExport('é', 'utf16be-bom')]).toEqual([0xfe, 0xff, 0, 0xe9]);
    expect([...encodeExport('é', 'ascii')]).toEqual([0x3f]);
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultTracesFolder, parseTrace, TRACES } from '../../bench/traces/trace.ts';
import { traceTraffic } from '../../bench/traces/trace-traffic.ts';
import { countRows, type Traffic } from '../../bench/traffic/message.ts';

/** Sixty people, who write to each other every few minutes for two weeks of 2010. */
function smallTrace(): string {
  const lines: string[] = [];
  const first = Date.UTC(2010, 0, 4, 8) / 1000;
  for (let index = 0; index < 3000; index++) {
    lines.push(`${1 + ((index * 7) % 60)} ${1 + ((index * 13 + 5) % 60)} ${first + Math.floor(index / 3) * 1200} 1`);
  }
  return `${lines.join('\n')}\n`;
}

function check(traffic: Traffic, edges: number): { forwards: number; outbound: number } {
  const [domain] = traffic.acceptedDomains;
  const here = (address: string) => address.endsWith(`@${domain}`);
  const arrived = new Set<string>();
  let forwards = 0;
  let hidden = 0;
  let outbound = 0;
  for (const message of traffic.messages) {
    expect(message.timeMs).toBeGreaterThanOrEqual(Date.UTC(2000, 0, 1));
    for (const recipient of message.recipients) {
      if (here(recipient.address)) {
        arrived.add(message.messageId);
      } else if (here(message.sender)) {
        outbound++;
        expect(message.fromIp).toBe('');
        expect(recipient.toIp).not.toBe('');
      } else {
        forwards++;
        expect(message.fromIp).not.toBe('');
        if (!arrived.has(message.messageId)) hidden++;
      }
    }
  }
  expect(countRows(traffic.messages)).toBe(edges + forwards - hidden);
  return { forwards, outbound };
}

describe('a mail trace as a tenant', () => {
  const text = smallTrace();

  it('keeps every row, the weekday and the hour, and gains the forwards', () => {
    const traffic = traceTraffic(text, 'radoslaw', { seed: '1' });
    const { forwards, outbound } = check(traffic, 3000);
    expect(forwards).toBeGreaterThan(50);
    expect(outbound).toBeGreaterThan(300);
    const first = new Date(traffic.messages[0].timeMs);
    expect(first.getUTCDay()).toBe(1);
    expect(first.getUTCHours()).toBe(8);
    expect(first.getUTCFullYear()).toBe(2026);
  });

  it('can hide the way in of the forwards', () => {
    const shown = traceTraffic(text, 'radoslaw', { seed: '1' });
    const hidden = traceTraffic(text, 'radoslaw', { seed: '1', wayInVisible: false });
    const { forwards } = check(hidden, 3000);
    expect(forwards).toBe(check(shown, 3000).forwards);
    expect(countRows(hidden.messages)).toBe(countRows(shown.messages) - forwards);
  });

  it('refuses a file that is no trace, and says where', () => {
    expect(() => parseTrace('1 2 1262454010 1\n1 x 1262454010 1\n', 'radoslaw')).toThrow(
      'radoslaw-email.edges, line 2: three whole numbers expected, found "1 x 1262454010 1"',
    );
  });

  for (const trace of TRACES) {
    const path = join(defaultTracesFolder(), trace.file);
    const present = existsSync(path);
    if (!present) process.stderr.write(`skipped: ${path} is missing\n`);
    it.skipIf(!present)(`reads the real ${trace.name}`, () => {
      const real = readFileSync(path, 'utf8');
      const edges = parseTrace(real, trace.name).length;
      expect(edges).toBe(trace.name === 'radoslaw' ? 82_927 : 50_572);
      const traffic = traceTraffic(real, trace.name, { seed: '1' });
      expect(check(traffic, edges).forwards).toBeGreaterThan(500);
    });
  }
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DateOrder,
  dateOrderEvidence,
  EVIDENCE_DMY,
  EVIDENCE_EITHER,
  EVIDENCE_MDY,
  EVIDENCE_NONE,
  EVIDENCE_SAME,
  parseEventTime,
} from '../../src/core/event-time.ts';

const encoder = new TextEncoder();

function parse(text: string, order: DateOrder | null = null): string {
  const bytes = encoder.encode(`9${text}9`);
  const out = new Float64Array(2);
  return parseEventTime(bytes, 1, bytes.length - 1, order, out, 1) ? new Date(out[1]).toISOString() : 'refused';
}

describe('ISO times', () => {
  it.each([
    ['2026-09-05T18:10:13.4907658Z', '2026-09-05T18:10:13.490Z'],
    ['2026-09-05T18:10:13.4999999', '2026-09-05T18:10:13.499Z'],
    ['2026-09-05T18:10:13.4', '2026-09-05T18:10:13.400Z'],
    ['2026-09-05T18:10:13.45Z', '2026-09-05T18:10:13.450Z'],
    ['2026-09-05T18:10:13', '2026-09-05T18:10:13.000Z'],
    ['2026-09-05 18:10:13', '2026-09-05T18:10:13.000Z'],
    [' 2026-09-05 18:10:13 ', '2026-09-05T18:10:13.000Z'],
    ['2026-09-05 18:10', '2026-09-05T18:10:00.000Z'],
    ['2026-09-05T18:10:13.4907658+02:00', '2026-09-05T16:10:13.490Z'],
    ['2026-09-05T18:10:13-0530', '2026-09-05T23:40:13.000Z'],
    ['2026-09-05 18:10:13 +00:00', '2026-09-05T18:10:13.000Z'],
    ['2024-02-29T23:59:59.999Z', '2024-02-29T23:59:59.999Z'],
    ['0001-01-01T00:00:00', '0001-01-01T00:00:00.000Z'],
  ])('%s', (text, expected) => {
    expect(parse(text)).toBe(expected);
  });

  it.each([
    '2026-02-31T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-09-05T24:00:00Z',
    '2026-09-05T18:60:00Z',
    '2026-09-05T18:10:60Z',
    '2026-09-05T18:10:13.Z',
    '2026-09-05T18:10:13Zulu',
    '2026-09-05T18:10:13+99:00',
    '2026-09-05T1 :10:13Z',
    '2026-09-0aT18:10:13Z',
    '2026-09-05',
    '',
    'Received',
  ])('refuses %j', (text) => {
    expect(parse(text)).toBe('refused');
  });

  it('agrees with the engine on every day', () => {
    const seed = Math.floor(Math.random() * 1e9);
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(1600, 0), max: Date.UTC(2400, 0) }), (ms) => {
        const iso = new Date(ms).toISOString();
        expect(parse(iso), `seed ${seed}`).toBe(iso);
        const [date, time] = iso.slice(0, 19).split('T');
        const [year, month, day] = date.split('-');
        const whole = `${iso.slice(0, 19)}.000Z`;
        expect(parse(`${Number(month)}/${Number(day)}/${year} ${time}`, 'mdy')).toBe(whole);
        expect(parse(`${day}/${month}/${year} ${time}`, 'dmy')).toBe(whole);
        expect(parse(`${day}.${month}.${year} ${time}`)).toBe(whole);
      }),
      { seed, numRuns: 500 },
    );
  });
});

describe('JSON dates of Windows PowerShell', () => {
  it.each([
    ['/Date(1658751973240)/', '2022-07-25T12:26:13.240Z'],
    ['/Date(1658751973240+0200)/', '2022-07-25T12:26:13.240Z'],
    ['\\/Date(1658751973240)\\/', '2022-07-25T12:26:13.240Z'],
    ['/Date(-1)/', '1969-12-31T23:59:59.999Z'],
  ])('%s', (text, expected) => {
    expect(parse(text)).toBe(expected);
  });

  it.each(['/Date()/', '/Date(1e9)/', '/Date(1658751973240)/ x', `/Date(${'1'.repeat(60)})/`])('refuses %s', (text) => {
    expect(parse(text)).toBe('refused');
  });
});

describe('times of a culture', () => {
  it.each([
    ['9/5/2026 6:10:13 PM', 'mdy', '2026-09-05T18:10:13.000Z'],
    ['9/5/2026 6:10:13 PM', 'dmy', '2026-05-09T18:10:13.000Z'],
    ['9/5/2026 12:00:00 AM', 'mdy', '2026-09-05T00:00:00.000Z'],
    ['9/5/2026 12:00:00 PM', 'mdy', '2026-09-05T12:00:00.000Z'],
    ['9/5/2026, 6:10:13\u202fPM', 'mdy', '2026-09-05T18:10:13.000Z'],
    ['9/5/2026 6:10:13\u00a0pm', 'mdy', '2026-09-05T18:10:13.000Z'],
    ['05/09/2026 06:10:13 p.\u00a0m.', 'dmy', '2026-09-05T18:10:13.000Z'],
    ['05/09/2026 6:10:13 a.m.', 'dmy', '2026-09-05T06:10:13.000Z'],
    ['05/09/2026 18:10', 'dmy', '2026-09-05T18:10:00.000Z'],
    ['5-9-2026 18:10:13', 'dmy', '2026-09-05T18:10:13.000Z'],
    ['05-09-2026 18.10.13', 'dmy', '2026-09-05T18:10:13.000Z'],
    ['05.09.2026 18:10:13', null, '2026-09-05T18:10:13.000Z'],
    ['05.09.2026 18:10:13', 'mdy', '2026-09-05T18:10:13.000Z'],
    ['5. 9. 2026 18:10:13', null, '2026-09-05T18:10:13.000Z'],
    ['2026. 09. 05. 18:10:13', null, '2026-09-05T18:10:13.000Z'],
    ['2026/09/05 18:10:13', null, '2026-09-05T18:10:13.000Z'],
    ['2026/9/5 6:10:13 PM', 'dmy', '2026-09-05T18:10:13.000Z'],
    ['2026-09-05 06:10:13 PM', null, '2026-09-05T18:10:13.000Z'],
    ['5/5/2026 18:10:13', null, '2026-05-05T18:10:13.000Z'],
    ['9/5/2026 18:10:13.4907', 'mdy', '2026-09-05T18:10:13.490Z'],
  ] as const)('%s %s', (text, order, expected) => {
    expect(parse(text, order)).toBe(expected);
  });

  it.each([
    ['9/5/2026 6:10:13 PM', null],
    ['9/5/2026 6:10:13 PM', 'ymd'],
    ['31/2/2026 18:10', 'dmy'],
    ['13/13/2026 18:10', 'mdy'],
    ['9/13/2026 18:10', 'dmy'],
    ['9/5/26 18:10', 'mdy'],
    ['9/5/2026', 'mdy'],
    ['9/5/2026 18:10:13 PM', 'mdy'],
    ['9/5/2026 0:10:13 PM', 'mdy'],
    ['9/5/2026 6:10:13 XM', 'mdy'],
    ['9/5-2026 6:10:13', 'mdy'],
    ['9/5/2026 24:00:00', 'mdy'],
    ['9/5/2026 6', 'mdy'],
    ['9/5/2026 6:10:13 PM CET', 'mdy'],
  ] as const)('refuses %s %s', (text, order) => {
    expect(parse(text, order)).toBe('refused');
  });
});

describe('evidence of the order', () => {
  it.each([
    ['9/5/2026 6:10:13 PM', EVIDENCE_EITHER],
    ['9/13/2026 6:10:13 PM', EVIDENCE_MDY],
    ['13/9/2026 6:10:13 PM', EVIDENCE_DMY],
    ['13-9-2026 18:10', EVIDENCE_DMY],
    ['30/2/2026 18:10', EVIDENCE_NONE],
    ['29/2/2024 18:10', EVIDENCE_DMY],
    ['5/5/2026 18:10', EVIDENCE_SAME],
    ['05.09.2026 18:10:13', EVIDENCE_NONE],
    ['2026/09/05 18:10', EVIDENCE_NONE],
    ['2026-09-05T18:10:13Z', EVIDENCE_NONE],
    ['Received', EVIDENCE_NONE],
    ['', EVIDENCE_NONE],
  ])('%s', (text, expected) => {
    const bytes = encoder.encode(text);
    expect(dateOrderEvidence(bytes, 0, bytes.length)).toBe(expected);
  });
});

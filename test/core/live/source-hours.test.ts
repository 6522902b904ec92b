import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/core/calendar.ts';
import type { ReplaceWrite } from '../../../src/core/delivery.ts';
import { type SourceHour, SourceHours } from '../../../src/core/live/source-hours.ts';

const DAY = Date.UTC(2026, 5, 15);

interface LedgerHour {
  hour: string;
  rows: number;
  first_seen: string;
  last_seen: string;
  is_late: boolean;
  is_settled: boolean;
  is_evaluated: boolean;
}

function hourOf({ document }: ReplaceWrite): LedgerHour {
  return (document.relaywatch as { ledger_hour: LedgerHour }).ledger_hour;
}

/** In short: hour of the day, rows, stage. */
function shown(writes: readonly ReplaceWrite[]): string[] {
  return writes.map((write) => {
    const { hour, rows, is_settled, is_evaluated, is_late } = hourOf(write);
    const stage = is_evaluated ? 'evaluated' : is_settled ? 'settled' : 'open';
    return `${hour.slice(8, 13)} ${rows} ${stage}${is_late ? ' late' : ''}`;
  });
}

describe('hours of a source', () => {
  it('are written when they settle, and when they are evaluated, and then forgotten', () => {
    const hours = new SourceHours('contoso');
    const seenMs = DAY + 6 * HOUR_MS;
    for (const [minute, rows] of [
      [5, 3],
      [59, 1],
      [61, 2],
    ]) {
      for (let row = 0; row < rows; row++) hours.add(DAY + minute * MINUTE_MS, seenMs + minute);
    }
    expect(hours.writes(seenMs, 1)).toEqual([]);
    hours.advance(DAY + HOUR_MS, Number.NEGATIVE_INFINITY);
    const [write, ...others] = hours.writes(seenMs, 2);
    expect(others).toEqual([]);
    expect(write).toEqual({
      kind: 'ledger',
      id: expect.stringMatching(/^rwh-[0-9a-f]{24}$/),
      sequence: 2,
      document: {
        '@timestamp': '2026-06-15T00:00:00.000Z',
        ecs: { version: '9.4.0' },
        event: { kind: 'metric', module: 'relaywatch', dataset: 'relaywatch.ledger_hour' },
        relaywatch: {
          tenant: 'contoso',
          ledger_hour: {
            hour: '2026-06-15T00:00:00.000Z',
            rows: 4,
            first_seen: '2026-06-15T06:00:00.005Z',
            last_seen: '2026-06-15T06:00:00.059Z',
            is_late: false,
            is_settled: true,
            is_evaluated: false,
          },
        },
      },
    });
    expect(hours.writes(seenMs, 3)).toEqual([]);
    hours.advance(DAY + 2 * DAY_MS, DAY + DAY_MS);
    expect(shown(hours.writes(seenMs, 4))).toEqual(['15T00 4 evaluated', '15T01 2 evaluated']);
    expect(hours.save().hours).toEqual([]);
  });

  it('that grow are written once in an hour', () => {
    const hours = new SourceHours('contoso');
    const written: string[] = [];
    for (let minute = 0; minute < 150; minute++) {
      const nowMs = DAY + minute * MINUTE_MS;
      hours.add(DAY, nowMs);
      written.push(...shown(hours.writes(nowMs, minute)).map((write) => `${minute}: ${write}`));
    }
    expect(written).toEqual(['60: 15T00 61 open', '120: 15T00 121 open']);
  });

  it('behind the seal are counted apart, and never as evaluated', () => {
    const hours = new SourceHours('contoso');
    hours.add(DAY, DAY);
    hours.advance(DAY + 3 * DAY_MS, DAY + DAY_MS);
    const [evaluated] = hours.writes(DAY, 1);
    hours.add(DAY, DAY + 3 * DAY_MS);
    const [late] = hours.writes(DAY + 3 * DAY_MS, 2);
    expect(shown([evaluated, late])).toEqual(['15T00 1 evaluated', '15T00 1 settled late']);
    expect(late.id).not.toBe(evaluated.id);
    // The first open day is not late.
    hours.add(DAY + DAY_MS, DAY + 3 * DAY_MS);
    hours.add(DAY, DAY + 4 * DAY_MS);
    expect(shown(hours.writes(DAY + 4 * DAY_MS, 3))).toEqual(['16T00 1 settled', '15T00 2 settled late']);
  });

  it('behind the seal are bounded, without losing what was not written', () => {
    const hours = new SourceHours('contoso');
    hours.advance(DAY, DAY);
    for (let hour = 1; hour <= 3_000; hour++) hours.add(DAY - hour * HOUR_MS, DAY);
    expect(hours.writes(DAY, 1)).toHaveLength(3_000);
    expect(hours.save().late).toHaveLength(1_000);
  });

  it('do not go back when the watermark seems to', () => {
    const hours = new SourceHours('contoso');
    hours.add(DAY, DAY);
    hours.advance(DAY + HOUR_MS, DAY);
    expect(shown(hours.writes(DAY, 1))).toEqual(['15T00 1 settled']);
    hours.advance(Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY);
    expect(hours.writes(DAY, 2)).toEqual([]);
  });

  it('have ids that tell tenants, hours and late rows apart, and are the same in every process', () => {
    const ids = ['contoso', 'fabrikam', 'contoso'].map((tenant) => {
      const hours = new SourceHours(tenant);
      hours.add(DAY, DAY);
      hours.add(DAY + HOUR_MS, DAY);
      hours.advance(DAY + DAY_MS, DAY);
      return hours.writes(DAY, 1).map(({ id }) => id);
    });
    expect(ids[0]).toEqual(ids[2]);
    expect(new Set(ids.flat()).size).toBe(4);
  });

  it('add up, whatever the order of rows, seals and restarts', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ what: fc.constant('row' as const), hour: fc.integer({ min: 0, max: 95 }) }) },
      {
        weight: 1,
        arbitrary: fc.record({ what: fc.constant('seal' as const), hour: fc.integer({ min: 0, max: 95 }) }),
      },
      { weight: 1, arbitrary: fc.record({ what: fc.constant('write' as const), hour: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const), hour: fc.constant(0) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        let hours = new SourceHours('contoso');
        let nowMs = DAY;
        let sequence = 0;
        let rows = 0;
        let late: SourceHour[] = [];
        const stored = new Map<string, ReplaceWrite>();
        const write = () => {
          for (const one of hours.writes(nowMs, sequence++)) {
            const before = stored.get(one.id);
            if (before !== undefined) {
              expect(hourOf(one).rows).toBeGreaterThanOrEqual(hourOf(before).rows);
              expect(hourOf(before).is_evaluated).toBe(false);
            }
            stored.set(one.id, one);
          }
        };
        for (const { what, hour } of steps) {
          nowMs += 7 * MINUTE_MS;
          const timeMs = DAY + hour * HOUR_MS;
          if (what === 'row') {
            hours.add(timeMs, nowMs);
            rows++;
          } else if (what === 'seal') {
            hours.advance(timeMs + DAY_MS, Math.floor(timeMs / DAY_MS) * DAY_MS);
            late = JSON.parse(JSON.stringify(hours.saveLate()));
          } else if (what === 'write') write();
          else {
            const state = JSON.parse(JSON.stringify(hours.save()));
            hours = new SourceHours('contoso');
            hours.load(state, late);
          }
        }
        write();
        nowMs += DAY_MS;
        hours.advance(DAY + 10 * DAY_MS, DAY + 9 * DAY_MS);
        write();
        const documents = [...stored.values()].map(hourOf);
        expect(documents.reduce((sum, one) => sum + one.rows, 0)).toBe(rows);
        expect(documents.every((one) => one.is_late || one.is_evaluated)).toBe(true);
        expect(hours.save().hours).toEqual([]);
      }),
    );
  });
});

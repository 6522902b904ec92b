import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectionSettings } from '../../../src/config/detection.ts';
import { hourSlotsOf } from '../../../src/core/calendar.ts';
import { describeIncidents } from '../../../src/core/documents.ts';
import { ChosenTexts, ObservationCounts, PairTable } from '../../../src/core/identity.ts';
import { ALLOWED_LATENESS_MS, LiveWalk } from '../../../src/core/live/live-walk.ts';
import { Walk } from '../../../src/core/walk/walk.ts';
import {
  ACCEPTED,
  DAY_MS,
  HOUR_MS,
  MONDAY,
  ordinary,
  Pairs,
  type Row,
  randomOf,
  relay,
  scanRows,
  TENANT,
  tenantModelOf,
  timeOf,
} from '../pairs.ts';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

const rows: Row[] = [
  ...ordinary(MONDAY, 9),
  ...relay({ start: MONDAY + 6 * DAY_MS + 22 * HOUR_MS, count: 150, everyMs: 60_000 }),
  // At the same times: rows of one moment are one batch, however they arrive.
  ...relay({ start: MONDAY + 6 * DAY_MS + 22 * HOUR_MS, count: 150, everyMs: 60_000 }, () => 'y.example'),
  ...relay(
    { start: MONDAY + 8 * DAY_MS - 600_000, count: 60, everyMs: 30_000, fromIp: '198.51.100.99' },
    () => 'z.example',
  ),
].map((row, index) => ({ ...row, traceId: row.traceId ?? `trace-${index}` }));

/** A live walk over rows in memory, that can be ended and started again from what it saved. */
class Subject {
  readonly pairs = new Pairs(TENANT);
  counts = new ObservationCounts();
  live = this.#create();

  #create(): LiveWalk {
    const { pairs, counts } = this;
    return new LiveWalk({
      counts,
      createTable: () => new PairTable(counts, new ChosenTexts(), pairs.ids, pairs),
      createWalk: () =>
        new Walk(detectionSettings(null), tenantModelOf(pairs, TENANT, ACCEPTED), hourSlotsOf('UTC'), pairs.ids),
    });
  }

  take(arrived: readonly Row[]): void {
    for (const row of arrived) this.live.observe(this.pairs.record(row), Number.MAX_SAFE_INTEGER);
  }

  settle(): void {
    this.live.settle();
    const day = this.live.sealableDay;
    if (day !== null) this.live.seal(day, (place) => place);
  }

  restart(arrived: readonly Row[]): void {
    const saved = structuredClone(this.live.save());
    this.counts = new ObservationCounts();
    this.live = this.#create();
    this.live.load(saved);
    for (const row of arrived) this.live.replay(this.pairs.record(row), Number.MAX_SAFE_INTEGER);
  }

  documents(): string {
    const { walk } = this.live;
    walk.finish(walk.seen.lastMs as number);
    const options = { tenantKey: TENANT, organization: null, evidenceRows: 10 };
    return JSON.stringify(describeIncidents(walk, this.pairs, new ChosenTexts(), options, null).incidents);
  }
}

function laterBy(row: Row, ms: number): Row {
  return { ...row, time: timeOf(row.time) + Math.floor(ms) };
}

describe('a walk over rows that keep arriving', () => {
  const expected = JSON.stringify(scanRows(rows));

  it('finds what one walk over all rows finds, whatever the order, the doubles and the restarts', () => {
    expect(JSON.parse(expected).length).toBeGreaterThan(0);
    let rewinds = 0;
    let sealed = 0;
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 600 }),
        fc.constantFrom(0, 60_000, HOUR_MS, ALLOWED_LATENESS_MS - 1),
        (key, perChunk, latenessMs) => {
          const random = randomOf(key);
          const arriving = rows
            // Some come twice, and the copy may say that it was later, often within the hour.
            .flatMap((row) => (random() < 0.05 ? [row, laterBy(row, random() * 1.2 * HOUR_MS)] : [row]))
            .map((row) => ({ row, atMs: timeOf(row.time) + random() * latenessMs }))
            .sort((left, right) => left.atMs - right.atMs)
            .map(({ row }) => row);
          const subject = new Subject();
          const seen = new Set<string>();
          for (let first = 0; first < arriving.length; ) {
            const end = first + 1 + Math.floor(random() * perChunk * 2);
            const headMs = subject.live.walk.seen.lastMs ?? 0;
            const chunk = arriving.slice(first, end);
            if (chunk.some((row) => timeOf(row.time) <= headMs)) rewinds++;
            subject.take(chunk);
            first = end;
            for (const row of chunk) seen.add(row.traceId as string);
            if (random() < 0.8) {
              subject.settle();
              expect(subject.live.walk.seen.pairs).toBe(seen.size);
            }
            if (random() < 0.3) subject.live.walk.incidentsAt(subject.live.walk.seen.lastMs ?? 0);
            if (random() < 0.02) subject.restart(arriving.slice(0, end));
          }
          expect(subject.live.takeLateFromMs()).toBe(Number.POSITIVE_INFINITY);
          subject.settle();
          sealed = Math.max(sealed, subject.live.openFromMs);
          expect(subject.documents()).toBe(expected);
        },
      ),
      { numRuns: 25, seed },
    );
    expect(rewinds).toBeGreaterThan(10);
    expect(sealed).toBeGreaterThan(MONDAY + 5 * DAY_MS);
  });

  it('walks a pair once, however often its copies say that it was earlier', () => {
    const subject = new Subject();
    for (const ms of [50 * 60_000, 90 * 60_000, 20 * 60_000, 0]) {
      subject.take(rows.map((row) => laterBy(row, ms)));
    }
    subject.live.settle();
    expect(subject.live.walk.seen.pairs).toBe(rows.length);
    expect(subject.documents()).toBe(expected);
  });

  it('says from which day on rows behind the seal ask for a rescan, and knows a copy when it sees one', () => {
    const subject = new Subject();
    subject.take(rows);
    subject.settle();
    subject.take(rows.slice(0, 50));
    expect(subject.live.takeLateFromMs()).toBe(Number.POSITIVE_INFINITY);
    expect(subject.counts.duplicate[0]).toBe(50);
    const late = { ...rows[0], traceId: 'never-seen' };
    subject.take([late, late]);
    expect(subject.live.takeLateFromMs()).toBe(timeOf(late.time));
    expect(subject.counts.accepted[0]).toBe(rows.length + 1);
    expect(subject.counts.duplicate[0]).toBe(51);
    subject.settle();
    expect(subject.documents()).toBe(expected);
  });

  it('asks for a rescan from the time at which a sealed pair is known, however late its copy says it was', () => {
    const subject = new Subject();
    subject.take(rows);
    subject.settle();
    const copy = { ...rows[0], time: subject.live.openFromMs + HOUR_MS };
    expect(timeOf(rows[0].time)).toBeLessThan(subject.live.openFromMs - DAY_MS);
    subject.take([copy]);
    expect(subject.live.takeLateFromMs()).toBe(Number.POSITIVE_INFINITY);
    subject.take([{ ...copy, status: 'failed' }]);
    expect(subject.live.takeLateFromMs()).toBe(timeOf(rows[0].time));
    const earlierMs = timeOf(rows[0].time) - HOUR_MS;
    subject.take([{ ...rows[0], time: earlierMs }]);
    expect(subject.live.takeLateFromMs()).toBe(earlierMs);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/core/calendar.ts';
import type { ReplaceWrite } from '../../../src/core/delivery.ts';
import {
  CODES,
  DEFAULT_COMPLETENESS,
  type PartitionSnapshot,
  type TenantSnapshot,
} from '../../../src/runtime/completeness/checks.ts';
import { type CompletenessMonitor, createCompletenessMonitor } from '../../../src/runtime/completeness/monitor.ts';

/** A Monday. */
const START = Date.UTC(2026, 5, 15);
const STEP_MS = 5 * MINUTE_MS;

interface Finding {
  code: string;
  subject: string;
  state: string;
}

function findingOf(write: ReplaceWrite): Finding {
  return (write.document.relaywatch as { finding: Finding }).finding;
}

/** A pipeline that is looked at again and again; `null` fields are quiet and fine. */
class Subject {
  nowMs = START;
  monitor = this.#create();
  readonly written: ReplaceWrite[] = [];
  tenant: Partial<TenantSnapshot> | null = null;
  partition: Partial<PartitionSnapshot> | null = null;

  #create(tenants = ['contoso']): CompletenessMonitor {
    return createCompletenessMonitor({ pipeline: 'live', tenants, settings: DEFAULT_COMPLETENESS });
  }

  look(): string[] {
    const { tenant, partition, nowMs } = this;
    const writes = this.monitor.observe({
      atMs: nowMs,
      tenants:
        tenant === null
          ? []
          : [
              {
                tenant: 'contoso',
                lastRowAtMs: nowMs,
                watermarkMs: nowMs,
                rowsLastHour: 1_000,
                deadLettersLastHour: 0,
                ...tenant,
              },
            ],
      partitions:
        partition === null
          ? []
          : [
              {
                partition: 3,
                lagEntries: 0,
                committedMovedAtMs: nowMs,
                endOffset: 100,
                committedOffset: 100,
                ...partition,
              },
            ],
    });
    this.written.push(...writes);
    return writes.map((write) => `${findingOf(write).code} ${findingOf(write).state}`);
  }

  /** Looks every five minutes; gives what was written, with the time since the start of this call. */
  for(durationMs: number, change: (elapsedMs: number) => void = () => {}): string[] {
    const startMs = this.nowMs;
    const found: string[] = [];
    for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs += STEP_MS) {
      this.nowMs = startMs + elapsedMs;
      change(elapsedMs);
      found.push(...this.look().map((write) => `${elapsedMs / MINUTE_MS}: ${write}`));
    }
    this.nowMs = startMs + durationMs;
    return found;
  }

  restart(tenants = ['contoso'], awayMs = 0): void {
    const state = JSON.parse(JSON.stringify(this.monitor.save()));
    this.monitor = this.#create(tenants);
    this.monitor.load(state);
    this.nowMs += awayMs;
  }

  last(): ReplaceWrite {
    return this.written.at(-1)!;
  }
}

describe('a silent source', () => {
  it('opens after six hours, stays, closes with the next row, and opens again', () => {
    const subject = new Subject();
    const lastMs = subject.nowMs;
    subject.tenant = { lastRowAtMs: lastMs };
    expect(subject.for(20 * HOUR_MS)).toEqual(['365: silent_source open']);
    expect(subject.last()).toMatchObject({
      kind: 'finding',
      sequence: lastMs + 365 * MINUTE_MS,
      document: {
        message: expect.stringMatching(
          /^No row of the tenant contoso has come since 2026-06-15T00:00:00\.000Z, for 6 hours; .* Check what exports/,
        ),
        relaywatch: { tenant: 'contoso', finding: { code: 'silent_source', subject: 'live/contoso', state: 'open' } },
      },
    });
    const { id } = subject.last();
    subject.tenant = {};
    expect(subject.for(HOUR_MS)).toEqual(['0: silent_source closed']);
    expect(subject.last().id).toBe(id);
    const again = subject.nowMs - STEP_MS;
    subject.tenant = { lastRowAtMs: again };
    // The pause of twenty hours is known now: three times as long is allowed.
    expect(subject.for(3 * DAY_MS)).toEqual(['3600: silent_source open']);
    expect(subject.last().id).toBe(id);
  });

  it('is not there where a source is used to such pauses, and forgets outages after a week', () => {
    const subject = new Subject();
    const night = (elapsedMs: number) => {
      const hour = Math.floor(elapsedMs / HOUR_MS) % 24;
      subject.tenant = hour < 16 ? {} : { lastRowAtMs: null };
    };
    // Eight hours of every night are quiet: the first is noticed, the others are usual. Three times as long is not.
    expect(subject.for(10 * DAY_MS, night)).toEqual(['1320: silent_source open', '1440: silent_source closed']);
    subject.tenant = { lastRowAtMs: null };
    expect(subject.for(5 * DAY_MS)).toEqual(['975: silent_source open']);
    expect(subject.for(9 * DAY_MS, night)).toEqual(['0: silent_source closed']);
    subject.tenant = { lastRowAtMs: null };
    expect(subject.for(DAY_MS)).toEqual(['975: silent_source open']);
  });

  it('is allowed four days at most, whatever it was used to', () => {
    const subject = new Subject();
    subject.tenant = {};
    subject.look();
    subject.tenant = { lastRowAtMs: null };
    subject.for(3 * DAY_MS);
    subject.tenant = {};
    subject.look();
    subject.tenant = { lastRowAtMs: null };
    expect(subject.for(5 * DAY_MS)).toEqual([`${4 * 24 * 60 + 5}: silent_source open`]);
  });

  it('opens for a tenant whose first row never comes', () => {
    const subject = new Subject();
    subject.tenant = { lastRowAtMs: null, watermarkMs: null, rowsLastHour: 0 };
    expect(subject.for(8 * HOUR_MS)).toEqual(['365: silent_source open']);
    expect(subject.last().document.message).toMatch(
      /^No row of the tenant contoso has come yet, for 6 hours\. Nothing is/,
    );
    // The first row ever is no end of a pause.
    subject.tenant = {};
    expect(subject.look()).toEqual(['silent_source closed']);
    subject.tenant = { lastRowAtMs: null };
    expect(subject.for(8 * HOUR_MS)).toEqual(['365: silent_source open']);
  });

  it('opens when the tenant says', () => {
    const observe = (monitor: CompletenessMonitor, tenant: string) =>
      monitor.observe({
        atMs: START + 2 * HOUR_MS,
        tenants: [{ tenant, lastRowAtMs: null, watermarkMs: null, rowsLastHour: 0, deadLettersLastHour: 0 }],
        partitions: [],
      });
    const tenants = ['contoso', 'fabrikam'];
    const settings = { ...DEFAULT_COMPLETENESS, silentAfterMsOf: new Map([['contoso', HOUR_MS]]) };
    for (const tenant of tenants) {
      const monitor = createCompletenessMonitor({ pipeline: 'live', tenants, settings });
      const tenantMemory = { tenant, lastRowAtMs: null, quietSinceMs: START, pauses: [], laggingSinceMs: null };
      monitor.load({ observedMs: START + 2 * HOUR_MS - 1, tenants: [tenantMemory], partitions: [], open: [] });
      expect(observe(monitor, tenant)).toHaveLength(tenant === 'contoso' ? 1 : 0);
    }
  });

  it('does not count the time in which nobody looked', () => {
    const subject = new Subject();
    subject.tenant = {};
    subject.look();
    subject.tenant = { lastRowAtMs: null };
    subject.for(4 * HOUR_MS);
    subject.restart(['contoso'], 30 * HOUR_MS);
    expect(subject.for(3 * HOUR_MS)).toEqual(['130: silent_source open']);
  });
});

describe('a lagging watermark', () => {
  it('opens when rows come for half an hour and stay behind, closes when they are recent, and opens again', () => {
    const subject = new Subject();
    for (let round = 0; round < 2; round++) {
      const watermarkMs = subject.nowMs - 2 * DAY_MS;
      subject.tenant = { watermarkMs };
      expect(subject.for(2 * HOUR_MS)).toEqual(['30: lagging_watermark open']);
      expect(subject.last().document.message).toContain('ago: incidents are found that much later');
      subject.tenant = { watermarkMs: subject.nowMs - 22 * HOUR_MS };
      expect(subject.look()).toEqual(['lagging_watermark closed']);
    }
  });

  it.each([
    ['a day behind is still right', { lagMs: DAY_MS, rows: 1_000 }, []],
    ['more is not', { lagMs: DAY_MS + 1, rows: 1_000 }, ['30: lagging_watermark open']],
    ['a source without rows is silent instead', { lagMs: 2 * DAY_MS, rows: 0 }, []],
    ['a source without any row yet as well', { lagMs: Number.POSITIVE_INFINITY, rows: 0 }, []],
  ])('%s', (_, { lagMs, rows }, expected) => {
    const subject = new Subject();
    const changed = () => {
      subject.tenant = { watermarkMs: subject.nowMs - lagMs, rowsLastHour: rows };
    };
    expect(subject.for(HOUR_MS, changed)).toEqual(expected);
  });

  it('does not open for a daily export that brings the watermark forward', () => {
    const subject = new Subject();
    let watermarkMs = subject.nowMs;
    const daily = (elapsedMs: number) => {
      const minute = Math.floor(elapsedMs / MINUTE_MS) % 1440;
      // It takes ten minutes to read.
      if (minute === 25) watermarkMs = subject.nowMs - 2 * HOUR_MS;
      subject.tenant = { watermarkMs, rowsLastHour: minute >= 15 && minute < 85 ? 500 : 0 };
    };
    expect(subject.for(5 * DAY_MS, daily)).toEqual([]);
  });

  it('stays between 23 and 24 hours, open or not', () => {
    const subject = new Subject();
    const at = (hours: number) => () => {
      subject.tenant = { watermarkMs: subject.nowMs - hours * HOUR_MS };
    };
    expect(subject.for(2 * HOUR_MS, at(23.5))).toEqual([]);
    expect(subject.for(2 * HOUR_MS, at(25))).toEqual(['30: lagging_watermark open']);
    expect(subject.for(2 * HOUR_MS, at(23.5))).toEqual([]);
    expect(subject.for(2 * HOUR_MS, at(23))).toEqual(['0: lagging_watermark closed']);
  });
});

describe('growing dead letters', () => {
  it('open, stay, close and open again', () => {
    const subject = new Subject();
    subject.tenant = {};
    subject.for(2 * HOUR_MS);
    for (let round = 0; round < 2; round++) {
      subject.tenant = { deadLettersLastHour: 51 };
      expect(subject.for(HOUR_MS)).toEqual(['0: dead_letters_growing open']);
      expect(subject.last().document.message).toContain('51 of the 1000 rows of the tenant contoso');
      subject.tenant = { deadLettersLastHour: 30 };
      expect(subject.for(HOUR_MS)).toEqual([]);
      subject.tenant = { deadLettersLastHour: 25 };
      expect(subject.for(HOUR_MS)).toEqual(['0: dead_letters_growing closed']);
    }
  });

  it.each([
    [1_000, 50, false],
    [1_000, 51, true],
    [100, 19, false],
    [100, 20, true],
    [400, 20, false],
    [399, 20, true],
    [20, 20, true],
    [0, 0, false],
  ])('of %d rows %d: %s', (rowsLastHour, deadLettersLastHour, isOpen) => {
    const subject = new Subject();
    subject.tenant = { rowsLastHour, deadLettersLastHour };
    expect(subject.look()).toEqual(isOpen ? ['dead_letters_growing open'] : []);
  });

  it('are not over because a new process has counted for minutes only', () => {
    const subject = new Subject();
    subject.tenant = { deadLettersLastHour: 200 };
    expect(subject.look()).toEqual(['dead_letters_growing open']);
    subject.restart();
    subject.tenant = { rowsLastHour: 10, deadLettersLastHour: 1 };
    expect(subject.for(2 * HOUR_MS)).toEqual(['60: dead_letters_growing closed']);
  });
});

describe('a detector that stopped', () => {
  it('opens after five minutes, stays, closes when it goes on, and opens again', () => {
    const subject = new Subject();
    subject.partition = {};
    subject.look();
    const movedMs = subject.nowMs;
    for (const committedOffset of [100, 110]) {
      subject.partition = { committedOffset, endOffset: 120, lagEntries: 20, committedMovedAtMs: movedMs };
      const found = subject.for(HOUR_MS);
      expect(found).toEqual(['10: detector_stopped open']);
      expect(subject.last()).toMatchObject({
        document: {
          message: expect.stringContaining(`has stood still at ${committedOffset} for 10 minutes, and 20 entries wait`),
          relaywatch: { finding: { subject: 'live/3', state: 'open' } },
        },
      });
      subject.partition = { committedOffset: committedOffset + 5, endOffset: 120 };
      expect(subject.look()).toEqual(['detector_stopped closed']);
    }
  });

  it('is not one that had nothing to do', () => {
    const subject = new Subject();
    const movedMs = subject.nowMs;
    subject.partition = { committedMovedAtMs: movedMs };
    expect(subject.for(2 * HOUR_MS)).toEqual([]);
    // The first entry after hours: the time counts from here.
    subject.partition = { committedMovedAtMs: movedMs, endOffset: 101 };
    expect(subject.for(10 * MINUTE_MS)).toEqual([]);
    expect(subject.look()).toEqual(['detector_stopped open']);
    subject.partition = { endOffset: 101, committedOffset: 101 };
    expect(subject.look()).toEqual(['detector_stopped closed']);
  });

  it('is one that never committed anything, but not of an empty partition', () => {
    const subject = new Subject();
    subject.partition = { committedOffset: -1, endOffset: 0, committedMovedAtMs: START };
    expect(subject.for(HOUR_MS)).toEqual([]);
    subject.partition = { committedOffset: -1, endOffset: 7, committedMovedAtMs: START };
    expect(subject.for(HOUR_MS)).toEqual(['10: detector_stopped open']);
  });

  it('stays open over a restart, and does not open for the time in which nothing ran', () => {
    const stuck = { committedOffset: 100, endOffset: 120, committedMovedAtMs: START };
    const open = new Subject();
    open.partition = stuck;
    expect(open.for(HOUR_MS)).toEqual(['10: detector_stopped open']);
    open.restart();
    // To the new process the offset seems to have moved just now.
    open.partition = { ...stuck, committedMovedAtMs: open.nowMs };
    expect(open.for(HOUR_MS)).toEqual([]);
    const away = new Subject();
    away.partition = stuck;
    expect(away.look()).toEqual([]);
    away.restart(['contoso'], DAY_MS);
    expect(away.look()).toEqual([]);
    expect(away.for(HOUR_MS)).toEqual(['10: detector_stopped open']);
  });
});

describe('the monitor', () => {
  it('closes what is open for tenants that left the pipeline, and leaves alone what another worker has', () => {
    const subject = new Subject();
    subject.tenant = { deadLettersLastHour: 200 };
    subject.look();
    subject.tenant = null;
    expect(subject.for(HOUR_MS)).toEqual([]);
    subject.restart(['fabrikam']);
    expect(subject.look()).toEqual(['dead_letters_growing closed']);
    expect(subject.last().document.message).toBe('The tenant contoso is no longer part of the pipeline live.');
    expect(subject.look()).toEqual([]);
  });

  it('gives each check of each pipeline, tenant and partition an id of its own', () => {
    const ids = ['live', 'other'].flatMap((pipeline) => {
      const tenants = ['contoso', 'fabrikam'];
      const monitor = createCompletenessMonitor({ pipeline, tenants, settings: DEFAULT_COMPLETENESS });
      const writes: ReplaceWrite[] = [];
      for (let minute = 0; minute < 400; minute += 5) {
        const snapshot = {
          atMs: START + minute * MINUTE_MS,
          tenants: tenants.map((tenant) => ({
            tenant,
            lastRowAtMs: START,
            watermarkMs: START - 2 * DAY_MS,
            rowsLastHour: 100,
            deadLettersLastHour: 100,
          })),
          partitions: [0, 1].map((partition) => ({
            partition,
            lagEntries: 5,
            committedMovedAtMs: START,
            endOffset: 5,
            committedOffset: 0,
          })),
        };
        writes.push(...monitor.observe(snapshot));
      }
      expect(new Set(writes.map((write) => findingOf(write).code))).toEqual(new Set(CODES));
      return writes.map(({ id }) => id);
    });
    expect(ids).toHaveLength(16);
    expect(new Set(ids).size).toBe(16);
  });

  it('says the same whether it is restarted or not, and changes nothing twice', () => {
    const step = fc.record({
      minutes: fc.integer({ min: 1, max: 9 }),
      hasRows: fc.boolean(),
      lagHours: fc.integer({ min: 0, max: 30 }),
      dead: fc.integer({ min: 0, max: 100 }),
      waiting: fc.integer({ min: 0, max: 3 }),
      taken: fc.integer({ min: 0, max: 2 }),
      isRestarted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 400, size: 'max' }), (steps) => {
        const [steady, restarted] = [new Subject(), new Subject()];
        const states = new Map<string, string>();
        let [end, committed, movedMs] = [0, 0, START];
        for (const { minutes, hasRows, lagHours, dead, waiting, taken, isRestarted } of steps) {
          end += waiting;
          const before = committed;
          committed = Math.min(end, committed + taken);
          for (const subject of [steady, restarted]) {
            subject.nowMs += minutes * MINUTE_MS;
            if (committed !== before) movedMs = subject.nowMs;
            subject.tenant = {
              lastRowAtMs: hasRows ? subject.nowMs : null,
              watermarkMs: subject.nowMs - lagHours * HOUR_MS,
              rowsLastHour: hasRows ? 1_000 : 0,
              // Counts of the last hour begin anew with the process: they are compared in a test of their own.
              deadLettersLastHour: dead > 50 ? dead : 40,
            };
            subject.partition = { committedOffset: committed, endOffset: end, committedMovedAtMs: movedMs };
          }
          if (isRestarted) restarted.restart();
          const found = steady.look();
          expect(restarted.look()).toEqual(found);
          for (const one of found) {
            const [code, state] = one.split(' ');
            expect(state).toBe(states.get(code) === 'open' ? 'closed' : 'open');
            states.set(code, state);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

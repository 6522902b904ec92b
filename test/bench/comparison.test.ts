import { describe, expect, it } from 'vitest';
import { alarmTimes, BASELINES, mergedAlarms } from '../../bench/detection/baselines.ts';
import { atFalseRate, type Compared, compareBaselines } from '../../bench/detection/comparison.ts';
import { type Stream, streamRows, UNREGISTERED } from '../../bench/detection/stream.ts';
import { chart, distribution } from '../../bench/detection/svg.ts';
import { DAY_MS, HOUR_MS, type TrafficMessage } from '../../bench/traffic/message.ts';

const START_MS = Date.UTC(2026, 0, 5);

/** Five rows in every office hour of seven weeks, and then so many more in the last hour. */
function officeHours(more: number): number[] {
  const times: number[] = [];
  for (let day = 0; day < 49; day++) {
    for (let hour = 9; hour < 17; hour++) {
      for (let row = 0; row < 5; row++) times.push(START_MS + day * DAY_MS + hour * HOUR_MS + row * 600_000);
    }
  }
  const lastMs = START_MS + 49 * DAY_MS + 10 * HOUR_MS;
  for (let row = 0; row < more; row++) times.push(lastMs + row * 30_000);
  return times;
}

describe('the detectors of others', () => {
  const fromMs = START_MS + 49 * DAY_MS;
  const firstAlarm = (id: string, parameter: number, times: number[]): number => {
    const baseline = BASELINES.find((one) => one.id === id);
    if (baseline === undefined) throw new Error(`no baseline is called ${id}`);
    const alarms = alarmTimes(baseline, parameter, times, START_MS, fromMs);
    return alarms.length === 0 ? 0 : times.filter((time) => time > fromMs && time <= alarms[0]).length;
  };

  it('tell a burst at the count that they are set to', () => {
    const times = officeHours(100);
    expect(firstAlarm('fixed', 1, times)).toBe(30);
    // Median 5, no deviation: 5 + 16 is reached with the 22nd.
    expect(firstAlarm('seasonal', 16, times)).toBe(22);
    expect(firstAlarm('ears', 16, times)).toBe(22);
    expect(firstAlarm('ears', 64, times)).toBe(70);
  });

  it('say nothing of what is usual, nor without history', () => {
    for (const baseline of BASELINES) expect(firstAlarm(baseline.id, 4, officeHours(5))).toBe(0);
    const young = officeHours(100).filter((time) => time > fromMs);
    const [, seasonal, ears] = BASELINES;
    expect(alarmTimes(seasonal, 4, young, fromMs, fromMs)).toEqual([]);
    expect(alarmTimes(ears, 4, young, fromMs, fromMs)).toEqual([]);
  });

  it('are in one alarm until a day has passed without one', () => {
    const times = [0, HOUR_MS, 20 * HOUR_MS, 60 * HOUR_MS];
    expect(mergedAlarms(times)).toEqual([
      { startMs: 0, endMs: 20 * HOUR_MS },
      { startMs: 60 * HOUR_MS, endMs: 60 * HOUR_MS },
    ]);
  });

  it('are judged as ours are: leak up to the alarm, and whether they were in alarm before', () => {
    const times = officeHours(100);
    const attack = times.filter((time) => time > fromMs);
    const stream: Stream = {
      trial: 'x',
      scenario: 'A8',
      background: '300',
      fromMs,
      toMs: fromMs + 2 * DAY_MS,
      firstMs: START_MS,
      attack: { startMs: attack[0], endMs: attack[attack.length - 1], times: attack },
      ours: null,
      rows: times.map((timeMs) => ({ timeMs, key: UNREGISTERED, domain: 'a.example', source: '' })),
    };
    const fixed = compareBaselines([stream]).find((one) => one.detector === 'fixed' && one.parameter === 1);
    expect(fixed?.scenarios).toEqual([
      {
        scenario: 'A8',
        background: '300',
        attacks: 1,
        recall: 1,
        leakMedian: 30,
        leakP95: 30,
        delayHours: (29 * 30_000) / HOUR_MS,
        alreadyInAlarm: 0,
      },
    ]);
    const quiet = compareBaselines([{ ...stream, attack: null, toMs: fromMs + 30 * DAY_MS }]);
    expect(quiet.find((one) => one.detector === 'fixed' && one.parameter === 1)?.falseAlarms).toEqual([
      { background: '300', unregistered: 1, mailboxes: 0 },
    ]);
  });

  it('are shown with the parameter that finds most at the false alarms allowed', () => {
    const one = (parameter: number, falseAlarms: number, recall: number): Compared => ({
      detector: 'x',
      title: 'x',
      parameter,
      falseAlarms: [{ background: '300', unregistered: falseAlarms, mailboxes: 0 }],
      scenarios: [
        {
          scenario: 'A',
          background: '300',
          attacks: 1,
          recall,
          leakMedian: 0,
          leakP95: 0,
          delayHours: 0,
          alreadyInAlarm: 0,
        },
      ],
    });
    const all = [one(1, 5, 1), one(2, 0.2, 0.8), one(3, 0.1, 0.5)];
    expect(atFalseRate(all, 0.25).map(({ parameter }) => parameter)).toEqual([2]);
    expect(atFalseRate(all, 0.01).map(({ parameter }) => parameter)).toEqual([3]);
  });

  it('see external recipients of unregistered senders together, and of mailboxes here each by itself', () => {
    const message = (sender: string, addresses: string[]): TrafficMessage => ({
      traceId: 'x',
      messageId: '<x>',
      timeMs: START_MS,
      sender,
      recipients: addresses.map((address) => ({ address, status: 'Delivered', toIp: '' })),
      subject: '',
      sizeBytes: 1,
      fromIp: '192.0.2.1',
      connector: '',
      direction: 'originating',
    });
    const rows = streamRows(
      [
        message('a@spam.example', ['b@there.example', 'c@here.example']),
        message('d@here.example', ['b@there.example', 'e@there.example']),
        message('<>', ['b@there.example']),
      ],
      new Set(['here.example']),
    );
    expect(rows.map(({ key, domain }) => [key, domain])).toEqual([
      [UNREGISTERED, 'spam.example'],
      ['d@here.example', 'here.example'],
      ['d@here.example', 'here.example'],
    ]);
  });
});

describe('a chart', () => {
  it('puts points where their values are, and texts cannot break it', () => {
    const svg = chart({
      title: 'a < b & "c"',
      xTitle: 'x',
      yTitle: 'y',
      xLogFrom: 1,
      series: [
        {
          name: 'one',
          points: [
            { x: 0, y: 0 },
            { x: 100, y: 1 },
          ],
          style: 'line',
        },
        distribution('two', [1, 10, 100], 4),
      ],
    });
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
    // From the left end of the axis, where what is below the first value lies, to the upper right corner.
    expect(svg).toContain('d="M64.0 368.0L530.0 40.0"');
    expect(svg).not.toContain('NaN');
  });

  it('draws a distribution that ends where the last one was found', () => {
    expect(distribution('x', [3, 1, 2], 4).points.at(-1)).toEqual({ x: 3, y: 0.75 });
  });
});

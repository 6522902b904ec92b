import { describe, expect, it } from 'vitest';
import { BACKGROUNDS, type BackgroundKind } from '../../bench/detection/backgrounds.ts';
import { scenariosCalled } from '../../bench/detection/evaluation.ts';
import { scanFiles } from '../../bench/detection/file-driver.ts';
import { type PlannedTrial, planTrials, runGroup, scanTraffic, wholeTrial } from '../../bench/detection/group.ts';
import { judgeAttack, judgeLookAlike, judgeQuiet, markOf } from '../../bench/detection/outcome.ts';
import type { ExpectedAttack, Scenario } from '../../bench/detection/scenario.ts';
import { SCENARIOS } from '../../bench/detection/scenarios/registry.ts';
import { bootstrap, mean, median, quantile } from '../../bench/detection/statistics.ts';
import { overview, resultOf, verdict } from '../../bench/detection/tables.ts';
import { AS_SHIPPED, adjustedSettings } from '../../bench/detection/task.ts';
import { DAY_MS, HOUR_MS } from '../../bench/traffic/message.ts';
import type { IncidentDocument } from '../../src/core/incident-document.ts';

const START_MS = Date.UTC(2026, 0, 5);

/** An incident document with what the judge reads. */
function incident(fields: {
  detectedMs: number;
  endMs?: number;
  family?: string;
  type?: string;
  sources?: string[];
  escalationsMs?: number[];
}): IncidentDocument {
  const list = (keys: string[]) => keys.map((key) => ({ key, recipients: 10, share: 1 }));
  const document = {
    '@timestamp': new Date(fields.detectedMs).toISOString(),
    message: 'made up',
    event: {
      id: `rw-${fields.detectedMs}`,
      start: new Date(fields.detectedMs).toISOString(),
      end: new Date(fields.endMs ?? fields.detectedMs).toISOString(),
      severity: 73,
    },
    relaywatch: {
      incident: {
        family: fields.family ?? 'unregistered',
        type: fields.type ?? 'relay',
        state: 'open',
        series: ['relayed'],
        detected_at: new Date(fields.detectedMs).toISOString(),
        escalations: (fields.escalationsMs ?? []).map((at) => ({
          at: new Date(at).toISOString(),
          observed: 1,
          severity: 73,
        })),
        contributors: { domains: [], sources: list(fields.sources ?? []), connectors: [], mailboxes: [], subjects: [] },
      },
    },
  };
  return document as unknown as IncidentDocument;
}

/** An attack of one recipient a minute. */
function attack(): ExpectedAttack {
  const startMs = START_MS + 9 * DAY_MS;
  return {
    truth: {
      id: 'attack',
      kind: 'relay',
      startMs,
      endMs: startMs + 2 * HOUR_MS,
      sources: ['192.0.2.200'],
      connector: '',
      mailboxes: [],
      domains: ['spam.example'],
      pairs: Array.from({ length: 120 }, (_, minute) => ({
        timeMs: startMs + minute * 60_000,
        traceId: String(minute),
        recipient: 'a@b.example',
      })),
    },
    types: ['relay'],
  };
}

describe('the judge', () => {
  const expected = attack();
  const [source] = expected.truth.sources;
  const tenthMs = expected.truth.pairs[9].timeMs;

  it('counts attack recipients up to and including the row that told', () => {
    expect(judgeAttack('x', expected, [incident({ detectedMs: tenthMs, sources: [source] })])).toMatchObject({
      detected: true,
      leak: 10,
      incidents: 1,
      typeRight: true,
      firstContributorRight: true,
      notifications: 1,
      delayMs: 9 * 60_000,
    });
  });

  it('calls an attack missed where no incident names it, or only one of another family', () => {
    expect(judgeAttack('x', expected, [])).toMatchObject({ detected: false, incidents: 0 });
    const elsewhere = judgeAttack('x', expected, [incident({ detectedMs: tenthMs, sources: ['203.0.113.99'] })]);
    expect(elsewhere.detected).toBe(false);
    const bulk = incident({ detectedMs: tenthMs, family: 'bulk', sources: [source] });
    expect(judgeAttack('x', expected, [bulk])).toMatchObject({ detected: false, family: 'bulk' });
  });

  it('dates an attack that joined an older incident from the escalation that told of it', () => {
    const older = { detectedMs: expected.truth.startMs - 5 * HOUR_MS, sources: ['203.0.113.99', source] };
    expect(judgeAttack('x', expected, [incident(older)]).detected).toBe(false);
    const escalated = incident({ ...older, escalationsMs: [expected.truth.startMs - 1000, tenthMs] });
    expect(judgeAttack('x', expected, [escalated])).toMatchObject({
      detected: true,
      leak: 10,
      firstContributorRight: false,
      notifications: 1,
    });
  });

  it('does not blame an attack for what the background raises anyway', () => {
    const mine = incident({ detectedMs: tenthMs, sources: [source] });
    const other = incident({ detectedMs: tenthMs + 1000, family: 'bulk' });
    expect(judgeAttack('x', expected, [mine, other]).incidents).toBe(2);
    expect(judgeAttack('x', expected, [mine, other], new Set([markOf(other)])).incidents).toBe(1);
  });

  it('counts what is said about something harmless by when it happened', () => {
    const occurrences = [0, 7, 14].map((day) => ({
      startMs: START_MS + day * DAY_MS,
      endMs: START_MS + day * DAY_MS + HOUR_MS,
    }));
    const documents = [
      incident({ detectedMs: START_MS + HOUR_MS, type: 'bulk_sender', escalationsMs: [START_MS + 14 * DAY_MS] }),
      incident({ detectedMs: START_MS + 3 * DAY_MS }),
    ];
    expect(judgeLookAlike('x', { occurrences, types: [] }, documents, [])).toMatchObject({
      incidents: [1, 0, 1],
      calledAttack: false,
      typesRight: true,
      types: ['bulk_sender'],
    });
    const named = judgeLookAlike('x', { occurrences, types: ['backscatter'] }, documents, []);
    expect(named.typesRight).toBe(false);
    const moved = [incident({ detectedMs: START_MS + 4 * HOUR_MS })];
    expect(judgeLookAlike('x', { occurrences, types: [] }, documents, moved).incidents).toEqual([0, 0, 0]);
  });

  it('counts what nobody caused by the days it happened in', () => {
    const early = START_MS + 2 * DAY_MS;
    const late = START_MS + 29.5 * DAY_MS;
    const quiet = judgeQuiet({ trial: 'x', startMs: START_MS, days: 33, rowsPerDay: 10, unregisteredPerDay: 1 }, [
      incident({ detectedMs: early, family: 'bulk' }),
      incident({ detectedMs: late, endMs: late + DAY_MS }),
    ]);
    expect(quiet.learning).toEqual({ bulk: 1 });
    expect(quiet.after).toEqual({ unregistered: 1 });
    expect(quiet.daysInAlarm).toBeCloseTo(2 / 5);
    expect(quiet.months).toBeCloseTo(5 / 30);
  });
});

function background(id: string): BackgroundKind {
  return BACKGROUNDS.find((kind) => kind.id === id) as BackgroundKind;
}

/** Trials of some scenarios on one background. */
function trialsOn(id: string, scenarios: readonly Scenario[]): PlannedTrial[] {
  const opened = background(id).open('x/0');
  if (opened === null) throw new Error(`background ${id} is missing`);
  return planTrials(scenarios, opened, 'x', 0);
}

function open(id: string) {
  const opened = background(id).open('x/0');
  if (opened === null) throw new Error(`background ${id} is missing`);
  return opened;
}

describe('trials on one background', () => {
  const scenarios = ['A6', 'A8', 'A11', 'A20', 'A24', 'B4', 'B8', 'B9'].flatMap((id) => scenariosCalled([id]));

  it('give the incidents of a scan of the whole tenant', () => {
    const together = runGroup(open('300'), trialsOn('300', scenarios), adjustedSettings(AS_SHIPPED));
    const picked = trialsOn('300', scenarios).filter((trial) => trial.name.endsWith('.0'));
    expect(picked.map((trial) => trial.scenario.id)).toEqual(expect.arrayContaining(['A6', 'A8', 'A24', 'B8']));
    let told = 0;
    for (const trial of picked) {
      const whole = wholeTrial(
        open('300'),
        trialsOn('300', scenarios).find((one) => one.name === trial.name) as PlannedTrial,
      );
      const documents = scanTraffic(whole.traffic, adjustedSettings(AS_SHIPPED));
      const outcome = together.outcomes.find((one) => one.outcome.trial === trial.name)?.outcome;
      const known = new Set<string>();
      whole.happening.attacks.forEach((expected, index) => {
        const { incidents: _mine, ...judged } = judgeAttack(trial.name, expected, documents, known);
        expect(outcome?.attacks[index]).toMatchObject(judged);
        told += judged.detected ? 1 : 0;
      });
    }
    expect(told).toBeGreaterThan(2);
  });

  it('are the same whatever else is evaluated', () => {
    const alone = trialsOn('10', scenariosCalled(['A8by20']));
    const among = trialsOn('10', SCENARIOS).filter((trial) => trial.scenario.id === 'A8by20');
    expect(alone.map(({ name, plan }) => [name, plan.fromDay])).toEqual(
      among.map(({ name, plan }) => [name, plan.fromDay]),
    );
    const rows = (trials: PlannedTrial[]) =>
      runGroup(open('10'), trials, adjustedSettings(AS_SHIPPED)).outcomes.map(({ outcome }) => outcome);
    expect(rows(alone)).toEqual(rows(among));
  });

  it('are read from export files alike', async () => {
    const [trial] = trialsOn('10', scenariosCalled(['A22-relay']));
    const whole = wholeTrial(open('10'), trial);
    const core = (documents: IncidentDocument[]) =>
      documents.map((document) => {
        const { family, type, series, detected_at, observed, expected, window, score, recipients } =
          document.relaywatch.incident;
        return {
          family,
          type,
          series,
          detected_at,
          observed,
          expected,
          window,
          score,
          recipients,
          end: document.event.end,
        };
      });
    const fromRecords = core(scanTraffic(whole.traffic, adjustedSettings(AS_SHIPPED)));
    expect(fromRecords.length).toBeGreaterThan(0);
    expect(core(await scanFiles(whole, { format: 'enhanced-summary' }))).toEqual(fromRecords);
  });
});

describe('statistics', () => {
  it('take quantiles by nearest rank', () => {
    const numbers = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantile(numbers, 0.95)).toBe(95);
    expect(median([3, 1, 2])).toBe(2);
    expect(quantile([7], 0.95)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('give intervals that hold the value and narrow with the number of trials', () => {
    const interval = (size: number) =>
      bootstrap(
        Array.from({ length: size }, (_, index) => index % 10),
        mean,
      );
    const few = interval(20);
    const many = interval(2000);
    expect(few.low).toBeLessThanOrEqual(few.value);
    expect(few.high).toBeGreaterThanOrEqual(few.value);
    expect(many.high - many.low).toBeLessThan((few.high - few.low) / 4);
  });
});

describe('the scenarios', () => {
  it('have ids of their own, and every scenario of the protocol is there', () => {
    expect(new Set(SCENARIOS.map((scenario) => scenario.id)).size).toBe(SCENARIOS.length);
    for (let number = 1; number <= 24; number++) expect(scenariosCalled([`A${number}`]).length).toBeGreaterThan(0);
    for (let number = 1; number <= 13; number++) expect(scenariosCalled([`B${number}`]).length).toBeGreaterThan(0);
    expect(scenariosCalled(['A1']).map((scenario) => scenario.id)).toEqual(['A1']);
  });

  it('are reported with the bounds they must hold', () => {
    const [scenario] = scenariosCalled(['A8']);
    const missed = judgeAttack('x', attack(), []);
    const outcomes = [{ trial: 'x', background: '300', attacks: [missed], lookAlike: null, incidents: [] }];
    const result = resultOf(scenario, 'generated', outcomes, scenario.measure(outcomes, 'generated'));
    const recall = result.metrics.find((metric) => metric.name === 'recall');
    expect(recall && verdict(recall)).toBe('fails');
    expect(overview([result])).toContain('- A8 on generated: recall 0 (0 to 0), gate ≥ 0.98');
    expect(verdict({ name: 'x', interval: { value: 8, low: 8, high: 8 }, gate: { kind: 'max', bound: 15 } })).toBe(
      'holds',
    );
    const reached = { kind: 'max', bound: 8 } as const;
    expect(verdict({ name: 'x', interval: { value: 8, low: 8, high: 8 }, goal: reached })).toBe('reached');
  });
});
